//! How a setting is given: as a text, by a variable in it, in a file, or where it stays.

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use super::mysql::Fault;
use crate::file;
use crate::output::{Output, Secret, SecretKey, Setting};
use crate::plan_file::{PlanFile, Problems};
use crate::trace;

/// A setting of the server.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Given {
    /// A text; a secret is `"${env:NAME}"`.
    Text(String),
    /// What is in a file, its last line's end apart.
    File(GivenFile),
    /// It stays in a Secret of Kubernetes.
    InKubernetes(SecretKey),
}

/// A file with one setting.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenFile {
    /// Its path, from the plan file's folder.
    pub file: String,
}

/// What of a setting must not stand in a plan file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// All of it.
    Secret,
    /// The password, where it is a URL with one.
    Password,
}

impl Kind {
    /// That of a variable.
    fn of(name: &str) -> Self {
        if trace::is_secret(name) { Self::Secret } else { Self::Password }
    }
}

/// The most bytes of a file with one setting: Linux takes no longer variable
/// (`MAX_ARG_STRLEN`, <https://man7.org/linux/man-pages/man2/execve.2.html>).
const LARGEST: u64 = 128 << 10;

/// A text as the server takes it and what deserves a warning, or what is wrong.
type Checked = Result<(String, Option<String>), Fault>;

/// Reads settings, and collects what is to be said of them.
pub(super) struct Reader<'a> {
    file: &'a PlanFile,
    /// The secrets that are used, where not all of them.
    used: Option<&'a [&'a str]>,
    problems: &'a mut Problems,
    pub(super) warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(file: &'a PlanFile, used: Option<&'a [&'a str]>, problems: &'a mut Problems) -> Self {
        Self { file, used, problems, warnings: Vec::new() }
    }

    /// A setting at a path, checked; `None` where there is a problem.
    pub(super) fn setting(
        &mut self,
        path: &str,
        name: &str,
        given: &Given,
        kind: Kind,
        check: impl FnOnce(&str) -> Checked,
    ) -> Option<Output> {
        let (text, from_elsewhere) = match given {
            Given::Text(_) if self.is_unused(name) && self.file.has_variables(path) => {
                return Some(Output::sealed(name));
            }
            Given::File(_) if self.is_unused(name) => return Some(Output::sealed(name)),
            Given::Text(text) => (text.clone(), self.file.has_variables(path)),
            Given::File(given) => (self.contents(path, given)?, true),
            Given::InKubernetes(place) => return self.in_kubernetes(path, name, place),
        };
        if matches!(given, Given::Text(_)) && is_literal_secret(self.file, path, &text, kind) {
            let label = format!("a secret comes from a variable, a file or Kubernetes: {WAYS}");
            self.problems.report(path, "a secret in the plan file", &label, None);
            return None;
        }
        let checked = if text.contains('\0') { Err(fault("no variable can hold a zero")) } else { check(&text) };
        match checked {
            Ok((text, warning)) => {
                self.warnings.extend(warning);
                let value = match from_elsewhere {
                    true => Setting::Revealed(Secret::new(text)),
                    false => Setting::Plain(text),
                };
                Some(Output { name: name.to_owned(), value })
            }
            Err(Fault { message, label }) => {
                self.problems.report(path, message, &label, None);
                None
            }
        }
    }

    /// Whether a secret is only named.
    fn is_unused(&self, name: &str) -> bool {
        self.used.is_some_and(|used| !used.contains(&name))
    }

    /// A variable as it is.
    pub(super) fn variable(&mut self, name: &str, given: &Given) -> Option<Output> {
        let path = format!("server.env.{name}");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let begins = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
        let own = OWN.iter().find(|(own, _)| *own == name);
        if let Some((_, place)) = own {
            let label = format!("`{place}` says it");
            self.problems.report(&path, "a setting in the wrong place", &label, None);
        } else if !begins || !name.bytes().all(plain) {
            let label = "names of variables take letters, digits and `_`, and begin with no digit";
            self.problems.report(&path, "invalid variable", label, None);
        } else {
            return self.setting(&path, name, given, Kind::of(name), |text| Ok((text.to_owned(), None)));
        }
        None
    }

    /// Where run events go: a URL, as for the other queues.
    pub(super) fn queue(&mut self, queue: &str) -> Option<Output> {
        let path = "server.notifications_queue";
        if queue.contains("://") && !queue.contains(|letter: char| letter.is_whitespace() || letter.is_control())
            || queue.starts_with("pubsub:/")
        {
            return Some(Output::new("NOTIFICATIONS_QUEUE", queue));
        }
        self.problems.report(path, "invalid queue", "a queue is written as a URL: `sqs://NAME`", None);
        None
    }

    fn in_kubernetes(&mut self, path: &str, name: &str, place: &SecretKey) -> Option<Output> {
        // <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>
        let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let ends = |name: &str| name.bytes().next().is_some_and(lower) && name.bytes().last().is_some_and(lower);
        let named = place.secret.len() <= 253
            && ends(&place.secret)
            && place.secret.bytes().all(|byte| lower(byte) || b"-.".contains(&byte));
        let keyed = (1..=253).contains(&place.key.len())
            && place.key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if named && keyed {
            return Some(Output { name: name.to_owned(), value: Setting::InKubernetes(place.clone()) });
        }
        let label = "Secrets have lower-case letters, digits, `-` and `.`; keys letters, digits, `-`, `_` and `.`";
        self.problems.report(path, "invalid name in Kubernetes", label, None);
        None
    }

    /// What is in a file, without the end of its last line.
    fn contents(&mut self, path: &str, given: &GivenFile) -> Option<String> {
        let folder = Path::new(self.file.name()).parent().unwrap_or(Path::new(""));
        let read = file::read(&folder.join(&given.file), LARGEST).map_err(|error| error.to_string());
        let text = read.and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()));
        match text {
            Ok(text) => {
                let text = text.strip_suffix('\n').unwrap_or(&text);
                Some(text.strip_suffix('\r').unwrap_or(text).to_owned())
            }
            Err(reason) => {
                let path = format!("{path}.file");
                self.problems.report(&path, "this file cannot be read", &reason, None);
                None
            }
        }
    }
}

/// How a secret is given.
const WAYS: &str = "`\"${env:NAME}\"`, `{ file = \"...\" }` or `{ secret = \"...\", key = \"...\" }`";

/// What has a place of its own in the plan file.
const OWN: [(&str, &str); 4] = [
    ("HOST", "host under [deployment]"),
    ("LICENSE", "license under [server]"),
    ("MYSQL", "mysql under [server]"),
    ("NOTIFICATIONS_QUEUE", "notifications_queue under [server]"),
];

fn fault(label: &str) -> Fault {
    Fault { message: "invalid value", label: label.to_owned() }
}

/// Whether a text has a secret that stands in the file itself.
fn is_literal_secret(file: &PlanFile, path: &str, text: &str, kind: Kind) -> bool {
    let secret = match kind {
        Kind::Secret => Some(text),
        Kind::Password => password(text),
    };
    secret.is_some_and(|secret| !file.comes_from_variables(path, secret))
}

/// The password of a URL.
fn password(text: &str) -> Option<&str> {
    let (user_info, _) = text.split_once("://")?.1.rsplit_once('@')?;
    user_info.split_once(':').map(|(_, password)| password).filter(|password| !password.is_empty())
}

/// Secrets that stand in the file are shown in no message, whatever that is about.
pub(super) fn hide_literals(file: &PlanFile, problems: &mut Problems) {
    let own = [("license", Kind::Secret), ("mysql", Kind::Password)];
    let own = own.map(|(key, kind)| (format!("server.{key}"), kind)).into_iter();
    let variables = file.keys("server.env").into_iter().map(|name| (format!("server.env.{name}"), Kind::of(&name)));
    for (path, kind) in own.chain(variables) {
        if file.text(&path).is_some_and(|text| is_literal_secret(file, &path, text, kind)) {
            problems.hide(&path);
        }
    }
}
