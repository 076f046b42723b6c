//! The settings of one plan file, as they are asked for.

use std::io::IsTerminal as _;

use provision_core::formats::{self, OutputFormat, Written};
use provision_core::output::{Output, for_people};

use crate::arguments::Format;
use crate::exit::Failure;
use crate::plan_files::ForServer;
use crate::session::Session;
use crate::settings::{self, Asked};
use crate::view;

/// What happens to secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrets {
    /// Nothing was said: people see that there are some, programs have to say.
    Redacted,
    /// They are fetched and written.
    Revealed,
    /// They are left out.
    LeftOut,
}

impl Secrets {
    /// What the flags say. A file is for a program, and only its owner reads it.
    pub(super) const fn asked(reveal: bool, no_secrets: bool, into_file: bool) -> Self {
        match (reveal, no_secrets) {
            (_, true) => Self::LeftOut,
            (true, false) => Self::Revealed,
            (false, false) if into_file => Self::Revealed,
            (false, false) => Self::Redacted,
        }
    }
}

/// What the settings are written as.
pub(super) enum Form {
    /// The value of one of them.
    Value(String),
    /// The document of `--json`.
    Document,
    /// As programs read them.
    Format(OutputFormat),
    /// Lines for people.
    Table,
}

/// The secrets of `[server]` whose values are used, where neither all of them are nor one that is named: nobody is asked for what is
/// left out, or referred to.
pub(super) fn used(name: Option<&str>, format: Option<Format>, secrets: Secrets) -> Option<&'static [&'static str]> {
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
pub(super) fn form(format: Option<Format>, into_file: bool) -> Form {
    match format.and_then(chosen) {
        Some(format) => Form::Format(format),
        None if into_file || !std::io::stdout().is_terminal() => Form::Format(OutputFormat::Env),
        None => Form::Table,
    }
}

/// The settings as they are to be written.
pub(super) async fn gather(
    read: &ForServer,
    session: &Session,
    form: &Form,
    secrets: Secrets,
) -> Result<Vec<Output>, Failure> {
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

/// The settings as text.
pub(super) fn write(read: &ForServer, form: &Form, outputs: &[Output], secrets: Secrets) -> Result<Written, Failure> {
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

/// A format, but for Terraform's import blocks: they are of what is there, and no settings.
pub(super) const fn chosen(format: Format) -> Option<OutputFormat> {
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

/// Tell what a reader may want to know beside the settings.
pub(super) fn say(notes: &[String]) {
    notes.iter().for_each(|note| view::diagnostic(&view::error::warning(note)));
}
