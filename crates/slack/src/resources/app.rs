//! `slack.app`: the app that sends the server's alerts.

use std::collections::{BTreeMap, BTreeSet};

use provision_core::context::OperationContext;
use provision_core::facet::{Desired, Entries, Entry, Words};
use provision_core::mark::{Mark, Origin, TagChanges, Tags};
use provision_core::refusal::Refusal;
use provision_core::resource::{Lane, LaneMode, Observation, Present, Resource};
use provision_core::{Error, ErrorKind};
use serde_json::{Map, Value, json};

use crate::client::{Reader, Writer};
use crate::config::{APPS_PAGE, SCOPE, Settings};
use crate::manifest::{List, Manifest};
use crate::names::{IDENTITY, Part};
use crate::resources::{Facets, Write, typed};
use crate::tags::{self, ALLOWED};

provision_core::facets! {
    /// Facets of the app.
    pub(crate) enum AppFacet {
        Name = ("name", 'n', Whole, Exclusive, SameCall),
        RedirectUrls = ("redirect_urls", 'u', NamedKeys, Anonymous, SameCall),
        Scopes = ("scopes", 's', Whole, Anonymous, SameCall),
        IpRanges = ("ip_ranges", 'i', Whole, Exclusive, SameCall),
    }
}

/// Every write is one of the whole manifest.
const LANE: Lane = Lane { name: "manifest", mode: LaneMode::Always };

/// The app.
pub(crate) fn resource(settings: &Settings) -> Resource {
    Resource {
        identity: IDENTITY.to_owned(),
        path: "slack".to_owned(),
        adopt: settings.slack.adopt,
        lane: Some(LANE),
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
        AppFacet::RedirectUrls => Some(facet.desired(urls(settings), urls_at)),
        AppFacet::Scopes => Some(facet.desired(SCOPE, "slack")),
        AppFacet::IpRanges => {
            (created || section.ip_ranges.is_some()).then(|| facet.desired(settings.ip_ranges(), "slack.ip_ranges"))
        }
    })
}

/// Redirect URLs as the members of a map: each is on record by itself.
fn urls(settings: &Settings) -> BTreeMap<&str, &'static str> {
    settings.redirect_urls().into_iter().map(|url| (url, ALLOWED)).collect()
}

/// A facet in words.
pub(crate) fn in_words(facet: AppFacet, value: &Value) -> Option<Words> {
    let list = |values: Vec<&str>| values.join(", ");
    let texts = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
    match facet {
        AppFacet::Name => None,
        AppFacet::RedirectUrls => Some(("redirect URLs", list(members(value)))),
        AppFacet::Scopes => Some(("scope", value.as_str().unwrap_or_default().to_owned())),
        AppFacet::IpRanges => (!texts.is_empty()).then(|| ("IP ranges", list(texts))),
    }
}

fn scope_in(value: &Value) -> Vec<&str> {
    value.as_str().into_iter().collect()
}

fn members(value: &Value) -> Vec<&str> {
    value.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

/// Look at the app of this id.
pub(crate) async fn observe(reader: &Reader, app_id: &str, in_sandbox: bool) -> Result<Observation, Error> {
    let Some(manifest) = reader.get_manifest(app_id).await? else {
        return Ok(Observation::Missing(missing(app_id, in_sandbox)));
    };
    let observed = AppFacet::all_observed(|facet| match facet {
        AppFacet::Name => facet.observed(Ok(manifest.name())),
        AppFacet::RedirectUrls => facet.entries(Ok(redirect_urls(&manifest))),
        AppFacet::Scopes => facet.entries(Ok(scopes(&manifest))),
        AppFacet::IpRanges => facet.observed(Ok(manifest.list(List::IpRanges).into_iter().collect::<BTreeSet<_>>())),
    });
    let mark = Mark::from_tags(&tags::read(manifest.description(), app_id));
    Ok(Observation::Present(Box::new(Present { mark, observed, ..Present::default() })))
}

/// Another app is never made in the place of one that the plan file names: this may be the token of another workspace.
fn missing(app_id: &str, in_sandbox: bool) -> Refusal {
    if in_sandbox {
        return Refusal {
            reason: format!("Slack app `{app_id}` is not one of the sandbox's"),
            hint: "`app_id` under [slack] names it: rehearse with a copy of the plan file without it".to_owned(),
        };
    }
    Refusal {
        reason: format!("Slack app `{app_id}` is not there for this token: it was deleted, or is another workspace's"),
        hint: format!(
            "use a token of the app's workspace; if the app is gone ({APPS_PAGE} shows those that you have), or if it is one of a \
             rehearsal's, take `app_id` and `client_id` out of [slack], and apply makes another one"
        ),
    }
}

fn redirect_urls(manifest: &Manifest) -> Entries {
    let entry =
        |url: &str| Entry { member: Some(url.to_owned()), ..Entry::new(json!(ALLOWED), format!("redirect URL {url}")) };
    Entries { list: unique(manifest, List::RedirectUrls).into_iter().map(entry).collect(), limit: None }
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
        AppFacet::IpRanges => {
            let ranges: Vec<String> = typed(value)?;
            manifest.set_list(List::IpRanges, ranges.iter().map(String::as_str));
        }
    }
    Ok(())
}

/// The tags there are; `None` where there is no app.
pub(crate) async fn tags(reader: &Reader, app_id: &str) -> Result<Option<Tags>, Error> {
    let manifest = reader.get_manifest(app_id).await?;
    Ok(manifest.map(|manifest| tags::read(manifest.description(), app_id)))
}

/// Put tags into the description. Slack knows no precondition: the manifest is read once more.
pub(crate) async fn update_tags(
    writer: &Writer,
    app_id: &str,
    found: &Tags,
    changes: &TagChanges,
) -> Result<(), Error> {
    update(writer, app_id, |manifest| {
        let now = tags::read(manifest.description(), app_id);
        tags::unmoved(manifest.name(), found, &now)?;
        let description = tags::written(manifest.description(), &tags::changed(&now, changes), Some(app_id))?;
        manifest.set_description(&description);
        Ok(())
    })
    .await
}

/// Put `value` in place of `before` in one facet, at its turn.
pub(crate) async fn write(
    writer: &Writer,
    app_id: &str,
    write: &Write<'_>,
    context: &OperationContext<'_>,
) -> Result<(), Error> {
    let facet = AppFacet::of(write.facet)?;
    let _turn = context.acquire_lane().await;
    update(writer, app_id, |manifest| merge(manifest, facet, write.before, write.value)).await
}

/// Read a manifest, change it, have it looked at, and put it in the place of what is there. What does not change is not sent.
async fn update(
    writer: &Writer,
    app_id: &str,
    change: impl FnOnce(&mut Manifest) -> Result<(), Error>,
) -> Result<(), Error> {
    let Some(found) = writer.reader().get_manifest(app_id).await? else {
        let error = Error::new(ErrorKind::Stale, format!("Slack app `{app_id}` is gone"));
        return Err(error.with_hint("run `provision slack plan` to see what is there now"));
    };
    let mut manifest = found.clone();
    change(&mut manifest)?;
    if manifest == found {
        return Ok(());
    }
    writer.reader().check_manifest(&manifest, Some(app_id)).await?;
    writer.update(app_id, &manifest).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_app_has_every_facet_and_the_mark_and_is_seen_as_desired() {
        let slack =
            crate::config::SlackSection { ip_ranges: Some(vec!["203.0.113.7".to_owned()]), ..Default::default() };
        let deployment = serde_json::from_value(json!({"name": "ab", "host": "https://a.example"})).unwrap();
        let settings = Settings { deployment, slack };
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
