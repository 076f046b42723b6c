//! The role of a command, and who may have it, as Azure and as Terraform take them.

use std::collections::BTreeSet;

use provision_core::permissions::{Document, Forge, Repository, Syntax, Task};
use provision_core::terraform::{hcl, hcl_list, hcl_name};
use serde_json::json;

use super::{On, needed};
use crate::config::Settings;
use crate::names::{EVENT_GRID, Names};

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
        let id = hcl_name(&name);
        let list = |name: &str, actions: &[&str]| match actions {
            [] => String::new(),
            actions => format!("    {name} = {}\n", hcl_list(actions, 4)),
        };
        let text = format!(
            "resource \"azurerm_role_definition\" \"{id}\" {{\n  name        = {}\n  scope       = {}\n  description = {}\n\n  \
             permissions {{\n{}{}  }}\n\n  assignable_scopes = [{}]\n}}\n",
            hcl(&name),
            hcl(&assignable),
            hcl(&description),
            list("actions     ", &actions),
            list("data_actions", &data_actions),
            hcl(&assignable)
        );
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
    // <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations#permission-for-tracking-async-status>
    let tracking = "how a long operation ended is read at the level of the group: if that is refused, add \
                    `Microsoft.Storage/locations/asyncoperations/read`, `Microsoft.EventGrid/locations/operationsStatus/read` and \
                    `Microsoft.Resources/subscriptions/operationresults/read`, and assign the role there"
        .to_owned();
    let tracking = [Task::Apply, Task::Destroy].contains(&task).then_some(tracking);
    let writes_roles = task == Task::Apply && settings.azure.access.is_some();
    let created = settings.azure.resource_group.create;
    let scope = if created {
        Some(subscription)
    } else {
        (task == Task::Apply && settings.azure.queue.enabled).then_some(registered)
    };
    let data = (task == Task::Plan).then_some(data);
    scope.into_iter().chain(data).chain(tracking).chain(writes_roles.then_some(grants)).collect()
}

/// A built-in role that the server has, and where.
pub(crate) struct Assigned {
    pub(crate) role: &'static str,
    pub(crate) scope: String,
}

/// What `[azure.access]` gives the server: built-in roles, each as a command.
pub(crate) fn of_server(settings: &Settings, roles: &[Assigned], commands: &[String], syntax: Syntax) -> Document {
    let text = match syntax {
        Syntax::Native => commands.iter().map(|command| format!("{command}\n")).collect(),
        Syntax::Terraform => {
            let principal = settings.azure.access.as_ref().map_or(ASSIGNEE, |access| access.principal_id.as_str());
            let assignment = |assigned: &Assigned| {
                format!(
                    "resource \"azurerm_role_assignment\" \"{}\" {{\n  scope                = {}\n  role_definition_name = {}\n  \
                     principal_id         = {}\n}}\n",
                    hcl_name(&assigned.role.to_ascii_lowercase()),
                    hcl(&assigned.scope),
                    hcl(assigned.role),
                    hcl(principal)
                )
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

/// A federated credential of an application, which lets jobs on the branch `main` in
/// (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust>).
pub(crate) fn of_repository(settings: &Settings, repository: &Repository, syntax: Syntax) -> Document {
    let (issuer, subject) = (format!("https://{}", repository.forge.issuer()), repository.main());
    let audience = "api://AzureADTokenExchange";
    let name = format!("provision-{}", settings.deployment.name);
    let others = match repository.forge {
        Forge::GitHub => {
            "`repo:ORG/REPO:pull_request` for pull requests, `repo:ORG/REPO:environment:NAME` for an environment"
        }
        Forge::GitLab => "`project_path:GROUP/PROJECT:ref_type:tag:ref:NAME` for a tag",
    };
    let whole = format!(
        "this lets in jobs on the branch main; a subject is matched whole, so that others need a credential each: {others}"
    );
    let notes = std::iter::once(whole).chain(repository.numbers()).collect();
    if syntax == Syntax::Terraform {
        let text = format!(
            "variable \"application_id\" {{\n  type = string\n}}\n\nresource \
             \"azuread_application_federated_identity_credential\" \"{}\" {{\n  application_id = var.application_id\n  display_name   = {}\n  issuer         = {}\n  subject        = {}\n  audiences      \
             = [{}]\n}}\n",
            hcl_name(&name),
            hcl(&name),
            hcl(&issuer),
            hcl(&subject),
            hcl(audience)
        );
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
    fn trust_names_one_branch_of_one_repository() {
        let settings = settings(&format!(
            "{SUBSCRIPTION}resource_group = {{ name = \"g\" }}\naccount = {{ name = \"acme\" }}\n[azure.container]\nname = \"files\"\n"
        ));
        let trust = of_repository(&settings, &"github:acme/infra".parse().unwrap(), Syntax::Native);
        let trust: Value = serde_json::from_str(&trust.text).unwrap();
        assert_eq!(trust["subject"], "repo:acme/infra:ref:refs/heads/main");
        assert_eq!(trust["audiences"], json!(["api://AzureADTokenExchange"]));
    }
}
