//! A new key in the place of the one that the server has, in two steps
//! (<https://learn.microsoft.com/azure/storage/common/storage-account-keys-manage#manually-rotate-access-keys>): the account's other
//! key is made anew, and given to the server; once it has that, the former one is made anew.
//!
//! No key is made anew that the server may have, unless somebody says which one it has. What is known without being told is which
//! key the plan file names, and when each was made.

use std::cell::Cell;
use std::cmp::Ordering;

use azure_core::http::Url;
use azure_core::time::{OffsetDateTime, parse_rfc3339};
use provision_core::output::Secret;
use provision_core::provider::Connection;
use provision_core::retry::{self, Progress};
use provision_core::{Error, ErrorKind};

use crate::blockers::missing;
use crate::client::models::KeyTimes;
use crate::client::{Reader, Writer};
use crate::config::{KeyName, Settings};
use crate::credential;
use crate::names::Names;

/// Looks after which a key that was made a moment ago is not waited for any more: about a minute.
const MOST_LOOKS: u32 = 12;
/// What is listed to see whether a key is taken: nothing is called so.
const NOTHING: &str = "provision-rotate-key/";

/// Which step is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The first one; `server_has` is the key that somebody says the server has.
    Begin {
        /// That key.
        server_has: Option<KeyName>,
    },
    /// The second one: somebody says that the server has the plan file's key.
    Finish,
}

/// What a step comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This key is made anew.
    Make(KeyName),
    /// Nothing: this key was made anew already, and is to be given to the server.
    Give(KeyName),
    /// Nothing: the former key was made anew already.
    Finished,
}

/// The keys of a plan file's account.
#[derive(Debug)]
pub struct Rotation {
    writer: Writer,
    names: Names,
    blobs: Url,
    /// The key that the plan file names.
    given: KeyName,
    /// How old that is beside the other one: `Less` is earlier.
    age: Ordering,
}

impl Rotation {
    /// Look at the account.
    ///
    /// # Errors
    ///
    /// There is none, or it takes no keys.
    pub async fn open(settings: &Settings, connection: &Connection) -> Result<Self, Error> {
        let (clients, _) = credential::connect(&settings.azure, connection).await?;
        let (writer, names) = (Writer::new(clients), Names::of(settings));
        let account = writer.reader().get_account(&names.account_id()).await?.ok_or_else(|| missing(&names))?;
        if !account.allows_shared_keys() {
            return Err(keys_are_off(&names));
        }
        let no_blobs = || {
            let error =
                Error::new(ErrorKind::Unsupported, format!("find the blobs of storage account `{}`", names.account));
            error.with_message("the account has no blob endpoint")
        };
        let blobs = writer.reader().blob_endpoint(&account).ok_or_else(no_blobs)?;
        let given = settings.azure.account.key;
        let age = age(given, &account.properties.key_creation_time.unwrap_or_default());
        Ok(Self { writer, names, blobs, given, age })
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.names.account
    }

    /// The key that the plan file names.
    #[must_use]
    pub const fn given(&self) -> KeyName {
        self.given
    }

    /// What a step comes to, as the account's keys are.
    ///
    /// # Errors
    ///
    /// The server may have the key that would be made anew.
    pub fn next(&self, step: Step) -> Result<Next, Error> {
        next(step, self.given, self.age)
    }

    /// Make a key anew.
    ///
    /// # Errors
    ///
    /// It may have been made anew all the same, where no answer came.
    pub async fn make(&self, key: KeyName) -> Result<(), Error> {
        self.writer.regenerate_key(&self.names.account_id(), key.as_str()).await
    }

    /// Read with a key as the server would, for a while again: a new one is not taken everywhere at once.
    ///
    /// # Errors
    ///
    /// It is not taken, or blobs cannot be read from this machine.
    pub async fn works(&self, key: KeyName) -> Result<(), Error> {
        let looks = Cell::new(0);
        let look = || async {
            looks.set(looks.get() + 1);
            match self.read(key).await {
                Err(error) if error.kind() == ErrorKind::Unauthenticated && looks.get() < MOST_LOOKS => {
                    Ok(Progress::Running(None))
                }
                read => read.map(Progress::Done),
            }
        };
        let late = || Error::new(ErrorKind::Unavailable, format!("read with `{}`", key.as_str()));
        retry::poll(look, late).await.map_err(|error| self.unread(key, error))
    }

    async fn read(&self, key: KeyName) -> Result<(), Error> {
        let (reader, id): (&Reader, _) = (self.writer.reader(), self.names.account_id());
        let secret: Option<Secret> = reader.list_keys(&id, key.as_str()).await?;
        let secret = secret.ok_or_else(|| {
            let error = Error::new(ErrorKind::NotFound, format!("find `{}`", key.as_str()));
            error.with_message(format!("storage account `{}` has no such key", self.names.account))
        })?;
        let blobs = reader.blob_store(&id, &self.blobs, &self.names.container, Some(secret))?;
        match reader.list_blobs_below(&blobs, NOTHING).await {
            Ok(_) => Ok(()),
            // The key was looked at first.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn unread(&self, key: KeyName, error: Error) -> Error {
        error.tried(format!("read blobs of storage account `{}` with `{}`", self.names.account, key.as_str()))
    }
}

/// What a step comes to with the plan file's key, and its age beside the other one's.
fn next(step: Step, given: KeyName, age: Ordering) -> Result<Next, Error> {
    let other = given.other();
    match (step, age) {
        (Step::Begin { server_has: Some(told) }, _) if told != given => Err(other_is_told(told)),
        (Step::Begin { .. }, Ordering::Greater) => Ok(Next::Give(given)),
        (Step::Begin { .. }, Ordering::Equal) | (Step::Begin { server_has: Some(_) }, Ordering::Less) => {
            Ok(Next::Make(other))
        }
        (Step::Begin { server_has: None }, Ordering::Less) => Err(maybe_given(given)),
        (Step::Finish, Ordering::Greater) => Ok(Next::Make(other)),
        (Step::Finish, Ordering::Less) => Ok(Next::Finished),
        (Step::Finish, Ordering::Equal) => Err(nothing_begun()),
    }
}

/// How a key's age is beside the other one's. What is not known was made before the service kept it.
fn age(given: KeyName, made: &KeyTimes) -> Ordering {
    let at = |text: &Option<String>| -> Option<OffsetDateTime> { parse_rfc3339(text.as_deref()?).ok() };
    let (first, second) = (at(&made.key1), at(&made.key2));
    match given {
        KeyName::Key1 => first.cmp(&second),
        KeyName::Key2 => second.cmp(&first),
    }
}

fn refused(reason: String, hint: String) -> Error {
    Error::new(ErrorKind::Refused, "no key was made anew").with_message(reason).with_hint(hint)
}

fn other_is_told(told: KeyName) -> Error {
    let told = told.as_str();
    refused(
        format!("the server is said to have `{told}`, and the plan file names the other key"),
        format!("write `key = \"{told}\"` under [azure.account], then run the same command again"),
    )
}

fn maybe_given(given: KeyName) -> Error {
    let (given, other) = (given.as_str(), given.other().as_str());
    refused(
        format!("`{other}` was made after `{given}`, which the plan file names: the server may have either"),
        format!(
            "if the server has `{given}`, say so with `--server-has {given}`; if it was given `{other}` already, write `key = \
             \"{other}\"` under [azure.account] and run this with `--finish`"
        ),
    )
}

fn nothing_begun() -> Error {
    refused(
        "both keys are as old as the account: nothing was begun".to_owned(),
        "leave `--finish` out: that makes the other key anew, to be given to the server".to_owned(),
    )
}

fn keys_are_off(names: &Names) -> Error {
    refused(
        format!("storage account `{}` takes no shared keys", names.account),
        "nothing is to be done: the server signs in with an identity of its own ([azure.access])".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use KeyName::{Key1, Key2};
    use Ordering::{Equal, Greater, Less};

    const BEGIN: Step = Step::Begin { server_has: None };

    fn kind(step: Step, given: KeyName, age: Ordering) -> Result<Next, ErrorKind> {
        next(step, given, age).map_err(|error| error.kind())
    }

    #[test]
    fn key_that_the_server_may_have_is_not_made_anew_unless_it_is_told_which_it_has() {
        let told = |key| Step::Begin { server_has: Some(key) };
        // A new account; in between; afterwards, or with a plan file from before.
        assert_eq!([BEGIN, told(Key1)].map(|step| kind(step, Key1, Equal)), [Ok(Next::Make(Key2)); 2]);
        assert_eq!([BEGIN, told(Key2)].map(|step| kind(step, Key2, Greater)), [Ok(Next::Give(Key2)); 2]);
        assert_eq!(kind(BEGIN, Key2, Less), Err(ErrorKind::Refused));
        assert_eq!(kind(told(Key2), Key2, Less), Ok(Next::Make(Key1)));
        assert_eq!([Less, Equal, Greater].map(|age| kind(told(Key1), Key2, age)), [Err(ErrorKind::Refused); 3]);
    }

    #[test]
    fn second_step_makes_the_former_key_anew_once() {
        assert_eq!(kind(Step::Finish, Key2, Greater), Ok(Next::Make(Key1)));
        assert_eq!(kind(Step::Finish, Key2, Less), Ok(Next::Finished));
        assert_eq!(kind(Step::Finish, Key1, Equal), Err(ErrorKind::Refused));
    }

    #[test]
    fn ages_are_compared_as_times_and_what_is_not_known_is_older() {
        let made = |first: Option<&str>, second: Option<&str>| KeyTimes {
            key1: first.map(str::to_owned),
            key2: second.map(str::to_owned),
        };
        let times = made(Some("2026-11-26T12:00:00.5Z"), Some("2026-11-26T12:00:00.4531253Z"));
        assert_eq!((age(Key1, &times), age(Key2, &times)), (Greater, Less));
        assert_eq!(age(Key1, &made(None, Some("2026-11-26T12:00:00Z"))), Less);
        assert_eq!(age(Key2, &made(None, None)), Equal);
    }
}
