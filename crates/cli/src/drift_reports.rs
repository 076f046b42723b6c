//! Reports of `drift --json` that were saved.

use std::path::Path;

use provision_core::change_set::ChangeSet;
use provision_core::file::{self, BYTE_ORDER_MARK};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::exit::Failure;
use crate::view::compared::{Finding, Look, Place};
use crate::view::json::documents::FORMAT;
use crate::view::report::compared::look;

/// The most bytes of a report: a thousand deployments.
const LARGEST: u64 = 256 << 20;

/// What a report is, as far as its form is known.
#[derive(Deserialize)]
struct Report {
    tool: String,
    deployments: Vec<Deployment>,
}

#[derive(Deserialize)]
struct Deployment {
    verdict: String,
    change_set: Option<Map<String, Value>>,
    error: Option<Reason>,
}

/// An error as reports have it.
#[derive(Deserialize)]
struct Reason {
    kind: String,
    text: String,
    address: Option<String>,
    plan_file: Option<String>,
}

/// Read one.
pub(crate) fn read(path: &Path) -> Result<Vec<Look>, Failure> {
    let wrong =
        |reason: String| Failure::Usage(format!("`{}` is no report of `drift --json`: {reason}", path.display()));
    let bytes = file::read(path, LARGEST)
        .map_err(|error| Failure::Usage(format!("`{}` cannot be read: {error}", path.display())))?;
    let text = String::from_utf8_lossy(&bytes);
    let value: Value =
        serde_json::from_str(text.trim_start_matches(BYTE_ORDER_MARK)).map_err(|error| wrong(error.to_string()))?;
    match value["format"].as_u64() {
        Some(format) if format == u64::from(FORMAT) => {}
        Some(format) => {
            let tool = value["tool"].as_str().unwrap_or("of another version");
            return Err(wrong(format!(
                "it has format {format}, and this provision reads {FORMAT}; provision {tool} wrote it: use that one"
            )));
        }
        None => return Err(wrong("it has no `format`".to_owned())),
    }
    if value.get("deployments").is_none() {
        return Err(wrong("it has no `deployments`, as `drift --json` prints them".to_owned()));
    }
    let report: Report = serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?;
    let Report { tool, deployments } = report;
    let by_tool = |reason: String| wrong(format!("{reason}; provision {tool} wrote it"));
    deployments.into_iter().map(|deployment| found(deployment).map_err(by_tool)).collect()
}

/// A deployment of one.
fn found(deployment: Deployment) -> Result<Look, String> {
    let Deployment { verdict, change_set, error } = deployment;
    match (change_set, error) {
        (Some(mut set), None) => {
            let errors = set.remove("errors").unwrap_or_default();
            let errors: Vec<Reason> = serde_json::from_value(errors).map_err(|error| error.to_string())?;
            let set: ChangeSet = serde_json::from_value(set.into()).map_err(|error| error.to_string())?;
            // Refusals are told with their changes.
            let unread = errors.into_iter().filter(|error| error.kind != "refused").map(unread).collect();
            Ok(look(&set, &verdict, unread))
        }
        (None, Some(error)) => {
            let plan_file = error.plan_file.clone().unwrap_or_else(|| "-".to_owned());
            let place = Place { cloud: None, deployment: None, plan_file };
            Ok(Look { place, verdict, findings: vec![unread(error)] })
        }
        _ => Err("a deployment has either `change_set` or `error`".to_owned()),
    }
}

fn unread(error: Reason) -> Finding {
    let address = error.address.unwrap_or_else(|| "-".to_owned());
    Finding { address, rule: "unknown".to_owned(), subject: format!("unknown: {}", error.kind), text: error.text }
}
