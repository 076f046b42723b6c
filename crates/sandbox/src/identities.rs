//! Whom calls are from that may not do everything: for each cloud one identity, with a document of the rights it has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::google::KeyFile;
use crate::sandbox::EmulatorKind;

/// The secret key that goes with the keys of AWS that a sandbox prints.
pub const AWS_SECRET: &str = "sandbox";

/// The identities of a sandbox.
#[derive(Debug)]
pub struct Identities {
    /// The secret key that goes with the keys of AWS that it prints.
    pub aws_secret: String,
    /// The credentials file of Google's identity.
    key_file: OnceLock<KeyFile>,
    documents: Mutex<BTreeMap<EmulatorKind, Arc<str>>>,
    /// The rights that calls of identities were judged by.
    asked: Mutex<BTreeSet<String>>,
}

impl Default for Identities {
    fn default() -> Self {
        Self::new(AWS_SECRET.to_owned())
    }
}

impl Identities {
    /// None yet.
    pub(crate) fn new(aws_secret: String) -> Self {
        Self { aws_secret, key_file: OnceLock::new(), documents: Mutex::default(), asked: Mutex::default() }
    }

    /// Let an identity do what a document says.
    pub(crate) fn attach(&self, cloud: EmulatorKind, document: &str) {
        self.documents().insert(cloud, Arc::from(document));
    }

    /// The credentials file of Google's identity, if one was written.
    pub(crate) fn key_file(&self) -> Option<&KeyFile> {
        self.key_file.get()
    }

    /// There is a credentials file of Google's identity now. The first one stays.
    pub(crate) fn set_key_file(&self, file: KeyFile) {
        let _ = self.key_file.set(file);
    }

    /// What the identity of a cloud may do, if there is one.
    pub(crate) fn document(&self, cloud: EmulatorKind) -> Option<Arc<str>> {
        self.documents().get(&cloud).cloned()
    }

    /// A call of an identity is judged by a right.
    pub(crate) fn ask(&self, right: &str) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(right.to_owned());
    }

    /// Every right that calls of identities were judged by.
    #[must_use]
    pub fn asked(&self) -> BTreeSet<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn documents(&self) -> MutexGuard<'_, BTreeMap<EmulatorKind, Arc<str>>> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
