//! `provision init`: a commented plan file to begin with.

use crate::clouds::CloudId;
use crate::exit::{Ended, Exit};
use crate::view;

pub(crate) fn run(cloud: CloudId) -> Ended {
    view::result(cloud.example());
    Ok(Exit::Done)
}
