//! Where credentials come from, and the clients on them.
//!
//! Credentials: Application Default Credentials (`GOOGLE_APPLICATION_CREDENTIALS`, the file that `gcloud auth
//! application-default login` writes, the metadata server), asked once, with a limit, before any call. Where the
//! endpoints are an emulator's, nobody is asked and no token is sent.

use std::path::{Path, PathBuf};

use google_cloud_auth::credentials::{Credentials, anonymous, service_account};
use google_cloud_auth::signer::Signer;
use provision_core::error::root_cause;
use provision_core::identity::SANDBOX;
use provision_core::provider::Connection;
use provision_core::reach::CredentialSource;
use provision_core::retry::{self, CONNECT_TIMEOUT, CREDENTIALS_LIMIT, request_timeout};
use provision_core::{Error, ErrorKind, tls};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::client::{Clients, Json};
use crate::error::answer::no_token;
use crate::error::{unauthenticated, unavailable};
use crate::trace::Tracer;

/// The clients of all the plan files of a process: they share connections and credentials.
static SHARED: OnceCell<(Clients, Session)> = OnceCell::const_new();

/// Cloud Storage, as Google's own tools name it.
const STORAGE: &str = "STORAGE_EMULATOR_HOST";
/// Pub/Sub, as Google's own tools name it.
const PUBSUB: &str = "PUBSUB_EMULATOR_HOST";
/// IAM, IAM Credentials and Resource Manager.
const API: &str = "PROVISION_GCP_API_ENDPOINT";

/// The file of Application Default Credentials.
const FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// Which of Google's clouds the credentials are of, where they do not say it
/// (<https://cloud.google.com/python/docs/reference/google-cloud-core/latest/universe>).
const UNIVERSE: &str = "GOOGLE_CLOUD_UNIVERSE_DOMAIN";
/// The one whose services are called.
const GOOGLES: &str = "googleapis.com";
/// How long a file that is there may take to give a token: federation asks two services, each of which may be slow.
const FILE_LIMIT: std::time::Duration = std::time::Duration::from_secs(30);

/// Where calls go, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// The identity of the credentials, as far as they say it.
    pub(crate) principal: String,
    /// Endpoints that are not Google's own, `NAME=value`.
    pub(crate) endpoints: Vec<String>,
    /// The file that the credentials come from.
    file: Option<PathBuf>,
}

impl Session {
    /// The key in the credentials, where they are a service account's: whoever has it signs without asking anybody.
    pub(crate) fn key(&self) -> Option<Signer> {
        let file = document(self.file.as_deref()?);
        (file["type"] == "service_account").then(|| service_account::Builder::new(file).build_signer().ok())?
    }
}

/// Where calls go.
struct Endpoints {
    storage: String,
    pubsub: String,
    iam: String,
    signing: String,
    projects: String,
    /// Those that are not Google's own, `NAME=value`.
    overridden: Vec<String>,
}

/// Clients with credentials that are known to exist.
///
/// # Errors
///
/// A credentials file that does not exist, no credentials, endpoints of which only some are an emulator's.
pub(crate) async fn connect(connection: &Connection) -> Result<(Clients, Session), Error> {
    let (clients, mut session) = match &connection.sandbox {
        // A sandbox is on this machine: no proxy is asked for it, and no certificate.
        Some(variables) => {
            make(http().no_proxy().tls_certs_only([]), &|name| non_empty(variables.get(name).cloned())).await?
        }
        None => SHARED.get_or_try_init(|| make(http(), &|name| non_empty(std::env::var(name).ok()))).await?.clone(),
    };
    if connection.sandbox.is_some() {
        session.endpoints = vec![SANDBOX.to_owned()];
    }
    Ok((Clients { trace: Tracer::new(connection.trace.clone()), ..clients }, session))
}

/// Where tokens are had from.
pub(crate) const TOKENS: &str = "tokens";
/// Google's own address for that.
const GOOGLES_TOKENS: &str = "https://oauth2.googleapis.com/token";

/// Where the calls of a service go.
pub(crate) struct Destination {
    pub(crate) service: &'static str,
    pub(crate) url: String,
    /// The variable that names it, where it is not Google's own.
    pub(crate) set_by: Option<&'static str>,
}

/// Where calls go, without looking for credentials.
///
/// # Errors
///
/// Only some of the endpoints are an emulator's.
pub(crate) fn destinations(connection: &Connection) -> Result<Vec<Destination>, Error> {
    let variable = |name: &str| match &connection.sandbox {
        Some(variables) => non_empty(variables.get(name).cloned()),
        None => non_empty(std::env::var(name).ok()),
    };
    let found = endpoints(&variable)?;
    let is_overridden = !found.overridden.is_empty();
    let named = |name| (is_overridden && connection.sandbox.is_none()).then_some(name);
    let of = |service, url: &str, name| Destination { service, url: url.to_owned(), set_by: named(name) };
    let mut destinations = vec![
        of("Cloud Storage", &found.storage, STORAGE),
        of("Pub/Sub", &found.pubsub, PUBSUB),
        of("IAM", &found.iam, API),
        of("IAM Credentials", &found.signing, API),
        of("Resource Manager", &found.projects, API),
    ];
    // The metadata server of a machine is no address that is worth a look.
    if let Some(file) = credentials_file(&variable).ok().flatten().filter(|_| !is_overridden) {
        let said = document(&file)["token_uri"].as_str().map(str::to_owned);
        let url = said.unwrap_or_else(|| GOOGLES_TOKENS.to_owned());
        destinations.push(Destination { service: TOKENS, url, set_by: None });
    }
    Ok(destinations)
}

/// Where credentials come from, which are looked for as for any call.
pub(crate) async fn source(connection: &Connection) -> Result<CredentialSource, Error> {
    let (_, session) = connect(connection).await?;
    if connection.sandbox.is_some() {
        return Ok(CredentialSource::sandbox());
    }
    let is_named = non_empty(std::env::var(FILE).ok()).is_some();
    Ok(CredentialSource::new(match session.file {
        _ if !session.endpoints.is_empty() => "none: emulators ask for none".to_owned(),
        Some(file) if is_named => format!("`{}` ({FILE})", file.display()),
        Some(file) => format!("`{}` (gcloud)", file.display()),
        None => "the metadata server".to_owned(),
    }))
}

/// A variable that is set to nothing is not set.
fn non_empty(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.is_empty())
}

async fn make(http: reqwest::ClientBuilder, variable: Variables<'_>) -> Result<(Clients, Session), Error> {
    let endpoints = endpoints(variable)?;
    // Before credentials are asked for: their library does not say what is missing.
    let http = http.build().map_err(|error| tls::unusable(&error))?;
    let (credentials, principal, file) = match endpoints.overridden.is_empty() {
        true => in_environment(variable).await?,
        false => (anonymous::Builder::new().build(), "anonymous".to_owned(), None),
    };
    Ok((clients(&endpoints, &http, &credentials), Session { principal, endpoints: endpoints.overridden, file }))
}

/// Where variables are looked up.
type Variables<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

/// Google's own, or an emulator's for every service: a bucket there with a topic here would be no use to anybody.
fn endpoints(variable: Variables<'_>) -> Result<Endpoints, Error> {
    let names = [STORAGE, PUBSUB, API];
    let set = names.map(|name| variable(name).map(|value| url(&value)));
    let [Some(storage), Some(pubsub), Some(api)] = set.clone() else {
        let missing: Vec<_> =
            names.iter().zip(&set).filter(|(_, value)| value.is_none()).map(|(name, _)| *name).collect();
        if missing.len() == names.len() {
            return Ok(googles());
        }
        let error = Error::new(ErrorKind::InvalidInput, "use an emulator for some services only");
        return Err(error
            .with_message(format!("{} not set", missing.join(" and ")))
            .with_hint("set all of them, or none: the parts of a deployment must find each other"));
    };
    let overridden = [(STORAGE, &storage), (PUBSUB, &pubsub), (API, &api)].map(|(name, url)| format!("{name}={url}"));
    let overridden = overridden.to_vec();
    Ok(Endpoints { storage, pubsub, iam: api.clone(), signing: api.clone(), projects: api, overridden })
}

fn googles() -> Endpoints {
    Endpoints {
        storage: "https://storage.googleapis.com".to_owned(),
        pubsub: "https://pubsub.googleapis.com".to_owned(),
        iam: "https://iam.googleapis.com".to_owned(),
        signing: "https://iamcredentials.googleapis.com".to_owned(),
        projects: "https://cloudresourcemanager.googleapis.com".to_owned(),
        overridden: Vec::new(),
    }
}

/// Google's tools take these variables with and without a scheme.
fn url(value: &str) -> String {
    let value = value.trim_end_matches('/');
    if value.contains("://") { value.to_owned() } else { format!("http://{value}") }
}

/// Ask for a token once, and keep what gives it.
async fn in_environment(variable: Variables<'_>) -> Result<(Credentials, String, Option<PathBuf>), Error> {
    const TRIED: &str = "find Google Cloud credentials";
    let file = credentials_file(variable)?;
    let principal = file.as_deref().map_or_else(|| "the attached service account".to_owned(), principal);
    let credentials = google_cloud_auth::credentials::Builder::default().build();
    let credentials = credentials.map_err(|error| unauthenticated(TRIED, &error.to_string()))?;
    let tried = format!("get a token for {principal}");
    let limit = if file.is_some() { FILE_LIMIT } else { CREDENTIALS_LIMIT };
    let got = async {
        in_this_universe(variable, &credentials).await?;
        token(&credentials, &tried, file.is_some()).await
    };
    match tokio::time::timeout(limit, got).await {
        Ok(got) => got.map(|()| (credentials, principal, file)),
        Err(_) if file.is_some() => {
            Err(unauthenticated(&tried, &format!("none came within {} s", FILE_LIMIT.as_secs())))
        }
        Err(_) => Err(unauthenticated(
            TRIED,
            "there is no credentials file, and the metadata server did not answer within 3 s",
        )),
    }
}

/// Credentials of another of Google's clouds are not sent to this one.
async fn in_this_universe(variable: Variables<'_>, credentials: &Credentials) -> Result<(), Error> {
    let universe = match variable(UNIVERSE) {
        Some(universe) => universe,
        None => credentials.universe_domain().await.unwrap_or_else(|| GOOGLES.to_owned()),
    };
    if universe == GOOGLES {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Unsupported, format!("use credentials of the universe `{universe}`"));
    Err(error.with_message(format!("the services of `{GOOGLES}` alone are called")))
}

/// A token, which is kept. The service that gives it to who has a file may have a bad moment; whether there is a metadata server at
/// all is asked once.
async fn token(credentials: &Credentials, tried: &str, again: bool) -> Result<(), Error> {
    retry::call(|| async {
        match credentials.headers(http::Extensions::new()).await {
            Ok(_) => Ok(()),
            Err(error) if again && error.is_transient() => Err(unavailable("a token", tried, &root_cause(&error))),
            Err(error) => Err(no_token(tried, &error)),
        }
    })
    .await
}

/// The file that credentials come from; `None` where it is the metadata server
/// (<https://cloud.google.com/docs/authentication/application-default-credentials>).
fn credentials_file(variable: Variables<'_>) -> Result<Option<PathBuf>, Error> {
    if let Some(path) = variable(FILE).map(PathBuf::from) {
        if path.exists() {
            return Ok(Some(path));
        }
        let tried = format!("read credentials `{}` ({FILE})", path.display());
        return Err(unauthenticated(&tried, "the file does not exist"));
    }
    let folder = match cfg!(windows) {
        true => variable("APPDATA").map(|folder| PathBuf::from(folder).join("gcloud")),
        false => variable("HOME").map(|folder| PathBuf::from(folder).join(".config/gcloud")),
    };
    let file = folder.map(|folder| folder.join("application_default_credentials.json"));
    Ok(file.filter(|file| file.exists()))
}

/// What is in a file of credentials.
fn document(path: &Path) -> Value {
    std::fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Whose credentials a file holds. Nothing secret of it is kept.
fn principal(path: &Path) -> String {
    let file = document(path);
    let impersonated = file["service_account_impersonation_url"].as_str().and_then(|url| {
        let name = url.rsplit('/').next()?;
        name.split_once(':').map(|(email, _)| email)
    });
    let named = ["client_email", "account"].iter().find_map(|key| file[*key].as_str());
    let named = impersonated.or(named).filter(|name| !name.is_empty());
    let kind = match file["type"].as_str() {
        Some("authorized_user") => "the user of application default credentials",
        Some("external_account") => "a federated identity",
        _ => "the identity of application default credentials",
    };
    named.unwrap_or(kind).to_owned()
}

/// The one pool of connections. Requests go through the environment's proxy, and no redirect is followed.
fn http() -> reqwest::ClientBuilder {
    let http = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(request_timeout());
    http.redirect(reqwest::redirect::Policy::none())
}

fn clients(endpoints: &Endpoints, http: &reqwest::Client, credentials: &Credentials) -> Clients {
    let json =
        |endpoint: &str| Json { http: http.clone(), endpoint: endpoint.to_owned(), credentials: credentials.clone() };
    Clients {
        storage: json(&endpoints.storage),
        pubsub: json(&endpoints.pubsub),
        iam: json(&endpoints.iam),
        signing: json(&endpoints.signing),
        projects: json(&endpoints.projects),
        trace: Tracer::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use data_encoding::HEXLOWER;
    use sha2::{Digest as _, Sha256};

    fn from(variables: &[(&str, &str)]) -> Result<Endpoints, Error> {
        let variables: BTreeMap<_, _> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        endpoints(&|name| variables.get(name).cloned())
    }

    #[test]
    fn endpoints_are_googles_or_all_an_emulators() {
        assert!(from(&[]).unwrap().overridden.is_empty());
        let all = [(STORAGE, "http://127.0.0.1:1/"), (PUBSUB, "127.0.0.1:2"), (API, "http://127.0.0.1:3")];
        let endpoints = from(&all).unwrap();
        assert_eq!(endpoints.storage, "http://127.0.0.1:1");
        assert_eq!(endpoints.pubsub, "http://127.0.0.1:2");
        assert_eq!(endpoints.overridden.len(), 3);
        for part in [&all[..1], &all[1..]] {
            assert_eq!(from(part).err().map(|error| error.kind()), Some(ErrorKind::InvalidInput));
        }
    }

    /// The signature is `openssl dgst -sha256 -sign`'s of the same bytes.
    #[tokio::test]
    async fn the_key_of_a_service_account_signs_without_asking_anybody() {
        const SIGNED: &str = "d9649afbbf153ec9f76db6e6e765c1ff0e0347ab229774911707af99e48bd6e1";
        let session = |file: &str| Session {
            principal: String::new(),
            endpoints: Vec::new(),
            file: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)),
        };
        let key = session("src/credential/key_of_nobody.json").key().unwrap();
        assert_eq!(key.client_email().await.unwrap(), "ours@acme-ml.iam.gserviceaccount.com");
        let signature = key.sign("hello").await.unwrap();
        assert_eq!(HEXLOWER.encode(&Sha256::digest(&signature)), SIGNED);
        assert!(session("Cargo.toml").key().is_none() && session("nothing").key().is_none());
    }

    #[test]
    fn a_missing_credentials_file_is_named() {
        let error = credentials_file(&|_| Some("/nowhere/key.json".to_owned())).unwrap_err();
        let text =
            "cannot read credentials `/nowhere/key.json` (GOOGLE_APPLICATION_CREDENTIALS): the file does not exist";
        assert_eq!(error.to_string(), text);
    }
}
