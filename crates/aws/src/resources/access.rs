//! `aws.access`: an inline policy on the role that the server runs as.
//!
//! Which policy on which role is a name of its own, `role/policy`. The mark keeps it, so that the policy of a role that the
//! plan file no longer names is found again and taken out.

use std::collections::BTreeSet;

use provision_core::Error;
use provision_core::facet::{Desired, Entries, Entry, EntryId, Words};
use provision_core::refusal::Refusal;
use provision_core::resource::{MarkHolder, Observation, OnRecord, Present, Resource};
use serde_json::{Map, Value, json};

use crate::client::{Reader, Writer};
use crate::config::{
    Encryption, Grant, SERVER_BUCKET_ACTIONS, SERVER_KEY_ACTIONS, SERVER_QUEUE_ACTIONS, SERVER_RUN_QUEUE_ACTIONS,
    Settings,
};
use crate::names::{Names, Part};
use crate::policy::{Document, VERSION, document, normalize};
use crate::resources::{Facets, Write};

provision_core::facets! {
    /// Facets of the server's rights.
    pub(crate) enum AccessFacet {
        Policy = ("policy", 'a', NamedKeys, Named, OwnCall),
    }
}

/// What the marks say about whom access was given to: references, `role/policy`.
pub(crate) type Recalled = BTreeSet<String>;

/// The role that the plan file names, or else the one that the marks name; none if access was never given.
pub(crate) fn resource(settings: &Settings, names: &Names, recalled: &Recalled) -> Option<Resource> {
    let reference = settings.role_name().map(|role| place(role, &names.policies[0]));
    let last = reference.as_ref().or(recalled.first())?;
    let (role, _) = last.split_once('/')?;
    Some(Resource {
        identity: last.clone(),
        mark_holder: MarkHolder::On(Part::Bucket.address()),
        on_record: OnRecord::EveryMark,
        grants_access: true,
        needs: vec![Part::Bucket.address()],
        deleted_after: vec![Part::Bucket.address()],
        references: reference.clone().into_iter().collect(),
        ..Part::Access.resource(role, AccessFacet::ALL)
    })
}

fn place(role: &str, policy: &str) -> String {
    format!("{role}/{policy}")
}

/// The desired facets: the statements under role and name, so that another role is another value.
pub(crate) fn desired(settings: &Settings, names: &Names) -> Vec<Desired> {
    let Some(role) = settings.role_name() else { return Vec::new() };
    let value = Map::from_iter([(place(role, &names.policies[0]), statements(settings, names))]);
    let desired = |facet: &AccessFacet| match facet {
        AccessFacet::Policy => facet.desired(&value, "aws.access"),
    };
    AccessFacet::EACH.iter().map(desired).collect()
}

/// A facet in words: how many actions on what, a line for each service.
pub(crate) fn in_words(settings: &Settings, facet: AccessFacet, value: &Value) -> Vec<Words> {
    match facet {
        AccessFacet::Policy => {
            let policies = value.as_object().into_iter().flat_map(Map::values);
            let statements = policies.filter_map(Value::as_array).flatten();
            statements.filter_map(|statement| statement_in_words(settings, statement)).collect()
        }
    }
}

fn statement_in_words(settings: &Settings, statement: &Value) -> Option<Words> {
    let actions: Vec<_> = statement["Action"].as_array()?.iter().filter_map(Value::as_str).collect();
    let resource = statement["Resource"].as_array()?.first()?.as_str()?;
    let name = resource.rsplit(':').next().unwrap_or_default();
    let (service, on) = match actions.first()?.split_once(':')?.0 {
        "s3" => ("S3", format!("bucket {} and its objects", settings.aws.bucket.name)),
        "sqs" => ("SQS", format!("queue {name}")),
        _ => ("KMS", name.to_owned()),
    };
    let what = match actions.as_slice() {
        [all] if all.ends_with(":*") => "every action".to_owned(),
        [_] => "1 action".to_owned(),
        several => format!("{} actions", several.len()),
    };
    Some((service, format!("{what} on {on}")))
}

/// The policy of the server as a document, for those who attach it themselves.
pub(crate) fn server_policy(settings: &Settings, names: &Names) -> Value {
    json!({ "Version": VERSION, "Statement": statements(settings, names) })
}

fn statements(settings: &Settings, names: &Names) -> Value {
    let all = settings.aws.access.as_ref().is_some_and(|access| access.grant == Grant::All);
    let bucket = names.bucket_arn();
    let allow = |actions: &[&str], resources: &[String]| {
        normalize(&json!({"Effect": "Allow", "Action": actions, "Resource": resources}))
    };
    let objects = format!("{bucket}/*");
    let mut statements = vec![allow(if all { &["s3:*"] } else { &SERVER_BUCKET_ACTIONS }, &[bucket, objects])];
    if let Some(queue) = &names.queue {
        statements.push(allow(if all { &["sqs:*"] } else { &SERVER_QUEUE_ACTIONS }, &[names.queue_arn(queue)]));
    }
    if let Some(run_queue) = &names.run_queue {
        statements.push(allow(&SERVER_RUN_QUEUE_ACTIONS, &[names.queue_arn(run_queue)]));
    }
    if let Some(Encryption::Key(key)) = &settings.aws.bucket.encryption {
        statements.push(allow(&SERVER_KEY_ACTIONS, std::slice::from_ref(&key.kms_key)));
    }
    statements.sort_by_key(Value::to_string);
    Value::Array(statements)
}

/// Where policies of ours may be: under the present name and the former ones, and where the marks say.
pub(crate) fn places(settings: &Settings, names: &Names, recalled: &Recalled) -> BTreeSet<String> {
    let own = settings.role_name().filter(|_| foreign_role(settings, names).is_none());
    let own = own.into_iter().flat_map(|role| names.policies.iter().map(|policy| place(role, policy)));
    own.chain(recalled.iter().cloned()).collect()
}

/// What was found at one of the places.
enum Found {
    Policy(Box<Entry>),
    /// The role has no such policy.
    Nothing,
    NoRole,
}

/// Look at every place at once.
pub(crate) async fn observe(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
    recalled: &Recalled,
) -> Result<Observation, Error> {
    let places = places(settings, names, recalled);
    let mut present = Present::default();
    present.blockers.extend(foreign_role(settings, names).map(|refusal| (AccessFacet::Policy.spec().name, refusal)));
    let mut list = Vec::new();
    for (place, found) in places.iter().zip(look(reader, &places).await) {
        match found {
            Ok(Found::Policy(entry)) => list.push(*entry),
            Ok(Found::Nothing) => {}
            Ok(Found::NoRole) => present.blockers.extend(missing(settings, names, recalled, place)),
            Err(error) => {
                present.observed = vec![AccessFacet::Policy.entries(Err(error))];
                return Ok(Observation::Present(Box::new(present)));
            }
        }
    }
    present.observed = vec![AccessFacet::Policy.entries(Ok(Entries { list, limit: None }))];
    Ok(Observation::Present(Box::new(present)))
}

async fn look(reader: &Reader, places: &BTreeSet<String>) -> Vec<Result<Found, Error>> {
    futures::future::join_all(places.iter().map(|place| look_at(reader, place))).await
}

async fn look_at(reader: &Reader, place: &str) -> Result<Found, Error> {
    let Some((role, policy)) = place.split_once('/') else { return Ok(Found::Nothing) };
    match reader.get_role_policy(role, policy).await {
        Ok(text) => Ok(Found::Policy(Box::new(entry(place, &text)?))),
        Err(error) if is_no_role(&error) => Ok(Found::NoRole),
        Err(error) if error.code() == Some("NoSuchEntity") => Ok(Found::Nothing),
        Err(error) => Err(error),
    }
}

/// IAM says "The role with name R cannot be found." and "The role policy with name P cannot be found.", under one code.
fn is_no_role(error: &Error) -> bool {
    error.code() == Some("NoSuchEntity")
        && error.message().is_some_and(|reason| reason.starts_with("The role with name"))
}

/// A policy under a name of ours, whatever is in it.
fn entry(place: &str, text: &str) -> Result<Entry, Error> {
    let document = Document::read(Some(text), "iam:GetRolePolicy", &format!("read role policy `{place}`"))?;
    let named = Entry::new(document.normalized(), format!("role policy `{place}`"));
    Ok(Entry { member: Some(place.to_owned()), id: EntryId::Ours, ..named })
}

/// A role that the plan file names and that is not there is refused before anything is written; one that we gave access to
/// before has been deleted since, which is drift.
fn missing(settings: &Settings, names: &Names, recalled: &Recalled, at: &str) -> Option<(&'static str, Refusal)> {
    let role = settings.role_name()?;
    let own = place(role, &names.policies[0]);
    (at == own && !recalled.contains(&own)).then(|| (AccessFacet::Policy.spec().name, no_role(role)))
}

fn foreign_role(settings: &Settings, names: &Names) -> Option<Refusal> {
    let role = settings.aws.access.as_ref()?.role.as_ref()?;
    let account = role.split(':').nth(4)?;
    (account != names.account).then(|| Refusal {
        reason: format!("role `{role}` is of account {account}, these credentials are of {}", names.account),
        hint: "name a role of this account, or leave [aws.access] out and attach the policy that apply prints"
            .to_owned(),
    })
}

fn no_role(role: &str) -> Refusal {
    Refusal { reason: format!("role `{role}` does not exist"), hint: NO_ROLE.to_owned() }
}

const NO_ROLE: &str =
    "create the role that the server runs as, or leave [aws.access] out and attach the policy that apply prints";

/// Put every policy that is desired, then delete those that are not any more.
pub(crate) async fn write(writer: &Writer, write: &Write<'_>) -> Result<(), Error> {
    let AccessFacet::Policy = AccessFacet::of(write.facet)?;
    for (place, statements) in changed(write.before, write.value) {
        let (role, policy) = split(place)?;
        let put = writer.put_role_policy(role, policy, &document(statements)).await;
        put.map_err(|error| if is_no_role(&error) { error.with_hint(NO_ROLE) } else { error })?;
    }
    for place in surplus(write.before, write.value) {
        let (role, policy) = split(place)?;
        writer.delete_role_policy(role, policy).await?;
    }
    Ok(())
}

fn split(place: &str) -> Result<(&str, &str), Error> {
    place.split_once('/').ok_or_else(|| Error::bug(&format!("`{place}` names no policy of a role")))
}

/// What is desired and not there in that form.
fn changed<'a>(before: &'a Value, value: &'a Value) -> Vec<(&'a String, &'a Value)> {
    let members = value.as_object().into_iter().flatten();
    members.filter(|(place, statements)| before.get(place.as_str()) != Some(*statements)).collect()
}

/// What is there and not desired.
fn surplus<'a>(before: &'a Value, value: &'a Value) -> Vec<&'a String> {
    let members = before.as_object().into_iter().flatten();
    members.filter(|(place, _)| value.get(place.as_str()).is_none()).map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use provision_core::ErrorKind;

    use crate::names::tests::{names, settings};

    const PLAN: &str = "[aws.bucket]\nname = \"acme\"\n[aws.access]\nrole = \"wandb-policy-role\"";

    fn recalled(places: &[&str]) -> Recalled {
        places.iter().map(|place| (*place).to_owned()).collect()
    }

    fn no_such(reason: &str) -> Error {
        Error::new(ErrorKind::NotFound, "read")
            .with_response(Some(404), Some("NoSuchEntity"), None)
            .with_message(reason)
    }

    #[test]
    fn policy_survives_its_document() {
        let settings = settings("", PLAN);
        let names = names(&settings);
        let desired = desired(&settings, &names);
        let (place, statements) = desired[0].value.as_object().unwrap().iter().next().unwrap();
        let found = entry(place, &document(statements)).unwrap();
        assert_eq!((found.member.as_ref(), &found.value, found.id), (Some(place), statements, EntryId::Ours));
        assert!(entry(place, "<html>").unwrap_err().to_string().contains("the answer cannot be read"));
    }

    #[test]
    fn former_roles_and_names_are_looked_at() {
        let settings = settings("was = \"old\"", PLAN);
        let names = names(&settings);
        let found = places(&settings, &names, &recalled(&["former/provision-x"]));
        let own = names.policies.iter().map(|policy| place("wandb-policy-role", policy));
        assert_eq!(found, own.chain(["former/provision-x".to_owned()]).collect());
    }

    #[test]
    fn resource_is_the_plan_files_role_and_else_the_recalled_one() {
        let with = settings("", PLAN);
        let without = settings("", "[aws.bucket]\nname = \"acme\"");
        let former = recalled(&["former/provision-x"]);
        let of = |settings: &Settings, recalled: &Recalled| resource(settings, &names(settings), recalled);
        let named = of(&with, &former).unwrap();
        assert_eq!((named.name.as_str(), named.references.len()), ("wandb-policy-role", 1));
        let recalled = of(&without, &former).unwrap();
        assert_eq!((recalled.name.as_str(), recalled.references), ("former", Vec::new()));
        assert!(of(&without, &Recalled::new()).is_none());
    }

    #[test]
    fn role_that_is_gone_is_refused_unless_it_had_our_policy() {
        let settings = settings("", PLAN);
        let names = names(&settings);
        let own = place("wandb-policy-role", &names.policies[0]);
        assert!(missing(&settings, &names, &Recalled::new(), &own).is_some());
        assert!(missing(&settings, &names, &recalled(&[&own]), &own).is_none());
        assert!(missing(&settings, &names, &Recalled::new(), "former/provision-x").is_none());
        assert!(is_no_role(&no_such("The role with name wandb-policy-role cannot be found.")));
        assert!(!is_no_role(&no_such("The role policy with name provision-x cannot be found.")));
    }

    #[test]
    fn write_touches_what_differs_and_nothing_else() {
        let (before, value) =
            (json!({"a/p": [1], "b/p": [2], "c/p": [3]}), json!({"b/p": [2], "c/p": [4], "d/p": [5]}));
        let places: Vec<_> = changed(&before, &value).into_iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(places, ["c/p", "d/p"]);
        assert_eq!(surplus(&before, &value), ["a/p"]);
        assert_eq!(surplus(&before, &Value::Null).len(), 3);
        assert!(changed(&Value::Null, &Value::Null).is_empty());
    }
}
