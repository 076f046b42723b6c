//! Google Cloud: the bucket (Cloud Storage), its topic and subscription (Pub/Sub), the notification between them and the
//! server's rights (IAM).
//!
//! - APIs: Cloud Storage, Pub/Sub, IAM and IAM Credentials, Resource Manager, all over JSON and by our own client: Google's reads answers without a
//!   bound, and buckets over gRPC, past a proxy. Credentials are Google's own library's.
//! - Environment: what Application Default Credentials read, `GOOGLE_APPLICATION_CREDENTIALS` among it. Endpoints that are
//!   an emulator's, all of them or none: `STORAGE_EMULATOR_HOST`, `PUBSUB_EMULATOR_HOST`,
//!   `PROVISION_GCP_API_ENDPOINT` (IAM, IAM Credentials and Resource Manager). An emulator is sent no token.
//! - Peculiarities: a bucket is made in one call with everything; its settings, policy and notifications share one
//!   metageneration, and so its writes take turns; policies are changed under their etag, and no member of others is
//!   touched; rules, members and notifications have no id, so that marks alone tell whose they are; notifications can be
//!   made twice; a new right takes IAM minutes to spread; Pub/Sub's labels are written whole, without a precondition.
//! - One service account may serve deployments of several projects: what it may do with itself stays as long as a mark of
//!   another one has it on record, in any project that the credentials can see.

mod config;
mod names;
mod permissions;
mod tags;
mod error;
mod trace;
mod client;
mod credential;
mod policy;
mod claims;
mod contents;
mod resources;
mod orphans;
mod outputs;
mod probes;
mod hearing;
mod preflight;
mod terraform;
mod doctor;
mod provider;

pub use config::{GcpSection, Settings};
