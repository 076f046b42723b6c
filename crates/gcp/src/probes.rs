//! Probes of `verify` in the bucket: told by their key and by what they say of themselves, and removed in all their generations.
//! What soft delete keeps of them goes as that of every file does.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use provision_core::probe::{METADATA, Probes};
use provision_core::{Error, ErrorKind};

use crate::client::objects::Signer;
use crate::client::storage::Version;
use crate::client::{Pages, Reader, Writer};
use crate::config::SERVER_ACCOUNT_ROLES;
use crate::error::lacks_permission;

/// The keys of those that are there. One page is read: a thousand generations of probes are nobody's.
pub(crate) async fn remains(reader: &Reader, bucket: &str, probes: &Probes) -> Result<Vec<String>, Error> {
    Ok(versions(reader, bucket, probes, &probes.stem()).await?.into_keys().collect())
}

/// Remove one of them, in all its generations: each is named, so that none that comes meanwhile goes.
pub(crate) async fn remove(writer: &Writer, bucket: &str, probes: &Probes, key: &str) -> Result<(), Error> {
    let found = versions(writer.reader(), bucket, probes, key).await?.remove(key).unwrap_or_default();
    try_join_all(found.iter().map(|version| writer.delete_version(bucket, version))).await.map(|_| ())
}

/// The generations of every probe whose key begins so.
async fn versions(
    reader: &Reader,
    bucket: &str,
    probes: &Probes,
    prefix: &str,
) -> Result<BTreeMap<String, Vec<Version>>, Error> {
    let page = reader.list_versions(bucket, Some(prefix), &mut Pages::default()).await?;
    Ok(of_probes(page.into_iter().flat_map(|page| page.versions), probes))
}

/// A key with a generation that does not say that it is a probe of this deployment is none.
fn of_probes(listed: impl Iterator<Item = Version>, probes: &Probes) -> BTreeMap<String, Vec<Version>> {
    let mut found: BTreeMap<String, Vec<Version>> = BTreeMap::new();
    for version in listed.filter(|version| probes.has(&version.object)) {
        found.entry(version.object.clone()).or_default().push(version);
    }
    let says = |version: &Version| version.metadata.get(METADATA) == Some(&probes.owner);
    found.retain(|_, versions| versions.iter().all(says));
    found
}

/// Nobody signs: what the server would sign with is not known, and we have no key.
pub(crate) fn nobody_signs() -> Error {
    let error = Error::new(ErrorKind::PermissionDenied, "sign an address");
    error.with_message("the plan file names no service account, and the credentials are no service account's key").with_hint(
        "name the server's account under [gcp.access], and let the identity in use sign as it: `iam.serviceAccounts.signBlob`",
    )
}

/// Owners may not sign as a service account either
/// (<https://cloud.google.com/iam/docs/service-account-permissions#token-creator-role>).
pub(crate) fn explain_signing(error: Error, signer: &Signer) -> Error {
    match signer {
        Signer::Account(email) if lacks_permission(&error) => {
            let role = SERVER_ACCOUNT_ROLES.join(", ");
            error.with_hint(format!(
                "grant {role} (`iam.serviceAccounts.signBlob`) on service account `{email}` to the identity in use, a few minutes \
                 later run the same command again"
            ))
        }
        Signer::Account(_) | Signer::Key(_) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::json::Int64;
    use provision_core::mark::Tags;
    use provision_core::probe::PREFIX;

    #[test]
    fn a_key_is_a_probe_s_where_each_generation_says_so() {
        let probes = Probes::new(PREFIX, "wandb-prod");
        let version = |key: &str, generation: i64, says: Option<&str>| Version {
            object: key.to_owned(),
            generation: Int64(generation),
            metadata: says.map(|says| Tags::from([(METADATA.to_owned(), says.to_owned())])).unwrap_or_default(),
            ..Version::default()
        };
        let (ours, theirs, mixed) = (probes.another().key, probes.another().key, probes.another().key);
        let owner = probes.owner.as_str();
        let listed = [
            version(&ours, 1, Some(owner)),
            version(&ours, 2, Some(owner)),
            version(&theirs, 1, None),
            version(&mixed, 1, Some(owner)),
            version(&mixed, 2, Some("other")),
            version("run/1", 1, Some(owner)),
        ];
        let found = of_probes(listed.into_iter(), &probes);
        assert_eq!(found.iter().map(|(key, versions)| (key, versions.len())).collect::<Vec<_>>(), [(&ours, 2)]);
    }
}
