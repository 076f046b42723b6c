//! A drift report as tables, for the summary of a CI job; and how any report is kept to what a comment takes.

use std::collections::BTreeSet;

use provision_core::Error;
use provision_core::change_set::ChangeSet;
use provision_core::printable::on_one_line;

use super::{Row, Rule, counts, is_mendable, rows};
use crate::arguments::quoted;
use crate::view::words::{named, nouns, one_of_several, unknown, verdict};

/// The most characters of a comment on GitHub, whose database says so (<https://github.com/orgs/community/discussions/27190>);
/// GitLab takes a million (<https://docs.gitlab.com/administration/instance_limits/#size-of-comments-and-descriptions-of-issues-merge-requests-and-epics>).
const LONGEST: usize = 65_536;
/// Room for what is said of what was left out.
const ROOM: usize = 1024;

/// A part of a report; what is left out is left out by whole items.
pub(super) struct Section {
    pub(super) head: String,
    pub(super) items: Vec<String>,
}

/// A text of others as it stands, whatever Markdown or HTML would make of it: nothing in code is a mention, a link or markup
/// (<https://github.github.com/gfm/#code-spans>). What would end a span or a cell is written as a character's number.
pub(super) fn code(text: &str) -> String {
    let text = on_one_line(text);
    if !text.is_empty() && !text.contains(['`', '|']) {
        return format!("`{text}`");
    }
    let numbered = |letter: char| match letter {
        ' ' | '-' | '0'..='9' => letter.to_string(),
        _ if letter.is_alphabetic() => letter.to_string(),
        _ => format!("&#{};", u32::from(letter)),
    };
    format!("<code>{}</code>", text.chars().map(numbered).collect::<String>())
}

/// Whose cloud was observed.
pub(super) fn identity(set: &ChangeSet) -> String {
    let (who, (account, region)) = (&set.identity, nouns(&set.cloud));
    let place = format!("{} {account} {} {region} {} as {}", set.cloud, who.account, who.region, who.principal);
    std::iter::once(&place).chain(&who.endpoints).map(|text| code(text)).collect::<Vec<_>>().join(", ")
}

/// Sections as far as a comment takes them; `more` says how to see the rest.
pub(super) fn fitted(sections: &[Section], more: &str) -> String {
    let (mut text, mut left_out) = (String::new(), 0);
    let fits = |text: &str, added: usize| text.len() + added + ROOM <= LONGEST;
    for section in sections {
        let gap = if text.is_empty() { "" } else { "\n" };
        if !fits(&text, gap.len() + section.head.len()) {
            left_out += section.items.len().max(1);
            continue;
        }
        text += gap;
        text += &section.head;
        for item in &section.items {
            match fits(&text, item.len()) {
                true => text += item,
                false => left_out += 1,
            }
        }
    }
    match left_out {
        0 => text,
        1 => format!("{text}\n1 entry is left out here: {more}\n"),
        _ => format!("{text}\n{left_out} entries are left out here: {more}\n"),
    }
}

/// What could not be looked at at all.
pub(super) fn failure(error: &Error) -> String {
    let line = error.line().map(|line| format!(":{line}")).unwrap_or_default();
    let place = error.plan_file().map(|file| format!(" ({})", code(&format!("{file}{line}")))).unwrap_or_default();
    let hint = error.hint().map(|hint| format!("; {}", code(hint))).unwrap_or_default();
    format!("{}{place}{hint}\n", code(&error.to_string()))
}

/// What could not be looked at at all, which must not go unsaid.
pub(super) fn unlooked(error: &Error) -> Section {
    Section { head: format!("### {}: unknown\n\n", code(&unknown(error))), items: vec![failure(error)] }
}

/// How something is, how bad that is from 0 on, and what is told of it.
pub(super) type Told<'a> = (usize, &'a str, Vec<Section>);

/// The worst first, as the end is what a comment does not take; where there are several plan files, above them how many are how.
pub(super) fn by_verdict(mut all: Vec<Told<'_>>, plan_files: usize) -> Vec<Section> {
    all.sort_by_key(|(rank, ..)| *rank);
    let counts = all.chunk_by(|(one, ..), (other, ..)| one == other);
    let counts: Vec<_> = counts.map(|alike| format!("{} {}", alike.len(), alike[0].1)).collect();
    let above = Section { head: format!("{}\n", counts.join(", ")), items: Vec::new() };
    let above = (plan_files > 1).then_some(above);
    above.into_iter().chain(all.into_iter().flat_map(|(.., sections)| sections)).collect()
}

/// How many plan files these are of.
pub(super) fn plan_files(sets: &[ChangeSet], errors: &[Error]) -> usize {
    let looked_at = sets.iter().map(|set| Some(set.plan_file.name.as_str()));
    looked_at.chain(errors.iter().map(Error::plan_file)).collect::<BTreeSet<_>>().len()
}

/// A table for each deployment.
pub(crate) fn text(sets: &[ChangeSet], errors: &[Error], flags: &str) -> String {
    let found = sets.iter().map(|set| {
        let verdict = verdict(set);
        (rank(verdict), verdict, tables(set, one_of_several(set, sets), flags))
    });
    let unreadable = errors.iter().map(|error| (rank("unknown"), "unknown", vec![unlooked(error)]));
    let sections = by_verdict(found.chain(unreadable).collect(), plan_files(sets, errors));
    fitted(&sections, "`--format text` shows all of them")
}

fn rank(verdict: &str) -> usize {
    match verdict {
        "drift" => 0,
        "refused" => 1,
        "unknown" => 2,
        "not applied yet" => 4,
        "in sync" => 5,
        _ => 3,
    }
}

fn tables(set: &ChangeSet, is_one_of_several: bool, flags: &str) -> Vec<Section> {
    let rows = rows(set);
    let (title, table) = match rows.is_empty() {
        true => (String::new(), ""),
        false => (format!("\n{}\n", identity(set)), "\n| resource | finding | why |\n|---|---|---|\n"),
    };
    let (verdict, counts) = (verdict(set), counts(set, &rows));
    let head = format!("### {}: {verdict}{counts}\n{title}{table}", code(&named(set, is_one_of_several)));
    let mut sections = vec![Section { head, items: rows.iter().map(|found| row(set, found)).collect() }];
    if is_mendable(set, &rows) {
        let apply = format!("provision {} apply {}{flags}", set.cloud, quoted(&set.plan_file.name));
        sections.push(Section { head: format!("To put it right: {}\n", code(&apply)), items: Vec::new() });
    }
    sections
}

fn row(set: &ChangeSet, row: &Row<'_>) -> String {
    let change = set.changes.iter().find(|change| change.address.as_str() == row.address);
    let change = change.filter(|_| row.rule != Rule::LeftOver && !row.whole);
    let name = change.map(|change| format!(" {}", code(&change.name))).unwrap_or_default();
    let line = row.line.map(|line| format!(", line {line}")).unwrap_or_default();
    let hint = row.hint.as_ref().map(|hint| format!("<br>{}", code(hint))).unwrap_or_default();
    let why = if row.why.is_empty() { row.rule.id() } else { &row.why };
    // A refusal's words are others' where it says what apply cannot mend.
    let why = if why.contains('`') { code(why) } else { why.to_owned() };
    format!("| {}{name}{line} | {}{hint} | {why} |\n", code(row.address), code(&row.what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_words_make_no_markup() {
        assert_eq!(code("a_b *c* <img> [e](f) @g https://h"), "`a_b *c* <img> [e](f) @g https://h`");
        assert_eq!(code("a|`@b`\n.www"), "<code>a&#124;&#96;&#64;b&#96; &#46;www</code>");
        assert_eq!(code(""), "<code></code>");
    }

    #[test]
    fn what_a_comment_does_not_take_is_left_out_by_whole_items_and_counted() {
        let items = |count, length| (0..count).map(|_| "x".repeat(length) + "\n").collect::<Vec<_>>();
        let section = |items| Section { head: "### head\n".to_owned(), items };
        assert_eq!(fitted(&[section(items(1, 3))], "more"), "### head\nxxx\n");
        let text = fitted(&[section(items(3, 40_000)), section(items(2, 10))], "`show` it");
        assert!(text.len() <= LONGEST && text.lines().filter(|line| line.starts_with('x')).count() == 3);
        assert!(text.ends_with("\n2 entries are left out here: `show` it\n"));
        let told = |rank, verdict, length| (rank, verdict, vec![section(items(1, length))]);
        let mut many: Vec<_> = (0..100).map(|_| told(5, "in sync", 1000)).collect();
        many.push((0, "drift", vec![Section { head: "### it\n".to_owned(), items: Vec::new() }]));
        assert!(fitted(&by_verdict(many, 101), "more").starts_with("1 drift, 100 in sync\n\n### it\n\n### head\n"));
        let heads: Vec<_> = (0..10_000).map(|_| section(Vec::new())).collect();
        assert!(fitted(&heads, "more").len() <= LONGEST);
    }
}
