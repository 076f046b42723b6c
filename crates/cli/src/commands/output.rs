//! `provision <cloud> output`: the settings for the server, from the plan file alone unless secrets are asked for.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use provision_core::file::{self, Readers};
use provision_core::output::{Output, OutputFormat, Setting, render, table};
use provision_core::{Error, ErrorKind};

use crate::arguments::{Format, Global, OutputArguments};
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::{can_write, check, plan_file_path};
use crate::providers::ProviderId;
use crate::session::Session;
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

pub(crate) async fn run(asked: OutputArguments, cloud: ProviderId, global: &Global, view: &dyn View) -> CommandResult {
    let secrets = Secrets::asked(asked.reveal, asked.no_secrets, asked.out.is_some());
    let (plan_file, name) = tell_apart(asked.plan_file, asked.name);
    let path = plan_file_path(plan_file, cloud)?;
    let checked = check(&path, cloud)?;
    can_write(asked.out.as_deref(), &path)?;
    // Who does not read it on a terminal is a program, which takes what stands in the place of a secret for the secret.
    let by_default = (name.is_none() && !std::io::stdout().is_terminal()).then_some(OutputFormat::Env);
    let format = asked.format.map(chosen).or(by_default);
    let session = Session::open(&[&checked], global, view)?;
    let known = checked.settings.outputs(&session.connection).await?;
    let known = chosen_outputs(known, name.as_deref())?;
    let for_program = global.json || format.is_some() || name.is_some() || asked.out.is_some();
    if for_program && secrets == Secrets::Redacted && known.iter().any(Output::is_sensitive) {
        let message = "there is a secret among these settings: add `--reveal` to fetch it, or `--no-secrets`";
        return Err(Failure::Usage(message.to_owned()));
    }
    let fetched = secrets == Secrets::Revealed && known.iter().any(Output::is_sensitive);
    let outputs = match fetched {
        true => chosen_outputs(checked.settings.reveal(&session.connection).await?, name.as_deref())?,
        false => known,
    };
    let outputs: Vec<_> =
        outputs.into_iter().filter(|output| secrets != Secrets::LeftOut || !output.is_sensitive()).collect();
    let text = match (&name, format) {
        (Some(_), _) => outputs.iter().filter_map(Output::known).map(|value| format!("{value}\n")).collect(),
        (None, _) if global.json => view::json::output(&outputs),
        (None, Some(format)) => render(&outputs, format),
        (None, None) if asked.out.is_some() => render(&outputs, OutputFormat::Env),
        (None, None) => table(&outputs),
    };
    if for_program {
        say_unavailable(&outputs);
    }
    match asked.out {
        Some(path) => write(&path, &text)?,
        None => view::result(&text),
    }
    let missing = name.is_some() && text.is_empty();
    Ok(if missing { Exit::Failure } else { Exit::Done })
}

/// Warn about secrets that do not exist: what programs read lacks them.
fn say_unavailable(outputs: &[Output]) {
    for output in outputs {
        if let Setting::Unavailable(reason) = &output.value {
            view::diagnostic(&view::error::warning(&format!("{} is left out: {reason}", output.name)));
        }
    }
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

/// All of them, or the one that is named.
fn chosen_outputs(outputs: Vec<Output>, name: Option<&str>) -> Result<Vec<Output>, Failure> {
    let Some(name) = name else { return Ok(outputs) };
    match outputs.iter().find(|output| output.name == name) {
        Some(output) => Ok(vec![output.clone()]),
        None => {
            let names: Vec<_> = outputs.iter().map(|output| output.name.as_str()).collect();
            Err(Failure::Usage(format!("no setting `{name}`; this plan file has {}", names.join(", "))))
        }
    }
}

const fn chosen(format: Format) -> OutputFormat {
    match format {
        Format::Env => OutputFormat::Env,
        Format::Dotenv => OutputFormat::Dotenv,
        Format::Json => OutputFormat::Json,
    }
}

/// Settings may hold secrets: nobody else's to read.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    file::replace(path, text, Readers::Owner).map_err(|error| {
        let tried = format!("cannot write `{}`", path.display());
        Error::new(ErrorKind::Unexpected, tried).with_message(error.to_string())
    })
}
