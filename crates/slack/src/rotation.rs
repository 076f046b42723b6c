//! A new configuration token in the place of one that lasts twelve hours
//! (<https://docs.slack.dev/app-manifests/configuring-apps-with-app-manifests#config-tokens>).
//!
//! What a new pair is made of is good for one call: whoever loses the answer needs a pair made by hand.

use std::path::Path;

use provision_core::file::{self, Readers};
use provision_core::formats::assignments;
use provision_core::output::{Output, Secret, Setting};
use provision_core::provider::Connection;
use provision_core::{Error, ErrorKind};

use crate::config::APPS_PAGE;
use crate::credential::{variable, without_token};

/// What a new token is made of.
const REFRESH: &str = "SLACK_REFRESH_TOKEN";
const TOKEN: &str = "SLACK_CONFIG_TOKEN";
/// The most bytes of a file with a pair.
const LARGEST: u64 = 1 << 16;

/// What became of a rotation; the tokens are in the file.
#[derive(Clone, Debug)]
pub struct TokenPair {
    /// The workspace.
    pub team: String,
    /// How many hours the token lasts.
    pub hours: u64,
}

/// Make a new pair, and put it into a file before anything else is done with it. The refresh token is the one of the file, where
/// there is one, and that of the environment where there is none, or where Slack refuses the file's.
///
/// # Errors
///
/// There is none, it was used already, or the file cannot be written, which is tried before anything is sent.
pub async fn rotate(connection: &Connection, path: &Path) -> Result<TokenPair, Error> {
    let there = present(path)?;
    let in_file = there.as_deref().and_then(refresh_token);
    let other = variable(connection, REFRESH).filter(|other| in_file.as_ref() != Some(other));
    let first = Secret::new(in_file.clone().or_else(|| other.clone()).ok_or_else(none)?);
    save(path, &there.clone().unwrap_or_else(|| pair(None, &first)))?;
    let (clients, _) = without_token(connection)?;
    let made = match (clients.rotate(&first).await, &in_file, other) {
        (Err(error), Some(_), Some(other)) if is_refused(&error) => {
            clients.rotate(&Secret::new(other)).await.map_err(|error| used_up(error, path, true))
        }
        (made, Some(_), None) => made.map_err(|error| used_up(error, path, false)),
        (made, ..) => made,
    };
    if there.is_none() && made.as_ref().is_err_and(is_refused) {
        remove(path)?;
    }
    let made = made.map_err(maybe_used)?;
    save(path, &pair(Some(&made.token), &made.refresh_token)).map_err(lost)?;
    Ok(TokenPair { team: made.team, hours: made.lasts_s / 3600 })
}

/// Whether Slack surely did not take the token.
fn is_refused(error: &Error) -> bool {
    error.kind() == ErrorKind::Unauthenticated
}

/// Whose token was refused: the file's, and that of the environment too, where it is another one.
fn used_up(error: Error, path: &Path, both: bool) -> Error {
    if !is_refused(&error) {
        return error;
    }
    let (path, pair) =
        (path.display(), format!("make a new pair at {APPS_PAGE}, put its refresh token into {REFRESH}"));
    error.with_hint(match both {
        true => format!("neither the refresh token in `{path}` nor that of {REFRESH} is taken, each of which can be used once: {pair}"),
        false => format!(
            "the refresh token in `{path}` was sent, and it was used already or is none: {pair}, and run the same command again"
        ),
    })
}

fn remove(path: &Path) -> Result<(), Error> {
    std::fs::remove_file(path).map_err(|error| failed("remove", path, &error))
}

fn present(path: &Path) -> Result<Option<String>, Error> {
    match file::read(path, LARGEST) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, &error)),
    }
}

fn refresh_token(text: &str) -> Option<String> {
    let value =
        |line: &str| Some(line.trim().strip_prefix(REFRESH)?.strip_prefix('=')?.trim_matches(['\'', '"']).to_owned());
    text.lines().find_map(value).filter(|token| !token.is_empty())
}

/// A pair as a shell reads it.
fn pair(token: Option<&Secret>, refresh: &Secret) -> String {
    let output =
        |name: &str, secret: &Secret| Output { name: name.to_owned(), value: Setting::Revealed(secret.clone()) };
    let token = token.map(|token| output(TOKEN, token));
    let outputs: Vec<_> = token.into_iter().chain([output(REFRESH, refresh)]).collect();
    assignments(&outputs)
}

fn save(path: &Path, text: &str) -> Result<(), Error> {
    file::replace(path, text, Readers::Owner).map_err(|error| failed("write", path, &error))
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Error {
    let tried = format!("cannot {what} `{}`", path.display());
    Error::new(ErrorKind::Unexpected, tried).with_message(error.to_string())
}

fn none() -> Error {
    let error = Error::new(ErrorKind::Unauthenticated, "make a new configuration token");
    error
        .with_message(format!("{REFRESH} is not set, and not in the file"))
        .with_hint(format!("{APPS_PAGE} shows it beside each configuration token"))
}

/// Nobody knows whether the refresh token was used.
fn maybe_used(error: Error) -> Error {
    if error.kind() != ErrorKind::Unavailable {
        return error;
    }
    error.with_hint(format!(
        "the refresh token may have been used: run the same command again, and if it is not taken any more, make a new pair at \
         {APPS_PAGE}"
    ))
}

fn lost(error: Error) -> Error {
    error
        .with_hint(format!("the new tokens are lost and the old refresh token is used: make a new pair at {APPS_PAGE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pair_is_read_back_from_its_file() {
        let text = pair(Some(&Secret::new("xoxe.xoxp-1-a")), &Secret::new("xoxe-1-b"));
        assert_eq!(text, "SLACK_CONFIG_TOKEN=xoxe.xoxp-1-a\nSLACK_REFRESH_TOKEN=xoxe-1-b\n");
        assert_eq!(refresh_token(&text).as_deref(), Some("xoxe-1-b"));
        assert_eq!(refresh_token("SLACK_REFRESH_TOKEN=\nOTHER=1"), None);
    }
}
