//! A service for the tests, whose writes take a second.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep};

use crate::address::Address;
use crate::contents::Contents;
use crate::context::OperationContext;
use crate::error::{Error, ErrorKind, RetryClass};
use crate::event::{Event, EventSink};
use crate::facet::Desired;
use crate::identity::Identity;
use crate::mark::{Origin, TagChanges, Tags, with_changes};
use crate::operation::{FacetWrite, Operation, Verb};
use crate::output::{Output, OutputSource};
use crate::provider::{Created, Observer, Provisioner, Write};
use crate::resource::{Lane, LaneMode, Observation, Orphan, Resource};

/// How long a write takes.
pub(super) const WRITE: Duration = Duration::from_secs(1);
const BUDGET: Duration = Duration::from_secs(300);
const NOT_SEEN: RetryClass = RetryClass::Settling { reason: "a right is not known everywhere yet", budget: BUDGET };
pub(super) const THING: &str = "the full name";

/// A service that notes when each write began.
pub(super) struct Slow {
    pub(super) begun: Instant,
    /// The first writes of so many operations end in a conflict.
    crossing: usize,
    /// Until then, the service has not caught up with an earlier write.
    settles: Duration,
    starts: Mutex<Vec<(usize, Duration)>>,
    pub(super) tags: Mutex<Option<Tags>>,
}

impl Slow {
    pub(super) fn begin(crossing: usize, settles: Duration) -> Self {
        let (starts, tags) = (Mutex::default(), Mutex::default());
        Self { begun: Instant::now(), crossing, settles, starts, tags }
    }

    /// The times at which the writes of an operation began.
    pub(super) fn starts(&self, id: usize) -> Vec<Duration> {
        let starts = self.starts.lock().unwrap();
        starts.iter().filter(|(of, _)| *of == id).map(|(_, at)| *at).collect()
    }
}

#[async_trait]
impl Provisioner for Slow {
    async fn write(&self, operation: &Operation, _: &Write<'_>, context: &OperationContext<'_>) -> Result<(), Error> {
        let _lane = context.acquire_lane().await;
        if self.begun.elapsed() < self.settles {
            return Err(Error::new(ErrorKind::PermissionDenied, "write")
                .with_hint("run it again")
                .with_retry(NOT_SEEN));
        }
        self.starts.lock().unwrap().push((operation.id, self.begun.elapsed()));
        sleep(WRITE).await;
        if operation.id < self.crossing && self.starts(operation.id).len() == 1 {
            return Err(Error::new(ErrorKind::Conflict, "write").with_retry(RetryClass::Conflict));
        }
        Ok(())
    }

    async fn tags(&self, _: &Operation) -> Result<Option<Tags>, Error> {
        Ok(self.tags.lock().unwrap().clone())
    }

    async fn update_tags(&self, _: &Operation, found: &Tags, changes: &TagChanges) -> Result<(), Error> {
        *self.tags.lock().unwrap() = Some(with_changes(found, changes));
        Ok(())
    }

    async fn update(
        &self,
        operation: &Operation,
        found: &Tags,
        changes: &TagChanges,
        _: &[FacetWrite],
        _: &OperationContext<'_>,
    ) -> Result<(), Error> {
        self.update_tags(operation, found, changes).await
    }

    async fn create(
        &self,
        _: &Operation,
        _: &Tags,
        _: &Map<String, Value>,
        _: &OperationContext<'_>,
    ) -> Result<Created, Error> {
        Ok(Created::Existed)
    }

    async fn empty(&self, _: &Operation, _: &OperationContext<'_>) -> Result<(), Error> {
        Ok(())
    }

    async fn delete(&self, _: &Operation, context: &OperationContext<'_>) -> Result<(), Error> {
        context.still_ours().await?;
        *self.tags.lock().unwrap() = None;
        Ok(())
    }
}

#[async_trait]
impl Observer for Slow {
    fn cloud(&self) -> &'static str {
        "slow"
    }

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    fn desired(&self, _: &Address, _: Origin) -> Vec<Desired> {
        Vec::new()
    }

    fn output_sources(&self) -> Vec<(&'static str, OutputSource)> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<Output> {
        Vec::new()
    }

    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    fn next_steps(&self) -> Option<String> {
        None
    }

    async fn identity(&self) -> Result<Identity, Error> {
        Err(Error::new(ErrorKind::Unsupported, "look"))
    }

    async fn observe(&self, _: &Address) -> Result<Observation, Error> {
        Ok(Observation::Absent)
    }

    async fn marked(&self, _: &[String]) -> Result<Vec<Orphan>, Error> {
        Ok(Vec::new())
    }

    async fn contents(&self, _: &Address) -> Result<Contents, Error> {
        Ok(Contents::default())
    }
}

/// Every event, with its second.
pub(super) struct Record(pub(super) Instant, pub(super) Mutex<Vec<(u64, Event)>>);

impl EventSink for Record {
    fn emit(&self, event: Event) {
        self.1.lock().unwrap().push((self.0.elapsed().as_secs(), event));
    }
}

/// Writes to one lane that need nothing of each other.
pub(super) fn writes(modes: &[LaneMode]) -> Vec<Operation> {
    let write = |(id, mode): (usize, &LaneMode)| Operation {
        id,
        address: Address::new("slow.thing"),
        kind: "thing".to_owned(),
        name: id.to_string(),
        identity: THING.to_owned(),
        holder: Some(Address::new("slow.thing")),
        verb: Verb::Write { facet: String::new(), before: Value::Null, value: Value::Null },
        needs: Vec::new(),
        lane: Some(Lane { name: "thing", mode: *mode }),
        has_one_facet: false,
    };
    modes.iter().enumerate().map(write).collect()
}
