//! What `drift --json` printed, read back.

use provision_core::change_set::{ChangeSet, Unreadable};
use provision_core::told::Told;
use serde::Deserialize;
use serde_json::Value;

use super::documents::{FORMAT, TOOL};
use crate::arguments::Shard;
use crate::view::Looked;

/// The document, of which a field that is not known is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u32,
    tool: String,
    looked_at: Option<String>,
    shard: Option<Shard>,
    #[serde(default)]
    deployments: Vec<Row>,
    #[serde(default)]
    errors: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(rename = "verdict")]
    _verdict: String,
    change_set: Option<Value>,
    error: Option<Told>,
}

/// What was found then.
///
/// # Errors
///
/// Why it is no such document.
pub(crate) fn looked(bytes: &[u8]) -> Result<Looked, String> {
    let document: Document = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if document.format != FORMAT || document.tool != TOOL {
        let (format, tool) = (document.format, document.tool);
        return Err(format!(
            "it has format {format} of version {tool}, this program reads {FORMAT} of its own version {TOOL}"
        ));
    }
    if !document.errors.is_empty() {
        return Err("its drift ended before it had a result".to_owned());
    }
    let mut looked = Looked { shard: document.shard, began: document.looked_at, ..Looked::default() };
    for row in document.deployments {
        match (row.change_set, row.error) {
            (Some(set), None) => looked.sets.push(change_set(set)?),
            (None, Some(error)) => looked.errors.push(error.error()),
            _ => return Err("a deployment was neither looked at nor was it not".to_owned()),
        }
    }
    Ok(looked)
}

/// A change set with what could not be read, which stands among the errors; refusals stand in its changes too.
fn change_set(mut set: Value) -> Result<ChangeSet, String> {
    let errors = set.as_object_mut().and_then(|set| set.remove("errors")).unwrap_or_default();
    let errors: Vec<Told> = serde_json::from_value(errors).map_err(|error| error.to_string())?;
    let mut set: ChangeSet = serde_json::from_value(set).map_err(|error| error.to_string())?;
    let unread = errors.into_iter().filter(|error| !error.is_refusal());
    set.unreadable = unread.map(|error| Unreadable(error.error())).collect();
    Ok(set)
}
