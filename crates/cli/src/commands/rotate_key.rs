//! `provision azure rotate-key`: a new key for the server, and the former one made useless once it has that.

use std::path::Path;

use provision_azure::{KeyName, Next, Rotation, Settings, Step};
use provision_core::file;
use provision_core::{Error, ErrorKind};

use super::output;
use crate::approval::{ask, can_ask};
use crate::arguments::{Global, Keeping, Key, OutputArguments, RotateKey, quoted};
use crate::exit::{CommandResult, Exit, Failure};
use crate::keeper;
use crate::plan_files::{Checked, Scope, can_write, check, plan_file_path};
use crate::providers::ProviderId;
use crate::session::{Invocation, Session};

/// The section that names the server's key.
const SECTION: &str = "azure.account";

pub(crate) async fn run(asked: RotateKey, invocation: Invocation<'_>) -> CommandResult {
    let Invocation { global, signals, view } = invocation;
    let path = plan_file_path(asked.plan_file.clone(), ProviderId::Azure)?;
    can_write(asked.out.as_deref(), &path)?;
    let checked = check(&path, ProviderId::Azure)?;
    if !asked.finish {
        file::writable(&path).map_err(|error| unwritable(&path, &error))?;
    }
    can_ask(asked.yes)?;
    let session = Session::open(&[&checked], global, view)?;
    let agreed = async {
        let keys = open(&checked, &session).await?;
        let next = keys.next(step(&asked))?;
        if let (Next::Make(key), false) = (next, asked.yes) {
            ask(&question(&keys, key), "yes").await?;
        }
        // Whoever has been faster while somebody was asked has given the key away.
        let keys = open(&checked, &session).await?;
        let next = keys.next(step(&asked))?;
        if let Next::Make(_) = next {
            keys.works(keys.given()).await?;
        }
        Ok((keys, next))
    };
    let (keys, next) = signals.unless_stopped(agreed).await?;
    if let Next::Make(key) = next {
        signals.begin_writing();
        keys.make(key).await.map_err(|error| maybe_made(error, &keys, key))?;
        keys.works(key).await?;
        keys.works(keys.given()).await?;
    }
    if asked.finish {
        view.note(&finished(&keys, next));
        return Ok(Exit::Done);
    }
    let key = match next {
        Next::Make(key) => {
            keeper::of(&Keeping::default(), &checked).note(SECTION, &[("key", Some(key.as_str()))]).map_err(unnoted)?;
            key
        }
        Next::Give(_) | Next::Finished => keys.given(),
    };
    view.note(&begun(&keys, key, next, &path, global));
    drop(session);
    let secret = asked.reveal || asked.out.is_some();
    let settings = OutputArguments {
        words: vec![path],
        shard: None,
        format: None,
        reveal: asked.reveal,
        no_secrets: !secret,
        out: asked.out,
    };
    output::run(settings, Scope::One(ProviderId::Azure), global, view).await
}

async fn open(checked: &Checked, session: &Session) -> Result<Rotation, Error> {
    let settings: Settings = serde_json::from_value(checked.settings.to_json())
        .map_err(|error| Error::new(ErrorKind::Unexpected, "read the settings").with_message(error.to_string()))?;
    Rotation::open(&settings, &session.connection).await
}

fn step(asked: &RotateKey) -> Step {
    let name = |key: Key| match key {
        Key::Key1 => KeyName::Key1,
        Key::Key2 => KeyName::Key2,
    };
    match asked.finish {
        true => Step::Finish,
        false => Step::Begin { server_has: asked.server_has.map(name) },
    }
}

fn question(keys: &Rotation, key: KeyName) -> String {
    let (key, account, given) = (key.as_str(), keys.account(), keys.given().as_str());
    format!("Make `{key}` of storage account `{account}` anew? Whoever has it is shut out; the server keeps `{given}`.")
}

/// What was done, and what is to be done with it.
fn begun(keys: &Rotation, key: KeyName, next: Next, path: &Path, global: &Global) -> String {
    let (former, account, key) = (key.other().as_str(), keys.account(), key.as_str());
    let done = match next {
        Next::Make(_) => {
            format!("`{key}` of storage account `{account}` is new, both keys work, and the plan file names it")
        }
        Next::Give(_) | Next::Finished => {
            format!("`{key}` of storage account `{account}` was made anew already, and the plan file names it")
        }
    };
    let command = |rest: &str| format!("provision azure {rest}{}", global.sandbox_flag());
    let file = quoted(path);
    format!(
        "{done}\nGive it to the server (`{}`), restart that, and make `{former}` useless then:\n  {}\n",
        command(&format!("output {file} --reveal")),
        command(&format!("rotate-key {file} --finish"))
    )
}

fn finished(keys: &Rotation, next: Next) -> String {
    let (given, former, account) = (keys.given().as_str(), keys.given().other().as_str(), keys.account());
    match next {
        Next::Make(_) => {
            format!("`{former}` of storage account `{account}` is new: nobody has it, and `{given}` works\n")
        }
        Next::Give(_) | Next::Finished => {
            format!("`{former}` of storage account `{account}` was made anew already: there is nothing to do\n")
        }
    }
}

fn maybe_made(error: Error, keys: &Rotation, key: KeyName) -> Error {
    if error.kind() != ErrorKind::Unavailable {
        return error;
    }
    let (key, given) = (key.as_str(), keys.given().as_str());
    error.with_hint(format!("`{key}` may be new already; nobody was given it, and the server keeps `{given}`"))
}

fn unnoted(error: Error) -> Error {
    error.tried("the new key's name cannot be written into the plan file, and nobody was given the key")
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Usage(format!("the key's name is written into `{}`, which cannot be: {error}", path.display()))
}
