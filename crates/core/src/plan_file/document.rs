//! TOML as a tree in which every key and value knows where it stands.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Found, Position};

/// A parsed file.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) name: String,
    pub(crate) source: String,
    pub(crate) root: Node,
}

impl Document {
    /// Line and column of a byte, both from 1.
    pub(crate) fn position(&self, byte: usize) -> Position {
        let before = &self.source.as_bytes()[..byte.min(self.source.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
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
}

impl Node {
    pub(crate) fn entries(&self) -> Option<&Entries> {
        match &self.content {
            Content::Table(entries) => Some(entries),
            Content::List(_) | Content::Scalar(_) => None,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries()?.get(key).map(|(_, node)| node)
    }

    pub(crate) fn at(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// Where a path stands: its value, or the nearest table around it.
    pub(crate) fn nearest(&self, path: &str) -> Range<usize> {
        let mut node = self;
        for key in path.split('.') {
            match node.get(key) {
                Some(next) => node = next,
                None => break,
            }
        }
        node.span.clone()
    }

    pub(crate) fn to_json(&self) -> Value {
        match &self.content {
            Content::Table(entries) => {
                Value::Object(entries.iter().map(|(key, (_, node))| (key.clone(), node.to_json())).collect())
            }
            Content::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Content::Scalar(value) => value.clone(),
        }
    }
}

/// Parse; every syntax error is reported, and what could be read is there.
pub(crate) fn parse(source: &str) -> (Node, Vec<Found>) {
    let (table, errors) = DeTable::parse_recoverable(source);
    let span = 0..source.len().min(1);
    let root = Node { span, content: Content::Table(entries(table.get_ref())) };
    let found = errors.iter().map(|error| Found {
        path: String::new(),
        span: error.span().unwrap_or_default(),
        message: "this is not TOML".to_owned(),
        label: error.message().to_owned(),
        help: None,
    });
    (root, found.collect())
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
            let number = i64::from_str_radix(&text, integer.radix());
            Content::Scalar(number.map_or_else(|_| Value::from(text), Value::from))
        }
        DeValue::Float(float) => {
            let number = float.as_str().replace('_', "").parse().ok().and_then(Number::from_f64);
            Content::Scalar(number.map_or_else(|| Value::from(float.as_str()), Value::Number))
        }
        DeValue::Datetime(datetime) => Content::Scalar(Value::from(datetime.to_string())),
        DeValue::Array(items) => Content::List(items.iter().map(node).collect()),
        DeValue::Table(table) => Content::Table(entries(table)),
    };
    Node { span: value.span(), content }
}
