//! Calls of Resource Manager <https://cloud.google.com/resource-manager/reference/rest>.

use provision_core::Error;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::expected::{Listed, parsed};
use crate::client::iam::{test_permissions, tested};
use crate::client::json::{encoded, page_parameter};
use crate::client::{Pages, Reader};
use crate::error::Call;

/// Resource Manager's own limit is not documented; its examples and clients use hundreds.
const PROJECTS_PAGE: u32 = 500;

/// A project <https://cloud.google.com/resource-manager/reference/rest/v3/projects#Project>.
#[derive(Debug, Deserialize)]
struct Project {
    /// `projects/NUMBER`.
    name: String,
}

/// What a policy of the organization allows <https://cloud.google.com/resource-manager/reference/rest/v1/Policy#listpolicy>.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ListPolicy {
    #[serde(rename = "allowedValues")]
    pub(crate) allowed: Vec<String>,
    #[serde(rename = "deniedValues")]
    pub(crate) denied: Vec<String>,
    /// `ALLOW` or `DENY`, where it lists none.
    #[serde(rename = "allValues")]
    pub(crate) all: String,
}

impl ListPolicy {
    /// Whether it names what it allows.
    pub(crate) fn is_list(&self) -> bool {
        !self.allowed.is_empty()
    }
}

/// <https://cloud.google.com/resource-manager/reference/rest/v1/Policy>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    #[serde(rename = "constraint")]
    _constraint: String,
    #[serde(default)]
    list_policy: ListPolicy,
}

/// One of a list <https://cloud.google.com/resource-manager/reference/rest/v3/projects/search#response-body>.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProjectOfPage {
    project_id: String,
}

impl Listed for ProjectOfPage {
    const ITEMS: &'static str = "projects";
    const KIND: Option<&'static str> = None;

    fn id(&self) -> &str {
        &self.project_id
    }
}

/// The number of a project.
fn number(answer: Value) -> Result<String, String> {
    let project: Project = parsed(answer)?;
    let number = project.name.strip_prefix("projects/");
    number.map(str::to_owned).ok_or_else(|| "it names no project".to_owned())
}

impl Reader {
    /// The number of a project <https://cloud.google.com/resource-manager/reference/rest/v3/projects/get>.
    pub(crate) async fn get_project(&self, project: &str) -> Result<String, Error> {
        let path = format!("/v3/projects/{}", encoded(project));
        let tried = format!("look up project `{project}`");
        let call = Call::new("GET", "resourcemanager.projects.get", path, tried);
        self.clients.send(&self.clients.projects, &call, number).await
    }

    /// Which of these permissions the caller has on a project, `projects/ID`
    /// <https://cloud.google.com/resource-manager/reference/rest/v3/projects/testIamPermissions>.
    pub(crate) async fn check_project_permissions(&self, name: &str, asked: &[&str]) -> Result<Vec<String>, Error> {
        let path = format!("/v3/projects/{}", encoded(name.trim_start_matches("projects/")));
        let call = test_permissions("resourcemanager.projects.testIamPermissions", &path, asked);
        self.clients.send(&self.clients.projects, &call, tested).await
    }

    /// The policy of the organization that is in force in a project, of a constraint that is a list
    /// <https://cloud.google.com/resource-manager/reference/rest/v1/projects/getEffectiveOrgPolicy>.
    pub(crate) async fn get_effective_org_policy(&self, project: &str, constraint: &str) -> Result<ListPolicy, Error> {
        let path = format!("/v1/projects/{}:getEffectiveOrgPolicy", encoded(project));
        let tried = format!("look at the organization's policy `{constraint}`");
        let call = Call::new("POST", "resourcemanager.projects.getEffectiveOrgPolicy", path, tried);
        let call = call.with_body(json!({"constraint": format!("constraints/{constraint}")}));
        let read = |answer: Value| parsed(answer).map(|policy: Policy| policy.list_policy);
        self.clients.send(&self.clients.projects, &call, read).await
    }

    /// The ids of every project that the credentials may see
    /// <https://cloud.google.com/resource-manager/reference/rest/v3/projects/search>.
    pub(crate) async fn search_projects(&self) -> Result<Vec<String>, Error> {
        let call = |pages: &Pages| {
            let page = page_parameter(&pages.token);
            let path = format!("/v3/projects:search?query=state:ACTIVE&pageSize={PROJECTS_PAGE}{page}");
            let tried = "find the projects that these credentials can see".to_owned();
            Call::new("GET", "resourcemanager.projects.search", path, tried)
        };
        let found: Vec<ProjectOfPage> = self.clients.list(&self.clients.projects, call).await?;
        Ok(found.into_iter().map(|project| project.project_id).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::expected::page;
    use serde_json::json;

    #[test]
    fn a_page_of_projects_without_any_says_nothing_else() {
        let read = |answer: Value| page::<ProjectOfPage>(answer).map(|page| page.items.len()).ok();
        assert_eq!((read(json!({})), read(json!({"nextPageToken": "a"}))), (Some(0), Some(0)));
        assert_eq!(read(json!({"projects": [{"projectId": "p"}], "more": 1})), Some(1));
        assert!(read(json!({"error": "sign in"})).is_none() && read(json!({"projects": [{}]})).is_none());
    }
}
