//! What Azure alone has: accounts that deployments share, accounts of another name, its credentials, what it shows late, blobs
//! that do not go.

mod account;
mod credentials;
mod emptying;
mod late;
mod shared;
