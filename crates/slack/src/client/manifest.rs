//! App manifests: <https://docs.slack.dev/reference/methods?query=apps.manifest>.

use provision_core::Error;
use provision_core::error::absent_if;
use provision_core::output::Secret;
use serde_json::{Value, json};

use super::json::text;
use super::{Reader, Writer};
use crate::config::checks::{is_app_id, is_client_id, is_team_id};
use crate::error::{Call, absent};
use crate::manifest::Manifest;

/// What a creation gives, all of it once.
#[derive(Debug)]
pub(crate) struct NewApp {
    pub(crate) app_id: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    /// The workspace, where it is told.
    pub(crate) team_id: Option<String>,
}

impl Reader {
    /// Whether the token is taken (<https://docs.slack.dev/reference/methods/apps.manifest.validate>): it is asked with the
    /// smallest manifest there is.
    pub(crate) async fn check_token(&self) -> Result<(), Error> {
        let smallest = json!({"display_information": {"name": "provision"}}).to_string();
        let call = Call::new("apps.manifest.validate", "use the app configuration token").with("manifest", smallest);
        self.clients.send(&call, |_| Ok(())).await
    }

    /// The workspace that the token is of; `None` where Slack does not say so of this kind of token
    /// (<https://docs.slack.dev/reference/methods/auth.test>).
    pub(crate) async fn get_team(&self) -> Result<Option<String>, Error> {
        let call = Call::new("auth.test", "tell which workspace the token is of");
        let said = self.clients.send(&call, |answer| text(&answer, &["team_id"])).await;
        absent_if(said, |error| error.code() == Some("not_allowed_token_type"))
    }

    /// Whether Slack would take a manifest, for this app if there is one
    /// (<https://docs.slack.dev/reference/methods/apps.manifest.validate>).
    pub(crate) async fn check_manifest(&self, manifest: &Manifest, app_id: Option<&str>) -> Result<(), Error> {
        let tried = format!("use the manifest of Slack app `{}`", manifest.name());
        let call = Call::new("apps.manifest.validate", tried).with("manifest", manifest.to_text());
        let call = match app_id {
            Some(app_id) => call.with("app_id", app_id),
            None => call,
        };
        self.clients.send(&call, |_| Ok(())).await
    }

    /// The manifest of an app; `None` if there is no such app
    /// (<https://docs.slack.dev/reference/methods/apps.manifest.export>).
    pub(crate) async fn get_manifest(&self, app_id: &str) -> Result<Option<Manifest>, Error> {
        let call = Call::new("apps.manifest.export", format!("read Slack app `{app_id}`")).with("app_id", app_id);
        let manifest = |answer: Value| Manifest::read(answer.get("manifest").cloned().unwrap_or_default());
        absent(self.clients.send(&call, manifest).await)
    }
}

impl Writer {
    /// Make an app (<https://docs.slack.dev/reference/methods/apps.manifest.create>). It is sent once.
    pub(crate) async fn create(&self, manifest: &Manifest) -> Result<NewApp, Error> {
        let call = Call::new("apps.manifest.create", format!("create Slack app `{}`", manifest.name()));
        // Both are told and written into the plan file.
        let id = |answer: &Value, path: &[&str], is_one: fn(&str) -> bool| match text(answer, path)? {
            id if is_one(&id) => Ok(id),
            _ => Err(format!("its {} is none", path.join("."))),
        };
        let new_app = |answer: Value| {
            Ok(NewApp {
                app_id: id(&answer, &["app_id"], is_app_id)?,
                client_id: id(&answer, &["credentials", "client_id"], is_client_id)?,
                client_secret: Secret::new(text(&answer, &["credentials", "client_secret"])?),
                team_id: text(&answer, &["team_id"]).ok().filter(|id| is_team_id(id)),
            })
        };
        self.clients().send_once(&call.with("manifest", manifest.to_text()), new_app).await
    }

    /// Put a manifest in the place of the whole one that is there
    /// (<https://docs.slack.dev/reference/methods/apps.manifest.update>).
    pub(crate) async fn update(&self, app_id: &str, manifest: &Manifest) -> Result<(), Error> {
        let call = Call::new("apps.manifest.update", format!("write Slack app `{app_id}`")).with("app_id", app_id);
        let done = |answer: Value| match text(&answer, &["app_id"])? {
            found if found == app_id => Ok(()),
            _ => Err("it is about another app".to_owned()),
        };
        self.clients().send(&call.with("manifest", manifest.to_text()), done).await
    }

    /// Delete an app for good; one that is gone is deleted
    /// (<https://docs.slack.dev/reference/methods/apps.manifest.delete>).
    pub(crate) async fn delete(&self, app_id: &str) -> Result<(), Error> {
        let call = Call::new("apps.manifest.delete", format!("delete Slack app `{app_id}`")).with("app_id", app_id);
        absent(self.clients().send(&call, |_| Ok(())).await).map(drop)
    }
}
