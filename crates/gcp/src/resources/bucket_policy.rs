//! What of the bucket's policy is ours: the members whose server is somebody else's, each by itself. And what of it is in the way.

use provision_core::facet::{Entries, Entry, EntryId, Facet, Words};
use provision_core::mark::{Mark, Origin};
use provision_core::refusal::Refusal;
use provision_core::{Error, ErrorKind};
use serde_json::{Map, Value, json};

use crate::claims::Claims;
use crate::client::iam::{Binding, Policy};
use crate::client::storage::Bucket;
use crate::client::{Reader, Writer};
use crate::config::{MEMBER_ROLE, Settings};
use crate::error::lacks_permission;
use crate::names::Names;
use crate::policy::{self, PolicyTarget, public_bindings};
use crate::resources::Write;

/// The members, each with its role; `null` if the plan file names none.
pub(crate) fn members(settings: &Settings) -> Value {
    let members: Map<_, _> = settings.members().iter().map(|member| (member.clone(), json!(MEMBER_ROLE))).collect();
    if members.is_empty() { Value::Null } else { Value::Object(members) }
}

/// Who has the role.
pub(crate) fn members_in_words(value: &Value) -> Option<Words> {
    let members: Vec<_> = value.as_object()?.keys().map(String::as_str).collect();
    Some(("lets in", format!("{} ({})", members.join(", "), MEMBER_ROLE.trim_start_matches("roles/"))))
}

/// Whether the plan file says anything of the policy.
pub(crate) fn is_asked_for(settings: &Settings) -> bool {
    settings.gcp.bucket.private || !settings.members().is_empty()
}

/// Whether a bucket's mark has members on record, whom the plan file may not name any more.
fn is_on_record(bucket: &Bucket, members: &Facet) -> bool {
    Mark::from_tags(&bucket.labels).is_some_and(|mark| mark.own.has_ours(members.key))
}

/// The policy, where somebody has to know it.
pub(crate) async fn read(reader: &Reader, bucket: &str, needed: bool) -> Result<Option<Policy>, Error> {
    if needed { reader.get_bucket_policy(bucket).await.map(Some) } else { Ok(None) }
}

/// What was read of a bucket's policy, as far as the plan file or the mark says something of it; what others opened by it is noted.
pub(crate) async fn look(
    reader: &Reader,
    settings: &Settings,
    bucket: &Bucket,
    members: &Facet,
    found: Result<Option<Policy>, Error>,
    claims: &Claims,
) -> Result<Option<Policy>, Error> {
    let counts = is_asked_for(settings) || is_on_record(bucket, members);
    let may_be_open = may_be_open(bucket, settings);
    let name = &settings.gcp.bucket.name;
    let found = match found {
        Ok(None) if counts || may_be_open => read(reader, name, true).await,
        found => found,
    };
    if may_be_open {
        claims.note_all(opened(name, &found));
    }
    if counts { found } else { Ok(None) }
}

/// Everybody who has the role, by who it is; nobody where the policy was not asked for.
pub(crate) fn entries(policy: Option<&Policy>) -> Entries {
    let bindings = policy.iter().flat_map(|policy| &policy.bindings).filter(|binding| binding.role == MEMBER_ROLE);
    let list = bindings.flat_map(|binding| binding.members.iter().map(|member| entry(binding, member))).collect();
    policy.map(|policy| policy::members(policy, list)).unwrap_or_default()
}

/// A member on a condition has the role only sometimes: that is never what we gave.
fn entry(binding: &Binding, member: &str) -> Entry {
    let (key, text) = (Some(member.to_owned()), format!("{} for {member}", binding.role));
    match &binding.condition {
        None => Entry { member: key, ..Entry::new(json!(binding.role), text) },
        Some(condition) => {
            let value = json!({"role": binding.role, "condition": condition["expression"]});
            Entry { member: key, id: EntryId::Others, ..Entry::new(value, format!("{text} on a condition")) }
        }
    }
}

/// Put `value` in place of `before`, in one write. A new bucket has a policy of its own: it is read always.
pub(crate) async fn write(writer: &Writer, names: &Names, write: &Write<'_>) -> Result<(), Error> {
    let bucket = PolicyTarget::Bucket(names.bucket.clone());
    let (before, value) = (roles(write.before), roles(write.value));
    policy::exchange(writer, &bucket, &before, &value, false).await.map_err(explained)
}

/// Let none of these in any more: before everything in the bucket is deleted.
pub(crate) async fn revoke(writer: &Writer, settings: &Settings, names: &Names) -> Result<(), Error> {
    let members = members(settings);
    if members.is_null() {
        return Ok(());
    }
    let nobody = Write { facet: "", before: &members, value: &Value::Null, just_created: false };
    write(writer, names, &nobody).await
}

/// The roles and members of a value.
fn roles(value: &Value) -> Vec<(&str, &str)> {
    let members = value.as_object().into_iter().flatten();
    members.filter_map(|(member, role)| Some((role.as_str()?, member.as_str()))).collect()
}

/// A policy takes accounts and groups that exist only (<https://cloud.google.com/iam/docs/policies#binding-members>).
fn explained(error: Error) -> Error {
    let missing =
        error.kind() == ErrorKind::InvalidInput && error.message().is_some_and(|reason| reason.contains("not exist"));
    if missing { error.with_hint(NOT_ALL_EXIST) } else { error }
}

const NOT_ALL_EXIST: &str = "check `members` under [gcp.access]: a policy takes accounts and groups that exist only";

/// Whether others may have let everybody in: one that is ours, or is to be private, is written so that nobody else is.
fn may_be_open(bucket: &Bucket, settings: &Settings) -> bool {
    let section = &settings.gcp.bucket;
    let adopted = Mark::from_tags(&bucket.labels).map_or(section.adopt, |mark| mark.origin == Origin::Adopted);
    let prevented = bucket.iam_configuration.public_access_prevention.eq_ignore_ascii_case("enforced");
    adopted && !section.private && !prevented
}

/// What others let everybody do with it. Whoever may not read the policy is told nothing of it.
fn opened(bucket: &str, policy: &Result<Option<Policy>, Error>) -> Vec<String> {
    let policy = policy.as_ref().ok().and_then(Option::as_ref);
    policy.map(|policy| policy::opened(&PolicyTarget::Bucket(bucket.to_owned()), policy)).unwrap_or_default()
}

/// Who is let in by a policy that the plan file would have prevented. One that may not be read is not looked at.
pub(crate) fn bindings_in_the_way(
    settings: &Settings,
    policy: &Result<Option<Policy>, Error>,
) -> Result<Vec<String>, Error> {
    match policy {
        _ if !settings.gcp.bucket.private => Ok(Vec::new()),
        Ok(policy) => Ok(policy.as_ref().map(public_bindings).unwrap_or_default()),
        Err(error) if error.kind() == ErrorKind::NotFound || lacks_permission(error) => Ok(Vec::new()),
        Err(error) => Err(error.clone()),
    }
}

/// While everybody is kept out, no policy is written that lets everybody in
/// (<https://cloud.google.com/storage/docs/public-access-prevention>).
pub(crate) fn open_to_all(settings: &Settings, open: &[String]) -> Option<Refusal> {
    let bucket = &settings.gcp.bucket;
    (bucket.private && !open.is_empty()).then(|| Refusal {
        reason: format!("`private = true` shuts out whom bucket `{}` lets in: {}", bucket.name, open.join(", ")),
        hint: "take those bindings out first, or leave `private` out".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::tests::settings;

    const THEM: &str = "serviceAccount:them@elsewhere.iam.gserviceaccount.com";

    #[test]
    fn each_member_is_an_entry_by_itself() {
        let condition = Some(json!({"expression": "true"}));
        let bindings = vec![
            Binding::new(MEMBER_ROLE, [THEM, "group:a@b.c"]),
            Binding::new("roles/storage.objectAdmin", [THEM]),
            Binding { condition, ..Binding::new(MEMBER_ROLE, ["group:d@e.f"]) },
        ];
        let found = entries(Some(&Policy { bindings, ..Policy::default() })).list;
        let told: Vec<_> = found.iter().map(|entry| (entry.member.as_deref().unwrap(), entry.id)).collect();
        assert_eq!(
            told,
            [(THEM, EntryId::Nobodys), ("group:a@b.c", EntryId::Nobodys), ("group:d@e.f", EntryId::Others)]
        );
        assert_eq!(found[0].value, MEMBER_ROLE);
        assert!(entries(None).list.is_empty());
    }

    #[test]
    fn nobody_is_wanted_where_nobody_is_named() {
        assert!(members(&settings()).is_null());
        assert!(!is_asked_for(&settings()));
        let value = json!({THEM: MEMBER_ROLE});
        assert_eq!(roles(&value), [(MEMBER_ROLE, THEM)]);
        assert_eq!(members_in_words(&value).unwrap().1, format!("{THEM} (storage.admin)"));
    }

    #[test]
    fn what_lets_everybody_in_is_in_the_way_of_private() {
        let mut settings = settings();
        let open = ["roles/storage.objectViewer for allUsers".to_owned()];
        assert_eq!(open_to_all(&settings, &open), None);
        settings.gcp.bucket.private = true;
        assert!(open_to_all(&settings, &open).unwrap().reason.contains(&open[0]));
        assert_eq!(open_to_all(&settings, &[]), None);
    }
}
