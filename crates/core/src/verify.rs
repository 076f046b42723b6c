//! The proof that the file store works before any server runs: hop by hop, from what there is to the event in the queue.
//!
//! [`look`] writes nothing: it compares, and asks as a browser asks before a request. [`prove`] uploads a probe, downloads it,
//! waits for its event and removes both. A probe is removed after its event: whatever moment a run is killed at, the probe that
//! it left tells the next one that there may be an event too.

mod wanted;
mod mending;
mod standing;
mod browsers;
mod files;
mod arrival;
mod cleanup;

use futures::FutureExt as _;
use futures::future::try_join_all;
use tokio::time::Instant;

use crate::assess::Intent;
use crate::change_set::ChangeSet;
use crate::context::Cancellation;
use crate::engine;
use crate::error::Error;
use crate::event::{Event, EventSink, milliseconds};
use crate::hop::{Hop, HopId, Verdict, failures};
use crate::preflight;
use crate::probe::{PREFIX, Probe, Probes};
use crate::provider::{Hearing, Listener, Observer, Prover};
use crate::web::Browser;
use arrival::Awaited;
use mending::Mending;

pub use wanted::Wanted;

/// What was found, hop by hop.
#[derive(Debug)]
pub struct Proof {
    /// What the cloud was compared as.
    pub set: ChangeSet,
    /// The hops that were gone, in order.
    pub hops: Vec<Hop>,
    /// Whether it was told to stop before the last of them.
    pub stopped: bool,
}

impl Proof {
    /// Whether no hop failed.
    #[must_use]
    pub fn holds(&self) -> bool {
        failures(&self.hops) == 0
    }

    /// Whether all that was to be proven is.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.stopped && self.hops.iter().all(|hop| !hop.has_failed() && !hop.is_open())
    }
}

/// Go the hops that write nothing.
///
/// # Errors
///
/// Credentials that are not accepted, and answers that make every look pointless.
pub async fn look(
    observer: &dyn Observer,
    browser: &dyn Browser,
    intent: &Intent,
    wanted: &Wanted,
    line_of: &dyn Fn(&str) -> Option<usize>,
    events: &dyn EventSink,
) -> Result<Proof, Error> {
    let begun = begin(events, HopId::Resources, "compare the resources with the plan file");
    let set = engine::plan(observer, intent, line_of, events).await?;
    let mending = Mending::new(&set, observer.obstacles(), &wanted.command);
    let mut hops = vec![ended(events, begun, standing::resources(observer, &set, &mending))];
    hops.push(ended(events, Instant::now(), standing::rights(observer, &set, &mending)));
    let begun = begin(events, HopId::Browsers, "ask as a browser of the server asks");
    hops.push(ended(events, begun, browsers::hop(observer, browser, &set, wanted, &mending).await));
    if wanted.read_only {
        hops.extend(not_gone("--read-only: nothing is written", events));
    }
    Ok(Proof { set, hops, stopped: false })
}

/// Go the hops that write: the signed upload, its event, and taking both away again.
pub async fn prove(
    prover: &dyn Prover,
    browser: &dyn Browser,
    wanted: &Wanted,
    mut proof: Proof,
    cancellation: &Cancellation,
    events: &dyn EventSink,
) -> Proof {
    if let Some(reason) = standing::why_nothing_is_written(&proof.set, &prover.resources()) {
        proof.hops.extend(not_gone(&reason, events));
        return proof;
    }
    let mending = Mending::new(&proof.set, prover.obstacles(), &wanted.command);
    let places = places(&wanted.prefix, &proof.set.deployment);
    let looked = removable(prover, &places, &proof.set, &mending);
    let (hearing, remains) = futures::join!(prover.listen(&places[0]), looked);
    let may_be_made = matches!(hearing, Ok(Hearing::At(_) | Hearing::Gone(_) | Hearing::Off(_)));
    let listener = arrival::heard_at(hearing, &mending);
    proof.stopped = cancellation.drain.is_cancelled();
    let why_not = match &remains {
        _ if proof.stopped => Some("the run was told to stop"),
        _ if !may_be_made => Some(
            "nothing is uploaded, since its event could not be taken out of the queue again: the next line says why",
        ),
        Err(_) => Some("nothing is uploaded, since it could not be removed again: the last line says why"),
        Ok(_) => None,
    };
    match why_not {
        None => {
            let left = remains.unwrap_or_default();
            let before = Before { places: &places, left: &left, mending: &mending };
            written(prover, browser, wanted, &mut proof, listener, &before, cancellation, events).await;
        }
        Some(reason) => {
            let mut hops = standing::not_tried(reason);
            hops[0] = hops[0].clone().not_proven(reason);
            match listener {
                Ok(mut listener) => {
                    if let Err(error) = listener.close().await {
                        hops[1] = hops[1].clone().ended_by(&error);
                    }
                }
                Err(hop) => hops[1] = *hop,
            }
            if let Err(error) = remains {
                hops[2] = Hop::new(HopId::Cleanup, "probe removed").ended_by(&error);
            }
            proof.hops.extend(hops.into_iter().map(|hop| ended(events, Instant::now(), hop)));
        }
    }
    proof
}

/// Where probes of this deployment may be: the first one is where ours goes, the last one where those go of runs without `--prefix`.
fn places(prefix: &str, deployment: &str) -> Vec<Probes> {
    let usual = Some(PREFIX).filter(|usual| *usual != prefix);
    std::iter::once(prefix).chain(usual).map(|prefix| Probes::new(prefix, deployment)).collect()
}

/// The keys of probes that are there, unless one that is uploaded could not be removed again, as far as the cloud says so.
async fn removable(
    prover: &dyn Prover,
    places: &[Probes],
    set: &ChangeSet,
    mending: &Mending,
) -> Result<Vec<String>, Error> {
    let rights = prover.rights_to_remove(&places[0], set);
    let (found, ()) = futures::join!(remains(prover, places), preflight::ask(prover, &rights));
    let found = found?;
    cleanup::can_remove(prover, &rights, mending).map(|()| found)
}

/// The keys of probes that are there.
async fn remains(prover: &dyn Prover, places: &[Probes]) -> Result<Vec<String>, Error> {
    let found = try_join_all(places.iter().map(|probes| prover.remains(probes))).await?;
    Ok(found.into_iter().flatten().collect())
}

/// What is known before anything is uploaded.
struct Before<'a> {
    places: &'a [Probes],
    /// Probes that earlier runs left.
    left: &'a [String],
    mending: &'a Mending,
}

#[expect(clippy::too_many_arguments, reason = "each is another's")]
async fn written(
    prover: &dyn Prover,
    browser: &dyn Browser,
    wanted: &Wanted,
    proof: &mut Proof,
    listener: Result<Box<dyn Listener>, Box<Hop>>,
    before: &Before<'_>,
    cancellation: &Cancellation,
    events: &dyn EventSink,
) {
    let Before { places, left, mending } = *before;
    let probe = places[0].another();
    let begun = begin(events, HopId::Files, "upload and download by signed address");
    let files = files::hop(prover, browser, &probe, wanted, &proof.set, mending).await;
    proof.hops.push(ended(events, begun, files.hop));
    let begun = begin(events, HopId::Event, "wait for the event of the upload");
    let outlasted = listener.as_ref().is_ok_and(|listener| listener.outlasted());
    let hop = match listener {
        Ok(mut listener) => {
            let there = || remains(prover, places).boxed();
            let (uploads, limit) = (files.uploads, wanted.wait);
            let awaited = Awaited { probe: &probe, uploads, left, there: &there, limit, mending };
            arrival::hop(listener.as_mut(), &awaited, cancellation, events).await
        }
        Err(hop) => *hop,
    };
    proof.hops.push(ended(events, begun, hop));
    proof.stopped = cancellation.drain.is_cancelled();
    let begun = begin(events, HopId::Cleanup, "remove the probe");
    let hop = cleanup::hop(prover, places, &removed(&probe, files.uploads, left)).await;
    let is_heard = proof.hops.last().is_some_and(|event| event.verdict == Verdict::Passed);
    let hop = if outlasted && !is_heard && files.uploads > 0 { cleanup::but_for_its_event(hop) } else { hop };
    proof.hops.push(ended(events, begun, hop));
}

fn not_gone(reason: &str, events: &dyn EventSink) -> Vec<Hop> {
    standing::not_tried(reason).into_iter().map(|hop| ended(events, Instant::now(), hop)).collect()
}

/// The probes to remove: the last one is our own, where it may be there.
fn removed(probe: &Probe, uploads: u32, left: &[String]) -> Vec<String> {
    let own = (uploads > 0).then(|| probe.key.clone());
    left.iter().cloned().chain(own).collect()
}

fn begin(events: &dyn EventSink, hop: HopId, text: &str) -> Instant {
    events.emit(Event::HopStarted { hop, text: text.to_owned() });
    Instant::now()
}

fn ended(events: &dyn EventSink, begun: Instant, hop: Hop) -> Hop {
    let hop = Hop { elapsed_ms: milliseconds(begun.elapsed()), ..hop };
    events.emit(Event::HopDone { hop: hop.clone() });
    hop
}
