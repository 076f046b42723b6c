//! TOML as a tree in which every key and value knows where it stands.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Position};

/// A parsed file.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) name: String,
    pub(crate) source: String,
    pub(crate) root: Node,
    pub(crate) substitutions: Vec<Substitution>,
}

impl Document {
    /// Line and column of a byte, both from 1.
    pub(crate) fn position(&self, byte: usize) -> Position {
        let before = &self.source.as_bytes()[..byte.min(self.source.len())];
        let line = before.split(|byte| *byte == b'\n').count();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        Position { line, column }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) content: Content,
}

/// A table's entries: the key's place, the value.
pub(crate) type Entries = BTreeMap<String, (Range<usize>, Node)>;

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Table(Entries),
    List(Vec<Node>),
    Scalar(Value),
    /// What no setting takes: `kind` says what it is, `text` how it is written.
    Foreign {
        kind: &'static str,
        text: String,
    },
}

impl Node {
    pub(crate) fn entries(&self) -> Option<&Entries> {
        match &self.content {
            Content::Table(entries) => Some(entries),
            Content::List(_) | Content::Scalar(_) | Content::Foreign { .. } => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(Value::String(text)) => Some(text),
            Content::Table(_) | Content::List(_) | Content::Scalar(_) | Content::Foreign { .. } => None,
        }
    }

    fn get(&self, key: &str) -> Option<&Self> {
        self.entries()?.get(key).map(|(_, node)| node)
    }

    pub(crate) fn at(&self, path: &str) -> Option<&Self> {
        let (node, rest) = self.walk(path);
        rest.is_empty().then_some(node)
    }

    /// Where a path stands: its value, or the nearest table around it.
    pub(crate) fn nearest(&self, path: &str) -> Range<usize> {
        self.walk(path).0.span.clone()
    }

    /// The innermost node on a path, and what of the path is left there. A key may hold dots itself (tags do), so the
    /// longest key that fits is taken.
    fn walk<'p>(&self, path: &'p str) -> (&Self, &'p str) {
        let ends = path.match_indices('.').map(|(dot, _)| dot).chain([path.len()]);
        let mut keys: Vec<_> = ends.map(|end| path.split_at(end)).collect();
        keys.reverse();
        match keys.into_iter().find_map(|(key, rest)| Some((self.get(key)?, rest))) {
            Some((next, rest)) => next.walk(rest.strip_prefix('.').unwrap_or(rest)),
            None => (self, path),
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        match &self.content {
            Content::Table(entries) => {
                Value::Object(entries.iter().map(|(key, (_, node))| (key.clone(), node.to_json())).collect())
            }
            Content::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Content::Scalar(value) => value.clone(),
            Content::Foreign { text, .. } => Value::from(text.as_str()),
        }
    }
}

/// A string in which variables were replaced.
#[derive(Clone, Debug)]
pub(crate) struct Substitution {
    pub(crate) span: Range<usize>,
    /// Name and value of each. A value may be a secret: it is here to be kept out of messages.
    pub(crate) variables: Vec<(String, String)>,
    /// Whether every variable was there; if not, the string stays as it is written.
    pub(crate) whole: bool,
}

/// Parse; the first syntax error is reported, for what follows it may mean anything, and what could be read is there.
pub(crate) fn parse(source: &str) -> (Node, Vec<Diagnostic>) {
    let (table, errors) = DeTable::parse_recoverable(source);
    let span = 0..source.chars().next().map_or(0, char::len_utf8);
    let root = Node { span, content: Content::Table(entries(table.get_ref())) };
    let first = errors.iter().min_by_key(|error| error.span().map(|span| span.start));
    let diagnostics = first.into_iter().map(|error| Diagnostic {
        path: String::new(),
        span: error.span().unwrap_or_default(),
        message: "TOML syntax error".to_owned(),
        label: error.message().to_owned(),
        help: advice(error.message()),
    });
    (root, diagnostics.collect())
}

/// What to do about the syntax errors that plan files invite: a value without quotes, an account with a leading zero.
fn advice(message: &str) -> Option<String> {
    let quotes = message.starts_with("unexpected leading zero") || message.starts_with("string values must be quoted");
    quotes.then(|| "put the value in double quotes".to_owned())
}

fn entries(table: &DeTable<'_>) -> Entries {
    let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        (key.get_ref().to_string(), (key.span(), node(value)))
    };
    table.iter().map(entry).collect()
}

fn node(value: &Spanned<DeValue<'_>>) -> Node {
    let content = match value.get_ref() {
        DeValue::String(text) => Content::Scalar(Value::from(text.as_ref())),
        DeValue::Boolean(flag) => Content::Scalar(Value::from(*flag)),
        DeValue::Integer(integer) => {
            let text = integer.as_str().replace('_', "");
            match i64::from_str_radix(&text, integer.radix()) {
                Ok(number) => Content::Scalar(Value::from(number)),
                Err(_) => Content::Foreign { kind: "a number that is too large", text },
            }
        }
        DeValue::Float(float) => match float.as_str().replace('_', "").parse().ok().and_then(Number::from_f64) {
            Some(number) => Content::Scalar(Value::Number(number)),
            None => Content::Foreign { kind: "no finite number", text: float.as_str().to_owned() },
        },
        DeValue::Datetime(datetime) => Content::Foreign { kind: "a date or time", text: datetime.to_string() },
        DeValue::Array(items) => Content::List(items.iter().map(node).collect()),
        DeValue::Table(table) => Content::Table(entries(table)),
    };
    Node { span: value.span(), content }
}

/// A dotted path with one more key.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
