//! Tags, which are the texts in an application's metadata.

use std::collections::BTreeMap;

use provision_core::mark::Tags;
use serde_json::Value;

/// The most properties of an application's metadata
/// (<https://auth0.com/docs/get-started/applications/configure-application-metadata>).
pub(crate) const MOST_TAGS: usize = 10;

/// The texts in metadata: "an object with string values".
pub(crate) fn tags(metadata: &BTreeMap<String, Value>) -> Tags {
    metadata.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}
