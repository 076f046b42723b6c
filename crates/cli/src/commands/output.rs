//! `provision <cloud> output`: the settings for the server, from the plan file alone.

use std::path::{Path, PathBuf};

use provision_core::output::{Output, OutputFormat, render};
use provision_core::{Error, ErrorKind};

use crate::arguments::{Cloud, Format, Global};
use crate::commands::{Ended, Failure};
use crate::exit::Exit;
use crate::session::{check, plan_file_path};
use crate::view;

pub(crate) async fn run(
    first: Option<PathBuf>,
    cloud: Cloud,
    second: Option<String>,
    format: Format,
    out: Option<PathBuf>,
    global: &Global,
) -> Ended {
    let (plan_file, name) = tell_apart(first, second);
    let checked = check(&plan_file_path(plan_file, cloud), cloud)?;
    let outputs = checked.settings.outputs().await?;
    let text = match name {
        Some(name) => one(&outputs, &name)?,
        None => render(&outputs, chosen(format, global)),
    };
    match out {
        Some(path) => write(&path, &text)?,
        None => view::result(&text),
    }
    Ok(Exit::Done)
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

fn one(outputs: &[Output], name: &str) -> Result<String, Failure> {
    let found = outputs.iter().find(|output| output.name == name);
    let names = || outputs.iter().map(|output| output.name.as_str()).collect::<Vec<_>>().join(", ");
    let missing = || Failure::Usage(format!("no setting `{name}`; this plan file has {}", names()));
    found.map(|output| format!("{}\n", output.value)).ok_or_else(missing)
}

fn chosen(format: Format, global: &Global) -> OutputFormat {
    match format {
        _ if global.json => OutputFormat::Json,
        Format::Env => OutputFormat::Env,
        Format::Dotenv => OutputFormat::Dotenv,
        Format::Json => OutputFormat::Json,
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|error| {
        let tried = format!("cannot write `{}`", path.display());
        Error::new(ErrorKind::Unexpected, tried).message(error.to_string())
    })
}
