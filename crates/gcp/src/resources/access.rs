//! `gcp.access`: what the service account that the server runs as may do with the bucket and with itself. What it may do
//! with the subscription goes with that, see [`super::subscription`].

use provision_core::mark::Mark;
use provision_core::resource::{AtCreation, Facet, Kept, Observation, Present, Refusal, Seen, Shape, Want};
use provision_core::{Error, ErrorKind};
use serde_json::{Map, Value, json};

use crate::client::{Policy, Read as _, Reader, Writer, labels_of};
use crate::config::{SERVER_ACCOUNT_ROLES, SERVER_BUCKET_ROLES, SERVER_SUBSCRIPTION_ROLES, Settings};
use crate::policy::{Holder, former, grant, member_of, others, revoke, roles_of};
use crate::provider::Names;

static GRANTS: Facet = Facet { name: "grants", key: 'a', shape: Shape::Whole, at_creation: AtCreation::Written };

/// Roles of the server on one thing: the name in the facet's value, the thing, the roles.
type Grants = (&'static str, Holder, &'static [&'static str]);

/// What the server gets here.
fn grants(names: &Names, email: &str) -> [Grants; 2] {
    [
        ("bucket", Holder::Bucket(names.bucket.clone()), &SERVER_BUCKET_ROLES),
        ("service_account", Holder::Account(email.to_owned()), &SERVER_ACCOUNT_ROLES),
    ]
}

/// What is wanted: the member and its roles, so that another account is another value.
pub(crate) fn want(settings: &Settings, names: &Names) -> Vec<Want> {
    let Some(email) = settings.service_account() else { return Vec::new() };
    vec![Want { facet: &GRANTS, value: wanted(names, email), path: "gcp.access".to_owned() }]
}

fn wanted(names: &Names, email: &str) -> Value {
    let roles = grants(names, email).into_iter().map(|(name, _, roles)| (name.to_owned(), json!(roles)));
    value(email, roles.collect())
}

fn value(email: &str, mut roles: Map<String, Value>) -> Value {
    if roles.is_empty() {
        return Value::Null;
    }
    roles.insert("member".to_owned(), json!(member_of(email)));
    Value::Object(roles)
}

/// The commands that grant everything the server needs, for those who run them themselves.
pub(crate) fn commands(names: &Names) -> String {
    let account = "\"$SERVICE_ACCOUNT\"";
    let subscription = names.subscription.as_ref().map(|subscription| names.subscription_name(subscription));
    let mut targets =
        vec![(format!("storage buckets add-iam-policy-binding gs://{}", names.bucket), &SERVER_BUCKET_ROLES[..])];
    targets.extend(
        subscription.map(|name| {
            (format!("pubsub subscriptions add-iam-policy-binding {name}"), &SERVER_SUBSCRIPTION_ROLES[..])
        }),
    );
    targets.push((format!("iam service-accounts add-iam-policy-binding {account}"), &SERVER_ACCOUNT_ROLES[..]));
    let command = |target: &str, role: &str| format!("gcloud {target} --member=serviceAccount:{account} --role={role}");
    let commands = targets.iter().flat_map(|(target, roles)| roles.iter().map(move |role| command(target, role)));
    commands.collect::<Vec<_>>().join("\n")
}

/// All policies at once. Where the plan file named another account before, what that one has is seen.
pub(crate) async fn observe(reader: &Reader, settings: &Settings, names: &Names) -> Result<Observation, Error> {
    let Some(email) = settings.service_account() else { return Ok(Observation::Absent) };
    let (observed, former) = futures::join!(observe_account(reader, names, email), former_server(reader, names, email));
    match (&observed, former) {
        (Observation::Present(present), Ok(Some(former))) if present.obstacles.is_empty() => {
            Ok(observe_account(reader, names, &former).await)
        }
        _ => Ok(observed),
    }
}

/// The account that the plan file named before: it has the roles on record on the bucket.
async fn former_server(reader: &Reader, names: &Names, email: &str) -> Result<Option<String>, Error> {
    let holder = Holder::Bucket(names.bucket.clone());
    let (policy, bucket) = futures::join!(holder.policy(reader), reader.get_bucket(&names.bucket));
    let (Some(policy), Some(bucket)) = (policy?, bucket?) else { return Ok(None) };
    let Some(mark) = Mark::from_tags(&labels_of(&bucket.labels)) else { return Ok(None) };
    let recorded = mark.recorded(GRANTS.key);
    Ok(former(&policy, email, &SERVER_BUCKET_ROLES, |other| recorded.is(&wanted(names, other))))
}

async fn observe_account(reader: &Reader, names: &Names, email: &str) -> Observation {
    let grants = grants(names, email);
    let reads = futures::future::join_all(grants.iter().map(|(_, holder, _)| holder.policy(reader))).await;
    let mut present = Present::default();
    let mut found = Map::new();
    for ((name, holder, roles), read) in grants.iter().zip(reads) {
        match read {
            Ok(Some(policy)) => note(&mut found, &mut present, name, holder, &policy, email, roles),
            // What is not made yet has no policy; the account itself is never ours to make.
            Ok(None) if matches!(holder, Holder::Account(_)) => {
                present.obstacles.push((GRANTS.name, no_account(email)));
            }
            Ok(None) => {}
            Err(error) => {
                present.seen = vec![(GRANTS.name, Seen::Unknown(error))];
                return Observation::Present(Box::new(present));
            }
        }
    }
    present.seen = vec![(GRANTS.name, Seen::Value(value(email, found)))];
    Observation::Present(Box::new(present))
}

fn note(
    found: &mut Map<String, Value>,
    present: &mut Present,
    name: &str,
    holder: &Holder,
    policy: &Policy,
    email: &str,
    roles: &[&str],
) {
    let member = member_of(email);
    let had = roles_of(policy, &member, roles);
    if !had.is_empty() {
        found.insert(name.to_owned(), json!(had));
    }
    let others = others(policy, &member, roles).into_iter();
    let entry = |other| Kept { facet: GRANTS.name.to_owned(), entry: format!("{other} on {}", holder.describe()) };
    present.kept.extend(others.map(entry));
}

fn no_account(email: &str) -> Refusal {
    Refusal {
        reason: format!("service account `{email}` does not exist"),
        hint: "create the account that the server runs as (`gcloud iam service-accounts create`), or leave [gcp.access] out and \
               run the commands that apply prints"
            .to_owned(),
    }
}

/// Give the roles, or take them; each policy by its own etag.
pub(crate) async fn write(writer: &Writer, settings: &Settings, names: &Names, value: &Value) -> Result<(), Error> {
    let Some(email) = settings.service_account() else { return Ok(()) };
    let former = former_server(writer.reader(), names, email).await?;
    if value.is_null() {
        let [(_, bucket, roles), _] = &grants(names, email);
        let member = member_of(email);
        let (taken, own) =
            futures::join!(revoke(writer, bucket, &member, roles), take_from_account(writer, settings, names, email));
        taken.and(own)?;
    } else {
        let (grants, member) = (grants(names, email), member_of(email));
        let writes = grants.iter().map(|(_, holder, roles)| grant(writer, holder, &member, roles, false));
        let written = futures::future::join_all(writes).await;
        written.into_iter().collect::<Result<(), Error>>().map_err(|error| explain(error, email))?;
    }
    let Some(former) = former else { return Ok(()) };
    // On the bucket last: by its roles there the former account is found again.
    take_from_account(writer, settings, names, &former).await?;
    revoke(writer, &Holder::Bucket(names.bucket.clone()), &member_of(&former), &SERVER_BUCKET_ROLES).await
}

/// Take what an account may do with itself.
async fn take_from_account(writer: &Writer, settings: &Settings, names: &Names, email: &str) -> Result<(), Error> {
    if claimed_by_another(writer, settings, names, email).await? {
        return Ok(());
    }
    revoke(writer, &Holder::Account(email.to_owned()), &member_of(email), &SERVER_ACCOUNT_ROLES).await
}

/// Two deployments whose servers run as one account want the same of that account: it stays as long as another one of the
/// project has it on record.
async fn claimed_by_another(writer: &Writer, settings: &Settings, names: &Names, email: &str) -> Result<bool, Error> {
    let (deployment, wanted) = (&settings.deployment, wanted(names, email));
    let buckets = writer.reader().list_buckets(&names.project).await?;
    let mut marks = buckets.iter().filter_map(|bucket| Mark::from_tags(&labels_of(&bucket.labels)));
    Ok(marks.any(|mark| {
        let other = mark.deployment != deployment.name && Some(&mark.deployment) != deployment.was.as_ref();
        other && mark.recorded(GRANTS.key).is(&wanted)
    }))
}

/// <https://cloud.google.com/iam/docs/policies#binding-members>: a policy takes accounts that exist only.
pub(crate) fn explain(error: Error, email: &str) -> Error {
    let missing =
        error.kind() == ErrorKind::InvalidInput && error.reason().is_some_and(|reason| reason.contains(email));
    if missing { error.hint(no_account(email).hint) } else { error }
}
