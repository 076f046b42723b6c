//! A few keys of a plan file written into its text: everything else in it stays as it is, to the byte.

use toml_edit::{DocumentMut, Item, TableLike, Value};

use crate::file::BYTE_ORDER_MARK;

/// A key of a plan file and its value; none takes it out.
pub type Noted<'a> = (&'a str, Option<&'a str>);

/// The text with these keys of a section set, or taken out; of one in another, `azure.account`.
///
/// # Errors
///
/// The text is no TOML, or has no such section.
pub fn edited(source: &str, section: &str, keys: &[Noted<'_>]) -> Result<String, String> {
    let (mark, text) = match source.strip_prefix(BYTE_ORDER_MARK) {
        Some(text) => (source.get(..BYTE_ORDER_MARK.len_utf8()).unwrap_or_default(), text),
        None => ("", source),
    };
    // The parser knows no line ends but its own.
    let windows = text.contains("\r\n");
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for name in section.split('.') {
        let inner = table.get_mut(name).and_then(Item::as_table_like_mut);
        table = inner.ok_or_else(|| format!("it has no [{section}] section"))?;
    }
    for (key, value) in keys {
        match value {
            Some(value) => set(table, key, value),
            None => drop(table.remove(key)),
        }
    }
    let edited = document.to_string();
    let edited = if windows { edited.replace("\r\n", "\n").replace('\n', "\r\n") } else { edited };
    Ok(format!("{mark}{edited}"))
}

/// Set a key; one that is there keeps its place and the comment behind it.
fn set(table: &mut dyn TableLike, key: &str, text: &str) {
    let mut value = Value::from(text);
    if let Some(there) = table.get_mut(key).and_then(Item::as_value_mut) {
        *value.decor_mut() = there.decor().clone();
        *there = value;
    } else {
        table.insert(key, Item::Value(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# ours\n[deployment]\nname = 'ab'   # short\n\n[slack]\n# the app\nip_ranges = [\n  \"203.0.113.7\", # office\n]\n\n# the rest\n[gcp]\nproject = \"acme\"\n";

    #[test]
    fn keys_are_set_and_taken_out_and_everything_else_stays() {
        let noted = edited(FILE, "slack", &[("app_id", Some("A1")), ("client_id", Some("1.2"))]).unwrap();
        assert_eq!(noted, FILE.replace("]\n\n# the", "]\napp_id = \"A1\"\nclient_id = \"1.2\"\n\n# the"));
        let behind = noted.replace("app_id = \"A1\"", "app_id = \"A1\"  # mine");
        let again = edited(&behind, "slack", &[("app_id", Some("A2"))]).unwrap();
        assert_eq!(again, behind.replace("A1", "A2"));
        assert_eq!(edited(&noted, "slack", &[("app_id", None), ("client_id", None)]).unwrap(), FILE);
    }

    #[test]
    fn any_form_of_a_section_is_written_in_that_form() {
        let set = |text: &str| edited(text, "slack", &[("app_id", Some("A1"))]);
        assert_eq!(set("slack = { name = 'a' }\n").unwrap(), "slack = { name = 'a' , app_id = \"A1\" }\n");
        assert_eq!(set("slack.name = 'a'\n").unwrap(), "slack.name = 'a'\nslack.app_id = \"A1\"\n");
        assert_eq!(set("[slack]").unwrap(), "[slack]\napp_id = \"A1\"\n");
        assert!(set("[gcp]\n").is_err() && set("[slack").is_err() && set("slack = 1").is_err());
    }

    #[test]
    fn section_in_another_is_written_in_any_form() {
        let set = |text: &str| edited(text, "azure.account", &[("key", Some("key2"))]);
        assert_eq!(set("[azure.account]\nname = 'a'\n").unwrap(), "[azure.account]\nname = 'a'\nkey = \"key2\"\n");
        let inline = "[azure]\naccount = { name = 'a', key = \"key1\" }  # ours\n";
        assert_eq!(set(inline).unwrap(), inline.replace("key1", "key2"));
        assert!(set("[azure]\naccount = 1\n").is_err() && set("[account]\n").is_err());
    }

    #[test]
    fn line_ends_and_a_byte_order_mark_stay() {
        let text = "\u{feff}[slack]\r\nname = 'a'\r\n";
        let set = edited(text, "slack", &[("app_id", Some("A1"))]).unwrap();
        assert_eq!(set, "\u{feff}[slack]\r\nname = 'a'\r\napp_id = \"A1\"\r\n");
    }
}
