//! The managed thing: what it is, what is desired, what is observed, how it is made, written and deleted.

pub(crate) use provision_core::facet::{Facets, typed};

pub(crate) mod urls;
pub(crate) mod settings;
pub(crate) mod application;
