//! A drift report as a page of its own: nothing is loaded, and no script is needed to read it.
//!
//! The page carries its findings as data, and the next one in its place says since when each is there.

mod picture;
mod since;

use std::collections::BTreeSet;

use maud::{DOCTYPE, Markup, PreEscaped, Render, html};
use provision_core::Error;
use provision_core::change_set::ChangeSet;
use provision_core::printable::on_one_line;

use super::{Row, counts, is_mendable, rows};
use crate::arguments::quoted;
use crate::view::words::{nouns, title, unknown, verdict};
use since::Since;

/// Colours, light and dark, for screens, phones and paper.
const STYLE: &str = include_str!("html/style.css");

/// The page; `former` is the one in whose place it comes, and `now` the time as programs read it.
pub(crate) fn text(sets: &[ChangeSet], errors: &[Error], flags: &str, former: &str, now: &str) -> String {
    let since = Since::new(sets, former, now);
    let files = errors.iter().filter_map(Error::plan_file).chain(plan_files(sets.iter()));
    let heading = format!("Drift of {}", counted(sets.len() + errors.len(), files));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (heading) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    header {
                        h1 { (heading) }
                        p.quiet { "Looked at " time datetime=(now) { (minute(now)) } " by provision " (env!("CARGO_PKG_VERSION")) "." }
                    }
                    @if sets.len() + errors.len() > 1 { (summary(sets, errors)) }
                    @for (index, error) in errors.iter().enumerate() { (unreachable(index, error)) }
                    @for (index, set) in to_look_at(sets) { (deployment(index, set, flags, &since)) }
                    (in_sync(sets, &since))
                }
                (since.data())
            }
        }
    };
    page.into_string() + "\n"
}

/// Deployments; sections where a plan file has several.
fn counted<'a>(count: usize, files: impl Iterator<Item = &'a str>) -> String {
    match (count, files.collect::<BTreeSet<_>>().len()) {
        (1, _) => "1 deployment".to_owned(),
        (_, files) if files == 0 || files == count => format!("{count} deployments"),
        (_, 1) => format!("{count} sections of 1 plan file"),
        (_, files) => format!("{count} sections of {files} plan files"),
    }
}

fn plan_files<'a>(sets: impl Iterator<Item = &'a ChangeSet>) -> impl Iterator<Item = &'a str> {
    sets.map(|set| set.plan_file.name.as_str())
}

/// Deployments that are not in sync with their places, the worst first.
fn to_look_at(sets: &[ChangeSet]) -> Vec<(usize, &ChangeSet)> {
    let mut ordered: Vec<_> = sets.iter().enumerate().filter(|(_, set)| !is_fine(set)).collect();
    ordered.sort_by_key(|(_, set)| kind(verdict(set)));
    ordered
}

fn is_fine(set: &ChangeSet) -> bool {
    kind(verdict(set)) == Kind::Fine
}

/// How many deployments are how, and those to look at each with a link to its part of the page.
fn summary(sets: &[ChangeSet], errors: &[Error]) -> Markup {
    let fine = sets.iter().filter(|set| is_fine(set)).count();
    html! {
        section aria-labelledby="summary" {
            h2 id="summary" { "Summary" }
            ul.verdicts {
                @for (verdict, count) in to_look_at_by_verdict(sets, errors) { li { (badge(verdict)) " " (count) } }
                @if fine > 0 { li { (badge("in sync")) " " a href="#in-sync" { (fine) } } }
            }
            @if fine < sets.len() + errors.len() { (table(sets, errors)) }
        }
    }
}

fn to_look_at_by_verdict<'a>(sets: &'a [ChangeSet], errors: &[Error]) -> Vec<(&'a str, usize)> {
    let mut verdicts: Vec<(&str, usize)> = Vec::new();
    for verdict in errors.iter().map(|_| "unknown").chain(to_look_at(sets).into_iter().map(|(_, set)| verdict(set))) {
        match verdicts.iter_mut().find(|(other, _)| *other == verdict) {
            Some((_, count)) => *count += 1,
            None => verdicts.push((verdict, 1)),
        }
    }
    verdicts
}

fn table(sets: &[ChangeSet], errors: &[Error]) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "deployment" } th scope="col" { "where" } th scope="col" { "how it is" } } }
            tbody {
                @for (index, error) in errors.iter().enumerate() {
                    tr {
                        td { a href={ "#unknown-" (index) } { (unknown(error)) } }
                        td { (on_one_line(error.plan_file().unwrap_or("-"))) }
                        td { (badge("unknown")) }
                    }
                }
                @for (index, set) in to_look_at(sets) {
                    tr {
                        td { a href={ "#deployment-" (index) } { (set.deployment) } }
                        td { (title(&set.cloud)) ", " (on_one_line(&set.plan_file.name)) }
                        td { (badge(verdict(set))) (counts(set, &rows(set))) }
                    }
                }
            }
        }
    }
}

/// A verdict, whose colour says no more than its words.
fn badge(verdict: &str) -> Markup {
    html! { span class={ "badge " (kind(verdict)) } { (verdict) } }
}

/// How bad a verdict is, the worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Wrong,
    Open,
    Fine,
}

impl Render for Kind {
    fn render(&self) -> Markup {
        let class = match self {
            Self::Wrong => "wrong",
            Self::Open => "open",
            Self::Fine => "fine",
        };
        html! { (class) }
    }
}

fn kind(verdict: &str) -> Kind {
    match verdict {
        "in sync" => Kind::Fine,
        "drift" | "unknown" | "refused" => Kind::Wrong,
        _ => Kind::Open,
    }
}

/// A deployment that is not in sync.
fn deployment(index: usize, set: &ChangeSet, flags: &str, since: &Since) -> Markup {
    let rows = rows(set);
    html! {
        section id={ "deployment-" (index) } {
            h2 { (set.deployment) " on " (title(&set.cloud)) " " (badge(verdict(set))) }
            (place(set))
            (picture::of(set, &rows))
            (findings(set, &rows, since))
            @if is_mendable(set, &rows) {
                p { "To put it right: " code { "provision " (set.cloud) " apply " (quoted(&set.plan_file.name)) (flags) } }
            }
        }
    }
}

/// Where it is, who looked, and what says how it should be.
fn place(set: &ChangeSet) -> Markup {
    let (who, (account, region)) = (&set.identity, nouns(&set.cloud));
    html! {
        p.quiet {
            (account) " " (who.account) ", " (region) " " (who.region) ", as " (who.principal) "; plan file "
            code { (on_one_line(&set.plan_file.name)) }
            @for endpoint in &who.endpoints { "; custom endpoint: " code { (on_one_line(endpoint)) } }
        }
    }
}

/// Deployments that are as they were applied: a line each, with its parts on demand; shown at once where it is the only one.
fn in_sync(sets: &[ChangeSet], since: &Since) -> Markup {
    let alone = sets.len() == 1;
    let fine: Vec<_> = sets.iter().filter(|set| is_fine(set)).collect();
    html! {
        @if !fine.is_empty() {
            section aria-labelledby="in-sync" {
                h2 id="in-sync" { (counted(fine.len(), plan_files(fine.iter().copied()))) " " (badge("in sync")) }
                @for set in fine {
                    details open[alone] {
                        summary { span.name { (set.deployment) " on " (title(&set.cloud)) } " " (on_one_line(&set.plan_file.name)) }
                        (place(set))
                        (picture::of(set, &rows(set)))
                        @if !rows(set).is_empty() { (findings(set, &rows(set), since)) }
                    }
                }
            }
        }
    }
}

fn findings(set: &ChangeSet, rows: &[Row<'_>], since: &Since) -> Markup {
    html! {
        div.wide {
            table {
                thead {
                    tr {
                        th scope="col" { "resource" }
                        th scope="col" { "finding" }
                        th scope="col" { "why" }
                        th scope="col" { "since" }
                    }
                }
                tbody {
                    @for row in rows {
                        tr {
                            td {
                                (name(set, row))
                                @if let Some(line) = row.line { span.quiet { ", line " (line) } }
                            }
                            td { (if row.whole { &row.why } else { &row.what }) @if let Some(hint) = &row.hint { br; span.quiet { (on_one_line(hint)) } } }
                            td { (if row.whole || row.why.is_empty() { row.rule.counted() } else { &row.why }) }
                            td { time datetime=(since.of(set, row)) { (minute(since.of(set, row))) } }
                        }
                    }
                }
            }
        }
    }
}

/// The name of what a row is about, where that is a resource of the plan file.
fn name(set: &ChangeSet, row: &Row<'_>) -> String {
    match set.changes.iter().find(|change| change.address.as_str() == row.address) {
        Some(change) => on_one_line(&format!("{} {}", change.kind, change.name)),
        None => row.address.to_owned(),
    }
}

/// The date and the minute of a time, which is in UTC.
fn minute(time: &str) -> String {
    time.get(..16).map_or_else(|| time.to_owned(), |minute| minute.replace('T', " ") + " UTC")
}

fn unreachable(index: usize, error: &Error) -> Markup {
    html! {
        section id={ "unknown-" (index) } {
            h2 { (unknown(error)) " " (badge("unknown")) }
            p { (on_one_line(&error.to_string())) }
            @if let Some(hint) = error.hint() { p.quiet { (on_one_line(hint)) } }
        }
    }
}
