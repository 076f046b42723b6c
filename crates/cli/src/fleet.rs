//! Many deployments in one run: which they are, how many are asked for at a time, and what is not asked any more.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::join_all;
use futures::stream::{self, StreamExt as _};
use provision_core::change_set::ChangeSet;
use provision_core::event::{Event, EventSink};
use provision_core::plan_file::PlanFileError;
use provision_core::retry::{self, Pace};
use provision_core::survey::announced;
use provision_core::{Error, ErrorKind};
use tokio::sync::Semaphore;

use crate::arguments::PlanFiles;
use crate::exit::Failure;
use crate::plan_files::{Checked, Scope, named};
use crate::session::{Invocation, Session};
use crate::trace::timestamp;
use crate::view::Looked;

/// Deployments of an account that are asked for at the same time: enough to hide the waiting, few enough for a service's limits.
pub(crate) const OF_AN_ACCOUNT: usize = 16;
/// The same of all accounts: so many that a few which do not answer leave room for the others.
const IN_ALL: usize = 64;
/// Proofs of an account at the same time: each writes, and takes its event out of a queue.
pub(crate) const PROOFS_OF_AN_ACCOUNT: usize = 4;
/// From so many deployments on, one list of all that carries marks is fewer requests than a list for each.
const LISTED_ONCE: usize = 16;

/// The steps of many deployments at once would be nobody's.
pub(crate) struct Unsaid;

impl EventSink for Unsaid {
    fn emit(&self, _: Event) {}
}

/// The deployments of a run, and the plan files that have problems: these keep none of the others from being asked for.
pub(crate) struct Fleet {
    /// The sections of each plan file.
    pub(crate) files: Vec<Vec<Checked>>,
    pub(crate) broken: Vec<PlanFileError>,
}

impl Fleet {
    /// Read them all, as far as they are in the share that is asked for.
    ///
    /// # Errors
    ///
    /// No plan file is named, and there is none in the usual places; or none is free of problems.
    pub(crate) fn read(of: &PlanFiles, scope: Scope) -> Result<Self, Failure> {
        let whose =
            |sections: &Vec<Checked>| Whose { deployment: deployment(sections).to_owned(), places: places(sections) };
        let (files, broken) = read_each(of, scope, |path| scope.check(path), whose)?;
        Ok(Self { files, broken })
    }

    /// Open a connection for all of them; of many that are only looked at, what carries marks is listed once.
    ///
    /// # Errors
    ///
    /// No connection can be opened.
    pub(crate) fn session(&self, Invocation { global, view, .. }: Invocation<'_>) -> Result<Session, Error> {
        let sections = self.sections();
        let session = Session::open(&sections, global, view)?;
        Ok(if sections.len() < LISTED_ONCE { session } else { session.listing_once() })
    }

    /// Who hears that a look at all of them lasts: of many nobody who asked for results and errors only.
    pub(crate) fn hears<'a>(&self, Invocation { global, view, .. }: Invocation<'a>) -> &'a dyn EventSink {
        if global.quiet && self.sections().len() > 1 { &Unsaid } else { view }
    }

    /// The sections of all plan files.
    pub(crate) fn sections(&self) -> Vec<&Checked> {
        self.files.iter().flatten().collect()
    }
}

/// Whose a plan file is, and what no other one may have.
pub(crate) struct Whose {
    pub(crate) deployment: String,
    pub(crate) places: Vec<String>,
}

/// A deployment has one place in an account: two plan files of it would write over each other.
pub(crate) fn places(sections: &[Checked]) -> Vec<String> {
    let place = |checked: &Checked| format!("{} {}", account(checked), checked.settings.deployment().name);
    sections.iter().map(place).collect()
}

/// What `read` finds in each plan file, as far as it is of a deployment in the share that is asked for, and the files that have problems:
/// those that take the place of another one are among them. A file that is named twice is one.
///
/// # Errors
///
/// No plan file is named, and there is none in the usual places; or none is free of problems.
pub(crate) fn read_each<T>(
    of: &PlanFiles,
    scope: Scope,
    read: impl Fn(&Path) -> Result<T, PlanFileError>,
    whose: impl Fn(&T) -> Whose,
) -> Result<(Vec<T>, Vec<PlanFileError>), Failure> {
    let paths = match of.plan_files.as_slice() {
        [] => vec![scope.plan_file_path(None)?],
        paths => paths.to_vec(),
    };
    let is_in_share = |name: &str| of.shard.is_none_or(|shard| shard.has(name));
    let (mut files, mut broken) = (Vec::new(), Vec::new());
    for found in each_once(named(&paths)) {
        match found.and_then(|path| Ok((read(&path)?, path))) {
            Ok((file, path)) => {
                let whose = whose(&file);
                files.extend(Some((path, whose, file)).filter(|(_, whose, _)| is_in_share(&whose.deployment)));
            }
            // Whose it is cannot be known.
            Err(error) if is_in_share(error.plan_file().unwrap_or_default()) => broken.push(error),
            Err(_) => {}
        }
    }
    let (files, twice) = apart(files);
    broken.extend(twice);
    if files.is_empty() && !broken.is_empty() { Err(Failure::PlanFiles(broken)) } else { Ok((files, broken)) }
}

/// Without the files that are there already, by whatever path.
fn each_once(found: Vec<Result<PathBuf, PlanFileError>>) -> Vec<Result<PathBuf, PlanFileError>> {
    let mut known = BTreeSet::new();
    let mut is_new = |path: &PathBuf| known.insert(path.canonicalize().unwrap_or_else(|_| path.clone()));
    found.into_iter().filter(|found| found.as_ref().map_or(true, &mut is_new)).collect()
}

/// Those that have their places for themselves, and why others have not.
fn apart<T>(files: Vec<(PathBuf, Whose, T)>) -> (Vec<T>, Vec<PlanFileError>) {
    let mut takers: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for (path, Whose { places, .. }, _) in &files {
        let mut places = places.clone();
        places.dedup();
        places.into_iter().for_each(|place| takers.entry(place).or_default().push(path.clone()));
    }
    let (mut alone, mut twice) = (Vec::new(), Vec::new());
    for (path, Whose { deployment, places }, file) in files {
        let mut others = places.iter().filter_map(|place| takers.get(place)).flatten().filter(|other| **other != path);
        match others.next().map(|other| other.display().to_string()) {
            Some(other) => twice.push(PlanFileError::Twice { path: path.display().to_string(), other, deployment }),
            None => alone.push(file),
        }
    }
    (alone, twice)
}

/// The plan files that are read, for what must not be written.
pub(crate) fn read_by(of: &PlanFiles, scope: Scope) -> Vec<PathBuf> {
    match of.plan_files.as_slice() {
        [] => scope.plan_file_path(None).into_iter().collect(),
        paths => named(paths).into_iter().flatten().collect(),
    }
}

/// Whose sections these are.
pub(crate) fn deployment(sections: &[Checked]) -> &str {
    sections.first().map_or("", |checked| &checked.settings.deployment().name)
}

/// Look at each, as `look` does at one.
///
/// # Errors
///
/// Those of [`Fleet::read`], and that no connection can be opened.
pub(crate) async fn look_at_each(
    of: &PlanFiles,
    scope: Scope,
    invocation: Invocation<'_>,
    look: impl AsyncFn(&Checked, &Session, &dyn EventSink) -> Result<ChangeSet, Error>,
) -> Result<Looked, Failure> {
    let Invocation { signals, view, .. } = invocation;
    let fleet = Fleet::read(of, scope)?;
    let sections = fleet.sections();
    let mut looked = Looked { shard: of.shard, began: timestamp(), ..Looked::default() };
    if sections.is_empty() {
        return Ok(looked);
    }
    let session = fleet.session(invocation)?;
    let events: &dyn EventSink = if sections.len() == 1 { view } else { &Unsaid };
    let look = async |checked: &&Checked| signals.one_unless_stopped(look(checked, &session, events)).await;
    let found = each_section(&sections, OF_AN_ACCOUNT, look, out_of_reach);
    for found in announced(found, fleet.hears(invocation)).await {
        match found {
            Ok(set) => looked.sets.push(set),
            Err(error) => looked.errors.push(error),
        }
    }
    looked.errors.extend(Failure::PlanFiles(fleet.broken).errors());
    Ok(looked)
}

/// Do something with each section, as [`each`] does: errors say whose they are, also where it was not tried.
pub(crate) async fn each_section<T>(
    sections: &[&Checked],
    at_once: usize,
    work: impl AsyncFn(&&Checked) -> Result<T, Error>,
    lost: impl Fn(&Result<T, Error>) -> Option<Error>,
) -> Vec<Result<T, Error>> {
    let done = each(sections, at_once, |checked| account(checked), work, lost).await;
    let of_its = |(done, checked): (Result<T, Error>, &&Checked)| done.map_err(|error| of_section(error, checked));
    done.into_iter().zip(sections).map(of_its).collect()
}

/// An error with whose it is.
pub(crate) fn of_section(error: Error, checked: &Checked) -> Error {
    let name = &checked.settings.deployment().name;
    error.with_plan_file(&checked.source.name).with_section(name, checked.cloud.name())
}

/// What a service counts requests by.
pub(crate) fn account(checked: &Checked) -> String {
    format!("{} {}", checked.cloud, checked.settings.account())
}

/// Do something with each, so many of an account at a time; what came of it is in their order. Those of one account keep its pace, and where so
/// many of them in a row are `lost` because it cannot be reached, the rest are not tried.
pub(crate) async fn each<I, T>(
    items: &[I],
    at_once: usize,
    account: impl Fn(&I) -> String,
    work: impl AsyncFn(&I) -> Result<T, Error>,
    lost: impl Fn(&Result<T, Error>) -> Option<Error>,
) -> Vec<Result<T, Error>> {
    let mut accounts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        accounts.entry(account(item)).or_default().push(index);
    }
    let room = Semaphore::new(IN_ALL);
    let of_account = async |indices: Vec<usize>| {
        let account = Account::default();
        let one = async |index: usize| {
            let _room = room.acquire().await;
            (index, account.asked(work(&items[index]), &lost).await)
        };
        stream::iter(indices).map(one).buffer_unordered(at_once).collect::<Vec<_>>().await
    };
    let mut done: Vec<_> = join_all(accounts.into_values().map(of_account)).await.into_iter().flatten().collect();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, done)| done).collect()
}

/// What the deployments of one account share.
#[derive(Default)]
struct Account {
    pace: Arc<Pace>,
    /// How many in a row found it out of reach, and how the last one did.
    lost: RefCell<(usize, Option<Error>)>,
}

impl Account {
    async fn asked<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
        lost: impl Fn(&Result<T, Error>) -> Option<Error>,
    ) -> Result<T, Error> {
        if let (OF_AN_ACCOUNT.., Some(error)) = &*self.lost.borrow() {
            let message = format!("{OF_AN_ACCOUNT} deployments of its account in a row were out of reach: {error}");
            return Err(Error::new(error.kind(), "ask for it").with_message(message));
        }
        let done = retry::at_pace(Arc::clone(&self.pace), work).await;
        let mut state = self.lost.borrow_mut();
        *state = match lost(&done) {
            Some(error) => (state.0 + 1, Some(error)),
            None => (0, None),
        };
        done
    }
}

/// Why a look says nothing of a deployment, where it would say nothing of the next one of its account either.
pub(crate) fn out_of_reach(looked: &Result<ChangeSet, Error>) -> Option<Error> {
    match looked {
        Ok(set) => unread(set),
        Err(error) => Some(error.clone()).filter(is_out_of_reach),
    }
}

/// The same where it was looked at.
pub(crate) fn unread(set: &ChangeSet) -> Option<Error> {
    set.unreadable.iter().map(|unread| &unread.0).find(|error| is_out_of_reach(error)).cloned()
}

/// Whether the next deployment of the account would end so too.
pub(crate) fn is_out_of_reach(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::RateLimited | ErrorKind::Unauthenticated)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::*;

    fn lost(done: &Result<usize, Error>) -> Option<Error> {
        done.as_ref().err().cloned()
    }

    #[tokio::test(start_paused = true)]
    async fn account_that_does_not_answer_ends_soon_and_keeps_no_other_waiting() {
        let items: Vec<_> = (0..1000).map(|number| (if number % 2 == 0 { "dead" } else { "alive" }, number)).collect();
        let (begun, asked, last) = (Instant::now(), Cell::new(0), Cell::new(Duration::ZERO));
        let work = async |(account, number): &(&str, usize)| {
            if *account == "dead" {
                asked.set(asked.get() + 1);
                sleep(Duration::from_secs(20)).await;
                return Err(Error::new(ErrorKind::Unavailable, "look"));
            }
            sleep(Duration::from_millis(100)).await;
            last.set(begun.elapsed());
            Ok(*number)
        };
        let done = each(&items, OF_AN_ACCOUNT, |(account, _)| (*account).to_owned(), work, lost).await;
        assert_eq!(asked.get(), OF_AN_ACCOUNT);
        assert!(begun.elapsed() < Duration::from_secs(21) && last.get() < Duration::from_secs(10));
        for ((account, number), done) in items.iter().zip(&done) {
            match *account {
                "dead" => assert_eq!(done.as_ref().unwrap_err().kind(), ErrorKind::Unavailable),
                _ => assert_eq!(*done.as_ref().unwrap(), *number),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn account_that_answers_now_and_then_is_asked_for_all() {
        let items: Vec<_> = (0..100).collect();
        let work = async |number: &usize| match number % 10 {
            0 => Ok(*number),
            _ => Err(Error::new(ErrorKind::Unavailable, format!("look at {number}"))),
        };
        let done = each(&items, OF_AN_ACCOUNT, |_| String::new(), work, lost).await;
        let texts = done.iter().filter_map(|done| done.as_ref().err()).map(ToString::to_string);
        assert!(texts.into_iter().all(|text| text.starts_with("cannot look at ")));
    }
}
