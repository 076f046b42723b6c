//! Clients: what the dashboard calls applications <https://auth0.com/docs/api/management/v2/clients>.

use bytes::Bytes;
use http::Response;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::defaults::{self, Stored};
use super::fields::{self, MOST_METADATA, too_many};
use super::refusal::Refusal;
use super::tenants::{client_key, plan};
use super::token::shows_secrets;
use super::wire::json_answer;
use crate::state::Transaction;

/// How many a page has where nobody says, and at most.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 100;

/// What is shown of a client whatever is asked for.
const ALWAYS_SHOWN: [&str; 2] = ["tenant", "global"];

type Client = Map<String, Value>;
type Served = Result<Response<Bytes>, Refusal>;

pub(super) fn answer(state: &mut Transaction<'_>, call: &Call<'_>, tenant: &str) -> Served {
    match call.operation.as_str() {
        "auth0:clients.list" => list(state, call, tenant),
        "auth0:clients.create" => create(state, call, tenant),
        "auth0:clients.get" => get(state, call, tenant),
        "auth0:clients.update" => update(state, call, tenant),
        "auth0:clients.delete" => delete(state, call, tenant),
        other => Err(Refusal::unserved(other)),
    }
}

/// What the service does not find.
fn inexistent() -> Refusal {
    Refusal::new(404, "inexistent_client", "The client does not exist")
}

fn all(state: &Transaction<'_>, tenant: &str) -> Result<Vec<Stored>, Refusal> {
    Ok(state.scan::<Stored>(&client_key(tenant, ""))?.into_iter().map(|(_, stored)| stored).collect())
}

fn stored(state: &Transaction<'_>, tenant: &str, id: &str) -> Result<(Stored, Client), Refusal> {
    let stored = state.get::<Stored>(&client_key(tenant, id))?.ok_or_else(inexistent)?;
    let client = stored.written().clone().ok_or_else(inexistent)?;
    Ok((stored, client))
}

/// Write a client, or its end, which lists show late.
fn put(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    tenant: &str,
    mut stored: Stored,
    client: (&str, Option<Client>),
) -> Result<(), Refusal> {
    let (id, client) = client;
    stored.write(client, call.now_ms, call.world.faults.propagation_ms("auth0.clients"));
    Ok(state.put(&client_key(tenant, id), &stored)?)
}

/// <https://auth0.com/docs/api/management/v2/clients/get-clients>
fn list(state: &Transaction<'_>, call: &Call<'_>, tenant: &str) -> Served {
    call.takes(&[
        "fields",
        "include_fields",
        "page",
        "per_page",
        "include_totals",
        "from",
        "take",
        "is_global",
        "is_first_party",
        "app_type",
    ])?;
    let matches = filter(call)?;
    let seen = all(state, tenant)?;
    let seen = seen.iter().filter_map(|stored| stored.seen(call.now_ms).as_ref()).filter(|client| matches(client));
    let seen: Vec<_> = seen.collect();
    let shown = |client: &&&Client| shown(call, client);
    if let Some(take) = call.number("take", LARGEST_PAGE)? {
        if call.parameter("page").is_some() || call.parameter("per_page").is_some() {
            return Err(Refusal::query("'take' and 'page' do not go together"));
        }
        let from: usize = call.parameter("from").and_then(|from| from.parse().ok()).unwrap_or_default();
        let page = seen.iter().skip(from).take(take).map(|client| shown(&client)).collect::<Result<Vec<_>, _>>()?;
        let next = from + page.len();
        let mut body = json!({ "clients": page });
        if next < seen.len() {
            body["next"] = json!(next.to_string());
        }
        return Ok(json_answer(200, &body));
    }
    let size = call.number("per_page", LARGEST_PAGE)?.unwrap_or(PAGE);
    let start = call.number("page", usize::MAX)?.unwrap_or_default().saturating_mul(size);
    let page = seen.iter().skip(start).take(size).map(|client| shown(&client)).collect::<Result<Vec<_>, _>>()?;
    if call.flag("include_totals")? != Some(true) {
        return Ok(json_answer(200, &json!(page)));
    }
    Ok(json_answer(200, &json!({ "total": seen.len(), "start": start, "limit": size, "clients": page })))
}

/// What a list is asked for.
fn filter(call: &Call<'_>) -> Result<impl Fn(&Client) -> bool, Refusal> {
    let (global, first_party) = (call.flag("is_global")?, call.flag("is_first_party")?);
    let app_types: Option<Vec<String>> =
        call.parameter("app_type").map(|types| types.split(',').map(str::to_owned).collect());
    Ok(move |client: &Client| {
        let is =
            |name: &str, wanted: Option<bool>| wanted.is_none() || client.get(name).and_then(Value::as_bool) == wanted;
        let of_type = app_types.as_ref().is_none_or(|types| {
            client.get("app_type").and_then(Value::as_str).is_some_and(|own| types.iter().any(|known| known == own))
        });
        is("global", global) && is("is_first_party", first_party) && of_type
    })
}

/// A client as a call may see it, with the fields that it asks for.
fn shown(call: &Call<'_>, client: &Client) -> Result<Value, Refusal> {
    let mut client = client.clone();
    if !shows_secrets(call) {
        ["client_secret", "signing_keys", "encryption_key"].iter().for_each(|name| drop(client.remove(*name)));
    }
    if let Some(named) = call.parameter("fields") {
        let named: Vec<_> = named.split(',').map(str::trim).collect();
        let including = call.flag("include_fields")?.unwrap_or(true);
        client.retain(|name, _| ALWAYS_SHOWN.contains(&name.as_str()) || named.contains(&name.as_str()) == including);
    }
    Ok(Value::Object(client))
}

/// <https://auth0.com/docs/api/management/v2/clients/post-clients>
fn create(state: &mut Transaction<'_>, call: &Call<'_>, tenant: &str) -> Served {
    call.takes(&[])?;
    let asked = call.json()?;
    if !asked.contains_key("name") {
        return Err(Refusal::body("'Missing required property: name'"));
    }
    fields::check(&asked, false)?;
    let living = all(state, tenant)?.iter().filter(|stored| stored.written().is_some()).count();
    // The global one does not count.
    if living > plan(state)?.most_clients() {
        return Err(Refusal::new(403, "", "You reached the limit of entities of this type for this tenant."));
    }
    unaliased(state, tenant, &asked, None)?;
    let number = state.next_number(&format!("auth0/clients/{tenant}"))?;
    let id = defaults::client_id(tenant, number);
    let client = defaults::completed(tenant, &id, asked);
    put(state, call, tenant, Stored::default(), (&id, Some(client.clone())))?;
    // Whoever makes a client is shown its secret.
    Ok(json_answer(201, &Value::Object(client)))
}

/// "Another client exists with the same alias": the only conflict that there is; names may be alike.
fn unaliased(state: &Transaction<'_>, tenant: &str, asked: &Client, own: Option<&str>) -> Result<(), Refusal> {
    let wanted = asked.get("client_aliases").and_then(Value::as_array).cloned().unwrap_or_default();
    let taken = all(state, tenant)?.into_iter().filter_map(|stored| stored.written().clone()).any(|client| {
        let aliases = client.get("client_aliases").and_then(Value::as_array);
        client.get("client_id").and_then(Value::as_str) != own
            && aliases.is_some_and(|aliases| aliases.iter().any(|alias| wanted.contains(alias)))
    });
    if taken { Err(Refusal::new(409, "", "Another client exists with the same alias")) } else { Ok(()) }
}

/// <https://auth0.com/docs/api/management/v2/clients/get-clients-by-id>
fn get(state: &Transaction<'_>, call: &Call<'_>, tenant: &str) -> Served {
    call.takes(&["fields", "include_fields"])?;
    let (_, client) = stored(state, tenant, &call.id)?;
    Ok(json_answer(200, &shown(call, &client)?))
}

/// Lists and plain values are replaced, metadata is merged key by key, and `null` takes a key away
/// <https://auth0.com/docs/api/management/v2/clients/patch-clients-by-id>.
fn update(state: &mut Transaction<'_>, call: &Call<'_>, tenant: &str) -> Served {
    call.takes(&[])?;
    let asked = call.json()?;
    if asked.is_empty() {
        return Err(Refusal::body("'Too few properties defined (0), minimum 1'"));
    }
    fields::check(&asked, true)?;
    let (kept, mut client) = stored(state, tenant, &call.id)?;
    unaliased(state, tenant, &asked, Some(&call.id))?;
    for (name, value) in asked {
        match (name.as_str(), value) {
            ("client_metadata", Value::Object(changes)) => {
                let metadata = merged(client.get("client_metadata"), changes)?;
                client.insert(name, metadata);
            }
            // They are one, under two names.
            ("oidc_backchannel_logout", Value::Null) => {
                ["oidc_backchannel_logout", "oidc_logout"].iter().for_each(|name| drop(client.remove(*name)));
            }
            (_, Value::Null) => drop(client.remove(&name)),
            // An empty one is none.
            ("initiate_login_uri", Value::String(text)) if text.is_empty() => drop(client.remove(&name)),
            (_, value) => drop(client.insert(name, value)),
        }
    }
    defaults::spell_logout(&mut client);
    put(state, call, tenant, kept, (&call.id, Some(client.clone())))?;
    Ok(json_answer(200, &Value::Object(client)))
}

fn merged(present: Option<&Value>, changes: Client) -> Result<Value, Refusal> {
    let mut metadata = present.and_then(Value::as_object).cloned().unwrap_or_default();
    for (key, value) in changes {
        match value {
            Value::Null => drop(metadata.remove(&key)),
            value => drop(metadata.insert(key, value)),
        }
    }
    if metadata.len() > MOST_METADATA { Err(too_many(metadata.len())) } else { Ok(Value::Object(metadata)) }
}

/// Deleting what is gone is answered like deleting what is there
/// <https://auth0.com/docs/api/management/v2/clients/delete-clients-by-id>.
fn delete(state: &mut Transaction<'_>, call: &Call<'_>, tenant: &str) -> Served {
    call.takes(&[])?;
    match stored(state, tenant, &call.id) {
        Ok((_, client)) if client.get("global") == Some(&Value::Bool(true)) => {
            return Err(Refusal::new(400, "invalid_uri", "Global client cannot be deleted."));
        }
        Ok((kept, _)) => put(state, call, tenant, kept, (&call.id, None))?,
        Err(refusal) if refusal.status == 404 => {}
        Err(refusal) => return Err(refusal),
    }
    Ok(Response::builder().status(204).body(Bytes::new()).unwrap_or_default())
}
