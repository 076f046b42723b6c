//! `provision slack token`: a new configuration token in the place of one that lasts twelve hours.

use std::path::Path;

use provision_core::file;
use provision_slack::rotate;

use crate::arguments::{Global, quoted};
use crate::exit::{CommandResult, Exit, Failure};
use crate::providers::ProviderId;
use crate::session::Session;
use crate::view::{self, View};

pub(crate) async fn run(path: &Path, global: &Global, view: &dyn View) -> CommandResult {
    file::writable(path)
        .map_err(|error| Failure::Usage(format!("`--out {}` cannot be written: {error}", path.display())))?;
    let session = Session::open_for(ProviderId::Slack, global, view)?;
    let made = rotate(&session.connection, path).await?;
    let file = quoted(path);
    view::result(&format!(
        "new token of workspace {} for {} hours, in {file}: `set -a; . {file}; set +a` puts it into a shell\n",
        made.team, made.hours
    ));
    Ok(Exit::Done)
}
