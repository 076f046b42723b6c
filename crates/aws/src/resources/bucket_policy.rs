//! What of the bucket's policy is ours: one statement that only TLS gets in, and one that lets principals of other accounts in.

use std::collections::BTreeMap;

use provision_core::Error;
use provision_core::facet::{Entries, Words};
use provision_core::refusal::Refusal;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::client::Writer;
use crate::config::SERVER_BUCKET_ACTIONS;
use crate::names::Names;
use crate::policy::{Document, Quota, with_sid};
use crate::resources::Write;

/// What a policy may have: 20 KB <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html>.
const POLICY_QUOTA: Quota = Quota { bytes: 20 * 1024, statements: None };

/// One of our statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Own {
    TlsOnly,
    Principals,
}

impl Own {
    /// The `Sid`s that it has, or had under the deployment's former name.
    fn sids(self, names: &Names) -> &[String] {
        match self {
            Self::TlsOnly => &names.sids,
            Self::Principals => &names.principals_sids,
        }
    }

    /// It among those of others, against the `desired` one.
    pub(crate) fn entries(self, policy: &Document, names: &Names) -> Entries {
        let desired = match self {
            Self::TlsOnly => tls_only(names),
            Self::Principals => principals(names),
        };
        policy.entries(self.sids(names), &desired, POLICY_QUOTA, &holder(names))
    }
}

/// Deny everything that does not come over TLS
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html#transit>).
pub(crate) fn tls_only(names: &Names) -> Value {
    let statement = json!({
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [names.bucket_arn(), format!("{}/*", names.bucket_arn())],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    });
    with_sid(&statement, &names.sids[0])
}

/// The documented actions for the plan file's principals; `null` if it names none
/// (<https://docs.wandb.ai/platform/hosting/data-security/secure-storage-connector>).
pub(crate) fn principals(names: &Names) -> Value {
    if names.principals.is_empty() {
        return Value::Null;
    }
    let statement = json!({
        "Effect": "Allow",
        "Principal": {"AWS": names.principals},
        "Action": SERVER_BUCKET_ACTIONS,
        "Resource": [names.bucket_arn(), format!("{}/*", names.bucket_arn())],
    });
    with_sid(&statement, &names.principals_sids[0])
}

/// Whom the statement lets in.
pub(crate) fn principals_in_words(statement: &Value) -> Option<Words> {
    let named = statement["Principal"]["AWS"].as_array()?.iter().filter_map(Value::as_str);
    let actions = statement["Action"].as_array()?.len();
    Some(("lets in", format!("{} ({actions} actions)", named.collect::<Vec<_>>().join(", "))))
}

/// The statements of others, for people.
pub(crate) fn others(policy: &Document, names: &Names) -> Vec<String> {
    policy.others(&both(names))
}

/// Why S3 takes this policy no more, where ours is written beside a block of all public access.
pub(crate) fn refused(policy: &Document, names: &Names) -> Option<Refusal> {
    policy.refused(&both(names), &holder(names))
}

/// Why S3 takes this policy no more at all.
pub(crate) fn dead(policy: &Document, names: &Names) -> Option<Refusal> {
    policy.dead(&both(names), &holder(names))
}

fn both(names: &Names) -> Vec<String> {
    [names.sids.as_slice(), &names.principals_sids].concat()
}

fn holder(names: &Names) -> String {
    format!("bucket `{}`", names.bucket)
}

/// The policy that a call answered with.
pub(crate) fn document(text: Option<&str>, bucket: &str) -> Result<Document, Error> {
    Document::read(text, "s3:GetBucketPolicy", &format!("read the policy of bucket `{bucket}`"))
}

/// The turn to write the policy: two writes of one run never cross. It keeps what the run wrote, which a read right afterwards
/// may not show yet (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel>).
#[derive(Debug, Default)]
pub(crate) struct Turn(Mutex<BTreeMap<Own, Value>>);

impl Turn {
    /// Put one of our statements, or take it out if it is `null`; what others have stays as it is.
    pub(crate) async fn write(&self, writer: &Writer, names: &Names, own: Own, write: &Write<'_>) -> Result<(), Error> {
        let mut written = self.0.lock().await;
        let (bucket, owner) = (names.bucket.as_str(), names.account.as_str());
        let text = if write.just_created { None } else { writer.reader().get_bucket_policy(bucket, owner).await? };
        let found = document(text.as_deref(), bucket)?;
        let mut wanted = written.clone();
        wanted.insert(own, write.value.clone());
        let merged = merged(&found, &wanted, names);
        if merged != found {
            let put = put(writer, names, &merged).await;
            put.map_err(|error| if lets_in(own, write.value) { explained(error) } else { error })?;
        }
        *written = wanted;
        Ok(())
    }

    /// Let nobody of other accounts in any more: before everything in the bucket is deleted.
    pub(crate) async fn revoke(&self, writer: &Writer, names: &Names) -> Result<(), Error> {
        let nothing = Write { facet: "", before: &Value::Null, value: &Value::Null, just_created: false };
        if names.principals.is_empty() {
            return Ok(());
        }
        self.write(writer, names, Own::Principals, &nothing).await
    }
}

/// The policy with ours as wanted. One of ours that names somebody who was deleted is left out of what is written: S3 would take
/// none of it.
fn merged(found: &Document, wanted: &BTreeMap<Own, Value>, names: &Names) -> Document {
    let alive = found.without_dead(&both(names));
    wanted.iter().fold(alive, |policy, (own, value)| policy.with_ours(own.sids(names), value).unwrap_or(policy))
}

async fn put(writer: &Writer, names: &Names, policy: &Document) -> Result<(), Error> {
    let (bucket, owner) = (names.bucket.as_str(), names.account.as_str());
    match policy.is_empty() {
        true => writer.delete_bucket_policy(bucket, owner).await,
        false => writer.put_bucket_policy(bucket, owner, &policy.to_text()).await,
    }
}

/// S3 takes principals that exist only
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-bucket-user-policy-specifying-principal-intro.html>).
fn explained(error: Error) -> Error {
    if error.code() == Some("MalformedPolicy") { error.with_hint(NOT_ALL_EXIST) } else { error }
}

fn lets_in(own: Own, value: &Value) -> bool {
    own == Own::Principals && value.is_object()
}

const NOT_ALL_EXIST: &str = "check `principals` under [aws.access]: S3 takes accounts, roles and users that exist only";

#[cfg(test)]
mod tests {
    use super::*;
    use provision_core::facet::EntryId;

    use crate::names::tests::{names, settings};

    const PLAN: &str = "[aws.bucket]\nname = \"acme\"\n[aws.access]\nprincipals = [\"111122223333\"]";
    const ROOT: &str = "arn:aws:iam::111122223333:root";

    fn of(statements: &[Value]) -> Document {
        document(Some(&json!({"Version": "2012-10-17", "Statement": statements}).to_string()), "acme").unwrap()
    }

    /// Another one's statement with the same principal and actions, under no name of ours.
    fn alike(names: &Names) -> Value {
        with_sid(&principals(names), "WAndBAccountAccess")
    }

    #[test]
    fn account_is_named_by_its_root_and_gets_the_documented_actions() {
        let statement = principals(&names(&settings("", PLAN)));
        assert_eq!(statement["Principal"], json!({"AWS": [ROOT]}));
        assert_eq!(statement["Action"], json!(SERVER_BUCKET_ACTIONS));
        assert_eq!(principals_in_words(&statement).unwrap().1, format!("{ROOT} (11 actions)"));
        assert!(principals(&names(&settings("", "[aws.bucket]\nname = \"acme\""))).is_null());
    }

    #[test]
    fn statement_of_others_that_is_alike_is_theirs() {
        let names = names(&settings("", PLAN));
        let policy = of(&[alike(&names), tls_only(&names)]);
        assert!(Own::Principals.entries(&policy, &names).list.is_empty());
        assert_eq!(others(&policy, &names), ["statement `WAndBAccountAccess`"]);
        let both = of(&[alike(&names), principals(&names)]);
        assert_eq!(Own::Principals.entries(&both, &names).list[0].id, EntryId::Ours);
    }

    #[test]
    fn each_statement_is_put_and_taken_out_beside_the_other() {
        let names = names(&settings("", PLAN));
        let theirs = of(&[alike(&names)]);
        let wanted = BTreeMap::from([(Own::TlsOnly, tls_only(&names)), (Own::Principals, principals(&names))]);
        let whole = merged(&theirs, &wanted, &names);
        assert_eq!(whole, of(&[alike(&names), tls_only(&names), principals(&names)]));
        let without = BTreeMap::from([(Own::Principals, Value::Null)]);
        assert_eq!(merged(&whole, &without, &names), of(&[alike(&names), tls_only(&names)]));
        assert_eq!(merged(&theirs, &without, &names), theirs);
    }

    #[test]
    fn ours_whose_role_was_deleted_holds_up_no_other_write() {
        let names = names(&settings("", PLAN));
        let mut dead = principals(&names);
        dead["Principal"]["AWS"] = json!(["AROAEXAMPLEEXAMPLE12"]);
        let wanted = BTreeMap::from([(Own::TlsOnly, Value::Null)]);
        assert!(merged(&of(&[tls_only(&names), dead]), &wanted, &names).is_empty());
    }
}
