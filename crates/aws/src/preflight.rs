//! Before the first write: which rights an operation is sure to need, on what, and what the policies of the caller say of them.
//!
//! The simulator knows the policies of users and roles, their boundaries and those of the organization. Policies of buckets and
//! queues it does not look at (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock, PoisonError};

use aws_sdk_iam::types::{EvaluationResult, PolicyEvaluationDecisionType};
use futures::future::join_all;
use provision_core::change_set::ChangeSet;
use provision_core::facet::Facets;
use provision_core::identity::Identity;
use provision_core::mark::DEPLOYMENT_KEY;
use provision_core::operation::{Operation, Verb};
use provision_core::permissions::Task;
use provision_core::probe::Probes;
use provision_core::rights::{Answer, Right};
use provision_core::{Error, ErrorKind};
use serde_json::Value;

use crate::client::Reader;
use crate::config::Settings;
use crate::names::{Names, Part};
use crate::permissions::{self, On};
use crate::resources::bucket::BucketFacet;

/// The rights that an operation is sure to need.
pub(crate) fn rights(settings: &Settings, names: &Names, operation: &Operation, set: &ChangeSet) -> Vec<Right> {
    let Ok(part) = Part::of(&operation.address) else { return Vec::new() };
    match part {
        Part::Bucket => {
            let arn = names.with_bucket(&operation.name).bucket_arn();
            let is_new = operation.holder.is_some() && set.creates(&part.address());
            let call = of_bucket(operation, is_new, settings.aws.bucket.adopt);
            let on = if matches!(operation.verb, Verb::Empty { .. }) { format!("{arn}/*") } else { arn };
            of_call(call, &on, others_may_give(part, operation, set))
        }
        Part::Notification => {
            let call = matches!(operation.verb, Verb::Write { .. }).then_some("s3:PutBucketNotificationConfiguration");
            of_call(call, &names.bucket_arn(), others_may_give(Part::Bucket, operation, set))
        }
        Part::Queue | Part::RunQueue => {
            let on = names.queue_arn(&operation.name);
            of_call(of_queue(operation), &on, others_may_give(part, operation, set))
        }
        Part::Access => of_access(settings, names, operation),
    }
}

/// Those without which a probe would stay: it is removed version by version, also where the bucket keeps one of each alone.
pub(crate) fn rights_to_remove(names: &Names, probes: &Probes, set: &ChangeSet) -> Vec<Right> {
    let on = format!("{}/{}", names.bucket_arn(), probes.stem());
    of_call(Some("s3:DeleteObject"), &on, has_policy_of_others(Part::Bucket, set).then_some(OWN_POLICY))
}

fn of_call(call: Option<&str>, on: &str, unless: Option<&'static str>) -> Vec<Right> {
    let right = |name: &&'static str| Right { name, on: on.to_owned(), asked_of: on.to_owned(), unless };
    call.map(permissions::of).unwrap_or_default().iter().map(right).collect()
}

/// A policy of the thing itself may give what those of the caller do not: a new one has none.
fn others_may_give(part: Part, operation: &Operation, set: &ChangeSet) -> Option<&'static str> {
    let may = operation.holder.is_none() || (!set.creates(&part.address()) && has_policy_of_others(part, set));
    may.then_some(OWN_POLICY)
}

/// Why a right may be there of which the simulator says that it is not.
const OWN_POLICY: &str = "its own policy gives it";

fn has_policy_of_others(part: Part, set: &ChangeSet) -> bool {
    let changes = set.changes.iter().filter(|change| change.address == part.address());
    changes.flat_map(|change| &change.unmanaged).any(|entry| entry.facet == "policy")
}

fn of_bucket(operation: &Operation, is_new: bool, adopts: bool) -> Option<&'static str> {
    match &operation.verb {
        Verb::Create { .. } => Some("s3:CreateBucket"),
        Verb::Write { facet, value, .. } => of_bucket_facet(BucketFacet::of(facet).ok()?, value, is_new),
        // Where tags of somebody else's bucket grant access, there is another call.
        Verb::Adopt { .. } | Verb::WriteMark { .. } | Verb::RemoveMark { .. } if !adopts => Some("s3:PutBucketTagging"),
        Verb::Empty { .. } => Some("s3:DeleteObjects"),
        Verb::Delete { .. } => Some("s3:DeleteBucket"),
        Verb::Adopt { .. }
        | Verb::WriteMark { .. }
        | Verb::RemoveMark { .. }
        | Verb::Update { .. }
        | Verb::ReadMark { .. }
        | Verb::CheckMark { .. } => None,
    }
}

fn of_bucket_facet(facet: BucketFacet, value: &Value, is_new: bool) -> Option<&'static str> {
    match facet {
        BucketFacet::Ownership => Some("s3:PutBucketOwnershipControls"),
        BucketFacet::PublicAccess => Some("s3:PutPublicAccessBlock"),
        // A new bucket is encrypted, if with no key of ours.
        BucketFacet::Encryption => (!is_new || value["kms_key"].is_string()).then_some("s3:PutBucketEncryption"),
        BucketFacet::Versioning => Some("s3:PutBucketVersioning"),
        // Whether it is written or deleted, what else is in it decides.
        BucketFacet::Policy | BucketFacet::Principals => (!value.is_null()).then_some("s3:PutBucketPolicy"),
        BucketFacet::Cors => Some("s3:PutBucketCors"),
        BucketFacet::Delivery | BucketFacet::Tags => None,
    }
}

fn of_queue(operation: &Operation) -> Option<&'static str> {
    match &operation.verb {
        Verb::Create { .. } => Some("sqs:CreateQueue"),
        Verb::Write { .. } => Some("sqs:SetQueueAttributes"),
        Verb::Adopt { .. } | Verb::WriteMark { .. } => Some("sqs:TagQueue"),
        Verb::RemoveMark { mark, .. } => mark.as_ref().map(|_| "sqs:UntagQueue"),
        Verb::Delete { .. } => Some("sqs:DeleteQueue"),
        Verb::ReadMark { .. } | Verb::CheckMark { .. } | Verb::Update { .. } | Verb::Empty { .. } => None,
    }
}

/// Each role gets its policy, and loses it where it is not named any more.
fn of_access(settings: &Settings, names: &Names, operation: &Operation) -> Vec<Right> {
    let Verb::Write { before, value, .. } = &operation.verb else { return Vec::new() };
    let places = |value: &Value| value.as_object().into_iter().flatten().map(|(place, _)| place.clone()).collect();
    let (had, gets): (Vec<String>, Vec<String>) = (places(before), places(value));
    let put = gets.iter().filter(|place| before.get(place.as_str()) != value.get(place.as_str()));
    let put = put.map(|place| ("iam:PutRolePolicy", place));
    let deleted = had.iter().filter(|place| !gets.contains(place)).map(|place| ("iam:DeleteRolePolicy", place));
    let right = |(call, place): (&'static str, &String)| {
        let (on, unless) = role(settings, names, place.split('/').next().unwrap_or_default());
        of_call(Some(call), &on, unless)
    };
    put.chain(deleted).flat_map(right).collect()
}

/// The ARN of a role. One that is known by its name alone may have a path in it, which is looked up ([`Inquiry`]).
fn role(settings: &Settings, names: &Names, name: &str) -> (String, Option<&'static str>) {
    let stated =
        settings.aws.access.as_ref().and_then(|access| access.role.as_deref()).filter(|role| role.contains(':'));
    match stated.filter(|arn| arn.rsplit('/').next() == Some(name)) {
        Some(arn) => (arn.to_owned(), None),
        None => (names.role_arns(name).swap_remove(0), Some(OF_PATH)),
    }
}

/// What the caller's policies say, resource by resource.
#[derive(Debug, Default)]
pub(crate) struct Inquiry {
    /// Whose policies they are.
    principal: OnceLock<Principal>,
    /// The ARN of each role that is known by its name; `None` where it may not be looked up, or is not there.
    roles: Mutex<BTreeMap<String, Option<String>>>,
    answers: Mutex<Vec<Asked>>,
}

/// What was answered about a resource.
#[derive(Debug)]
struct Asked {
    /// As the right names it.
    resource: String,
    /// Whether it is a role whose path was looked up.
    is_exact: bool,
    answer: Result<Vec<EvaluationResult>, Error>,
}

impl Inquiry {
    /// Look up the path of the plan file's role, where it is needed to ask: nothing has to be known for that.
    pub(crate) async fn find_role(&self, reader: &Reader, settings: &Settings) {
        let role = settings.aws.access.as_ref().and_then(|access| access.role.as_deref());
        if let Some(name) = role.filter(|role| !role.contains(':')) {
            self.arn_of(reader, name).await;
        }
    }

    /// Ask about all that a task may need.
    pub(crate) async fn make(
        &self,
        reader: &Reader,
        settings: &Settings,
        names: &Names,
        caller: &Identity,
        task: Task,
    ) {
        self.ask(reader, settings, caller, wanted(settings, names, task)).await;
    }

    /// Ask about these.
    pub(crate) async fn make_more(&self, reader: &Reader, settings: &Settings, caller: &Identity, rights: &[Right]) {
        let mut wanted = Wanted::new();
        for right in rights {
            wanted.entry(right.asked_of.clone()).or_default().insert(right.name);
        }
        self.ask(reader, settings, caller, wanted).await;
    }

    async fn ask(&self, reader: &Reader, settings: &Settings, caller: &Identity, wanted: Wanted) {
        let principal = self.principal.get().cloned().unwrap_or_else(|| principal(&caller.principal));
        let Principal::Simulated(arn) = &principal else {
            let _ = self.principal.set(principal);
            return;
        };
        let (mut arn, mut found) = (arn.clone(), self.simulate(reader, settings, caller, arn, &wanted).await);
        // The ARN of a session has no path, and that of its role may have one, as those of IAM Identity Center do
        // (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns>).
        if found.iter().any(|asked| is_not_there(&asked.answer))
            && let Some(of_role) = self.arn_of(reader, last(&arn)).await.filter(|_| arn.contains(ROLE))
        {
            found = self.simulate(reader, settings, caller, &of_role, &wanted).await;
            arn = of_role;
        }
        let _ = self.principal.set(Principal::Simulated(arn));
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
    }

    async fn simulate(
        &self,
        reader: &Reader,
        settings: &Settings,
        caller: &Identity,
        arn: &str,
        wanted: &Wanted,
    ) -> Vec<Asked> {
        let tag = format!("aws:ResourceTag/{DEPLOYMENT_KEY}");
        let name = settings.deployment.name.as_str();
        let context = [(tag.as_str(), name), ("aws:RequestedRegion", caller.region.as_str())];
        let context = &context;
        let asks = wanted.iter().map(async |(resource, actions)| {
            let by_name = resource.contains(ROLE) && !is_stated(settings, resource);
            let exact = if by_name { self.arn_of(reader, last(resource)).await } else { None };
            let actions: Vec<_> = actions.iter().copied().collect();
            let asked_of = exact.as_ref().unwrap_or(resource);
            let answer = reader.check_principal_policy(arn, &actions, asked_of, context).await;
            Asked { resource: resource.clone(), is_exact: exact.is_some(), answer }
        });
        join_all(asks).await
    }

    /// The ARN of a role, with its path; looked up once.
    async fn arn_of(&self, reader: &Reader, name: &str) -> Option<String> {
        let known = self.roles.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(known) = known {
            return known;
        }
        let found = reader.get_role(name).await.ok();
        self.roles.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), found.clone());
        found
    }

    /// What was said of a right.
    pub(crate) fn held(&self, right: &Right) -> Answer {
        match self.principal.get() {
            None => Answer::Unasked,
            Some(Principal::Root) => Answer::Held,
            Some(Principal::Other) => Answer::Unknown("AWS tells it of users and roles alone".to_owned()),
            Some(Principal::Simulated(_)) => {
                let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
                let of_resource = answers.iter().filter(|asked| asked.resource == right.asked_of);
                let mut judged = of_resource.map(|asked| judged(right, asked));
                judged.find(|answer| *answer != Answer::Unasked).unwrap_or(Answer::Unasked)
            }
        }
    }
}

/// The actions that are asked about on each resource.
type Wanted = BTreeMap<String, BTreeSet<&'static str>>;

/// What the ARN of a role has before its path and name.
const ROLE: &str = ":role/";

/// What may give a right on a role whose path is not known.
const OF_PATH: &str = "the role has a path, which `iam:GetRole` would tell";

/// Whether the plan file has a role's whole ARN.
fn is_stated(settings: &Settings, arn: &str) -> bool {
    settings.aws.access.as_ref().is_some_and(|access| access.role.as_deref() == Some(arn))
}

fn is_not_there(answer: &Result<Vec<EvaluationResult>, Error>) -> bool {
    answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// The name at the end of an ARN.
fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The actions that a task may need on each resource; what only looks is not asked about.
fn wanted(settings: &Settings, names: &Names, task: Task) -> Wanted {
    let bucket = names.bucket_arn();
    let queues = || names.queue.iter().chain(&names.run_queue).map(|queue| names.queue_arn(queue)).collect();
    let looks: BTreeSet<_> = permissions::needed(settings, Task::Drift).map(|(_, action)| action).collect();
    let mut wanted = Wanted::new();
    for (on, action) in permissions::needed(settings, task).filter(|(_, action)| !looks.contains(action)) {
        let resources: Vec<String> = match on {
            On::Bucket => vec![bucket.clone()],
            On::Objects => vec![format!("{bucket}/*")],
            On::Queues | On::MarkedQueues => queues(),
            On::Role => settings.role_name().map(|name| role(settings, names, name).0).into_iter().collect(),
            On::Everything | On::EventQueue | On::AnyQueue => Vec::new(),
        };
        for resource in resources {
            wanted.entry(resource).or_default().insert(action);
        }
    }
    wanted
}

fn judged(right: &Right, asked: &Asked) -> Answer {
    let results = match &asked.answer {
        Ok(results) => results,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Answer::Unknown("these credentials lack `iam:SimulatePrincipalPolicy`".to_owned());
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Answer::Unknown("the role in use has a path, which `iam:GetRole` would tell".to_owned());
        }
        Err(error) => return Answer::Unknown(error.to_string()),
    };
    let result = results.iter().find(|result| result.eval_action_name.eq_ignore_ascii_case(right.name));
    let unless = right.unless.filter(|unless| *unless != OF_PATH || !asked.is_exact);
    result.map_or(Answer::Unasked, |result| judgement(unless, result))
}

/// What one result says. Keys that the policies of the organization ask for are not told, so that its denial is never sure.
fn judgement(unless: Option<&str>, result: &EvaluationResult) -> Answer {
    let specific = result.resource_specific_results();
    let missing = specific.iter().flat_map(|one| one.missing_context_values());
    let missing: Vec<_> = result.missing_context_values().iter().chain(missing).map(String::as_str).collect();
    let organization = result.organizations_decision_detail().is_some_and(|detail| !detail.allowed_by_organizations());
    let bounded =
        result.permissions_boundary_decision_detail().is_some_and(|detail| !detail.allowed_by_permissions_boundary());
    let bounded = bounded.then(|| "the permissions boundary does not allow it".to_owned());
    match result.eval_decision() {
        PolicyEvaluationDecisionType::Allowed => Answer::Held,
        _ if organization => Answer::Doubtful("a policy of the organization does not allow it".to_owned()),
        _ if !missing.is_empty() => Answer::Doubtful(format!("unless {} decides otherwise", missing.join(", "))),
        PolicyEvaluationDecisionType::ExplicitDeny => {
            Answer::Missing(bounded.or_else(|| Some("a policy denies it".to_owned())))
        }
        PolicyEvaluationDecisionType::ImplicitDeny => match unless {
            Some(unless) => Answer::Doubtful(bounded.unwrap_or_else(|| format!("unless {unless}"))),
            None => Answer::Missing(bounded),
        },
        _ => Answer::Unasked,
    }
}

/// Whose policies are asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Principal {
    /// It has none, and may do everything.
    Root,
    /// A user or a role.
    Simulated(String),
    /// A federated user.
    Other,
}

/// By the ARN of a caller; that of a role's session names the role
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns>).
fn principal(arn: &str) -> Principal {
    let [_, partition, service, _, account, name] = arn.splitn(6, ':').collect::<Vec<_>>()[..] else {
        return Principal::Other;
    };
    let (kind, rest) = name.split_once('/').unwrap_or((name, ""));
    match (service, kind) {
        ("iam", "root") => Principal::Root,
        ("iam", "user") => Principal::Simulated(arn.to_owned()),
        ("sts", "assumed-role") => {
            let role = rest.split('/').next().unwrap_or_default();
            Principal::Simulated(format!("arn:{partition}:iam::{account}:role/{role}"))
        }
        _ => Principal::Other,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::types::{OrganizationsDecisionDetail, ResourceSpecificResult};

    use super::*;

    #[test]
    fn sessions_are_asked_about_as_their_role() {
        let simulated = |arn: &str| Principal::Simulated(arn.to_owned());
        assert_eq!(principal("arn:aws:iam::1:root"), Principal::Root);
        assert_eq!(principal("arn:aws:iam::1:user/team/a"), simulated("arn:aws:iam::1:user/team/a"));
        assert_eq!(principal("arn:aws-cn:sts::1:assumed-role/ci/job-7"), simulated("arn:aws-cn:iam::1:role/ci"));
        assert_eq!(principal("arn:aws:sts::1:federated-user/a"), Principal::Other);
        assert_eq!(principal("somebody"), Principal::Other);
    }

    fn result(decision: PolicyEvaluationDecisionType) -> aws_sdk_iam::types::builders::EvaluationResultBuilder {
        EvaluationResult::builder().eval_action_name("s3:PutBucketCORS").eval_decision(decision)
    }

    fn judged_as(
        unless: Option<&'static str>,
        result: aws_sdk_iam::types::builders::EvaluationResultBuilder,
    ) -> Answer {
        let (on, asked_of) = ("arn:aws:s3:::acme".to_owned(), "arn:aws:s3:::acme".to_owned());
        let right = Right { name: "s3:PutBucketCORS", on, asked_of, unless };
        judged(&right, &asked(result, false))
    }

    fn asked(result: aws_sdk_iam::types::builders::EvaluationResultBuilder, is_exact: bool) -> Asked {
        Asked { resource: "arn:aws:s3:::acme".to_owned(), is_exact, answer: Ok(vec![result.build().unwrap()]) }
    }

    #[test]
    fn only_what_nothing_else_can_give_is_sure_to_be_missing() {
        use PolicyEvaluationDecisionType::{Allowed, ExplicitDeny, ImplicitDeny};
        let is_sure = |answer: &Answer| matches!(answer, Answer::Missing(_));
        assert_eq!(judged_as(Some("x"), result(Allowed)), Answer::Held);
        assert!(
            is_sure(&judged_as(None, result(ImplicitDeny))) && is_sure(&judged_as(Some("x"), result(ExplicitDeny)))
        );
        let of_organization = OrganizationsDecisionDetail::builder().allowed_by_organizations(false).build();
        let specific = ResourceSpecificResult::builder().eval_resource_name("arn:aws:s3:::acme");
        let specific = specific.eval_resource_decision(ExplicitDeny).missing_context_values("aws:SourceVpce");
        for doubtful in [
            judged_as(Some("x"), result(ImplicitDeny)),
            judged_as(None, result(ExplicitDeny).organizations_decision_detail(of_organization)),
            judged_as(None, result(ExplicitDeny).missing_context_values("aws:SourceIp")),
            judged_as(None, result(ExplicitDeny).resource_specific_results(specific.build().unwrap())),
        ] {
            assert!(matches!(doubtful, Answer::Doubtful(_)), "{doubtful:?}");
        }
        let other = Right { name: "s3:DeleteBucket", on: String::new(), asked_of: String::new(), unless: None };
        assert_eq!(judged(&other, &asked(result(Allowed), false)), Answer::Unasked);
    }

    #[test]
    fn right_on_a_role_whose_path_is_known_is_sure_to_be_missing() {
        let (on, asked_of) = ("arn:aws:iam::1:role/node".to_owned(), "arn:aws:iam::1:role/node".to_owned());
        let right = Right { name: "s3:PutBucketCORS", on, asked_of, unless: Some(OF_PATH) };
        let denied = || result(PolicyEvaluationDecisionType::ImplicitDeny);
        assert!(matches!(judged(&right, &asked(denied(), false)), Answer::Doubtful(_)));
        assert_eq!(judged(&right, &asked(denied(), true)), Answer::Missing(None));
        let gone = Error::new(ErrorKind::NotFound, "ask");
        let gone = Asked { resource: right.on.clone(), is_exact: false, answer: Err(gone) };
        assert!(matches!(judged(&right, &gone), Answer::Unknown(why) if why.contains("iam:GetRole")));
    }
}
