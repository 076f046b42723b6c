//! The mark as a part of an app's description, in the 140 characters that it has with everything else in it
//! (<https://docs.slack.dev/reference/app-manifest#display>).
//!
//! `Alerts of Weights & Biases (provision:wandb-prod:c:v1:k3xq7a:-nabcdsefghu2x4b:p)`: deployment, origin, version, the app it was
//! written for, the ledgers, and whether the app is among the parts that have been applied. The app's id is not known before the
//! app is made: until the next write `new` stands there. What every mark of ours has is left out: the digest of the full name, the
//! one part, and the digest of the one value that redirect URLs and IP ranges are on record with. Whatever is not of this grammar to the letter is
//! somebody's own text, and stays.

use provision_core::digest::{self, FACET_DIGEST_LENGTH, NAME_DIGEST_LENGTH};
use provision_core::mark::{DEPLOYMENT_KEY, ORIGIN_KEY, PARTS_KEY, SPEC_KEY, TagChanges, Tags, joined};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::json;

use crate::names::{IDENTITY, Part};

/// What stands before the mark of an app that we make.
const SENTENCE: &str = "Alerts of Weights & Biases";
/// The most characters of a description.
const LONGEST: usize = 140;
/// How the mark begins and ends.
const OPENS: &str = "(provision:";
const CLOSES: char = ')';
/// Between its fields; no deployment, digest or ledger has one.
const BETWEEN: char = ':';
/// Stands for the app before its id is known.
const NEW: &str = "new";
/// Before a redirect URL or an IP range in a ledger: that it is one of many, under the facet's letter and the digest of its name.
const KEYED: char = '_';
const NAMED: usize = 1 + FACET_DIGEST_LENGTH;
/// The value under which a redirect URL or an IP range is desired, observed and on record.
pub(crate) const ALLOWED: &str = "allowed";

/// How many redirect URLs and IP ranges can be on record in a deployment of that name, beside the mark and the records of the other
/// facets: most of all takes the mark of a creation, which says of each that it was begun.
pub(crate) fn most_entries(deployment: &str) -> usize {
    let others = OPENS.len() + deployment.len() + ":c:v1:".len() + NAME_DIGEST_LENGTH + ":-".len();
    let facets = "unfinished".len() + (2 + FACET_DIGEST_LENGTH) + "---:p)".len();
    LONGEST.saturating_sub(others + facets) / (2 + NAMED)
}

/// The tags in the description of an app, as the core has them.
pub(crate) fn read(description: &str, app_id: &str) -> Tags {
    split(description).1.and_then(|mark| tags_of(mark, app_id)).unwrap_or_default()
}

/// The description with these tags in the place of those that are there; `app_id` once it is known.
///
/// # Errors
///
/// There is no room for both them and what somebody wrote.
pub(crate) fn written(description: &str, tags: &Tags, app_id: Option<&str>) -> Result<String, Error> {
    let own = split(description).0;
    let Some(mark) = mark_of(tags, app_id)? else { return Ok(own.to_owned()) };
    let whole = if own.is_empty() { mark.clone() } else { format!("{own} {mark}") };
    if whole.chars().count() <= LONGEST {
        return Ok(whole);
    }
    if own == SENTENCE {
        return Ok(mark);
    }
    let error = Error::new(ErrorKind::Refused, "refused to write provision's tags into the app's description");
    Err(error
        .with_message(format!(
            "it has {} characters, provision's tags take {}, and Slack takes {LONGEST} in all",
            own.chars().count(),
            mark.len() + 1
        ))
        .with_hint("shorten the app's description in Slack, or use a shorter name for the deployment"))
}

/// The same of an app that is to be made.
pub(crate) fn of_new_app(tags: &Tags) -> Result<String, Error> {
    written(SENTENCE, tags, None)
}

/// Stop, to look again, where the mark is not as it was found.
pub(crate) fn unmoved(name: &str, found: &Tags, now: &Tags) -> Result<(), Error> {
    if found == now {
        return Ok(());
    }
    let error =
        Error::new(ErrorKind::Conflict, format!("provision's tags of Slack app `{name}` were changed meanwhile"));
    Err(error.with_retry(RetryClass::Conflict))
}

/// Tags with changes made that have no value of somebody else's among them.
pub(crate) fn changed(tags: &Tags, changes: &TagChanges) -> Tags {
    provision_core::mark::with_changes(tags, changes)
}

/// Somebody's own text, and what is in the brackets behind it.
fn split(description: &str) -> (&str, Option<&str>) {
    let mark = description.strip_suffix(CLOSES).and_then(|text| text.rsplit_once(OPENS));
    match mark {
        Some((own, mark)) if tags_of(mark, "").is_some() => (own.trim_end(), Some(mark)),
        _ => (description, None),
    }
}

fn tags_of(mark: &str, app_id: &str) -> Option<Tags> {
    let fields: Vec<_> = mark.split(BETWEEN).collect();
    let [deployment, origin, version, app, ledgers, parts] = fields.as_slice() else { return None };
    let plain = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
    };
    if deployment.is_empty() || !version.starts_with('v') || !fields.iter().all(|field| plain(field)) {
        return None;
    }
    let identity = digest::short(IDENTITY, NAME_DIGEST_LENGTH);
    // One that was copied from another app has the digest of that one's id.
    let written_for = if *app == NEW || *app == digest_of(app_id) { identity.as_str() } else { *app };
    let spec = format!("{version}-{written_for}{}", lengthened(ledgers)?);
    let mut tags = Tags::from([
        (DEPLOYMENT_KEY.to_owned(), (*deployment).to_owned()),
        (SPEC_KEY.to_owned(), spec),
        (PARTS_KEY.to_owned(), String::new()),
    ]);
    let letter = match *origin {
        "c" => Some(("created", "c")),
        "a" => Some(("adopted", "a")),
        "" => None,
        _ => return None,
    };
    tags.extend(letter.map(|(origin, _)| (ORIGIN_KEY.to_owned(), origin.to_owned())));
    match *parts {
        "p" => drop(tags.insert(PARTS_KEY.to_owned(), part(letter.map_or("c", |(_, letter)| letter)))),
        "" => drop(tags.remove(PARTS_KEY)),
        _ => return None,
    }
    Some(tags)
}

/// The text of tags; `None` where there is no mark among them.
fn mark_of(tags: &Tags, app_id: Option<&str>) -> Result<Option<String>, Error> {
    let Some(deployment) = tags.get(DEPLOYMENT_KEY) else { return Ok(None) };
    let unknown = || Error::bug("a mark cannot be written into a description");
    let origin = match tags.get(ORIGIN_KEY).map(String::as_str) {
        Some("created") => "c",
        Some("adopted") => "a",
        _ => "",
    };
    let spec = joined(tags, SPEC_KEY);
    let (version, rest) = spec.split_once('-').ok_or_else(unknown)?;
    let ledgers = rest.strip_prefix(&digest::short(IDENTITY, NAME_DIGEST_LENGTH)).ok_or_else(unknown)?;
    let app = app_id.map_or_else(|| NEW.to_owned(), digest_of);
    let parts = joined(tags, PARTS_KEY);
    let parts = match parts.as_str() {
        "" => "",
        parts if parts == part(origin) => "p",
        _ => return Err(unknown()),
    };
    let fields = [deployment.as_str(), origin, version, &app, &shortened(ledgers), parts].join(":");
    Ok(Some(format!("{OPENS}{fields}{CLOSES}")))
}

fn digest_of(app_id: &str) -> String {
    digest::short(app_id, NAME_DIGEST_LENGTH)
}

/// The app among the parts, of the core's grammar.
fn part(origin: &str) -> String {
    format!("{}_{origin}{}", Part::App.address().part(), digest::short(IDENTITY, FACET_DIGEST_LENGTH))
}

/// The digest of the one value of redirect URLs and IP ranges.
fn allowed() -> String {
    digest::of_value(&json!(ALLOWED))
}

/// Ledgers without the digest that all redirect URLs and IP ranges have.
fn shortened(ledgers: &str) -> String {
    let mut pieces = ledgers.split(KEYED);
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| {
        let (name, rest) = piece.split_at_checked(NAMED).unwrap_or((piece, ""));
        format!("{text}{KEYED}{name}{}", rest.strip_prefix(&allowed()).unwrap_or(rest))
    })
}

/// The reverse of [`shortened`]; `None` where a name is cut off.
fn lengthened(ledgers: &str) -> Option<String> {
    let mut pieces = ledgers.split(KEYED);
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.try_fold(first, |text, piece| {
        let (name, rest) = piece.split_at_checked(NAMED)?;
        Some(format!("{text}{KEYED}{name}{}{rest}", allowed()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use provision_core::ledger::Record;
    use provision_core::mark::{Mark, Origin, PartRecord, State};

    const APP: &str = "A012ABCD0A0";

    fn mark(deployment: &str, urls: usize) -> Mark {
        let mut mark = Mark::unfinished(deployment, Origin::Created, IDENTITY);
        for facet in ['n', 's'] {
            mark.own.put(facet, Record::written(&json!(facet)));
        }
        for url in 0..urls {
            mark.own.put_member(if url == 0 { 'u' } else { 'r' }, &url.to_string(), Record::written(&json!(ALLOWED)));
        }
        mark.state = State::Written;
        mark.parts.insert("app".to_owned(), PartRecord::new(Some(Origin::Created), IDENTITY));
        mark
    }

    fn read_back(description: &str, app: &str) -> Option<Mark> {
        Mark::from_tags(&read(description, app))
    }

    #[test]
    fn mark_survives_a_description() {
        let begun = {
            let mut mark = mark("ab", 1);
            mark.own.begin('u', Some("https://a.example"), &json!(ALLOWED));
            mark.own.begin('s', None, &json!("incoming-webhook"));
            mark.own.put_member('u', "https://b.example", Record::preexisting(&json!(ALLOWED)));
            mark
        };
        let adopted = Mark::unfinished("ab", Origin::Adopted, IDENTITY);
        for mark in [mark("wandb-prod", 2), mark("ab", 0), begun, adopted] {
            let text = written("Our own words.", &mark.to_tags(), Some(APP)).unwrap();
            assert!(text.starts_with("Our own words. (provision:"), "{text}");
            assert_eq!(read_back(&text, APP), Some(mark.clone()), "{text}");
            assert_eq!(written(&text, &mark.to_tags(), Some(APP)).unwrap(), text);
            assert_eq!(written(&text, &Tags::new(), Some(APP)).unwrap(), "Our own words.");
        }
    }

    #[test]
    fn longest_mark_has_room() {
        for name in ["ab".to_owned(), "wandb-prod".to_owned(), "n".repeat(40)] {
            let most = most_entries(&name);
            assert!(most >= 7, "{name}: {most}");
            let mut begun = Mark::unfinished(&name, Origin::Created, IDENTITY);
            (0..most).for_each(|url| begun.own.begin('u', Some(&format!("new {url}")), &json!(ALLOWED)));
            begun.own.begin('s', None, &json!("x"));
            for mark in [mark(&name, most), begun] {
                let text = of_new_app(&mark.to_tags()).unwrap();
                assert!(text.chars().count() <= LONGEST && read_back(&text, APP).is_some(), "{text}");
            }
        }
    }

    #[test]
    fn mark_that_was_copied_from_another_app_is_not_for_this_one() {
        let tags = mark("ab", 1).to_tags();
        let text = written("", &tags, Some(APP)).unwrap();
        assert!(read_back(&text, APP).is_some_and(|mark| mark.is_for(IDENTITY)));
        assert!(read_back(&text, "A999").is_some_and(|mark| !mark.is_for(IDENTITY)));
        // Until its id is known it is of any.
        let new = written("", &tags, None).unwrap();
        assert!(read_back(&new, APP).is_some_and(|mark| mark.is_for(IDENTITY)));
    }

    #[test]
    fn whatever_is_not_of_the_grammar_is_somebody_s_own_text() {
        for text in [
            "",
            "Alerts (provision:us-east)",
            "(provision:ab:x:v1:new::p)",
            "(provision:ab:c:v1:new::q)",
            "(provision:ab:c:v1:new::p) and more",
            "(provision:AB:c:v1:new::p)",
            "(provision:ab:c:1:new::p)",
            "(provision:ab:c:v1:new:_uab:p)",
        ] {
            assert_eq!((read(text, APP), split(text).0), (Tags::new(), text));
        }
        let newer = read_back("(provision:ab:c:v2:new:x:p)", APP).unwrap();
        assert!(newer.newer_version().is_some());
    }

    #[test]
    fn somebody_s_text_is_never_cut_and_our_own_makes_way() {
        let tags = mark(&"n".repeat(40), 2).to_tags();
        let error = written(&"w".repeat(100), &tags, Some(APP)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(of_new_app(&tags).unwrap().chars().count() <= LONGEST);
    }
}
