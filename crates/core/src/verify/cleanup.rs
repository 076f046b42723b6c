//! Taking away what was uploaded, and what a run left that was killed.

use crate::error::{Error, ErrorKind};
use crate::hop::{Hop, HopId};
use crate::probe::Probes;
use crate::provider::Prover;
use crate::rights::{Answer, Right};

use super::mending::Mending;

/// Whether one that is uploaded could be removed again, as far as that is known before.
pub(super) fn can_remove(prover: &dyn Prover, rights: &[Right], mending: &Mending) -> Result<(), Error> {
    let denied = || Error::new(ErrorKind::PermissionDenied, "remove a probe");
    if let Some(obstacle) = mending.obstacle(HopId::Cleanup) {
        return Err(denied().with_message(&obstacle.reason).with_hint(&obstacle.hint));
    }
    let mut missing = Vec::new();
    for right in rights {
        match prover.held(right) {
            Answer::Missing(reason) => missing.push(lack(right, reason.as_deref())),
            Answer::Refused(refusal) => return Err(denied().with_message(refusal.reason).with_hint(refusal.hint)),
            Answer::Held | Answer::Doubtful(_) | Answer::Unknown(_) | Answer::Unasked => {}
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let error = denied().with_message(format!("these credentials lack {}", missing.join(" and ")));
    Err(error.with_hint("grant that to the identity in use"))
}

fn lack(right: &Right, reason: Option<&str>) -> String {
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("`{}` on {}{reason}", right.name, right.on)
}

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
