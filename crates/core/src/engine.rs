//! The road from a plan file to the cloud and back: look and compare, write, look until the cloud shows what was written.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::address::Address;
use crate::assess::{Intent, assess};
use crate::change_set::{Action, Change, ChangeSet, Purpose};
use crate::context::Cancellation;
use crate::error::{Error, ErrorKind, RetryClass};
use crate::event::{Event, EventSink};
use crate::executor::{Outcome, execute};
use crate::graph::graph;
use crate::provider::{Observer, Provisioner};
use crate::resource::{Observation, Resource};
use crate::retry::Patience;
use crate::survey::survey_settled;
use crate::terraform::Managed;

/// How long the cloud may take to show written values: SQS attributes, the slowest, take up to 60 seconds.
const SETTLING: Duration = Duration::from_secs(75);

/// Look at the cloud and compare. `line_of` gives the plan file's line of a dotted path.
///
/// # Errors
///
/// Credentials that are not accepted, and answers that make every look pointless.
pub async fn plan(
    observer: &dyn Observer,
    intent: &Intent,
    line_of: &dyn Fn(&str) -> Option<usize>,
    events: &dyn EventSink,
) -> Result<ChangeSet, Error> {
    let removing = matches!(intent.purpose, Purpose::Destroy { .. });
    let found = survey_settled(observer, &intent.names(), removing, events).await?;
    Ok(assess(observer, intent, &found, line_of))
}

/// What there is of a deployment, as Terraform imports it. It has to be as the plan file says.
///
/// # Errors
///
/// Those of [`plan`]; and that something is not there, or not as the plan file says.
pub async fn managed(observer: &dyn Observer, intent: &Intent, events: &dyn EventSink) -> Result<Vec<Managed>, Error> {
    let names = intent.names();
    let found = survey_settled(observer, &names, false, events).await?;
    let set = assess(observer, intent, &found, &|_| None);
    if let Some(error) = set.unknowns().into_iter().next() {
        return Err(error);
    }
    if set.has_changes() || !set.blockers().is_empty() {
        let error = Error::new(ErrorKind::Refused, format!("`{}` is not as the plan file says", set.deployment));
        let hint = format!("what is not there cannot be imported: apply it first; `{}` shows it", set.plan_command());
        return Err(error.with_hint(hint));
    }
    let own: BTreeMap<_, _> =
        found.own_marks(&names).map(|(resource, mark)| (resource.address.clone(), mark.origin)).collect();
    let mut managed = Vec::new();
    for (resource, observation) in &found.found {
        let (Observation::Present(_), Some(origin)) = (observation, own.get(resource.holder())) else { continue };
        let resources = observer.terraform(&resource.address, *origin).await?;
        managed.extend(resources.into_iter().map(|one| (resource.address.clone(), one)));
    }
    for change in &set.changes {
        let resource = found.found.iter().map(|(resource, _)| resource).find(|found| found.address == change.address);
        resource.into_iter().for_each(|resource| name_others(&mut managed, resource, change));
    }
    Ok(managed.into_iter().map(|(_, one)| one).collect())
}

/// Name what others have at the very thing that says everything there is: it is of the resource, or of the one that carries its
/// mark.
fn name_others(managed: &mut [(Address, Managed)], resource: &Resource, change: &Change) {
    let places = [&resource.address, resource.holder()];
    for other in &change.unmanaged {
        let mut there = managed.iter_mut().filter(|(address, _)| places.contains(&address));
        if let Some((_, one)) = there.find(|(_, one)| one.whole.contains(&other.facet.as_str())) {
            one.others.push(other.entry.clone());
        }
    }
}

/// Stop as stale if another look found something else; `when` ends a sentence.
///
/// # Errors
///
/// The cloud is not as it was.
pub fn unchanged(then: &ChangeSet, now: &ChangeSet, when: &str) -> Result<(), Error> {
    let Some(difference) = then.difference(now) else { return Ok(()) };
    let error = Error::new(ErrorKind::Stale, format!("the cloud changed {when}")).with_message(difference);
    Err(error.with_hint(format!("nothing was written; look at it with `{}`", then.plan_command())))
}

/// Execute a set, from the first write to the end of the last.
pub async fn apply(
    provisioner: &dyn Provisioner,
    set: &ChangeSet,
    cancellation: &Cancellation,
    events: &dyn EventSink,
) -> Outcome {
    execute(provisioner, &graph(set, &provisioner.resources()), cancellation, events).await
}

/// Look until the cloud shows what was written.
///
/// # Errors
///
/// Somebody else wrote at the same time, or something is still different when every service shows what was written.
pub async fn wait_until_visible(
    observer: &dyn Observer,
    intent: &Intent,
    executed: &ChangeSet,
    events: &dyn EventSink,
) -> Result<(), Error> {
    let mut patience = Patience::begin();
    loop {
        let set = plan(observer, intent, &|_| None, events).await?;
        if let Some(error) = set.unreadable.iter().map(|unread| &unread.0).find(|error| is_final(error)) {
            let hint = error.hint().unwrap_or("look at it with the plan command").to_owned();
            return Err(error.clone().with_hint(format!("everything is written, but cannot be looked at: {hint}")));
        }
        let not_yet_visible = not_yet_visible(&set);
        if not_yet_visible.is_empty() {
            return Ok(());
        }
        if let Some(concurrent_write) = executed.concurrent_write(&set) {
            let error =
                Error::new(ErrorKind::Stale, "somebody else wrote at the same time").with_message(concurrent_write);
            let command = format!("provision {} plan", set.cloud);
            return Err(error.with_hint(format!("`{command}` shows the result of both; apply again to mend it")));
        }
        if patience.elapsed() > SETTLING {
            let error = Error::new(ErrorKind::Unexpected, "what was written is not what is seen")
                .with_message(not_yet_visible.join(", "));
            let plan = format!("provision {} plan", set.cloud);
            return Err(error.with_hint(format!("if `{plan}` goes on showing it, this is a bug in provision")));
        }
        events.emit(Event::Confirming { not_yet_visible });
        let wait = patience.next();
        patience.wait(wait).await;
    }
}

/// Whether another look would end the same: what is not found may still appear.
fn is_final(error: &Error) -> bool {
    *error.retry() == RetryClass::Final && error.kind() != ErrorKind::NotFound
}

fn not_yet_visible(set: &ChangeSet) -> Vec<String> {
    let open = set.changes.iter().filter(|change| change.action != Action::NoOp);
    let named = |change: &Change| {
        let facets = change.facets.iter().filter(|facet| facet.finding.differs()).map(|facet| facet.facet.clone());
        let facets: Vec<_> = facets.collect();
        format!(
            "{} of {} `{}`",
            if facets.is_empty() { "tags".to_owned() } else { facets.join(" and ") },
            change.kind,
            change.name
        )
    };
    let unread = set.unreadable.iter().map(|unread| unread.0.to_string());
    open.map(named).chain(unread).collect()
}
