//! `provision init`: a commented plan file to begin with.

use crate::exit::{CommandResult, Exit, Failure};
use crate::providers::ProviderId;
use crate::view;

pub(crate) fn run(cloud: ProviderId, byob: bool) -> CommandResult {
    let example = if byob { cloud.example_byob() } else { Some(cloud.example()) };
    let none = || Failure::Usage(format!("`--byob` is about a bucket, and `{cloud}` has none"));
    view::result(example.ok_or_else(none)?);
    Ok(Exit::Done)
}
