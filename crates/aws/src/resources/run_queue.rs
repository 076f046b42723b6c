//! `aws.run_queue`: a queue for run events. The server itself sends to it, so that it needs no policy; in all else it is as
//! [`super::queue`] is.

use provision_core::facet::Desired;
use provision_core::mark::Origin;
use provision_core::resource::Resource;

use crate::config::{QueueSection, Settings};
use crate::names::{Names, Part};
use crate::resources::queue;

/// The queue, where there is one.
pub(crate) fn resource(settings: &Settings, names: &Names) -> Option<Resource> {
    let adopt = settings.aws.run_queue.as_ref().is_some_and(|queue| queue.adopt);
    Some(queue::of_part(Part::RunQueue, names, names.run_queue.as_ref()?, adopt))
}

/// The desired facets. On an adopted one, values for everybody only where the plan file sets them.
pub(crate) fn desired(settings: &Settings, origin: Origin) -> Vec<Desired> {
    queue::of_section(settings, "aws.run_queue", &QueueSection::default(), origin, None)
}
