//! A deployment's parts in the order in which a file goes through them, each with its state.

use maud::{Markup, html};
use provision_core::change_set::{Action, Change, ChangeSet};
use provision_core::printable::on_one_line;

use super::super::{Row, Rule};

/// Where a kind of thing stands on the way from the browser to the server; what is not named here stands beside it.
const STORES: [&str; 4] = ["resource group", "storage account", "container", "bucket"];
const EVENTS: [&str; 2] = ["notification", "event subscription"];
const QUEUES: [&str; 3] = ["topic", "subscription", "queue"];
/// The server's rights, as each cloud calls them.
const RIGHTS: [&str; 3] = ["policy on role", "role assignments", "service account access"];

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// Its class.
    class: &'static str,
    /// In words: a colour alone says nothing to many.
    text: &'static str,
}

const FINE: State = State { class: "fine", text: "as applied" };
const GONE: State = State { class: "wrong", text: "gone" };
/// The deployment has no such part.
const ABSENT: State = State { class: "absent", text: "" };

/// The parts and what goes between them, which is no better than either end that is gone; of a section without a store, its parts.
pub(super) fn of(set: &ChangeSet, rows: &[Row<'_>]) -> Markup {
    let all = |kinds: &[&str]| -> Vec<&Change> {
        set.changes.iter().filter(|change| kinds.contains(&change.kind.as_str())).collect()
    };
    let known = [&STORES[..], &EVENTS, &QUEUES, &["CORS rule"]].concat();
    let has_store = !all(&STORES).is_empty();
    let is_beside = |change: &&Change| !has_store || !known.contains(&change.kind.as_str());
    let others: Vec<_> = set.changes.iter().filter(is_beside).collect();
    let states = |kinds: &[&str]| all(kinds).into_iter().map(|change| state(set, rows, change)).collect::<Vec<_>>();
    let is_on_the_way = |change: &&Change| !change.address.as_str().ends_with(".run_queue");
    let gone = |kinds: &[&str]| {
        all(kinds).into_iter().filter(is_on_the_way).filter(|change| change.missing).map(|_| GONE).collect::<Vec<_>>()
    };
    let events = states(&EVENTS);
    html! {
        figure {
            @if has_store {
                figcaption { "From the browser to the server" }
                ol.flow {
                    li.end { "browser" }
                    (arrow("CORS", "", worst(gone(&STORES).into_iter().chain([cors(set, rows)]))))
                    (stage(set, rows, &all(&STORES)))
                    (arrow("new files", "", worst(gone(&STORES).into_iter().chain(events.clone()))))
                    (stage(set, rows, &all(&EVENTS)))
                    (arrow("events", "", worst(gone(&QUEUES).into_iter().chain(events.clone()))))
                    (stage(set, rows, &all(&QUEUES)))
                    (arrow("rights", "back", worst(states(&RIGHTS).into_iter())))
                    li.end { "server" }
                }
            }
            @if !others.is_empty() {
                ul.beside { @for change in others { (part(set, rows, change)) } }
            }
        }
    }
}

/// How what several parts do together is: as the worst of them.
fn worst(states: impl Iterator<Item = State>) -> State {
    states
        .max_by_key(|state| ["fine", "open", "wrong"].iter().position(|class| *class == state.class))
        .unwrap_or(ABSENT)
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

/// What goes on between two parts, or `back` from the later one to the earlier.
fn arrow(label: &str, way: &str, state: State) -> Markup {
    html! {
        li class={ "arrow " (state.class) @if !way.is_empty() { " " (way) } } {
            span { (label) }
            @if state != FINE && state != ABSENT { " " span.state { (state.text) } }
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
        Change { missing: true, .. } => GONE,
        _ if has(Rule::Changed) => State { class: "wrong", text: "changed" },
        Change { refusal: Some(_), .. } => State { class: "wrong", text: "refused" },
        Change { action: Action::Create, .. } => State { class: "open", text: "not applied yet" },
        _ if has(Rule::NotApplied) => State { class: "open", text: "not applied yet" },
        _ => FINE,
    }
}
