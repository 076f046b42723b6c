//! The managed things, a file each: what is wanted, what is seen, how each facet is written.

pub(crate) mod access;
pub(crate) mod account;
pub(crate) mod container;
pub(crate) mod cors;
pub(crate) mod events;
pub(crate) mod queue;
pub(crate) mod resource_group;
