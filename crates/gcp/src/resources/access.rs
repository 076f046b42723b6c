//! `gcp.access`: what the service account that the server runs as may do with the bucket and with itself. What it may do
//! with the subscription goes with that, see [`super::subscription`].

use provision_core::mark::Mark;
use provision_core::resource::{AtCreation, Facet, Kept, Observation, Present, Refusal, Seen, Shape, Want};
use provision_core::{Error, ErrorKind};
use serde_json::Value;

use crate::client::{Policy, Read as _, Reader, Writer, labels_of};
use crate::config::{SERVER_ACCOUNT_ROLES, SERVER_BUCKET_ROLES, SERVER_SUBSCRIPTION_ROLES, Settings};
use crate::policy::{Holder, former, grant, granted, member_of, others, revoke, roles_of};
use crate::provider::Names;

const fn facet(name: &'static str, key: char) -> Facet {
    Facet { name, key, shape: Shape::Whole, at_creation: AtCreation::Written }
}

// Two, so that the one that was there before us is told from the one that we wrote.
static ON_BUCKET: Facet = facet("bucket_grants", 'a');
static ON_ACCOUNT: Facet = facet("account_grants", 'k');

/// What is wanted: the member and its roles, so that another account is another value.
pub(crate) fn want(settings: &Settings) -> Vec<Want> {
    let Some(email) = settings.service_account() else { return Vec::new() };
    let want = |facet, value| Want { facet, value, path: "gcp.access".to_owned() };
    vec![
        want(&ON_BUCKET, granted(email, &SERVER_BUCKET_ROLES)),
        want(&ON_ACCOUNT, granted(email, &SERVER_ACCOUNT_ROLES)),
    ]
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

/// Both policies at once. Where the plan file named another account before, what that one has is seen.
pub(crate) async fn observe(reader: &Reader, settings: &Settings, names: &Names) -> Result<Observation, Error> {
    let Some(email) = settings.service_account() else { return Ok(Observation::Absent) };
    let (bucket, account) = (Holder::Bucket(names.bucket.clone()), Holder::Account(email.to_owned()));
    let (on_bucket, on_account, mark) =
        futures::join!(bucket.policy(reader), account.policy(reader), own_mark(reader, settings, names));
    let mut present = Present { nameless: vec![ON_BUCKET.name, ON_ACCOUNT.name], ..Present::default() };
    if matches!(on_account, Ok(None)) {
        // The account itself is never ours to make.
        present.obstacles.push((ON_ACCOUNT.name, no_account(email)));
    }
    let mark = mark.unwrap_or_default();
    let policy = on_bucket.as_ref().ok().and_then(Option::as_ref);
    let former = policy.filter(|_| present.obstacles.is_empty());
    match former.and_then(|policy| former_server(policy, mark.as_ref(), email)) {
        Some(former) => {
            let account = Holder::Account(former.clone());
            let on_account = account.policy(reader).await;
            note(&mut present, &ON_BUCKET, &bucket, on_bucket, &former, &SERVER_BUCKET_ROLES);
            note(&mut present, &ON_ACCOUNT, &account, on_account, &former, &SERVER_ACCOUNT_ROLES);
        }
        None => {
            note(&mut present, &ON_BUCKET, &bucket, on_bucket, email, &SERVER_BUCKET_ROLES);
            note(&mut present, &ON_ACCOUNT, &account, on_account, email, &SERVER_ACCOUNT_ROLES);
            if !mark.is_some_and(|mark| mark.wrote(ON_ACCOUNT.key)) && has_account_grants(&present) {
                let wrote = |mark: &Mark| mark.wrote(ON_ACCOUNT.key);
                let shared = claimed_by_another(reader, settings, names, email, wrote).await?;
                present.shared.extend(shared.then_some(ON_ACCOUNT.name));
            }
        }
    }
    Ok(Observation::Present(Box::new(present)))
}

fn has_account_grants(present: &Present) -> bool {
    let has = |seen: &Seen| matches!(seen, Seen::Value(value) if !value.is_null());
    present.seen.iter().any(|(name, seen)| *name == ON_ACCOUNT.name && has(seen))
}

/// The mark on the bucket, which has the grants on record, if it is this deployment's.
async fn own_mark(reader: &Reader, settings: &Settings, names: &Names) -> Result<Option<Mark>, Error> {
    let bucket = reader.get_bucket(&names.bucket).await?;
    let mark = bucket.and_then(|bucket| Mark::from_tags(&labels_of(&bucket.labels)));
    Ok(mark.filter(|mark| !is_anothers(mark, settings) && mark.is_for(&names.bucket_identity())))
}

fn is_anothers(mark: &Mark, settings: &Settings) -> bool {
    let deployment = &settings.deployment;
    mark.deployment != deployment.name && Some(&mark.deployment) != deployment.was.as_ref()
}

/// The account that the plan file named before: it has the roles on record on the bucket.
fn former_server(policy: &Policy, mark: Option<&Mark>, email: &str) -> Option<String> {
    let recorded = mark?.recorded(ON_BUCKET.key);
    former(policy, email, &SERVER_BUCKET_ROLES, |other| recorded.is(&granted(other, &SERVER_BUCKET_ROLES)))
}

/// What an account has by one policy. What is not made yet has none.
fn note(
    present: &mut Present,
    facet: &Facet,
    holder: &Holder,
    policy: Result<Option<Policy>, Error>,
    email: &str,
    roles: &[&str],
) {
    let seen = match policy.map(Option::unwrap_or_default) {
        Ok(policy) => {
            let member = member_of(email);
            let others = others(&policy, &member, roles).into_iter();
            let entry =
                |other| Kept { facet: facet.name.to_owned(), entry: format!("{other} on {}", holder.describe()) };
            present.kept.extend(others.map(entry));
            Seen::Value(granted(email, &roles_of(&policy, &member, roles)))
        }
        Err(error) => Seen::Unknown(error),
    };
    present.seen.push((facet.name, seen));
}

fn no_account(email: &str) -> Refusal {
    Refusal {
        reason: format!("service account `{email}` does not exist"),
        hint: "create the account that the server runs as (`gcloud iam service-accounts create`), or leave [gcp.access] out and \
               run the commands that apply prints"
            .to_owned(),
    }
}

/// Give the roles of one facet, or take them, and take what we gave to the account that the plan file named before.
pub(crate) async fn write(
    writer: &Writer,
    settings: &Settings,
    names: &Names,
    facet: &str,
    value: &Value,
) -> Result<(), Error> {
    let Some(email) = settings.service_account() else { return Ok(()) };
    let (reader, bucket, on_account) =
        (writer.reader(), Holder::Bucket(names.bucket.clone()), facet == ON_ACCOUNT.name);
    let claimed = async {
        let asks = on_account && value.is_null();
        if asks { claimed_by_another(reader, settings, names, email, |_| true).await } else { Ok(false) }
    };
    let (policy, mark, claimed) = futures::join!(bucket.policy(reader), own_mark(reader, settings, names), claimed);
    let (policy, mark) = (policy?, mark?);
    let (holder, roles) = match on_account {
        true => (Holder::Account(email.to_owned()), &SERVER_ACCOUNT_ROLES),
        false => (bucket, &SERVER_BUCKET_ROLES),
    };
    if !value.is_null() {
        let given = grant(writer, &holder, &member_of(email), roles, false).await;
        given.map_err(|error| explain(error, email))?;
    } else if !claimed? {
        revoke(writer, &holder, &member_of(email), roles).await?;
    }
    let former = policy.and_then(|policy| Some((former_server(&policy, mark.as_ref(), email)?, mark?)));
    let Some((former, mark)) = former else { return Ok(()) };
    take_from_former(writer, settings, names, &former, &mark, !on_account).await
}

/// Take what we gave to an account that the plan file named before. On the bucket last: by its roles there it is found
/// again.
async fn take_from_former(
    writer: &Writer,
    settings: &Settings,
    names: &Names,
    former: &str,
    mark: &Mark,
    on_bucket: bool,
) -> Result<(), Error> {
    let member = member_of(former);
    if mark.wrote(ON_ACCOUNT.key) && !claimed_by_another(writer.reader(), settings, names, former, |_| true).await? {
        revoke(writer, &Holder::Account(former.to_owned()), &member, &SERVER_ACCOUNT_ROLES).await?;
    }
    if on_bucket && mark.wrote(ON_BUCKET.key) {
        revoke(writer, &Holder::Bucket(names.bucket.clone()), &member, &SERVER_BUCKET_ROLES).await?;
    }
    Ok(())
}

/// Two deployments whose servers run as one account want the same of that account: it stays as long as another one of the
/// project has it on record.
async fn claimed_by_another(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
    email: &str,
    counts: impl Fn(&Mark) -> bool,
) -> Result<bool, Error> {
    let wanted = granted(email, &SERVER_ACCOUNT_ROLES);
    let buckets = reader.list_buckets(&names.project).await?;
    let mut marks = buckets.iter().filter_map(|bucket| Mark::from_tags(&labels_of(&bucket.labels)));
    Ok(marks.any(|mark| is_anothers(&mark, settings) && counts(&mark) && mark.recorded(ON_ACCOUNT.key).is(&wanted)))
}

/// <https://cloud.google.com/iam/docs/policies#binding-members>: a policy takes accounts that exist only.
pub(crate) fn explain(error: Error, email: &str) -> Error {
    let missing =
        error.kind() == ErrorKind::InvalidInput && error.reason().is_some_and(|reason| reason.contains(email));
    if missing { error.hint(no_account(email).hint) } else { error }
}
