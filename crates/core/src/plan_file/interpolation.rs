//! `${env:NAME}` and `${env:NAME:-default}` inside strings. Anything else stays as it is written.

use serde_json::Value;

use super::document::{Content, Node};
use super::join;
use super::problem::Found;

/// Replace variables in every string value; variables that are not set are reported by name, values never.
pub(crate) fn interpolate(root: &mut Node, env: &dyn Fn(&str) -> Option<String>) -> Vec<Found> {
    let mut found = Vec::new();
    visit(root, "", env, &mut found);
    found
}

fn visit(node: &mut Node, path: &str, env: &dyn Fn(&str) -> Option<String>, found: &mut Vec<Found>) {
    match &mut node.content {
        Content::Table(entries) => {
            entries.iter_mut().for_each(|(key, (_, node))| visit(node, &join(path, key), env, found));
        }
        Content::List(items) => items.iter_mut().for_each(|node| visit(node, path, env, found)),
        Content::Scalar(Value::String(text)) => match replace(text, env) {
            Ok(replaced) => *text = replaced,
            Err(name) => found.push(Found {
                path: path.to_owned(),
                span: node.span.clone(),
                message: format!("variable `{name}` is not set"),
                label: "this string needs it".to_owned(),
                help: Some(format!("set {name}, or give a default: `${{env:{name}:-value}}`")),
            }),
        },
        Content::Scalar(_) => {}
    }
}

/// The text with variables replaced, or the name of the first that is not set.
fn replace(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${env:") {
        let Some((expression, after)) = after.split_once('}') else { break };
        let (name, default) =
            expression.split_once(":-").map_or((expression, None), |(name, default)| (name, Some(default)));
        let value = env(name).or_else(|| default.map(str::to_owned)).ok_or_else(|| name.to_owned())?;
        replaced.push_str(before);
        replaced.push_str(&value);
        rest = after;
    }
    Ok(replaced + rest)
}
