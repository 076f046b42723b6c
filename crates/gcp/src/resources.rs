//! The managed things, a file each: what is wanted, what is seen, how each facet is written.

pub(crate) mod access;
pub(crate) mod bucket;
pub(crate) mod notification;
pub(crate) mod subscription;
pub(crate) mod topic;
