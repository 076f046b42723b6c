//! Reports: what a look came to, for programs that show it to people. A look for drift has rows in drift's direction: how it is,
//! and how it should be. Every format shows the same ones.

pub(crate) mod markdown;
pub(crate) mod planned;
pub(crate) mod junit;
pub(crate) mod sarif;
pub(crate) mod gitlab;
pub(crate) mod html;
pub(crate) mod proof;
pub(crate) mod look;
pub(crate) mod compared;

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
    /// What to do about it, where there is more to say than the command that mends it.
    pub(crate) hint: Option<String>,
    /// Whether it is about the resource as a whole, whose name `what` is then.
    pub(crate) whole: bool,
    /// The field that it is about, where it is about one.
    pub(crate) subject: Option<String>,
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
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::NotApplied => "not-applied",
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

    /// The same with the resource's name, which is said once, and with what to do.
    pub(crate) fn sentence(&self, set: &ChangeSet) -> String {
        let change = set.changes.iter().find(|change| change.address.as_str() == self.address);
        let text = match change.filter(|_| self.rule != Rule::LeftOver) {
            Some(change) => {
                let name = on_one_line(&format!("{} `{}` ({})", change.kind, change.name, change.address));
                let finding = if self.whole { self.why.clone() } else { self.text() };
                format!("{name}: {finding}")
            }
            None => self.text(),
        };
        self.hint.iter().fold(text, |text, hint| format!("{text}; {}", on_one_line(hint)))
    }
}

/// How often each rule is broken, in words after a verdict; what is nowhere, or only pending, is counted by its verdict.
pub(crate) fn counts(set: &ChangeSet, rows: &[Row<'_>]) -> String {
    if !set.has_drift() && set.unknowns().is_empty() && resources(rows, Rule::LeftOver) == 0 {
        return String::new();
    }
    let counted = Rule::ALL.into_iter().filter(|rule| *rule != Rule::Warning);
    let counts = counted.map(|rule| (resources(rows, rule), rule.counted())).filter(|(count, _)| *count > 0);
    format!(" ({})", counts.map(|(count, counted)| format!("{count} {counted}")).collect::<Vec<_>>().join(", "))
}

/// How many resources break a rule.
fn resources(rows: &[Row<'_>], rule: Rule) -> usize {
    let mut addresses: Vec<_> = rows.iter().filter(|row| row.rule == rule).map(|row| row.address).collect();
    if rule != Rule::LeftOver {
        addresses.dedup();
    }
    addresses.len()
}

/// Whether apply would put it right.
pub(crate) fn is_mendable(set: &ChangeSet, rows: &[Row<'_>]) -> bool {
    let mends = [Rule::Changed, Rule::Missing, Rule::NotApplied].iter().any(|rule| resources(rows, *rule) > 0);
    mends && set.changes.iter().all(|change| change.refusal.is_none()) && set.blockers().is_empty()
}

/// Everything there is to say of a set.
pub(crate) fn rows(set: &ChangeSet) -> Vec<Row<'_>> {
    let unread = set.unreadable.iter().map(|Unreadable(error)| Row {
        address: error.address().map_or("-", |address| address.as_str()),
        line: error.line(),
        rule: Rule::Unknown,
        what: on_one_line(&error.to_string()),
        why: "could not be read".to_owned(),
        hint: error.hint().map(str::to_owned),
        whole: false,
        subject: None,
    });
    let warnings = set.warnings.iter().map(|warning| Row {
        address: "-",
        line: None,
        rule: Rule::Warning,
        what: on_one_line(warning),
        why: String::new(),
        hint: None,
        whole: false,
        subject: None,
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
    let hint = orphan.refusal.as_ref().map(|refusal| format!("{}: {}", refusal.reason, refusal.hint));
    Row {
        address: orphan.address.as_str(),
        line: None,
        rule: Rule::LeftOver,
        what,
        why,
        hint,
        whole: false,
        subject: None,
    }
}

fn of_change(change: &Change) -> Vec<Row<'_>> {
    let row = |rule, what: &str, why: &str| {
        let (what, why) = (on_one_line(what), why.to_owned());
        Row {
            address: change.address.as_str(),
            line: change.line,
            rule,
            what,
            why,
            hint: None,
            whole: false,
            subject: None,
        }
    };
    let name = format!("{} `{}`", change.kind, change.name);
    let whole = |rule, why: &str| Row { whole: true, ..row(rule, &name, why) };
    if let Some(refusal) = change.refusal.as_ref().filter(|_| !change.has_drifted()) {
        return vec![Row { hint: Some(refusal.hint.clone()), ..row(Rule::Refused, &refusal.reason, "refused") }];
    }
    if change.missing {
        return vec![whole(Rule::Missing, MISSING)];
    }
    if change.action == Action::Create {
        return vec![whole(Rule::NotApplied, "not applied yet")];
    }
    if change.action == Action::Record {
        return vec![whole(Rule::NotApplied, BOOKKEEPING)];
    }
    let untagged = (change.action == Action::Restore).then(|| whole(Rule::Changed, UNTAGGED));
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
    let differing = diffs.into_iter().map(|diff| (diff.path(&facet.facet), standing(&diff.before, &diff.after)));
    let differing = differing.map(|(path, standing)| (format!("{path} {standing}"), path));
    let row = |(what, subject): (String, String)| Row {
        address: change.address.as_str(),
        line: facet.line,
        rule,
        what: on_one_line(&what),
        why: label(facet.finding).to_owned(),
        hint: None,
        whole: false,
        subject: Some(subject),
    };
    let unnamed = unnamed.map(|text| (text, facet.facet.clone()));
    differing.chain(unnamed).map(row).collect()
}
