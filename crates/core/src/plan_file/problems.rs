//! Collects what is wrong with a plan file, and strikes the values of variables from it.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::diagnostic::{Diagnostic, Problem};
use super::document::{Document, Substitution};
use crate::file;
use crate::printable::{harmless, on_one_line};

/// Collects the problems of one file.
#[derive(Debug)]
pub struct Problems {
    document: Arc<Document>,
    diagnostics: Vec<Diagnostic>,
    /// How many were there from the start: what keeps a string from being known at all.
    first: usize,
    /// What is shown in no message.
    hidden: Vec<Range<usize>>,
}

impl Problems {
    pub(crate) fn new(document: Arc<Document>, diagnostics: Vec<Diagnostic>) -> Self {
        let first = diagnostics.len();
        Self { document, diagnostics, first, hidden: Vec::new() }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.diagnostics.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// Report a problem at a dotted path: what is wrong in a few words, what would be right, what to do.
    ///
    /// The caret shows the value as the file has it, so texts need not repeat it. Where a value came from a variable, the
    /// variable's value is struck from the texts and `help` gives way to a note on where it came from.
    pub fn report(&mut self, path: &str, message: &str, label: &str, help: Option<String>) {
        let span = self.document.root.nearest(path);
        self.report_at(path, span, message, label, help);
    }

    /// Show the value at a dotted path in no message: it is a secret that should not be there.
    pub fn hide(&mut self, path: &str) {
        self.hidden.push(self.document.root.nearest(path));
    }

    /// Report that the file has none of these sections.
    pub fn no_section(&mut self, keys: &[&str]) {
        let sections = either(keys.iter().map(|key| format!("[{key}]")));
        let label = format!("this plan file has no {sections} section");
        let cloud = if let [key] = keys
            && *key != "deployment"
        {
            key
        } else {
            "CLOUD"
        };
        let help = format!(
            "`provision init {cloud}` prints a plan file to begin with; copy its {sections} sections into this file"
        );
        self.report(keys.first().unwrap_or(&""), &format!("no {sections} section"), &label, Some(help));
    }

    pub(crate) fn report_at(
        &mut self,
        path: &str,
        span: Range<usize>,
        message: &str,
        label: &str,
        help: Option<String>,
    ) {
        let (path, message, label) = (path.to_owned(), message.to_owned(), label.to_owned());
        self.diagnostics.push(Diagnostic { path, span, message, label, help });
    }

    /// A section's value without the paths that problems from `first` on are about.
    pub(crate) fn without_misfits(&self, mut value: Value, section: &str, first: usize) -> Value {
        for diagnostic in &self.diagnostics[first..] {
            let Some(path) = diagnostic.path.strip_prefix(section).map(|path| path.trim_start_matches('.')) else {
                continue;
            };
            remove(&mut value, path);
        }
        value
    }

    /// The end of checking.
    ///
    /// # Errors
    ///
    /// All problems, if there are any.
    pub fn finish(mut self) -> Result<(), PlanFileError> {
        if self.diagnostics.is_empty() {
            return Ok(());
        }
        // About a string whose variables are not set nothing else can be said.
        let unknown: Vec<_> = self
            .document
            .substitutions
            .iter()
            .filter(|substitution| !substitution.whole)
            .map(|substitution| &substitution.span)
            .collect();
        let later = self.diagnostics.split_off(self.first);
        self.diagnostics.extend(later.into_iter().filter(|diagnostic| !unknown.contains(&&diagnostic.span)));
        self.diagnostics.iter_mut().for_each(|diagnostic| disclose_nothing(diagnostic, &self.document.substitutions));
        self.diagnostics.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.message.clone()));
        self.diagnostics.dedup();
        let found = self.diagnostics.len();
        self.diagnostics.truncate(MOST_SHOWN);
        Err(PlanFileError::Invalid(Box::new(InvalidPlanFile {
            document: self.document,
            diagnostics: self.diagnostics,
            hidden: self.hidden,
            found,
        })))
    }
}

/// Strike the values of variables from a problem's texts: they may be secrets. Values that are short words are struck
/// only where they are quoted alone, since they would be found inside other words.
fn disclose_nothing(diagnostic: &mut Diagnostic, substitutions: &[Substitution]) {
    for (name, value) in
        substitutions.iter().flat_map(|substitution| &substitution.variables).filter(|(_, value)| !value.is_empty())
    {
        let shown = format!("${{env:{name}}}");
        for text in [&mut diagnostic.message, &mut diagnostic.label].into_iter().chain(&mut diagnostic.help) {
            *text = if value.len() < SHORT {
                text.replace(&format!("`{value}`"), &format!("`{shown}`"))
            } else {
                text.replace(value.as_str(), &shown)
            };
        }
    }
    let here = substitutions.iter().find(|substitution| substitution.whole && substitution.span == diagnostic.span);
    if let Some(Substitution { variables, .. }) = here.filter(|here| !here.variables.is_empty()) {
        let names: Vec<_> = variables.iter().map(|(name, _)| format!("`{name}`")).collect();
        diagnostic.help = Some(format!("the text is filled in from {}", names.join(" and ")));
    }
}

/// Characters below which a variable's value is too common a word to be struck everywhere, and too short a secret.
const SHORT: usize = 6;

/// Whether a dotted path is that of a table or a key, or of something in it.
pub(crate) fn is_within(path: &str, table: &str) -> bool {
    path.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Remove a dotted path; the longest key first, as a quoted key may hold dots itself.
fn remove(value: &mut Value, path: &str) {
    let Value::Object(members) = value else { return };
    if members.remove(path).is_some() {
        return;
    }
    let mut dots = path.rmatch_indices('.').map(|(dot, _)| dot);
    if let Some(dot) = dots.find(|dot| members.contains_key(&path[..*dot]))
        && let Some(member) = members.get_mut(&path[..dot])
    {
        remove(member, &path[dot + 1..]);
    }
}

/// Why a plan file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It cannot be read at all.
    #[error("cannot read plan file `{}`: {reason}", on_one_line(path))]
    Unreadable {
        /// Its path, as typed.
        path: String,
        /// The system's reason.
        reason: String,
        /// The cloud that it was to describe, if it is known.
        cloud: Option<String>,
    },
    /// There is none, or it is something else.
    #[error("{message}")]
    NoPlanFile {
        /// Its path, as typed, if one was named.
        path: Option<String>,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
    },
    /// Another one that was named too is of the same deployment: they would write over each other.
    #[error("plan files `{}` and `{}` are both of deployment `{deployment}`", on_one_line(path), on_one_line(other))]
    Twice {
        /// Its path, as typed.
        path: String,
        /// That of the other one.
        other: String,
        /// Whose both are.
        deployment: String,
    },
    /// It has problems.
    #[error("{0}")]
    Invalid(Box<InvalidPlanFile>),
}

impl PlanFileError {
    /// None is named, and none is at any of the usual places; `provision init` with these arguments makes one.
    #[must_use]
    pub fn none_at(places: &[String], init: &str) -> Self {
        let places = either(places.iter().map(|place| format!("`{place}`")));
        Self::NoPlanFile {
            path: None,
            message: format!("there is no plan file: no {places} in this folder"),
            hint: format!("name one, or begin with `provision init {init} > provision.toml`"),
        }
    }

    /// What a file is that cannot be a plan file at all.
    pub(super) fn not_a_plan_file(name: &str, bytes: &[u8]) -> Option<Self> {
        if let Some(encoding) = utf_16(bytes) {
            return Some(Self::NoPlanFile {
                path: Some(name.to_owned()),
                message: format!("`{}` is UTF-16, not UTF-8", on_one_line(name)),
                hint: format!("save it as UTF-8, or `iconv -f {encoding} -t UTF-8 FILE > NEW_FILE`"),
            });
        }
        file::is_json(bytes).then(|| Self::NoPlanFile {
            path: Some(name.to_owned()),
            message: format!("`{}` is JSON, not TOML", on_one_line(name)),
            hint: "a change set that `plan --out` saved is for `apply` and `show`".to_owned(),
        })
    }

    /// Say which cloud the file was to describe.
    #[must_use]
    pub fn for_cloud(mut self, name: &str) -> Self {
        if let Self::Unreadable { cloud, .. } = &mut self {
            *cloud = Some(name.to_owned());
        }
        self
    }

    /// The plan file's path, as typed, if one was named.
    #[must_use]
    pub fn plan_file(&self) -> Option<&str> {
        match self {
            Self::Unreadable { path, .. } | Self::Twice { path, .. } => Some(path),
            Self::NoPlanFile { path, .. } => path.as_deref(),
            Self::Invalid(invalid) => Some(&invalid.document.name),
        }
    }

    /// The problems as data; none if the file could not be read.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Unreadable { .. } | Self::NoPlanFile { .. } | Self::Twice { .. } => Vec::new(),
            Self::Invalid(invalid) => invalid.problems(),
        }
    }

    /// What to do, where that is the same whichever cloud it is for.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::NoPlanFile { hint, .. } => Some(hint),
            Self::Twice { .. } => Some("name one of them, or give each a `name` of its own under [deployment]"),
            Self::Unreadable { .. } | Self::Invalid(_) => None,
        }
    }
}

/// The kind of UTF-16 that these bytes are, as editors on Windows write it, with a mark or without: a letter of ASCII has a zero
/// beside it, and UTF-8 begins with no zero.
fn utf_16(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, ..] | [1..=0xff, 0, ..] => Some("UTF-16LE"),
        [0xfe, 0xff, ..] | [0, 1..=0xff, ..] => Some("UTF-16BE"),
        _ => None,
    }
}

/// `a`, `a or b`, `a, b or c`.
fn either(names: impl Iterator<Item = String>) -> String {
    let names: Vec<_> = names.collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// The most problems that are shown of one file.
const MOST_SHOWN: usize = 20;

/// A plan file with problems, in the order of the file: the first ones.
#[derive(Debug, thiserror::Error)]
#[error("{} in {}", count(*found), on_one_line(&document.name))]
pub struct InvalidPlanFile {
    pub(super) document: Arc<Document>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// What of the file is shown in no message.
    pub(super) hidden: Vec<Range<usize>>,
    /// How many there are.
    found: usize,
}

fn count(problems: usize) -> String {
    match problems {
        1 => "1 problem".to_owned(),
        2..=MOST_SHOWN => format!("{problems} problems"),
        _ => format!("{problems} problems (the first {MOST_SHOWN} are shown)"),
    }
}

impl InvalidPlanFile {
    fn problems(&self) -> Vec<Problem> {
        let problem = |diagnostic: &Diagnostic| Problem {
            path: harmless(&diagnostic.path),
            position: self.document.position(diagnostic.span.start),
            message: harmless(&diagnostic.message),
            label: harmless(&diagnostic.label),
            help: diagnostic.help.as_deref().map(harmless),
        };
        self.diagnostics.iter().map(problem).collect()
    }
}
