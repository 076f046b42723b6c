//! A change set as people see it.

use anstyle::{AnsiColor, Style};
use provision_core::change_set::{Action, Change, ChangeSet, FacetChange, Purpose};
use provision_core::compare::Finding;
use provision_core::diff;
use provision_core::mark::Origin;
use provision_core::printable::{harmless, on_one_line};
use provision_core::refusal::Refusal;
use provision_core::resource::Orphan;

use crate::view::error;
use crate::view::words::{label, nouns, short};

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What changes.
    Changes,
    /// What is in sync too.
    Everything,
}

/// The whole set: identity, changes, orphans, summary.
pub(crate) fn text(set: &ChangeSet, detail: Detail) -> String {
    let shown = |change: &&Change| {
        detail == Detail::Everything || change.action != Action::NoOp || change.finding == Finding::Unknown
    };
    let changes: String = set.changes.iter().filter(shown).map(|change| self::change(set, change)).collect();
    let warnings: String = set.warnings.iter().map(|warning| error::warning(warning)).collect();
    let gap = |text: &str| if text.is_empty() { "" } else { "\n" };
    let orphans = orphans(set);
    let (after_changes, after_orphans) = (gap(&changes).to_owned(), gap(&orphans).to_owned());
    format!("{}\n{changes}{after_changes}{orphans}{after_orphans}{warnings}{}\n", identity(set), summary(set))
}

/// Whose cloud was observed.
fn identity(set: &ChangeSet) -> String {
    let who = &set.identity;
    let (account, region) = nouns(&set.cloud);
    let mut text = format!("{} {account} {} {region} {} as {}\n", set.cloud, who.account, who.region, who.principal);
    for endpoint in &who.endpoints {
        text += &format!("  not the real cloud: {endpoint}\n");
    }
    text
}

fn color(action: Action) -> Style {
    match action {
        Action::Create => AnsiColor::Green.on_default(),
        Action::Adopt | Action::Update | Action::Record | Action::Restore => AnsiColor::Yellow.on_default(),
        Action::Delete | Action::Release => AnsiColor::Red.on_default(),
        Action::Refuse => AnsiColor::Red.on_default().bold(),
        Action::NoOp => Style::new(),
    }
}

fn change(set: &ChangeSet, change: &Change) -> String {
    let style = color(change.action);
    let line = change.line.map(|line| format!("  {DIM}{}:{line}{DIM:#}", set.plan_file.name)).unwrap_or_default();
    let cause = cause(change);
    let (symbol, verb) = match change.finding {
        Finding::Unknown => ('?', "cannot read"),
        _ => (change.action.symbol(), change.action.verb()),
    };
    let mut text = format!(
        "{style}{symbol} {verb} {} `{}`{style:#} ({}){cause}{line}\n",
        change.kind, change.name, change.address
    );
    if let Some(refusal) = &change.refusal {
        text += &self::refusal(change, refusal);
    }
    for facet in change.facets.iter().filter(|facet| is_shown(change, facet)) {
        text += &self::facet(set, change, facet);
    }
    if change.refusal.is_some() {
        return text;
    }
    for unmanaged in &change.unmanaged {
        text += &format!("    {DIM}kept: {}{DIM:#}\n", on_one_line(&unmanaged.entry));
    }
    text
}

/// Why it cannot be done, and what to do where that is all that is said.
fn refusal(change: &Change, refusal: &Refusal) -> String {
    let style = color(Action::Refuse);
    match change.has_drifted() {
        true => format!("    {style}{}{style:#}\n    apply cannot mend it: {}\n", refusal.reason, refusal.hint),
        false => format!("    {}\n", refusal.reason),
    }
}

fn is_shown(change: &Change, facet: &FacetChange) -> bool {
    match change.action {
        Action::Create => !facet.after.is_null(),
        Action::Delete | Action::NoOp => false,
        Action::Release => facet.write,
        Action::Refuse => facet.finding.is_drift() && !change.missing,
        _ => facet.finding.differs(),
    }
}

fn cause(change: &Change) -> String {
    let words = match (change.action, change.missing) {
        (_, true) => "drift: it was applied and is gone",
        (Action::Record, _) => "the cloud is as wanted, the mark is not",
        (Action::Restore, _) => "drift: somebody took provision's tags off it",
        (Action::Release, _) => "our entries and mark go, the rest stays",
        _ => return String::new(),
    };
    format!("  {words}")
}

fn facet(set: &ChangeSet, change: &Change, facet: &FacetChange) -> String {
    let mut text = String::new();
    for diff in diff::fields(&facet.before, &facet.after) {
        let field = if diff.field.is_empty() { facet.facet.clone() } else { format!("{}.{}", facet.facet, diff.field) };
        let values = match change.action {
            Action::Create => short(&diff.after),
            _ => format!("{} -> {}", short(&diff.before), short(&diff.after)),
        };
        let label = if matches!(change.action, Action::Create | Action::Adopt) { "" } else { label(facet.finding) };
        let line =
            facet.line.filter(|_| !label.is_empty()).map(|line| format!("  {DIM}{}:{line}{DIM:#}", set.plan_file.name));
        text += &format!("    {field:<32} {values}{label}{}\n", line.unwrap_or_default());
    }
    text
}

fn orphans(set: &ChangeSet) -> String {
    let orphan = |orphan: &Orphan| {
        let fate = match (goes(set, orphan), orphan.mark.origin) {
            (true, Origin::Created) => "- delete orphan",
            (true, Origin::Adopted) => "- release orphan",
            _ => "? orphan",
        };
        format!(
            "{fate} {} `{}`: marked as this deployment's, and not in the plan file\n",
            orphan.kind,
            harmless(&orphan.name)
        )
    };
    let mut text: String = set.orphans.iter().map(orphan).collect();
    if !text.is_empty() && !set.with_orphans {
        let data = set.orphans.iter().any(|orphan| orphan.holds_data);
        text += match data && set.purpose == Purpose::Apply {
            true => "  `apply --orphans` deletes them, but for what holds data: `destroy --orphans` does\n",
            false => "  `--orphans` deletes them\n",
        };
    }
    text
}

/// Whether an orphan is taken down: with apply nothing that holds data.
fn goes(set: &ChangeSet, orphan: &Orphan) -> bool {
    set.with_orphans && !(orphan.holds_data && set.purpose == Purpose::Apply)
}

/// The last line.
fn summary(set: &ChangeSet) -> String {
    if !set.unreadable.is_empty() {
        return format!("{BOLD}Incomplete:{BOLD:#} some of it could not be read.");
    }
    if !set.has_changes() {
        return match set.purpose {
            Purpose::Apply => format!("{BOLD}No changes.{BOLD:#} The cloud is as the plan file says."),
            Purpose::Destroy { .. } => format!("{BOLD}Nothing to destroy.{BOLD:#}"),
        };
    }
    let words = [
        (Action::Create, "to create"),
        (Action::Adopt, "to adopt"),
        (Action::Update, "to update"),
        (Action::Record, "to record"),
        (Action::Restore, "to restore"),
        (Action::Delete, "to delete"),
        (Action::Release, "to release"),
        (Action::Refuse, "refused"),
    ];
    let rewritten = |action: &Action| if *action == Action::Record { set.rewritten_orphans().len() } else { 0 };
    let counted = words.iter().map(|(action, word)| (set.count(*action) + rewritten(action), word));
    let counts = counted.filter(|(count, _)| *count > 0);
    let mut parts: Vec<_> = counts.map(|(count, word)| format!("{count} {word}")).collect();
    let orphans = set.orphans.iter().filter(|orphan| goes(set, orphan)).count();
    if orphans > 0 {
        parts.push(format!("{orphans} orphaned to delete"));
    }
    format!("{BOLD}Changes:{BOLD:#} {}.", parts.join(", "))
}
