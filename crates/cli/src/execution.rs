//! A change set is executed: what was done, and how it ended.

use std::time::{Duration, Instant};

use provision_core::assess::Intent;
use provision_core::change_set::ChangeSet;
use provision_core::engine;
use provision_core::event::EventSink;
use provision_core::provider::Provisioner;

use crate::exit::Exit;
use crate::session::Invocation;
use crate::summary;
use crate::view::End;

/// Execute a change set, and wait until the cloud shows it.
pub(crate) async fn applied<'a>(
    provider: &dyn Provisioner,
    intent: &Intent,
    set: &'a ChangeSet,
    Invocation { global, signals, .. }: Invocation<'_>,
    events: &dyn EventSink,
) -> (End<'a>, Exit) {
    let (begun, mut done) = (Instant::now(), Vec::new());
    let again = summary::resume_command("apply", set, global);
    if set.has_changes() {
        signals.begin_writing();
        let outcome = engine::apply(provider, set, &signals.cancellation, events).await;
        if !outcome.is_complete() {
            let exit = summary::exit(&outcome, signals);
            return (summary::incomplete(&outcome, set, begun.elapsed(), again), exit);
        }
        tokio::select! {
            visible = engine::wait_until_visible(provider, intent, set, events) => if let Err(error) = visible {
                let end = summary::unseen(&outcome, &error, set, begun.elapsed(), again);
                return (end, Exit::of(&error));
            },
            () = signals.cancellation.drain.cancelled() => {
                let end = summary::incomplete(&outcome, set, begun.elapsed(), again);
                return (end, signals.exit().unwrap_or(Exit::Done));
            }
        }
        done = outcome.done;
    }
    let (outputs, next_steps) = (provider.outputs(), provider.next_steps());
    (summary::complete(set, begun.elapsed(), done, outputs, next_steps), Exit::Done)
}

/// Execute a change set that deletes.
pub(crate) async fn destroyed<'a>(
    provider: &dyn Provisioner,
    set: &'a ChangeSet,
    Invocation { global, signals, view }: Invocation<'_>,
) -> (End<'a>, Exit) {
    if !set.has_changes() {
        return (summary::complete(set, Duration::ZERO, Vec::new(), Vec::new(), None), Exit::Done);
    }
    signals.begin_writing();
    let begun = Instant::now();
    let outcome = engine::apply(provider, set, &signals.cancellation, view).await;
    if !outcome.is_complete() {
        let again = summary::resume_command("destroy", set, global);
        return (summary::incomplete(&outcome, set, begun.elapsed(), again), summary::exit(&outcome, signals));
    }
    (summary::complete(set, begun.elapsed(), outcome.done, Vec::new(), None), Exit::Done)
}
