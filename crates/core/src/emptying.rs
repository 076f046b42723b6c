//! Emptying what holds the user's data, on request only: the next page is listed while earlier ones are being deleted.

use futures::stream::{Stream, TryStreamExt as _};

use crate::contents::thousands;
use crate::context::OperationContext;
use crate::error::{Error, ErrorKind};

/// Batches that are deleted at the same time while the next page is listed.
const BATCHES_AT_ONCE: usize = 8;

/// How far an emptying is.
#[derive(Debug)]
pub struct Emptying<'a> {
    context: &'a OperationContext<'a>,
    noun: &'static str,
    deleted: u64,
    passes: u32,
}

/// Passes over everything after which an emptying is given up: each found something still, so that somebody goes on writing, or
/// the service does not delete what it says it does.
const MOST_PASSES: u32 = 200;

impl<'a> Emptying<'a> {
    /// An emptying that shows itself on the run's watch; `noun` is what is counted: `objects and versions`.
    #[must_use]
    pub const fn new(context: &'a OperationContext<'a>, noun: &'static str) -> Self {
        Self { context, noun, deleted: 0, passes: 0 }
    }

    /// Delete the pages that are listed, several at once, as long as what is emptied is still ours, and give how many items
    /// there were. `delete` says how many of a batch it deleted. After the run was told to stop, no page is listed and no batch begun; those in flight end.
    ///
    /// # Errors
    ///
    /// The first failure to list or to delete.
    pub async fn pages<T, F>(
        &mut self,
        pages: impl Stream<Item = Result<Vec<T>, Error>>,
        delete: impl Fn(Vec<T>) -> F,
    ) -> Result<u64, Error>
    where
        F: Future<Output = Result<u64, Error>>,
    {
        let stopping = || self.context.stopping();
        let before = self.deleted;
        let batches = pages
            .try_take_while(|_| std::future::ready(Ok(!stopping())))
            .try_filter(|page| std::future::ready(!page.is_empty()))
            .map_ok(|page| async {
                self.context.still_ours().await?;
                if stopping() { Ok(0) } else { delete(page).await }
            })
            .try_buffer_unordered(BATCHES_AT_ONCE);
        futures::pin_mut!(batches);
        while let Some(count) = batches.try_next().await? {
            self.deleted += count;
            self.context.progress(format!("{} {} deleted", thousands(self.deleted), self.noun));
        }
        Ok(self.deleted - before)
    }

    /// After a pass over everything: stop here if the run was told to, or if there is no end to it; `what` is what is being
    /// emptied.
    ///
    /// # Errors
    ///
    /// The run was told to stop, or pass after pass found something still.
    pub fn go_on(&mut self, what: &str) -> Result<(), Error> {
        self.passes += 1;
        if self.passes > MOST_PASSES {
            let error = Error::new(ErrorKind::Unavailable, format!("empty {what}"));
            let error =
                error.with_message(format!("{MOST_PASSES} times all of it was deleted, and it holds something still"));
            return Err(error.with_hint("stop whoever writes into it, then run the same command again"));
        }
        if !self.context.stopping() {
            return Ok(());
        }
        let error = Error::new(ErrorKind::Interrupted, format!("emptying {what} was stopped"));
        Err(error.with_hint("run the same command again: it goes on where this one ended"))
    }
}
