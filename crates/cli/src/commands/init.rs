//! `provision init`: a commented plan file to begin with.

use crate::arguments::Cloud;
use crate::commands::Ended;
use crate::exit::Exit;

pub(crate) fn run(cloud: Cloud) -> Ended {
    let text = match cloud {
        Cloud::Aws => include_str!("../../../../plans/aws.toml"),
        Cloud::Gcp => include_str!("../../../../plans/gcp.toml"),
        Cloud::Azure => include_str!("../../../../plans/azure.toml"),
    };
    crate::view::result(text);
    Ok(Exit::Done)
}
