//! The roles of a command, and who has them, as Google Cloud and as Terraform take them.

use std::collections::BTreeSet;

use provision_core::hcl::{self, Body};
use provision_core::permissions::{Document, Repository, Syntax, Task, taken_out};

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
            id: hcl::name(&format!("provision_{deployment}_{}", task.name())),
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
    let grants = (task == Task::Apply).then_some(grants);
    let looks_at_access = task != Task::Server && settings.gcp.access.is_none();
    let taken_out = looks_at_access.then(|| taken_out("[gcp.access]"));
    Document { text, commands: Vec::new(), notes: grants.into_iter().chain(taken_out).collect() }
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
        let id = &self.id;
        let binding = Body::default()
            .text("project", &names.project)
            .expression("role", custom_role(id))
            .expression("member", "var.member")
            .block("condition", condition_block(names));
        let mut blocks = vec![
            Body::default().expression("type", "string").named("variable \"member\""),
            self.role(id, &names.project, &self.project),
            binding.named(&format!("resource \"google_project_iam_member\" \"{id}\"")),
        ];
        if let Some((account, home)) = self.home(settings) {
            let id = self.account_id();
            let binding = Body::default()
                .text("service_account_id", format!("projects/{home}/serviceAccounts/{account}"))
                .expression("role", custom_role(&id))
                .expression("member", "var.member");
            blocks.push(self.role(&id, &home, &self.account));
            blocks.push(binding.named(&format!("resource \"google_service_account_iam_member\" \"{id}\"")));
        }
        blocks.join("\n")
    }

    fn role(&self, id: &str, project: &str, permissions: &[&str]) -> String {
        let role = Body::default().text("project", project).text("role_id", id).text("title", &self.title);
        let role = role.list("permissions", permissions);
        role.named(&format!("resource \"google_project_iam_custom_role\" \"{id}\""))
    }
}

fn custom_role(id: &str) -> String {
    format!("google_project_iam_custom_role.{id}.id")
}

fn condition_block(names: &Names) -> Body {
    Body::default().text("title", "provision").text("expression", condition(&names.bucket))
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
        Syntax::Terraform => server_in_terraform(names, account.unwrap_or(MEMBER)),
    };
    Document { text, commands: Vec::new(), notes }
}

fn server_in_terraform(names: &Names, account: &str) -> String {
    let member = |kind: &str, name: &str, target: (&str, &str), role: &str| {
        let body = Body::default().text(target.0, target.1).text("role", role);
        let body = body.text("member", format!("serviceAccount:{account}"));
        body.named(&format!("resource \"{kind}\" \"{}\"", hcl::name(&format!("{name}_{role}"))))
    };
    let bucket = ("bucket", names.bucket.as_str());
    let of_bucket =
        SERVER_BUCKET_ROLES.iter().map(|role| member("google_storage_bucket_iam_member", "bucket", bucket, role));
    let subscription = names.subscription.iter().map(|subscription| names.subscription_name(subscription));
    let of_subscription = subscription.flat_map(|subscription| {
        let of = |role: &&str| {
            let target = ("subscription", subscription.as_str());
            member("google_pubsub_subscription_iam_member", "subscription", target, role)
        };
        SERVER_SUBSCRIPTION_ROLES.iter().map(of).collect::<Vec<_>>()
    });
    let id = format!("projects/-/serviceAccounts/{account}");
    let itself = SERVER_ACCOUNT_ROLES
        .iter()
        .map(|role| member("google_service_account_iam_member", "itself", ("service_account_id", &id), role));
    of_bucket.chain(of_subscription).chain(itself).collect::<Vec<_>>().join("\n")
}

/// A workload identity pool that the tokens of one repository's jobs are taken in.
struct Pool<'a> {
    names: &'a Names,
    repository: &'a Repository,
    id: String,
    /// The role that the jobs have.
    role: String,
}

/// A workload identity pool that the tokens of one repository's jobs are taken in
/// (<https://cloud.google.com/iam/docs/workload-identity-federation-with-deployment-pipelines>).
pub(crate) fn of_repository(settings: &Settings, names: &Names, repository: &Repository, syntax: Syntax) -> Document {
    let deployment = &settings.deployment.name;
    let role = hcl::name(&format!("provision_{deployment}_apply"));
    let role = format!("projects/{}/roles/{role}", names.project);
    let pool = Pool { names, repository, id: pool_id(deployment), role };
    let of_apply = "the last line gives the jobs the role of apply, which `permissions --for apply` makes, and the same member stands for \
                    MEMBER in its other lines"
        .to_owned();
    // Only a whole subject has the numbers of owner and repository in it.
    let numbers = repository.narrowed().and_then(|_| repository.numbers());
    let asked = repository.asks_for(&pool.audience());
    let notes = [Some(of_apply), repository.narrower(), numbers, asked].into_iter().flatten().collect();
    let text = match syntax {
        Syntax::Native => pool.native(),
        Syntax::Terraform => pool.terraform(),
    };
    Document { text, commands: Vec::new(), notes }
}

impl Pool<'_> {
    const fn provider(&self) -> &'static str {
        self.repository.forge.name()
    }

    fn issuer(&self) -> String {
        format!("https://{}", self.repository.forge.issuer())
    }

    /// What a token must be for where the provider names nothing else: the provider itself
    /// (<https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools.providers#oidc>).
    fn audience(&self) -> String {
        let (pool, provider) = (&self.id, self.provider());
        format!(
            "https://iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/{pool}/providers/{provider}"
        )
    }

    /// Whose tokens are taken.
    fn condition(&self) -> String {
        let of_repository = format!("assertion.{} == '{}'", self.repository.forge.claim(), self.repository.name());
        let subject = self.repository.narrowed().map(|subject| format!(" && assertion.sub == '{subject}'"));
        of_repository + &subject.unwrap_or_default()
    }

    /// Who they are, in a pool.
    fn member(&self, pool: &str) -> String {
        let (claim, name) = (self.repository.forge.claim(), self.repository.name());
        format!("principalSet://iam.googleapis.com/{pool}/attribute.{claim}/{name}")
    }

    fn native(&self) -> String {
        let (project, pool, provider, issuer) = (&self.names.project, &self.id, self.provider(), self.issuer());
        let (claim, condition) = (self.repository.forge.claim(), self.condition());
        let member = self.member(&format!("projects/$NUMBER/locations/global/workloadIdentityPools/{pool}"));
        format!(
            "gcloud iam workload-identity-pools create {pool} --project={project} --location=global\n\
             gcloud iam workload-identity-pools providers create-oidc {provider} --project={project} --location=global \
             --workload-identity-pool={pool} --issuer-uri={issuer} \
             --attribute-mapping='google.subject=assertion.sub,attribute.{claim}=assertion.{claim}' \
             --attribute-condition=\"{condition}\"\n\
             NUMBER=$(gcloud projects describe {project} --format='value(projectNumber)')\n\
             gcloud projects add-iam-policy-binding {project} --member=\"{member}\" --role={} --condition='title=provision,expression={}'\n",
            self.role,
            self::condition(&self.names.bucket)
        )
    }

    fn terraform(&self) -> String {
        let (project, id, provider) = (&self.names.project, hcl::name(&self.id), self.provider());
        let claim = self.repository.forge.claim();
        let pool = Body::default().text("project", project).text("workload_identity_pool_id", &self.id);
        let named = format!("google_iam_workload_identity_pool.{id}");
        let mapping =
            [("google.subject", "assertion.sub"), (&format!("attribute.{claim}"), &format!("assertion.{claim}"))];
        let of_provider = Body::default()
            .text("project", project)
            .expression("workload_identity_pool_id", format!("{named}.workload_identity_pool_id"))
            .text("workload_identity_pool_provider_id", provider)
            .text("attribute_condition", self.condition())
            .map("attribute_mapping", &mapping)
            .block("oidc", Body::default().text("issuer_uri", self.issuer()));
        let binding = Body::default()
            .text("project", project)
            .text("role", &self.role)
            // Named by the pool, without which IAM takes no such member; a repository's name needs no escape.
            .expression("member", format!("\"{}\"", self.member(&format!("${{{named}.name}}"))))
            .block("condition", condition_block(self.names));
        [
            pool.named(&format!("resource \"google_iam_workload_identity_pool\" \"{id}\"")),
            of_provider.named(&format!("resource \"google_iam_workload_identity_pool_provider\" \"{provider}\"")),
            binding.named(&format!("resource \"google_project_iam_member\" \"{id}\"")),
        ]
        .join("\n")
    }
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
        settings.gcp.access = Some(crate::config::AccessSection {
            service_account: Some("w@home.iam.gserviceaccount.com".to_owned()),
            members: Vec::new(),
        });
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

    #[test]
    fn trust_of_some_jobs_is_in_their_whole_subject() {
        let settings = settings();
        let trust = |repository: &str, syntax: Syntax| {
            of_repository(&settings, &Names::of(&settings, None), &repository.parse().unwrap(), syntax)
        };
        let condition =
            "assertion.repository == 'acme/infra' && assertion.sub == 'repo:acme@1/infra@2:ref:refs/heads/main'";
        for syntax in [Syntax::Native, Syntax::Terraform] {
            let trust = trust("github:acme@1/infra@2:ref:refs/heads/main", syntax);
            assert!(trust.text.contains(condition) && trust.notes.len() == 1, "{} {:?}", trust.text, trust.notes);
        }
        let notes = trust("gitlab:acme/infra", Syntax::Native).notes.join("\n");
        assert!(
            notes.contains("workloadIdentityPools/provision-wandb-prod/providers/gitlab` under `id_tokens`"),
            "{notes}"
        );
    }
}
