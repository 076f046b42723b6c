//! Amazon Web Services: the bucket (S3), its queues (SQS), the notification between them and the server's rights (IAM).
//!
//! - APIs: S3, S3 Control (tags of buckets with attribute-based access control), SQS, STS, IAM, Resource Groups Tagging.
//! - Environment: what the AWS SDK reads, `AWS_PROFILE`, `AWS_REGION`, `AWS_ENDPOINT_URL` and its per-service forms among it.
//! - Peculiarities: bucket notifications, policies, CORS and tags are whole documents without preconditions, so each is
//!   read right before it is written; every S3 call but `CreateBucket` names the expected owner.

mod config;
mod names;
mod permissions;
mod tags;
mod error;
mod trace;
mod answer;
mod endpoint;
mod client;
mod credential;
mod policy;
mod denial;
mod contents;
mod resources;
mod orphans;
mod outputs;
mod preflight;
mod terraform;
mod probes;
mod hearing;
mod doctor;
mod provider;

pub use config::{AwsSection, Settings};
