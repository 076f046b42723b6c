//! What the policies of a user say of calls that are not made
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>.

use super::call::Call;
use super::error::{Error, Reply};
use super::iam::NAMESPACE;
use super::policy::{Attempt, Decision, Policy, Principal, identity_arn, user_arn};
use super::query::{Form, answer, element};
use super::rights;
use crate::sandbox::EmulatorKind;

pub(super) fn serve(call: &Call<'_>) -> Reply {
    let account = call.caller.account()?;
    let mut form = Form::of(call);
    let source = form.need("PolicySourceArn")?;
    rights::need(call, &call.operation, &source)?;
    let (actions, resources) = (form.take_list("ActionNames"), form.take_list("ResourceArns"));
    let context = form.take_context();
    form.end()?;
    let policy = policy(call, account, &source)?;
    let resources = if resources.is_empty() { vec!["*".to_owned()] } else { resources };
    let simulation = Simulation { account, policy: policy.as_ref(), context: &context };
    let results: String = actions.iter().map(|action| simulation.result(action, &resources)).collect();
    let results = format!("<IsTruncated>false</IsTruncated><EvaluationResults>{results}</EvaluationResults>");
    answer(call, NAMESPACE, &results)
}

/// The policy of a user; `None` for the one that may do everything. What roles may do is not known here.
fn policy(call: &Call<'_>, account: &str, source: &str) -> Result<Option<Policy>, Error> {
    if source == user_arn(account) {
        return Ok(None);
    }
    let document = call.world.identities.document(EmulatorKind::Aws).filter(|_| source == identity_arn(account));
    let nobody = || Error::new(404, "NoSuchEntity", format!("No such entity: {source}"));
    document.and_then(|document| Policy::attached(&document)).map(Some).ok_or_else(nobody)
}

struct Simulation<'a> {
    account: &'a str,
    policy: Option<&'a Policy>,
    context: &'a [(String, String)],
}

impl Simulation<'_> {
    /// "The top-level `EvalDecision` reflects the most restrictive decision across all resources."
    fn result(&self, action: &str, resources: &[String]) -> String {
        let each: Vec<_> = resources.iter().map(|resource| self.one(action, resource)).collect();
        let order = ["explicitDeny", "implicitDeny"];
        let worst = order.into_iter().find(|decision| each.iter().any(|(found, _)| found == decision));
        let specific = |((decision, missing), resource): (&(&str, String), &String)| {
            let decision = element("EvalResourceDecision", decision);
            format!("<member>{}{decision}{missing}</member>", element("EvalResourceName", resource))
        };
        let specific: String = each.iter().zip(resources).map(specific).collect();
        let decision = element("EvalDecision", worst.unwrap_or("allowed"));
        let specific = format!("<ResourceSpecificResults>{specific}</ResourceSpecificResults>");
        let (name, resource) = (element("EvalActionName", action), element("EvalResourceName", "*"));
        format!("<member>{name}{resource}{decision}<MissingContextValues/>{specific}</member>")
    }

    /// The decision, and the keys that it would need.
    fn one(&self, action: &str, resource: &str) -> (&'static str, String) {
        let context = self.context.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let attempt = Attempt { principal: Principal::Identity(self.account), action, resource, context };
        let Some(policy) = self.policy else { return ("allowed", String::new()) };
        let decision = match policy.decide(&attempt) {
            Decision::Allow => "allowed",
            Decision::Deny => "explicitDeny",
            Decision::Silent => "implicitDeny",
        };
        let missing: String = policy.missing_keys(&attempt).into_iter().map(|key| element("member", key)).collect();
        (decision, format!("<MissingContextValues>{missing}</MissingContextValues>"))
    }
}
