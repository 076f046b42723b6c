//! `provision init`: a commented plan file to begin with.

use crate::clouds::CloudId;
use crate::exit::{CommandResult, Exit};
use crate::view;

pub(crate) fn run(cloud: CloudId) -> CommandResult {
    view::result(cloud.example());
    Ok(Exit::Done)
}
