//! A proof as people see it: a line for each hop, and below what failed what was sent, what came, and what mends it.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use provision_core::hop::{Hop, Verdict, failures};
use provision_core::verify::Proof;

use super::change_set::{styled, warnings};
use super::head;
use super::layout::{Line, fitted};
use crate::view::Proofs;
use crate::view::words::unknown;

/// How far what is said below a hop is indented.
const BELOW: usize = 14;

/// All of it.
pub(crate) fn text(proof: &Proof, elapsed: Duration) -> String {
    let lines: Vec<_> = proof.hops.iter().flat_map(lines).collect();
    let warnings = warnings(&proof.set);
    format!(
        "{}\n{}{warnings}{} {:.1} s\n",
        head::of_proof(&proof.set),
        fitted(&lines),
        sentence(proof),
        elapsed.as_secs_f64()
    )
}

/// A row for each of many, with the hops that failed or are not proven, and what they come to.
pub(crate) fn all(Proofs { proven: proofs, errors, elapsed, .. }: &Proofs) -> String {
    let is_one_of_several =
        |proof: &Proof| proofs.iter().filter(|(other, _)| other.set.plan_file == proof.set.plan_file).count() > 1;
    let rows = proofs.iter().map(|(proof, elapsed)| row(proof, is_one_of_several(proof), *elapsed));
    let unproven = errors.iter().map(|error| format!("{}: unknown\n", unknown(error)));
    let count = |is: fn(&Proof) -> bool| proofs.iter().filter(|(proof, _)| is(proof)).count();
    let counts = [
        (count(Proof::is_complete), "proven"),
        (count(|proof| !proof.holds()), "failed"),
        (count(|proof| proof.holds() && !proof.is_complete()), "not proven"),
        (errors.len(), "unknown"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let counts = if counts.is_empty() { "nothing to prove" } else { &counts };
    format!("{}{counts} ({:.1} s)\n", rows.chain(unproven).collect::<String>(), elapsed.as_secs_f64())
}

fn row(proof: &Proof, is_one_of_several: bool, elapsed: Duration) -> String {
    let section = if is_one_of_several { format!(" ({})", proof.set.cloud) } else { String::new() };
    let open = proof.hops.iter().filter(|hop| hop.has_failed() || hop.is_open());
    let lines: Vec<_> = open.flat_map(lines).collect();
    let name = &proof.set.deployment;
    format!("{name}{section}: {} {:.1} s\n{}", sentence(proof), elapsed.as_secs_f64(), fitted(&lines))
}

/// What it comes to.
fn sentence(proof: &Proof) -> String {
    let hops = |count: usize| if count == 1 { "1 hop".to_owned() } else { format!("{count} hops") };
    let open = proof.hops.iter().filter(|hop| hop.is_open()).count();
    match (failures(&proof.hops), open, proof.stopped) {
        (0, _, true) => "Stopped.".to_owned(),
        (0, 0, false) if proof.hops.iter().all(|hop| hop.verdict == Verdict::Passed) => "Everything works.".to_owned(),
        (0, 0, false) => "Everything that was tried works.".to_owned(),
        (0, open, false) => format!("Nothing failed, and {} not proven.", are(&hops(open), open)),
        (failed, ..) => format!("{} failed.", hops(failed)),
    }
}

fn are(hops: &str, count: usize) -> String {
    format!("{hops} {}", if count == 1 { "is" } else { "are" })
}

fn lines(hop: &Hop) -> Vec<Line> {
    let style = match &hop.verdict {
        Verdict::Passed => AnsiColor::Green.on_default(),
        Verdict::Failed { .. } => AnsiColor::Red.on_default().bold(),
        Verdict::NotProven { .. } => AnsiColor::Yellow.on_default(),
        Verdict::Skipped { .. } => Style::new().dimmed(),
    };
    let word = format!("{:10}", hop.verdict.word());
    let mut lines = vec![Line::new(format!("  {}  {}", styled(style, &word), hop.text), BELOW)];
    let mut below = |text: String| lines.push(Line::new(format!("{:BELOW$}{text}", ""), BELOW + 2));
    if let Some(reason) = hop.reason() {
        below(reason.to_owned());
    }
    if hop.has_failed() {
        let came = hop.came.iter().map(Some).chain(std::iter::repeat(None));
        for (sent, came) in hop.sent.iter().zip(came) {
            below(format!("sent {sent}"));
            came.into_iter().for_each(|came| below(format!("came {came}")));
        }
    }
    if let Some(mend) = &hop.mend {
        below(format!("to mend it: {mend}"));
    }
    lines
}
