//! The event of the upload, where the server would hear of it.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::{Instant, sleep};

use crate::context::Cancellation;
use crate::error::Error;
use crate::event::{Event, EventSink, milliseconds};
use crate::hop::{AGAIN, Hop, HopId};
use crate::probe::Probe;
use crate::provider::{Heard, Hearing, Listener};
use crate::refusal::Refusal;
use crate::retry::{at_full_length, heartbeat, shortened};

use super::mending::Mending;

/// How long one turn of listening waits: well within the time that one request may take.
const TURN: Duration = Duration::from_secs(10);
/// The shortest and the longest pause between two turns, where events of others have to be passed over.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// How long is listened at least: also when the time is over, or the run was told to stop.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// Why the event does not come any more.
const DISPLACED: &str = "the probe was removed meanwhile, and its event perhaps with it: another `verify` of this deployment is \
                         under way; run one at a time";

/// Looks which probes are there.
type Look<'a> = dyn Fn() -> BoxFuture<'a, Result<Vec<String>, Error>> + Sync + 'a;

/// What is waited for.
pub(super) struct Awaited<'a> {
    /// The probe that was uploaded.
    pub(super) probe: &'a Probe,
    /// How often: an answer that got lost was asked for again.
    pub(super) uploads: u32,
    /// Probes of earlier runs, whose events may still be there.
    pub(super) left: &'a [String],
    /// Which probes are there by now.
    pub(super) there: &'a Look<'a>,
    /// How long an event may take, where the user says so.
    pub(super) limit: Option<Duration>,
    /// What mends it where none comes.
    pub(super) mending: &'a Mending,
}

/// Where it can be heard, or the hop where it cannot.
pub(super) fn heard_at(hearing: Result<Hearing, Error>, mending: &Mending) -> Result<Box<dyn Listener>, Box<Hop>> {
    let hop = Hop::new(HopId::Event, "event of the upload");
    Err(Box::new(match (hearing, mending.obstacle(HopId::Event)) {
        (Ok(Hearing::At(listener)), _) => return Ok(listener),
        (Ok(Hearing::Off(reason)), _) => hop.skipped(reason),
        (Ok(Hearing::Gone(reason)), _) => hop.failed(reason, Some(mending.apply())),
        (Ok(Hearing::Unsafe(reason)), _) => hop.not_proven(reason),
        (Err(_), Some(obstacle)) => hop.failed(&obstacle.reason, Some(obstacle.hint.clone())),
        (Err(error), None) => mending.ended(hop, &error),
    }))
}

/// How the waiting ended.
enum End {
    /// It came after so long.
    Came(Duration),
    /// It did not come in time, and somebody else takes events too.
    Taken,
    /// It did not come in time.
    Silence(Duration),
    /// There must be no other turn.
    Last(String),
    /// The run was told to stop.
    Stopped,
}

/// Listen until the event comes, the time is over, or the run is told to stop.
pub(super) async fn hop(
    listener: &mut dyn Listener,
    awaited: &Awaited<'_>,
    cancellation: &Cancellation,
    events: &dyn EventSink,
) -> Hop {
    let place = listener.place();
    let ended = match awaited.uploads > 0 || (listener.outlasted() && !awaited.left.is_empty()) {
        true => listened(listener, awaited, cancellation, events).await,
        false => Ok(None),
    };
    let closed = listener.close().await;
    let mut hop = Hop::new(HopId::Event, format!("event of the upload to {place}"));
    let end = match (ended, closed) {
        (Ok(end), Ok(())) => end,
        (Err(error), _) | (_, Err(error)) => return awaited.mending.ended(hop, &error),
    };
    let Some(end) = end.filter(|_| awaited.uploads > 0) else { return hop.skipped("nothing was uploaded") };
    hop.sent.push(format!("upload of {}", awaited.probe.key));
    judged(hop, end, awaited, listener.suspect())
}

fn judged(mut hop: Hop, end: End, awaited: &Awaited<'_>, suspect: Option<&Refusal>) -> Hop {
    match end {
        End::Came(after) => {
            hop.came.push(format!("an event of {}", awaited.probe.key));
            let text = hop.text.replacen(" to ", " reached ", 1);
            Hop { text: format!("{text} after {:.1} s", after.as_secs_f64()), ..hop }
        }
        End::Taken => hop.not_proven("taken by another reader: somebody else receives from it, the server perhaps"),
        End::Last(reason) => hop.not_proven(reason),
        End::Stopped => hop.not_proven("the run was told to stop; the event may still come"),
        End::Silence(limit) => {
            hop.came.push("no event of it".to_owned());
            let mend = awaited.mending.of(HopId::Event);
            let suspect = suspect.filter(|_| mend.is_none());
            let why = awaited.mending.obstacle(HopId::Event).or(suspect);
            let why = why.map(|refusal| format!(": {}", refusal.reason));
            let mend = mend.or_else(|| suspect.map(|refusal| refusal.hint.clone()));
            let faster = "; everything is as the plan file says: if the server is running, it may have been faster";
            let why = why.or_else(|| mend.is_none().then(|| faster.to_owned())).unwrap_or_default();
            let again = || format!("stop the server, and {AGAIN}; `--wait` waits longer");
            hop.failed(
                format!("no event came within {:.0} s{why}", limit.as_secs_f64()),
                Some(mend.unwrap_or_else(again)),
            )
        }
    }
}

async fn listened(
    listener: &mut dyn Listener,
    awaited: &Awaited<'_>,
    cancellation: &Cancellation,
    events: &dyn EventSink,
) -> Result<Option<End>, Error> {
    let mut waiting = Waiting::new(listener, awaited);
    loop {
        // What counts is when a turn began: however slow this machine is, the last one begins when the time is over.
        let turn_began = waiting.begun.elapsed();
        let left = at_full_length(waiting.limit.saturating_sub(turn_began));
        // What others may still be waiting for is left to them until ours has come.
        let keys = waiting.owed.keys(waiting.is_for_others());
        let heard = tokio::select! {
            biased;
            () = cancellation.drain.cancelled() => return last_look(listener, awaited).await.map(Some),
            heard = listener.hear(left.clamp(LAST_LOOK, TURN), &keys) => heard?,
        };
        waiting.note(&heard);
        if let Some(end) = waiting.end(listener, &heard, turn_began).await? {
            return Ok(Some(end));
        }
        waiting.tell(listener, events);
        if heard.others {
            waiting.pass_over(cancellation).await;
        }
    }
}

/// What has come of the waiting so far.
struct Waiting<'a, 'b> {
    awaited: &'a Awaited<'b>,
    begun: Instant,
    /// How long it may take, as it is told and as it is waited.
    told: Duration,
    limit: Duration,
    /// What an earlier run, or an upload whose answer got lost, may have left comes again once it is not hidden any more.
    thorough: Duration,
    /// After how long ours came.
    own: Option<Duration>,
    owed: Owed,
    /// Somebody else takes events too.
    taken: bool,
    said: Instant,
    pause: Duration,
}

impl<'a, 'b> Waiting<'a, 'b> {
    fn new(listener: &dyn Listener, awaited: &'a Awaited<'b>) -> Self {
        let told = awaited.limit.unwrap_or_else(|| listener.limit());
        let begun = Instant::now();
        Self {
            awaited,
            begun,
            told,
            limit: shortened(told),
            thorough: shortened(listener.hidden() + TURN),
            own: None,
            owed: Owed::new(awaited, listener.outlasted()),
            taken: false,
            said: begun,
            pause: PAUSES.0,
        }
    }

    /// Whether nothing of ours is waited for any more.
    const fn is_for_others(&self) -> bool {
        self.own.is_some() || self.awaited.uploads == 0
    }

    fn note(&mut self, heard: &Heard) {
        self.owed.heard(heard);
        // What a run that was killed had received is hidden for a while, and nobody reads it.
        self.taken |= heard.another_reader && self.awaited.left.is_empty();
        if heard.keys.contains(&self.awaited.probe.key) {
            self.own.get_or_insert_with(|| self.begun.elapsed());
        }
    }

    /// How it ended, where this turn ended it.
    async fn end(
        &mut self,
        listener: &mut dyn Listener,
        heard: &Heard,
        turn_began: Duration,
    ) -> Result<Option<End>, Error> {
        if listener.outlasted() && heard.keys.is_empty() && self.is_displaced().await? {
            return Ok(Some(End::Last(DISPLACED.to_owned())));
        }
        let came = self.own.or((self.awaited.uploads == 0).then_some(Duration::ZERO));
        Ok(match came {
            Some(came) => {
                let waited = turn_began > (came + self.thorough).min(self.limit);
                (self.owed.is_settled() || waited).then_some(End::Came(came))
            }
            None if heard.last.is_some() => heard.last.clone().map(End::Last),
            None if turn_began >= self.limit => Some(self.over(listener).await?),
            None => None,
        })
    }

    /// Whether ours was removed meanwhile. Events of what is not there any more are not waited for.
    async fn is_displaced(&mut self) -> Result<bool, Error> {
        let there = (self.awaited.there)().await?;
        self.owed.left.retain(|key| there.contains(key));
        Ok(!self.is_for_others() && !there.contains(&self.awaited.probe.key))
    }

    /// It is not waited for any more: what earlier runs left is taken all the same.
    async fn over(&self, listener: &mut dyn Listener) -> Result<End, Error> {
        let heard = listener.hear(LAST_LOOK, &self.owed.keys(true)).await?;
        Ok(match heard.keys.contains(&self.awaited.probe.key) {
            true => End::Came(self.begun.elapsed()),
            false if self.taken => End::Taken,
            false => End::Silence(self.told),
        })
    }

    /// Say what is waited for, now and then.
    fn tell(&mut self, listener: &dyn Listener, events: &dyn EventSink) {
        if self.said.elapsed() < heartbeat() {
            return;
        }
        self.said = Instant::now();
        let place = listener.place();
        let text = match self.is_for_others() {
            true => format!("what an earlier run left in {place}"),
            false => format!("the event in {place}"),
        };
        let elapsed_ms = milliseconds(self.begun.elapsed());
        events.emit(Event::HopWaiting { hop: HopId::Event, text, elapsed_ms });
    }

    /// Let others have what they are waiting for, ever longer.
    async fn pass_over(&mut self, cancellation: &Cancellation) {
        tokio::select! {
            () = cancellation.drain.cancelled() => {}
            () = sleep(shortened(self.pause).min(self.limit.saturating_sub(self.begun.elapsed()))) => {}
        }
        self.pause = (self.pause * 2).min(PAUSES.1);
    }
}

/// A run that was told to stop takes its event away if it is there already.
async fn last_look(listener: &mut dyn Listener, awaited: &Awaited<'_>) -> Result<End, Error> {
    let heard = listener.hear(LAST_LOOK, std::slice::from_ref(&awaited.probe.key)).await?;
    Ok(match heard.keys.contains(&awaited.probe.key) {
        true => End::Came(Duration::ZERO),
        false => End::Stopped,
    })
}

/// Events that are still to come.
struct Owed {
    own: u32,
    left: Vec<String>,
    key: String,
}

impl Owed {
    fn new(awaited: &Awaited<'_>, outlasting: bool) -> Self {
        let (own, left) = if outlasting { (awaited.uploads, awaited.left.to_vec()) } else { (1, Vec::new()) };
        Self { own, left, key: awaited.probe.key.clone() }
    }

    /// Those to take now: all of them, or ours alone.
    fn keys(&self, all: bool) -> Vec<String> {
        let left = self.left.iter().filter(|_| all);
        std::iter::once(&self.key).chain(left).cloned().collect()
    }

    fn heard(&mut self, heard: &Heard) {
        for key in &heard.keys {
            self.own = self.own.saturating_sub(u32::from(*key == self.key));
            self.left.retain(|left| left != key);
        }
    }

    const fn is_settled(&self) -> bool {
        self.own == 0 && self.left.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;

    use crate::probe::{PREFIX, Probes};

    /// Hears what it is told to, turn by turn, and then nothing.
    struct Scripted {
        turns: Vec<Heard>,
        closed: usize,
        outlasted: bool,
    }

    #[async_trait]
    impl Listener for Scripted {
        fn place(&self) -> String {
            "queue `q`".to_owned()
        }

        fn hidden(&self) -> Duration {
            Duration::from_secs(30)
        }

        fn limit(&self) -> Duration {
            Duration::from_secs(120)
        }

        fn outlasted(&self) -> bool {
            self.outlasted
        }

        async fn hear(&mut self, wait: Duration, _: &[String]) -> Result<Heard, Error> {
            let Some(turn) = self.turns.pop() else {
                sleep(wait).await;
                return Ok(Heard::default());
            };
            Ok(turn)
        }

        async fn close(&mut self) -> Result<(), Error> {
            self.closed += 1;
            Ok(())
        }
    }

    struct Nobody;

    impl EventSink for Nobody {
        fn emit(&self, _: Event) {}
    }

    /// What came of these turns, the last one first, and after how long.
    async fn ended(probe: &Probe, uploads: u32, left: &[String], turns: Vec<Heard>) -> (Option<End>, u64) {
        let listener = Scripted { turns, closed: 0, outlasted: true };
        let there = [std::slice::from_ref(&probe.key), left].concat();
        ended_with(listener, probe, uploads, left, there, None).await
    }

    async fn ended_with(
        mut listener: Scripted,
        probe: &Probe,
        uploads: u32,
        left: &[String],
        there: Vec<String>,
        limit: Option<Duration>,
    ) -> (Option<End>, u64) {
        let begun = Instant::now();
        let there = || -> BoxFuture<'_, _> { Box::pin(std::future::ready(Ok(there.clone()))) };
        let mending = Mending::nothing();
        let awaited = Awaited { probe, uploads, left, there: &there, limit, mending: &mending };
        let end = listened(&mut listener, &awaited, &Cancellation::default(), &Nobody).await;
        (end.unwrap(), begun.elapsed().as_secs())
    }

    fn probe() -> Probe {
        Probes::new(PREFIX, "wandb").another()
    }

    fn heard(keys: &[&str]) -> Heard {
        Heard { keys: keys.iter().map(|key| (*key).to_owned()).collect(), ..Heard::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn the_event_ends_the_waiting_and_silence_ends_it_in_time() {
        let probe = probe();
        let (end, seconds) = ended(&probe, 1, &[], vec![heard(&[&probe.key]), Heard::default()]).await;
        assert!(matches!(end, Some(End::Came(_))) && seconds == 0);
        let (end, seconds) = ended(&probe, 1, &[], Vec::new()).await;
        assert!(matches!(end, Some(End::Silence(limit)) if limit.as_secs() == 120) && (120..123).contains(&seconds));
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_earlier_run_left_is_waited_for_as_long_as_it_may_be_hidden() {
        let (probe, left) = (probe(), ["old".to_owned()]);
        let (_, seconds) = ended(&probe, 1, &left, vec![heard(&["old"]), heard(&[&probe.key])]).await;
        assert_eq!(seconds, 0);
        let (end, seconds) = ended(&probe, 1, &left, vec![heard(&[&probe.key])]).await;
        assert!(matches!(end, Some(End::Came(_))) && (40..=61).contains(&seconds), "{seconds}");
        // An answer that got lost was asked for again.
        let (_, seconds) = ended(&probe, 2, &[], vec![heard(&[&probe.key])]).await;
        assert!((40..=61).contains(&seconds), "{seconds}");
        let (_, seconds) = ended(&probe, 0, &left, Vec::new()).await;
        assert!((40..=61).contains(&seconds), "{seconds}");
    }

    /// Notes what is said to be waited for.
    #[derive(Default)]
    struct Notes(std::sync::Mutex<Vec<String>>);

    impl EventSink for Notes {
        fn emit(&self, event: Event) {
            if let Event::HopWaiting { text, .. } = event {
                self.0.lock().unwrap().push(text);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_waited_for_is_told_apart() {
        let (probe, left) = (probe(), ["old".to_owned()]);
        let there = [probe.key.clone(), "old".to_owned()];
        let there = move || async_there(&there);
        let mending = Mending::nothing();
        for (turns, told) in [
            (vec![heard(&[&probe.key])], "what an earlier run left in queue `q`"),
            (Vec::new(), "the event in queue `q`"),
        ] {
            let mut listener = Scripted { turns, closed: 0, outlasted: true };
            let (limit, notes) = (Some(Duration::from_secs(30)), Notes::default());
            let awaited = Awaited { probe: &probe, uploads: 1, left: &left, there: &there, limit, mending: &mending };
            listened(&mut listener, &awaited, &Cancellation::default(), &notes).await.unwrap();
            let notes = notes.0.into_inner().unwrap();
            assert!(!notes.is_empty() && notes.iter().all(|note| note == told), "{notes:?}");
        }
    }

    fn async_there(there: &[String]) -> BoxFuture<'static, Result<Vec<String>, Error>> {
        Box::pin(std::future::ready(Ok(there.to_vec())))
    }

    /// However long an event may take, what an earlier run left is not waited for longer than that.
    #[tokio::test(start_paused = true)]
    async fn what_an_earlier_run_left_is_waited_for_within_the_limit() {
        let (probe, left) = (probe(), ["old".to_owned()]);
        let there = vec![probe.key.clone(), "old".to_owned()];
        let scripted = |turns| Scripted { turns, closed: 0, outlasted: true };
        let limit = Some(Duration::from_secs(5));
        let (end, seconds) =
            ended_with(scripted(vec![heard(&[&probe.key])]), &probe, 1, &left, there.clone(), limit).await;
        assert!(matches!(end, Some(End::Came(_))) && (5..8).contains(&seconds), "{seconds}");
        let (_, seconds) = ended_with(scripted(Vec::new()), &probe, 0, &left, there, limit).await;
        assert!((5..8).contains(&seconds), "{seconds}");
    }

    /// Another run at the same time takes what is not its own for left over; and takes its own away when it is done.
    #[tokio::test(start_paused = true)]
    async fn runs_at_the_same_time_are_noticed_at_once() {
        let (probe, left) = (probe(), ["old".to_owned()]);
        let scripted = |turns| Scripted { turns, closed: 0, outlasted: true };
        let (end, seconds) = ended_with(scripted(Vec::new()), &probe, 1, &[], Vec::new(), None).await;
        assert!(matches!(end, Some(End::Last(reason)) if reason.contains("another `verify`")) && seconds <= 10);
        let there = vec![probe.key.clone()];
        let turns = vec![Heard::default(), heard(&[&probe.key])];
        let (end, seconds) = ended_with(scripted(turns), &probe, 1, &left, there, None).await;
        assert!(matches!(end, Some(End::Came(_))) && seconds <= 10, "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_goes_with_the_listener_is_not_waited_for() {
        let (probe, left) = (probe(), ["old".to_owned()]);
        let listener = Scripted { turns: vec![heard(&[&probe.key])], closed: 0, outlasted: false };
        let (end, seconds) = ended_with(listener, &probe, 2, &left, Vec::new(), None).await;
        assert!(matches!(end, Some(End::Came(_))) && seconds == 0);
    }

    #[tokio::test(start_paused = true)]
    async fn messages_of_others_are_passed_over_ever_more_rarely() {
        let others = || Heard { others: true, ..Heard::default() };
        let (end, seconds) = ended(&probe(), 1, &[], vec![others(); 100]).await;
        assert!(matches!(end, Some(End::Silence(_))) && (120..123).contains(&seconds), "{seconds}");
        let last = Heard { last: Some("enough".to_owned()), ..others() };
        let (end, _) = ended(&probe(), 1, &[], vec![last, others()]).await;
        assert!(matches!(end, Some(End::Last(_))));
    }
}
