//! A drift report as results of a code scan
//! (<https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>).

use std::path::Path;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use provision_core::Error;
use provision_core::change_set::ChangeSet;
use provision_core::digest::short;
use provision_core::printable::{in_json, on_one_line};
use serde_json::{Value, json};

use super::{Row, Rule, rows};

/// What a path may not hold in a URI (<https://www.rfc-editor.org/rfc/rfc3986#section-3.3>).
const NOT_IN_A_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Characters of a fingerprint: 80 bits.
const FINGERPRINT_LENGTH: usize = 16;

/// A result for each difference, at its line of the plan file.
pub(crate) fn text(sets: &[ChangeSet], errors: &[Error]) -> String {
    let of_set = |set: &ChangeSet| -> Vec<Value> {
        rows(set).iter().map(|row| result(&set.deployment, &set.plan_file.name, row, &row.sentence(set))).collect()
    };
    let unreadable = errors.iter().map(|error| {
        let (what, why) = (on_one_line(&error.to_string()), "could not be looked at".to_owned());
        let hint = error.hint().map(str::to_owned);
        let row =
            Row { address: "-", line: error.line(), rule: Rule::Unknown, what, why, hint, whole: false, subject: None };
        let file = error.plan_file().unwrap_or("-");
        let hint = row.hint.iter().map(|hint| format!("; {}", on_one_line(hint)));
        result(file, file, &row, &(row.text() + &hint.collect::<String>()))
    });
    let results: Vec<_> = sets.iter().flat_map(of_set).chain(unreadable).collect();
    let rules = Rule::ALL.map(|rule| {
        json!({
            "id": rule.id(),
            "shortDescription": {"text": rule.means()},
            "defaultConfiguration": {"level": level(rule)},
        })
    });
    let log = json!({
        "version": "2.1.0",
        "$schema": serde_sarif::sarif::SCHEMA_URL,
        "runs": [{
            "tool": {"driver": {"name": "provision", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "results": results,
        }],
    });
    // Through the library's types, so that what is printed is of the standard's form.
    let log: Result<serde_sarif::sarif::Sarif, _> = serde_json::from_value(log);
    log.map_or_else(|error| format!("{error}\n"), |log| in_json(&format!("{:#}\n", json!(log))))
}

const fn level(rule: Rule) -> &'static str {
    match rule {
        Rule::Changed | Rule::Missing | Rule::Refused | Rule::Unknown => "error",
        Rule::LeftOver | Rule::Warning => "warning",
        Rule::NotApplied => "note",
    }
}

fn result(deployment: &str, plan_file: &str, row: &Row<'_>, message: &str) -> Value {
    let field = row.what.split(' ').next().unwrap_or_default();
    json!({
        "ruleId": row.rule.id(),
        "level": level(row.rule),
        "message": {"text": message},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(plan_file)},
            "region": {"startLine": row.line.unwrap_or(1)},
        }}],
        // The same finding of the next night, whatever the value has become.
        "partialFingerprints": {"finding/v1": short(&[deployment, row.address, row.rule.id(), field].join(" "), FINGERPRINT_LENGTH)},
    })
}

/// A path as a reference relative to where the command runs; one that leads elsewhere as a URI of its own.
fn uri(path: &str) -> String {
    let here = std::env::current_dir().ok();
    let inside = here.and_then(|here| Path::new(path).strip_prefix(here).ok().map(|path| path.display().to_string()));
    let path = inside.as_deref().unwrap_or(path.strip_prefix("./").unwrap_or(path));
    let encoded = utf8_percent_encode(path, NOT_IN_A_PATH).to_string();
    if encoded.starts_with('/') { format!("file://{encoded}") } else { encoded }
}
