//! What Azure alone has: accounts that deployments share, accounts of another name, its credentials.

mod account;
mod credentials;
mod shared;
