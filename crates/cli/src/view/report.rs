//! What a look for drift has to say, in drift's direction: how it is, and how it should be. Every format shows the same rows.

pub(crate) mod markdown;
pub(crate) mod junit;
pub(crate) mod sarif;

use provision_core::change_set::{Action, Change, ChangeSet, FacetChange, Unreadable};
use provision_core::diff;
use provision_core::printable::on_one_line;
use provision_core::resource::Orphan;

use crate::view::words::{BOOKKEEPING, MISSING, UNTAGGED, label, standing};

/// One thing that a report says.
pub(crate) struct Row<'a> {
    /// The resource; `-` where it is about none.
    pub(crate) address: &'a str,
    pub(crate) line: Option<usize>,
    pub(crate) rule: Rule,
    pub(crate) what: String,
    pub(crate) why: String,
}

/// What kind of thing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    Changed,
    Missing,
    NotApplied,
    LeftOver,
    Refused,
    Unknown,
    Warning,
}

impl Rule {
    pub(crate) const ALL: [Self; 7] =
        [Self::Changed, Self::Missing, Self::NotApplied, Self::LeftOver, Self::Refused, Self::Unknown, Self::Warning];

    /// Its name for programs.
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Changed => "drift",
            Self::Missing => "missing",
            Self::NotApplied => "pending",
            Self::LeftOver => "left-over",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
        }
    }

    /// What it means.
    pub(crate) const fn means(self) -> &'static str {
        match self {
            Self::Changed => "Somebody changed it outside provision.",
            Self::Missing => "It was applied and is gone.",
            Self::NotApplied => "The plan file asks for it, and it was not applied yet.",
            Self::LeftOver => "It belongs to the deployment and is no longer in the plan file.",
            Self::Refused => "It is not the deployment's to change.",
            Self::Unknown => "It could not be read.",
            Self::Warning => "The deployment works, and this is worth knowing.",
        }
    }

    /// How the summary counts it.
    pub(crate) const fn counted(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::NotApplied => "not applied yet",
            Self::LeftOver => "left over",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Warning => "warned about",
        }
    }
}

impl Row<'_> {
    /// The row as a sentence.
    pub(crate) fn text(&self) -> String {
        if self.why.is_empty() { self.what.clone() } else { format!("{} ({})", self.what, self.why) }
    }
}

/// Everything there is to say of a set.
pub(crate) fn rows(set: &ChangeSet) -> Vec<Row<'_>> {
    let unread = set.unreadable.iter().map(|Unreadable(error)| Row {
        address: error.address().map_or("-", |address| address.as_str()),
        line: error.line(),
        rule: Rule::Unknown,
        what: on_one_line(&error.to_string()),
        why: "could not be read".to_owned(),
    });
    let warnings = set.warnings.iter().map(|warning| Row {
        address: "-",
        line: None,
        rule: Rule::Warning,
        what: on_one_line(warning),
        why: String::new(),
    });
    let (recorded, changed): (Vec<_>, Vec<_>) = set.changes.iter().partition(|change| change.action == Action::Record);
    let mut rows: Vec<_> = changed.into_iter().flat_map(of_change).collect();
    // Beside another change, what is on record changes with it.
    if rows.is_empty() {
        rows = recorded.into_iter().flat_map(of_change).collect();
    }
    rows.into_iter().chain(unread).chain(set.orphans.iter().map(left_over)).chain(warnings).collect()
}

fn left_over(orphan: &Orphan) -> Row<'_> {
    let what = format!("{} `{}` is no longer in the plan file", orphan.kind, orphan.name);
    let (what, why) = (on_one_line(&what), "left over".to_owned());
    Row { address: orphan.address.as_str(), line: None, rule: Rule::LeftOver, what, why }
}

fn of_change(change: &Change) -> Vec<Row<'_>> {
    let row = |rule, what: &str, why: &str| {
        let (what, why) = (on_one_line(what), why.to_owned());
        Row { address: change.address.as_str(), line: change.line, rule, what, why }
    };
    let name = format!("{} `{}`", change.kind, change.name);
    if let Some(refusal) = change.refusal.as_ref().filter(|_| !change.has_drifted()) {
        return vec![row(Rule::Refused, &refusal.reason, "refused")];
    }
    if change.missing {
        return vec![row(Rule::Missing, &name, MISSING)];
    }
    if change.action == Action::Create {
        return vec![row(Rule::NotApplied, &name, "not applied yet")];
    }
    if change.action == Action::Record {
        return vec![row(Rule::NotApplied, &name, BOOKKEEPING)];
    }
    let untagged = (change.action == Action::Restore).then(|| row(Rule::Changed, &name, UNTAGGED));
    let differing = change.facets.iter().filter(|facet| facet.finding.differs());
    let unmendable = change
        .refusal
        .as_ref()
        .map(|refusal| row(Rule::Changed, &refusal.reason, &format!("apply cannot mend it: {}", refusal.hint)));
    unmendable.into_iter().chain(untagged).chain(differing.flat_map(|facet| of_facet(change, facet))).collect()
}

fn of_facet<'a>(change: &'a Change, facet: &'a FacetChange) -> Vec<Row<'a>> {
    let rule = if facet.finding.is_drift() { Rule::Changed } else { Rule::NotApplied };
    let diffs = diff::fields(&facet.before, &facet.after);
    let unnamed = diffs.is_empty().then(|| format!("{} no longer carries provision's name", facet.facet));
    let differing =
        diffs.into_iter().map(|diff| format!("{} {}", diff.path(&facet.facet), standing(&diff.before, &diff.after)));
    let row = |what: String| Row {
        address: change.address.as_str(),
        line: facet.line,
        rule,
        what: on_one_line(&what),
        why: label(facet.finding).to_owned(),
    };
    differing.chain(unnamed).map(row).collect()
}
