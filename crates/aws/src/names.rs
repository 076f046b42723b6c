//! The parts of a deployment, and every name and ARN of theirs, known as soon as the account is.

use std::collections::BTreeSet;

use provision_core::digest;
use provision_core::identity::Identity;

use crate::config::{Settings, partition_of};

provision_core::parts! {
    /// A part of a deployment.
    pub(crate) enum Part {
        /// The bucket.
        Bucket = ("aws.bucket", "bucket"),
        /// The queue that the server hears from.
        Queue = ("aws.queue", "queue"),
        /// The bucket's notification to the queue.
        Notification = ("aws.notification", "notification"),
        /// The queue for run events.
        RunQueue = ("aws.run_queue", "queue"),
        /// The rights of the server.
        Access = ("aws.access", "policy on role"),
    }
}

/// Whose the names are, and where their calls go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account<'a> {
    /// Its number, where the plan file or the credentials say it.
    pub(crate) id: Option<&'a str>,
    pub(crate) region: &'a str,
    /// The calls go to something that is not AWS.
    pub(crate) endpoint_overridden: bool,
    /// Whose credentials these are, once the service was asked.
    pub(crate) caller: Option<&'a Identity>,
}

/// Every name and ARN of a deployment.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) account: String,
    pub(crate) region: String,
    partition: String,
    /// The calls go to something that is not AWS.
    pub(crate) endpoint_overridden: bool,
    /// The role that the server runs as, without the rest of its ARN.
    role: Option<String>,
    /// Who else may use the bucket, by their ARNs.
    pub(crate) principals: Vec<String>,
    pub(crate) bucket: String,
    pub(crate) queue: Option<String>,
    pub(crate) run_queue: Option<String>,
    /// Our identity among entries of others, the current one first: notification id, CORS rule id.
    pub(crate) ids: Vec<String>,
    /// The same for statements of policies, which take letters and digits only.
    pub(crate) sids: Vec<String>,
    /// Those of the statement that lets principals of other accounts in.
    pub(crate) principals_sids: Vec<String>,
    /// The same for the role's inline policy. IAM is one for all regions, so that the bucket tells two deployments of one
    /// name apart.
    pub(crate) policies: Vec<String>,
}

impl Names {
    /// The names of these settings in this account; one that nobody says is the caller's own.
    pub(crate) fn of(settings: &Settings, account: &Account<'_>) -> Self {
        let (deployment, aws) = (&settings.deployment, &settings.aws);
        let known = account.id.or(account.caller.map(|caller| caller.account.as_str()));
        let deployments: Vec<&String> = std::iter::once(&deployment.name).chain(&deployment.was).collect();
        let each = |name: &dyn Fn(&str) -> String| deployments.iter().map(|deployment| name(deployment)).collect();
        let bucket = aws.bucket.name.clone();
        let partition = partition(account.region, account.caller);
        Self {
            account: known.unwrap_or_default().to_owned(),
            region: account.region.to_owned(),
            principals: principals(settings, &partition),
            partition,
            endpoint_overridden: account.endpoint_overridden,
            role: settings.role_name().map(str::to_owned),
            queue: aws.queue.enabled.then(|| settings.queue_name()),
            run_queue: aws.run_queue.as_ref().map(|queue| queue.name.clone()),
            ids: each(&|deployment| format!("provision-{}", entry_digest(deployment))),
            sids: each(&|deployment| format!("Provision{}", entry_digest(deployment))),
            principals_sids: each(&|deployment| format!("ProvisionAccess{}", entry_digest(deployment))),
            policies: each(&|deployment| format!("provision-{}", entry_digest(&format!("{deployment}/{bucket}")))),
            bucket,
        }
    }

    /// The same deployment's names, for a bucket that the plan file no longer names.
    pub(crate) fn with_bucket(&self, bucket: &str) -> Self {
        Self { bucket: bucket.to_owned(), ..self.clone() }
    }

    /// The same with an account, where it is not known yet: as long as it will be.
    pub(crate) fn at_full_length(&self) -> Self {
        let account = if self.account.is_empty() { "0".repeat(12) } else { self.account.clone() };
        Self { account, ..self.clone() }
    }

    pub(crate) fn bucket_arn(&self) -> String {
        format!("arn:{}:s3:::{}", self.partition, self.bucket)
    }

    /// Whether a principal of a policy is the server: its role, or its whole account; or one that the plan file names
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>).
    pub(crate) fn is_server(&self, principal: &str) -> bool {
        let (owner, name) = principal.rsplit_once(':').unwrap_or_default();
        let named = |own: &String| own == principal || (name == "root" && own.starts_with(&format!("{owner}:")));
        (name == "root" && self.is_of_account(owner)) || self.is_role(principal) || self.principals.iter().any(named)
    }

    /// Whether the server is known, and none of these principals. That its account is one does not make its role one
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html>).
    pub(crate) fn is_none_of(&self, principals: &[&str]) -> bool {
        let account = |arn: &str| arn.split(':').nth(4).map(str::to_owned);
        let is = |own: &String, principal: &str| {
            own == principal || (own.ends_with(":root") && account(own) == account(principal))
        };
        let others = |own: &String| !principals.iter().any(|principal| is(own, principal));
        let role = self.role.is_some() && !principals.iter().any(|principal| self.is_role(principal));
        role || self.principals.iter().any(others)
    }

    /// Whether a principal is the server's role, or somebody who took it on.
    fn is_role(&self, principal: &str) -> bool {
        let (owner, name) = principal.rsplit_once(':').unwrap_or_default();
        let path = name.strip_prefix("role/").map(|path| path.rsplit('/').next().unwrap_or(path));
        let taken = || name.strip_prefix("assumed-role/")?.split('/').next();
        let role = path.or_else(taken);
        role.is_some() && role == self.role.as_deref() && self.is_of_account(owner)
    }

    fn is_of_account(&self, owner: &str) -> bool {
        self.account.is_empty() || owner.ends_with(&format!(":{}", self.account))
    }

    /// Whether a principal of a policy is everybody in the account.
    pub(crate) fn is_own_account(&self, principal: &str) -> bool {
        principal.ends_with(&format!("::{}:root", self.account))
    }

    pub(crate) fn partition(&self) -> &str {
        &self.partition
    }

    /// The ARN of a role. One that is known by its name may have any path: names are unique in an account, whatever the path
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-friendly-names>).
    pub(crate) fn role_arns(&self, role: &str) -> Vec<String> {
        if role.contains(':') {
            return vec![role.to_owned()];
        }
        let (partition, account) = (&self.partition, &self.account);
        ["", "*/"].iter().map(|path| format!("arn:{partition}:iam::{account}:role/{path}{role}")).collect()
    }

    /// Where a queue is reached, by which Terraform knows it
    /// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html>).
    pub(crate) fn queue_url(&self, queue: &str) -> String {
        let domain = if self.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://sqs.{}.{domain}/{}/{queue}", self.region, self.account)
    }

    pub(crate) fn queue_arn(&self, queue: &str) -> String {
        format!("arn:{}:sqs:{}:{}:{queue}", self.partition, self.region, self.account)
    }
}

/// The hash of a name: of fixed length, so that `a` and `a-b` never match each other's entries.
fn entry_digest(name: &str) -> String {
    digest::short(name, 12)
}

/// The plan file's principals by their ARNs, each once: an account is named by its root
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-accounts>).
fn principals(settings: &Settings, partition: &str) -> Vec<String> {
    let named = settings.aws.access.iter().flat_map(|access| &access.principals);
    let arn = |name: &String| match name.contains(':') {
        true => name.clone(),
        false => format!("arn:{partition}:iam::{name}:root"),
    };
    named.map(arn).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The partition of the caller's own ARN; before that is known, the one that a region's name tells.
fn partition(region: &str, caller: Option<&Identity>) -> String {
    let of_arn = caller.and_then(|caller| caller.principal.strip_prefix("arn:")?.split(':').next());
    of_arn.filter(|partition| !partition.is_empty()).unwrap_or_else(|| partition_of(region)).to_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use provision_core::plan_file::PlanFile;

    /// The settings of a plan file with this `[aws]` section and these further lines of `[deployment]`.
    pub(crate) fn settings(deployment: &str, aws: &str) -> Settings {
        let text = format!("[deployment]\nname = \"wandb\"\nhost = \"https://w.example\"\n{deployment}\n{aws}");
        let file = PlanFile::parse("x", text, &|_| None).unwrap();
        let mut problems = file.problems();
        let deployment = provision_core::deployment::Deployment::read(&file, &mut problems);
        let settings = Settings::read(deployment, &file, &mut problems);
        problems.finish().unwrap();
        settings.unwrap()
    }

    /// The names of these settings in account 1 of `eu-west-1`.
    pub(crate) fn names(settings: &Settings) -> Names {
        Names::of(settings, &Account { id: Some("1"), region: "eu-west-1", ..Account::default() })
    }

    fn caller(arn: &str) -> Identity {
        Identity { account: "1".to_owned(), principal: arn.to_owned(), region: "x".to_owned(), endpoints: Vec::new() }
    }

    #[test]
    fn parts_are_known_by_their_address() {
        assert!(Part::ALL.iter().all(|part| Part::of(&part.address()).is_ok_and(|found| found == *part)));
        assert!(Part::of(&provision_core::Address::new("aws.topic")).is_err());
    }

    #[test]
    fn the_server_is_its_role_or_its_account() {
        let role = "[aws.bucket]\nname = \"acme\"\n[aws.access]\nrole = \"node\"";
        let (names, nobody) = (names(&settings("", role)), names(&settings("", "[aws.bucket]\nname = \"acme\"")));
        for (principal, is) in [
            ("arn:aws:iam::1:role/node", true),
            ("arn:aws:iam::1:role/team/node", true),
            ("arn:aws:iam::1:root", true),
            ("arn:aws:iam::1:role/other", false),
            ("arn:aws:iam::1:user/node", false),
            ("arn:aws:iam::2:root", false),
            ("*", false),
        ] {
            assert_eq!(names.is_server(principal), is, "{principal}");
        }
        assert!(!nobody.is_server("arn:aws:iam::1:role/node"));
    }

    #[test]
    fn the_server_of_others_is_whom_the_plan_file_names_or_its_account() {
        let access = "[aws.access]\nprincipals = [\"arn:aws:iam::111122223333:role/them\", \"444455556666\"]";
        let names = names(&settings("", &format!("[aws.bucket]\nname = \"acme\"\n{access}")));
        assert_eq!(names.principals, ["arn:aws:iam::111122223333:role/them", "arn:aws:iam::444455556666:root"]);
        for (principal, is) in [
            ("arn:aws:iam::111122223333:role/them", true),
            ("arn:aws:iam::111122223333:root", true),
            ("arn:aws:iam::111122223333:role/other", false),
            ("arn:aws:iam::444455556666:root", true),
            ("arn:aws:iam::777788889999:root", false),
        ] {
            assert_eq!(names.is_server(principal), is, "{principal}");
        }
    }

    #[test]
    fn partition_is_the_callers_own_and_else_the_regions() {
        assert_eq!(partition("eusc-de-east-1", None), "aws-eusc");
        assert_eq!(partition("us-gov-west-1", None), "aws-us-gov");
        assert_eq!(partition("us-west-2", None), "aws");
        assert_eq!(partition("xx-new-1", Some(&caller("arn:aws-new:iam::1:user/a"))), "aws-new");
    }

    #[test]
    fn policy_of_one_deployment_name_differs_by_bucket() {
        let of = |bucket: &str| names(&settings("", &format!("[aws.bucket]\nname = \"{bucket}\""))).policies;
        assert_eq!(of("acme-eu").len(), 1);
        assert_ne!(of("acme-eu"), of("acme-us"));
        let renamed = names(&settings("was = \"old\"", "[aws.bucket]\nname = \"acme-eu\""));
        assert_eq!((renamed.policies[0].clone(), renamed.ids.len()), (of("acme-eu")[0].clone(), 2));
    }
}
