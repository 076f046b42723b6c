//! The rights that a change set needs and the credentials lack, and what would refuse it in any case.

use anstyle::Style;
use provision_core::change_set::{ChangeSet, Purpose};
use provision_core::preflight::permissions_command;
use provision_core::printable::on_one_line;
use provision_core::refusal::Refusal;
use provision_core::rights::{MissingRight, UnknownRights};

use super::layout::{Entry, Line, block, fitted};

const BOLD: Style = Style::new().bold();

/// So many are listed, even if none is there.
const FEW: usize = 4;

/// Whether those are told that are sure to be missing: before a run, the error that ends it tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    All,
    Doubtful,
}

/// What is missing, with what needs it.
pub(crate) fn missing(set: &ChangeSet, told: Told) -> String {
    let missing = set.rights.told().into_iter().filter(|missing| told == Told::All || !missing.certain);
    let missing: Vec<_> = missing.collect();
    if missing.is_empty() {
        return String::new();
    }
    let all = format!("`{}` prints all that it needs.", permissions_command(set));
    if told == Told::All && set.rights.has_none() && missing.len() > FEW {
        let count = missing.len();
        let none = format!("These credentials have none of the {count} rights that {} needs. {all}", task(set));
        return fitted(&[Line::new(none, 4)]);
    }
    let (stops, task) = (set.rights.certain().next().is_some(), task(set));
    let head = match (told, stops) {
        (Told::All, true) => format!("{BOLD}Missing rights:{BOLD:#} {task} stops before its first write."),
        (Told::Doubtful, true) => format!("{BOLD}Rights that may be missing too:{BOLD:#}"),
        (_, false) => format!("{BOLD}Rights that may be missing:{BOLD:#} {task} begins all the same."),
    };
    let entries: Vec<_> = missing.into_iter().map(entry).collect();
    let lines = std::iter::once(Line::new(head, 4)).chain(block(4, &entries)).chain([Line::new(all, 4)]);
    fitted(&lines.collect::<Vec<_>>())
}

fn entry(missing: &MissingRight) -> Entry {
    let reason = missing.reason.as_ref().map(|reason| format!(" ({})", on_one_line(reason))).unwrap_or_default();
    Entry::new(format!("`{}`", missing.right), on_one_line(&missing.needed_to_text()) + &reason)
}

/// What refuses it whatever the credentials may do. Before a run, the error that ends it tells that.
pub(crate) fn refusals(set: &ChangeSet, told: Told) -> String {
    let refusals = &set.rights.refusals;
    if refusals.is_empty() || told == Told::Doubtful {
        return String::new();
    }
    let head = format!("{BOLD}Would be refused:{BOLD:#} {} stops before its first write.", task(set));
    let lines = refusals
        .iter()
        .map(|Refusal { reason, hint }| Line::new(format!("    {}: {}", on_one_line(reason), on_one_line(hint)), 8));
    fitted(&std::iter::once(Line::new(head, 4)).chain(lines).collect::<Vec<_>>())
}

/// Which rights could not be asked about, and why.
pub(crate) fn unknown(set: &ChangeSet) -> String {
    let told =
        |unknown: &UnknownRights| Line::new(format!("Rights not known: {}", on_one_line(&unknown.describe())), 4);
    fitted(&set.rights.unknown.iter().map(told).collect::<Vec<_>>())
}

/// All that is told without a screen, on a stream of its own.
pub(crate) fn all(set: &ChangeSet, told: Told) -> String {
    missing(set, told) + &refusals(set, told) + &unknown(set)
}

const fn task(set: &ChangeSet) -> &'static str {
    match set.purpose {
        Purpose::Apply => "apply",
        Purpose::Destroy { .. } => "destroy",
    }
}
