//! Subscriptions, and which resource providers they may use.

use std::collections::BTreeMap;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Error;
use crate::azure::call::{Call, json, list};
use crate::azure::refusal::{Refusal, Served};
use crate::azure::resource_manager::not_served;
use crate::azure::resources;
use crate::azure::target::{Kind, Shape, Target};
use crate::state::Transaction;

/// How long registration usually takes, in milliseconds.
const REGISTRATION_MS: u64 = 600;

/// The resource providers there are.
const PROVIDERS: [&str; 4] =
    ["Microsoft.Authorization", "Microsoft.EventGrid", "Microsoft.Resources", "Microsoft.Storage"];

/// A subscription.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Subscription {
    id: String,
    pub(super) tenant: String,
    /// The registered resource providers, with the moment from which they are.
    providers: BTreeMap<String, u64>,
}

/// Make one, with all resource providers, unless it is there; gives the tenant that it is of.
pub(super) fn seed(state: &mut Transaction<'_>, id: &str, tenant: &str) -> Result<String, Error> {
    let key = format!("/subscriptions/{id}");
    if let Some(Subscription { tenant, .. }) = resources::get(state, &key)? {
        return Ok(tenant);
    }
    let providers = PROVIDERS.map(|name| (name.to_owned(), 0)).into();
    resources::put(state, &key, &Subscription { id: id.to_owned(), tenant: tenant.to_owned(), providers })?;
    Ok(tenant.to_owned())
}

/// All of them.
pub(super) fn all(state: &Transaction<'_>) -> Result<Vec<Subscription>, Error> {
    resources::list(state, "/subscriptions")
}

/// One, or the answer where there is none
/// <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors>.
pub(super) fn existing(state: &Transaction<'_>, id: &str) -> Result<Subscription, Refusal> {
    resources::get(state, &format!("/subscriptions/{id}"))?.ok_or_else(|| {
        Refusal::not_found("SubscriptionNotFound", format!("The subscription '{id}' could not be found."))
    })
}

/// Refuse the use of a resource provider that is not registered
/// <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-register-resource-provider>.
pub(super) fn registered(state: &Transaction<'_>, call: &Call<'_>, target: &Target) -> Result<(), Refusal> {
    let path = call.request.uri().path();
    let words: Vec<&str> = path.split('/').collect();
    let place = words.iter().rposition(|word| word.eq_ignore_ascii_case("providers"));
    let name = place.and_then(|place| words.get(place + 1)).and_then(|name| provider(name));
    let Some(name) = name.filter(|_| target.kind != Kind::Providers && target.kind != Kind::Operations) else {
        return Ok(());
    };
    let ready = existing(state, &target.subscription)?.providers.get(name).is_some_and(|ready| *ready <= call.now_ms);
    if ready {
        return Ok(());
    }
    let message = format!(
        "The subscription is not registered to use namespace '{name}'. See https://aka.ms/rps-not-found for how to \
         register subscriptions."
    );
    Err(Refusal::conflict("MissingSubscriptionRegistration", message))
}

pub(super) fn serve(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    match (&target.kind, call.method(), &target.shape) {
        (Kind::Subscriptions, &Method::GET, Shape::Collection) => list(all(state)?.iter().map(body).collect()),
        (Kind::Subscriptions, &Method::GET, _) => Ok(json(200, &body(&existing(state, &target.subscription)?))),
        (Kind::Providers, &Method::GET, Shape::Collection) => {
            let subscription = existing(state, &target.subscription)?;
            list(PROVIDERS.iter().map(|name| registration(&subscription, call, name)).collect())
        }
        (Kind::Providers, &Method::GET, _) => {
            let name = known(target.name(0))?;
            Ok(json(200, &registration(&existing(state, &target.subscription)?, call, name)))
        }
        (Kind::Providers, _, Shape::Action(action)) => register(state, call, target, action == "register"),
        _ => Err(not_served(call, target)),
    }
}

/// <https://learn.microsoft.com/rest/api/resources/providers/register>
fn register(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target, wanted: bool) -> Served {
    let name = known(target.name(0))?;
    let mut subscription = existing(state, &target.subscription)?;
    if wanted {
        let ready_ms = call.now_ms + call.delay_ms("providers", REGISTRATION_MS);
        subscription.providers.entry(name.to_owned()).or_insert(ready_ms);
    } else {
        subscription.providers.remove(name);
    }
    resources::put(state, &format!("/subscriptions/{}", target.subscription), &subscription)?;
    Ok(json(200, &registration(&subscription, call, name)))
}

fn provider(name: &str) -> Option<&'static str> {
    PROVIDERS.into_iter().find(|known| known.eq_ignore_ascii_case(name))
}

fn known(name: &str) -> Result<&'static str, Refusal> {
    provider(name).ok_or_else(|| {
        let message = format!("The resource namespace '{name}' is invalid.");
        Refusal::not_found("InvalidResourceNamespace", message)
    })
}

fn registration(subscription: &Subscription, call: &Call<'_>, name: &str) -> Value {
    let state = match subscription.providers.get(name) {
        None => "NotRegistered",
        Some(ready_ms) if *ready_ms > call.now_ms => "Registering",
        Some(_) => "Registered",
    };
    json!({
        "id": format!("/subscriptions/{}/providers/{name}", subscription.id),
        "namespace": name,
        "registrationState": state,
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": [],
    })
}

/// <https://learn.microsoft.com/rest/api/resources/subscriptions/get>
fn body(subscription: &Subscription) -> Value {
    json!({
        "id": format!("/subscriptions/{}", subscription.id),
        "subscriptionId": subscription.id,
        "tenantId": subscription.tenant,
        "displayName": "Sandbox",
        "state": "Enabled",
        "authorizationSource": "RoleBased",
        "subscriptionPolicies": { "locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off" },
    })
}
