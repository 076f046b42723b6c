//! The managed things, a file each: what it is, what is wanted, what is seen, how it is made, written and deleted.

pub(crate) mod access;
pub(crate) mod bucket;
pub(crate) mod notification;
pub(crate) mod queue;

use provision_core::{Error, ErrorKind};

/// What no version of ours ever sends: a facet that there is none of, a value that no request can be made from.
pub(crate) fn ours(what: &str) -> Error {
    Error::new(ErrorKind::Unexpected, format!("{what}: this is a bug in provision"))
}
