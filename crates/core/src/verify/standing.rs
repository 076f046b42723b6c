//! What the comparison with the plan file says: of the resources, of the server's rights, and whether anything may be written.

use crate::change_set::{Action, Change, ChangeSet};
use crate::error::ErrorKind;
use crate::hop::{Hop, HopId};
use crate::provider::Observer;
use crate::resource::Resource;

use super::mending::Mending;

/// The part of an address that the server's rights have in every cloud.
const RIGHTS: &str = ".access";

/// Whether everything but the server's rights is as the plan file asks.
pub(super) fn resources(observer: &dyn Observer, set: &ChangeSet, mending: &Mending) -> Hop {
    let hop = Hop::new(HopId::Resources, "resources match the plan file");
    let grants = observer.grants();
    compared(hop, set, mending, |change| !is_rights(change), |facet| !grants.contains(&facet))
}

/// Whether the server has the rights that the plan file gives it, and nobody denies them.
pub(super) fn rights(observer: &dyn Observer, set: &ChangeSet, mending: &Mending) -> Hop {
    let hop = Hop::new(HopId::Rights, "the server has its rights");
    let grants = observer.grants();
    let named = set.changes.iter().any(|change| is_rights(change) || gives(change, grants));
    if let Some(obstacle) = mending.obstacle(HopId::Rights) {
        return hop.failed(&obstacle.reason, Some(obstacle.hint.clone()));
    }
    if !named {
        return hop.skipped(format!(
            "the plan file does not say whom the server runs as: [{}{RIGHTS}] would, and gives it its rights",
            set.cloud
        ));
    }
    compared(hop, set, mending, |change| is_rights(change) || gives(change, grants), |facet| grants.contains(&facet))
}

fn is_rights(change: &Change) -> bool {
    change.address.as_str().ends_with(RIGHTS)
}

/// Whether it lets somebody in beside what it is.
fn gives(change: &Change, grants: &[&str]) -> bool {
    change.facets.iter().any(|facet| grants.contains(&facet.facet.as_str()) && !facet.after.is_null())
}

/// Compare these changes; of what is no right, these facets.
fn compared(
    hop: Hop,
    set: &ChangeSet,
    mending: &Mending,
    of: impl Fn(&Change) -> bool,
    counts: impl Fn(&str) -> bool,
) -> Hop {
    let is_of = |error: &crate::Error| {
        let change = set.changes.iter().find(|change| Some(&change.address) == error.address());
        // What is of no resource that the plan file names is told with the resources.
        change.map_or(hop.id == HopId::Resources, &of)
    };
    let (refused, unread): (Vec<_>, Vec<_>) =
        set.blockers().into_iter().filter(is_of).partition(|error| error.kind() == ErrorKind::Refused);
    let refused = refused.iter().filter_map(|error| error.message()).map(str::to_owned);
    let changes = set.changes.iter().filter(|change| of(change) && change.refusal.is_none());
    let counts = |change: &Change, facet: &str| is_rights(change) || counts(facet);
    let differing: Vec<_> = refused.chain(changes.filter_map(|change| difference(change, &counts))).collect();
    match unread.first() {
        _ if !differing.is_empty() => hop.failed(differing.join("; "), Some(mending.apply())),
        Some(error) => hop.unknown(error),
        None => hop,
    }
}

/// What of a resource is not as the plan file asks.
fn difference(change: &Change, counts: &impl Fn(&Change, &str) -> bool) -> Option<String> {
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
            let (facets, others): (Vec<_>, Vec<_>) = facets.partition(|facet| counts(change, facet));
            match (facets.is_empty(), others.is_empty()) {
                (true, true) => Some(format!("{name} is to be {}d", action.verb().trim_end_matches('e'))),
                (true, false) => None,
                (false, _) => Some(format!("{name} differs in {}", facets.join(", "))),
            }
        }
    }
}

/// Why a probe must not be uploaded, and nothing received: what there is, is not known to be this deployment's.
pub(super) fn why_nothing_is_written(set: &ChangeSet, resources: &[Resource]) -> Option<String> {
    let marked = |change: &Change| resources.iter().any(|found| found.address == change.address && found.is_marked());
    let foreign = |change: &&Change| change.refusal.is_some() && marked(change) && !is_ours(change, set, resources);
    if let Some(change) = set.changes.iter().find(foreign) {
        return Some(format!("nothing is uploaded, since {} `{}` is not this deployment's", change.kind, change.name));
    }
    if let Some(change) = set.changes.iter().find(|change| change.action == Action::Adopt) {
        let (kind, name) = (&change.kind, &change.name);
        return Some(format!("nothing is uploaded before {kind} `{name}` is this deployment's: apply adopts it"));
    }
    let mut unread = set.unreadable.iter().filter_map(|unread| unread.0.address());
    if let Some(address) = unread.find(|address| !address.as_str().ends_with(RIGHTS)) {
        let change = set.changes.iter().find(|change| change.address == *address);
        let what = change.map_or_else(|| address.to_string(), |change| format!("{} `{}`", change.kind, change.name));
        return Some(format!("nothing is uploaded, since {what} could not be looked at, and may be somebody else's"));
    }
    let data = resources.iter().find(|resource| resource.holds_data)?;
    let change = set.changes.iter().find(|change| change.address == data.address);
    let is_ours = change.is_some_and(|change| change.mark.is_some() && !change.missing);
    (!is_ours).then(|| {
        format!(
            "nothing is uploaded, since {} `{}` is not there, or does not carry this deployment's tags",
            data.kind, data.name
        )
    })
}

/// Whether its mark is this deployment's, and of this very resource.
fn is_ours(change: &Change, set: &ChangeSet, resources: &[Resource]) -> bool {
    let resource = resources.iter().find(|resource| resource.address == change.address);
    let is_of = |resource: &Resource| {
        let mark = change.mark.as_ref();
        mark.is_some_and(|mark| mark.deployment == set.deployment && mark.is_for(&resource.identity))
    };
    resource.is_some_and(is_of)
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
