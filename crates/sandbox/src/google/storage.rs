//! Cloud Storage: one state behind its JSON and XML APIs.

pub(super) mod bucket;
pub(super) mod bucket_json;
pub(super) mod cors;
pub(super) mod notification;
pub(super) mod object;
pub(super) mod object_json;
pub(super) mod reach;
mod signed_url;
pub(super) mod upload;
pub(super) mod xml;
