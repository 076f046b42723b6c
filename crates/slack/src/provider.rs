//! The two traits of the core, each method a few lines that lead to the app.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use provision_core::contents::Contents;
use provision_core::context::OperationContext;
use provision_core::deployment::Deployment;
use provision_core::facet::{Desired, Facets, Words};
use provision_core::identity::Identity;
use provision_core::keeper::Keeper;
use provision_core::mark::{Mark, Origin, TagChanges, Tags};
use provision_core::operation::{FacetWrite, Operation};
use provision_core::output::{Output, OutputSource};
use provision_core::provider::{Connection, Created, Observer, ProviderConfig, Provisioner, Write};
use provision_core::reach::{CredentialSource, Endpoint};
use provision_core::resource::{Observation, Orphan, Resource};
use provision_core::{Address, Error, RetryClass};
use serde_json::{Map, Value, json};

use crate::client::manifest::NewApp;
use crate::client::{Reader, Writer};
use crate::config::checks::is_team_id;
use crate::config::{APPS_PAGE, App, PENDING, Settings};
use crate::credential::{self, Session};
use crate::doctor;
use crate::error::{may_have_created, uncertain};
use crate::names::Part;
use crate::outputs;
use crate::resources::app;

/// The section of the plan file in which ids are noted, and their keys.
const SECTION: &str = "slack";
const APP_ID: &str = "app_id";
const CLIENT_ID: &str = "client_id";
const TEAM_ID: &str = "team_id";
const SECRET_FILE: &str = "secret_file";

/// One plan file's settings on one client. With a [`Reader`] it can only observe.
#[derive(Debug)]
struct Provider<C> {
    settings: Settings,
    session: Session,
    client: C,
    keeper: Option<Arc<dyn Keeper>>,
    /// The app: the plan file's, or the one that this run made.
    app: Mutex<App>,
}

#[async_trait]
impl ProviderConfig for Settings {
    fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// There is none in Slack.
    fn data_resource_name(&self) -> &'static str {
        ""
    }

    fn protect(&self) -> bool {
        false
    }

    fn to_json(&self) -> Value {
        json!(self)
    }

    fn account(&self) -> String {
        String::new()
    }

    fn prerequisites(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::new()
    }

    fn in_words(&self, _address: &Address, facet: &str, value: &Value) -> Vec<Words> {
        let words = || app::in_words(Facets::of(facet).ok()?, value);
        words().into_iter().collect()
    }

    fn given_once(&self) -> &'static [&'static str] {
        if self.slack.app_id.is_none() { &[outputs::SECRET] } else { &[] }
    }

    async fn endpoints(&self, connection: &Connection) -> Result<Vec<Endpoint>, Error> {
        doctor::endpoints(self, connection)
    }

    async fn credential_source(&self, connection: &Connection) -> Result<CredentialSource, Error> {
        doctor::credential_source(self, connection)
    }

    async fn observer(&self, connection: &Connection) -> Result<Box<dyn Observer>, Error> {
        let (clients, session) = credential::connect(connection)?;
        Ok(Box::new(Provider::new(self.clone(), session, Reader::new(clients), None)))
    }

    async fn provisioner(&self, connection: &Connection) -> Result<Box<dyn Provisioner>, Error> {
        let (clients, session) = credential::connect(connection)?;
        Ok(Box::new(Provider::new(self.clone(), session, Writer::new(clients), connection.keeper.clone())))
    }

    fn outside_terraform(&self) -> Option<&'static str> {
        Some("no provider of Terraform's makes Slack's apps")
    }

    async fn outputs(&self, _connection: &Connection) -> Result<Vec<Output>, Error> {
        Ok(outputs::outputs(&outputs::app(self)))
    }

    async fn reveal(&self, _connection: &Connection) -> Result<Vec<Output>, Error> {
        Ok(outputs::revealed(self))
    }
}

impl<C> Provider<C> {
    fn new(settings: Settings, session: Session, client: C, keeper: Option<Arc<dyn Keeper>>) -> Self {
        let app = Mutex::new(outputs::app(&settings));
        Self { settings, session, client, keeper, app }
    }

    fn app(&self) -> App {
        self.app.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_app(&self, app: App) {
        *self.app.lock().unwrap_or_else(PoisonError::into_inner) = app;
    }

    fn app_id(&self) -> Result<String, Error> {
        self.app().id.ok_or_else(|| Error::bug("an app without an id is written"))
    }

    fn keeper(&self) -> Result<&dyn Keeper, Error> {
        self.keeper.as_deref().ok_or_else(|| Error::bug("nobody keeps what Slack gives once"))
    }
}

/// The plan file could not be written before anything was asked for.
fn nothing_made(error: Error) -> Error {
    error.with_hint("no app was made: see that the plan file can be written, then run the same command again")
}

impl Provider<Writer> {
    /// Make the app. That one is about to be made is in the plan file before, so that a run that does not get to know the id keeps
    /// the next one from making a second app, and where its secret will be, so that a run that is killed does not hide it.
    async fn create_app(&self, tags: &Tags, facets: &Map<String, Value>) -> Result<(), Error> {
        let (keeper, name) = (self.keeper()?, self.settings.name());
        let manifest = app::new_manifest(name, tags, facets)?;
        self.client.reader().check_manifest(&manifest, None).await?;
        let place = keeper.place();
        let file = place.as_deref().map(|file| (SECRET_FILE, Some(file)));
        let begun: Vec<_> = [(APP_ID, Some(PENDING))].into_iter().chain(file).collect();
        keeper.note(SECTION, &begun).map_err(nothing_made)?;
        match self.client.create(&manifest).await {
            Ok(made) => self.made(keeper, &made, place.as_deref()),
            Err(error) if may_have_created(&error) => Err(uncertain(error, name)),
            Err(error) => {
                let file = file.map(|_| (SECRET_FILE, self.settings.slack.secret_file.as_deref()));
                keeper.note(SECTION, &[(APP_ID, None)].into_iter().chain(file).collect::<Vec<_>>())?;
                Err(error)
            }
        }
    }

    /// Keep what is given once: told first, since a file may not be written; each as far as it goes.
    fn made(&self, keeper: &dyn Keeper, made: &NewApp, place: Option<&str>) -> Result<(), Error> {
        let NewApp { app_id, client_id, client_secret, team_id } = made;
        let lines = [
            (APP_ID, Some(app_id.as_str())),
            (CLIENT_ID, Some(client_id.as_str())),
            (TEAM_ID, team_id.as_deref()),
            (SECRET_FILE, place),
        ];
        let lines: Vec<_> = lines.into_iter().filter(|(_, value)| value.is_some()).collect();
        let told = lines.iter().map(|(key, value)| format!("`{key} = \"{}\"`", value.unwrap_or_default()));
        keeper.tell(&format!(
            "Slack app `{app_id}` is made; should this run not end, these lines belong under [slack] of the plan file, in the place of \
             `app_id = \"{PENDING}\"`: {}; its secret is at {APPS_PAGE}/{app_id}",
            told.collect::<Vec<_>>().join(", ")
        ));
        let app = App {
            id: Some(app_id.clone()),
            client_id: Some(client_id.clone()),
            team_id: team_id.clone(),
            ..App::default()
        };
        self.set_app(app.clone());
        let kept = keeper.keep(&outputs::given(client_id, client_secret.clone()));
        let printed = place.is_none().then(|| client_secret.clone());
        if kept.is_ok() {
            self.set_app(App { secret_file: place.map(str::to_owned), printed, ..app });
        }
        let noted = keeper.note(SECTION, &lines);
        kept.and(noted)
    }

    /// The workspace of an app of ours where the plan file does not say it: that of a run which was cut off, whose app's id somebody
    /// wrote there. An app that a token shows is of the token's workspace. What keeps it from being known or written keeps nothing else.
    async fn note_team(&self, found: &Tags) -> Result<(), Error> {
        let made = Mark::from_tags(found).is_some_and(|mark| mark.origin == Origin::Created);
        let Some(keeper) = self.keeper.as_deref().filter(|_| made && self.app().team_id.is_none()) else {
            return Ok(());
        };
        let team = match self.client.reader().get_team().await {
            Err(error) if *error.retry() == RetryClass::Final => None,
            said => said?.filter(|team| is_team_id(team)),
        };
        let Some(team) = team else { return Ok(()) };
        if let Err(error) = keeper.note(SECTION, &[(TEAM_ID, Some(&team))]) {
            keeper.tell(&format!("write `{TEAM_ID} = \"{team}\"` under [slack] of the plan file yourself: {error}"));
        }
        self.set_app(App { team_id: Some(team), ..self.app() });
        Ok(())
    }

    /// What the plan file says of an app that is gone goes too. If it cannot, that is told: the app is gone all the same.
    fn forget(&self) {
        self.set_app(App::default());
        let Some(keeper) = &self.keeper else { return };
        let keys = [APP_ID, CLIENT_ID, TEAM_ID, SECRET_FILE].map(|key| (key, None));
        if let Err(error) = keeper.note(SECTION, &keys) {
            let keys = keys.map(|(key, _)| format!("`{key}`")).join(", ");
            keeper.tell(&format!("the app is gone; take {keys} out of [slack] of the plan file yourself: {error}"));
        }
    }
}

#[async_trait]
impl<C: AsRef<Reader> + Send + Sync> Observer for Provider<C> {
    fn cloud(&self) -> &'static str {
        "slack"
    }

    fn resources(&self) -> Vec<Resource> {
        vec![app::resource(&self.settings)]
    }

    fn desired(&self, _address: &Address, origin: Origin) -> Vec<Desired> {
        app::desired(&self.settings, origin)
    }

    fn outputs(&self) -> Vec<Output> {
        outputs::outputs(&self.app())
    }

    fn output_sources(&self) -> Vec<(&'static str, OutputSource)> {
        outputs::sources(&self.app())
    }

    /// The plan file's id says which app it is, whatever it is called.
    fn anothers_alternative(&self, _address: &Address) -> Option<String> {
        Some(
            "write the id of another app as `app_id` under [slack], or take `app_id`, `client_id`, `team_id` and `secret_file` out to \
             have one made"
                .to_owned(),
        )
    }

    fn warnings(&self) -> Vec<String> {
        outputs::warnings(&self.settings, self.app().client_id.as_deref())
    }

    fn next_steps(&self) -> Option<String> {
        None
    }

    /// Slack does not say whose a configuration token is: it is asked whether the token is taken.
    async fn identity(&self) -> Result<Identity, Error> {
        self.client.as_ref().check_token().await?;
        let account = self.settings.slack.app_id.clone().unwrap_or_else(|| "not made yet".to_owned());
        let (principal, region) = ("SLACK_CONFIG_TOKEN".to_owned(), "slack.com".to_owned());
        Ok(Identity { account, principal, region, endpoints: self.session.endpoints.clone() })
    }

    async fn observe(&self, _address: &Address) -> Result<Observation, Error> {
        match self.app().id {
            Some(id) => app::observe(self.client.as_ref(), &id, &self.settings, self.session.is_sandbox()).await,
            None => Ok(Observation::Absent),
        }
    }

    /// Slack has no list of apps.
    async fn marked(&self, _deployments: &[String]) -> Result<Vec<Orphan>, Error> {
        Ok(Vec::new())
    }

    async fn contents(&self, _address: &Address) -> Result<Contents, Error> {
        Ok(Contents::default())
    }
}

#[async_trait]
impl Provisioner for Provider<Writer> {
    async fn tags(&self, _operation: &Operation) -> Result<Option<Tags>, Error> {
        match self.app().id {
            Some(id) => app::tags(self.client.reader(), &id).await,
            None => Ok(None),
        }
    }

    async fn update_tags(&self, _operation: &Operation, found: &Tags, changes: &TagChanges) -> Result<(), Error> {
        app::update(&self.client, &self.app_id()?, found, changes, &[]).await
    }

    async fn update(
        &self,
        _operation: &Operation,
        found: &Tags,
        changes: &TagChanges,
        facets: &[FacetWrite],
        _context: &OperationContext<'_>,
    ) -> Result<(), Error> {
        self.note_team(found).await?;
        app::update(&self.client, &self.app_id()?, found, changes, facets).await
    }

    async fn create(
        &self,
        _operation: &Operation,
        tags: &Tags,
        facets: &Map<String, Value>,
        _context: &OperationContext<'_>,
    ) -> Result<Created, Error> {
        // An operation that is repeated has made it already.
        if self.app().id.is_none() {
            self.create_app(tags, facets).await?;
        }
        Ok(Created::Made)
    }

    async fn write(
        &self,
        _operation: &Operation,
        _write: &Write<'_>,
        _context: &OperationContext<'_>,
    ) -> Result<(), Error> {
        Err(Error::bug("an app is written as a whole"))
    }

    async fn empty(&self, operation: &Operation, _context: &OperationContext<'_>) -> Result<(), Error> {
        Err(Part::of(&operation.address)?.as_a_whole())
    }

    async fn delete(&self, _operation: &Operation, context: &OperationContext<'_>) -> Result<(), Error> {
        context.still_ours().await?;
        if let Some(id) = self.app().id {
            self.client.delete(&id).await?;
        }
        self.forget();
        Ok(())
    }
}
