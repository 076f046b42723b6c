//! Azure: the storage account with its container and queue, the event subscription between them and the server's rights.
//!
//! - APIs: Resource Manager with Microsoft.Resources, Microsoft.Storage, Microsoft.EventGrid and
//!   Microsoft.Authorization. The Blob service itself only to count and delete what is in a container before a destroy, and
//!   with the Queue service to prove that files and events get through.
//! - Environment: `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET`, `AZURE_FEDERATED_TOKEN_FILE`,
//!   `AZURE_TOKEN_CREDENTIALS` and `AZURE_AUTHORITY_HOST` as Microsoft's SDKs read them; our own
//!   `AZURE_RESOURCE_MANAGER_ENDPOINT` and `AZURE_STORAGE_BLOB_ENDPOINT`. See the `credential` module.
//! - Peculiarities: creations are `PUT`s that also update, so what is to be created is looked for right before; some answer
//!   before they are done and are polled; writes to one account go one at a time; the Blob service's properties are one
//!   document for everybody, without a precondition; Resource Manager deletes a full container without asking, so emptiness
//!   is proven by listing; metadata keys are identifiers, so the mark's keys are spelled without `-` there; lists of
//!   containers have no metadata, so that each is read by itself where its mark decides; a role is assigned once to an
//!   identity, which deployments share.

mod config;
mod names;
mod permissions;
mod tags;
mod error;
mod client;
mod trace;
mod transport;
mod credential;
mod contents;
mod blockers;
mod marks;
mod resources;
mod orphans;
mod outputs;
mod data_access;
mod probes;
mod hearing;
mod preflight;
mod terraform;
mod doctor;
mod provider;
mod rotation;

pub use config::{AzureSection, KeyName, Settings};
pub use rotation::{Next, Rotation, Step};
