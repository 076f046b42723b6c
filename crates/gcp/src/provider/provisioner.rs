//! What is written: each method a few lines that lead to a resource.

use async_trait::async_trait;
use provision_core::Error;
use provision_core::context::OperationContext;
use provision_core::mark::{TagChanges, Tags};
use provision_core::operation::{Operation, Verb};
use provision_core::provider::{Created, Provisioner, Write};
use serde_json::{Map, Value};

use super::Provider;
use crate::client::Writer;
use crate::contents;
use crate::error::settling;
use crate::names::Part;
use crate::resources::access::{self, AccessFacet};
use crate::resources::{Facets, bucket, bucket_policy, notification, subscription, topic};

#[async_trait]
impl Provisioner for Provider<Writer> {
    async fn tags(&self, operation: &Operation) -> Result<Option<Tags>, Error> {
        let (reader, names, name) = (self.client.reader(), self.names(), &operation.name);
        match Part::of(&operation.address)? {
            Part::Bucket => bucket::tags(reader, name).await,
            Part::Topic => topic::tags(reader, &names.topic_name(name)).await,
            Part::Subscription => subscription::tags(reader, &names.subscription_name(name)).await,
            part @ (Part::Notification | Part::Access) => Err(part.as_a_whole()),
        }
    }

    async fn update_tags(&self, operation: &Operation, found: &Tags, changes: &TagChanges) -> Result<(), Error> {
        let (client, names, name) = (&self.client, self.names(), &operation.name);
        match Part::of(&operation.address)? {
            Part::Bucket => bucket::update_tags(client, name, found, changes).await,
            Part::Topic => topic::update_tags(client, &names.topic_name(name), found, changes).await,
            Part::Subscription => {
                subscription::update_tags(client, &names.subscription_name(name), found, changes).await
            }
            part @ (Part::Notification | Part::Access) => Err(part.as_a_whole()),
        }?;
        self.take_out_left(operation).await
    }

    async fn create(
        &self,
        operation: &Operation,
        tags: &Tags,
        facets: &Map<String, Value>,
        _watch: &OperationContext<'_>,
    ) -> Result<Created, Error> {
        let (client, names, name) = (&self.client, self.names(), &operation.name);
        match Part::of(&operation.address)? {
            Part::Bucket => bucket::create(client, &names, tags, facets).await,
            Part::Topic => topic::create(client, &names.topic_name(name), tags).await,
            Part::Subscription => subscription::create(client, &names.subscription_name(name), tags, facets).await,
            part @ (Part::Notification | Part::Access) => Err(part.as_a_whole()),
        }
    }

    async fn write(
        &self,
        operation: &Operation,
        write: &Write<'_>,
        context: &OperationContext<'_>,
    ) -> Result<(), Error> {
        let (client, names, name) = (&self.client, self.names(), &operation.name);
        let part = Part::of(&operation.address)?;
        let _lane = if needs_lane(part, write) { context.acquire_lane().await } else { None };
        let written = match part {
            Part::Bucket => bucket::write(client, &names, write).await,
            Part::Topic => topic::write(client, &names.topic_name(name), write).await,
            Part::Subscription => subscription::write(client, &names.subscription_name(name), write).await,
            Part::Notification => notification::write(client, &names, write).await,
            Part::Access => access::write(client, &names, write, &self.claims).await,
        };
        // The service account was there before the run.
        let of_account = part == Part::Access && write.facet == AccessFacet::OnAccount.name();
        settling(written, context.created() && !of_account)
    }

    async fn empty(&self, operation: &Operation, context: &OperationContext<'_>) -> Result<(), Error> {
        bucket_policy::revoke(&self.client, &self.settings, &self.names()).await?;
        contents::empty(&self.client, &operation.name, context).await
    }

    async fn delete(&self, operation: &Operation, context: &OperationContext<'_>) -> Result<(), Error> {
        let (client, names, name) = (&self.client, self.names(), &operation.name);
        let (topic, ours) = (names.topic_name(name), self.claims.deployments());
        match Part::of(&operation.address)? {
            Part::Bucket => bucket::delete(client, name, context).await,
            Part::Topic => topic::delete(client, &names, &topic, &ours, context).await,
            Part::Subscription => subscription::delete(client, &names.subscription_name(name), context).await,
            part @ (Part::Notification | Part::Access) => Err(part.as_a_whole()),
        }?;
        self.take_out_left(operation).await
    }
}

/// What is written under a precondition, or moves that of others: the bucket's policy and its notifications do so in what this run
/// made too. An account's policy is no part of the bucket.
fn needs_lane(part: Part, write: &Write<'_>) -> bool {
    match part {
        Part::Access => access::is_in_bucket(write.facet),
        Part::Notification => true,
        Part::Bucket => bucket::is_in_policy(write.facet) || !write.just_created,
        Part::Topic | Part::Subscription => !write.just_created,
    }
}

impl Provider<Writer> {
    /// With our mark our claim to what deployments share goes.
    async fn take_out_left(&self, operation: &Operation) -> Result<(), Error> {
        match &operation.verb {
            Verb::Delete { mark } | Verb::RemoveMark { mark: Some(mark), .. } => {
                access::take_out_left(&self.client, &self.claims, mark).await
            }
            _ => Ok(()),
        }
    }
}
