//! What an identity may do: the sandbox's own user everything in its account, one that was attached what its policy says.

use std::sync::Arc;

use super::call::Call;
use super::caller::{Caller, names_account};
use super::error::Error;
use super::policy::{Attempt, Decision, Kind, Policy, Principal};
use crate::sandbox::EmulatorKind;
use crate::world::World;

/// The key of the identity that was attached.
pub(super) const KEY: &str = "AKIASANDBOXIDENTITY0";

/// A policy as it is attached to an identity.
pub(super) fn check(document: &str) -> Result<(), String> {
    Policy::parse(document, Kind::Identity).map(drop).map_err(|problem| problem.to_string())
}

/// Refuse a key that nobody made, once an identity was: beside it there are only the keys that are called as their accounts.
pub(super) fn check_key(world: &World, operation: &str, key: Option<&str>) -> Result<(), Error> {
    let made = |key: &str| key == KEY || names_account(key);
    match key.filter(|key| !made(key)) {
        Some(key) if world.identities.document(EmulatorKind::Aws).is_some() => Err(unknown(operation, key)),
        _ => Ok(()),
    }
}

/// Each service in its own words
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList>,
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>.
fn unknown(operation: &str, key: &str) -> Error {
    const TOKEN: &str = "The security token included in the request is invalid.";
    match operation.split(':').next() {
        Some("s3") => {
            let message = "The AWS Access Key Id you provided does not exist in our records.";
            Error::new(403, "InvalidAccessKeyId", message).with_detail("AWSAccessKeyId", key)
        }
        Some("tag") => Error::new(400, "UnrecognizedClientException", TOKEN),
        _ => Error::new(403, "InvalidClientTokenId", TOKEN),
    }
}

/// The policy of the identity of a key; `None` for those that may do everything.
pub(super) fn of_key(world: &World, key: Option<&str>) -> Option<Arc<str>> {
    key.filter(|key| *key == KEY).and_then(|_| world.identities.document(EmulatorKind::Aws))
}

/// Whether the caller may do something that no resource has a policy for.
pub(super) fn need(call: &Call<'_>, action: &str, resource: &str) -> Result<(), Error> {
    let user = call.caller.user();
    let attempt =
        Attempt { principal: call.caller.principal(), action, resource, context: context(&call.caller, &user) };
    decide(call, &attempt, Decision::Silent, true)
}

/// The condition keys that every signed call has.
pub(super) fn context<'a>(caller: &'a Caller, user: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut context = vec![("aws:SecureTransport", "true"), ("aws:SourceIp", "127.0.0.1")];
    let account = caller.account.as_deref().into_iter();
    context.extend(account.flat_map(|account| [("aws:PrincipalArn", user), ("aws:PrincipalAccount", account)]));
    context
}

/// Whether a call is let through, by what the resource's policy says of it and by what the identity's does: a denial wins,
/// within an account one of them must allow it, from another account both
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html>.
pub(super) fn decide(call: &Call<'_>, attempt: &Attempt<'_>, of_resource: Decision, owns: bool) -> Result<(), Error> {
    let Some(policy) = &call.caller.policy else {
        let allowed = of_resource == Decision::Allow || (of_resource == Decision::Silent && owns);
        return if allowed { Ok(()) } else { Err(denied(call, attempt, "")) };
    };
    call.world.identities.ask(&format!("{} {}", attempt.action, attempt.resource));
    let of_identity = Policy::attached(policy).map_or(Decision::Silent, |policy| policy.decide(attempt));
    match (of_identity, of_resource) {
        (Decision::Deny, _) => Err(denied(call, attempt, " with an explicit deny in an identity-based policy")),
        (_, Decision::Deny) => Err(denied(call, attempt, " with an explicit deny in a resource-based policy")),
        (Decision::Allow, Decision::Allow) => Ok(()),
        (Decision::Allow, Decision::Silent) | (Decision::Silent, Decision::Allow) if owns => Ok(()),
        (Decision::Allow, Decision::Silent) => {
            let reason = format!(" because no resource-based policy allows the {} action", named(call, attempt.action));
            Err(denied(call, attempt, &reason))
        }
        (Decision::Silent, _) => {
            let reason = format!(" because no identity-based policy allows the {} action", named(call, attempt.action));
            Err(denied(call, attempt, &reason))
        }
    }
}

/// Each service in its own words, which the recorded and reported refusals have
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>.
fn denied(call: &Call<'_>, attempt: &Attempt<'_>, reason: &str) -> Error {
    let (user, action, resource) = (call.caller.user(), named(call, attempt.action), attempt.resource);
    if attempt.principal == Principal::Anonymous {
        return Error::new(403, "AccessDenied", "Access Denied");
    }
    let what = format!("User: {user} is not authorized to perform: {action}");
    match action.split(':').next() {
        Some("s3") => Error::new(403, "AccessDenied", format!("{what} on resource: \"{resource}\"{reason}")),
        Some("iam") if resource.contains(":role/") => {
            let role = resource.rsplit('/').next().unwrap_or_default();
            Error::new(403, "AccessDenied", format!("{what} on resource: role {role}{reason}"))
        }
        Some("tag") => Error::new(400, "AccessDeniedException", format!("{what}{reason}")),
        _ => Error::new(403, "AccessDenied", format!("{what} on resource: {resource}{reason}")),
    }
}

/// SQS names actions in lower case.
fn named(call: &Call<'_>, action: &str) -> String {
    if call.operation.starts_with("sqs:") { action.to_ascii_lowercase() } else { action.to_owned() }
}
