//! Edits of IAM policies: only our own member, only in bindings without a condition.
//!
//! A policy is a shared document with an etag: read, edited, written back with the etag that was read
//! (<https://cloud.google.com/iam/docs/allow-policies>). Bindings of others, conditional ones too, keep their meaning to
//! the bit, because the whole of version 3 is read and written. A facet of one is a map from role to member; the core
//! decides which of a role's members is ours.

use provision_core::facet::{Entries, Entry, EntryId};
use provision_core::refusal::Refusal;
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::{Map, Value, json};

use crate::client::iam::{Binding, Policy};
use crate::client::{POLICY_VERSION, Reader, Writer};
use crate::error::{NOT_SEEN, absent};
use crate::names::short;

/// "All principals (including domains and Google groups) in a single allow policy": <https://cloud.google.com/iam/quotas#limits>.
const MOST_MEMBERS: usize = 1500;

/// What a policy belongs to.
#[derive(Clone, Debug)]
pub(crate) enum PolicyTarget {
    /// A bucket, by its name.
    Bucket(String),
    /// A topic, by its full name.
    Topic(String),
    /// A subscription, by its full name.
    Subscription(String),
    /// A service account, by its email.
    Account(String),
}

impl PolicyTarget {
    /// For people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Bucket(bucket) => format!("bucket `{bucket}`"),
            Self::Topic(topic) => format!("topic `{}`", short(topic)),
            Self::Subscription(subscription) => format!("subscription `{}`", short(subscription)),
            Self::Account(email) => format!("service account `{email}`"),
        }
    }

    /// Its policy; `None` if it does not exist.
    pub(crate) async fn policy(&self, reader: &Reader) -> Result<Option<Policy>, Error> {
        absent(match self {
            Self::Bucket(bucket) => reader.get_bucket_policy(bucket).await,
            Self::Topic(topic) => reader.get_topic_policy(topic).await,
            Self::Subscription(subscription) => reader.get_subscription_policy(subscription).await,
            Self::Account(email) => reader.get_account_policy(email).await,
        })
    }

    /// Write its policy.
    pub(crate) async fn set_policy(&self, writer: &Writer, policy: &Policy) -> Result<(), Error> {
        match self {
            Self::Bucket(bucket) => writer.set_bucket_policy(bucket, policy).await,
            Self::Topic(topic) => writer.set_topic_policy(topic, policy).await,
            Self::Subscription(subscription) => writer.set_subscription_policy(subscription, policy).await,
            Self::Account(email) => writer.set_account_policy(email, policy).await,
        }
    }
}

/// The member of a service account.
pub(crate) fn member_of(email: &str) -> String {
    format!("serviceAccount:{email}")
}

/// The service account that a member is.
pub(crate) fn email_of(member: &str) -> &str {
    member.trim_start_matches("serviceAccount:")
}

/// The value of a facet that gives roles to a service account.
pub(crate) fn granted(email: &str, roles: &[&str]) -> Value {
    let member = member_of(email);
    Value::Object(roles.iter().map(|role| ((*role).to_owned(), json!(member))).collect())
}

/// The roles of such a value, without what all have before their names.
pub(crate) fn roles_in_words(value: &Value) -> String {
    let roles: Vec<_> = grants(value).map(|(role, _)| role.trim_start_matches("roles/")).collect();
    roles.join(", ")
}

/// The same, and whose they are.
pub(crate) fn in_words(value: &Value) -> String {
    let member = grants(value).next().map_or("nobody", |(_, member)| email_of(member));
    format!("{} for {member}", roles_in_words(value))
}

/// The roles and members of such a value.
pub(crate) fn grants(value: &Value) -> impl Iterator<Item = (&str, &str)> {
    let members = value.as_object().into_iter().flat_map(Map::iter);
    members.filter_map(|(role, member)| Some((role.as_str(), member.as_str()?)))
}

fn is_open(binding: &Binding, role: &str) -> bool {
    binding.condition.is_none() && binding.role == role
}

/// Whether a member has a role without a condition.
pub(crate) fn has(policy: &Policy, role: &str, member: &str) -> bool {
    let mut bindings = policy.bindings.iter().filter(|binding| is_open(binding, role));
    bindings.any(|binding| binding.members.iter().any(|other| other == member))
}

/// The bindings that let everybody in, for people.
pub(crate) fn public_bindings(policy: &Policy) -> Vec<String> {
    public_members(policy).map(|(binding, member)| format!("{} for {member}", binding.role)).collect()
}

fn public_members(policy: &Policy) -> impl Iterator<Item = (&Binding, &String)> {
    let is_public = |member: &&String| ["allUsers", "allAuthenticatedUsers"].contains(&member.as_str());
    let each = policy.bindings.iter().flat_map(|binding| binding.members.iter().map(move |member| (binding, member)));
    each.filter(move |(_, member)| is_public(member))
}

/// What others let everybody do with something, each with the command that takes it out
/// (<https://cloud.google.com/sdk/gcloud/reference/pubsub/topics/remove-iam-policy-binding>,
/// <https://cloud.google.com/sdk/gcloud/reference/storage/buckets/remove-iam-policy-binding>). None of ours is for everybody.
pub(crate) fn opened(target: &PolicyTarget, policy: &Policy) -> Vec<String> {
    let what = target.describe();
    let (taken_out, unless) = match target {
        // Whether the project's organization prevents it, a bucket does not say:
        // <https://cloud.google.com/storage/docs/public-access-prevention>.
        PolicyTarget::Bucket(name) => {
            (format!("storage buckets remove-iam-policy-binding gs://{name}"), ", unless the organization prevents it")
        }
        PolicyTarget::Topic(name) => (format!("pubsub topics remove-iam-policy-binding {name}"), ""),
        PolicyTarget::Subscription(name) => (format!("pubsub subscriptions remove-iam-policy-binding {name}"), ""),
        PolicyTarget::Account(_) => return Vec::new(),
    };
    let told = |(binding, member): (&Binding, &String)| {
        let (role, when) = (&binding.role, if binding.condition.is_some() { " on a condition" } else { "" });
        let may = may(role);
        format!(
            "{what} is open to everybody{unless}: `{member}` may {may}{when} ({role}), which this deployment did not write; `gcloud \
             {taken_out} --member={member} --role={role} --all` takes it out"
        )
    };
    public_members(policy).map(told).collect()
}

/// What a role lets one do
/// (<https://cloud.google.com/storage/docs/access-control/iam-roles>, <https://cloud.google.com/pubsub/docs/access-control>).
fn may(role: &str) -> &'static str {
    match role {
        "roles/pubsub.publisher" => "publish to it",
        "roles/pubsub.subscriber" => "take its messages",
        "roles/pubsub.viewer" => "look at it",
        "roles/storage.objectViewer" | "roles/storage.legacyObjectReader" => "read its files",
        "roles/storage.legacyBucketReader" => "list its files",
        "roles/storage.objectCreator" => "put files into it",
        "roles/storage.objectUser" | "roles/storage.objectAdmin" | "roles/storage.admin" => {
            "read, write and delete its files"
        }
        _ => "use it",
    }
}

/// Every member of these roles.
pub(crate) fn entries(policy: &Policy, roles: &[&str]) -> Vec<Entry> {
    let bindings = policy.bindings.iter().filter(|binding| roles.contains(&binding.role.as_str()));
    bindings.flat_map(|binding| binding.members.iter().map(|member| entry(binding, member))).collect()
}

/// Members of these roles, with the room that their policy has.
pub(crate) fn members(policy: &Policy, list: Vec<Entry>) -> Entries {
    let all = policy.bindings.iter().map(|binding| binding.members.len()).sum::<usize>();
    let refusal = || Refusal {
        reason: format!("its policy has {all} members, and takes no more than {MOST_MEMBERS}"),
        hint: "put members into a group, or take out those that nobody needs".to_owned(),
    };
    Entries { list, limit: (all >= MOST_MEMBERS).then(|| (0, refusal())) }
}

/// A member on a condition has the role only sometimes: that is never what we gave.
fn entry(binding: &Binding, member: &str) -> Entry {
    let role = Some(binding.role.clone());
    let text = format!("{} for {member}", binding.role);
    match &binding.condition {
        None => Entry { member: role, ..Entry::new(json!(member), text) },
        Some(condition) => {
            let value = json!({"member": member, "condition": condition["expression"]});
            Entry { member: role, id: EntryId::Others, ..Entry::new(value, format!("{text} on a condition")) }
        }
    }
}

/// The policy in which ours is `value` in place of `before`, roles and their members; `None` if that is so already.
fn edited(policy: &Policy, before: &[(&str, &str)], value: &[(&str, &str)]) -> Option<Policy> {
    let mut edited = Policy { version: POLICY_VERSION, ..policy.clone() };
    for (role, member) in value.iter().filter(|(role, member)| !has(policy, role, member)) {
        give(&mut edited, role, member);
    }
    let goes = |(role, member): &&(&str, &str)| !value.contains(&(*role, *member)) && has(policy, role, member);
    for (role, member) in before.iter().filter(goes) {
        take(&mut edited, role, member);
    }
    (edited.bindings != policy.bindings).then_some(edited)
}

fn give(policy: &mut Policy, role: &str, member: &str) {
    match policy.bindings.iter_mut().find(|binding| is_open(binding, role)) {
        Some(binding) => binding.members.push(member.to_owned()),
        None => policy.bindings.push(Binding::new(role, [member])),
    }
}

fn take(policy: &mut Policy, role: &str, member: &str) {
    for binding in policy.bindings.iter_mut().filter(|binding| is_open(binding, role)) {
        binding.members.retain(|other| other != member);
    }
    policy.bindings.retain(|binding| !(is_open(binding, role) && binding.members.is_empty()));
}

/// The etag of a policy that nobody wrote yet, as it was recorded: a policy that is written with it is written only if that is so.
const UNWRITTEN: &str = "ACAB";

/// Put `value` in place of `before`. What this run has just made has a policy that nobody wrote: where that is not so any more, it
/// is read. What is to be taken out of a holder that is gone is gone.
pub(crate) async fn write(
    writer: &Writer,
    target: &PolicyTarget,
    before: &Value,
    value: &Value,
    just_created: bool,
) -> Result<(), Error> {
    let (before, value): (Vec<_>, Vec<_>) = (grants(before).collect(), grants(value).collect());
    exchange(writer, target, &before, &value, just_created).await
}

/// The same of roles and their members, of which a role may have several.
pub(crate) async fn exchange(
    writer: &Writer,
    target: &PolicyTarget,
    before: &[(&str, &str)],
    value: &[(&str, &str)],
    just_created: bool,
) -> Result<(), Error> {
    let unwritten = Policy { etag: UNWRITTEN.to_owned(), ..Policy::default() };
    if just_created && let Some(first) = edited(&unwritten, before, value) {
        match target.set_policy(writer, &first).await {
            Err(error) if *error.retry() == RetryClass::Conflict => {}
            written => return written,
        }
    }
    let Some(found) = target.policy(writer.reader()).await? else {
        return if value.is_empty() { Ok(()) } else { Err(gone_error(target)) };
    };
    match edited(&found, before, value) {
        Some(edited) if value.is_empty() => absent(target.set_policy(writer, &edited).await).map(|_| ()),
        Some(edited) => target.set_policy(writer, &edited).await,
        None => Ok(()),
    }
}

/// What two reads at once say of a thing and of its policy. Made or deleted between the two, only one of them finds it: then both
/// go once more, and what still has no policy is not shown everywhere yet.
pub(crate) async fn looked_again<T, F>(
    first: (Result<Option<T>, Error>, Result<Policy, Error>),
    look: impl Fn() -> F,
) -> Result<(Option<T>, Result<Policy, Error>), Error>
where
    F: Future<Output = (Result<Option<T>, Error>, Result<Policy, Error>)>,
{
    let (found, policy) = match first {
        (Ok(Some(_)), Err(error)) if error.kind() == ErrorKind::NotFound => look().await,
        first => first,
    };
    let found = found?;
    match policy {
        // What says nothing of a thing that is not there says nothing else either.
        Err(error) if found.is_none() && !may_be_closed(&error) => Err(error),
        Err(error) if found.is_some() && error.kind() == ErrorKind::NotFound => Err(error.with_retry(NOT_SEEN)),
        policy => Ok((found, policy)),
    }
}

/// Whether a policy may not be read, or is not there.
fn may_be_closed(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied)
}

fn gone_error(target: &PolicyTarget) -> Error {
    let error = Error::new(ErrorKind::Stale, format!("{} is gone", target.describe()));
    error.with_hint("run `provision gcp plan` to see what is there now")
}

/// A policy takes accounts that exist only (<https://cloud.google.com/iam/docs/policies#binding-members>). Other refusals name the
/// account too.
pub(crate) fn explain(error: Error, email: Option<&str>) -> Error {
    let missing = |email: &&str| {
        let says = |reason: &str| reason.contains(*email) && reason.contains("not exist");
        error.kind() == ErrorKind::InvalidInput && error.message().is_some_and(says)
    };
    match email.filter(missing).map(no_account) {
        Some(refusal) => error.with_hint(refusal.hint),
        None => error,
    }
}

/// What is said of a service account that is not there.
pub(crate) fn no_account(email: &str) -> Refusal {
    Refusal {
        reason: format!("service account `{email}` does not exist"),
        hint: "create the account that the server runs as (`gcloud iam service-accounts create`), or leave [gcp.access] out and \
               run the commands that apply prints"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lets_everybody_in_is_told_with_what_takes_it_out() {
        let bindings = vec![
            Binding::new("roles/pubsub.subscriber", ["allUsers", US]),
            Binding::new("roles/pubsub.publisher", ["allAuthenticatedUsers"]),
            Binding::new("roles/pubsub.admin", [US]),
        ];
        let told = |target: PolicyTarget| opened(&target, &Policy { bindings: bindings.clone(), ..Policy::default() });
        let [all, known] = &told(PolicyTarget::Subscription("projects/p/subscriptions/s".to_owned()))[..] else {
            panic!("two")
        };
        assert!(all.contains("subscription `s` is open to everybody: `allUsers` may take its messages"), "{all}");
        let command =
            "`gcloud pubsub subscriptions remove-iam-policy-binding projects/p/subscriptions/s --member=allUsers";
        assert!(all.contains(command), "{all}");
        assert!(known.contains("`allAuthenticatedUsers` may publish to it"), "{known}");
        assert!(
            told(PolicyTarget::Topic("projects/p/topics/t".to_owned()))[0].contains("gcloud pubsub topics remove-")
        );
        let bindings = vec![Binding::new("roles/storage.objectViewer", ["allUsers", US])];
        let told = opened(&PolicyTarget::Bucket("b".to_owned()), &Policy { bindings, ..Policy::default() });
        let [told] = &told[..] else { panic!("one") };
        let says =
            "bucket `b` is open to everybody, unless the organization prevents it: `allUsers` may read its files";
        let command = "`gcloud storage buckets remove-iam-policy-binding gs://b --member=allUsers";
        assert!(told.starts_with(says) && told.contains(command), "{told}");
    }

    fn edited(policy: &Policy, before: &Value, value: &Value) -> Option<Policy> {
        let (before, value): (Vec<_>, Vec<_>) = (grants(before).collect(), grants(value).collect());
        super::edited(policy, &before, &value)
    }

    const US: &str = "serviceAccount:wandb@acme-ml.iam.gserviceaccount.com";
    const ROLE: &str = "roles/storage.objectAdmin";

    fn ours() -> Value {
        json!({ROLE: US})
    }

    fn binding(members: &[&str]) -> Binding {
        Binding::new(ROLE, members.iter().copied())
    }

    fn conditional(members: &[&str]) -> Binding {
        let condition = json!({"expression": "request.time < timestamp('2030-01-01T00:00:00Z')"});
        Binding { condition: Some(condition), ..binding(members) }
    }

    fn policy(bindings: &[Binding]) -> Policy {
        Policy { version: 1, etag: "e1".to_owned(), bindings: bindings.to_vec(), ..Policy::default() }
    }

    #[test]
    fn a_member_joins_the_open_binding_and_leaves_it_again() {
        let before = policy(&[binding(&["user:a@b.c"])]);
        let with = edited(&before, &Value::Null, &ours()).unwrap();
        assert_eq!(with.bindings, [binding(&["user:a@b.c", US])]);
        assert_eq!((with.version, &with.etag), (POLICY_VERSION, &before.etag));
        assert_eq!(edited(&with, &ours(), &ours()), None);
        let without = edited(&with, &ours(), &Value::Null).unwrap();
        assert_eq!(without.bindings, before.bindings);
        assert_eq!(edited(&without, &ours(), &Value::Null), None);
    }

    #[test]
    fn a_binding_that_only_we_were_in_goes_with_us() {
        let with = edited(&policy(&[]), &Value::Null, &ours()).unwrap();
        assert_eq!(with.bindings, [binding(&[US])]);
        assert!(edited(&with, &ours(), &Value::Null).unwrap().bindings.is_empty());
    }

    #[test]
    fn another_member_takes_the_place_of_ours_and_of_nobody_else() {
        let found = policy(&[binding(&["serviceAccount:old@p", "serviceAccount:theirs@p"])]);
        let edited = edited(&found, &json!({ROLE: "serviceAccount:old@p"}), &ours()).unwrap();
        assert_eq!(edited.bindings, [binding(&["serviceAccount:theirs@p", US])]);
    }

    #[test]
    fn a_role_that_is_not_ours_to_take_stays() {
        let viewer = Binding::new("roles/viewer", [US]);
        let found = policy(&[viewer.clone(), binding(&[US])]);
        assert_eq!(edited(&found, &ours(), &Value::Null).unwrap().bindings, [viewer]);
    }

    #[test]
    fn conditional_bindings_are_somebody_elses() {
        let conditional = conditional(&[US]);
        let before = policy(std::slice::from_ref(&conditional));
        assert!(!has(&before, ROLE, US));
        let with = edited(&before, &Value::Null, &ours()).unwrap();
        assert_eq!(with.bindings, [conditional.clone(), binding(&[US])]);
        assert_eq!(edited(&with, &ours(), &Value::Null).unwrap().bindings, [conditional]);
        let entry = entries(&before, &[ROLE]).remove(0);
        assert_eq!((entry.id, entry.text), (EntryId::Others, format!("{ROLE} for {US} on a condition")));
    }

    #[test]
    fn every_member_of_a_role_is_an_entry() {
        let found = policy(&[binding(&["user:a@b.c", US])]);
        let texts: Vec<_> = entries(&found, &[ROLE]).into_iter().map(|entry| entry.text).collect();
        assert_eq!(texts, [format!("{ROLE} for user:a@b.c"), format!("{ROLE} for {US}")]);
        let ours = &entries(&found, &[ROLE])[1];
        assert_eq!((ours.member.as_deref(), &ours.value), (Some(ROLE), &granted(email_of(US), &[ROLE])[ROLE]));
        assert!(entries(&found, &["roles/viewer"]).is_empty());
    }

    #[test]
    fn a_full_policy_takes_no_more() {
        let many: Vec<_> = (0..MOST_MEMBERS).map(|number| format!("user:{number}@b.c")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(members(&policy(&[binding(&many[1..])]), Vec::new()).limit.is_none());
        assert_eq!(members(&policy(&[binding(&many)]), Vec::new()).limit.unwrap().0, 0);
    }

    #[test]
    fn only_an_account_that_does_not_exist_is_told_to_be_created() {
        let advice = |text: &str| {
            let error = explain(Error::new(ErrorKind::InvalidInput, "x").with_message(text), Some("a@p"));
            error.hint().map(str::to_owned)
        };
        assert!(advice("Service account a@p does not exist.").unwrap().contains("create"));
        assert_eq!(advice("Inconsistent representation of deleted member: 'serviceAccount:a@p'"), None);
    }
}
