//! Auth0: the application (the API calls it a client) that people sign in to the server with.
//!
//! - API: the Management API's clients <https://auth0.com/docs/api/management/v2/clients>, by our own client. Scopes:
//!   `create:clients`, `read:clients`, `update:clients`, `delete:clients`; those that show secrets are never asked for.
//! - Environment: `AUTH0_API_TOKEN`, or `AUTH0_CLIENT_ID` of a machine-to-machine application with `AUTH0_CLIENT_SECRET` or
//!   `AUTH0_CLIENT_ASSERTION_PRIVATE_KEY`. `PROVISION_AUTH0_ENDPOINT` is the address of an emulator, over plain HTTP on this machine
//!   only.
//! - Peculiarities: names are not unique, so that the application is known by its mark in `client_metadata`; a list has no filter
//!   for that, and is read whole; nothing says whether a creation whose answer was lost was made, so that the mark is looked for
//!   before another attempt; lists of URLs are replaced whole, without a precondition, and metadata is merged key by key;
//!   defaults differ by request, so that only what we send is compared; free tenants take two requests a second, so that there is
//!   one at a time.
//! - One deployment has one application in a tenant, whatever it is called: there is nothing that could be left over.

mod config;
mod names;
mod tags;
mod error;
mod trace;
mod client;
mod credential;
mod finding;
mod resources;
mod outputs;
mod terraform;
mod doctor;
mod provider;

pub use config::{Auth0Section, Settings};
