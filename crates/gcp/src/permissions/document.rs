//! The roles of a command, and who has them, as Google Cloud and as Terraform take them.

use std::collections::BTreeSet;

use provision_core::permissions::{Document, Forge, Repository, Syntax, Task};
use provision_core::terraform::{hcl, hcl_list, hcl_name};

use super::{On, needed};
use crate::config::{SERVER_ACCOUNT_ROLES, SERVER_BUCKET_ROLES, SERVER_SUBSCRIPTION_ROLES, Settings};
use crate::names::{Names, project_of};

/// Who is to have the roles, in commands: `user:`, `serviceAccount:` or `principalSet:`.
const MEMBER: &str = "MEMBER";

/// Custom roles of a command: one on the project, and one on the server's account, whose policy nobody needs who only works on
/// other accounts.
struct Roles {
    /// Its id: letters, digits and `_` <https://cloud.google.com/iam/docs/creating-custom-roles>.
    id: String,
    title: String,
    description: String,
    project: Vec<&'static str>,
    account: Vec<&'static str>,
}

impl Roles {
    fn of(settings: &Settings, task: Task) -> Self {
        let all = |on_account: bool| {
            let placed = needed(settings, task).filter(move |(on, _)| (*on == On::Account) == on_account);
            placed.map(|(_, permission)| permission).collect::<BTreeSet<_>>().into_iter().collect()
        };
        let deployment = &settings.deployment.name;
        Self {
            id: hcl_name(&format!("provision_{deployment}_{}", task.name())),
            title: format!("provision {deployment} {}", task.name()),
            description: format!("What `provision gcp {}` needs for deployment {deployment}", task.name()),
            project: all(false),
            account: all(true),
        }
    }

    /// At most 64 letters <https://cloud.google.com/iam/docs/creating-custom-roles#create-a-custom-role>: of a long name the end goes.
    fn account_id(&self) -> String {
        format!("{}_account", self.id).chars().take(64).collect()
    }
}

/// What narrows the role on the project, of Cloud Storage's own, to one bucket and what is in it
/// (<https://cloud.google.com/iam/docs/conditions-resource-attributes>).
fn condition(bucket: &str) -> String {
    format!(
        "resource.type != \"storage.googleapis.com/Bucket\" && resource.type != \"storage.googleapis.com/Object\" || resource.name \
         == \"projects/_/buckets/{bucket}\" || resource.name.startsWith(\"projects/_/buckets/{bucket}/\")"
    )
}

/// A role as a file, with the lines that make and bind it, and what is on the account, in its comments.
pub(crate) fn of_command(settings: &Settings, names: &Names, task: Task, syntax: Syntax) -> Document {
    let roles = Roles::of(settings, task);
    let text = match syntax {
        Syntax::Native => roles.yaml(settings, names),
        Syntax::Terraform => roles.terraform(settings, names),
    };
    let grants =
        "who may write the policy of a bucket or a topic can give rights on it to anybody: that is what [gcp.access] \
                  and the bucket's notification need"
            .to_owned();
    // <https://cloud.google.com/storage/docs/using-ip-filtering#required-roles>
    let filter = "where a bucket may have an IP filter, add `storage.buckets.getIpFilter`, and to apply \
                  `storage.buckets.setIpFilter`: without the first, it is not seen"
        .to_owned();
    let looks = (task != Task::Server).then_some(filter);
    let notes = (task == Task::Apply).then_some(grants).into_iter().chain(looks).collect();
    Document { text, commands: Vec::new(), notes }
}

impl Roles {
    /// <https://cloud.google.com/iam/docs/creating-custom-roles#create-a-custom-role>
    fn yaml(&self, settings: &Settings, names: &Names) -> String {
        let Self { id, title, description, project: permissions, .. } = self;
        let project = &names.project;
        let mut lines = vec![
            format!("gcloud iam roles create {id} --project={project} --file=FILE"),
            format!(
                "gcloud projects add-iam-policy-binding {project} --member={MEMBER} --role=projects/{project}/roles/{id} \
                 --condition='title=provision,expression={}'",
                condition(&names.bucket)
            ),
        ];
        if let Some((account, home)) = self.home(settings) {
            let (id, permissions) = (self.account_id(), self.account.join(","));
            lines.push(format!("gcloud iam roles create {id} --project={home} --permissions={permissions}"));
            lines.push(format!(
                "gcloud iam service-accounts add-iam-policy-binding {account} --member={MEMBER} \
                 --role=projects/{home}/roles/{id}"
            ));
        }
        let lines: String = lines.iter().map(|line| format!("# {line}\n")).collect();
        let permissions: String = permissions.iter().map(|permission| format!("- {permission}\n")).collect();
        format!(
            "# With this saved as FILE, and {MEMBER} as who is to have it:\n{lines}title: {title}\ndescription: {description}\nstage: \
             GA\nincludedPermissions:\n{permissions}"
        )
    }

    /// The server's account and its project, whose custom roles alone can be granted on it; if there is anything to grant.
    fn home<'a>(&self, settings: &'a Settings) -> Option<(&'a str, String)> {
        let account = settings.service_account().filter(|_| !self.account.is_empty())?;
        Some((account, project_of(account).unwrap_or_else(|| settings.gcp.project.clone())))
    }

    fn terraform(&self, settings: &Settings, names: &Names) -> String {
        let project = self.role(&self.id, &names.project, &self.project);
        let id = &self.id;
        let binding = format!(
            "resource \"google_project_iam_member\" \"{id}\" {{\n  project = {}\n  role    = \
             google_project_iam_custom_role.{id}.id\n  member  = var.member\n\n  condition {{\n    title      = \
             \"provision\"\n    expression = {}\n  }}\n}}\n",
            hcl(&names.project),
            hcl(&condition(&names.bucket))
        );
        let account = self.home(settings).map(|(account, home)| {
            let id = self.account_id();
            let binding = format!(
                "resource \"google_service_account_iam_member\" \"{id}\" {{\n  service_account_id = {}\n  role               = \
                 google_project_iam_custom_role.{id}.id\n  member             = var.member\n}}\n",
                hcl(&format!("projects/{home}/serviceAccounts/{account}"))
            );
            [self.role(&id, &home, &self.account), binding]
        });
        let variable = "variable \"member\" {\n  type = string\n}\n".to_owned();
        [vec![variable, project, binding], account.map(Vec::from).unwrap_or_default()].concat().join("\n")
    }

    fn role(&self, id: &str, project: &str, permissions: &[&str]) -> String {
        format!(
            "resource \"google_project_iam_custom_role\" \"{id}\" {{\n  project     = {}\n  role_id     = {}\n  title       = {}\n  \
             permissions = {}\n}}\n",
            hcl(project),
            hcl(id),
            hcl(&self.title),
            hcl_list(permissions, 2)
        )
    }
}

/// What `[gcp.access]` gives the server: built-in roles, each as a command.
pub(crate) fn of_server(settings: &Settings, names: &Names, commands: &str, syntax: Syntax) -> Document {
    let account = settings.service_account();
    let notes = match account {
        Some(_) => Vec::new(),
        None => {
            vec!["[gcp.access] names no service account: write its address in the place that is left for it".to_owned()]
        }
    };
    let text = match syntax {
        Syntax::Native => format!("{commands}\n"),
        Syntax::Terraform => {
            let member = |kind: &str, name: &str, target: &str, role: &str| {
                let account = account.unwrap_or(MEMBER);
                format!(
                    "resource \"{kind}\" \"{}\" {{\n  {target}\n  role = {}\n  member = {}\n}}\n",
                    hcl_name(&format!("{name}_{role}")),
                    hcl(role),
                    hcl(&format!("serviceAccount:{account}"))
                )
            };
            let bucket = format!("bucket = {}", hcl(&names.bucket));
            let of_bucket = SERVER_BUCKET_ROLES
                .iter()
                .map(|role| member("google_storage_bucket_iam_member", "bucket", &bucket, role));
            let subscription = names.subscription.iter().flat_map(|subscription| {
                let target = format!("subscription = {}", hcl(&names.subscription_name(subscription)));
                SERVER_SUBSCRIPTION_ROLES
                    .iter()
                    .map(move |role| member("google_pubsub_subscription_iam_member", "subscription", &target, role))
            });
            let id = format!(
                "service_account_id = {}",
                hcl(&format!("projects/-/serviceAccounts/{}", account.unwrap_or(MEMBER)))
            );
            let itself = SERVER_ACCOUNT_ROLES
                .iter()
                .map(|role| member("google_service_account_iam_member", "itself", &id, role));
            of_bucket.chain(subscription).chain(itself).collect::<Vec<_>>().join("\n")
        }
    };
    Document { text, commands: Vec::new(), notes }
}

/// A workload identity pool that the tokens of one repository's jobs are taken in
/// (<https://cloud.google.com/iam/docs/workload-identity-federation-with-deployment-pipelines>).
pub(crate) fn of_repository(settings: &Settings, names: &Names, repository: &Repository, syntax: Syntax) -> Document {
    let (project, claim) = (&names.project, repository.forge.claim());
    let provider = match repository.forge {
        Forge::GitHub => "github",
        Forge::GitLab => "gitlab",
    };
    let pool = pool_id(&settings.deployment.name);
    let issuer = format!("https://{}", repository.forge.issuer());
    let condition = format!("assertion.{claim} == '{}'", repository.name());
    let set = |number: &str| {
        format!(
            "principalSet://iam.googleapis.com/projects/{number}/locations/global/workloadIdentityPools/{pool}/attribute.{claim}/{}",
            repository.name()
        )
    };
    let note =
        "jobs of this repository alone are let in, on any branch; the last line gives them the role of apply, which \
                `permissions --for apply` makes, and the same member stands for MEMBER in its other lines"
            .to_owned();
    let role =
        format!("projects/{project}/roles/{}", hcl_name(&format!("provision_{}_apply", settings.deployment.name)));
    let text = match syntax {
        Syntax::Native => format!(
            "gcloud iam workload-identity-pools create {pool} --project={project} --location=global\n\
             gcloud iam workload-identity-pools providers create-oidc {provider} --project={project} --location=global \
             --workload-identity-pool={pool} --issuer-uri={issuer} \
             --attribute-mapping='google.subject=assertion.sub,attribute.{claim}=assertion.{claim}' \
             --attribute-condition=\"{condition}\"\n\
             NUMBER=$(gcloud projects describe {project} --format='value(projectNumber)')\n\
             gcloud projects add-iam-policy-binding {project} --member=\"{}\" --role={role} --condition='title=provision,expression={}'\n",
            set("$NUMBER"),
            self::condition(&names.bucket)
        ),
        Syntax::Terraform => {
            let id = hcl_name(&pool);
            // Named by the pool, without which IAM takes no such member; a repository's name needs no escape.
            let member = format!(
                "\"principalSet://iam.googleapis.com/${{google_iam_workload_identity_pool.{id}.name}}/attribute.{claim}/{}\"",
                repository.name()
            );
            [
                format!(
                    "resource \"google_iam_workload_identity_pool\" \"{id}\" {{\n  project                   = {}\n  \
                     workload_identity_pool_id = {}\n}}\n",
                    hcl(project),
                    hcl(&pool)
                ),
                format!(
                    "resource \"google_iam_workload_identity_pool_provider\" \"{provider}\" {{\n  project = {}\n  \
                     workload_identity_pool_id = google_iam_workload_identity_pool.{id}.workload_identity_pool_id\n  \
                     workload_identity_pool_provider_id = {}\n  attribute_condition = {}\n  attribute_mapping = {{\n    \
                     \"google.subject\" = \"assertion.sub\"\n    \"attribute.{claim}\" = \"assertion.{claim}\"\n  }}\n\n  oidc {{\n    \
                     issuer_uri = {}\n  }}\n}}\n",
                    hcl(project),
                    hcl(provider),
                    hcl(&condition),
                    hcl(&issuer)
                ),
                format!(
                    "resource \"google_project_iam_member\" \"{id}\" {{\n  project = {}\n  role    = {}\n  member  = {member}\n\n  condition {{\n    title      = \"provision\"\n    \
                     expression = {}\n  }}\n}}\n",
                    hcl(project),
                    hcl(&role),
                    hcl(&self::condition(&names.bucket))
                ),
            ]
            .join("\n")
        }
    };
    Document { text, commands: Vec::new(), notes: vec![note] }
}

/// 4-32 lower-case letters, digits and `-` <https://cloud.google.com/iam/docs/manage-workload-identity-pools-providers>.
fn pool_id(deployment: &str) -> String {
    let name: String = format!("provision-{deployment}").chars().take(32).collect();
    name.to_ascii_lowercase().trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::tests::settings;

    fn yaml(settings: &Settings, task: Task) -> String {
        of_command(settings, &Names::of(settings, None), task, Syntax::Native).text
    }

    #[test]
    fn role_is_a_file_with_the_lines_that_bind_it() {
        let mut settings = settings();
        let text = yaml(&settings, Task::Drift);
        assert!(text.contains("includedPermissions:\n- pubsub."), "{text}");
        assert!(!text.contains("setIamPolicy") && !text.contains("service-accounts"), "{text}");
        assert!(text.contains("buckets/acme-wandb\""), "{text}");
        settings.gcp.access =
            Some(crate::config::AccessSection { service_account: "w@home.iam.gserviceaccount.com".to_owned() });
        let text = yaml(&settings, Task::Apply);
        let line = "# gcloud iam roles create provision_wandb_prod_apply_account --project=home --permissions=";
        assert!(text.contains(line) || text.contains("_apply_account --project=home --permissions=iam."), "{text}");
        assert!(!text.contains("- iam.serviceAccounts"), "{text}");
        settings.gcp.topic.enabled = false;
        assert!(!yaml(&settings, Task::Apply).contains("pubsub.topics.create"));
    }

    #[test]
    fn trust_names_one_repository() {
        let settings = settings();
        let trust = of_repository(
            &settings,
            &Names::of(&settings, None),
            &"github:acme/infra".parse().unwrap(),
            Syntax::Native,
        );
        assert!(
            trust.text.contains("--attribute-condition=\"assertion.repository == 'acme/infra'\""),
            "{}",
            trust.text
        );
        assert!(trust.text.contains("attribute.repository/acme/infra"), "{}", trust.text);
    }
}
