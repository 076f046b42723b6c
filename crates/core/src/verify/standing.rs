//! What the comparison with the plan file says: of the resources, of the server's rights, and whether anything may be written.

use crate::change_set::{Action, Change, ChangeSet};
use crate::hop::{Hop, HopId};
use crate::resource::Resource;

/// The part of an address that the server's rights have in every cloud.
const RIGHTS: &str = ".access";

/// Whether everything but the server's rights is as the plan file asks.
pub(super) fn resources(set: &ChangeSet, mend: &str) -> Hop {
    compared(Hop::new(HopId::Resources, "resources match the plan file"), set, mend, |change| !is_rights(change))
}

/// Whether the server has the rights that the plan file gives it.
pub(super) fn rights(set: &ChangeSet, mend: &str) -> Hop {
    let hop = Hop::new(HopId::Rights, "the server has its rights");
    if !set.changes.iter().any(is_rights) {
        return hop.skipped(format!("the plan file names no server under [{}{RIGHTS}]", set.cloud));
    }
    compared(hop, set, mend, is_rights)
}

fn is_rights(change: &Change) -> bool {
    change.address.as_str().ends_with(RIGHTS)
}

fn compared(hop: Hop, set: &ChangeSet, mend: &str, of: impl Fn(&Change) -> bool) -> Hop {
    let is_of = |error: &crate::Error| {
        let change = set.changes.iter().find(|change| Some(&change.address) == error.address());
        // What is of no resource that the plan file names is told with the resources.
        change.map_or(hop.id == HopId::Resources, &of)
    };
    let blockers: Vec<_> = set.blockers().into_iter().filter(is_of).collect();
    if let Some(error) = blockers.first() {
        return hop.ended_by(error);
    }
    let differing: Vec<_> = set.changes.iter().filter(|change| of(change)).filter_map(difference).collect();
    match differing.is_empty() {
        true => hop,
        false => hop.failed(differing.join("; "), Some(mend.to_owned())),
    }
}

/// What of a resource is not as the plan file asks.
fn difference(change: &Change) -> Option<String> {
    let name = format!("{} `{}`", change.kind, change.name);
    if change.missing {
        return Some(format!("{name} was applied and is gone"));
    }
    match change.action {
        Action::NoOp | Action::Record => None,
        Action::Create => Some(format!("{name} is not there")),
        Action::Restore => Some(format!("{name} has lost provision's tags")),
        action => {
            let facets = change.facets.iter().filter(|facet| facet.finding.differs()).map(|facet| facet.facet.as_str());
            let facets: Vec<_> = facets.collect();
            Some(match facets.is_empty() {
                true => format!("{name} is to be {}d", action.verb().trim_end_matches('e')),
                false => format!("{name} differs in {}", facets.join(", ")),
            })
        }
    }
}

/// Why a probe must not be uploaded, and nothing received: what there is, is not known to be this deployment's.
pub(super) fn why_nothing_is_written(set: &ChangeSet, resources: &[Resource]) -> Option<String> {
    let is_open = |change: &&Change| change.refusal.is_some() || change.action == Action::Adopt;
    if let Some(change) = set.changes.iter().find(is_open) {
        return Some(format!("{} `{}` is not this deployment's, or is refused", change.kind, change.name));
    }
    let mut unread = set.unreadable.iter().filter_map(|unread| unread.0.address());
    if let Some(address) = unread.find(|address| !address.as_str().ends_with(RIGHTS)) {
        return Some(format!("{address} cannot be looked at"));
    }
    let data = resources.iter().find(|resource| resource.holds_data)?;
    let change = set.changes.iter().find(|change| change.address == data.address);
    let is_ours = change.is_some_and(|change| change.mark.is_some() && !change.missing);
    (!is_ours).then(|| format!("{} `{}` is not there, or does not carry this deployment's tags", data.kind, data.name))
}

/// The hops that write, not tried.
pub(super) fn not_tried(reason: &str) -> Vec<Hop> {
    let hop = |id, text: &str, reason: &str| Hop::new(id, text).skipped(reason);
    vec![
        hop(HopId::Files, "signed upload and download", reason),
        hop(HopId::Event, "event of the upload", reason),
        hop(HopId::Cleanup, "probe removed", "nothing was uploaded"),
    ]
}
