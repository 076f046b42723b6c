//! The object that a proof uploads, and how it is told from everything else.
//!
//! Its key has the hash of the deployment's name and a number that nobody else has, and the object itself says once more whose it
//! is. So the next run finds what a run left that was killed, and nothing else is ever deleted.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use crate::digest;

/// Where probes are put, unless another beginning is asked for.
pub const PREFIX: &str = "provision-verify/";

/// The name of the metadata that says whose a probe is; its value is [`Probes::owner`].
pub const METADATA: &str = "provision-probe";

/// Characters of the hash of a deployment's name: as many as those of its other entries.
const OWNER_LENGTH: usize = 12;
/// Characters of a probe's own number.
const NUMBER_LENGTH: usize = 16;

/// The probes of one deployment.
#[derive(Clone, Debug)]
pub struct Probes {
    /// What their keys begin with.
    pub prefix: String,
    /// Whose they are.
    pub owner: String,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Its key.
    pub key: String,
    /// Whose it is.
    pub owner: String,
    /// What is in it.
    pub body: Vec<u8>,
}

impl Probes {
    /// Those of a deployment, under this beginning.
    #[must_use]
    pub fn new(prefix: &str, deployment: &str) -> Self {
        Self { prefix: prefix.to_owned(), owner: digest::short(deployment, OWNER_LENGTH) }
    }

    /// A new one.
    #[must_use]
    pub fn another(&self) -> Probe {
        // The standard library's only source of random numbers.
        let number = RandomState::new().build_hasher().finish();
        let key = format!("{}{number:0NUMBER_LENGTH$x}", self.stem());
        let body = format!("A probe of `provision verify`, number {number:x}. It may be deleted.\n");
        Probe { key, owner: self.owner.clone(), body: body.into_bytes() }
    }

    /// What all their keys begin with.
    #[must_use]
    pub fn stem(&self) -> String {
        format!("{}{}-", self.prefix, self.owner)
    }

    /// Whether a key is that of one of them, matched whole.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        let is_number = |text: &str| {
            text.len() == NUMBER_LENGTH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        key.strip_prefix(&self.stem()).is_some_and(is_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_matched_whole_and_by_deployment() {
        let (ours, theirs) = (Probes::new(PREFIX, "wandb-prod"), Probes::new(PREFIX, "wandb-prod-2"));
        let (one, other) = (ours.another(), ours.another());
        assert!(one.key != other.key && ours.has(&one.key) && ours.has(&other.key));
        assert!(!theirs.has(&one.key) && !Probes::new("x/", "wandb-prod").has(&one.key));
        assert!(!ours.has(&format!("{}0", one.key)) && !ours.has(&one.key[1..]));
        assert!(!ours.has(&ours.stem()) && !ours.has(&one.key.to_ascii_uppercase()));
    }
}
