//! IAM's service accounts <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts>.

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::caller::{self, Caller};
use super::policy::{Policy, check_mask};
use super::project::{self, Account, account_key};
use super::pubsub::{subscription, topic};
use super::refusal::Refusal;
use super::storage::bucket;
use crate::state::Transaction;

/// Whoever has it may sign as an account
/// <https://cloud.google.com/iam/docs/service-account-permissions#token-creator-role>.
const TOKEN_CREATOR: &str = "roles/iam.serviceAccountTokenCreator";

const SIGN: &str = "iam.serviceAccounts.signBlob";

/// Requests for service accounts.
pub(super) fn answer(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    match call.verb() {
        "GetServiceAccount" => described(&find(state, call)?),
        "DeleteServiceAccount" => delete(state, call),
        "GetIamPolicy" => {
            call.takes(&["options.requestedPolicyVersion"])?;
            let version = requested_version(call)?;
            Ok(json!(find(state, call)?.policy.read(version)?))
        }
        "SetIamPolicy" => set_policy(state, call),
        "TestIamPermissions" => {
            let account = find(state, call)?;
            let signs = signs(state, call, &account)?;
            project::permissions(state, call, |permission| signs || permission != SIGN)
        }
        "SignBlob" => sign(state, call),
        "GenerateAccessToken" => access_token(state, call),
        _ => Err(Refusal::unserved(&call.operation)),
    }
}

/// The version of a policy that is asked for, in a parameter or, of a POST, in the body.
pub(super) fn requested_version(call: &Call<'_>) -> Result<i32, Refusal> {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[serde(default)]
        options: Options,
        #[serde(default, rename = "resource")]
        _resource: String,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Options {
        #[serde(default)]
        requested_policy_version: i32,
    }
    let body: Body = call.json()?;
    Ok(call.number("options.requestedPolicyVersion")?.unwrap_or(body.options.requested_policy_version))
}

/// The policy of a request that sets one.
pub(super) fn policy_to_set(call: &Call<'_>) -> Result<Policy, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Body {
        policy: Policy,
        #[serde(default, rename = "resource")]
        _resource: String,
        #[serde(default)]
        update_mask: String,
    }
    call.takes(&[])?;
    let body: Body = call.json()?;
    check_mask(body.update_mask.split(','))?;
    Ok(body.policy)
}

/// An account of a project, by id or number, `-` standing for any. With `-` one that is not there is answered "403 Forbidden
/// instead of 404" <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/get>, and one that was deleted
/// always (<https://github.com/crossplane-contrib/provider-upjet-gcp/issues/411>).
fn find(state: &Transaction<'_>, call: &Call<'_>) -> Result<Account, Refusal> {
    let (project, email) = (call.name(0), call.name(1));
    let account: Option<Account> = state.get(&account_key(email))?;
    let id = project::find(state, project)?.map(|project| project.id);
    let within = |account: &Account| project == "-" || account.project == id.as_deref().unwrap_or(project);
    match account.filter(within) {
        Some(account) if !account.deleted => Ok(account),
        None if project != "-" => Err(Refusal::not_found("Unknown service account")),
        _ => Err(Refusal::denied(format!(
            "Permission 'iam.serviceAccounts.{}' denied on resource (or it may not exist).",
            permission(call.verb())
        ))),
    }
}

/// What an operation needs.
fn permission(verb: &str) -> &'static str {
    match verb {
        "GetIamPolicy" => "getIamPolicy",
        "SetIamPolicy" => "setIamPolicy",
        "SignBlob" => "signBlob",
        "GenerateAccessToken" => "getAccessToken",
        "DeleteServiceAccount" => "delete",
        _ => "get",
    }
}

/// Delete an account. What it was given stays, as that of a deleted one
/// <https://cloud.google.com/iam/docs/principal-identifiers#deleted-principals>.
fn delete(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&[])?;
    let account = Account { deleted: true, ..find(state, call)? };
    state.put(&account_key(&account.email), &account)?;
    let member = format!("serviceAccount:{}", account.email);
    let gone = format!("deleted:{member}?uid={}", account.unique_id);
    bucket::rename_member(state, &member, &gone, call.now_ms)?;
    topic::rename_member(state, &member, &gone)?;
    subscription::rename_member(state, &member, &gone)?;
    for (key, mut account) in state.scan::<Account>(&account_key(""))? {
        if account.policy.rename(&member, &gone) {
            state.put(&key, &account)?;
        }
    }
    Ok(json!({}))
}

fn described(account: &Account) -> Result<Value, Refusal> {
    Ok(json!({
        "name": format!("projects/{}/serviceAccounts/{}", account.project, account.email),
        "projectId": account.project,
        "uniqueId": account.unique_id,
        "email": account.email,
        "oauth2ClientId": account.unique_id,
        "etag": "MDEwMjE5MjA=",
    }))
}

/// `iam.policy` delays what [`sign`] sees of it.
fn set_policy(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    let policy = policy_to_set(call)?;
    let mut account = find(state, call)?;
    account.policy.write(state, policy, call.now_ms, call.delay("iam.policy"))?;
    state.put(&account_key(&account.email), &account)?;
    Ok(json!(account.policy.read(3)?))
}

/// Sign bytes as an account <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob>.
///
/// An account that calls was looked at before. Cloud Storage knows the signature again ([`project::signature`]).
fn sign(state: &Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Body {
        payload: Option<String>,
        /// IAM's own, older form of it.
        bytes_to_sign: Option<String>,
        #[serde(default)]
        delegates: Vec<String>,
    }
    call.takes(&[])?;
    let body: Body = call.json()?;
    let account = find(state, call)?;
    if !signs(state, call, &account)? {
        return Err(Refusal::denied(format!("Permission '{SIGN}' denied on resource (or it may not exist).")));
    }
    if !body.delegates.is_empty() {
        return Err(Refusal::unserved("the field `delegates` of SignBlob"));
    }
    let field = if body.payload.is_some() { "signedBlob" } else { "signature" };
    let payload = body.payload.or(body.bytes_to_sign).ok_or_else(|| Refusal::invalid("The payload is missing."))?;
    let payload = BASE64.decode(payload.as_bytes()).map_err(|_| Refusal::invalid("The payload is not base64."))?;
    let signature = project::signature(state, &account.email, &payload)?.unwrap_or_default();
    Ok(json!({ "keyId": "5a4db0c5a4db0c005a4db0c5a4db0c005a4db0c5", field: BASE64.encode(&signature) }))
}

/// The user of the printed variables signs as the account itself, as a server does that signs URLs: the account must have been made
/// its own token creator. Owning a project is no right to sign.
fn signs(state: &Transaction<'_>, call: &Call<'_>, account: &Account) -> Result<bool, Refusal> {
    let itself = format!("serviceAccount:{}", account.email);
    let is_user = Caller::of(state, call)? == Caller::User;
    Ok(!is_user || account.policy.grants(&[TOKEN_CREATOR], &itself, call.now_ms))
}

/// A token with which a caller is an account
/// <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken>.
fn access_token(state: &Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    /// "By default, the maximum allowed value is 1 hour."
    const LONGEST_S: u64 = 3600;
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[serde(default)]
        scope: Vec<String>,
        lifetime: Option<String>,
        #[serde(default)]
        delegates: Vec<String>,
    }
    call.takes(&[])?;
    let body: Body = call.json()?;
    let account = find(state, call)?;
    if !body.delegates.is_empty() {
        return Err(Refusal::unserved("the field `delegates` of GenerateAccessToken"));
    }
    if body.scope.is_empty() {
        return Err(Refusal::invalid("Scope must be provided."));
    }
    let lifetime_s = body.lifetime.map_or(Some(LONGEST_S), |text| text.strip_suffix('s')?.parse().ok());
    let lifetime_s = lifetime_s.filter(|seconds| (1..=LONGEST_S).contains(seconds));
    let lifetime_s = lifetime_s.ok_or_else(|| Refusal::invalid("The lifetime is no duration of at most 3600s."))?;
    let until_ms = call.now_ms + lifetime_s * 1000;
    Ok(json!({ "accessToken": caller::token(&account.email, until_ms), "expireTime": project::timestamp(until_ms) }))
}
