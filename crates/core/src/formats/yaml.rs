//! YAML for readers of both versions: what one of them would take for something else than a text is quoted.

use serde_json::Value;

use super::written::Unwritable;

/// Documents, one after the other.
pub(super) fn write(documents: &[Value]) -> Result<String, Unwritable> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false, compact_list_indent: false };
    serde_saphyr::to_string_multiple_with_options(documents, options)
        .map_err(|error| Unwritable::whole(format!("no YAML can hold these settings: {error}")))
}
