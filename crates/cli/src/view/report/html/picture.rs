//! A deployment's parts in the order in which a file goes through them, each with its state.

use maud::{Markup, html};
use provision_core::change_set::{Action, Change, ChangeSet};
use provision_core::printable::on_one_line;

use super::super::{Row, Rule};

/// Where a kind of thing stands on the way from the browser to the server; what is not named here stands beside it.
const STORES: [&str; 4] = ["resource group", "storage account", "container", "bucket"];
const EVENTS: [&str; 2] = ["notification", "event subscription"];
const QUEUES: [&str; 3] = ["topic", "subscription", "queue"];

/// How a part is.
#[derive(Clone, Copy)]
struct State {
    /// Its class.
    class: &'static str,
    /// In words: a colour alone says nothing to many.
    text: &'static str,
}

const FINE: State = State { class: "fine", text: "as applied" };

/// The parts and what goes between them.
pub(super) fn of(set: &ChangeSet, rows: &[Row<'_>]) -> Markup {
    let all = |kinds: &[&str]| -> Vec<&Change> {
        set.changes.iter().filter(|change| kinds.contains(&change.kind.as_str())).collect()
    };
    let known = [&STORES[..], &EVENTS, &QUEUES, &["CORS rule"]].concat();
    let others: Vec<_> = set.changes.iter().filter(|change| !known.contains(&change.kind.as_str())).collect();
    let cors = cors(set, rows);
    html! {
        figure {
            figcaption { "From the browser to the server" }
            ol.flow {
                li.end { "browser" }
                (arrow("CORS", cors))
                (stage(set, rows, &all(&STORES)))
                (arrow("new files", FINE))
                (stage(set, rows, &all(&EVENTS)))
                (arrow("events", FINE))
                (stage(set, rows, &all(&QUEUES)))
                (arrow("read by", FINE))
                li.end { "server" }
            }
            @if !others.is_empty() {
                ul.beside { @for change in others { (part(set, rows, change)) } }
            }
        }
    }
}

fn stage(set: &ChangeSet, rows: &[Row<'_>], changes: &[&Change]) -> Markup {
    html! {
        li.stage {
            @if changes.is_empty() { span.none { "none" } }
            ul { @for change in changes { (part(set, rows, change)) } }
        }
    }
}

fn part(set: &ChangeSet, rows: &[Row<'_>], change: &Change) -> Markup {
    let state = state(set, rows, change);
    html! {
        li class={ "part " (state.class) } {
            span.kind { (change.kind) }
            span.name { (on_one_line(&change.name)) }
            span.state { (state.text) }
        }
    }
}

fn arrow(label: &str, state: State) -> Markup {
    html! {
        li class={ "arrow " (state.class) } {
            span { (label) }
            @if state.class != FINE.class { " " span.state { (state.text) } }
        }
    }
}

/// The rule is a facet of the bucket, or a part of its own.
fn cors(set: &ChangeSet, rows: &[Row<'_>]) -> State {
    if let Some(change) = set.changes.iter().find(|change| change.kind == "CORS rule") {
        return state(set, rows, change);
    }
    let differs = set.changes.iter().flat_map(|change| &change.facets).find(|facet| facet.facet == "cors");
    match differs {
        Some(facet) if facet.finding.is_drift() => State { class: "wrong", text: "changed" },
        Some(facet) if facet.finding.differs() => State { class: "open", text: "not applied yet" },
        _ => FINE,
    }
}

fn state(set: &ChangeSet, rows: &[Row<'_>], change: &Change) -> State {
    let is_unread = |unread: &provision_core::Error| unread.address() == Some(&change.address);
    let has = |rule: Rule| rows.iter().any(|row| row.rule == rule && row.address == change.address.as_str());
    match change {
        _ if set.unreadable.iter().any(|unread| is_unread(&unread.0)) => State { class: "wrong", text: "not known" },
        Change { missing: true, .. } => State { class: "wrong", text: "gone" },
        _ if has(Rule::Changed) => State { class: "wrong", text: "changed" },
        Change { refusal: Some(_), .. } => State { class: "wrong", text: "refused" },
        Change { action: Action::Create, .. } => State { class: "open", text: "not applied yet" },
        _ if has(Rule::NotApplied) => State { class: "open", text: "not applied yet" },
        _ => FINE,
    }
}
