//! A change set as people see it.

use anstyle::{AnsiColor, Style};
use provision_core::change_set::{Action, Change, ChangeSet, FacetChange, Purpose};
use provision_core::compare::Finding;
use provision_core::diff::{self, FieldDiff};
use provision_core::mark::Origin;
use provision_core::output::OutputChange;
use provision_core::printable::{harmless, on_one_line};
use provision_core::provider::ProviderConfig;
use provision_core::refusal::Refusal;
use provision_core::resource::Orphan;
use serde_json::{Value, json};

use super::head;
use super::layout::{Entry, Line, block, fits, fitted};
use super::rights::{self, Told};
use crate::arguments::quoted;
use crate::providers::{ProviderId, Settings};
use crate::view::error;
use crate::view::words::{
    BOOKKEEPING, MISSING, UNTAGGED, counts, fate_of_others, finish_destroy, label, plain, whole, without,
};

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What changes, in the field's words.
    Changes,
    /// What is in sync too, and every field with its value.
    Everything,
}

/// A set on a screen.
pub(crate) struct Screen<'a> {
    pub(crate) set: &'a ChangeSet,
    pub(crate) detail: Detail,
    /// The command that does it, where that is to be told.
    pub(crate) next: Option<&'a str>,
    /// What another command needs too, to be meant for the same cloud.
    pub(crate) flags: &'a str,
    /// Which of the missing rights are told.
    pub(crate) rights: Told,
}

impl Screen<'_> {
    /// The whole set: head, changes, orphans, settings, summary.
    pub(crate) fn text(&self) -> String {
        let (set, detail) = (self.set, self.detail);
        let settings = ProviderId::named(&set.cloud).and_then(|cloud| cloud.restore(set.settings.clone()));
        let shown: Vec<_> = set.changes.iter().filter(|change| is_listed(change, detail)).collect();
        let blocks = shown.iter().map(|change| fitted(&self.change(change, settings.as_ref())));
        let bookkeeping = if detail == Detail::Everything { None } else { bookkeeping(set) };
        let (missing, refusing) = (rights::missing(set, self.rights), rights::refusals(set, self.rights));
        let bookkeeping = bookkeeping.unwrap_or_default();
        let parts =
            blocks.chain([self.orphans(), bookkeeping, output_changes(set), missing, refusing, rights::unknown(set)]);
        let parts: String = parts.filter(|part| !part.is_empty()).map(|part| part + "\n").collect();
        let foot = fitted(&self.foot());
        format!("{}{}\n{parts}{}{foot}", head::of_set(set), legend(set, &shown), warnings(set))
    }
}

fn is_listed(change: &Change, detail: Detail) -> bool {
    match change.action {
        Action::NoOp => detail == Detail::Everything || change.finding == Finding::Unknown,
        Action::Record => detail == Detail::Everything,
        _ => true,
    }
}

/// What the signs mean that occur.
fn legend(set: &ChangeSet, shown: &[&Change]) -> String {
    let meaning = |change: &&Change| match (change.finding, change.action) {
        (Finding::Unknown, _) => "? unknown",
        (_, Action::NoOp) => "",
        (_, Action::Create) => "+ create",
        (_, Action::Adopt | Action::Update | Action::Record | Action::Restore) => "~ change",
        (_, Action::Delete) => "- delete",
        (_, Action::Release) => "- release",
        (_, Action::Refuse) => "! refused",
    };
    let orphan = |orphan: &Orphan| if fate(set, orphan).0 == '-' { "- delete" } else { "? left over" };
    let occurring: Vec<_> = shown.iter().map(meaning).chain(set.orphans.iter().map(orphan)).collect();
    let all = ["+ create", "~ change", "- delete", "- release", "! refused", "? left over", "? unknown"];
    let told: Vec<_> = all.into_iter().filter(|meaning| occurring.contains(meaning)).collect();
    if told.is_empty() {
        String::new()
    } else {
        fitted(&[Line::new(format!("  {}", styled(DIM, &told.join("   "))), 4)])
    }
}

/// What the user should know.
pub(crate) fn warnings(set: &ChangeSet) -> String {
    let lines: Vec<_> =
        set.warnings.iter().map(|text| Line::new(error::warning(text).trim_end().to_owned(), 2)).collect();
    fitted(&lines)
}

/// Where the plan file says so.
pub(crate) fn place(line: Option<usize>) -> String {
    line.map(|line| format!("{DIM}:{line}{DIM:#}")).unwrap_or_default()
}

/// A text in its colour.
pub(crate) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
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

const fn sign(change: &Change) -> char {
    match change.finding {
        Finding::Unknown => '?',
        _ => change.action.symbol(),
    }
}

/// The verb before a resource, where its sign does not say it.
const fn verb(change: &Change) -> &'static str {
    match (change.finding, change.action) {
        (Finding::Unknown, _) => "cannot read ",
        (_, Action::Adopt) => "adopt ",
        (_, Action::Restore) => "restore ",
        (_, Action::Release) => "release ",
        _ => "",
    }
}

impl Screen<'_> {
    fn change(&self, change: &Change, settings: Option<&Settings>) -> Vec<Line> {
        let mut lines = vec![self.title(change)];
        lines.extend(lost(change));
        if let Some(refusal) = &change.refusal {
            lines.extend(self::refusal(self.set, change, refusal));
        }
        let in_words = settings.filter(|_| self.detail == Detail::Changes);
        let shown = change.facets.iter().filter(|facet| is_shown(change, facet));
        let entries: Vec<_> = match in_words {
            Some(settings) if change.action == Action::Create => words(settings.as_ref(), change),
            Some(settings) => shown.flat_map(|facet| told(settings.as_ref(), change, facet)).collect(),
            None => shown.flat_map(|facet| entries(change, facet, &|_, value| plain(value))).collect(),
        };
        lines.extend(block(4, &entries));
        lines.extend(beside(self.set, change));
        lines
    }

    fn title(&self, change: &Change) -> Line {
        let text = format!("{} {}{} `{}`", sign(change), verb(change), change.kind, change.name);
        let address = if self.detail == Detail::Everything { format!(" ({})", change.address) } else { String::new() };
        let cause = cause(change).map(|words| format!("  {words}")).unwrap_or_default();
        let text = format!("{}{address}{cause}", styled(color(change.action), &text));
        Line { text, hang: 4, end: place(line(change)) }
    }
}

/// The plan file's line of the key that changed, or else of the resource.
fn line(change: &Change) -> Option<usize> {
    let is_new = matches!(change.action, Action::Create | Action::Adopt | Action::Delete);
    let mut shown = change.facets.iter().filter(|facet| !is_new && is_shown(change, facet));
    shown.find_map(|facet| facet.line).or(change.line)
}

/// What is deleted with a resource, and what becomes of it.
fn lost(change: &Change) -> Vec<Line> {
    let Some(contents) = change.contents else { return Vec::new() };
    let lost = styled(color(Action::Refuse), &contents.describe());
    [Some(lost), contents.afterlife()].into_iter().flatten().map(|text| Line::new(format!("    {text}"), 4)).collect()
}

/// What a resource that is made comes to, facets of one label on one line.
fn words(settings: &dyn ProviderConfig, change: &Change) -> Vec<Entry> {
    let facets = change.facets.iter().filter(|facet| !facet.after.is_null());
    let said = facets.flat_map(|facet| settings.in_words(&change.address, &facet.facet, &facet.after));
    let mut entries: Vec<Entry> = Vec::new();
    for (label, text) in said {
        match entries.iter_mut().find(|entry| entry.label == label) {
            Some(entry) => entry.text += &format!(", {}", on_one_line(&text)),
            None => entries.push(Entry::new(label, on_one_line(&text))),
        }
    }
    entries
}

/// What others have on it.
fn beside(set: &ChangeSet, change: &Change) -> Vec<Line> {
    let Some(word) = fate_of_others(set, change) else { return Vec::new() };
    let entries = change.unmanaged.iter().map(|unmanaged| on_one_line(&unmanaged.entry));
    entries.map(|entry| Line::new(format!("    {}", styled(DIM, &format!("{word}: {entry}"))), 10)).collect()
}

/// Why it cannot be done, and what to do where that is all that is said.
fn refusal(set: &ChangeSet, change: &Change, refusal: &Refusal) -> Vec<Line> {
    let line = |text: String| Line::new(format!("    {text}"), 6);
    let reason = on_one_line(&refusal.reason);
    match set.purpose == Purpose::Apply && change.has_drifted() {
        true => vec![
            line(styled(color(Action::Refuse), &reason)),
            line(format!("apply cannot mend it: {}", on_one_line(&refusal.hint))),
        ],
        false => vec![line(reason)],
    }
}

fn is_shown(change: &Change, facet: &FacetChange) -> bool {
    match change.action {
        Action::Create => !facet.after.is_null(),
        Action::Delete | Action::NoOp | Action::Record => false,
        Action::Release => facet.write,
        // A destroy that is refused changes nothing of it.
        Action::Refuse => facet.finding.is_drift() && !change.missing && !facet.after.is_null(),
        _ => facet.finding.differs(),
    }
}

fn cause(change: &Change) -> Option<String> {
    let words = match (change.action, change.missing) {
        (_, true) => MISSING.to_owned(),
        (Action::Record, _) => BOOKKEEPING.to_owned(),
        (Action::Restore, _) => UNTAGGED.to_owned(),
        (Action::Release, _) => "provision's entries and tags are removed, everything else stays".to_owned(),
        (Action::Delete, _) if change.contents.is_some() => styled(color(Action::Refuse), "and everything in it:"),
        _ => return None,
    };
    Some(words)
}

/// What there is to say of each field that a facet changes: its name, its values, and at the end why they differ.
fn entries(change: &Change, facet: &FacetChange, element: &dyn Fn(&str, &Value) -> String) -> Vec<Entry> {
    let is_new = matches!(change.action, Action::Create | Action::Adopt);
    let why = if is_new { "" } else { label(facet.finding) };
    let why = if why.is_empty() { String::new() } else { styled(DIM, why) };
    let of_field = |diff: FieldDiff| {
        let path = diff.path(&facet.facet);
        let mut values = values(change.action, &diff, element).into_iter();
        let first = values.next().map(|text| Entry { label: path, text, end: why.clone() });
        first.into_iter().chain(values.map(|value| Entry::new("", value))).collect::<Vec<_>>()
    };
    diff::fields(&facet.before, &facet.after).into_iter().flat_map(of_field).collect()
}

/// The same, where documents that come or go as a whole, and elements of them, are told in words.
fn told(settings: &dyn ProviderConfig, change: &Change, facet: &FacetChange) -> Vec<Entry> {
    let in_words = |name: &str, document: &Value| {
        let words = settings.in_words(&change.address, &facet.facet, &json!({ name: document }));
        let words: Vec<_> = words.into_iter().map(|(label, text)| format!("{label} {text}")).collect();
        on_one_line(&words.join("; "))
    };
    let element = |name: &str, element: &Value| match element.is_object().then(|| in_words(name, &json!([element]))) {
        Some(words) if !words.is_empty() => words,
        _ => plain(element),
    };
    let mut rest = facet.clone();
    let went = documents(&mut rest.before, &facet.after).into_iter().map(|(name, _)| (name, "- removed".to_owned()));
    let came = documents(&mut rest.after, &facet.before).into_iter();
    let came = came.map(|(name, document)| (name.clone(), format!("+ {}", in_words(&name, &document))));
    let entry = |(name, text)| Entry::new(format!("{}.{name}", facet.facet), text);
    went.chain(came).map(entry).collect::<Vec<_>>().into_iter().chain(entries(change, &rest, &element)).collect()
}

/// Take out of a map the documents that another one has none of.
fn documents(map: &mut Value, other: &Value) -> Vec<(String, Value)> {
    let Some(members) = map.as_object_mut() else { return Vec::new() };
    let is_document = |value: &Value| value.as_array().is_some_and(|list| list.iter().any(Value::is_object));
    let names = members.iter().filter(|(name, value)| is_document(value) && other.get(name.as_str()).is_none());
    let names: Vec<_> = names.map(|(name, _)| name.clone()).collect();
    names.into_iter().filter_map(|name| members.remove_entry(&name)).collect()
}

/// The values of a field: one line, but for a list of which elements come or go.
fn values(action: Action, diff: &FieldDiff, element: &dyn Fn(&str, &Value) -> String) -> Vec<String> {
    match (action, &diff.before, &diff.after) {
        (Action::Create, _, after) => vec![plain(after)],
        (_, Value::Array(old), Value::Array(new)) => {
            let comes = without(new, old).into_iter().map(|value| format!("+ {}", element(&diff.field, &value)));
            let goes = without(old, new).into_iter().map(|value| format!("- {}", element(&diff.field, &value)));
            comes.chain(goes).collect()
        }
        (_, before, after) => vec![format!("{} -> {}", plain(before), plain(after))],
    }
}

/// What is written for provision's own sake.
fn bookkeeping(set: &ChangeSet) -> Option<String> {
    let recorded = set.changes.iter().filter(|change| change.action == Action::Record);
    let recorded = recorded.map(|change| format!("{} `{}`", change.kind, change.name));
    let rewritten = set.rewritten_orphans();
    let rewritten = rewritten.iter().map(|(orphan, _)| format!("{} `{}`", orphan.kind, harmless(&orphan.name)));
    let names: Vec<_> = recorded.chain(rewritten).collect();
    let text = styled(DIM, &format!("also: provision's own tags of {}", names.join(", ")));
    (!names.is_empty()).then(|| fitted(&[Line::new(text, 4)]))
}

/// The settings for the server: all of them before the first apply, and later the names of those that change.
fn output_changes(set: &ChangeSet) -> String {
    let is_first = set.changes.iter().all(|change| change.mark.as_ref().is_none_or(|mark| mark.parts.is_empty()));
    let changes = &set.output_changes;
    if changes.is_empty() {
        return String::new();
    }
    if !is_first {
        let names: Vec<_> = changes.iter().map(|change| change.name.as_str()).collect();
        let them = if names.len() == 1 { "it" } else { "them" };
        let text = format!("Settings that change: {}. Give {them} to the server and restart it.", names.join(", "));
        return fitted(&[Line::new(text, 2)]);
    }
    let value = |change: &OutputChange| match (&change.value, change.given) {
        (Some(value), _) => harmless(value),
        (None, true) => "known once it is made".to_owned(),
        (None, false) => "a secret, which apply does not print".to_owned(),
    };
    let entries: Vec<_> = changes.iter().map(|change| Entry::new(&change.name, value(change))).collect();
    "Settings for the server\n".to_owned() + &fitted(&block(4, &entries))
}

/// The sign and the verb of an orphan.
fn fate(set: &ChangeSet, orphan: &Orphan) -> (char, &'static str) {
    match (goes(set, orphan), orphan.mark.origin) {
        (true, Origin::Created) => ('-', "delete "),
        (true, Origin::Adopted) => ('-', "release "),
        _ => ('?', ""),
    }
}

/// Whether an orphan is taken down: with apply nothing that holds data.
fn goes(set: &ChangeSet, orphan: &Orphan) -> bool {
    set.with_orphans && !(orphan.holds_data && set.purpose == Purpose::Apply)
}

impl Screen<'_> {
    fn orphans(&self) -> String {
        let set = self.set;
        let orphan = |orphan: &Orphan| {
            let (sign, verb) = fate(set, orphan);
            let name = harmless(&orphan.name);
            Line::new(format!("{sign} {verb}left over: {} `{name}` is no longer in the plan file", orphan.kind), 4)
        };
        let mut lines: Vec<_> = set.orphans.iter().map(orphan).collect();
        if !lines.is_empty() && !set.with_orphans {
            lines.push(Line::new(self.orphans_command(), 6));
        }
        fitted(&lines)
    }

    /// What deletes what is left over.
    fn orphans_command(&self) -> String {
        let (set, file, flags) = (self.set, quoted(&self.set.plan_file.name), self.flags);
        let applies = set.purpose == Purpose::Apply;
        let it = if set.orphans.len() == 1 { "it" } else { "them" };
        let with_data = set.orphans.iter().filter(|orphan| orphan.holds_data).count();
        let command =
            |command: &str| format!("    provision {} {command} {file} --orphans{flags} deletes {it}", set.cloud);
        match with_data {
            0 => command(if applies { "apply" } else { "destroy" }),
            _ if !applies || with_data == set.orphans.len() => command("destroy"),
            _ => command("apply") + ", except those that hold data: a destroy with --orphans deletes all",
        }
    }

    /// The last lines: what it comes to, and the command that does it, on a line of its own where it does not fit.
    fn foot(&self) -> Vec<Line> {
        let (set, outcome) = (self.set, outcome(self.set));
        let next = self.next.filter(|_| set.has_changes() && set.blockers().is_empty());
        let finish = self.next.and_then(|_| finish_destroy(set, self.flags));
        let mut lines = match next.map(|next| (format!("{outcome} To do it: {next}"), next)) {
            Some((whole, _)) if fits(&whole) => vec![Line::whole(whole)],
            Some((_, next)) => [Line::new(outcome, 2)].into_iter().chain(command("To do it:", next)).collect(),
            None => vec![Line::new(outcome, 2)],
        };
        lines.extend(finish.map(Line::whole));
        lines
    }
}

/// A command behind what it is for, or below: half of one is another one.
fn command(purpose: &str, command: &str) -> Vec<Line> {
    let whole = format!("{purpose} {command}");
    match fits(&whole) {
        true => vec![Line::whole(whole)],
        false => vec![Line::new(purpose.to_owned(), 2), Line::whole(format!("  {command}"))],
    }
}

/// What a set comes to.
pub(crate) fn outcome(set: &ChangeSet) -> String {
    if !set.unreadable.is_empty() {
        let count = set.unreadable.len();
        let things = if count == 1 { "1 resource" } else { &format!("{count} resources") };
        return format!("{BOLD}Incomplete:{BOLD:#} {things} could not be read.");
    }
    let (going, staying): (Vec<_>, Vec<_>) = set.orphans.iter().partition(|orphan| goes(set, orphan));
    let left = if staying.is_empty() { String::new() } else { format!("; {} left over", staying.len()) };
    if !set.has_changes() {
        return match set.purpose {
            Purpose::Apply => {
                format!("{BOLD}No changes:{BOLD:#} {} matches the plan file{left}.", whole(&set.cloud))
            }
            Purpose::Destroy { .. } => format!("{BOLD}Nothing to destroy.{BOLD:#}"),
        };
    }
    let mut parts = counts(set, false);
    if !going.is_empty() {
        parts.push(format!("{} left over to delete", going.len()));
    }
    if parts.is_empty() {
        parts.push("only provision's own tags to write".to_owned());
    }
    format!("{BOLD}{}{left}.{BOLD:#}", parts.join(", "))
}
