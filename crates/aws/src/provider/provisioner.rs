//! What is written: each method a few lines that lead to a resource.

use async_trait::async_trait;
use provision_core::context::OperationContext;
use provision_core::mark::{TagChanges, Tags};
use provision_core::operation::Operation;
use provision_core::provider::{Created, Provisioner, Write};
use provision_core::{Error, RetryClass};
use serde_json::{Map, Value};

use super::Provider;
use crate::client::Writer;
use crate::contents;
use crate::error::is_not_seen;
use crate::names::Part;
use crate::resources::{access, bucket, notification, queue};

#[async_trait]
impl Provisioner for Provider<Writer> {
    async fn tags(&self, operation: &Operation) -> Result<Option<Tags>, Error> {
        let (reader, names, name) = (self.client.reader(), self.names_in_account().await?, &operation.name);
        match Part::of(&operation.address)? {
            Part::Bucket => bucket::tags(reader, name, &names.account).await,
            Part::Queue | Part::RunQueue => queue::tags(reader, name).await,
            part @ (Part::Notification | Part::Access) => Err(part.as_a_whole()),
        }
    }

    async fn update_tags(&self, operation: &Operation, found: &Tags, changes: &TagChanges) -> Result<(), Error> {
        let (client, names, name) = (&self.client, self.names_in_account().await?, &operation.name);
        match Part::of(&operation.address)? {
            Part::Bucket => bucket::update_tags(client, &names.with_bucket(name), found, changes).await,
            Part::Queue | Part::RunQueue => queue::update_tags(client, name, changes).await,
            part @ (Part::Notification | Part::Access) => Err(part.as_a_whole()),
        }
    }

    async fn create(
        &self,
        operation: &Operation,
        tags: &Tags,
        facets: &Map<String, Value>,
        _watch: &OperationContext<'_>,
    ) -> Result<Created, Error> {
        let (client, names) = (&self.client, self.names_in_account().await?);
        match Part::of(&operation.address)? {
            Part::Bucket => bucket::create(client, &names, tags, facets).await,
            Part::Queue | Part::RunQueue => queue::create(client, &operation.name, tags, facets).await,
            part @ (Part::Notification | Part::Access) => Err(part.as_a_whole()),
        }
    }

    async fn write(
        &self,
        operation: &Operation,
        write: &Write<'_>,
        context: &OperationContext<'_>,
    ) -> Result<(), Error> {
        let (client, names) = (&self.client, self.names_in_account().await?);
        let written = match Part::of(&operation.address)? {
            Part::Bucket => bucket::write(client, &names, write, &self.bucket_policy).await,
            Part::Queue | Part::RunQueue => queue::write(client, &names, &operation.name, write).await,
            Part::Notification => notification::write(client, &names, write).await,
            Part::Access => access::write(client, write).await,
        };
        written.map_err(|error| if context.created() { error } else { is_gone(error) })
    }

    async fn empty(&self, operation: &Operation, context: &OperationContext<'_>) -> Result<(), Error> {
        let names = self.names_in_account().await?;
        self.bucket_policy.revoke(&self.client, &names).await?;
        contents::empty(&self.client, &operation.name, &names.account, context).await
    }

    async fn delete(&self, operation: &Operation, context: &OperationContext<'_>) -> Result<(), Error> {
        context.still_ours().await?;
        let (client, names, name) = (&self.client, self.names_in_account().await?, &operation.name);
        match Part::of(&operation.address)? {
            Part::Bucket => bucket::delete(client, name, &names.account).await,
            Part::Queue | Part::RunQueue => queue::delete(client, name).await,
            part @ (Part::Notification | Part::Access) => Err(part.as_a_whole()),
        }
    }
}

/// Only what this run made can be something that the service does not show yet; any other is gone.
fn is_gone(error: Error) -> Error {
    if is_not_seen(&error) { error.with_retry(RetryClass::Final) } else { error }
}
