//! Microsoft.Resources: the subscription, its resource providers, resource groups.

use provision_core::Error;
use provision_core::provider::Created;
use serde_json::Value;

use super::models::{GroupResource, Provider, ResourceGroup};
use super::{Method, Reader, Writer};
use crate::names::last;

/// <https://learn.microsoft.com/rest/api/resources/>
const VERSION: &str = "2021-04-01";

/// <https://learn.microsoft.com/rest/api/resources/subscriptions>
const SUBSCRIPTIONS: &str = "2021-01-01";

impl Reader {
    /// <https://learn.microsoft.com/rest/api/resources/subscriptions/get>
    pub(crate) async fn get_subscription(&self, id: &str) -> Result<Value, Error> {
        let url = self.url(id, SUBSCRIPTIONS)?;
        self.document(Method::Get, &url, None, "look at the subscription", "id").await
    }

    /// The registration of a resource provider <https://learn.microsoft.com/rest/api/resources/providers/get>.
    pub(crate) async fn get_provider(&self, subscription: &str, namespace: &str) -> Result<String, Error> {
        let url = self.url(&format!("{subscription}/providers/{namespace}"), VERSION)?;
        let text = format!("look whether {namespace} is registered");
        let found: Provider = self.document(Method::Get, &url, None, &text, "registrationState").await?;
        Ok(found.registration_state)
    }

    /// <https://learn.microsoft.com/rest/api/resources/resource-groups/get>
    pub(crate) async fn get_group(&self, id: &str) -> Result<Option<ResourceGroup>, Error> {
        self.get(id, VERSION, &format!("look at resource group `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/resources/resources/list-by-resource-group>
    pub(crate) async fn list_group_resources(&self, id: &str) -> Result<Option<Vec<GroupResource>>, Error> {
        let text = format!("list what is in resource group `{}`", last(id));
        self.list(&format!("{id}/resources"), VERSION, &text).await
    }
}

impl Writer {
    /// <https://learn.microsoft.com/rest/api/resources/providers/register>
    pub(crate) async fn register_provider(&self, subscription: &str, namespace: &str) -> Result<(), Error> {
        let url = self.reader.url(&format!("{subscription}/providers/{namespace}/register"), VERSION)?;
        self.reader.send(Method::Post, &url, None, &format!("register {namespace}")).await.map(drop)
    }

    /// <https://learn.microsoft.com/rest/api/resources/resource-groups/create-or-update>
    pub(crate) async fn put_group(&self, id: &str, body: &Value) -> Result<Created, Error> {
        self.create(id, VERSION, body, &format!("create resource group `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/resources/resource-groups/update>
    pub(crate) async fn patch_group(&self, id: &str, body: &Value) -> Result<(), Error> {
        self.patch(id, VERSION, body, &format!("update resource group `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/resources/resource-groups/delete>
    pub(crate) async fn delete_group(&self, id: &str) -> Result<(), Error> {
        self.delete(id, VERSION, &format!("delete resource group `{}`", last(id))).await
    }
}
