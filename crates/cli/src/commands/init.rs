//! `provision init`: a commented plan file to begin with.

use crate::exit::{CommandResult, Exit};
use crate::providers::ProviderId;
use crate::view;

pub(crate) fn run(cloud: ProviderId) -> CommandResult {
    view::result(cloud.example());
    Ok(Exit::Done)
}
