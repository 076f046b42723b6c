//! What Azure alone has: accounts that deployments share, accounts of another name, its answers and credentials, what it shows
//! late, blobs that do not go, what is kept of those that went, an event subscription that is made again, whose keys sign a proof and what it takes of a queue,
//! what refuses a run whatever its rights, new keys.

mod account;
mod answers;
mod credentials;
mod emptying;
mod events;
mod late;
mod refused;
mod rotation;
mod shared;
mod soft_delete;
mod verify;
