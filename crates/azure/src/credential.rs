//! Where tokens come from, and the clients on them.
//!
//! In this order, the first that is there:
//!
//! 1. a client secret: `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET`;
//! 2. workload identity: `AZURE_FEDERATED_TOKEN_FILE` with `AZURE_TENANT_ID` and `AZURE_CLIENT_ID`;
//! 3. the Azure CLI (`az login`).
//!
//! A managed identity is asked only on request, since its metadata server answers nowhere but on Azure:
//! `AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential`, for a user-assigned one with `AZURE_CLIENT_ID`. The same variable
//! also picks one of the others by the name that Microsoft's SDKs give it
//! (<https://learn.microsoft.com/azure/developer/intro/passwordless-overview>): `EnvironmentCredential`,
//! `WorkloadIdentityCredential`, `AzureCliCredential`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::http::policies::Policy;
use azure_core::http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport, Url};
use azure_core::time::OffsetDateTime;
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use provision_core::error::root_cause;
use provision_core::identity::SANDBOX;
use provision_core::provider::Connection;
use provision_core::reach::CredentialSource;
use provision_core::retry::CREDENTIALS_LIMIT;
use provision_core::{Error, ErrorKind};
use serde_json::Value;

use crate::client::Clients;
use crate::config::{AzureEnvironment, AzureSection};
use crate::trace::Tracer;
use crate::transport;

/// Where calls go, and who sends them.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Endpoints that are not Azure's own, `NAME=value`.
    pub(crate) endpoints: Vec<String>,
    /// The identity in use, by its token.
    pub(crate) principal: String,
    /// Its id in the directory, where the token has it.
    pub(crate) object_id: Option<String>,
}

/// How long the directory may take to answer for credentials that are known to be there, with repetitions.
const DIRECTORY_LIMIT: Duration = Duration::from_secs(20);
/// How long the Azure CLI may take, a program of the user's own machine that alone takes seconds to start, and may ask a
/// directory that is slow.
const CLI_LIMIT: Duration = Duration::from_secs(30);
/// How often the directory is asked again after it was busy or not reached.
const DIRECTORY_RETRIES: u32 = 3;
/// A token this close to its end is not used any more.
const TOKEN_MARGIN: Duration = Duration::from_secs(300);

/// What a cloud's addresses are. The audience is not always the endpoint
/// (<https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure>,
/// <https://learn.microsoft.com/azure/china/resources-developer-guide>).
struct CloudAddresses {
    endpoint: &'static str,
    audience: &'static str,
    authority: &'static str,
    /// What the hosts of storage accounts end with
    /// (<https://learn.microsoft.com/azure/storage/common/storage-account-overview#standard-endpoints>).
    storage: &'static str,
}

const fn addresses(cloud: AzureEnvironment) -> CloudAddresses {
    match cloud {
        AzureEnvironment::Public => CloudAddresses {
            endpoint: "https://management.azure.com",
            audience: "https://management.azure.com",
            authority: "https://login.microsoftonline.com",
            storage: "core.windows.net",
        },
        AzureEnvironment::UsGov => CloudAddresses {
            endpoint: "https://management.usgovcloudapi.net",
            audience: "https://management.core.usgovcloudapi.net",
            authority: "https://login.microsoftonline.us",
            storage: "core.usgovcloudapi.net",
        },
        AzureEnvironment::China => CloudAddresses {
            endpoint: "https://management.chinacloudapi.cn",
            audience: "https://management.chinacloudapi.cn",
            authority: "https://login.chinacloudapi.cn",
            storage: "core.chinacloudapi.cn",
        },
    }
}

/// The environment, or what stands in for it in a sandbox.
struct Variables<'a>(Option<&'a BTreeMap<String, String>>);

impl Variables<'_> {
    fn get(&self, name: &str) -> Option<String> {
        let value = match self.0 {
            Some(sandbox) => sandbox.get(name).cloned(),
            None => std::env::var(name).ok(),
        };
        value.filter(|value| !value.is_empty())
    }

    fn url(&self, name: &str) -> Result<Option<Url>, Error> {
        let Some(text) = self.get(name) else { return Ok(None) };
        Url::parse(&text).map(Some).map_err(|error| {
            let tried = format!("use {name}=`{text}`");
            Error::new(ErrorKind::InvalidInput, tried).with_message(error.to_string())
        })
    }
}

/// Clients for a subscription, with credentials that are known to exist.
///
/// # Errors
///
/// No credentials, or credentials that the directory does not accept; an endpoint that is not `https`.
pub(crate) async fn connect(section: &AzureSection, connection: &Connection) -> Result<(Clients, Session), Error> {
    let variables = Variables(connection.sandbox.as_ref());
    let cloud = addresses(section.cloud);
    let endpoint = endpoint(&variables, &cloud)?;
    let authority = variables.get("AZURE_AUTHORITY_HOST").unwrap_or_else(|| cloud.authority.to_owned());
    let options = options(&variables, &authority, connection)?;
    let chosen = choose(&variables, section, &options)?;
    let scope = scope(&cloud);
    let credential = shared(&chosen, variables.0.is_some());
    let (principal, object_id) = first_token(&chosen, credential.as_ref(), &scope).await?;
    let blob_endpoint = variables.url("AZURE_STORAGE_BLOB_ENDPOINT")?;
    let session = Session { endpoints: endpoints(&variables), principal, object_id };
    Ok((Clients::new(endpoint, &scope, credential, options, blob_endpoint), session))
}

/// Where calls go.
pub(crate) struct Destination {
    pub(crate) url: String,
    /// The variable that names it, where it is not Azure's own.
    pub(crate) set_by: Option<&'static str>,
}

/// Where the calls to Resource Manager go; and where tokens are had from, where that is the directory, with its tenant.
///
/// # Errors
///
/// An endpoint that is not `https`.
pub(crate) fn destinations(
    section: &AzureSection,
    connection: &Connection,
) -> Result<(Destination, Option<(Destination, String)>), Error> {
    let (variables, cloud) = (Variables(connection.sandbox.as_ref()), addresses(section.cloud));
    let named = |name| variables.get(name).filter(|_| connection.sandbox.is_none()).map(|_| name);
    let manager = Destination {
        url: endpoint(&variables, &cloud)?.to_string(),
        set_by: named("AZURE_RESOURCE_MANAGER_ENDPOINT"),
    };
    let of_directory = matches!(source(&variables), Ok(Source::Secret | Source::Workload));
    let directory = of_directory.then(|| {
        let url = variables.get("AZURE_AUTHORITY_HOST").unwrap_or_else(|| cloud.authority.to_owned());
        let tenant = variables.get("AZURE_TENANT_ID").unwrap_or_else(|| "common".to_owned());
        (Destination { url, set_by: named("AZURE_AUTHORITY_HOST") }, tenant)
    });
    Ok((manager, directory))
}

/// Where the blobs and queues of the plan file's account are, as far as it is known before the account is asked: an emulator's own
/// account says itself where they are.
///
/// # Errors
///
/// The variable holds no URL.
pub(crate) fn data_destinations(
    cloud: AzureEnvironment,
    account: &str,
    connection: &Connection,
) -> Result<Vec<(&'static str, Destination)>, Error> {
    let variables = Variables(connection.sandbox.as_ref());
    let name = "AZURE_STORAGE_BLOB_ENDPOINT";
    if let Some(url) = variables.url(name)? {
        let set_by = Some(name).filter(|_| connection.sandbox.is_none());
        return Ok(vec![("Blob", Destination { url: url.to_string(), set_by })]);
    }
    if variables.get("AZURE_RESOURCE_MANAGER_ENDPOINT").is_some() {
        return Ok(Vec::new());
    }
    let storage = addresses(cloud).storage;
    let of = |(service, host): (&'static str, &str)| {
        (service, Destination { url: format!("https://{account}.{host}.{storage}"), set_by: None })
    };
    Ok([("Blob", "blob"), ("Queue", "queue")].map(of).into())
}

/// Where tokens come from, one of which is asked for as for any call.
pub(crate) async fn source_of_tokens(
    section: &AzureSection,
    connection: &Connection,
) -> Result<CredentialSource, Error> {
    let (variables, cloud) = (Variables(connection.sandbox.as_ref()), addresses(section.cloud));
    let authority = variables.get("AZURE_AUTHORITY_HOST").unwrap_or_else(|| cloud.authority.to_owned());
    let chosen = choose(&variables, section, &options(&variables, &authority, connection)?)?;
    let (credential, scope) = (shared(&chosen, variables.0.is_some()), scope(&cloud));
    first_token(&chosen, credential.as_ref(), &scope).await?;
    if connection.sandbox.is_some() {
        return Ok(CredentialSource::sandbox());
    }
    let token = credential.get_token(&[&scope], None).await.ok();
    Ok(CredentialSource {
        from: chosen.name.to_owned(),
        expires: token.map(|token| SystemTime::from(token.expires_on)),
    })
}

/// What a token for Resource Manager is asked for.
fn scope(cloud: &CloudAddresses) -> String {
    format!("{}/.default", cloud.audience)
}

fn endpoint(variables: &Variables<'_>, cloud: &CloudAddresses) -> Result<Url, Error> {
    let name = "AZURE_RESOURCE_MANAGER_ENDPOINT";
    let given = variables.url(name)?;
    let own = || Url::parse(cloud.endpoint).map_err(|error| Error::new(ErrorKind::Unexpected, error.to_string()));
    let endpoint = given.map_or_else(own, Ok)?;
    if endpoint.scheme() == "https" {
        return Ok(endpoint);
    }
    let error = Error::new(ErrorKind::InvalidInput, format!("use {name}=`{endpoint}`"));
    Err(error.with_message("a token is sent over TLS only").with_hint("write an address that begins with `https://`"))
}

fn endpoints(variables: &Variables<'_>) -> Vec<String> {
    if variables.0.is_some() {
        return vec![SANDBOX.to_owned()];
    }
    let names = ["AZURE_RESOURCE_MANAGER_ENDPOINT", "AZURE_STORAGE_BLOB_ENDPOINT"];
    names.iter().filter_map(|name| variables.get(name).map(|value| format!("{name}={value}"))).collect()
}

/// Options of every client: our transport, one attempt (the core repeats, by one policy for every cloud), the trace.
fn options(variables: &Variables<'_>, authority: &str, connection: &Connection) -> Result<ClientOptions, Error> {
    let mut cloud = CustomConfiguration::default();
    authority.clone_into(&mut cloud.authority_host);
    let tracer = connection.trace.clone().map(|sink| Arc::new(Tracer(sink)) as Arc<dyn Policy>);
    Ok(ClientOptions {
        per_try_policies: tracer.into_iter().collect(),
        retry: RetryOptions::none(),
        transport: Some(transport(variables)?),
        cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
        ..ClientOptions::default()
    })
}

/// That of the whole process, or of a sandbox.
fn transport(variables: &Variables<'_>) -> Result<Transport, Error> {
    match variables.0 {
        None => transport::shared(),
        Some(_) => transport::of_sandbox(variables.get("SSL_CERT_FILE").as_deref()),
    }
}

/// A source of tokens.
struct Chosen {
    name: &'static str,
    /// What tells it from others.
    key: String,
    limit: Duration,
    credential: Arc<dyn TokenCredential>,
}

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Secret,
    Workload,
    Managed,
    Cli,
}

fn source(variables: &Variables<'_>) -> Result<Source, Error> {
    let asked = variables.get("AZURE_TOKEN_CREDENTIALS").map(|name| name.to_ascii_lowercase());
    match asked.as_deref() {
        Some("environmentcredential") => Ok(Source::Secret),
        Some("workloadidentitycredential") => Ok(Source::Workload),
        Some("managedidentitycredential") => Ok(Source::Managed),
        Some("azureclicredential" | "dev") => Ok(Source::Cli),
        None | Some("prod") if variables.get("AZURE_CLIENT_SECRET").is_some() => Ok(Source::Secret),
        None | Some("prod") if variables.get("AZURE_FEDERATED_TOKEN_FILE").is_some() => Ok(Source::Workload),
        Some("prod") => Ok(Source::Managed),
        None => Ok(Source::Cli),
        Some(other) => Err(no_credentials(&format!("AZURE_TOKEN_CREDENTIALS is `{other}`, which names no source"))),
    }
}

fn choose(variables: &Variables<'_>, section: &AzureSection, options: &ClientOptions) -> Result<Chosen, Error> {
    let needed = |name: &str| {
        variables.get(name).ok_or_else(|| no_credentials(&format!("{name} is not set, and what is set needs it")))
    };
    // The SDK reads the answers of the directory by itself, so that it repeats them too.
    let retry = ExponentialRetryOptions { max_retries: DIRECTORY_RETRIES, ..ExponentialRetryOptions::default() };
    let client_options = ClientOptions { retry: RetryOptions::exponential(retry), ..options.clone() };
    let who = |name: &str| variables.get(name).unwrap_or_default();
    let key = ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_AUTHORITY_HOST"].map(who).join(" ");
    let (name, limit, made): (_, _, azure_core::Result<Arc<dyn TokenCredential>>) = match source(variables)? {
        Source::Secret => {
            let (tenant, client) = (needed("AZURE_TENANT_ID")?, needed("AZURE_CLIENT_ID")?);
            let secret = Secret::new(needed("AZURE_CLIENT_SECRET")?);
            let options = ClientSecretCredentialOptions { client_options };
            let made = ClientSecretCredential::new(&tenant, client, secret, Some(options));
            ("the client secret (AZURE_CLIENT_SECRET)", DIRECTORY_LIMIT, made.map(|made| made as _))
        }
        Source::Workload => {
            let path = needed("AZURE_FEDERATED_TOKEN_FILE")?;
            std::fs::metadata(&path).map_err(|error| no_token_file(&path, &error))?;
            let made = WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options },
                client_id: Some(needed("AZURE_CLIENT_ID")?),
                tenant_id: Some(needed("AZURE_TENANT_ID")?),
                token_file_path: Some(PathBuf::from(path)),
            }));
            ("workload identity (AZURE_FEDERATED_TOKEN_FILE)", DIRECTORY_LIMIT, made.map(|made| made as _))
        }
        Source::Managed => {
            let user_assigned_id = variables.get("AZURE_CLIENT_ID").map(UserAssignedId::ClientId);
            let options = ManagedIdentityCredentialOptions { user_assigned_id, client_options };
            let made = ManagedIdentityCredential::new(Some(options));
            ("the managed identity", CREDENTIALS_LIMIT, made.map(|made| made as _))
        }
        Source::Cli => {
            let subscription = Some(section.subscription.clone());
            let options = AzureCliCredentialOptions { subscription, ..AzureCliCredentialOptions::default() };
            let made = AzureCliCredential::new(Some(options));
            ("the Azure CLI", CLI_LIMIT, made.map(|made| made as _))
        }
    };
    let credential = made.map_err(|error| no_credentials(&format!("{name}: {}", root_cause(&error))))?;
    Ok(Chosen { name, key: format!("{name} {key} {}", section.subscription), limit, credential })
}

fn no_token_file(path: &str, error: &std::io::Error) -> Error {
    let tried = format!("read the federated token `{path}` (AZURE_FEDERATED_TOKEN_FILE)");
    let error = Error::new(ErrorKind::Unauthenticated, tried).with_message(error.to_string());
    error.with_hint("check that the token is mounted (workload identity's webhook, OIDC step of the CI job)")
}

/// Ask once, with a limit, before any call. Gives the name of who asks, and the id in the directory.
async fn first_token(
    chosen: &Chosen,
    credential: &dyn TokenCredential,
    scope: &str,
) -> Result<(String, Option<String>), Error> {
    match tokio::time::timeout(chosen.limit, credential.get_token(&[scope], None)).await {
        Ok(Ok(token)) => {
            let claims = claims(token.token.secret());
            Ok((principal(&claims), claims["oid"].as_str().map(str::to_owned)))
        }
        Ok(Err(error)) => Err(no_credentials(&format!("{}: {}", chosen.name, first_sentence(&error)))),
        Err(_) => Err(no_credentials(&format!("{} did not answer within {} s", chosen.name, chosen.limit.as_secs()))),
    }
}

/// The SDK adds a link to its own documentation on lines of its own.
fn first_sentence(error: &azure_core::Error) -> String {
    let text = error.to_string();
    let outer = text.lines().next().unwrap_or_default().to_owned();
    let inner = root_cause(error);
    let inner = inner.lines().next().unwrap_or_default();
    if outer.contains(inner) { outer } else { format!("{outer}: {inner}") }
}

fn no_credentials(reason: &str) -> Error {
    let error = Error::new(ErrorKind::Unauthenticated, "find Azure credentials").with_message(reason);
    error.with_hint(
        "looked at the client secret (AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET), workload identity \
         (AZURE_FEDERATED_TOKEN_FILE), then the Azure CLI; run `az login`, or set \
         AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential on a machine with a managed identity",
    )
}

/// What a token says; nothing where it is opaque.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap_or_default().trim_end_matches('=');
    let decoded = data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap_or_default();
    serde_json::from_slice(&decoded).unwrap_or_default()
}

/// Who a token was issued to, from its claims
/// <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>. For people: the service checks the
/// signature, we do not.
fn principal(claims: &Value) -> String {
    let named = ["upn", "unique_name", "preferred_username", "appid", "azp", "oid"];
    let claim = named.iter().find_map(|name| claims[*name].as_str());
    claim.unwrap_or("an identity whose token does not name it").to_owned()
}

/// Keeps a token until shortly before its end, and asks once for all who wait: the Azure CLI's credential starts the CLI each
/// time it is asked.
#[derive(Debug)]
struct TokenCache {
    inner: Arc<dyn TokenCredential>,
    tokens: tokio::sync::Mutex<BTreeMap<String, AccessToken>>,
}

/// The tokens of a source, the same for every plan file of the process; a sandbox has its own.
fn shared(chosen: &Chosen, sandboxed: bool) -> Arc<TokenCache> {
    static SHARED: Mutex<BTreeMap<String, Arc<TokenCache>>> = Mutex::new(BTreeMap::new());
    let new = || Arc::new(TokenCache { inner: chosen.credential.clone(), tokens: tokio::sync::Mutex::default() });
    if sandboxed {
        return new();
    }
    let mut kept = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(kept.entry(chosen.key.clone()).or_insert_with(new))
}

#[async_trait]
impl TokenCredential for TokenCache {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let key = scopes.join(" ");
        let mut tokens = self.tokens.lock().await;
        let kept = tokens.get(&key).cloned();
        if let Some(token) = kept.filter(|token| token.expires_on > OffsetDateTime::now_utc() + TOKEN_MARGIN) {
            return Ok(token);
        }
        let token = self.inner.get_token(scopes, options).await?;
        // What a proxy answered may be read as a token of nothing.
        if token.token.secret().is_empty() {
            let text = "the answer of the directory cannot be read";
            return Err(azure_core::Error::with_message(azure_core::error::ErrorKind::Credential, text));
        }
        tokens.insert(key, token.clone());
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(set: &[&str]) -> Result<Source, Error> {
        let variables = set.iter().filter_map(|pair| pair.split_once('='));
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        source(&Variables(Some(&variables)))
    }

    #[test]
    fn sources_are_looked_at_in_the_documented_order() {
        assert_eq!(chosen(&["AZURE_CLIENT_SECRET=a", "AZURE_FEDERATED_TOKEN_FILE=b"]).unwrap(), Source::Secret);
        assert_eq!(chosen(&["AZURE_FEDERATED_TOKEN_FILE=b"]).unwrap(), Source::Workload);
        assert_eq!(chosen(&[]).unwrap(), Source::Cli);
        assert_eq!(chosen(&["AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential"]).unwrap(), Source::Managed);
        let asked = ["AZURE_TOKEN_CREDENTIALS=AzureCliCredential", "AZURE_CLIENT_SECRET=a"];
        assert_eq!(chosen(&asked).unwrap(), Source::Cli);
        assert!(chosen(&["AZURE_TOKEN_CREDENTIALS=magic"]).is_err());
    }

    #[test]
    fn data_is_where_azure_has_it_or_a_variable_says_and_an_emulators_account_tells() {
        let told = |variables: &[(&str, &str)]| {
            let set = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let connection = Connection { sandbox: Some(set), ..Connection::default() };
            let found = data_destinations(AzureEnvironment::UsGov, "acme", &connection).unwrap();
            found.into_iter().map(|(service, place)| format!("{service} {}", place.url)).collect::<Vec<_>>()
        };
        let own = ["Blob https://acme.blob.core.usgovcloudapi.net", "Queue https://acme.queue.core.usgovcloudapi.net"];
        assert_eq!(told(&[]), own);
        let manager = ("AZURE_RESOURCE_MANAGER_ENDPOINT", "https://127.0.0.1:1");
        assert!(told(&[manager]).is_empty());
        let blobs = ("AZURE_STORAGE_BLOB_ENDPOINT", "https://127.0.0.1:2");
        assert_eq!(told(&[manager, blobs]), ["Blob https://127.0.0.1:2/"]);
    }

    #[test]
    fn principal_is_read_from_the_claims() {
        let payload = data_encoding::BASE64URL_NOPAD.encode(br#"{"appid":"1234","oid":"5678"}"#);
        assert_eq!(principal(&claims(&format!("e30.{payload}."))), "1234");
        assert_eq!(principal(&claims("opaque")), "an identity whose token does not name it");
    }

    /// <https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure>,
    /// <https://learn.microsoft.com/azure/china/resources-developer-guide#check-endpoints-in-azure>
    #[test]
    fn sovereign_clouds_have_hosts_and_a_scope_of_their_own() {
        let found = [AzureEnvironment::Public, AzureEnvironment::UsGov, AzureEnvironment::China].map(|cloud| {
            let cloud = addresses(cloud);
            let endpoint = endpoint(&Variables(Some(&BTreeMap::new())), &cloud).unwrap();
            (endpoint.to_string(), scope(&cloud), cloud.authority)
        });
        let expected = [
            (
                "https://management.azure.com/",
                "https://management.azure.com/.default",
                "https://login.microsoftonline.com",
            ),
            (
                "https://management.usgovcloudapi.net/",
                "https://management.core.usgovcloudapi.net/.default",
                "https://login.microsoftonline.us",
            ),
            (
                "https://management.chinacloudapi.cn/",
                "https://management.chinacloudapi.cn/.default",
                "https://login.chinacloudapi.cn",
            ),
        ];
        assert_eq!(found, expected.map(|(endpoint, scope, host)| (endpoint.to_owned(), scope.to_owned(), host)));
        let china: AzureEnvironment = serde_json::from_str("\"china\"").unwrap();
        assert_eq!(
            (china, serde_json::to_string(&AzureEnvironment::UsGov).unwrap()),
            (AzureEnvironment::China, "\"usgov\"".to_owned())
        );
    }

    #[test]
    fn tokens_are_asked_for_at_the_authority_of_the_cloud() {
        let variables = BTreeMap::new();
        let options =
            options(&Variables(Some(&variables)), addresses(AzureEnvironment::UsGov).authority, &Connection::default());
        let CloudConfiguration::Custom(custom) = options.unwrap().cloud.unwrap().as_ref().clone() else { panic!() };
        assert_eq!(custom.authority_host, "https://login.microsoftonline.us");
    }

    #[test]
    fn endpoint_is_reached_over_tls_only() {
        let variables = |url: &str| BTreeMap::from([("AZURE_RESOURCE_MANAGER_ENDPOINT".to_owned(), url.to_owned())]);
        let cloud = addresses(AzureEnvironment::UsGov);
        assert_eq!(
            endpoint(&Variables(Some(&BTreeMap::new())), &cloud).unwrap().host_str(),
            Some("management.usgovcloudapi.net")
        );
        endpoint(&Variables(Some(&variables("http://127.0.0.1:1"))), &cloud).unwrap_err();
        endpoint(&Variables(Some(&variables("https://127.0.0.1:1"))), &cloud).unwrap();
    }
}
