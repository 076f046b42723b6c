//! `auth0.application`: what people sign in to the server with, and the URLs that they may be sent to.

use provision_core::context::OperationContext;
use provision_core::facet::{Desired, Words, tags_in_words};
use provision_core::mark::{Mark, Origin, TagChanges, Tags, without_mark};
use provision_core::operation::FacetWrite;
use provision_core::provider::Created;
use provision_core::resource::{Observation, Present, Resource};
use provision_core::{Error, ErrorKind, RetryClass, retry};
use serde_json::{Map, Value, json};

use crate::client::Writer;
use crate::client::clients::Application;
use crate::config::{Adopt, Settings};
use crate::finding::{Found, marked};
use crate::names::{Part, WEB_ORIGINS, identity};
use crate::resources::{Facets, settings, urls};
use crate::tags::MOST_TAGS;

provision_core::facets! {
    /// Facets of the application.
    pub(crate) enum ApplicationFacet {
        Settings = ("settings", 's', NamedKeys, Exclusive, SameCall),
        Callbacks = ("callbacks", 'c', NamedKeys, Anonymous, SameCall),
        WebOrigins = ("web_origins", WEB_ORIGINS, Whole, Anonymous, SameCall),
        LogoutUrls = ("logout_urls", 'l', Whole, Anonymous, SameCall),
        Metadata = ("metadata", 'g', Tags, Exclusive, SameCall),
    }
}

pub(crate) fn resource(settings: &Settings) -> Resource {
    Resource {
        identity: identity(settings),
        path: "auth0".to_owned(),
        adopt: settings.auth0.adopt != Adopt::ByName(false),
        most_tags: MOST_TAGS,
        one_document: true,
        ..Part::Application.resource(settings.application_name(), ApplicationFacet::ALL)
    }
}

/// The desired facets. On an adopted application, values for everybody only where the plan file sets them.
pub(crate) fn desired(settings: &Settings, origin: Origin) -> Vec<Desired> {
    let values = settings::desired(settings, origin == Origin::Created);
    let host = "deployment.host";
    ApplicationFacet::all_desired(|facet| match facet {
        ApplicationFacet::Settings => (!values.is_empty()).then(|| facet.desired(&values, "auth0")),
        ApplicationFacet::Callbacks => {
            let of_host = Some(("server", host));
            Some(facet.desired(settings.callbacks(), "auth0.oidc").with_field_at(of_host))
        }
        ApplicationFacet::WebOrigins => Some(facet.desired(&settings.deployment.host, host)),
        ApplicationFacet::LogoutUrls => Some(facet.desired(settings.logout_url(), host)),
        ApplicationFacet::Metadata => {
            (!settings.metadata().is_empty()).then(|| facet.desired(settings.metadata(), "deployment.tags"))
        }
    })
}

/// A facet in words.
pub(crate) fn in_words(facet: ApplicationFacet, value: &Value) -> Option<Words> {
    let one = || value.as_str().map(str::to_owned);
    match facet {
        ApplicationFacet::Settings => Some(("type", "single page application, PKCE, no secret".to_owned())),
        ApplicationFacet::Callbacks => {
            let callbacks = value.as_object()?.values().rev().filter_map(Value::as_str).collect::<Vec<_>>();
            Some(("callbacks", callbacks.join(", ")))
        }
        ApplicationFacet::WebOrigins => Some(("web origins", one()?)),
        ApplicationFacet::LogoutUrls => Some(("logout URLs", one()?)),
        ApplicationFacet::Metadata => Some(("metadata", tags_in_words(value))),
    }
}

/// What was found among the tenant's applications.
pub(crate) fn observe(found: &Found) -> Observation {
    match found {
        Found::Nothing => Observation::Absent,
        Found::Unclear(refusal) => Observation::Unclear(refusal.clone()),
        Found::One(application) => Observation::Present(Box::new(present(application))),
    }
}

fn present(found: &Application) -> Present {
    let tags = found.tags();
    let observed = ApplicationFacet::all_observed(|facet| match facet {
        ApplicationFacet::Settings => facet.observed(Ok(settings::observed(found))),
        ApplicationFacet::Callbacks => facet.entries(Ok(urls::callbacks(found.callbacks.as_deref()))),
        ApplicationFacet::WebOrigins => facet.entries(Ok(urls::entries(found.web_origins.as_deref(), "web origin"))),
        ApplicationFacet::LogoutUrls => {
            facet.entries(Ok(urls::entries(found.allowed_logout_urls.as_deref(), "logout URL")))
        }
        ApplicationFacet::Metadata => facet.observed(Ok(without_mark(&tags))),
    });
    Present { mark: Mark::from_tags(&tags), observed, ..Present::default() }
}

/// Create the application with its tags and every facet. Nothing is sent twice without a look whether it was made: where the
/// answer was lost, the mark tells.
pub(crate) async fn create(
    writer: &Writer,
    settings: &Settings,
    tags: &Tags,
    facets: &Map<String, Value>,
) -> Result<(Created, Application), Error> {
    let body = body(tags, facets)?;
    let name = settings.application_name();
    retry::call(|| async {
        match writer.create_client(name, &body).await {
            Ok(made) => the_only_one(writer, settings, made).await,
            Err(error) if *error.retry() == RetryClass::Transient => {
                let all = looked(writer.reader().list_clients().await)?;
                let first = marked(settings, &all).first().map(|found| (Created::Existed, (*found).clone()));
                first.ok_or(error)
            }
            Err(error) => Err(error),
        }
    })
    .await
}

/// Two runs at once may each have made one: the one whose id comes first stays, and the other goes again with the run that made it.
async fn the_only_one(
    writer: &Writer,
    settings: &Settings,
    made: Application,
) -> Result<(Created, Application), Error> {
    let all = looked(writer.reader().list_clients().await)?;
    let mut others = marked(settings, &all).into_iter().filter(|other| other.client_id != made.client_id);
    let written = |other: &Application| Mark::from_tags(&other.tags()).is_some_and(|mark| mark.is_written());
    match others.find(|other| written(other) || other.client_id < made.client_id) {
        None => Ok((Created::Made, made)),
        Some(other) => {
            looked(writer.delete_client(&made.client_id).await)?;
            Ok((Created::Existed, other.clone()))
        }
    }
}

/// After a creation nothing is sent again that made something, or may have: where it cannot be known, the next run looks.
fn looked<T>(result: Result<T, Error>) -> Result<T, Error> {
    result.map_err(|error| error.with_retry(RetryClass::Final))
}

/// What is sent to make one with these tags and facets.
fn body(tags: &Tags, facets: &Map<String, Value>) -> Result<Value, Error> {
    let mut body = Map::from_iter([("client_metadata".to_owned(), json!(tags))]);
    for (facet, value) in facets.iter().filter(|(_, value)| !value.is_null()) {
        match ApplicationFacet::of(facet)? {
            ApplicationFacet::Settings => body.extend(settings::changes(value, None)?),
            ApplicationFacet::Metadata => return Err(Error::bug("metadata is written with the mark")),
            list => drop(body.insert(field(list).to_owned(), json!(urls::of_value(value)?))),
        }
    }
    Ok(Value::Object(body))
}

/// The list that holds a facet's URLs.
const fn field(facet: ApplicationFacet) -> &'static str {
    match facet {
        ApplicationFacet::WebOrigins => "web_origins",
        ApplicationFacet::LogoutUrls => "allowed_logout_urls",
        ApplicationFacet::Callbacks | ApplicationFacet::Settings | ApplicationFacet::Metadata => "callbacks",
    }
}

/// Only these keys: the service itself leaves the others alone.
pub(crate) async fn update_tags(writer: &Writer, id: &str, changes: &TagChanges) -> Result<(), Error> {
    writer.update_client(id, "metadata", &json!({ "client_metadata": changes })).await
}

/// Put facets and tags into an application, all in one request. Lists are replaced whole, and so merged into what was `read` right before.
pub(crate) async fn update(
    writer: &Writer,
    mut read: Application,
    tags: &TagChanges,
    facets: &[FacetWrite],
) -> Result<(), Error> {
    let mut body = Map::new();
    for write in facets {
        body.extend(changes(&mut read, ApplicationFacet::of(&write.facet)?, write)?);
    }
    if !tags.is_empty() {
        body.insert("client_metadata".to_owned(), json!(tags));
    }
    if body.is_empty() {
        return Ok(());
    }
    let what: Vec<_> = body.keys().map(String::as_str).collect();
    writer.update_client(&read.client_id, &what.join(", "), &Value::Object(body.clone())).await
}

/// What is written of an application to have a value in place of another in one facet; a list is as it will be then.
fn changes(found: &mut Application, facet: ApplicationFacet, write: &FacetWrite) -> Result<Map<String, Value>, Error> {
    let list = match facet {
        ApplicationFacet::Settings => return settings::changes(&write.value, Some(found)),
        ApplicationFacet::Metadata => return Err(Error::bug("metadata is written with the mark")),
        ApplicationFacet::Callbacks => &mut found.callbacks,
        ApplicationFacet::WebOrigins => &mut found.web_origins,
        ApplicationFacet::LogoutUrls => &mut found.allowed_logout_urls,
    };
    let now = list.take().unwrap_or_default();
    let merged = urls::merged(&now, &urls::of_value(&write.before)?, &urls::of_value(&write.value)?);
    let changed = (merged != now).then(|| (field(facet).to_owned(), json!(merged)));
    *list = Some(merged);
    Ok(changed.into_iter().collect())
}

/// What was there at the plan is not there any more.
pub(crate) fn gone_error(id: &str) -> Error {
    let error = Error::new(ErrorKind::Stale, format!("application `{id}` is gone"));
    error.with_hint("run `provision auth0 plan` to see what is there now")
}

/// Delete it; one that is gone is deleted.
pub(crate) async fn delete(writer: &Writer, id: &str, context: &OperationContext<'_>) -> Result<(), Error> {
    context.still_ours().await?;
    writer.delete_client(id).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::tests::settings_with;
    use provision_core::facet::{Extent, Observed};

    fn created(settings: &Settings) -> Value {
        let desired = desired(settings, Origin::Created).into_iter();
        let facets = desired.filter(|desired| desired.facet.extent != Extent::Tags);
        body(&Tags::new(), &facets.map(|desired| (desired.facet.name.to_owned(), desired.value)).collect()).unwrap()
    }

    #[test]
    fn what_is_created_is_seen_as_wanted() {
        let settings = settings_with("oidc = true");
        let made = created(&settings);
        assert_eq!(made["callbacks"], json!(["https://wandb.example.com/oidc/callback", "https://wandb.example.com"]));
        assert_eq!(made["web_origins"], json!(["https://wandb.example.com"]));
        assert_eq!(made["allowed_logout_urls"], json!(["https://wandb.example.com/logout"]));
        let present = present(&serde_json::from_value(made).unwrap());
        for desired in desired(&settings, Origin::Created) {
            let (_, observed) = present.observed.iter().find(|(name, _)| *name == desired.facet.name).unwrap();
            let seen = match observed {
                Observed::Value(observed) => *observed == desired.value,
                Observed::Entries(entries) if desired.facet.extent == Extent::NamedKeys => {
                    let wanted = desired.value.as_object().unwrap();
                    wanted.values().all(|url| entries.list.iter().any(|entry| entry.value == *url))
                }
                Observed::Entries(entries) => entries.list.iter().any(|entry| entry.value == desired.value),
                Observed::Unknown(error) => panic!("{error}"),
            };
            assert!(seen, "{}", desired.facet.name);
        }
    }

    #[test]
    fn one_list_is_written_with_the_urls_of_others() {
        let found: Application =
            serde_json::from_value(json!({"callbacks": ["https://x", "https://old"], "web_origins": null})).unwrap();
        let written = |facet, before: Value, value: Value| {
            let write = FacetWrite { facet: String::new(), before, value };
            Value::Object(changes(&mut found.clone(), facet, &write).unwrap())
        };
        let (old, new) = (json!({"server": "https://old"}), json!({"server": "https://new"}));
        assert_eq!(
            written(ApplicationFacet::Callbacks, old.clone(), new),
            json!({"callbacks": ["https://x", "https://new"]})
        );
        assert_eq!(written(ApplicationFacet::Callbacks, old.clone(), Value::Null), json!({"callbacks": ["https://x"]}));
        assert_eq!(written(ApplicationFacet::Callbacks, Value::Null, old), json!({}));
        let origin = json!("https://new");
        assert_eq!(written(ApplicationFacet::WebOrigins, Value::Null, origin), json!({"web_origins": ["https://new"]}));
    }

    #[test]
    fn what_is_written_twice_of_a_list_is_written_once() {
        let mut found =
            Application { callbacks: Some(vec!["https://a".to_owned(), "https://b".to_owned()]), ..Default::default() };
        let write = |before: &str| FacetWrite {
            facet: String::new(),
            before: json!({ "server": before }),
            value: json!({"server": "https://c"}),
        };
        changes(&mut found, ApplicationFacet::Callbacks, &write("https://a")).unwrap();
        let last = changes(&mut found, ApplicationFacet::Callbacks, &write("https://b")).unwrap();
        assert_eq!(Value::Object(last), json!({"callbacks": ["https://c"]}));
    }
}
