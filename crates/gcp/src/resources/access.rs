//! `gcp.access`: what the service account that the server runs as may do with the bucket and with itself. What it may do
//! with the subscription goes with that, see [`super::subscription`].
//!
//! A policy has no place for ids of ours, and IAM takes no conditions on a service account
//! (<https://cloud.google.com/iam/docs/conditions-overview#resources>): whose a grant is stands in the deployment's marks alone.

use futures::future::join_all;
use provision_core::facet::{Desired, Entries, Entry, Observed, Words};
use provision_core::mark::Mark;
use provision_core::refusal::Refusal;
use provision_core::resource::{MarkHolder, Observation, OnRecord, Present, Resource};
use provision_core::{Error, ErrorKind};
use serde_json::{Map, Value, json};

use crate::claims::{self, Claims, Look};
use crate::client::iam::Policy;
use crate::client::{Reader, Writer};
use crate::config::{SERVER_ACCOUNT_ROLES, SERVER_BUCKET_ROLES, SERVER_SUBSCRIPTION_ROLES, Settings};
use crate::error::{lacks_permission, may_be_gone};
use crate::names::{Names, Part};
use crate::policy::{self, PolicyTarget, email_of, entries, explain, granted, grants, member_of, members, no_account};
use crate::resources::{Facets, Write, bucket};

provision_core::facets! {
    /// Facets of the server's access.
    pub(crate) enum AccessFacet {
        OnBucket = ("bucket_grants", 'a', NamedKeys, Anonymous, OwnCall),
        OnAccount = ("account_grants", claims::ON_RECORD, NamedKeys, Anonymous, OwnCall),
    }
}

/// The access of the account that the plan file names, or else of the one that it named before.
pub(crate) fn resource(settings: &Settings, claims: &Claims) -> Option<Resource> {
    let look = claims.look(settings.service_account());
    let email = look.server.or_else(|| look.former.first().cloned())?;
    Some(Resource {
        mark_holder: MarkHolder::On(Part::Bucket.address()),
        on_record: OnRecord::EveryMark,
        references: vec![email.clone()],
        grants_access: true,
        needs: vec![Part::Bucket.address()],
        deleted_after: if settings.gcp.topic.enabled { vec![Part::Bucket.address()] } else { Vec::new() },
        lane: Some(bucket::LANE),
        ..Part::Access.resource(&email, AccessFacet::ALL)
    })
}

/// The desired facets: the member of each role, so that another account is another value.
pub(crate) fn desired(settings: &Settings) -> Vec<Desired> {
    let Some(email) = settings.service_account() else { return Vec::new() };
    let desired = |facet: &AccessFacet| match facet {
        AccessFacet::OnBucket => facet.desired(granted(email, &SERVER_BUCKET_ROLES), "gcp.access"),
        AccessFacet::OnAccount => facet.desired(granted(email, &SERVER_ACCOUNT_ROLES), "gcp.access"),
    };
    AccessFacet::EACH.iter().map(desired).collect()
}

/// A facet in words.
pub(crate) fn in_words(facet: AccessFacet, value: &Value) -> Option<Words> {
    match facet {
        AccessFacet::OnBucket => Some(("on the bucket", policy::roles_in_words(value))),
        AccessFacet::OnAccount => Some(("on itself", policy::roles_in_words(value))),
    }
}

/// The commands that grant everything the server needs, for those who run them themselves.
pub(crate) fn commands(names: &Names, account: Option<&str>) -> String {
    let account = account.unwrap_or("\"$SERVICE_ACCOUNT\"");
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

/// What a look found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) present: Present,
    /// An account may do with itself what the server needs.
    pub(crate) bound: bool,
    /// What could not be looked at, for people.
    pub(crate) notes: Vec<String>,
}

/// The bucket's policy, and those of all the accounts, at once.
pub(crate) async fn observe(reader: &Reader, names: &Names, look: &Look, claims: &Claims) -> Observation {
    let bucket = PolicyTarget::Bucket(names.bucket.clone());
    let emails = look.server.iter().chain(&look.former);
    let accounts = emails.map(|email| on_account(reader, email, look, claims));
    let (on_bucket, accounts) = futures::join!(bucket.policy(reader), join_all(accounts));
    let mut found = Found::default();
    let observed = observed_on_bucket(on_bucket, &bucket, look);
    found.present.observed.push((AccessFacet::OnBucket.spec().name, observed));
    found.add_accounts(accounts);
    claims.remember(found.bound, found.notes);
    Observation::Present(Box::new(found.present))
}

/// What is not made yet has nothing, and what belongs to somebody else is no affair of ours.
fn observed_on_bucket(policy: Result<Option<Policy>, Error>, bucket: &PolicyTarget, look: &Look) -> Observed {
    let policy = match policy {
        Ok(policy) => policy.unwrap_or_default(),
        Err(error) if look.elsewhere && lacks_permission(&error) => Policy::default(),
        Err(error) => return Observed::Unknown(error),
    };
    let place = |entry: Entry| Entry { text: format!("{} on {}", entry.text, bucket.describe()), ..entry };
    Observed::Entries(members(&policy, entries(&policy, &SERVER_BUCKET_ROLES).into_iter().map(place).collect()))
}

/// What one account's own policy has.
#[derive(Debug, Default)]
struct OnAccount {
    entries: Vec<Entry>,
    missing: Option<Refusal>,
    note: Option<String>,
}

async fn on_account(reader: &Reader, email: &str, look: &Look, claims: &Claims) -> Result<OnAccount, Error> {
    let named = look.server.as_deref() == Some(email);
    let policy = match PolicyTarget::Account(email.to_owned()).policy(reader).await {
        Ok(Some(policy)) => policy,
        // The account itself is never ours to make.
        Ok(None) => return Ok(OnAccount { missing: named.then(|| no_account(email)), ..OnAccount::default() }),
        Err(error) if may_be_gone(&error) && (look.removing || !named) => {
            return Ok(OnAccount { note: Some(not_seen(email, &error)), ..OnAccount::default() });
        }
        Err(error) if may_be_gone(&error) => return Err(error.with_hint(or_missing(email))),
        Err(error) => return Err(error),
    };
    let bound = SERVER_ACCOUNT_ROLES.iter().any(|role| policy::has(&policy, role, &member_of(email)));
    let relied_on = bound && look.searching && claims.relied_on(reader, email).await?;
    let note = (relied_on && look.removing).then(|| stays(email));
    if note.is_some() {
        claims.leave(email);
    }
    Ok(OnAccount { entries: account_entries(&policy, email, named, relied_on), note, ..OnAccount::default() })
}

fn stays(email: &str) -> String {
    let roles = SERVER_ACCOUNT_ROLES.join(", ");
    format!(
        "{roles} of service account `{email}` on itself stays: another deployment relies on it, whose destroy takes it away"
    )
}

/// Ours is what the account may do with itself. Others on the account that the plan file names are shown; their values say of
/// which account they are, since one account may have a role on another.
fn account_entries(policy: &Policy, email: &str, named: bool, relied_on: bool) -> Vec<Entry> {
    let itself = json!(member_of(email));
    let place = |entry: Entry| Entry { text: format!("{} on service account `{email}`", entry.text), ..entry };
    let own = |entry: Entry| match entry.value == itself {
        true => Some(Entry { co_owned: relied_on, ..entry }),
        false if named => Some(Entry { value: json!({"member": entry.value, "on": email}), ..entry }),
        false => None,
    };
    entries(policy, &SERVER_ACCOUNT_ROLES).into_iter().filter_map(own).map(place).collect()
}

impl Found {
    fn add_accounts(&mut self, accounts: Vec<Result<OnAccount, Error>>) {
        let mut list = Vec::new();
        for account in accounts {
            match account {
                Ok(account) => {
                    list.extend(account.entries);
                    self.notes.extend(account.note);
                    self.present
                        .blockers
                        .extend(account.missing.map(|missing| (AccessFacet::OnAccount.spec().name, missing)));
                }
                Err(error) => return self.present.observed.push(AccessFacet::OnAccount.entries(Err(error))),
            }
        }
        self.bound = list.iter().any(|entry| entry.value.is_string());
        self.present.observed.push(AccessFacet::OnAccount.entries(Ok(Entries { list, limit: None })));
    }
}

/// Of an account that may be gone nothing can be taken.
fn not_seen(email: &str, error: &Error) -> String {
    let said = error.call().unwrap_or_default();
    let roles = SERVER_ACCOUNT_ROLES.join(", ");
    format!(
        "service account `{email}` does not exist any more, or may not be looked at ({said}); if it exists, {roles} on itself \
         stays: `gcloud iam service-accounts get-iam-policy {email}` shows it"
    )
}

fn or_missing(email: &str) -> String {
    format!(
        "check that `{email}` exists (`gcloud iam service-accounts describe {email}`): IAM says \"denied\" of an account that \
         does not; if it does, grant `iam.serviceAccounts.getIamPolicy` on it to the identity in use"
    )
}

/// Put `value` in place of `before` in one facet.
pub(crate) async fn write(writer: &Writer, names: &Names, write: &Write<'_>, claims: &Claims) -> Result<(), Error> {
    let Write { before, value, .. } = *write;
    match AccessFacet::of(write.facet)? {
        AccessFacet::OnBucket => {
            // A new bucket has a policy of its own: it is read always.
            let written =
                policy::write(writer, &PolicyTarget::Bucket(names.bucket.clone()), before, value, false).await;
            let email = grants(value).map(|(_, member)| email_of(member)).next();
            written.map_err(|error| explain(error, email))
        }
        AccessFacet::OnAccount => write_accounts(writer, before, value, claims).await,
    }
}

/// Whether a facet is in the bucket's policy, and not in that of an account.
pub(crate) fn is_in_bucket(facet: &str) -> bool {
    AccessFacet::of(facet).is_ok_and(|facet| facet == AccessFacet::OnBucket)
}

/// Each account has a policy of its own: first the new one gets its roles, then those of the former go.
async fn write_accounts(writer: &Writer, before: &Value, value: &Value, claims: &Claims) -> Result<(), Error> {
    for email in emails(value) {
        let (had, gets) = (of_account(before, email), of_account(value, email));
        let given = policy::write(writer, &PolicyTarget::Account(email.to_owned()), &had, &gets, false).await;
        given.map_err(|error| explain(error, Some(email)))?;
    }
    for email in emails(before).into_iter().filter(|email| !emails(value).contains(email)) {
        if claims.relied_on(writer.reader(), email).await? {
            return Err(relied_on(email));
        }
        let had = of_account(before, email);
        policy::write(writer, &PolicyTarget::Account(email.to_owned()), &had, &Value::Null, false).await?;
    }
    Ok(())
}

/// Look once more at what was left to another deployment, after a mark with our own claim to it went: of two destroys at once each
/// finds the other's claim, and the last one finds none. What was there before us, by the mark, stays.
pub(crate) async fn take_out_left(writer: &Writer, claims: &Claims, mark: &Mark) -> Result<(), Error> {
    if !mark.outside.has_ours(claims::ON_RECORD) {
        return Ok(());
    }
    for email in claims.left() {
        if !claims.relied_on(writer.reader(), &email).await? {
            let had = granted(&email, &SERVER_ACCOUNT_ROLES);
            policy::write(writer, &PolicyTarget::Account(email), &had, &Value::Null, false).await?;
        }
    }
    Ok(())
}

pub(crate) fn emails(value: &Value) -> Vec<&str> {
    let mut emails: Vec<_> = grants(value).map(|(_, member)| email_of(member)).collect();
    emails.dedup();
    emails
}

/// The roles of one account, `null` if it has none.
fn of_account(value: &Value, email: &str) -> Value {
    let own = grants(value).filter(|(_, member)| email_of(member) == email);
    let own: Map<_, _> = own.map(|(role, member)| (role.to_owned(), json!(member))).collect();
    if own.is_empty() { Value::Null } else { Value::Object(own) }
}

fn relied_on(email: &str) -> Error {
    let error = Error::new(ErrorKind::Stale, format!("another deployment relies on the roles of `{email}` by now"));
    error.with_hint("run the same command again: they stay as long as one does")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::iam::Binding;
    use crate::names::tests::full_settings;

    const ROLE: &str = SERVER_ACCOUNT_ROLES[0];

    fn policy(members: &[&str]) -> Policy {
        Policy { bindings: vec![Binding::new(ROLE, members.iter().copied())], ..Policy::default() }
    }

    #[test]
    fn what_an_account_may_do_with_itself_is_seen_as_wanted() {
        let settings = full_settings();
        let email = settings.service_account().unwrap();
        let found = account_entries(&policy(&["user:a@b.c", &member_of(email)]), email, true, false);
        let desired = &desired(&settings)[1].value;
        let ours: Vec<_> = found.iter().filter(|entry| entry.value == desired[ROLE]).collect();
        assert_eq!((ours.len(), ours[0].member.as_deref()), (1, Some(ROLE)));
        assert_eq!(found[0].value, json!({"member": "user:a@b.c", "on": email}));
    }

    #[test]
    fn of_a_former_account_only_its_own_grant_is_seen() {
        let found = account_entries(
            &policy(&["user:a@b.c", "serviceAccount:old@p", "serviceAccount:new@p"]),
            "old@p",
            false,
            true,
        );
        assert_eq!(found.iter().map(|entry| &entry.value).collect::<Vec<_>>(), [&json!("serviceAccount:old@p")]);
        assert!(found[0].co_owned);
    }

    #[test]
    fn one_account_on_another_is_not_what_it_may_do_with_itself() {
        let found = account_entries(&policy(&["serviceAccount:old@p"]), "new@p", true, false);
        assert_ne!(found[0].value, json!("serviceAccount:old@p"));
    }

    #[test]
    fn each_account_gets_and_loses_its_own_roles() {
        let value = json!({"a": "serviceAccount:new@p", "b": "serviceAccount:old@p"});
        assert_eq!(emails(&value), ["new@p", "old@p"]);
        assert_eq!(of_account(&value, "old@p"), json!({"b": "serviceAccount:old@p"}));
        assert_eq!(of_account(&value, "other@p"), Value::Null);
    }

    #[test]
    fn an_account_that_cannot_be_seen_stops_nothing_that_takes_away() {
        let denied = || Err(Error::new(ErrorKind::PermissionDenied, "read"));
        let bucket = PolicyTarget::Bucket("b".to_owned());
        let look = |elsewhere| Look { elsewhere, ..Look::default() };
        assert!(matches!(observed_on_bucket(denied(), &bucket, &look(false)), Observed::Unknown(_)));
        assert!(matches!(observed_on_bucket(denied(), &bucket, &look(true)), Observed::Entries(_)));
    }
}
