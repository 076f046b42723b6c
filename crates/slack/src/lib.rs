//! Slack: the app through which the server sends its alerts.
//!
//! - API: app manifests (<https://docs.slack.dev/app-manifests/configuring-apps-with-app-manifests>) over HTTPS, by our own client.
//! - Environment: `SLACK_CONFIG_TOKEN`, an app configuration token, which lasts twelve hours; `SLACK_REFRESH_TOKEN`, of which a new
//!   one is made once, on request. `PROVISION_SLACK_ENDPOINT` is an emulator's address, over plain HTTP on this machine alone.
//! - Peculiarities: there is no list of apps, so that the app's id stands in the plan file. It is written there, with a word that
//!   stands for it before, by the apply that makes the app, which alone is given the secret. An update replaces the whole
//!   manifest, without a precondition: it is exported, merged into, validated and sent. The mark stands in the description, with
//!   140 characters for everything. Whether a creation that ended without an answer made an app nobody can ask: it is never
//!   repeated.

mod names;
mod tags;
mod config;
mod manifest;
mod error;
mod trace;
mod client;
mod credential;
mod resources;
mod outputs;
mod doctor;
mod provider;
mod rotation;

pub use config::{Settings, SlackSection};
pub use rotation::{TokenPair, rotate};
