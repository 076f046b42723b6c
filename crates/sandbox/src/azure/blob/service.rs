//! The Blob service of an account: its containers and settings
//! <https://learn.microsoft.com/rest/api/storageservices/operations-on-the-account--blob-service->.

use quick_xml::escape::escape;
use serde::Deserialize;

use crate::azure::accounts::Account;
use crate::azure::blob_services::{self, Retention};
use crate::azure::call::{Call, empty, http_date, milliseconds, timestamp, xml};
use crate::azure::containers::{self, Container};
use crate::azure::cors::{self, Rule};
use crate::azure::refusal::{Refusal, Served};
use crate::azure::signatures::{self, UserKey, unauthenticated};
use crate::azure::{leases, login};
use crate::state::Transaction;

/// Most entries of a page.
const PAGE: usize = 5_000;

/// The settings that a request changes; those that it leaves out stay
/// <https://learn.microsoft.com/rest/api/storageservices/set-blob-service-properties>.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Settings {
    cors: Option<Cors>,
    default_service_version: Option<String>,
    delete_retention_policy: Option<RetentionPolicy>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Cors {
    #[serde(default)]
    cors_rule: Vec<CorsRule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CorsRule {
    allowed_origins: String,
    allowed_methods: String,
    #[serde(default)]
    allowed_headers: String,
    #[serde(default)]
    exposed_headers: String,
    max_age_in_seconds: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RetentionPolicy {
    enabled: bool,
    days: Option<u32>,
}

/// From when to when a key is to be good.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct KeyInfo {
    #[serde(default)]
    start: String,
    expiry: String,
}

/// How long a user's key is good at most, in milliseconds.
const LONGEST_KEY_MS: u64 = 7 * 24 * 3_600_000;

/// A key for whoever a token was given to <https://learn.microsoft.com/rest/api/storageservices/get-user-delegation-key>.
pub(super) fn user_key(call: &Call<'_>, account: &Account) -> Served {
    let claims = login::claims(call, &login::of_storage(&account.name, "blob"))
        .map_err(|_| unauthenticated("Only authentication scheme Bearer is supported"))?;
    let body = std::str::from_utf8(call.request.body()).unwrap_or_default();
    let wanted: KeyInfo = quick_xml::de::from_str(body.trim_start_matches('\u{feff}'))
        .map_err(|error| Refusal::bad_request("InvalidXmlDocument", format!("XML specified is not valid: {error}.")))?;
    let expiry = milliseconds(&wanted.expiry).filter(|expiry| *expiry > call.signing_ms);
    if expiry.is_none_or(|expiry| expiry > call.signing_ms + LONGEST_KEY_MS) {
        let message = "The value for one of the XML nodes is not in the correct format: Expiry.";
        return Err(Refusal::bad_request("InvalidXmlNodeValue", message));
    }
    let start = if wanted.start.is_empty() { timestamp(call.signing_ms) } else { wanted.start };
    let version = call.header("x-ms-version").unwrap_or_default().to_owned();
    let (service, expiry) = ("b".to_owned(), wanted.expiry);
    let key = UserKey { user: claims.oid, tenant: claims.tid, start, expiry, service, version };
    let UserKey { user, tenant, start, expiry, service, version } = &key;
    let value = signatures::user_key(account, &key);
    Ok(xml(
        200,
        &format!(
            "<UserDelegationKey><SignedOid>{user}</SignedOid><SignedTid>{tenant}</SignedTid><SignedStart>{}</SignedStart>\
             <SignedExpiry>{}</SignedExpiry><SignedService>{service}</SignedService><SignedVersion>{}</SignedVersion>\
             <Value>{value}</Value></UserDelegationKey>",
            escape(start.as_str()),
            escape(expiry.as_str()),
            escape(version.as_str())
        ),
    ))
}

pub(super) fn list(state: &Transaction<'_>, call: &Call<'_>, account: &Account) -> Served {
    let prefix = call.field("prefix").unwrap_or_default();
    let marker = call.field("marker").unwrap_or_default();
    let size = call.field("maxresults").and_then(|size| size.parse().ok()).unwrap_or(PAGE).clamp(1, PAGE);
    let metadata = call.field("include").unwrap_or_default().split(',').any(|word| word == "metadata");
    let mut left = containers::all(state, account)?
        .into_iter()
        .filter(|container| container.name.starts_with(prefix) && container.name.as_str() > marker);
    let found: Vec<Container> = left.by_ref().take(size).collect();
    let next = found.last().map(|container| container.name.clone()).filter(|_| left.next().is_some());
    let body = format!(
        "<EnumerationResults ServiceEndpoint=\"https://{}/{}/\"><Prefix>{}</Prefix><Marker>{}</Marker><MaxResults>{size}\
         </MaxResults><Containers>{}</Containers><NextMarker>{}</NextMarker></EnumerationResults>",
        call.addresses.blob,
        account.name,
        escape(prefix),
        escape(marker),
        found.iter().map(|container| listed(call, container, metadata)).collect::<String>(),
        next.unwrap_or_default()
    );
    Ok(xml(200, &body))
}

pub(super) fn get(state: &Transaction<'_>, account: &Account) -> Served {
    let service = blob_services::of(state, account)?;
    let rules: String = service.cors.written().iter().map(shown).collect();
    let retention = &service.delete_retention;
    let days = retention.days.filter(|_| retention.enabled).map(|days| format!("<Days>{days}</Days>"));
    let version = service.default_service_version.as_ref();
    let version = version.map(|version| format!("<DefaultServiceVersion>{}</DefaultServiceVersion>", escape(version)));
    let off =
        "<Version>1.0</Version><Enabled>false</Enabled><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy>";
    let body = format!(
        "<StorageServiceProperties><Logging><Version>1.0</Version><Read>false</Read><Write>false</Write>\
         <Delete>false</Delete><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></Logging>\
         <HourMetrics>{off}</HourMetrics><MinuteMetrics>{off}</MinuteMetrics><Cors>{rules}</Cors>{}\
         <DeleteRetentionPolicy><Enabled>{}</Enabled>{}</DeleteRetentionPolicy><StaticWebsite><Enabled>false</Enabled>\
         </StaticWebsite></StorageServiceProperties>",
        version.unwrap_or_default(),
        retention.enabled,
        days.unwrap_or_default()
    );
    Ok(xml(200, &body))
}

pub(super) fn set(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account) -> Served {
    let invalid =
        |reason: String| Refusal::bad_request("InvalidXmlDocument", format!("XML specified is not valid: {reason}."));
    let text = std::str::from_utf8(call.request.body()).map_err(|error| invalid(error.to_string()))?;
    let settings: Settings =
        quick_xml::de::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| invalid(error.to_string()))?;
    let mut service = blob_services::of(state, account)?;
    if let Some(cors) = settings.cors {
        let rules: Vec<Rule> = cors.cors_rule.into_iter().map(rule).collect();
        cors::valid(&rules).map_err(invalid)?;
        service.cors.write(rules, call.now_ms, call.delay_ms("cors", 0));
    }
    service.default_service_version = settings.default_service_version.or(service.default_service_version);
    if let Some(RetentionPolicy { enabled, days }) = settings.delete_retention_policy {
        service.delete_retention = Retention::new(enabled, days);
    }
    blob_services::write(state, account, &service)?;
    Ok(empty(202))
}

fn rule(rule: CorsRule) -> Rule {
    let split = |text: &str| {
        text.split(',').map(str::trim).filter(|value| !value.is_empty()).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    Rule {
        allowed_origins: split(&rule.allowed_origins),
        allowed_methods: split(&rule.allowed_methods),
        allowed_headers: split(&rule.allowed_headers),
        exposed_headers: split(&rule.exposed_headers),
        max_age_in_seconds: rule.max_age_in_seconds,
    }
}

fn shown(rule: &Rule) -> String {
    format!(
        "<CorsRule><AllowedOrigins>{}</AllowedOrigins><AllowedMethods>{}</AllowedMethods><AllowedHeaders>{}\
         </AllowedHeaders><ExposedHeaders>{}</ExposedHeaders><MaxAgeInSeconds>{}</MaxAgeInSeconds></CorsRule>",
        escape(rule.allowed_origins.join(",")),
        escape(rule.allowed_methods.join(",")),
        escape(rule.allowed_headers.join(",")),
        escape(rule.exposed_headers.join(",")),
        rule.max_age_in_seconds
    )
}

fn listed(call: &Call<'_>, container: &Container, metadata: bool) -> String {
    let (status, state) = leases::shown(container.lease.as_ref(), call.now_ms);
    let values = container.metadata.iter().map(|(name, value)| format!("<{name}>{}</{name}>", escape(value)));
    let metadata =
        if metadata { format!("<Metadata>{}</Metadata>", values.collect::<String>()) } else { String::new() };
    format!(
        "<Container><Name>{}</Name><Properties><Last-Modified>{}</Last-Modified><Etag>\"{}\"</Etag><LeaseStatus>{status}\
         </LeaseStatus><LeaseState>{state}</LeaseState><HasImmutabilityPolicy>false</HasImmutabilityPolicy><HasLegalHold>\
         {}</HasLegalHold></Properties>{metadata}</Container>",
        container.name,
        http_date(container.modified_ms),
        container.etag,
        !container.holds.is_empty()
    )
}
