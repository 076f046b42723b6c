//! Where credentials and the region come from, and the clients on them.
//!
//! The region: the plan file, then `AWS_REGION` and `AWS_DEFAULT_REGION`, then the profile. Credentials: the SDK's chain
//! (environment, profile, SSO, web identity, container, instance), asked once, with a limit, before any call.

use std::collections::BTreeMap;

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::os_shim_internal::{Env, Fs};
use provision_core::identity::SANDBOX;
use provision_core::provider::Connection;
use provision_core::retry::{CONNECT_TIMEOUT, CREDENTIALS_LIMIT, request_timeout};
use provision_core::{Error, ErrorKind};
use tokio::sync::OnceCell;

use crate::client::Clients;
use crate::endpoint::WithoutAccountInHost;
use crate::trace::Tracer;

/// What the environment says, read once for all the plan files of a process: they share its connections and credentials.
static SHARED: OnceCell<Found> = OnceCell::const_new();

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

/// The services whose endpoint can be set by itself
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>).
const ENDPOINTS: [&str; 7] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_S3_CONTROL",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ENDPOINT_URL_IAM",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API",
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
    let set = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| env.get(name).ok());
    if let Some(region) = set.filter(|region| !region.is_empty()) {
        return Some(region);
    }
    let profiles = aws_config::profile::load(&Fs::real(), &env, &EnvConfigFiles::default(), None).await;
    profiles.ok()?.get("region").map(str::to_owned)
}

/// Clients for a region, with credentials that are known to exist.
///
/// # Errors
///
/// No region, a profile or token file that does not exist, no credentials.
pub(crate) async fn connect(desired: Option<&str>, connection: &Connection) -> Result<(Clients, Session), Error> {
    let region = region(desired, connection).await?;
    let ((config, account), endpoints) = match &connection.sandbox {
        Some(variables) => (in_sandbox(&region, variables).await, vec![SANDBOX.to_owned()]),
        None => in_environment(&region).await?,
    };
    let tracer = connection.trace.clone().map(Tracer);
    Ok((clients(&config, !endpoints.is_empty(), tracer), Session { region, account, endpoints }))
}

async fn in_environment(region: &str) -> Result<(Found, Vec<String>), Error> {
    let found = SHARED.get_or_try_init(|| async {
        named_files_exist().await?;
        with_credentials(loader(region).load().await).await
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

/// Ask the chain once, and keep what it gave.
async fn with_credentials(config: SdkConfig) -> Result<Found, Error> {
    let Some(chain) = config.credentials_provider() else {
        return Err(no_credentials("there is no source of credentials"));
    };
    match tokio::time::timeout(CREDENTIALS_LIMIT, chain.provide_credentials()).await {
        Ok(Ok(found)) => {
            let account = found.account_id().map(|account| account.as_str().to_owned());
            Ok((config, account.filter(|account| !account.is_empty())))
        }
        Ok(Err(error)) => {
            let mut source: &dyn std::error::Error = &error;
            while let Some(next) = source.source() {
                source = next;
            }
            Err(no_credentials(&source.to_string()))
        }
        Err(_) => Err(no_credentials("the metadata server did not answer within 3 s")),
    }
}

fn no_credentials(reason: &str) -> Error {
    let error = Error::new(ErrorKind::Unauthenticated, "find AWS credentials").with_message(reason);
    error.with_hint(
        "looked at the environment (AWS_ACCESS_KEY_ID), the profile (AWS_PROFILE), SSO, a web identity token, the \
         container and the instance; set AWS_PROFILE, or run `aws sso login`",
    )
}

fn endpoints(config: &SdkConfig) -> Vec<String> {
    let env = Env::real();
    let set = |name: &&str| env.get(name).ok().filter(|url| !url.is_empty()).map(|url| format!("{name}={url}"));
    let mut endpoints: Vec<_> = ENDPOINTS.iter().filter_map(set).collect();
    if endpoints.is_empty() {
        endpoints.extend(config.endpoint_url().map(|url| format!("endpoint_url={url}")));
    }
    endpoints
}

/// A bucket has no host name of its own on an endpoint that is not AWS's.
fn clients(config: &SdkConfig, path_style: bool, tracer: Option<Tracer>) -> Clients {
    /// A service's client, with the tracer where there is one.
    macro_rules! client {
        ($service:ident, $settings:expr) => {{
            let mut settings = $settings;
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
