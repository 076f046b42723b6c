//! The user's plan file: TOML with source positions, checked as a whole.
//!
//! Text becomes a tree with spans (`document`), `${env:NAME}` is replaced (`interpolation`), each section is checked
//! against the schema of its type (`shape`) and read into it. Every problem of a file is collected and shown at once
//! (`problem`); nothing is sent before a file is free of them.

mod document;
mod interpolation;
mod problem;
mod schema;
mod shape;

use std::path::Path;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::deployment::Deployment;
use crate::digest::canonical;
use document::Document;
pub use problem::{InvalidPlanFile, PlanFileError, Position, Problem, Problems};
pub use schema::schema;

/// A plan file that is TOML; its sections are read with [`PlanFile::section`].
#[derive(Clone, Debug)]
pub struct PlanFile {
    document: Arc<Document>,
}

impl PlanFile {
    /// Read and parse a file. `env` gives the variables that `${env:NAME}` may name.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is not TOML, or names a variable that is not set.
    pub fn read(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, PlanFileError> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(source) => Self::parse(&name, source, env),
            Err(error) => Err(PlanFileError::Unreadable { path: name, reason: error.to_string() }),
        }
    }

    /// Parse a text; `name` stands for it in messages.
    ///
    /// # Errors
    ///
    /// It is not TOML, or names a variable that is not set.
    pub fn parse(name: &str, source: String, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, PlanFileError> {
        let (mut root, mut found) = document::parse(&source);
        if found.is_empty() {
            found = interpolation::interpolate(&mut root, env);
        }
        let document = Arc::new(Document { name: name.to_owned(), source, root });
        let problems = Problems::new(Arc::clone(&document), found);
        problems.finish().map(|()| Self { document })
    }

    /// An empty list of problems of this file.
    #[must_use]
    pub fn problems(&self) -> Problems {
        Problems::new(Arc::clone(&self.document), Vec::new())
    }

    /// Read a section into its type; `None` if it is absent or has problems, which are reported.
    pub fn section<T: DeserializeOwned + JsonSchema>(&self, key: &str, problems: &mut Problems) -> Option<T> {
        let Some(node) = self.document.root.get(key) else {
            let help = format!("`provision init` prints a plan file to begin with; it goes under [{key}]");
            problems.report(key, &format!("no [{key}] section"), "this plan file does not describe one", Some(help));
            return None;
        };
        let before = problems.len();
        shape::check(node, key, &schemars::schema_for!(T), problems);
        if problems.len() > before {
            // Without what does not fit, the rest may still be read, so that its other problems show in the same run.
            return serde_json::from_value(problems.without_misfits(node.to_json(), key, before)).ok();
        }
        match serde_json::from_value(node.to_json()) {
            Ok(section) => Some(section),
            Err(error) => {
                problems.report(key, "this section cannot be read", &error.to_string(), None);
                None
            }
        }
    }

    /// The `[deployment]` section, checked.
    pub fn deployment(&self, problems: &mut Problems) -> Option<Deployment> {
        let deployment: Deployment = self.section("deployment", problems)?;
        deployment.validate(problems);
        Some(deployment)
    }

    /// Report tables and keys at the top that are none of these.
    pub fn top_level(&self, known: &[&str], problems: &mut Problems) {
        shape::known_keys(&self.document.root, "", known, problems);
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

    /// SHA-256 of what the file says, in hex: comments, order and layout do not change it.
    #[must_use]
    pub fn digest(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(canonical(&self.document.root.to_json()).to_string().as_bytes()))
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

/// A dotted path with one more key.
fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        (name == "REGION").then(|| "eu-west-1".to_owned())
    }

    fn checked(source: &str) -> Result<Section, String> {
        let render = |error: PlanFileError| error.render(false);
        let file = PlanFile::parse("plans/x.toml", source.to_owned(), &env).map_err(render)?;
        let mut problems = file.problems();
        file.top_level(&["deployment", "x"], &mut problems);
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
    fn digest_is_of_what_the_file_says() {
        let digest = |source: &str| PlanFile::parse("x", source.to_owned(), &env).unwrap().digest();
        assert_eq!(digest("a = 1\n# c\nb = { c = 2 }"), digest("b.c = 2\na = 1"));
        assert_ne!(digest("a = 1"), digest("a = 2"));
    }

    #[test]
    fn line_of_an_absent_key_is_its_tables() {
        let file = PlanFile::parse("x", "[a]\nb = 1\n[a.c]\nd = 1\n".to_owned(), &env).unwrap();
        assert_eq!((file.line_of("a.b"), file.line_of("a.c.x"), file.line_of("a.x")), (2, 3, 1));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(source in ".{0,200}") {
            let _ = checked(&source);
        }

        #[test]
        fn any_section_is_checked_without_a_panic(value in "[\\[\\]{}\"a-z0-9=., \n]{0,60}") {
            let _ = checked(&format!("[x]\nname = {value}\n"));
        }
    }
}
