//! `provision output`, `provision <cloud> output`: the settings for the server, from the plan file alone unless secrets are asked
//! for.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use provision_core::change_set::Purpose;
use provision_core::file::{self, Readers};
use provision_core::formats::{self, OutputFormat, Written};
use provision_core::output::{Output, for_people};
use provision_core::{Error, ErrorKind, engine, terraform};

use crate::arguments::{Format, Global, OutputArguments};
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::{Checked, ForServer, Scope, can_write};
use crate::session::Session;
use crate::settings::{self, Asked};
use crate::view::{self, View};

/// What happens to secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secrets {
    /// Nothing was said: people see that there are some, programs have to say.
    Redacted,
    /// They are fetched and written.
    Revealed,
    /// They are left out.
    LeftOut,
}

impl Secrets {
    /// What the flags say. A file is for a program, and only its owner reads it.
    const fn asked(reveal: bool, no_secrets: bool, into_file: bool) -> Self {
        match (reveal, no_secrets) {
            (_, true) => Self::LeftOut,
            (true, false) => Self::Revealed,
            (false, false) if into_file => Self::Revealed,
            (false, false) => Self::Redacted,
        }
    }
}

/// What the settings are written as.
enum Form {
    /// The value of one of them.
    Value(String),
    /// The document of `--json`.
    Document,
    /// As programs read them.
    Format(OutputFormat),
    /// Lines for people.
    Table,
}

pub(crate) async fn run(asked: OutputArguments, scope: Scope, global: &Global, view: &dyn View) -> CommandResult {
    let secrets = Secrets::asked(asked.reveal, asked.no_secrets, asked.out.is_some());
    let (plan_file, name) = tell_apart(asked.plan_file, asked.name);
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

/// The secrets of `[server]` whose values are used, where neither all of them are nor one that is named: nobody is asked for what is
/// left out, or referred to.
fn used(name: Option<&str>, format: Option<Format>, secrets: Secrets) -> Option<&'static [&'static str]> {
    match format.map(chosen) {
        _ if name.is_some() => None,
        Some(None) => Some(&[]),
        Some(Some(format)) => {
            let nothing: Option<&[_]> = (secrets == Secrets::LeftOut).then_some(&[]);
            format.uses(secrets == Secrets::Revealed).or(nothing)
        }
        None => (secrets == Secrets::LeftOut).then_some(&[]),
    }
}

/// Who does not read it on a terminal is a program, which takes what stands in the place of a secret for the secret.
fn form(format: Option<Format>, into_file: bool) -> Form {
    match format.and_then(chosen) {
        Some(format) => Form::Format(format),
        None if into_file || !std::io::stdout().is_terminal() => Form::Format(OutputFormat::Env),
        None => Form::Table,
    }
}

/// The settings as they are to be written.
async fn gather(read: &ForServer, session: &Session, form: &Form, secrets: Secrets) -> Result<Vec<Output>, Failure> {
    let format = if let Form::Format(format) = form { Some(*format) } else { None };
    let refers = format.is_some_and(OutputFormat::refers_to_secrets);
    let name = if let Form::Value(name) = form { Some(name.as_str()) } else { None };
    let known = settings::gather(read, session, Asked { name, made: false, given: refers }).await?;
    let discloses = |output: &Output| match format {
        Some(format) => format.discloses(output),
        None => output.is_to_be_asked_for(),
    };
    let is_secret = known.iter().any(discloses) && !matches!(form, Form::Table);
    if is_secret && secrets == Secrets::Redacted {
        let message = "there is a secret among these settings: add `--reveal` to fetch it, or `--no-secrets`";
        return Err(Failure::Usage(message.to_owned()));
    }
    let fetched = secrets == Secrets::Revealed && format != Some(OutputFormat::Gitlab);
    let outputs = match fetched && known.iter().any(discloses) {
        true => settings::gather(read, session, Asked { name, made: true, given: true }).await?,
        false => known,
    };
    let failures: Vec<_> = outputs.iter().filter(|_| fetched).filter_map(Output::failure).collect();
    if !failures.is_empty() {
        return Err(Failure::Errors(failures));
    }
    let is_wanted = |output: &Output| secrets != Secrets::LeftOut || refers || !output.is_to_be_asked_for();
    Ok(outputs.into_iter().filter(is_wanted).collect())
}

fn write(read: &ForServer, form: &Form, outputs: &[Output], secrets: Secrets) -> Result<Written, Failure> {
    let text = |text: String| Written { text, ..Written::default() };
    let unavailable = || {
        let reason = |output: &Output| Some(format!("{} is left out: {}", output.name, output.unavailable()?));
        outputs.iter().filter_map(reason).collect()
    };
    match form {
        Form::Value(_) => {
            let values = outputs.iter().filter_map(Output::known).map(|value| format!("{value}\n"));
            Ok(Written { notes: unavailable(), ..text(values.collect()) })
        }
        Form::Document => Ok(Written { notes: unavailable(), ..text(view::json::output(outputs)) }),
        Form::Table => Ok(text(for_people(outputs, "`--reveal` shows it"))),
        Form::Format(format) => {
            let deployment = read.deployment.name.as_str();
            let in_full = secrets == Secrets::Revealed;
            let settings = formats::Settings { deployment, version: read.server.version.as_deref(), outputs, in_full };
            formats::render(&settings, *format).map_err(|error| Failure::Usage(error.to_string()))
        }
    }
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

/// The file that is written to: GitHub's is named by the runner.
fn target(format: Option<Format>, out: Option<PathBuf>) -> Result<Option<PathBuf>, Failure> {
    if format != Some(Format::Github) || out.is_some() {
        return Ok(out);
    }
    let named = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let named = named("GITHUB_OUTPUT").or_else(|| named("GITHUB_ENV"));
    let missing = "`--format github` adds to the file that `$GITHUB_OUTPUT` or `$GITHUB_ENV` names, and neither is set: name one \
                   with `--out`";
    named.map(Some).ok_or_else(|| Failure::Usage(missing.to_owned()))
}

fn say(notes: &[String]) {
    notes.iter().for_each(|note| view::diagnostic(&view::error::warning(note)));
}

/// `output BUCKET` names a setting of the default plan file: settings are upper case, and no file of that name exists.
fn tell_apart(first: Option<PathBuf>, second: Option<String>) -> (Option<PathBuf>, Option<String>) {
    match (first, second) {
        (Some(only), None) if is_setting(&only) => (None, Some(only.display().to_string())),
        (first, second) => (first, second),
    }
}

fn is_setting(path: &Path) -> bool {
    let text = path.display().to_string();
    !path.exists() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

const fn chosen(format: Format) -> Option<OutputFormat> {
    Some(match format {
        Format::Env => OutputFormat::Env,
        Format::Dotenv => OutputFormat::Dotenv,
        Format::Json => OutputFormat::Json,
        Format::Docker => OutputFormat::Docker,
        Format::Gitlab => OutputFormat::Gitlab,
        Format::Github => OutputFormat::Github,
        Format::Helm => OutputFormat::Helm,
        Format::Cr => OutputFormat::Cr,
        Format::CrV1 => OutputFormat::CrV1,
        Format::K8sSecret => OutputFormat::K8sSecret,
        Format::Tfvars => OutputFormat::Tfvars,
        Format::TfImport => return None,
    })
}

/// Settings may hold secrets: nobody else's to read.
fn replace(path: &Path, text: &str) -> Result<(), Error> {
    file::replace(path, text, Readers::Owner).map_err(|error| unwritten(path, &error))
}

/// A runner's own file, of which earlier steps have a part.
fn add(path: &Path, text: &str) -> Result<(), Error> {
    file::add(path, text).map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Error {
    let tried = format!("cannot write `{}`", path.display());
    Error::new(ErrorKind::Unexpected, tried).with_message(error.to_string())
}
