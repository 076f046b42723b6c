//! The settings of many plan files in one text, each by themselves: one that is broken or fails keeps none of the others from being
//! printed.

use std::path::Path;

use provision_core::Error;
use provision_core::formats::{OfDeployment, Together};
use provision_core::output::Output;
use provision_core::plan_file::PlanFileError;

use super::place::replace;
use super::written::{Form, Secrets, form, gather, say, used, write};
use crate::arguments::{Format, Global, OutputArguments, PlanFiles};
use crate::exit::{CommandResult, Exit, Failure};
use crate::fleet::{self, Whose};
use crate::plan_files::{ForServer, Scope, can_write};
use crate::session::Session;
use crate::view::{self, View};

/// What is asked of each.
struct Wanted {
    form: Form,
    together: Together,
    secrets: Secrets,
}

/// A plan file, and what is read of it.
struct File {
    name: String,
    read: ForServer,
}

/// Its settings, and how they are written.
struct Found {
    outputs: Vec<Output>,
    text: String,
}

pub(super) async fn run(
    asked: &OutputArguments,
    of: &PlanFiles,
    scope: Scope,
    global: &Global,
    view: &dyn View,
) -> CommandResult {
    let wanted = Wanted::of(asked, global)?;
    let out = asked.out.as_deref();
    fleet::read_by(of, scope).iter().try_for_each(|path| can_write(out, path))?;
    let read = |path: &Path| read(path, asked.format, wanted.secrets, scope);
    let (files, broken) = fleet::read_each(of, scope, read, |file| wanted.whose(file))?;
    let (found, failures) = split(&files, wanted.of_each(&files, global, view).await?);
    let exits = failures.iter().map(|(_, failure)| failure.exit()).chain((!broken.is_empty()).then_some(Exit::Usage));
    let worst = exits.max_by_key(|exit| exit.weight());
    let mut errors: Vec<_> = failures.iter().flat_map(|(file, failure)| of_file(file, failure)).collect();
    errors.extend(Failure::PlanFiles(broken).errors());
    let text = wanted.text(&found, &errors);
    match out {
        // What was there before is better than nothing.
        Some(_) if found.is_empty() && !errors.is_empty() => {}
        Some(path) => replace(path, &text)?,
        None => view::exact(&text),
    }
    worst.map_or(Ok(Exit::Done), |exit| Err(Failure::Shown(exit, errors)))
}

fn read(path: &Path, format: Option<Format>, secrets: Secrets, scope: Scope) -> Result<File, PlanFileError> {
    let read = match used(None, format, secrets) {
        Some(used) => scope.check_using(path, used)?,
        None => scope.check_with_server(path, None)?,
    };
    Ok(File { name: path.display().to_string(), read })
}

type Row<'a, T> = (&'a File, T);

/// What was found, and why nothing was of others, each with its plan file.
fn split(files: &[File], found: Vec<Result<Found, Failure>>) -> (Vec<Row<'_, Found>>, Vec<Row<'_, Failure>>) {
    let (mut all, mut failures) = (Vec::new(), Vec::new());
    for (file, found) in files.iter().zip(found) {
        match found {
            Ok(found) => all.push((file, found)),
            Err(failure) => failures.push((file, failure)),
        }
    }
    (all, failures)
}

fn of_file(file: &File, failure: &Failure) -> Vec<Error> {
    failure.errors().into_iter().map(|error| error.with_plan_file(&file.name)).collect()
}

impl Wanted {
    /// As the flags ask.
    ///
    /// # Errors
    ///
    /// Whoever reads that format reads the settings of one deployment.
    fn of(asked: &OutputArguments, global: &Global) -> Result<Self, Failure> {
        let secrets = Secrets::asked(asked.reveal, asked.no_secrets, asked.out.is_some());
        let (form, together) = match form(asked.format, asked.out.is_some()) {
            _ if asked.format == Some(Format::TfImport) => (Form::Document, None),
            _ if global.json => (Form::Document, Some(Together::Headed)),
            Form::Format(format) => (Form::Format(format), format.together()),
            form => (form, Some(Together::Headed)),
        };
        let together = together.ok_or_else(|| {
            let message = "what takes this format takes the settings of one deployment: name one plan file at a time, or take \
                           `--json`, or `--format` env, dotenv, json, k8s-secret, cr or cr-v1";
            Failure::Usage(message.to_owned())
        })?;
        Ok(Self { form, together, secrets })
    }

    /// Whose it is. Of two deployments of one place in the text nobody could tell which it is.
    fn whose(&self, file: &File) -> Whose {
        let deployment = file.read.deployment.name.clone();
        let place = self.together.name(&deployment).map(str::to_owned);
        Whose { places: fleet::places(&file.read.sections).into_iter().chain(place).collect(), deployment }
    }

    /// The settings of each, as far as they can be had and written.
    ///
    /// # Errors
    ///
    /// No connection can be opened.
    async fn of_each(
        &self,
        files: &[File],
        global: &Global,
        view: &dyn View,
    ) -> Result<Vec<Result<Found, Failure>>, Failure> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let sections: Vec<_> = files.iter().flat_map(|file| &file.read.sections).collect();
        let session = Session::open(&sections, global, view)?;
        let find = async |file: &File| Ok(self.found(file, &session).await);
        let account = |file: &File| file.read.sections.first().map(fleet::account).unwrap_or_default();
        let all = fleet::each(files, fleet::OF_AN_ACCOUNT, account, find, lost).await;
        Ok(all.into_iter().map(|found| found.unwrap_or_else(|error| Err(error.into()))).collect())
    }

    async fn found(&self, file: &File, session: &Session) -> Result<Found, Failure> {
        let name = &file.name;
        let say = |notes: &[String]| say(&notes.iter().map(|note| format!("{name}: {note}")).collect::<Vec<_>>());
        say(&file.read.server.warnings);
        let outputs = gather(&file.read, session, &self.form, self.secrets).await?;
        let written = write(&file.read, &self.form, &outputs, self.secrets)?;
        if !matches!(self.form, Form::Table) {
            say(&written.notes);
        }
        Ok(Found { outputs, text: written.text })
    }

    fn text(&self, found: &[Row<'_, Found>], errors: &[Error]) -> String {
        let of = |file: &&'_ File| (file.read.deployment.name.clone(), file.name.clone());
        if matches!(self.form, Form::Document) {
            let row = |(file, found): &'_ Row<'_, Found>| (of(file), found.outputs.clone());
            return view::json::outputs(&found.iter().map(row).collect::<Vec<_>>(), errors);
        }
        let one = |(file, found): &Row<'_, Found>| {
            let (name, plan_file) = of(file);
            OfDeployment { name, plan_file, text: found.text.clone() }
        };
        self.together.joined(&found.iter().map(one).collect::<Vec<_>>())
    }
}

/// Why there are no settings, where the next one of the account would have none either.
fn lost(found: &Result<Result<Found, Failure>, Error>) -> Option<Error> {
    let errors = match found {
        Ok(Err(Failure::Errors(errors))) => errors.clone(),
        Err(error) => vec![error.clone()],
        Ok(_) => Vec::new(),
    };
    errors.into_iter().find(fleet::is_out_of_reach)
}
