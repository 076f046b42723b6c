//! `slack.app`: the app that sends the server's alerts.

use std::collections::{BTreeMap, BTreeSet};

use provision_core::facet::{Desired, Entries, Entry, Words};
use provision_core::mark::{Mark, Origin, TagChanges, Tags};
use provision_core::operation::FacetWrite;
use provision_core::refusal::Refusal;
use provision_core::resource::{Observation, Present, Resource};
use provision_core::{Error, ErrorKind};
use serde_json::{Map, Value, json};

use crate::client::{Reader, Writer};
use crate::config::checks::MOST_RANGES;
use crate::config::{APPS_PAGE, SCOPE, Settings};
use crate::manifest::{List, Manifest};
use crate::names::{IDENTITY, Part};
use crate::resources::{Facets, typed};
use crate::tags::{self, ALLOWED};

provision_core::facets! {
    /// Facets of the app.
    pub(crate) enum AppFacet {
        Name = ("name", 'n', Whole, Exclusive, SameCall),
        RedirectUrls = ("redirect_urls", 'u', NamedKeys, Anonymous, SameCall),
        Scopes = ("scopes", 's', Whole, Anonymous, SameCall),
        IpRanges = ("ip_ranges", 'r', NamedKeys, Anonymous, SameCall),
    }
}

/// The app, which is its manifest.
pub(crate) fn resource(settings: &Settings) -> Resource {
    Resource {
        identity: IDENTITY.to_owned(),
        path: "slack".to_owned(),
        adopt: settings.slack.adopt,
        one_document: true,
        ..Part::App.resource(settings.name(), AppFacet::ALL)
    }
}

/// The desired facets.
pub(crate) fn desired(settings: &Settings, origin: Origin) -> Vec<Desired> {
    let created = origin == Origin::Created;
    let section = &settings.slack;
    let urls_at = if section.redirect_urls.is_some() { "slack.redirect_urls" } else { "deployment.host" };
    AppFacet::all_desired(|facet| match facet {
        AppFacet::Name => (created || section.name.is_some()).then(|| facet.desired(settings.name(), "slack.name")),
        AppFacet::RedirectUrls => Some(facet.desired(allowed(settings.redirect_urls()), urls_at)),
        AppFacet::Scopes => Some(facet.desired(SCOPE, "slack")),
        AppFacet::IpRanges => {
            (!settings.ip_ranges().is_empty()).then(|| facet.desired(allowed(settings.ip_ranges()), "slack.ip_ranges"))
        }
    })
}

/// Redirect URLs or IP ranges as the members of a map: each is on record by itself.
fn allowed(items: BTreeSet<&str>) -> BTreeMap<&str, &'static str> {
    items.into_iter().map(|item| (item, ALLOWED)).collect()
}

/// A facet in words.
pub(crate) fn in_words(facet: AppFacet, value: &Value) -> Option<Words> {
    let list = |values: Vec<&str>| values.join(", ");
    match facet {
        AppFacet::Name => None,
        AppFacet::RedirectUrls => Some(("redirect URLs", list(members(value)))),
        AppFacet::Scopes => Some(("scope", value.as_str().unwrap_or_default().to_owned())),
        AppFacet::IpRanges => Some(("IP ranges", list(members(value)))),
    }
}

fn scope_in(value: &Value) -> Vec<&str> {
    value.as_str().into_iter().collect()
}

fn members(value: &Value) -> Vec<&str> {
    value.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

/// Look at the app of this id.
pub(crate) async fn observe(
    reader: &Reader,
    app_id: &str,
    settings: &Settings,
    in_sandbox: bool,
) -> Result<Observation, Error> {
    let Some(manifest) = reader.get_manifest(app_id).await? else {
        return missing(reader, app_id, settings, in_sandbox).await;
    };
    let observed = AppFacet::all_observed(|facet| match facet {
        AppFacet::Name => facet.observed(Ok(manifest.name())),
        AppFacet::RedirectUrls => facet.entries(Ok(redirect_urls(&manifest))),
        AppFacet::Scopes => facet.entries(Ok(scopes(&manifest))),
        AppFacet::IpRanges => facet.entries(Ok(ip_ranges(&manifest))),
    });
    let mark = Mark::from_tags(&tags::read(manifest.description(), app_id));
    // People write into the description; the plan file knows the workspace from the app's creation alone.
    let made = settings.slack.team_id.is_some() && !settings.slack.adopt;
    let witness = made.then_some(Origin::Created);
    Ok(Observation::Present(Box::new(Present { mark, observed, witness, ..Present::default() })))
}

/// Another app is never made in the place of one that the plan file names. Slack says the same of one that is gone and of one of another
/// workspace: which of both it is, the token's workspace tells.
async fn missing(reader: &Reader, app_id: &str, settings: &Settings, in_sandbox: bool) -> Result<Observation, Error> {
    if in_sandbox {
        return Ok(Observation::Unclear(Refusal {
            reason: format!("Slack app `{app_id}` is not one of the sandbox's"),
            hint: "`app_id` under [slack] names it: rehearse with a copy of the plan file without it".to_owned(),
        }));
    }
    let there = match &settings.slack.team_id {
        Some(_) => reader.get_team().await?,
        None => None,
    };
    let take_out = "take `app_id`, `client_id` and `team_id` out of [slack]";
    Ok(match (&settings.slack.team_id, there) {
        (Some(team), Some(there)) if *team == there => Observation::Missing(Refusal {
            reason: format!("Slack app `{app_id}` was deleted: its workspace `{team}` has none of that id"),
            hint: format!("{take_out}, and apply makes another one"),
        }),
        (Some(team), Some(there)) => Observation::Unclear(Refusal {
            reason: format!("Slack app `{app_id}` is of workspace `{team}`, and the token is of `{there}`"),
            hint: format!("use a configuration token of workspace `{team}` ({APPS_PAGE})"),
        }),
        _ => Observation::Unclear(Refusal {
            reason: format!(
                "Slack app `{app_id}` is not there for this token: it was deleted, or is another workspace's"
            ),
            hint: format!(
                "use a token of the app's workspace; if the app is gone ({APPS_PAGE} shows those that you have), or if it is one of \
                 a rehearsal's, {take_out}, and apply makes another one"
            ),
        }),
    })
}

fn redirect_urls(manifest: &Manifest) -> Entries {
    let entry =
        |url: &str| Entry { member: Some(url.to_owned()), ..Entry::new(json!(ALLOWED), format!("redirect URL {url}")) };
    Entries { list: unique(manifest, List::RedirectUrls).into_iter().map(entry).collect(), limit: None }
}

/// Ours beside those of others (<https://docs.slack.dev/authentication/best-practices-for-security>).
fn ip_ranges(manifest: &Manifest) -> Entries {
    let entry = |range: &str| Entry {
        member: Some(range.to_owned()),
        ..Entry::new(json!(ALLOWED), format!("IP range {range}"))
    };
    let full = Refusal {
        reason: format!("Slack takes {MOST_RANGES} IP ranges, and the app has as many"),
        hint: "take out of the app's settings in Slack those that nobody needs".to_owned(),
    };
    let list = unique(manifest, List::IpRanges).into_iter().map(entry).collect();
    Entries { list, limit: Some((MOST_RANGES, full)) }
}

fn scopes(manifest: &Manifest) -> Entries {
    let entry = |scope: &str| Entry::new(json!(scope), format!("scope {scope}"));
    Entries { list: unique(manifest, List::BotScopes).into_iter().map(entry).collect(), limit: None }
}

fn unique(manifest: &Manifest, list: List) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    manifest.list(list).into_iter().filter(|item| seen.insert(*item)).collect()
}

/// The manifest of an app that is made with these tags and facets.
pub(crate) fn new_manifest(name: &str, tags: &Tags, facets: &Map<String, Value>) -> Result<Manifest, Error> {
    let mut manifest = Manifest::new(name);
    manifest.set_description(&tags::of_new_app(tags)?);
    for (facet, value) in facets {
        merge(&mut manifest, AppFacet::of(facet)?, &Value::Null, value)?;
    }
    Ok(manifest)
}

/// Put `value` in place of `before` in one facet of a manifest.
fn merge(manifest: &mut Manifest, facet: AppFacet, before: &Value, value: &Value) -> Result<(), Error> {
    match facet {
        AppFacet::Name => manifest.set_name(&typed::<String>(value)?),
        AppFacet::RedirectUrls => manifest.replace_in(List::RedirectUrls, &members(before), &members(value)),
        AppFacet::Scopes => manifest.replace_in(List::BotScopes, &scope_in(before), &scope_in(value)),
        AppFacet::IpRanges => manifest.replace_in(List::IpRanges, &members(before), &members(value)),
    }
    Ok(())
}

/// The tags there are; `None` where there is no app.
pub(crate) async fn tags(reader: &Reader, app_id: &str) -> Result<Option<Tags>, Error> {
    let manifest = reader.get_manifest(app_id).await?;
    Ok(manifest.map(|manifest| tags::read(manifest.description(), app_id)))
}

/// Put facets and tags into the manifest, all at once. Slack knows no precondition: it is read once more, looked at, and sent in the
/// place of what is there. What does not change is not sent.
pub(crate) async fn update(
    writer: &Writer,
    app_id: &str,
    found: &Tags,
    changes: &TagChanges,
    facets: &[FacetWrite],
) -> Result<(), Error> {
    let Some(there) = writer.reader().get_manifest(app_id).await? else {
        let error = Error::new(ErrorKind::Stale, format!("Slack app `{app_id}` is gone"));
        return Err(error.with_hint("run `provision slack plan` to see what is there now"));
    };
    let now = tags::read(there.description(), app_id);
    tags::unmoved(there.name(), found, &now)?;
    let mut manifest = there.clone();
    for write in facets {
        merge(&mut manifest, AppFacet::of(&write.facet)?, &write.before, &write.value)?;
    }
    let description = tags::written(there.description(), &tags::changed(&now, changes), Some(app_id))?;
    manifest.set_description(&description);
    if manifest == there {
        return Ok(());
    }
    writer.reader().check_manifest(&manifest, Some(app_id)).await?;
    writer.update(app_id, &manifest).await
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn new_app_has_every_facet_and_the_mark_and_is_seen_as_desired() {
        let slack =
            crate::config::SlackSection { ip_ranges: Some(vec!["203.0.113.7".to_owned()]), ..Default::default() };
        let deployment = serde_json::from_value(json!({"name": "ab", "host": "https://a.example"})).unwrap();
        let settings = Settings { deployment, slack, folder: PathBuf::new() };
        let desired = desired(&settings, Origin::Created);
        let facets = desired.iter().map(|desired| (desired.facet.name.to_owned(), desired.value.clone())).collect();
        let tags = Mark::unfinished("ab", Origin::Created, IDENTITY).to_tags();
        let manifest = new_manifest(settings.name(), &tags, &facets).unwrap();
        assert_eq!(manifest.name(), "Weights & Biases");
        assert_eq!(manifest.list(List::RedirectUrls), ["https://a.example"]);
        assert_eq!(manifest.list(List::BotScopes), [SCOPE]);
        assert_eq!(manifest.list(List::IpRanges), ["203.0.113.7"]);
        assert_eq!(tags::read(manifest.description(), "A1"), tags);
        assert_eq!(scopes(&manifest).list[0].value, desired[2].value);
    }
}
