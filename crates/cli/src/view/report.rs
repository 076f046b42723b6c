//! A drift report for machines: what it has a row for.

pub(crate) mod markdown;
pub(crate) mod junit;
pub(crate) mod sarif;

use provision_core::change_set::{Action, Change, ChangeSet, Unreadable};
use provision_core::diff::{self, FieldDiff};
use provision_core::printable::on_one_line;

use crate::view::words::{label, short};

/// A field that differs, a whole resource that is gone, or why nothing can be said of it.
struct Row<'a> {
    address: &'a str,
    line: Option<usize>,
    rule: &'static str,
    what: String,
    why: String,
}

fn rows(change: &Change) -> Vec<Row<'_>> {
    let row = |line, rule, what: String, why: &str| {
        let (what, why) = (on_one_line(&what), why.to_owned());
        Row { address: change.address.as_str(), line, rule, what, why }
    };
    if let Some(refusal) = change.refusal.as_ref().filter(|_| !change.has_drifted()) {
        return vec![row(change.line, "refused", refusal.reason.clone(), "refused")];
    }
    if change.missing || change.action == Action::Create {
        let what = format!("{} `{}`", change.kind, change.name);
        return vec![match change.missing {
            true => row(change.line, "drift", what, "drift: it was applied and is gone"),
            false => row(change.line, "pending", what, "pending: not made yet"),
        }];
    }
    let restored = (change.action == Action::Restore).then(|| {
        let what = format!("{} `{}`", change.kind, change.name);
        row(change.line, "drift", what, "drift: somebody took provision's tags off it")
    });
    let facets = change.facets.iter().filter(|facet| facet.finding.differs());
    let rows = facets.flat_map(|facet| {
        let rule = if facet.finding.is_drift() { "drift" } else { "pending" };
        let why = label(facet.finding);
        let diffs = diff::fields(&facet.before, &facet.after);
        let unnamed = diffs.is_empty().then(|| format!("{} no longer carries provision's name", facet.facet));
        let differing = diffs.into_iter().map(|diff| describe(&facet.facet, &diff));
        let told: Vec<_> = differing.chain(unnamed).collect();
        told.into_iter().map(move |what| row(facet.line, rule, what, why.trim()))
    });
    let unmendable = change.refusal.iter().map(|refusal| {
        row(change.line, "drift", refusal.reason.clone(), &format!("apply cannot mend it: {}", refusal.hint))
    });
    unmendable.chain(restored).chain(rows).collect()
}

/// Everything there is to say of a set.
fn rows_of(set: &ChangeSet) -> Vec<Row<'_>> {
    let unread = set.unreadable.iter().map(|Unreadable(error)| Row {
        address: error.address().map_or("-", |address| address.as_str()),
        line: error.line(),
        rule: "unknown",
        what: on_one_line(&error.to_string()),
        why: "unknown: it could not be read".to_owned(),
    });
    set.changes.iter().flat_map(rows).chain(unread).collect()
}

fn describe(facet: &str, diff: &FieldDiff) -> String {
    let field = if diff.field.is_empty() { facet.to_owned() } else { format!("{facet}.{}", diff.field) };
    format!("{field}: {} -> {}", short(&diff.before), short(&diff.after))
}
