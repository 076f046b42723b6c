//! Calls that the SDK lacks: notifications and the service agent of Cloud Storage, and Resource Manager.

use std::collections::BTreeMap;

use google_cloud_auth::credentials::CacheableResource;
use provision_core::error::root_cause;
use provision_core::trace::body_without_secrets;
use provision_core::{Error, retry};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::{Clients, Json, Pages, Reader, Writer};
use crate::error::answer::{from_json, no_token};
use crate::error::{Call, absent, unavailable};

/// Resource Manager's own limit is not documented; its examples and clients use hundreds.
const PROJECTS_PAGE: u32 = 500;

/// A notification of a bucket's: the JSON API's resource, whose names are in snake case
/// <https://cloud.google.com/storage/docs/json_api/v1/notifications>.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Notification {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) id: String,
    /// `//pubsub.googleapis.com/projects/P/topics/T`.
    pub(crate) topic: String,
    pub(crate) payload_format: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) event_types: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) object_name_prefix: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) custom_attributes: BTreeMap<String, String>,
}

/// The notifications of an answer. Without any the list is left out, and then only its kind tells that it is one.
fn notifications_in(answer: &Value) -> Result<Vec<Notification>, String> {
    match answer.get("items") {
        Some(items) => {
            let items: Vec<Notification> = serde_json::from_value(items.clone()).map_err(|error| error.to_string())?;
            let named = items.iter().all(|item| !item.id.is_empty() && !item.topic.is_empty());
            if named { Ok(items) } else { Err("one of its notifications has no id or no topic".to_owned()) }
        }
        None if answer["kind"] == "storage#notifications" => Ok(Vec::new()),
        None => Err("it is no list of notifications".to_owned()),
    }
}

fn projects_path(token: &str) -> String {
    format!("/v3/projects:search?query=state:ACTIVE&pageSize={PROJECTS_PAGE}&pageToken={}", encoded(token))
}

/// A value as a parameter of a URL has it (<https://www.rfc-editor.org/rfc/rfc3986#section-2.1>).
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// What is read of a notification that was made.
#[derive(Debug, Deserialize)]
struct Inserted {
    id: String,
}

/// A project <https://cloud.google.com/resource-manager/reference/rest/v3/projects#Project>.
#[derive(Debug, Deserialize)]
struct Project {
    /// `projects/NUMBER`.
    name: String,
}

/// <https://cloud.google.com/storage/docs/json_api/v1/projects/serviceAccount>
#[derive(Debug, Deserialize)]
struct ServiceAgent {
    email_address: String,
}

/// A page of projects <https://cloud.google.com/resource-manager/reference/rest/v3/projects/search#response-body>.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ProjectPage {
    projects: Vec<ProjectOfPage>,
    /// Empty at the end.
    next_page_token: String,
}

impl ProjectPage {
    /// One with nothing in it says nothing but where the next one is.
    fn of(answer: &Value) -> Result<Self, String> {
        let page: Self = serde_json::from_value(answer.clone()).map_err(|error| error.to_string())?;
        let known = answer.as_object().is_some_and(|said| said.keys().all(|key| key == "nextPageToken"));
        if known || !page.projects.is_empty() { Ok(page) } else { Err("it is no list of projects".to_owned()) }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProjectOfPage {
    project_id: String,
}

/// The longest answer that is read: a list of a thousand takes a small part of it.
const LONGEST_ANSWER: usize = 32 << 20;

impl Clients {
    /// Send one call of a JSON API, once.
    async fn json(&self, api: &Json, call: &Call<'_>, body: Option<&Notification>) -> Result<Value, Error> {
        let url = format!("{}{}", api.endpoint, call.resource);
        let method = reqwest::Method::from_bytes(call.method.as_bytes()).unwrap_or_default();
        let mut request = api.http.request(method, &url).headers(token(api, &call.tried).await?);
        if let Some(body) = body {
            request = request.json(body);
        }
        let sent = body.map(|body| serde_json::json!(body));
        let sent = self.trace.sent(call, &url, || sent);
        let answer = read(call, request).await;
        let (status, bytes) = (answer.as_ref().ok().map(|(status, ..)| *status), answer.as_ref().ok());
        self.trace.answered(sent, status, || body_without_secrets(&bytes?.2));
        match answer? {
            (200..=299, _, bytes) => answer_of(call, &bytes),
            (status, headers, bytes) => Err(from_json(call, status, &headers, &bytes)),
        }
    }

    /// The same through the one retry policy.
    pub(super) async fn json_repeated(&self, api: &Json, call: &Call<'_>) -> Result<Value, Error> {
        retry::call(|| self.json(api, call, None)).await
    }
}

/// The object that an answer is. What cannot be read says nothing: a proxy in between may have written it.
fn answer_of(call: &Call<'_>, bytes: &[u8]) -> Result<Value, Error> {
    if call.method == "DELETE" && bytes.is_empty() {
        return Ok(Value::Null);
    }
    let answer = serde_json::from_slice::<Value>(bytes).map_err(|error| call.unreadable(&error))?;
    if answer.is_object() { Ok(answer) } else { Err(call.unreadable(&"it is no object")) }
}

/// An answer as what its call gives.
fn parsed<T: DeserializeOwned>(call: &Call<'_>, answer: Value) -> Result<T, Error> {
    serde_json::from_value(answer).map_err(|error| call.unreadable(&error))
}

/// Status, headers and body, as far as it is read.
async fn read(call: &Call<'_>, request: reqwest::RequestBuilder) -> Result<(u16, http::HeaderMap, Vec<u8>), Error> {
    let nothing = |error: reqwest::Error| {
        let reason = if error.is_timeout() { "no answer in time".to_owned() } else { root_cause(&error) };
        unavailable(call.operation, &call.tried, &reason)
    };
    let mut response = request.send().await.map_err(nothing)?;
    let (status, headers, mut body) = (response.status().as_u16(), response.headers().clone(), Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(nothing)? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(call.unreadable(&"it does not end"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, headers, body))
}

/// The headers that carry the token. They are not written into a trace.
async fn token(api: &Json, tried: &str) -> Result<http::HeaderMap, Error> {
    match api.credentials.headers(http::Extensions::new()).await {
        Ok(CacheableResource::New { data, .. }) => Ok(data),
        Ok(CacheableResource::NotModified) => Ok(http::HeaderMap::new()),
        Err(error) if error.is_transient() => Err(unavailable("a token", tried, &root_cause(&error))),
        Err(error) => Err(no_token(tried, &error)),
    }
}

impl Reader {
    /// The number of a project <https://cloud.google.com/resource-manager/reference/rest/v3/projects/get>.
    pub(crate) async fn get_project(&self, project: &str) -> Result<String, Error> {
        let path = format!("/v3/projects/{project}");
        let tried = format!("look up project `{project}`");
        let call = Call::rest("GET", "resourcemanager.projects.get", &path, tried);
        let answer = self.clients.json_repeated(&self.clients.projects_json, &call).await?;
        let project: Project = parsed(&call, answer)?;
        let number = project.name.strip_prefix("projects/");
        number.map(str::to_owned).ok_or_else(|| call.unreadable(&"it names no project"))
    }

    /// The ids of every project that the credentials may see
    /// <https://cloud.google.com/resource-manager/reference/rest/v3/projects/search>.
    pub(crate) async fn search_projects(&self) -> Result<Vec<String>, Error> {
        let (mut pages, mut found) = (Pages::default(), Vec::new());
        loop {
            let path = projects_path(&pages.token);
            let tried = "find the projects that these credentials can see".to_owned();
            let call = Call::rest("GET", "resourcemanager.projects.search", &path, tried);
            let answer = self.clients.json_repeated(&self.clients.projects_json, &call).await?;
            let page = ProjectPage::of(&answer).map_err(|reason| call.unreadable(&reason))?;
            found.extend(page.projects.into_iter().map(|project| project.project_id));
            if !pages.turn(&call, page.next_page_token)? {
                return Ok(found);
            }
        }
    }

    /// The email of the service agent that publishes for the project's buckets
    /// <https://cloud.google.com/storage/docs/json_api/v1/projects/serviceAccount/get>.
    pub(crate) async fn get_service_agent(&self, project: &str) -> Result<String, Error> {
        let path = format!("/storage/v1/projects/{project}/serviceAccount");
        let tried = format!("look up the Cloud Storage service agent of project `{project}`");
        let call = Call::rest("GET", "storage.projects.serviceAccount.get", &path, tried);
        let answer = self.clients.json_repeated(&self.clients.storage_json, &call).await?;
        let ServiceAgent { email_address: email } = parsed(&call, answer)?;
        if email.contains('@') { Ok(email) } else { Err(call.unreadable(&"it names no service account")) }
    }

    /// <https://cloud.google.com/storage/docs/json_api/v1/notifications/list>
    pub(crate) async fn list_notifications(&self, bucket: &str) -> Result<Vec<Notification>, Error> {
        let path = format!("/storage/v1/b/{bucket}/notificationConfigs");
        let tried = format!("read the notifications of bucket `{bucket}`");
        let call = Call::rest("GET", "storage.notificationConfigs.list", &path, tried);
        let answer = self.clients.json_repeated(&self.clients.storage_json, &call).await?;
        notifications_in(&answer).map_err(|reason| call.unreadable(&reason))
    }
}

impl Writer {
    /// Never repeated by itself: Cloud Storage takes the same notification twice, and then every event comes twice. Gives its id
    /// <https://cloud.google.com/storage/docs/json_api/v1/notifications/insert>.
    pub(crate) async fn insert_notification(&self, bucket: &str, notification: &Notification) -> Result<String, Error> {
        let path = format!("/storage/v1/b/{bucket}/notificationConfigs");
        let tried = format!("make the notification of bucket `{bucket}`");
        let call = Call::rest("POST", "storage.notificationConfigs.insert", &path, tried);
        let answer = self.clients().json(&self.clients().storage_json, &call, Some(notification)).await?;
        let Inserted { id } = parsed(&call, answer)?;
        if id.is_empty() { Err(call.unreadable(&"it names no notification")) } else { Ok(id) }
    }

    /// <https://cloud.google.com/storage/docs/json_api/v1/notifications/delete>
    pub(crate) async fn delete_notification(&self, bucket: &str, id: &str) -> Result<(), Error> {
        let path = format!("/storage/v1/b/{bucket}/notificationConfigs/{id}");
        let tried = format!("delete notification `{id}` of bucket `{bucket}`");
        let call = Call::rest("DELETE", "storage.notificationConfigs.delete", &path, tried);
        absent(self.clients().json_repeated(&self.clients().storage_json, &call).await).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &'static str, body: &str) -> Result<Value, provision_core::ErrorKind> {
        let call = Call::rest(method, "storage.notificationConfigs.list", "/", "read".to_owned());
        answer_of(&call, body.as_bytes()).map_err(|error| error.kind())
    }

    #[test]
    fn answers_that_cannot_be_read_are_errors() {
        for body in ["", "<html>", "[]", "null", "\"a\"", "{\"a\": "] {
            assert!(read("GET", body).is_err(), "{body}");
        }
        assert_eq!(read("GET", "{}"), Ok(serde_json::json!({})));
        assert!(read("DELETE", "").is_ok() && read("DELETE", "<html>").is_err());
    }

    #[test]
    fn a_list_of_notifications_is_known_by_its_items_or_its_kind() {
        let read = |answer: Value| notifications_in(&answer).map(|list| list.len());
        assert_eq!(read(serde_json::json!({"kind": "storage#notifications"})), Ok(0));
        assert_eq!(read(serde_json::json!({"items": [{"id": "1", "topic": "t"}]})), Ok(1));
        let (nameless, wrong) = (serde_json::json!({"items": [{}]}), serde_json::json!({"items": {}}));
        for answer in [serde_json::json!({}), nameless, wrong, serde_json::json!({"items": null})] {
            assert!(read(answer).is_err());
        }
    }

    #[test]
    fn a_page_of_projects_without_any_says_nothing_else() {
        let read = |text: &str| ProjectPage::of(&serde_json::from_str(text).unwrap()).map(|page| page.projects.len());
        assert_eq!((read("{}"), read(r#"{"nextPageToken": "a"}"#)), (Ok(0), Ok(0)));
        assert_eq!(read(r#"{"projects": [{"projectId": "p"}], "more": 1}"#), Ok(1));
        assert!(read(r#"{"error": "sign in"}"#).is_err() && read(r#"{"projects": [{}]}"#).is_err());
    }
}
