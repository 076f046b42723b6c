//! The sandbox: copies of the clouds, on this machine only, to rehearse on and to test against.
//!
//! [`Sandbox`] runs them on 127.0.0.1. Each [`emulator::Emulator`] serves exactly the operations that `provision` and the common
//! clients send, keeps what it knows in one [`state::Store`], and enforces the rules that decide whether a set-up works;
//! each rule names the vendor's page. Whatever is not served is answered 501 with the operation's name, and a request
//! with a field that is not known is refused, so that nothing seems to work by being ignored.
//!
//! Requests pass one [`layer::FaultLayer`], which can be told to misbehave ([`fault`]) and which counts; [`proxy::Proxy`]
//! is the same layer before another emulator.
//!
//! Whoever calls may do everything in what is his own, but an identity with a document of rights ([`Sandbox::attach`]), whose
//! calls are judged by it, and a service account of Google Cloud, which has what the policies of resources give it. A signature of AWS is verified where the sandbox gave out the key; with keys of others any secret
//! will do. A transport is taken for encrypted, since nothing leaves this machine: policies that deny plain HTTP let it pass.

pub mod auth0;
pub mod aws;
pub mod azure;
pub mod clock;
pub mod emulator;
pub mod error;
pub mod fault;
mod files;
pub mod google;
pub mod identities;
pub mod layer;
pub mod propagation;
pub mod proxy;
pub mod record;
pub mod sandbox;
pub mod server;
pub mod slack;
pub mod state;
mod tls;
pub mod world;

pub use error::Error;
pub use sandbox::{EmulatorKind, Options, Sandbox};
