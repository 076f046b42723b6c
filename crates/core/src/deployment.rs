//! The `[deployment]` section, the same for every cloud.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::plan_file::{PlanFile, Problems};

/// What one plan file describes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// Marks every resource: a lower-case letter, then 1-39 lower-case letters, digits and `-`.
    pub name: String,
    /// Where the server is reached (HOST): scheme, name or address, optional port, no path. Also the CORS origin.
    pub host: String,
    /// Sent with every creation, and kept. Keys that begin with `provision-` are reserved.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The deployment's former name: its marks are taken over.
    pub was: Option<String>,
}

impl Deployment {
    /// Read the `[deployment]` section and check it; `None` if it is absent or cannot be read.
    pub fn read(file: &PlanFile, problems: &mut Problems) -> Option<Self> {
        let deployment: Self = file.section("deployment", problems)?;
        deployment.validate(problems);
        Some(deployment)
    }

    /// Check what the schema cannot say.
    fn validate(&self, problems: &mut Problems) {
        name("deployment.name", &self.name, problems);
        if let Some(was) = &self.was {
            name("deployment.was", was, problems);
            if *was == self.name {
                problems.report("deployment.was", "the same name twice", "this is the deployment's name already", None);
            }
        }
        host(&self.host, problems);
        tags(&self.tags, problems);
    }
}

fn name(path: &str, name: &str, problems: &mut Problems) {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if !(2..=40).contains(&name.len()) || !begins || !name.bytes().all(plain) {
        let label = "a lower-case letter, then 1-39 lower-case letters, digits and `-`";
        problems.report(path, "invalid deployment name", label, None);
    }
}

fn host(host: &str, problems: &mut Problems) {
    let wildcard = || host.contains('*').then(|| ("one host, no wildcard".to_owned(), None));
    if let Some((label, help)) = wildcard().or_else(|| origin_problem(host)) {
        problems.report("deployment.host", "invalid host", &label, help);
    }
}

/// What is wrong with an origin, and what to write instead: a browser sends scheme, name or address and port, and nothing
/// else (<https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Origin>). `*` alone stands for any origin, and one
/// in a name for any text.
#[must_use]
pub fn origin_problem(origin: &str) -> Option<(String, Option<String>)> {
    let problem = |label: &str, help: Option<String>| Some((label.to_owned(), help));
    if origin == "*" {
        return None;
    }
    // A label stands in for the wildcard, which no URL has.
    let plain = origin.replacen('*', "wildcard", 1);
    let url = match Url::parse(&plain) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        _ => return problem("scheme and name, as in `https://wandb.example.com`", None),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return problem("no user name or password belongs here", None);
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    if matches!(url.host(), Some(Host::Domain(domain)) if !domain.bytes().all(known)) {
        return problem("names have letters, digits, `-` and `.` only", None);
    }
    let serialized = url.origin().ascii_serialization();
    if plain == serialized {
        return None;
    }
    let help = (!origin.contains('*')).then(|| format!("write `{serialized}`"));
    problem("scheme, name or address and optional port, nothing else", help)
}

/// What a cloud takes in tags is its own affair, and how many it takes on a resource is checked when others' are known.
fn tags(tags: &BTreeMap<String, String>, problems: &mut Problems) {
    for key in tags.keys().filter(|key| key.to_ascii_lowercase().starts_with("provision-")) {
        let label = "keys that begin with `provision-` are reserved";
        problems.report(&format!("deployment.tags.{key}"), "reserved tag", label, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Message and help of every problem of a `[deployment]` section.
    fn problems(section: &str) -> Vec<(String, Option<String>)> {
        let file = PlanFile::parse("x", format!("[deployment]\n{section}\n"), &|_| None).unwrap();
        let mut problems = file.problems();
        Deployment::read(&file, &mut problems);
        let found = problems.finish().err().map(|error| error.problems()).unwrap_or_default();
        found.into_iter().map(|problem| (problem.message, problem.help)).collect()
    }

    #[test]
    fn host_is_an_origin() {
        let host = |host: &str| problems(&format!("name = \"ab\"\nhost = \"{host}\""));
        for valid in ["https://wandb.example.com", "http://10.0.0.1:8080", "https://[::1]:8443", "http://localhost"] {
            assert_eq!(host(valid), [], "{valid}");
        }
        let refused = |help: Option<&str>| vec![("invalid host".to_owned(), help.map(str::to_owned))];
        for (given, help) in [
            ("https://a.example/", Some("write `https://a.example`")),
            ("https://A.example", Some("write `https://a.example`")),
            ("https://a.example:443", Some("write `https://a.example`")),
            ("https://a.example/x?y#z", Some("write `https://a.example`")),
            ("https://user:secret@a.example", None),
            ("https://*.example.com", None),
            ("https://a_b.example", None),
            ("ftp://a.example", None),
            ("a.example", None),
            ("", None),
        ] {
            assert_eq!(host(given), refused(help), "{given}");
        }
    }

    #[test]
    fn names_and_tags_keep_to_their_rules() {
        let refused = |section: &str, message: &str| {
            let found = problems(&format!("host = \"https://a.example\"\n{section}"));
            assert!(found.len() == 1 && found[0].0 == message, "{section}: {found:?}");
        };
        for name in ["a", "1a", "-a", "aB", "a_b", "é", &"a".repeat(41)] {
            refused(&format!("name = \"{name}\""), "invalid deployment name");
        }
        refused("name = \"ab\"\nwas = \"ab\"", "the same name twice");
        refused("name = \"ab\"\ntags = { Provision-x = \"a\" }", "reserved tag");
        assert_eq!(problems(&format!("host = \"https://a.example\"\nname = \"{}\"", "a".repeat(40))), []);
    }
}
