//! The user's plan file: TOML with source positions, checked as a whole.
//!
//! Text becomes a tree with spans (`document`), `${env:NAME}` is replaced (`substitution`), each section is checked
//! against the schema of its type (`schema_check`) and read into it. Every problem of a file is collected (`problems`) and
//! shown at once (`render`); nothing is sent before a file is free of them. No section is known by name here.

mod diagnostic;
pub mod edit;
mod document;
mod substitution;
mod problems;
mod schema_check;
mod render;

use std::path::Path;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::digest::canonical;
use crate::file;
use diagnostic::Diagnostic;
pub use diagnostic::{Position, Problem};
use document::Document;
pub(crate) use problems::is_within;
pub use problems::{InvalidPlanFile, PlanFileError, Problems};

/// A plan file that is TOML; its sections are read with [`PlanFile::section`].
#[derive(Clone, Debug)]
pub struct PlanFile {
    document: Arc<Document>,
    /// Variables that are not set. They are not reported alone, but with whatever else is wrong with the file.
    unset: Vec<Diagnostic>,
}

impl PlanFile {
    /// Read and parse a file. `env` gives the variables that `${env:NAME}` may name.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is something else than TOML in UTF-8.
    pub fn read(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, PlanFileError> {
        let name = path.display().to_string();
        let unreadable = |reason| PlanFileError::Unreadable { path: name.clone(), reason, cloud: None };
        let bytes = file::read(path, file::LARGEST_PLAN_FILE).map_err(|error| unreadable(error.to_string()))?;
        if let Some(other) = PlanFileError::not_a_plan_file(&name, &bytes) {
            return Err(other);
        }
        let source = String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8".to_owned()))?;
        Self::parse(&name, source, env)
    }

    /// Parse a text, a byte order mark aside; `name` stands for it in messages.
    ///
    /// # Errors
    ///
    /// It is not TOML.
    pub fn parse(name: &str, source: String, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, PlanFileError> {
        let source = source.strip_prefix(file::BYTE_ORDER_MARK).map(str::to_owned).unwrap_or(source);
        let (mut root, syntax) = document::parse(&source);
        let (substitutions, unset) = substitution::substitute(&mut root, env);
        let document = Arc::new(Document { name: name.to_owned(), source, root, substitutions });
        Problems::new(Arc::clone(&document), syntax).finish().map(|()| Self { document, unset })
    }

    /// The problems of this file so far: variables that are not set. Nothing may be done with a file before
    /// [`Problems::finish`] has found none.
    #[must_use]
    pub fn problems(&self) -> Problems {
        Problems::new(Arc::clone(&self.document), self.unset.clone())
    }

    /// The same but for variables of one section, which a command does not use.
    #[must_use]
    pub fn problems_outside(&self, section: &str) -> Problems {
        self.problems_with(section, None)
    }

    /// The same with those of one setting in it.
    #[must_use]
    pub fn problems_with(&self, section: &str, setting: Option<&str>) -> Problems {
        let is_of = |path: &str| setting.is_some_and(|setting| is_within(path, setting));
        self.problems_where(|path| !is_within(path, section) || is_of(path))
    }

    /// The same with those of the paths alone that a command uses.
    #[must_use]
    pub fn problems_where(&self, is_used: impl Fn(&str) -> bool) -> Problems {
        let unset = self.unset.iter().filter(|diagnostic| is_used(&diagnostic.path)).cloned().collect();
        Problems::new(Arc::clone(&self.document), unset)
    }

    /// Read a section into its type; `None` if it is absent or has problems, which are reported.
    pub fn section<T: DeserializeOwned + JsonSchema>(&self, key: &str, problems: &mut Problems) -> Option<T> {
        let Some(node) = self.document.root.at(key) else {
            problems.no_section(&[key]);
            return None;
        };
        let before = problems.len();
        schema_check::check(node, key, &schemars::schema_for!(T), problems);
        if problems.len() > before {
            // Without what does not fit, the rest may still be read, so that its other problems show in the same run.
            return serde_json::from_value(problems.without_misfits(node.to_json(), key, before)).ok();
        }
        match serde_json::from_value(node.to_json()) {
            Ok(section) => Some(section),
            Err(error) => {
                // Serde quotes the value that it refuses, and that may have come from a variable.
                let reason = if self.document.substitutions.is_empty() {
                    error.to_string()
                } else {
                    "unexpected value".to_owned()
                };
                let help = "its schema takes what its type does not; this is a bug in provision".to_owned();
                problems.report(key, "this section cannot be read", &reason, Some(help));
                None
            }
        }
    }

    /// Report tables and keys at the top that are none of these.
    pub fn top_level(&self, known: &[&str], problems: &mut Problems) {
        schema_check::known_keys(&self.document.root, "", known, problems);
    }

    /// Whether the file has that dotted path.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.document.root.at(path).is_some()
    }

    /// The line of a dotted path, from 1; of the nearest table around it if it is absent.
    #[must_use]
    pub fn line_of(&self, path: &str) -> usize {
        self.document.position(self.document.root.nearest(path).start).line
    }

    /// The text at a dotted path, with its variables.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        self.document.root.at(path).and_then(document::Node::text)
    }

    /// The keys of the table at a dotted path.
    #[must_use]
    pub fn keys(&self, path: &str) -> Vec<String> {
        let entries = self.document.root.at(path).and_then(document::Node::entries);
        entries.into_iter().flat_map(|entries| entries.keys().cloned()).collect()
    }

    /// Whether variables are named in the text at a dotted path.
    #[must_use]
    pub fn has_variables(&self, path: &str) -> bool {
        self.substitution(path).is_some()
    }

    /// Whether a part of the text at a dotted path was filled in from variables, or will be once they are set.
    #[must_use]
    pub fn comes_from_variables(&self, path: &str, part: &str) -> bool {
        let is_of = |value: &str| value.contains(part) || (!value.is_empty() && part.contains(value));
        self.substitution(path).is_some_and(|substitution| {
            !substitution.whole || substitution.variables.iter().any(|(_, value)| is_of(value))
        })
    }

    fn substitution(&self, path: &str) -> Option<&document::Substitution> {
        let node = self.document.root.at(path)?;
        self.document.substitutions.iter().find(|substitution| substitution.span == node.span)
    }

    /// SHA-256 of what the file says but for one section, in hex: comments, order and layout do not change it. What a change set
    /// carries tells nothing of the secrets of a section that it is not about.
    #[must_use]
    pub fn digest_without(&self, section: &str) -> String {
        let mut says = self.document.root.to_json();
        if let serde_json::Value::Object(sections) = &mut says {
            sections.remove(section);
        }
        HEXLOWER.encode(&Sha256::digest(canonical(&says).to_string().as_bytes()))
    }

    /// The file's path, as typed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.document.name
    }

    /// The text, for views that show it.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.document.source
    }
}

/// The default of a switch that is on.
#[must_use]
pub const fn on() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::Deployment;
    use proptest::prelude::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Section {
        /// The bucket's name.
        name: String,
        /// How long.
        #[schemars(range(min = 0, max = 20))]
        wait_s: Option<u32>,
        kept_s: Option<u32>,
        #[serde(default)]
        tags: BTreeMap<String, String>,
        encryption: Option<Encryption>,
        senders: Option<Senders>,
        origins: Option<Vec<String>>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only its shape matters")]
    enum Encryption {
        Managed(Managed),
        Key(Key),
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    enum Managed {
        #[serde(rename = "AES256")]
        Aes256,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Key {
        kms_key: String,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Senders {
        Bucket,
        Anyone,
    }

    fn env(name: &str) -> Option<String> {
        match name {
            "REGION" => Some("eu-west-1".to_owned()),
            "EMPTY" => Some(String::new()),
            "SECRET" => Some("https://Hunter2.example.com/s3cret".to_owned()),
            _ => None,
        }
    }

    fn checked(source: &str) -> Result<Section, String> {
        let render = |error: PlanFileError| error.render(false);
        let file = PlanFile::parse("plans/x.toml", source.to_owned(), &env).map_err(render)?;
        let mut problems = file.problems();
        file.top_level(&["deployment", "x"], &mut problems);
        if file.has("deployment") {
            Deployment::read(&file, &mut problems);
        }
        let section = file.section::<Section>("x", &mut problems);
        problems.finish().map_err(render)?;
        section.ok_or_else(|| "no section and no problem".to_owned())
    }

    #[test]
    fn section_is_read_with_its_variables() {
        let section =
            checked("[x]\nname = \"a-${env:REGION}-${env:NOPE:-b}\"\nencryption = \"AES256\"\nwait_s = 3").unwrap();
        assert_eq!(section.name, "a-eu-west-1-b");
    }

    #[test]
    fn problems_are_reported_all_at_once() {
        let text = checked(
            "[x]\nnam = \"a\"\nwait_s = 21\ntags = { a = 1 }\nencryption = \"AES128\"\nsenders = \"bukcet\"\norigins = [\"a\", 2]\n[y]\n",
        );
        insta::assert_snapshot!(text.unwrap_err());
    }

    #[test]
    fn problems_of_kinds() {
        for source in
            ["[x\nname=1", "[y]", "[x]\nname = \"${env:NOPE}\"", "[x]\nname=\"a\"\nencryption = { kms = \"a\" }"]
        {
            insta::assert_snapshot!(checked(source).unwrap_err());
        }
    }

    #[test]
    fn problems_of_types_say_what_to_write() {
        let text =
            checked("[x]\nname = 123456789012\nwait_s = \"30\"\norigins = \"a\"\ntags = { a = 1979-05-27, b = nan }\n");
        insta::assert_snapshot!(text.unwrap_err());
    }

    #[test]
    fn problems_beyond_the_type_are_out_of_range() {
        let text = checked("[x]\nname = \"a\"\nkept_s = 5_000_000_000\n").unwrap_err();
        assert!(text.contains("out of range") && text.contains("from 0 to 4294967295"), "{text}");
    }

    #[test]
    fn problems_are_reported_beside_variables_that_are_not_set() {
        let text =
            checked("[x]\nname = \"${env:NOPE}-${env:NEITHER}\"\nsenders = \"${env:NOPE}\"\nnam = 1\n").unwrap_err();
        for expected in ["variable `NOPE`", "variable `NEITHER`", "unknown key `nam`", "4 problems"] {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
    }

    #[test]
    fn variables_follow_the_shell() {
        let name = |value: &str| checked(&format!("[x]\nname = '{value}'")).map(|section| section.name);
        assert_eq!(name("a${env:EMPTY}b").unwrap(), "ab");
        assert_eq!(name("${env:EMPTY:-b}").unwrap(), "b");
        assert_eq!(name("$${env:REGION} ${aws:user} $ $$ é").unwrap(), "${env:REGION} ${aws:user} $ $$ é");
        for malformed in ["${env:REGION", "${env:}", "${env:A-B}", "${env:1}"] {
            assert!(name(malformed).unwrap_err().contains("malformed variable"), "{malformed}");
        }
    }

    #[test]
    fn problems_never_hold_the_value_of_a_variable() {
        let text = checked(
            "[deployment]\nname = \"ab\"\nhost = \"${env:SECRET}\"\n[x]\nname = \"a\"\nencryption = \"${env:SECRET}\"\n",
        );
        let text = text.unwrap_err();
        assert!(!text.to_lowercase().contains("hunter2") && text.contains("filled in from `SECRET`"), "{text}");
    }

    #[test]
    fn problems_hold_nothing_that_a_terminal_obeys() {
        for source in ["[x]\nname = \"\u{1b}[31m\u{9b}\u{202e}\"\n", "[x]\nname = \"a\"\n\"\\u001b[31m\" = 1\n"] {
            let text = checked(source).unwrap_err();
            assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{}", text.escape_debug());
        }
    }

    #[test]
    fn problems_have_one_place_in_both_views() {
        let file = PlanFile::parse("x.toml", "[x.tags]\na.\"é.é\" = \"é\"\n".to_owned(), &env).unwrap();
        let mut problems = file.problems();
        problems.report("x.tags.a.é.é", "bad", "here", None);
        let error = problems.finish().unwrap_err();
        assert_eq!(error.problems()[0].position, Position { line: 2, column: 11 });
        assert!(error.render(false).contains("x.toml:2:11"), "{}", error.render(false));
    }

    #[test]
    fn digest_is_of_what_the_file_says() {
        let digest = |source: &str| PlanFile::parse("x", source.to_owned(), &env).unwrap().digest_without("s");
        assert_eq!(digest("a = 1\n# c\nb = { c = 2 }"), digest("b.c = 2\na = 1"));
        assert_eq!(digest("a = 1\ns.c = '${env:SECRET}'"), digest("a = 1"));
        assert_ne!(digest("a = 1"), digest("a = 2"));
    }

    #[test]
    fn line_of_an_absent_key_is_its_tables() {
        let file = PlanFile::parse("x", "[a]\nb = 1\n[a.c]\nd = 1\n".to_owned(), &env).unwrap();
        assert_eq!((file.line_of("a.b"), file.line_of("a.c.x"), file.line_of("a.x")), (2, 3, 1));
    }

    #[test]
    fn nearest_kind_of_table_is_meant() {
        #[derive(Deserialize, JsonSchema)]
        #[expect(dead_code, reason = "only its shape matters")]
        struct Outer {
            kind: Kind,
        }
        #[derive(Deserialize, JsonSchema)]
        #[serde(untagged, deny_unknown_fields)]
        #[expect(dead_code, reason = "only its shape matters")]
        enum Kind {
            One { one: String },
            Two { two: String },
        }
        let file = PlanFile::parse("x", "[x]\nkind = { two = 'a' }".to_owned(), &env).unwrap();
        let mut problems = file.problems();
        assert!(file.section::<Outer>("x", &mut problems).is_some() && problems.is_empty());
    }

    #[test]
    fn section_with_a_misfit_under_a_key_with_dots_is_still_read() {
        let file = PlanFile::parse("x", "[x]\nname = 'a'\ntags = { 'a.b' = 1 }".to_owned(), &env).unwrap();
        let mut problems = file.problems();
        assert!(file.section::<Section>("x", &mut problems).is_some() && problems.len() == 1);
    }

    #[test]
    fn syntax_is_one_problem_and_the_first() {
        let json = (0..300).map(|line| format!("  \"key {line}\": [1,\n")).collect::<String>();
        for source in [json.as_str(), "[x]\nname = \"a\"\nname = \"b\"\nname = \"c\"\n", "a = \nb = \n"] {
            let error = PlanFile::parse("x", source.to_owned(), &env).unwrap_err();
            let (text, problems) = (error.render(false), error.problems());
            assert!(problems.len() == 1 && problems[0].position.line <= 3, "{text}");
            assert!(text.contains("TOML syntax error") && text.contains("error: 1 problem in x;"), "{text}");
        }
        assert!(checked("[x]\nname = 'a'\nname = 'b'\n").unwrap_err().contains("╰── duplicate key"));
    }

    #[test]
    fn file_that_is_no_plan_file_says_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("provision.toml");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            PlanFile::read(&path, &env).map(|file| file.has("x.name")).map_err(|error| error.render(false))
        };
        let text = "[x]\nname = 'é'\n";
        assert_eq!(read(text.as_bytes()), Ok(true));
        assert_eq!(read(format!("\u{feff}{text}").as_bytes()), Ok(true));
        let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
        for marked in [text.to_owned(), format!("\u{feff}{text}")] {
            for (bytes, name) in [(little(&marked), "UTF-16LE"), (big(&marked), "UTF-16BE")] {
                let error = read(&bytes).unwrap_err();
                assert!(error.contains("is UTF-16, not UTF-8") && error.contains(&format!("-f {name} ")), "{error}");
            }
        }
        for json in ["{\"format\": 1}", " \n{}", "\u{feff}{"] {
            assert!(read(json.as_bytes()).unwrap_err().contains("is JSON, not TOML"), "{json}");
        }
        assert!(read(b"\xff\x01a").unwrap_err().contains("it is not UTF-8"));
        assert_eq!(read(b""), Ok(false));
    }

    #[test]
    fn columns_are_counted_behind_a_byte_order_mark() {
        let error = PlanFile::parse("x", "\u{feff}a = b".to_owned(), &env).unwrap_err();
        assert_eq!(error.problems()[0].position, Position { line: 1, column: 5 });
    }

    #[test]
    fn problems_behind_the_last_byte_have_their_label() {
        insta::assert_snapshot!(checked("[x]\nname = \"abc").unwrap_err(), @r#"
          × TOML syntax error
           ╭─[plans/x.toml:2:12]
         1 │ [x]
         2 │ name = "abc
           ·            ▲
           ·            ╰── invalid basic string, expected `"`
           ╰────

        error: 1 problem in plans/x.toml; no request was sent
        "#);
        insta::assert_snapshot!(checked("").unwrap_err(), @"
          × no [x] section
           ╭─[plans/x.toml:1:1]
         1 │ 
           · ▲
           · ╰── this plan file has no [x] section
           ╰────
          help: `provision init x` prints a plan file to begin with; copy its [x] sections into this file

        error: 1 problem in plans/x.toml; no request was sent
        ");
    }

    proptest! {
        #[test]
        fn digest_is_free_of_order_and_comments(entries in prop::collection::btree_map("[a-z]{1,4}", 0..9_i32, 1..6)) {
            let lines: Vec<_> = entries.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
            let reversed: Vec<_> = lines.iter().rev().map(|line| format!("# note\n{line}")).collect();
            let digest = |source: String| PlanFile::parse("x", source, &env).map(|file| file.digest_without("")).unwrap();
            prop_assert_eq!(digest(lines.concat()), digest(reversed.concat()));
        }

        #[test]
        fn any_text_is_read_without_a_panic(source in ".{0,200}") {
            let _ = checked(&source);
        }

        #[test]
        fn every_problem_is_shown(source in "(\u{feff})?[\\[\\]{}\"'a-zé=., \r\n\t#]{0,80}") {
            if let Err(error) = PlanFile::parse("x", source, &env) {
                let text = error.render(false);
                prop_assert!(error.problems().iter().all(|problem| text.contains(&format!("x:{}:{}]", problem.position.line, problem.position.column))), "{}", text);
            }
        }

        #[test]
        fn any_section_is_checked_without_a_panic(value in "[\\[\\]{}\"a-z0-9=., \n]{0,60}") {
            let _ = checked(&format!("[x]\nname = {value}\n"));
        }
    }
}
