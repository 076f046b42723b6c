//! What is written: each method a few lines that lead to a resource.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use provision_core::context::OperationContext;
use provision_core::mark::{TagChanges, Tags};
use provision_core::operation::Operation;
use provision_core::provider::{Created, Provisioner, Write};
use provision_core::{Error, ErrorKind};
use serde_json::{Map, Value};

use super::Provider;
use crate::client::Writer;
use crate::error::NOT_SEEN_YET;
use crate::names::Part;
use crate::resources::{access, account, container, cors, events, queue, resource_group};
use crate::tags::changed;
use crate::{contents, orphans};

#[async_trait]
impl Provisioner for Provider<Writer> {
    async fn tags(&self, operation: &Operation) -> Result<Option<Tags>, Error> {
        let (part, planned) = (Part::of(&operation.address)?, self.names());
        let (reader, (names, name)) = (self.client.reader(), planned.located(part, &operation.name));
        match part {
            Part::ResourceGroup => resource_group::tags(reader, &self.settings, &names).await,
            Part::Account => account::tags(reader, &self.settings, &names).await,
            Part::Container => container::tags(reader, &names, name).await,
            Part::Queue => queue::tags(reader, &names, name).await,
            Part::Cors | Part::Events | Part::Access => Err(part.as_a_whole()),
        }
    }

    async fn update_tags(&self, operation: &Operation, found: &Tags, changes: &TagChanges) -> Result<(), Error> {
        let (part, planned) = (Part::of(&operation.address)?, self.names());
        let (writer, (names, name)) = (&self.client, planned.located(part, &operation.name));
        let tags = changed(found, changes);
        let updated = match part {
            Part::ResourceGroup => resource_group::replace_tags(writer, &names, &tags).await,
            Part::Account => account::replace_tags(writer, &names, &tags).await,
            Part::Container => container::replace_tags(writer, &names, name, &tags).await,
            Part::Queue => queue::replace_tags(writer, &names, name, &tags).await,
            Part::Cors | Part::Events | Part::Access => Err(part.as_a_whole()),
        };
        updated.map_err(|error| self.not_seen_yet(error))
    }

    async fn create(
        &self,
        operation: &Operation,
        tags: &Tags,
        facets: &Map<String, Value>,
        context: &OperationContext<'_>,
    ) -> Result<Created, Error> {
        let (part, writer, names) = (Part::of(&operation.address)?, &self.client, self.names());
        let created = match part {
            Part::ResourceGroup => resource_group::create(writer, &names, tags, facets).await,
            Part::Account => account::create(writer, &names, tags, facets, context).await,
            Part::Container => container::create(writer, &names, &operation.name, tags).await,
            Part::Queue => queue::create(writer, &names, &operation.name, tags).await,
            Part::Cors | Part::Events | Part::Access => Err(part.as_a_whole()),
        };
        let created = created.map_err(|error| self.not_seen_yet(error))?;
        self.created.fetch_or(created == Created::Made, Ordering::Relaxed);
        Ok(created)
    }

    async fn write(
        &self,
        operation: &Operation,
        write: &Write<'_>,
        context: &OperationContext<'_>,
    ) -> Result<(), Error> {
        let (writer, settings, names) = (&self.client, &self.settings, self.names());
        let written = match Part::of(&operation.address)? {
            Part::Account => account::write(writer, &names, &self.edits, write, context).await,
            Part::Container => container::write(writer, &names, write).await,
            Part::Cors => cors::write(writer, &names, &self.edits, write, context).await,
            Part::Events => events::write(writer, &names, &self.registration, write, context).await,
            Part::Access => access::write(writer, settings, &names, &self.principals(), write).await,
            Part::ResourceGroup => Err(Error::bug("a resource group is written with its creation")),
            Part::Queue => Err(Error::bug("a queue is written with its creation")),
        };
        written.map_err(|error| self.not_seen_yet(error))
    }

    async fn empty(&self, operation: &Operation, context: &OperationContext<'_>) -> Result<(), Error> {
        contents::empty(&self.client, &self.content(&self.names(), &operation.name), context).await
    }

    async fn delete(&self, operation: &Operation, context: &OperationContext<'_>) -> Result<(), Error> {
        let (part, planned) = (Part::of(&operation.address)?, self.names());
        let (names, name) = planned.located(part, &operation.name);
        let writer = &self.client;
        match part {
            Part::ResourceGroup => resource_group::delete(writer, &names, context).await,
            Part::Account if names.account_id() != planned.account_id() => {
                orphans::delete_account(writer, &names, context).await
            }
            Part::Account => account::delete(writer, &names, context).await,
            Part::Container => container::delete(writer, &self.content(&names, name), context).await,
            Part::Queue => queue::delete(writer, &names, name, context).await,
            Part::Cors | Part::Events | Part::Access => Err(part.as_a_whole()),
        }
    }
}

impl Provider<Writer> {
    /// What this run made, and what is in it, is not found everywhere at once
    /// (<https://github.com/hashicorp/terraform-provider-azurerm/issues/15609>).
    fn not_seen_yet(&self, error: Error) -> Error {
        let made = self.created.load(Ordering::Relaxed);
        if made && error.kind() == ErrorKind::NotFound && error.retry().settling().is_none() {
            return error.with_retry(NOT_SEEN_YET);
        }
        error
    }
}
