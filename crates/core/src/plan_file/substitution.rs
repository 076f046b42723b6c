//! `${env:NAME}` and `${env:NAME:-default}` inside strings. As in a shell, the default also stands in for a variable that
//! is empty. `$${` is a literal `${`; anything else, `${aws:username}` say, stays as it is written.

use serde_json::Value;

use super::diagnostic::Diagnostic;
use super::document::{Content, Node, Substitution, join};

/// Replace variables in every string value; variables that are not set are reported by name, values never.
pub(crate) fn substitute(
    root: &mut Node,
    env: &dyn Fn(&str) -> Option<String>,
) -> (Vec<Substitution>, Vec<Diagnostic>) {
    let mut visit = Visit { env, substitutions: Vec::new(), diagnostics: Vec::new() };
    visit.node(root, "");
    (visit.substitutions, visit.diagnostics)
}

struct Visit<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    substitutions: Vec<Substitution>,
    diagnostics: Vec<Diagnostic>,
}

impl Visit<'_> {
    fn node(&mut self, node: &mut Node, path: &str) {
        match &mut node.content {
            Content::Table(entries) => {
                entries.iter_mut().for_each(|(key, (_, node))| self.node(node, &join(path, key)));
            }
            Content::List(items) => items.iter_mut().for_each(|node| self.node(node, path)),
            Content::Scalar(Value::String(text)) => {
                let replaced = replace(text, self.env);
                let whole = replaced.faults.is_empty();
                if !whole || !replaced.variables.is_empty() {
                    let variables = replaced.variables;
                    self.substitutions.push(Substitution { span: node.span.clone(), variables, whole });
                }
                let span = &node.span;
                self.diagnostics.extend(replaced.faults.into_iter().map(|fault| fault.at(path, span.clone())));
                if whole {
                    *text = replaced.text;
                }
            }
            Content::Scalar(_) | Content::Foreign { .. } => {}
        }
    }
}

/// Why a reference has no value.
enum Fault {
    Unset(String),
    Malformed,
}

impl Fault {
    fn at(self, path: &str, span: std::ops::Range<usize>) -> Diagnostic {
        let (message, label, help) = match self {
            Self::Unset(name) => (
                format!("variable `{name}` is not set"),
                "used here",
                format!("set {name}, or give a default: `${{env:{name}:-value}}`"),
            ),
            Self::Malformed => (
                "malformed variable".to_owned(),
                "names take letters, digits and `_`, and end with `}`",
                "write `${env:NAME}` or `${env:NAME:-default}`; `$${` is a literal `${`".to_owned(),
            ),
        };
        Diagnostic { path: path.to_owned(), span, message, label: label.to_owned(), help: Some(help) }
    }
}

#[derive(Default)]
struct Replaced {
    text: String,
    variables: Vec<(String, String)>,
    faults: Vec<Fault>,
}

fn replace(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Replaced {
    const REFERENCE: &str = "${env:";
    let mut replaced = Replaced::default();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let (before, from) = rest.split_at(dollar);
        replaced.text.push_str(before);
        rest = if let Some(after) = from.strip_prefix("$${") {
            replaced.text.push_str("${");
            after
        } else if let Some(reference) = from.strip_prefix(REFERENCE) {
            replaced.reference(reference, env)
        } else {
            replaced.text.push('$');
            &from[1..]
        };
    }
    replaced.text.push_str(rest);
    replaced
}

impl Replaced {
    /// Replace the reference at the beginning of `text`, and give what comes after it.
    fn reference<'t>(&mut self, text: &'t str, env: &dyn Fn(&str) -> Option<String>) -> &'t str {
        let Some((expression, after)) = text.split_once('}') else {
            self.faults.push(Fault::Malformed);
            return text;
        };
        let (name, default) =
            expression.split_once(":-").map_or((expression, None), |(name, default)| (name, Some(default)));
        if !is_name(name) {
            self.faults.push(Fault::Malformed);
            return after;
        }
        match (env(name), default) {
            (Some(value), None) => self.variable(name, value),
            (Some(value), Some(_)) if !value.is_empty() => self.variable(name, value),
            (_, Some(default)) => self.text.push_str(default),
            (None, None) => self.faults.push(Fault::Unset(name.to_owned())),
        }
        after
    }

    fn variable(&mut self, name: &str, value: String) {
        self.text.push_str(&value);
        self.variables.push((name.to_owned(), value));
    }
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(plain) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}
