//! The graph of writes that a change set amounts to.
//!
//! At most about twenty operations, known before the first one is sent. The graph is a pure function of the change set,
//! so a saved one is executed exactly.

use serde_json::{Map, Value};

use crate::address::Address;
use crate::change_set::{Action, Change, ChangeSet, Purpose, wanted};
use crate::mark::{Mark, Origin};
use crate::resource::{Carrier, Lane, Orphan, Resource, Turns};

/// One write, or a read that a write must be preceded by.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its place in the graph.
    pub id: usize,
    /// The resource.
    pub address: Address,
    /// The noun for messages.
    pub kind: String,
    /// The name people know the resource by; for an orphan not the plan file's.
    pub name: String,
    /// What to do.
    pub verb: Verb,
    /// Operations that must be done before.
    pub needs: Vec<usize>,
    /// The writes it may have to wait for.
    pub lane: Option<Lane>,
}

/// What an operation does.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// Create the resource with its mark and the facets that the creating call takes, by name.
    Create {
        /// The unfinished mark.
        mark: Mark,
        /// Every wanted facet.
        facets: Map<String, Value>,
    },
    /// Put the unfinished mark onto a resource that exists.
    Adopt {
        /// The unfinished mark.
        mark: Mark,
    },
    /// Write one facet; `null` takes our part out.
    Write {
        /// The facet's name.
        facet: String,
        /// The value wanted.
        value: Value,
        /// Whether this run made the resource, so that the document is known to be empty.
        fresh: bool,
    },
    /// Read the mark of a resource made by this run, beside its other writes, so that the last write merges.
    ReadMark,
    /// Write what was applied into the mark: the last write.
    Record {
        /// The mark that was seen when the change set was made.
        before: Option<Mark>,
        /// The mark to write.
        mark: Mark,
    },
    /// Delete everything inside.
    Empty,
    /// Delete the resource.
    Delete,
    /// Take our mark off a resource that stays.
    Unmark,
}

impl Operation {
    /// What is done, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let (kind, name) = (&self.kind, &self.name);
        match &self.verb {
            Verb::Create { .. } => format!("create {kind} `{name}`"),
            Verb::Adopt { .. } => format!("adopt {kind} `{name}`"),
            Verb::Write { facet, value, .. } if value.is_null() => format!("remove {facet} of {kind} `{name}`"),
            Verb::Write { facet, .. } => format!("write {facet} of {kind} `{name}`"),
            Verb::ReadMark => format!("read the mark of {kind} `{name}`"),
            Verb::Record { .. } => format!("record the mark of {kind} `{name}`"),
            Verb::Empty => format!("empty {kind} `{name}`"),
            Verb::Delete => format!("delete {kind} `{name}`"),
            Verb::Unmark => format!("release {kind} `{name}`"),
        }
    }

    /// When it waits for its turn in its lane.
    pub(crate) fn turns(&self) -> Option<Turns> {
        self.lane.map(|lane| lane.turns)
    }

    /// Whether it changes the cloud.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.verb != Verb::ReadMark
    }
}

/// The operations of a change set on these resources, each after those it needs.
#[must_use]
pub fn graph(set: &ChangeSet, resources: &[Resource]) -> Vec<Operation> {
    let mut graph = Graph { set, resources, operations: Vec::new() };
    let removes = |change: &&Change| matches!(change.action, Action::Delete | Action::Release);
    set.changes.iter().filter(|change| !removes(change)).for_each(|change| graph.make(change));
    graph.record();
    let mut removals: Vec<_> = set.changes.iter().filter(removes).collect();
    removals.sort_by_key(|change| graph.turn(&change.address));
    let mut orphans: Vec<_> = set.orphans.iter().filter(|_| set.with_orphans).collect();
    orphans.sort_by_key(|orphan| graph.turn(&orphan.address));
    let mut orphans = orphans.into_iter().peekable();
    for change in &removals {
        // An orphan goes where one of its kind in the plan file would: before what it may be in.
        while let Some(orphan) = orphans.next_if(|orphan| graph.turn(&orphan.address) < graph.turn(&change.address)) {
            graph.remove_orphan(orphan);
        }
        graph.remove(change);
    }
    orphans.for_each(|orphan| graph.remove_orphan(orphan));
    removals.iter().for_each(|change| graph.unmark(change));
    graph.operations
}

struct Graph<'a> {
    set: &'a ChangeSet,
    resources: &'a [Resource],
    operations: Vec<Operation>,
}

impl Graph<'_> {
    fn push(&mut self, change: &Change, verb: Verb, needs: Vec<usize>) -> usize {
        let lane = self.resource(change).and_then(|resource| resource.lane);
        self.add(&change.address, &change.kind, &change.name, lane, verb, needs)
    }

    fn add(
        &mut self,
        address: &Address,
        kind: &str,
        name: &str,
        lane: Option<Lane>,
        verb: Verb,
        needs: Vec<usize>,
    ) -> usize {
        let id = self.operations.len();
        self.operations.push(Operation {
            id,
            address: address.clone(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            verb,
            needs,
            lane,
        });
        id
    }

    fn resource(&self, change: &Change) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.address == change.address)
    }

    /// Every operation so far on one of these addresses.
    fn on(&self, addresses: &[Address]) -> Vec<usize> {
        let on = self.operations.iter().filter(|operation| addresses.contains(&operation.address));
        on.map(|operation| operation.id).collect()
    }

    /// What a resource's writes wait for. One with a mark of its own is made inside or beside the others: they must
    /// exist. An entry joins them: of its carrier it waits for the existence, of others for everything that is written.
    fn before_writes(&self, resource: &Resource) -> Vec<usize> {
        let begins = |operation: &Operation| matches!(operation.verb, Verb::Create { .. } | Verb::Adopt { .. });
        let exists = |operation: &Operation| match &resource.carrier {
            Carrier::Itself => true,
            Carrier::Of(carrier) => *carrier == operation.address,
        };
        let needed = self.operations.iter().filter(|operation| {
            resource.needs.contains(&operation.address)
                && operation.writes()
                && (begins(operation) || !exists(operation))
        });
        needed.map(|operation| operation.id).collect()
    }

    fn carrier_action(&self, resource: &Resource) -> Option<Action> {
        let Carrier::Of(carrier) = &resource.carrier else { return None };
        self.set.changes.iter().find(|change| change.address == *carrier).map(|change| change.action)
    }

    /// Create or adopt, then write each facet that differs.
    fn make(&mut self, change: &Change) {
        let Some(resource) = self.resource(change).cloned() else { return };
        let mut needs = self.before_writes(&resource);
        let marked = resource.carrier == Carrier::Itself;
        let created = marked && change.action == Action::Create;
        if created {
            let mark = self.unfinished(change, Origin::Created, &resource.identity);
            needs = vec![self.push(change, Verb::Create { mark, facets: wanted(change) }, needs)];
        } else if marked && change.action == Action::Adopt {
            let mark = self.unfinished(change, Origin::Adopted, &resource.identity);
            needs = vec![self.push(change, Verb::Adopt { mark }, needs)];
        }
        let fresh = created || self.carrier_action(&resource) == Some(Action::Create);
        for facet in change.facets.iter().filter(|facet| facet.write) {
            let verb = Verb::Write { facet: facet.facet.clone(), value: facet.after.clone(), fresh };
            self.push(change, verb, needs.clone());
        }
        if created {
            self.push(change, Verb::ReadMark, needs);
        }
    }

    /// The mark of the beginning, which already tells what was there before.
    fn unfinished(&self, change: &Change, origin: Origin, identity: &str) -> Mark {
        let found = change.record.as_ref().map(|mark| mark.found.clone()).unwrap_or_default();
        Mark { found, ..Mark::unfinished(&self.set.deployment, origin, identity) }
    }

    /// The last writes, after all others.
    fn record(&mut self) {
        let all: Vec<usize> = (0..self.operations.len()).collect();
        for change in &self.set.changes {
            if let Some(mark) = &change.record {
                let verb = Verb::Record { before: change.mark.clone(), mark: mark.clone() };
                self.push(change, verb, all.clone());
            }
        }
    }

    /// The order of removal: the writers' access where data is deleted, and what must be gone before the data; the data;
    /// entries in shared documents; the rest.
    fn rank(&self, address: &Address) -> u8 {
        match self.resources.iter().find(|resource| resource.address == *address) {
            Some(resource) if resource.grants_access && self.set.delete_data().is_some() => 0,
            Some(resource) if self.precedes_data(&resource.address) => 0,
            Some(resource) if resource.holds_data => 1,
            Some(resource) if resource.carrier != Carrier::Itself => 2,
            _ => 3,
        }
    }

    /// When a resource or an orphan of its kind is removed.
    fn turn(&self, address: &Address) -> (u8, usize) {
        (self.rank(address), self.depth(address))
    }

    fn precedes_data(&self, address: &Address) -> bool {
        self.resources.iter().any(|resource| resource.holds_data && resource.deleted_after.contains(address))
    }

    /// How many others must be gone before it, one after the other.
    fn depth(&self, address: &Address) -> usize {
        let resource = self.resources.iter().find(|resource| resource.address == *address);
        let before = resource.into_iter().flat_map(|resource| &resource.deleted_after);
        before.map(|before| 1 + self.depth(before)).max().unwrap_or_default()
    }

    /// Delete what we made; of what stays, take our entries out.
    fn remove(&mut self, change: &Change) {
        let Some(resource) = self.resource(change).cloned() else { return };
        if resource.contained && self.carrier_action(&resource) == Some(Action::Delete) {
            return;
        }
        let mut needs = self.on(&resource.deleted_after);
        if resource.carrier == Carrier::Itself && change.action == Action::Delete {
            if resource.holds_data && self.set.delete_data().is_some() {
                let access = (0..self.operations.len()).collect();
                needs = vec![self.push(change, Verb::Empty, access)];
            }
            self.push(change, Verb::Delete, needs);
            return;
        }
        for facet in change.facets.iter().filter(|facet| facet.write) {
            let verb = Verb::Write { facet: facet.facet.clone(), value: Value::Null, fresh: false };
            self.push(change, verb, needs.clone());
        }
    }

    /// The mark goes last, so that a run that was stopped is found again.
    fn unmark(&mut self, change: &Change) {
        if change.action == Action::Release && change.mark.is_some() {
            let all = (0..self.operations.len()).collect();
            self.push(change, Verb::Unmark, all);
        }
    }

    fn remove_orphan(&mut self, orphan: &Orphan) {
        // A resource that holds data goes only with `destroy`, whose service refuses to delete it unless it is empty.
        if orphan.holds_data && self.set.purpose == Purpose::Apply {
            return;
        }
        let verb = match orphan.mark.origin {
            Origin::Created => Verb::Delete,
            Origin::Adopted => Verb::Unmark,
        };
        let all = (0..self.operations.len()).collect();
        self.add(&orphan.address, &orphan.kind, &orphan.name, None, verb, all);
    }
}
