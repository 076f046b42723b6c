//! Calls for applications, which the API calls clients <https://auth0.com/docs/api/management/v2/clients>.

use std::collections::BTreeMap;

use provision_core::Error;
use provision_core::mark::Tags;
use provision_core::printable::is_obeyed;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::client::json::encoded;
use crate::client::{Reader, Writer};
use crate::error::{Body, Call, absent};
use crate::tags::tags;

/// The most that a page has <https://auth0.com/docs/api/management/v2/clients/get-clients>.
const PAGE: usize = 100;

/// How often a list is begun again that changes while it is read.
const LISTINGS: usize = 5;

/// What is read of an application: no secret is among it.
const FIELDS: &str = "client_id,name,app_type,token_endpoint_auth_method,oidc_conformant,grant_types,jwt_configuration,callbacks,\
                      web_origins,allowed_logout_urls,client_metadata";

/// An application, as far as it is read. What it was made without, it may be shown without.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Application {
    pub(crate) client_id: String,
    pub(crate) name: String,
    pub(crate) app_type: Option<String>,
    pub(crate) token_endpoint_auth_method: Option<String>,
    pub(crate) oidc_conformant: Option<bool>,
    pub(crate) grant_types: Option<Vec<String>>,
    pub(crate) jwt_configuration: Option<Map<String, Value>>,
    pub(crate) callbacks: Option<Vec<String>>,
    pub(crate) web_origins: Option<Vec<String>>,
    pub(crate) allowed_logout_urls: Option<Vec<String>>,
    pub(crate) client_metadata: Option<BTreeMap<String, Value>>,
}

/// A page of a list.
#[derive(Debug)]
struct Page {
    clients: Vec<Application>,
    total: usize,
}

impl Application {
    /// The tags on it.
    pub(crate) fn tags(&self) -> Tags {
        self.client_metadata.as_ref().map(tags).unwrap_or_default()
    }

    /// An answer as the application of this id, or as any one.
    fn of(answer: Value, id: Option<&str>) -> Result<Self, String> {
        let found: Self = serde_json::from_value(answer).map_err(|error| error.to_string())?;
        let is_id = !matches!(found.client_id.as_str(), "" | "." | "..") && !found.client_id.contains(is_obeyed);
        let is_one = is_id && id.is_none_or(|id| id == found.client_id);
        if is_one { Ok(found) } else { Err(ANOTHER.to_owned()) }
    }
}

/// What is said of another document.
const ANOTHER: &str = "it is not what was asked for";

/// A page that begins at its own place, and has no more than it may: an answer to something else has not.
fn page(mut answer: Value, start: usize) -> Result<Page, String> {
    let number = |key: &str| answer[key].as_u64().and_then(|number| usize::try_from(number).ok());
    let (begins, total) = (number("start"), number("total"));
    let clients = match answer["clients"].take() {
        Value::Array(clients) => clients.into_iter().map(|client| Application::of(client, None)),
        _ => return Err(ANOTHER.to_owned()),
    };
    let clients = clients.collect::<Result<Vec<_>, _>>()?;
    match (begins, total) {
        (Some(begins), Some(total)) if begins == start && clients.len() <= PAGE => Ok(Page { clients, total }),
        _ => Err(ANOTHER.to_owned()),
    }
}

fn path_of(id: &str) -> String {
    format!("/api/v2/clients/{}", encoded(id))
}

impl Reader {
    /// Every application of the tenant. Pages are numbered, so that what is made or deleted meanwhile moves the others from one to
    /// the next: then it is read once more <https://auth0.com/docs/api/management/v2/clients/get-clients>.
    pub(crate) async fn list_clients(&self) -> Result<Vec<Application>, Error> {
        let mut error = None;
        for _ in 0..LISTINGS {
            match self.list_pages().await? {
                Ok(found) => return Ok(found),
                Err(moved) => error = Some(moved),
            }
        }
        Err(error.unwrap_or_else(|| Error::bug("a list was never read")))
    }

    async fn list_pages(&self) -> Result<Result<Vec<Application>, Error>, Error> {
        let (mut found, mut total) = (BTreeMap::new(), None);
        for number in 0.. {
            let start = number * PAGE;
            let query = format!("include_totals=true&is_global=false&page={number}&per_page={PAGE}");
            let path = format!("/api/v2/clients?{query}&fields={}&include_fields=true", encoded(FIELDS));
            let call = Call::new("GET", "clients.list", path, "list the tenant's applications".to_owned());
            let Page { clients, total: now } = self.clients.send(&call, |answer| page(answer, start)).await?;
            let more = start + clients.len() < now;
            let stands_still = total.is_none_or(|total| total == now) && !(more && clients.len() < PAGE);
            total = Some(now);
            found.extend(clients.into_iter().map(|client| (client.client_id.clone(), client)));
            match (stands_still, more) {
                (false, _) => return Ok(Err(call.unreadable(&"it changes while it is read"))),
                (true, true) => {}
                (true, false) if found.len() == now => return Ok(Ok(found.into_values().collect())),
                (true, false) => return Ok(Err(call.unreadable(&"its pages do not come to what it says"))),
            }
        }
        Ok(Ok(Vec::new()))
    }

    /// <https://auth0.com/docs/api/management/v2/clients/get-clients-by-id>
    pub(crate) async fn get_client(&self, id: &str) -> Result<Option<Application>, Error> {
        let path = format!("{}?fields={}&include_fields=true", path_of(id), encoded(FIELDS));
        let call = Call::new("GET", "clients.get", path, format!("look at application `{id}`"));
        absent(self.clients.send(&call, |answer| Application::of(answer, Some(id))).await)
    }
}

impl Writer {
    /// With its metadata and every setting in the same call; sent once, for the same name can be made any number of times
    /// <https://auth0.com/docs/api/management/v2/clients/post-clients>.
    pub(crate) async fn create_client(&self, name: &str, settings: &Value) -> Result<Application, Error> {
        let call = Call::new("POST", "clients.create", "/api/v2/clients", format!("create application `{name}`"));
        let read = |answer| Application::of(answer, None).and_then(|made| named(made, name));
        self.clients().once(&call.with_body(Body::Json(settings.clone())), read).await
    }

    /// What is named is replaced, but metadata, of which each key is <https://auth0.com/docs/api/management/v2/clients/patch-clients-by-id>.
    pub(crate) async fn update_client(&self, id: &str, what: &str, changes: &Value) -> Result<(), Error> {
        let call = Call::new("PATCH", "clients.update", path_of(id), format!("write {what} of application `{id}`"));
        let read = |answer| Application::of(answer, Some(id));
        self.clients().send(&call.with_body(Body::Json(changes.clone())), read).await.map(drop)
    }

    /// Of one that is gone too <https://auth0.com/docs/api/management/v2/clients/delete-clients-by-id>.
    pub(crate) async fn delete_client(&self, id: &str) -> Result<(), Error> {
        let call = Call::new("DELETE", "clients.delete", path_of(id), format!("delete application `{id}`"));
        let nothing = |answer: Value| if answer.is_null() { Ok(()) } else { Err(ANOTHER.to_owned()) };
        absent(self.clients().send(&call, nothing).await).map(drop)
    }
}

fn named(made: Application, name: &str) -> Result<Application, String> {
    if made.name == name { Ok(made) } else { Err(ANOTHER.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_application_is_known_by_its_id() {
        let read = |answer: Value| Application::of(answer, Some("a")).is_ok();
        assert!(read(json!({"client_id": "a", "newer": 1})));
        for other in [json!({}), json!({"client_id": "b"}), json!({"client_id": ""}), json!({"client_id": 1})] {
            assert!(!read(other.clone()), "{other}");
        }
        assert!(Application::of(json!({"client_id": ".."}), None).is_err());
        assert!(Application::of(json!({"client_id": "a\rb"}), None).is_err());
    }

    #[test]
    fn a_page_says_where_it_begins_and_how_many_there_are() {
        let read = |answer: Value| page(answer, 100).map(|page| (page.clients.len(), page.total)).ok();
        assert_eq!(
            read(json!({"start": 100, "limit": 100, "total": 101, "clients": [{"client_id": "a"}]})),
            Some((1, 101))
        );
        for other in [
            json!({"start": 0, "total": 101, "clients": []}),
            json!({"start": 100, "clients": []}),
            json!({"start": 100, "total": 101, "clients": [{}]}),
            json!({"start": 100, "total": 101}),
            json!({"error": "sign in"}),
        ] {
            assert_eq!(read(other.clone()), None, "{other}");
        }
    }

    #[test]
    fn nothing_secret_is_asked_for() {
        assert!(!FIELDS.contains("secret") && !FIELDS.contains("signing_keys") && !FIELDS.contains("encryption_key"));
    }
}
