//! Edits of IAM policies: only our own member, only in bindings without a condition.
//!
//! A policy is a shared document with an etag: read, edited, written back with the etag that was read
//! (<https://cloud.google.com/iam/docs/allow-policies>). Bindings of others, conditional ones too, keep their meaning to
//! the bit, because the whole of version 3 is read and written.

use provision_core::Error;
use serde_json::{Value, json};

use crate::client::{Binding, POLICY_VERSION, Policy, Reader, Writer, short};
use crate::error::absent;

/// What a policy belongs to.
#[derive(Clone, Debug)]
pub(crate) enum Holder {
    /// A bucket, by its name.
    Bucket(String),
    /// A topic, by its full name.
    Topic(String),
    /// A subscription, by its full name.
    Subscription(String),
    /// A service account, by its email.
    Account(String),
}

impl Holder {
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

/// The value of a facet that is the roles of a service account; `null` where it has none.
pub(crate) fn granted<Role: AsRef<str>>(email: &str, roles: &[Role]) -> Value {
    let roles: Vec<_> = roles.iter().map(AsRef::as_ref).collect();
    if roles.is_empty() { Value::Null } else { json!({"member": member_of(email), "roles": roles}) }
}

fn is_open(binding: &Binding, role: &str) -> bool {
    binding.condition.is_none() && binding.role == role
}

/// Those of the roles that a member has without a condition, in their order.
pub(crate) fn roles_of(policy: &Policy, member: &str, roles: &[&str]) -> Vec<String> {
    let has = |role: &&&str| {
        let mut bindings = policy.bindings.iter().filter(|binding| is_open(binding, role));
        bindings.any(|binding| binding.members.iter().any(|other| other == member))
    };
    roles.iter().filter(has).map(|role| (*role).to_owned()).collect()
}

/// The service account that has the roles on record, and is not the one wanted: the plan file named it before.
pub(crate) fn former(
    policy: &Policy,
    email: &str,
    roles: &[&str],
    is_recorded: impl Fn(&str) -> bool,
) -> Option<String> {
    let open = policy.bindings.iter().filter(|binding| roles.iter().any(|role| is_open(binding, role)));
    let mut emails =
        open.flat_map(|binding| &binding.members).filter_map(|member| member.strip_prefix("serviceAccount:"));
    emails.find(|other| *other != email && is_recorded(other)).map(str::to_owned)
}

/// Others that have one of the roles, for people.
pub(crate) fn others(policy: &Policy, member: &str, roles: &[&str]) -> Vec<String> {
    let ours = policy.bindings.iter().filter(|binding| roles.contains(&binding.role.as_str()));
    ours.flat_map(|binding| {
        let conditional = if binding.condition.is_some() { " on a condition" } else { "" };
        let others = binding.members.iter().filter(move |other| *other != member || binding.condition.is_some());
        others.map(move |other| format!("{} for {other}{conditional}", binding.role))
    })
    .collect()
}

/// The policy in which a member has the roles; `None` if that is so already.
pub(crate) fn with_member(policy: &Policy, member: &str, roles: &[&str]) -> Option<Policy> {
    let had = roles_of(policy, member, roles);
    let missing: Vec<_> = roles.iter().filter(|role| !had.iter().any(|had| had == *role)).collect();
    if missing.is_empty() {
        return None;
    }
    let mut edited = policy.clone().set_version(POLICY_VERSION);
    for role in missing {
        match edited.bindings.iter_mut().find(|binding| is_open(binding, role)) {
            Some(binding) => binding.members.push(member.to_owned()),
            None => edited.bindings.push(Binding::new().set_role(*role).set_members([member])),
        }
    }
    Some(edited)
}

/// The policy in which a member does not have the roles; `None` if that is so already.
pub(crate) fn without_member(policy: &Policy, member: &str, roles: &[&str]) -> Option<Policy> {
    if roles_of(policy, member, roles).is_empty() {
        return None;
    }
    let mut edited = policy.clone().set_version(POLICY_VERSION);
    for binding in edited.bindings.iter_mut().filter(|binding| roles.iter().any(|role| is_open(binding, role))) {
        binding.members.retain(|other| other != member);
    }
    edited.bindings.retain(|binding| !binding.members.is_empty());
    Some(edited)
}

/// Give a member the roles. `fresh` is a holder of this run's, whose policy is known to be empty.
pub(crate) async fn grant(
    writer: &Writer,
    holder: &Holder,
    member: &str,
    roles: &[&str],
    fresh: bool,
) -> Result<(), Error> {
    use crate::client::Read as _;
    let found = match fresh {
        true => Policy::new(),
        false => holder.policy(writer.reader()).await?.ok_or_else(|| gone(holder))?,
    };
    match with_member(&found, member, roles) {
        Some(edited) => holder.set_policy(writer, &edited).await,
        None => Ok(()),
    }
}

/// Take the roles from a member; from a holder that is gone they are gone.
pub(crate) async fn revoke(writer: &Writer, holder: &Holder, member: &str, roles: &[&str]) -> Result<(), Error> {
    use crate::client::Read as _;
    let Some(found) = holder.policy(writer.reader()).await? else { return Ok(()) };
    match without_member(&found, member, roles) {
        Some(edited) => absent(holder.set_policy(writer, &edited).await).map(|_| ()),
        None => Ok(()),
    }
}

fn gone(holder: &Holder) -> Error {
    let error = Error::new(provision_core::ErrorKind::Stale, format!("{} is gone", holder.describe()));
    error.hint("run `provision gcp plan` to see what is there now")
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: &str = "serviceAccount:wandb@acme-ml.iam.gserviceaccount.com";
    const ROLE: &str = "roles/storage.objectAdmin";

    fn binding(members: &[&str]) -> Binding {
        Binding::new().set_role(ROLE).set_members(members.iter().copied())
    }

    fn conditional(members: &[&str]) -> Binding {
        let condition = json!({"expression": "request.time < timestamp('2030-01-01T00:00:00Z')"});
        serde_json::from_value(json!({"role": ROLE, "members": members, "condition": condition})).unwrap()
    }

    fn policy(bindings: &[Binding]) -> Policy {
        Policy::new().set_version(1).set_etag(&b"e1"[..]).set_bindings(bindings.to_vec())
    }

    #[test]
    fn a_member_joins_the_open_binding_and_leaves_it_again() {
        let before = policy(&[binding(&["user:a@b.c"])]);
        let with = with_member(&before, US, &[ROLE]).unwrap();
        assert_eq!(with.bindings, [binding(&["user:a@b.c", US])]);
        assert_eq!((with.version, &with.etag), (POLICY_VERSION, &before.etag));
        assert_eq!(with_member(&with, US, &[ROLE]), None);
        let without = without_member(&with, US, &[ROLE]).unwrap();
        assert_eq!(without.bindings, before.bindings);
        assert_eq!(without_member(&without, US, &[ROLE]), None);
    }

    #[test]
    fn a_binding_that_only_we_were_in_goes_with_us() {
        let with = with_member(&policy(&[]), US, &[ROLE]).unwrap();
        assert_eq!(with.bindings, [binding(&[US])]);
        assert!(without_member(&with, US, &[ROLE]).unwrap().bindings.is_empty());
    }

    #[test]
    fn conditional_bindings_are_somebody_elses() {
        let conditional = conditional(&[US]);
        let before = policy(std::slice::from_ref(&conditional));
        assert!(roles_of(&before, US, &[ROLE]).is_empty());
        let with = with_member(&before, US, &[ROLE]).unwrap();
        assert_eq!(with.bindings, [conditional.clone(), binding(&[US])]);
        assert_eq!(without_member(&with, US, &[ROLE]).unwrap().bindings, [conditional]);
        assert_eq!(others(&before, US, &[ROLE]), [format!("{ROLE} for {US} on a condition")]);
    }

    #[test]
    fn the_account_on_record_is_found_among_those_with_the_role() {
        let found = policy(&[binding(&["user:a@b.c", "serviceAccount:old@p", "serviceAccount:theirs@p", US])]);
        let of = |email: &str, recorded: &str| former(&found, email, &[ROLE], |other| other == recorded);
        assert_eq!(of("wandb@acme-ml.iam.gserviceaccount.com", "old@p"), Some("old@p".to_owned()));
        assert_eq!(of("old@p", "old@p"), None);
        assert_eq!(of("new@p", "gone@p"), None);
        assert_eq!(former(&policy(&[conditional(&["serviceAccount:old@p"])]), "new@p", &[ROLE], |_| true), None);
    }

    #[test]
    fn others_with_the_same_role_are_shown() {
        let found = policy(&[binding(&["user:a@b.c", US])]);
        assert_eq!(others(&found, US, &[ROLE]), [format!("{ROLE} for user:a@b.c")]);
        assert_eq!(others(&found, US, &["roles/viewer"]), Vec::<String>::new());
    }
}
