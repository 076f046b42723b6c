//! Taking away what was uploaded, and what a run left that was killed.

use crate::error::{Error, ErrorKind};
use crate::hop::{Hop, HopId};
use crate::probe::Probes;
use crate::provider::Prover;

/// Remove these probes, each of one of the places.
pub(super) async fn hop(prover: &dyn Prover, places: &[Probes], keys: &[String]) -> Hop {
    let mut hop = Hop::new(HopId::Cleanup, "probe removed");
    for (key, probes) in keys.iter().filter_map(|key| Some((key, places.iter().find(|probes| probes.has(key))?))) {
        if let Err(error) = prover.remove(probes, key).await {
            return left(hop, key, &error);
        }
        hop.exchange(format!("remove {key}"), "gone");
    }
    if keys.len() > 1 {
        hop.text = format!("probe removed, and {} of earlier runs", keys.len() - 1);
    }
    if keys.is_empty() { hop.skipped("nothing was uploaded") } else { hop }
}

/// The same where the event was not taken away: it may be there, or come.
pub(super) fn but_for_its_event(mut hop: Hop) -> Hop {
    hop.text += "; its event was not, and the server may hear of it";
    hop
}

/// What could not be removed is there, whatever right is missing.
fn left(hop: Hop, key: &str, error: &Error) -> Hop {
    let mend = match error.kind() {
        ErrorKind::PermissionDenied => {
            let right = error.hint().unwrap_or("let these credentials do so");
            format!("{right}; or delete {key}")
        }
        _ => "run the same command again: it removes what this run left".to_owned(),
    };
    hop.failed(format!("{key} is left: {error}"), Some(mend))
}
