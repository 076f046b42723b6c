//! `provision output`, `provision <cloud> output`: the settings for the server, from the plan file alone unless secrets are asked
//! for.

mod written;
mod place;
mod many;

use std::path::{Path, PathBuf};

use provision_core::change_set::Purpose;
use provision_core::{engine, terraform};

use self::place::{add, replace, target};
use self::written::{Form, Secrets, form, gather, say, used, write};
use crate::arguments::{Format, Global, OutputArguments, PlanFiles};
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::{Checked, ForServer, Scope, can_write};
use crate::session::Session;
use crate::view::{self, View};

pub(crate) async fn run(mut asked: OutputArguments, scope: Scope, global: &Global, view: &dyn View) -> CommandResult {
    let name = name_of(&mut asked.words);
    let of = PlanFiles { plan_files: std::mem::take(&mut asked.words), shard: asked.shard };
    match name {
        name if !is_many(&of) => one(asked, of.plan_files.into_iter().next(), name, scope, global, view).await,
        None => many::run(&asked, &of, scope, global, view).await,
        Some(name) => Err(Failure::Usage(format!(
            "`{name}` is printed of one plan file: name one, or take `--json`, which has those of many"
        ))),
    }
}

/// A folder is many plan files, however many are in it, and so is a share: what is printed looks alike then.
fn is_many(of: &PlanFiles) -> bool {
    of.shard.is_some() || of.plan_files.len() > 1 || of.plan_files.iter().any(|path| path.is_dir())
}

/// The name of a setting, which stands behind the plan file: it is upper case and no file, or what follows one file and is no path.
fn name_of(words: &mut Vec<PathBuf>) -> Option<String> {
    let is_name = match words.as_slice() {
        [file, last] if !file.is_dir() => is_setting(last) || !is_path(last),
        words => words.last().is_some_and(|last| is_setting(last)),
    };
    words.pop_if(|_| is_name).map(|name| name.display().to_string())
}

fn is_path(path: &Path) -> bool {
    path.exists() || path.display().to_string().contains(['.', '/'])
}

/// Settings are upper case.
fn is_setting(path: &Path) -> bool {
    let text = path.display().to_string();
    !path.exists() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

async fn one(
    asked: OutputArguments,
    plan_file: Option<PathBuf>,
    name: Option<String>,
    scope: Scope,
    global: &Global,
    view: &dyn View,
) -> CommandResult {
    let secrets = Secrets::asked(asked.reveal, asked.no_secrets, asked.out.is_some());
    let path = scope.plan_file_path(plan_file)?;
    let read = match used(name.as_deref(), asked.format, secrets) {
        Some(used) => scope.check_using(&path, used)?,
        None => scope.check_with_server(&path, name.as_deref())?,
    };
    let out = target(asked.format, asked.out)?;
    can_write(out.as_deref(), &path)?;
    for warning in &read.server.warnings {
        view::diagnostic(&view::error::warning(warning));
    }
    let session = Session::open(&read.sections.iter().collect::<Vec<_>>(), global, view)?;
    let form = match (name, asked.format) {
        (None, Some(Format::TfImport)) => return import(&read, &session, view, out.as_deref()).await,
        (Some(name), _) => Form::Value(name),
        (None, _) if global.json => Form::Document,
        (None, format) => form(format, out.is_some()),
    };
    let outputs = gather(&read, &session, &form, secrets).await?;
    let missing = matches!(form, Form::Value(_)) && outputs.iter().all(|output| output.known().is_none());
    let written = write(&read, &form, &outputs, secrets)?;
    if !matches!(form, Form::Table) {
        say(&written.notes);
    }
    // A runner has to know a secret before anything can print it.
    view::exact(&written.masks);
    match out {
        Some(path) if asked.format == Some(Format::Github) => add(&path, &written.text)?,
        Some(path) => replace(&path, &written.text)?,
        None => view::exact(&written.text),
    }
    Ok(if missing { Exit::Failure } else { Exit::Done })
}

/// What is there, as Terraform is to know it.
async fn import(read: &ForServer, session: &Session, view: &dyn View, out: Option<&Path>) -> CommandResult {
    let (importable, others): (Vec<_>, Vec<_>) =
        read.sections.iter().partition(|section| section.settings.outside_terraform().is_none());
    let outside = |section: &&Checked| {
        let reason = section.settings.outside_terraform().unwrap_or_default();
        format!("section `{}` has no import blocks: {reason}", section.cloud)
    };
    let notes: Vec<_> = others.iter().map(outside).collect();
    if importable.is_empty() && !notes.is_empty() {
        return Err(Failure::Usage(notes.join("; ")));
    }
    say(&notes);
    let mut managed = Vec::new();
    for section in importable {
        let observer = session.observer(section, view).await?;
        managed.extend(engine::managed(observer.as_ref(), &section.intent(Purpose::Apply, false), view).await?);
    }
    let text = terraform::imports(&managed);
    if managed.is_empty() {
        say(&["nothing of this deployment is there: apply it first".to_owned()]);
    }
    match out {
        Some(path) => replace(path, &text)?,
        None => view::exact(&text),
    }
    Ok(if managed.is_empty() { Exit::Failure } else { Exit::Done })
}
