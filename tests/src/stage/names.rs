//! The names of a stage.

use std::sync::atomic::{AtomicU64, Ordering};

/// What stands for `{s}` and `{a}`; empty where names need no suffix.
#[derive(Clone, Default)]
pub(super) struct Names {
    pub(super) suffix: String,
    pub(super) account: String,
}

impl Names {
    /// An account that no other stage of a shared server has, and a suffix that no other one's names end with.
    pub(super) fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { suffix: format!("zq{number:04}"), account: format!("{:012}", 100_000_000_000 + number) }
    }

    /// Those of a sandbox of AWS, which nobody shares.
    pub(super) fn alone() -> Self {
        Self { suffix: "zq0000".to_owned(), account: "123456789012".to_owned() }
    }

    pub(super) fn fill(&self, text: &str) -> String {
        if self.suffix.is_empty() {
            return text.to_owned();
        }
        text.replace("{s}", &self.suffix).replace("{a}", &self.account)
    }

    /// The reverse of [`Names::fill`].
    pub(super) fn empty(&self, text: String) -> String {
        if self.suffix.is_empty() {
            return text;
        }
        text.replace(&self.suffix, "{s}").replace(&self.account, "{a}")
    }
}
