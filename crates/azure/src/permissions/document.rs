//! The role of a command, and who may have it, as Azure and as Terraform take them.

use std::collections::BTreeSet;

use provision_core::hcl::{self, Body};
use provision_core::permissions::{Document, Forge, Repository, Syntax, Task, taken_out};
use serde_json::json;

use super::{On, needed};
use crate::config::Settings;
use crate::names::{EVENT_GRID, Names, identity_of};

/// Who is to have the role, in commands.
const ASSIGNEE: &str = "OBJECT_ID";

/// A custom role <https://learn.microsoft.com/azure/role-based-access-control/role-definitions>.
pub(crate) fn of_command(settings: &Settings, names: &Names, task: Task, syntax: Syntax) -> Document {
    let actions = |data: bool| {
        let needed = needed(settings, task).filter(move |(on, _)| (*on == On::Data) == data);
        needed.map(|(_, permission)| permission).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    let (actions, data_actions) = (actions(false), actions(true));
    let name = format!("provision {} {}", settings.deployment.name, task.name());
    let (assignable, assigned) = scopes(settings, names);
    let description =
        format!("What `provision azure {}` needs for deployment {}", task.name(), settings.deployment.name);
    let notes = notes(settings, names, task);
    if syntax == Syntax::Terraform {
        let permissions = Body::default().list("actions", &actions).list("data_actions", &data_actions);
        let role = Body::default()
            .text("name", &name)
            .text("scope", &assignable)
            .text("description", &description)
            .block("permissions", permissions)
            .texts("assignable_scopes", &[&assignable]);
        let text = role.named(&format!("resource \"azurerm_role_definition\" \"{}\"", hcl::name(&name)));
        return Document { text, commands: Vec::new(), notes };
    }
    let role = json!({
        "Name": name,
        "IsCustom": true,
        "Description": description,
        "Actions": actions,
        "NotActions": [],
        "DataActions": data_actions,
        "NotDataActions": [],
        "AssignableScopes": [assignable],
    });
    let commands = vec![
        "az role definition create --role-definition @FILE".to_owned(),
        format!("az role assignment create --role '{name}' --assignee-object-id {ASSIGNEE} --scope '{assigned}'"),
    ];
    Document { text: format!("{role:#}\n"), commands, notes }
}

/// Where the role may be assigned, which is a group or more
/// (<https://learn.microsoft.com/azure/role-based-access-control/role-definitions#assignablescopes>), and where it is.
fn scopes(settings: &Settings, names: &Names) -> (String, String) {
    match (settings.azure.resource_group.create, settings.azure.account.create) {
        (true, _) => (names.subscription.clone(), names.subscription.clone()),
        (false, true) => (names.group_id(), names.group_id()),
        (false, false) => (names.group_id(), names.account_id()),
    }
}

fn notes(settings: &Settings, names: &Names, task: Task) -> Vec<String> {
    let subscription = format!(
        "`create = true` under resource_group: the role is for the whole subscription, since the group may not be there yet; once it \
         is, `--scope '{}'` is enough",
        names.group_id()
    );
    let registered = format!(
        "{EVENT_GRID} must be registered in the subscription, by whoever may: `az provider register --namespace {EVENT_GRID}`"
    );
    let grants = "with the right to write role assignments one can give oneself others: a condition on the assignment \
                  (`--condition`) narrows it to the server's roles"
        .to_owned();
    let data = "`plan --destroy` counts blobs by the DataActions, which let them be read too: leave those out where nobody plans a destroy"
        .to_owned();
    // Which rights "sufficient permission at the resource group level" is, is not said; what these are, is:
    // <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations#permission-for-tracking-async-status>,
    // <https://learn.microsoft.com/azure/role-based-access-control/permissions/storage#microsoftstorage>.
    let tracking = "how a long operation ended is read at the level of the group: if that is refused, add \
                    `Microsoft.Storage/operations/read`, `Microsoft.EventGrid/locations/operationsStatus/read` and \
                    `Microsoft.Resources/subscriptions/operationresults/read`, and assign the role there"
        .to_owned();
    let tracking = [Task::Apply, Task::Destroy].contains(&task).then_some(tracking);
    let sends = "`Microsoft.Storage/storageAccounts/write` on the account of others is what Event Grid asks of whoever lets events go to a \
                 queue in it"
        .to_owned();
    let sends =
        (task == Task::Apply && settings.azure.queue.enabled && !settings.azure.account.create).then_some(sends);
    let writes_roles = task == Task::Apply && settings.azure.access.is_some();
    let created = settings.azure.resource_group.create;
    let scope = if created {
        Some(subscription)
    } else {
        (task == Task::Apply && settings.azure.queue.enabled).then_some(registered)
    };
    let key = match task {
        Task::RotateKey => "the account's keys may do everything to the account's data".to_owned(),
        _ => "the account's key may do everything to the account's data: with [azure.access], `verify` needs none"
            .to_owned(),
    };
    let data = (task == Task::Plan).then_some(data);
    let sees_key = task == Task::RotateKey || (task == Task::Verify && settings.azure.access.is_none());
    let key = sees_key.then_some(key);
    let looks_at_access = ![Task::Server, Task::RotateKey].contains(&task) && settings.azure.access.is_none();
    let taken_out = looks_at_access.then(|| taken_out("[azure.access]"));
    let grants = writes_roles.then_some(grants);
    scope.into_iter().chain(data).chain(key).chain(tracking).chain(sends).chain(grants).chain(taken_out).collect()
}

/// A built-in role of an identity, as it is assigned.
pub(crate) struct Assigned<'a> {
    pub(crate) role: &'static str,
    /// The role's name in one word.
    pub(crate) short: &'static str,
    pub(crate) scope: String,
    /// Who has it; nobody that the plan file names.
    pub(crate) principal: Option<&'a str>,
    /// Whether the server is somebody else's.
    pub(crate) of_others: bool,
    /// The id of the assignment.
    pub(crate) id: String,
}

impl Assigned<'_> {
    /// What Terraform may call it, by a word for the role.
    pub(crate) fn resource_name(&self, role: &str) -> String {
        match self.principal.filter(|_| self.of_others) {
            Some(principal) => hcl::name(&format!("{role}_{}", identity_of(principal))),
            None => hcl::name(role),
        }
    }
}

/// What `[azure.access]` gives: built-in roles, each as a command.
pub(crate) fn of_server(settings: &Settings, roles: &[Assigned<'_>], commands: &[String], syntax: Syntax) -> Document {
    let text = match syntax {
        Syntax::Native => commands.iter().map(|command| format!("{command}\n")).collect(),
        Syntax::Terraform => {
            let assignment = |assigned: &Assigned<'_>| {
                let principal = assigned.principal.unwrap_or(ASSIGNEE);
                let body = Body::default().text("scope", &assigned.scope);
                let body = body.text("role_definition_name", assigned.role).text("principal_id", principal);
                let id = assigned.resource_name(&assigned.role.to_ascii_lowercase());
                body.named(&format!("resource \"azurerm_role_assignment\" \"{id}\""))
            };
            roles.iter().map(assignment).collect::<Vec<_>>().join("\n")
        }
    };
    let notes = if settings.azure.access.is_none() {
        vec!["[azure.access] names no identity: write its object id in the place that is left for it".to_owned()]
    } else {
        Vec::new()
    };
    Document { text, commands: Vec::new(), notes }
}

/// A federated credential of an application, which lets some jobs in: those on the branch `main` where no others are named
/// (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust>).
pub(crate) fn of_repository(settings: &Settings, repository: &Repository, syntax: Syntax) -> Document {
    let (issuer, subject) = (format!("https://{}", repository.forge.issuer()), repository.one_subject());
    let audience = "api://AzureADTokenExchange";
    let name = format!("provision-{}", settings.deployment.name);
    let others = match repository.forge {
        Forge::GitHub => {
            "github:ORG/REPO:pull_request` for pull requests, `--trust github:ORG/REPO:environment:NAME` for an environment"
        }
        Forge::GitLab => "gitlab:GROUP/PROJECT:ref_type:tag:ref:NAME` for a tag",
    };
    let whole = match repository.jobs {
        None => format!(
            "this lets in jobs on the branch main; a subject is matched whole, so that others need a credential each: `--trust {others}"
        ),
        Some(_) => "a subject is matched whole: other jobs need a credential each".to_owned(),
    };
    let notes = std::iter::once(whole).chain(repository.numbers()).chain(repository.asks_for(audience)).collect();
    if syntax == Syntax::Terraform {
        let credential = Body::default()
            .expression("application_id", "var.application_id")
            .text("display_name", &name)
            .text("issuer", &issuer)
            .text("subject", &subject)
            .texts("audiences", &[audience]);
        let id = hcl::name(&name);
        let kind = "azuread_application_federated_identity_credential";
        let variable = Body::default().expression("type", "string").named("variable \"application_id\"");
        let text = format!("{variable}\n{}", credential.named(&format!("resource \"{kind}\" \"{id}\"")));
        return Document { text, commands: Vec::new(), notes };
    }
    let credential = json!({"name": name, "issuer": issuer, "subject": subject, "audiences": [audience]});
    let command = "az ad app federated-credential create --id APPLICATION_ID --parameters @FILE".to_owned();
    Document { text: format!("{credential:#}\n"), commands: vec![command], notes }
}

#[cfg(test)]
mod tests {
    use provision_core::deployment::Deployment;
    use provision_core::plan_file::PlanFile;
    use serde_json::Value;

    use super::*;

    fn settings(azure: &str) -> Settings {
        let text = format!("[deployment]\nname = \"wandb\"\nhost = \"https://w.example\"\n[azure]\n{azure}");
        let file = PlanFile::parse("x", text, &|_| None).unwrap();
        let mut problems = file.problems();
        let deployment = Deployment::read(&file, &mut problems);
        let settings = Settings::read(deployment, &file, &mut problems);
        problems.finish().unwrap();
        settings.unwrap()
    }

    fn role(azure: &str, task: Task) -> (Value, Document) {
        let settings = settings(azure);
        let document = of_command(&settings, &Names::of(&settings), task, Syntax::Native);
        (serde_json::from_str(&document.text).unwrap(), document)
    }

    const SUBSCRIPTION: &str = "subscription = \"00000000-0000-0000-0000-000000000000\"\nlocation = \"westeurope\"\n";

    #[test]
    fn role_is_assigned_where_its_things_are() {
        let rest = "[azure.container]\nname = \"files\"\n";
        let path = "/subscriptions/00000000-0000-0000-0000-000000000000";
        let made = format!(
            "{SUBSCRIPTION}resource_group = {{ name = \"g\", create = true }}\naccount = {{ name = \"acme\" }}\n{rest}"
        );
        let (role_of_all, document) = role(&made, Task::Apply);
        assert_eq!(role_of_all["AssignableScopes"], json!([path]));
        assert!(role_of_all["Actions"].to_string().contains("Microsoft.EventGrid/register/action"));
        assert!(document.notes[0].contains("the whole subscription"), "{:?}", document.notes);
        let shared = format!(
            "{SUBSCRIPTION}resource_group = {{ name = \"g\" }}\naccount = {{ name = \"acme\", create = false }}\n{rest}"
        );
        let (role_of_shared, document) = role(&shared, Task::Destroy);
        assert_eq!(role_of_shared["AssignableScopes"], json!([format!("{path}/resourceGroups/g")]));
        assert!(document.commands[1].ends_with("/storageAccounts/acme'"), "{:?}", document.commands);
        let actions = role_of_shared["Actions"].to_string();
        assert!(!actions.contains("storageAccounts/delete") && !actions.contains("/resourceGroups/"), "{actions}");
        assert!(role_of_shared["DataActions"].to_string().contains("blobs/delete"));
    }

    #[test]
    fn trust_names_some_jobs_of_one_repository() {
        let settings = settings(&format!(
            "{SUBSCRIPTION}resource_group = {{ name = \"g\" }}\naccount = {{ name = \"acme\" }}\n[azure.container]\nname = \"files\"\n"
        ));
        let trust = of_repository(&settings, &"github:acme/infra".parse().unwrap(), Syntax::Native);
        let trust: Value = serde_json::from_str(&trust.text).unwrap();
        assert_eq!(trust["subject"], "repo:acme/infra:ref:refs/heads/main");
        assert_eq!(trust["audiences"], json!(["api://AzureADTokenExchange"]));
        let of_environment = "github:acme/infra:environment:prod".parse().unwrap();
        let trust = of_repository(&settings, &of_environment, Syntax::Native);
        let trust: Value = serde_json::from_str(&trust.text).unwrap();
        assert_eq!(trust["subject"], "repo:acme/infra:environment:prod");
    }
}
