//! The graph of writes that a change set amounts to.
//!
//! At most about twenty operations, known before the first one is sent. The graph is a pure function of the change set,
//! so a saved one is executed exactly.

use serde_json::{Map, Value};

use crate::address::Address;
use crate::change_set::{Action, Change, ChangeSet, FacetChange, Purpose};
use crate::facet::{Extent, Sharing};
use crate::mark::{Mark, Origin, TagChanges};
use crate::operation::{FacetWrite, Operation, Verb};
use crate::resource::{MarkHolder, Orphan, Resource};

/// The operations of a change set on these resources, each after those it needs.
#[must_use]
pub fn graph(set: &ChangeSet, resources: &[Resource]) -> Vec<Operation> {
    let mut graph = Graph { set, resources, operations: Vec::new() };
    let removes = |change: &&Change| matches!(change.action, Action::Delete | Action::Release);
    graph.begin();
    set.changes.iter().filter(|change| !removes(change)).for_each(|change| graph.make(change));
    let mut removals: Vec<_> = set.changes.iter().filter(removes).collect();
    removals.sort_by_key(|change| graph.removal_order(&change.address));
    // What apply takes out are entries, and the marks say so only once they are gone.
    let (before_marks, after_marks) =
        if set.purpose == Purpose::Apply { (removals, vec![]) } else { (vec![], removals) };
    before_marks.iter().for_each(|change| graph.remove(change));
    graph.write_marks();
    if set.purpose == Purpose::Apply {
        graph.rewrite_orphans();
    }
    let mut orphans: Vec<_> = set.orphans.iter().filter(|_| set.with_orphans).collect();
    orphans.sort_by_key(|orphan| graph.removal_order(&orphan.address));
    let mut orphans = orphans.into_iter().peekable();
    for change in &after_marks {
        // An orphan goes where one of its kind in the plan file would: before what it may be in.
        while let Some(orphan) =
            orphans.next_if(|orphan| graph.removal_order(&orphan.address) < graph.removal_order(&change.address))
        {
            graph.remove_orphan(orphan);
        }
        graph.remove(change);
    }
    orphans.for_each(|orphan| graph.remove_orphan(orphan));
    after_marks.iter().for_each(|change| graph.unmark(change));
    if set.purpose != Purpose::Apply {
        graph.rewrite_orphans();
    }
    graph.operations
}

struct Graph<'a> {
    set: &'a ChangeSet,
    resources: &'a [Resource],
    operations: Vec<Operation>,
}

impl Graph<'_> {
    fn push(&mut self, change: &Change, verb: Verb, needs: Vec<usize>) -> usize {
        let resource = self.resource(change);
        let id = self.operations.len();
        self.operations.push(Operation {
            id,
            address: change.address.clone(),
            kind: change.kind.clone(),
            name: change.name.clone(),
            identity: resource.map(|resource| resource.identity.clone()).unwrap_or_default(),
            holder: Some(resource.map_or_else(|| change.address.clone(), |resource| resource.holder().clone())),
            verb,
            needs,
            lane: resource.and_then(|resource| resource.lane),
            has_one_facet: resource.is_some_and(|resource| resource.facets.len() == 1 && !resource.is_marked()),
        });
        id
    }

    fn resource(&self, change: &Change) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.address == change.address)
    }

    /// What must be done before something is deleted that these are gone before. One that is released stays: nothing waits
    /// for what is taken out of its own documents.
    fn gone(&self, addresses: &[Address]) -> Vec<usize> {
        let own = |operation: &Operation| {
            matches!(operation.verb, Verb::Write { .. }) && operation.holder.as_ref() == Some(&operation.address)
        };
        let before = self.operations.iter().filter(|operation| addresses.contains(&operation.address));
        before.filter(|operation| !own(operation)).map(|operation| operation.id).collect()
    }

    /// What a resource's writes wait for. One with a mark of its own is made inside or beside the others: they must
    /// exist. An entry joins them: of its mark holder it waits for the existence, of others for everything that is written.
    fn before_writes(&self, resource: &Resource) -> Vec<usize> {
        let begins = |operation: &Operation| matches!(operation.verb, Verb::Create { .. } | Verb::Adopt { .. });
        let exists = |operation: &Operation| match &resource.mark_holder {
            MarkHolder::Own => true,
            MarkHolder::On(mark_holder) => *mark_holder == operation.address,
        };
        let needed = self.operations.iter().filter(|operation| {
            resource.needs.contains(&operation.address)
                && operation.writes()
                && (begins(operation) || !exists(operation))
        });
        needed.map(|operation| operation.id).collect()
    }

    fn holder_action(&self, resource: &Resource) -> Option<Action> {
        let MarkHolder::On(mark_holder) = &resource.mark_holder else { return None };
        self.set.changes.iter().find(|change| change.address == *mark_holder).map(|change| change.action)
    }

    /// Put on record what is about to be written for the first time without a name of ours, where no creation does.
    fn begin(&mut self) {
        for change in self.set.changes.iter().filter(|change| change.action != Action::Create) {
            if self.is_one_document(change) {
                continue;
            }
            let Some(begin) = &change.begin else { continue };
            let verb = match (change.action, &change.mark) {
                (Action::Adopt | Action::Restore, before) => {
                    Verb::Adopt { before: before.clone(), mark: begin.clone() }
                }
                (_, before) => {
                    Verb::WriteMark { before: before.clone(), mark: begin.clone(), tags: TagChanges::default() }
                }
            };
            self.push(change, verb, Vec::new());
        }
    }

    /// What was put on record on a resource before anything else, if anything was.
    fn begun(&self, address: &Address) -> Vec<usize> {
        let begins = |operation: &&Operation| matches!(operation.verb, Verb::WriteMark { .. } | Verb::Adopt { .. });
        let on = self.operations.iter().filter(|operation| operation.address == *address);
        on.filter(begins).map(|operation| operation.id).collect()
    }

    /// Create, then write each facet that differs.
    fn make(&mut self, change: &Change) {
        let Some(resource) = self.resource(change).cloned() else { return };
        let mut needs = self.before_writes(&resource);
        needs.extend(self.begun(resource.holder()));
        let created = resource.is_marked() && change.action == Action::Create;
        let mark = self.first_mark(change, &resource.identity);
        if created {
            let mark = mark.clone();
            let tags = change.tags.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
            let tags = tags.chain(mark.to_tags()).collect();
            let mut facets = desired_facets(change);
            facets.retain(|name, _| resource.facet(name).is_none_or(|facet| facet.extent != Extent::Tags));
            needs = vec![self.push(change, Verb::Create { mark, tags, facets }, needs)];
        }
        for facet in change.facets.iter().filter(|facet| facet.write && !resource.one_document) {
            self.write(change, facet, &facet.after, &needs);
        }
        if created {
            self.push(change, Verb::ReadMark { mark }, needs);
        }
    }

    /// Write a facet, once for each entry of ours that it takes the place of, one after the other.
    fn write(&mut self, change: &Change, facet: &FacetChange, value: &Value, needs: &[usize]) {
        let mut needs = needs.to_vec();
        let ours = if facet.ours.is_empty() { vec![Value::Null] } else { facet.ours.clone() };
        for before in ours {
            let verb = Verb::Write { facet: facet.facet.clone(), before, value: value.clone() };
            let id = self.push(change, verb, needs.clone());
            needs.push(id);
        }
    }

    fn is_one_document(&self, change: &Change) -> bool {
        self.resource(change).is_some_and(|resource| resource.one_document)
    }

    /// Everything that changes of a resource that is there, in one request.
    fn update(&mut self, change: &Change, needs: Vec<usize>) {
        let releases = change.action == Action::Release;
        let mut facets = Vec::new();
        for facet in change.facets.iter().filter(|facet| facet.write) {
            let value = if releases { Value::Null } else { facet.after.clone() };
            let ours = if facet.ours.is_empty() { vec![Value::Null] } else { facet.ours.clone() };
            let write = |before| FacetWrite { facet: facet.facet.clone(), before, value: value.clone() };
            facets.extend(ours.into_iter().map(write));
        }
        let (before, tags) = (change.mark.clone(), change.tags.clone());
        let writes = if releases { before.is_some() } else { change.record.is_some() };
        if writes || !facets.is_empty() || !tags.is_empty() {
            let mark = if releases { None } else { change.record.clone().or_else(|| before.clone()) };
            self.push(change, Verb::Update { before, mark, tags, facets }, needs);
        }
    }

    fn first_mark(&self, change: &Change, identity: &str) -> Mark {
        let unfinished = || Mark::unfinished(&self.set.deployment, Origin::Created, identity);
        change.begin.clone().unwrap_or_else(unfinished)
    }

    /// The last writes, after all others.
    fn write_marks(&mut self) {
        let all: Vec<usize> = (0..self.operations.len()).collect();
        for change in &self.set.changes {
            let stays = !matches!(change.action, Action::Delete | Action::Release);
            if stays && change.action != Action::Create && self.is_one_document(change) {
                self.update(change, all.clone());
                continue;
            }
            if let Some(mark) = change.record.as_ref().filter(|_| stays) {
                let created = change.action == Action::Create;
                // What was made by this run may not show its mark yet: that is waited for. Any other must be there.
                let before = change.begin.clone().or_else(|| change.mark.clone()).filter(|_| !created);
                let tags = if created { TagChanges::default() } else { change.tags.clone() };
                self.push(change, Verb::WriteMark { before, mark: mark.clone(), tags }, all.clone());
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
            Some(resource) if resource.mark_holder != MarkHolder::Own => 2,
            _ => 3,
        }
    }

    /// When a resource or an orphan of its kind is removed.
    fn removal_order(&self, address: &Address) -> (u8, usize) {
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
        if resource.deleted_with_holder && self.holder_action(&resource) == Some(Action::Delete) {
            return;
        }
        let mut needs = self.gone(&resource.deleted_after);
        let planned = change.mark.clone();
        if let (true, Action::Delete, Some(mark)) = (resource.is_marked(), change.action, planned.clone()) {
            if resource.holds_data && self.set.delete_data().is_some() {
                let access = (0..self.operations.len()).collect();
                needs = vec![self.push(change, Verb::Empty { mark: mark.clone() }, access)];
            }
            self.push(change, Verb::Delete { mark }, needs);
            return;
        }
        // All of it goes with the mark.
        if resource.one_document {
            return;
        }
        if let (true, Some(mark)) = (resource.is_marked(), planned) {
            self.push(change, Verb::CheckMark { mark }, needs.clone());
        }
        if !resource.is_marked() && has_anonymous(&resource, change) {
            self.check(resource.holder(), &needs);
        }
        needs.extend(self.checked(resource.holder()));
        for facet in change.facets.iter().filter(|facet| facet.write) {
            self.write(change, facet, &Value::Null, &needs);
        }
    }

    /// Look whether what carries entries without a name of ours still carries our mark too: those of another deployment may
    /// be alike.
    fn check(&mut self, holder: &Address, needs: &[usize]) {
        let Some(change) = self.set.changes.iter().find(|change| change.address == *holder) else { return };
        let deleted = |operation: &Operation| {
            operation.address == *holder && matches!(operation.verb, Verb::Delete { .. } | Verb::CheckMark { .. })
        };
        let mark = change.begin.clone().or_else(|| change.mark.clone());
        if let (Some(mark), false) = (mark, self.operations.iter().any(deleted)) {
            let needs = [needs, &self.begun(holder)].concat();
            self.push(change, Verb::CheckMark { mark }, needs);
        }
    }

    /// The look at the mark of a resource that stays.
    fn checked(&self, address: &Address) -> Vec<usize> {
        let checks =
            |operation: &&Operation| operation.address == *address && matches!(operation.verb, Verb::CheckMark { .. });
        self.operations.iter().filter(checks).map(|operation| operation.id).collect()
    }

    /// The mark goes last, so that a run that was stopped is found again.
    fn unmark(&mut self, change: &Change) {
        if change.action == Action::Release && self.is_one_document(change) {
            return self.update(change, (0..self.operations.len()).collect());
        }
        if change.action == Action::Release && (change.mark.is_some() || !change.tags.is_empty()) {
            let all = (0..self.operations.len()).collect();
            self.push(change, Verb::RemoveMark { mark: change.mark.clone(), tags: change.tags.clone() }, all);
        }
    }

    /// The present name of the deployment on what carries its former one.
    fn rewrite_orphans(&mut self) {
        for (orphan, mark) in self.set.rewritten_orphans() {
            let before = Some(orphan.mark.clone());
            self.push_orphan(orphan, Verb::WriteMark { before, mark, tags: TagChanges::default() });
        }
    }

    fn remove_orphan(&mut self, orphan: &Orphan) {
        // A resource that holds data goes only with `destroy`, whose service refuses to delete it unless it is empty.
        if (orphan.holds_data && self.set.purpose == Purpose::Apply) || orphan.mark.newer_version().is_some() {
            return;
        }
        let mark = orphan.mark.clone();
        if orphan.mark.origin == Origin::Created {
            self.push_orphan(orphan, Verb::Delete { mark });
            return;
        }
        if !orphan.entries.is_empty() {
            self.push_orphan(orphan, Verb::CheckMark { mark: mark.clone() });
        }
        for (facet, ours) in &orphan.entries {
            let (facet, before) = (facet.clone(), ours.clone());
            self.push_orphan(orphan, Verb::Write { facet, before, value: Value::Null });
        }
        let tags = orphan.tags.iter().map(|tag| (tag.clone(), None)).collect();
        self.push_orphan(orphan, Verb::RemoveMark { mark: Some(mark), tags });
    }

    fn push_orphan(&mut self, orphan: &Orphan, verb: Verb) {
        let id = self.operations.len();
        self.operations.push(Operation {
            id,
            address: orphan.address.clone(),
            kind: orphan.kind.clone(),
            name: orphan.name.clone(),
            identity: orphan.identity.clone(),
            holder: None,
            verb,
            needs: (0..id).collect(),
            lane: None,
            has_one_facet: false,
        });
    }
}

/// Whether entries without an id are written: only the mark records whether they are ours.
fn has_anonymous(resource: &Resource, change: &Change) -> bool {
    let anonymous = |name: &str| resource.facet(name).is_some_and(|facet| facet.sharing == Sharing::Anonymous);
    change.facets.iter().any(|facet| facet.write && anonymous(&facet.facet))
}

/// The values of the desired facets by name, as the creating call gets them.
fn desired_facets(change: &Change) -> Map<String, Value> {
    change.facets.iter().map(|facet| (facet.facet.clone(), facet.after.clone())).collect()
}

#[cfg(test)]
mod tests;
