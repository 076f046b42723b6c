//! The settings for the server, and what deserves a warning each time.

use std::path::Path;

use provision_core::file;
use provision_core::output::{Output, OutputSource, Secret, Setting};

use crate::config::checks::is_client_id;
use crate::config::{APPS_PAGE, App, Settings, SlackSection};
use crate::names::Part;

/// The setting that Slack gives once.
pub(crate) const SECRET: &str = "SLACK_SECRET";
const CLIENT_ID: &str = "SLACK_CLIENT_ID";
/// The most bytes of a file with a secret.
const LARGEST: u64 = 1 << 16;

/// What a creation gives.
pub(crate) fn given(client_id: &str, client_secret: Secret) -> Vec<Output> {
    let secret = Output { name: SECRET.to_owned(), value: Setting::Revealed(client_secret) };
    vec![Output::new(CLIENT_ID, client_id), secret]
}

/// The app that the plan file names. Beside an id that somebody wrote there after a run that was killed, the client id is in the file
/// with the secret.
pub(crate) fn app(settings: &Settings) -> App {
    let SlackSection { app_id, client_id, team_id, secret_file, .. } = settings.slack.clone();
    let saved = || saved_client_id(&settings.folder.join(secret_file.as_deref()?));
    let client_id = client_id.or_else(|| app_id.as_ref().and_then(|_| saved()));
    App { id: app_id, client_id, team_id, secret_file, printed: None }
}

/// The client id that an apply saved beside the secret.
fn saved_client_id(path: &Path) -> Option<String> {
    let bytes = file::read(path, LARGEST).ok()?;
    value_in(&String::from_utf8_lossy(&bytes), CLIENT_ID).filter(|id| is_client_id(id))
}

/// The settings for the server, without secrets that nobody asked for: the client id where it is known. Of an app that is made the secret
/// is where the apply that made it put it, or nowhere here.
pub(crate) fn outputs(app: &App) -> Vec<Output> {
    let client_id = app.client_id.as_ref().map(|id| Output::new(CLIENT_ID, id));
    let secret = match (&app.printed, &app.id) {
        (Some(secret), _) => Setting::Revealed(secret.clone()),
        (None, Some(id)) if app.secret_file.is_none() => Setting::Unavailable(elsewhere(id)),
        _ => Setting::Sealed,
    };
    client_id.into_iter().chain([Output { name: SECRET.to_owned(), value: secret }]).collect()
}

/// Where people find the secret of an app that no file here has.
fn elsewhere(app_id: &str) -> String {
    format!(
        "Slack gives it once, and no `secret_file` under [slack] names the file that has it: {APPS_PAGE}/{app_id} shows it \
         (Client Secret)"
    )
}

/// What decides them: an app that is to be made comes with both; of one that is there Slack tells neither.
pub(crate) fn sources(app: &App) -> Vec<(&'static str, OutputSource)> {
    let address = Part::App.address();
    match app.id {
        None => [CLIENT_ID, SECRET].map(|name| (name, OutputSource::Given(address.clone()))).into(),
        Some(_) => vec![(SECRET, OutputSource::Part(address))],
    }
}

/// The same with the secret, from the file that the plan file names.
pub(crate) fn revealed(settings: &Settings) -> Vec<Output> {
    let secret = Output { name: SECRET.to_owned(), value: secret(settings) };
    let client_id = app(settings).client_id.map(|id| Output::new(CLIENT_ID, id));
    client_id.into_iter().chain([secret]).collect()
}

fn secret(settings: &Settings) -> Setting {
    let Some(path) = &settings.slack.secret_file else {
        return Setting::Unavailable(elsewhere(settings.slack.app_id.as_deref().unwrap_or_default()));
    };
    match file::read(&settings.folder.join(path), LARGEST) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let other = value_in(&text, CLIENT_ID).filter(|id| Some(id) != app(settings).client_id.as_ref());
            match (other, secret_in(&text)) {
                (Some(id), _) => Setting::Unavailable(format!("`{path}` is of another app, `{id}`")),
                (None, Some(secret)) => Setting::Revealed(secret),
                (None, None) => Setting::Unavailable(format!("there is none in `{path}`")),
            }
        }
        Err(error) => Setting::Unavailable(format!("`{path}` cannot be read: {error}")),
    }
}

/// The secret of a file of settings, or of one with nothing else in it.
fn secret_in(text: &str) -> Option<Secret> {
    let mut words = text.split_whitespace();
    let alone = words.next().filter(|word| words.next().is_none() && !word.contains('='));
    let found = value_in(text, SECRET).or_else(|| alone.map(str::to_owned));
    found.filter(|secret| !secret.is_empty()).map(Secret::new)
}

/// The value of a name in a file of settings.
fn value_in(text: &str, name: &str) -> Option<String> {
    let value =
        |line: &str| Some(line.trim().strip_prefix(name)?.strip_prefix('=')?.trim_matches(['\'', '"']).to_owned());
    text.lines().find_map(value)
}

/// What is easily taken for more than it is, and what is missing.
pub(crate) fn warnings(settings: &Settings, client_id: Option<&str>) -> Vec<String> {
    let mut warnings = Vec::new();
    if !settings.ip_ranges().is_empty() {
        warnings.push("`ip_ranges` limit the app's tokens, not the webhooks that the server uses".to_owned());
    }
    if let (Some(app_id), None) = (&settings.slack.app_id, client_id) {
        warnings.push(format!(
            "SLACK_CLIENT_ID is not known: {APPS_PAGE}/{app_id} shows it, write it as `client_id` under [slack]"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_read_from_a_file_of_settings_or_from_its_own() {
        let secret = |text: &str| secret_in(text).map(|secret| secret.reveal().to_owned());
        let of = |text: &str| Some(text.to_owned());
        assert_eq!(secret("SLACK_CLIENT_ID=1.2\nSLACK_SECRET=abc\n"), of("abc"));
        assert_eq!(secret("SLACK_SECRET='a=c'\n"), of("a=c"));
        assert_eq!(secret("abc\n"), of("abc"));
        for none in ["", "SLACK_SECRET=\n", "OTHER=abc\n", "two words"] {
            assert_eq!(secret(none), None, "{none}");
        }
    }
}
