//! What a rehearsal finds there: an account, its region and the role that the server runs as.

use serde::{Deserialize, Serialize};

use super::iam::{self, Role};
use crate::Error;
use crate::state::Transaction;

/// Whose the credentials are, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seed {
    pub(super) account: String,
    pub(super) region: String,
}

const KEY: &str = "aws/seed";

pub(super) fn read(state: &Transaction<'_>) -> Result<Option<Seed>, Error> {
    state.get(KEY)
}

/// Set the account and make the role, if it is not there.
pub(super) fn write(
    state: &mut Transaction<'_>,
    account: &str,
    region: &str,
    role: Option<&str>,
    now_ms: u64,
) -> Result<(), Error> {
    let seed = Seed { account: account.to_owned(), region: region.to_owned() };
    if read(state)?.as_ref() != Some(&seed) {
        state.put(KEY, &seed)?;
    }
    let name = role.map(|role| role.rsplit('/').next().unwrap_or(role));
    match name {
        Some(name) if !state.has(&iam::key(account, name)) => {
            let number = state.next_number("aws/number")?;
            state.put(&iam::key(account, name), &Role::seeded(name, number, now_ms))
        }
        _ => Ok(()),
    }
}
