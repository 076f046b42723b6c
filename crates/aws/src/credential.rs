//! Where credentials and the region come from, and the clients on them.
//!
//! The region: the plan file, then `AWS_REGION` and `AWS_DEFAULT_REGION`, then the profile. Credentials: the SDK's chain
//! (environment, profile, SSO, web identity, container, instance), asked once, with a limit, before any call.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::service_config::ServiceConfigKey;
use provision_core::identity::SANDBOX;
use provision_core::provider::Connection;
use provision_core::reach::CredentialSource;
use provision_core::retry::{CONNECT_TIMEOUT, CREDENTIALS_LIMIT, request_timeout};
use provision_core::{Error, ErrorKind, tls};
use tokio::sync::OnceCell;

use crate::answer::WholeAnswers;
use crate::client::Clients;
use crate::endpoint::WithoutAccountInHost;
use crate::trace::Tracer;

/// What the environment says, read once for all the plan files of a process: they share its connections and credentials.
static SHARED: OnceCell<Found> = OnceCell::const_new();

/// The clients of each place, a region of what an endpoint stands for: all the plan files of a process share them.
static CLIENTS: Mutex<BTreeMap<String, (Clients, Session)>> = Mutex::new(BTreeMap::new());

/// A configuration with credentials that are known to exist, and their account, if they say it.
type Found = (SdkConfig, Option<String>);

/// Where a region's calls go.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// The region.
    pub(crate) region: String,
    /// The account, where the credentials themselves say it: `AWS_ACCOUNT_ID`, SSO and assumed roles do
    /// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-account-endpoints.html>). Then nothing has to wait until
    /// the service was asked.
    pub(crate) account: Option<String>,
    /// Endpoints that are not AWS's own, `NAME=value`.
    pub(crate) endpoints: Vec<String>,
}

impl Session {
    /// Whether calls go to something that is neither AWS nor our sandbox, which answers as AWS does.
    pub(crate) fn is_overridden(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint != SANDBOX)
    }
}

/// The endpoint of every service that has none of its own.
const EVERY_ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// A service whose endpoint can be set by itself.
struct Service {
    id: &'static str,
    variable: &'static str,
}

/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
const SERVICES: [Service; 6] = [
    Service { id: "S3", variable: "AWS_ENDPOINT_URL_S3" },
    Service { id: "S3 Control", variable: "AWS_ENDPOINT_URL_S3_CONTROL" },
    Service { id: "SQS", variable: "AWS_ENDPOINT_URL_SQS" },
    Service { id: "IAM", variable: "AWS_ENDPOINT_URL_IAM" },
    Service { id: "STS", variable: "AWS_ENDPOINT_URL_STS" },
    Service { id: "Resource Groups Tagging API", variable: "AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API" },
];

/// The region that calls go to, without looking for credentials.
///
/// # Errors
///
/// No region is set anywhere.
pub(crate) async fn region(desired: Option<&str>, connection: &Connection) -> Result<String, Error> {
    let found = match (desired, &connection.sandbox) {
        (Some(region), _) => Some(region.to_owned()),
        (None, Some(variables)) => variables.get("AWS_REGION").cloned(),
        (None, None) => region_of_environment().await,
    };
    found.ok_or_else(|| {
        let error = Error::new(ErrorKind::Unauthenticated, "find out the region").with_message("no region is set");
        error.with_hint("write `region = \"eu-west-1\"` under [aws], or set AWS_REGION")
    })
}

async fn region_of_environment() -> Option<String> {
    let env = Env::real();
    let set = |name: &&str| env.get(name).ok().filter(|region| !region.is_empty());
    if let Some(region) = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(set) {
        return Some(region);
    }
    let profiles = aws_config::profile::load(&Fs::real(), &env, &EnvConfigFiles::default(), None).await;
    profiles.ok()?.get("region").filter(|region| !region.is_empty()).map(str::to_owned)
}

/// Clients for a region, with credentials that are known to exist.
///
/// # Errors
///
/// No region, a profile or token file that does not exist, no credentials.
pub(crate) async fn connect(desired: Option<&str>, connection: &Connection) -> Result<(Clients, Session), Error> {
    let region = region(desired, connection).await?;
    let sandbox = connection.sandbox.as_ref().and_then(|variables| variables.get("AWS_ENDPOINT_URL"));
    let place = format!("{region} {}", sandbox.map_or("", String::as_str));
    let kept = || CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(made) = kept().get(&place).cloned() {
        return Ok(made);
    }
    let ((config, account), endpoints) = match &connection.sandbox {
        Some(variables) => (in_sandbox(&region, variables).await, vec![SANDBOX.to_owned()]),
        None => in_environment(&region).await?,
    };
    let tracer = connection.trace.clone().map(Tracer);
    let made = (clients(&config, !endpoints.is_empty(), tracer), Session { region, account, endpoints });
    kept().insert(place, made.clone());
    Ok(made)
}

async fn in_environment(region: &str) -> Result<(Found, Vec<String>), Error> {
    let found = SHARED.get_or_try_init(|| async {
        named_files_exist().await?;
        with_credentials(with_http_client(loader(region)).await?.load().await).await
    });
    let (config, account) = found.await?;
    let config = config.to_builder().region(Region::new(region.to_owned())).build();
    let endpoints = endpoints(&config);
    Ok(((config, account.clone()), endpoints))
}

/// The sandbox's own endpoint and credentials, whatever the environment says.
async fn in_sandbox(region: &str, variables: &BTreeMap<String, String>) -> Found {
    let variable = |name: &str| variables.get(name).cloned().unwrap_or_default();
    let (key, secret) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"));
    // The sandbox takes a key id of twelve digits for the account.
    let account = Some(key.clone()).filter(|key| key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit()));
    let credentials = Credentials::new(key, secret, None, None, "sandbox");
    let loader = loader(region).empty_test_environment().credentials_provider(credentials);
    // A sandbox is on this machine: no proxy is asked for it.
    let loader = loader.http_client(plain_client(ProxyConfig::disabled()));
    (loader.endpoint_url(variable("AWS_ENDPOINT_URL")).load().await, account)
}

fn loader(region: &str) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        // The core repeats calls, by one policy for every cloud.
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(request_timeout())
                .build(),
        )
}

/// A profile or a token file that is named and does not exist: the SDK's own messages do not say so.
async fn named_files_exist() -> Result<(), Error> {
    let env = Env::real();
    if let Some(profile) = env.get("AWS_PROFILE").ok().filter(|profile| !profile.is_empty()) {
        let profiles = aws_config::profile::load(&Fs::real(), &env, &EnvConfigFiles::default(), None).await;
        let known = profiles.as_ref().is_ok_and(|profiles| profiles.get_profile(&profile).is_some());
        if !known {
            let error = Error::new(ErrorKind::Unauthenticated, format!("use profile `{profile}` (AWS_PROFILE)"));
            return Err(error
                .with_message("no such profile in ~/.aws/config or ~/.aws/credentials")
                .with_hint("`aws configure list-profiles` shows those there are"));
        }
    }
    let token = env.get("AWS_WEB_IDENTITY_TOKEN_FILE").ok().filter(|path| !path.is_empty());
    match token {
        Some(path) if Fs::real().read_to_end(&path).await.is_err() => {
            let tried = format!("read the web identity token `{path}` (AWS_WEB_IDENTITY_TOKEN_FILE)");
            let error = Error::new(ErrorKind::Unauthenticated, tried).with_message("the file cannot be read");
            Err(error.with_hint("check that the token is mounted (service account, OIDC step of the CI job)"))
        }
        _ => Ok(()),
    }
}

/// A client without TLS, which needs no root certificates.
fn plain_client(proxy: ProxyConfig) -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder();
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.proxy_config(proxy.clone()).build_http()
    })
}

/// Whether every call goes to an endpoint without TLS, as emulators have them.
async fn is_plain() -> bool {
    let env = Env::real();
    let profiles = aws_config::profile::load(&Fs::real(), &env, &EnvConfigFiles::default(), None).await;
    let of_profile = |name: &str| profiles.as_ref().ok().and_then(|profiles| profiles.get(name)).map(str::to_owned);
    let of_environment = |name: &str| env.get(name).ok().filter(|url| !url.is_empty());
    let plain = |url: String| url.starts_with("http://");
    let everywhere = of_environment(EVERY_ENDPOINT).or_else(|| of_profile("endpoint_url"));
    let own = SERVICES.iter().filter_map(|service| of_environment(service.variable));
    everywhere.is_some_and(plain) && own.into_iter().all(plain) && of_profile("services").is_none()
}

/// Without root certificates no server can be told, and the SDK does not say why. Where nothing goes over TLS none are needed.
async fn with_http_client(loader: ConfigLoader) -> Result<ConfigLoader, Error> {
    if is_plain().await {
        return Ok(loader.http_client(plain_client(ProxyConfig::from_env())));
    }
    if !rustls_native_certs::load_native_certs().certs.is_empty() {
        return Ok(loader);
    }
    Err(tls::no_roots())
}

/// How long what the environment or a profile names may take: it may ask for a code from a phone.
const NAMED_LIMIT: Duration = Duration::from_secs(120);

/// Ask the chain once, and keep what it gave.
async fn with_credentials(config: SdkConfig) -> Result<Found, Error> {
    let Some(chain) = config.credentials_provider() else {
        return Err(no_credentials("there is no source of credentials"));
    };
    let (limit, late) = match is_named().await {
        true => (NAMED_LIMIT, "what the environment or the profile names gave none within two minutes"),
        false => (CREDENTIALS_LIMIT, "the metadata server did not answer within 3 s"),
    };
    match tokio::time::timeout(limit, chain.provide_credentials()).await {
        Ok(Ok(found)) => {
            let account = found.account_id().map(|account| account.as_str().to_owned());
            let account = account.filter(|account| !account.is_empty());
            let asked = Asked { found, chain };
            let config = config.to_builder().credentials_provider(SharedCredentialsProvider::new(asked)).build();
            Ok((config, account))
        }
        Ok(Err(error)) => {
            let mut source: &dyn std::error::Error = &error;
            while let Some(next) = source.source() {
                source = next;
            }
            Err(no_credentials(&source.to_string()))
        }
        Err(_) => Err(no_credentials(late)),
    }
}

/// Whether the environment or the profile names a source of credentials, other than the machine's own metadata.
async fn is_named() -> bool {
    const VARIABLES: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"];
    const KEYS: [&str; 7] = [
        "aws_access_key_id",
        "credential_process",
        "login_session",
        "source_profile",
        "sso_session",
        "sso_start_url",
        "web_identity_token_file",
    ];
    let env = Env::real();
    if VARIABLES.iter().any(|name| env.get(name).is_ok_and(|value| !value.is_empty())) {
        return true;
    }
    let profiles = aws_config::profile::load(&Fs::real(), &env, &EnvConfigFiles::default(), None).await;
    profiles.is_ok_and(|profiles| KEYS.iter().any(|key| profiles.get(key).is_some()))
}

/// A chain that was asked, with its answer: it may have cost a prompt, and is asked again only when that is of no use any more.
#[derive(Debug)]
struct Asked {
    found: Credentials,
    chain: SharedCredentialsProvider,
}

/// How long before their end credentials are of no use.
const ENDING: Duration = Duration::from_secs(60);

impl ProvideCredentials for Asked {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let of_use = self.found.expiry().is_none_or(|end| SystemTime::now() + ENDING < end);
        if of_use {
            future::ProvideCredentials::ready(Ok(self.found.clone()))
        } else {
            self.chain.provide_credentials()
        }
    }
}

/// Where credentials come from, which are looked for as for any call.
pub(crate) async fn source(desired: Option<&str>, connection: &Connection) -> Result<CredentialSource, Error> {
    if connection.sandbox.is_some() {
        return Ok(CredentialSource::sandbox());
    }
    let region = region(desired, connection).await?;
    let ((config, _), _) = in_environment(&region).await?;
    let expires = match config.credentials_provider() {
        Some(chain) => chain.provide_credentials().await.ok().and_then(|found| found.expiry()),
        None => None,
    };
    Ok(CredentialSource { from: place().await, expires })
}

/// Where the SDK's chain finds them first
/// (<https://docs.aws.amazon.com/sdk-for-rust/latest/dg/credproviders.html#credproviders-default-credentials-provider-chain>).
async fn place() -> String {
    let env = Env::real();
    let of = |name: &str| env.get(name).ok().filter(|value| !value.is_empty());
    if of("AWS_ACCESS_KEY_ID").is_some() {
        return "the environment (AWS_ACCESS_KEY_ID)".to_owned();
    }
    if let Some(profile) = of("AWS_PROFILE") {
        return format!("profile `{profile}` (AWS_PROFILE)");
    }
    match of("AWS_WEB_IDENTITY_TOKEN_FILE") {
        Some(file) => format!("the web identity token `{file}` (AWS_WEB_IDENTITY_TOKEN_FILE)"),
        None if is_named().await => "profile `default`".to_owned(),
        None => "the container or the instance".to_owned(),
    }
}

/// Where the calls of a service go.
pub(crate) struct Destination {
    /// The service, as AWS calls it.
    pub(crate) service: &'static str,
    pub(crate) url: String,
    /// What says so, where it is not AWS's own.
    pub(crate) set_by: Option<String>,
}

/// Where the calls of each service go, without looking for credentials.
///
/// # Errors
///
/// No region is set anywhere.
pub(crate) async fn destinations(desired: Option<&str>, connection: &Connection) -> Result<Vec<Destination>, Error> {
    let region = region(desired, connection).await?;
    if let Some(variables) = &connection.sandbox {
        let url = variables.get(EVERY_ENDPOINT).cloned().unwrap_or_default();
        let of = |service: &Service| Destination { service: service.id, url: url.clone(), set_by: None };
        return Ok(SERVICES.iter().map(of).collect());
    }
    let config = loader(&region).http_client(plain_client(ProxyConfig::disabled())).no_credentials().load().await;
    let env = Env::real();
    let is_set = |name: &str| env.get(name).is_ok_and(|url| !url.is_empty());
    let everywhere = config.endpoint_url().map(str::to_owned);
    let of = |service: &Service| match (own_endpoint(&config, service), &everywhere) {
        (Some(url), _) => {
            let name = if is_set(service.variable) { service.variable } else { "services of the profile" };
            Destination { service: service.id, url, set_by: Some(name.to_owned()) }
        }
        (None, Some(url)) => {
            let name = if is_set(EVERY_ENDPOINT) { EVERY_ENDPOINT } else { "endpoint_url of the profile" };
            Destination { service: service.id, url: url.clone(), set_by: Some(name.to_owned()) }
        }
        (None, None) => Destination { service: service.id, url: usual(service.id, &region), set_by: None },
    };
    Ok(SERVICES.iter().map(of).collect())
}

/// AWS's own address of a service (<https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html>); IAM has one for
/// all regions of a partition (<https://docs.aws.amazon.com/general/latest/gr/iam-service.html>).
fn usual(service: &str, region: &str) -> String {
    let is_in = |partition: &str| region.starts_with(partition);
    let domain = if is_in("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let host = match service {
        "IAM" if is_in("cn-") => "iam.cn-north-1".to_owned(),
        "IAM" if is_in("us-gov-") => "iam.us-gov".to_owned(),
        "IAM" => "iam".to_owned(),
        "S3 Control" => format!("s3-control.{region}"),
        "Resource Groups Tagging API" => format!("tagging.{region}"),
        service => format!("{}.{region}", service.to_ascii_lowercase()),
    };
    format!("https://{host}.{domain}")
}

fn no_credentials(reason: &str) -> Error {
    let error = Error::new(ErrorKind::Unauthenticated, "find AWS credentials").with_message(reason);
    error.with_hint(
        "looked at the environment (AWS_ACCESS_KEY_ID), the profile (AWS_PROFILE), SSO, a web identity token, the \
         container and the instance; set AWS_PROFILE, or run `aws sso login`",
    )
}

/// A variable by its name where one says it, else the profile.
fn endpoints(config: &SdkConfig) -> Vec<String> {
    let env = Env::real();
    let is_set = |name: &str| env.get(name).is_ok_and(|url| !url.is_empty());
    let everywhere = config.endpoint_url().map(|url| match is_set(EVERY_ENDPOINT) {
        true => format!("{EVERY_ENDPOINT}={url}"),
        false => format!("endpoint_url={url}"),
    });
    let own = SERVICES.iter().filter_map(|service| {
        let url = own_endpoint(config, service)?;
        let name = if is_set(service.variable) { service.variable } else { service.id };
        Some(format!("{name}={url}"))
    });
    everywhere.into_iter().chain(own).collect()
}

/// Where one service is called, where it is said of this one alone: by its variable, or in the profile's `services`.
fn own_endpoint(config: &SdkConfig, service: &Service) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(service.id).env(EVERY_ENDPOINT).profile("endpoint_url").build();
    let found = config.service_config()?.load_config(key.ok()?).filter(|url| !url.is_empty())?;
    // Where the service has none of its own, that of every service is given.
    (config.endpoint_url() != Some(&found)).then_some(found)
}

/// A bucket has no host name of its own on an endpoint that is not AWS's.
fn clients(config: &SdkConfig, path_style: bool, tracer: Option<Tracer>) -> Clients {
    /// A service's client, with the tracer where there is one.
    macro_rules! client {
        ($service:ident, $settings:expr) => {{
            let mut settings = $settings.interceptor(WholeAnswers);
            if let Some(tracer) = tracer.clone() {
                settings = settings.interceptor(tracer);
            }
            $service::Client::from_conf(settings.build())
        }};
        ($service:ident) => {
            client!($service, $service::config::Builder::from(config))
        };
    }
    Clients {
        s3: client!(aws_sdk_s3, aws_sdk_s3::config::Builder::from(config).force_path_style(path_style)),
        s3control: client!(aws_sdk_s3control, s3control_settings(config, path_style)),
        sqs: client!(aws_sdk_sqs),
        iam: client!(aws_sdk_iam),
        sts: client!(aws_sdk_sts),
        tagging: client!(aws_sdk_resourcegroupstagging),
    }
}

fn s3control_settings(config: &SdkConfig, one_host: bool) -> aws_sdk_s3control::config::Builder {
    let settings = aws_sdk_s3control::config::Builder::from(config);
    if one_host { settings.interceptor(WithoutAccountInHost) } else { settings }
}

#[cfg(test)]
mod tests {
    use super::usual;

    /// <https://docs.aws.amazon.com/general/latest/gr/iam-service.html>,
    /// <https://docs.amazonaws.cn/en_us/aws/latest/userguide/endpoints-Beijing.html>
    #[test]
    fn services_have_addresses_of_their_partition() {
        let urls = [("S3", "eu-west-1"), ("IAM", "eu-west-1"), ("IAM", "us-gov-west-1"), ("SQS", "cn-north-1")];
        let expected = [
            "s3.eu-west-1.amazonaws.com",
            "iam.amazonaws.com",
            "iam.us-gov.amazonaws.com",
            "sqs.cn-north-1.amazonaws.com.cn",
        ];
        assert_eq!(
            urls.map(|(service, region)| usual(service, region)),
            expected.map(|host| format!("https://{host}"))
        );
    }
}
