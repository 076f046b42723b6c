//! What has become of a change set since it was made: another look that found something else, somebody else's write.

use serde_json::Value;

use crate::compare::same;
use crate::diff;

use super::{Action, Change, ChangeSet, FacetChange};

impl ChangeSet {
    /// What another look at the cloud changed about this set, named for people; `None` if nothing did.
    #[must_use]
    pub fn difference(&self, now: &Self) -> Option<String> {
        let pairs = || self.changes.iter().zip(&now.changes);
        if let Some(difference) = pairs().find_map(|(then, now)| then.difference(now)) {
            return Some(difference);
        }
        let on_record = |(then, now): (&Change, &Change)| then.without_lines() != now.without_lines();
        if pairs().any(on_record) {
            return Some("what is on record".to_owned());
        }
        (self.orphans != now.orphans)
            .then(|| "what is left over".to_owned())
            .or_else(|| (self.changes.len() != now.changes.len()).then(|| "the list of resources".to_owned()))
    }

    /// What somebody else wrote while this set was executed, named for people: `now` shows neither what was there before
    /// nor what the set wrote. What the cloud does not show yet is as it was before.
    #[must_use]
    pub fn concurrent_write(&self, now: &Self) -> Option<String> {
        self.changes.iter().zip(&now.changes).find_map(|(executed, now)| executed.concurrent_write(now))
    }
}

impl Change {
    fn concurrent_write(&self, now: &Self) -> Option<String> {
        let place = format!("{} `{}`", self.kind, self.name);
        let written = now.mark.as_ref().filter(|mark| mark.is_written());
        let target = self.record.as_ref().or(self.mark.as_ref());
        if written.is_some_and(|mark| Some(mark) != self.mark.as_ref() && Some(mark) != target) {
            return Some(format!("provision's tags of {place}"));
        }
        // What the creating call sent is there from the beginning; what had a call of its own may not be seen yet.
        let written = |facet: &&FacetChange| match self.action {
            Action::Update => true,
            Action::Create => !facet.write && !facet.after.is_null(),
            _ => false,
        };
        let others =
            self.facets.iter().zip(&now.facets).filter(|(executed, _)| written(executed)).find(|(executed, now)| {
                executed.facet == now.facet
                    && !now.before.is_null()
                    && !same(&now.before, &executed.before)
                    && !same(&now.before, &executed.after)
            });
        others.map(|(_, now)| format!("{} of {place}", now.facet))
    }

    /// The same without its places in the plan file, which a saved set has and the cloud does not, and without what a server goes
    /// on writing.
    fn without_lines(&self) -> Self {
        let mut change = Self { line: None, contents: None, ..self.clone() };
        change.facets.iter_mut().for_each(|facet| facet.line = None);
        change
    }

    fn difference(&self, now: &Self) -> Option<String> {
        if self.without_lines() == now.without_lines() {
            return None;
        }
        let place = format!("{} `{}`", self.kind, self.name);
        for (then, now) in self.facets.iter().zip(&now.facets) {
            if then.before != now.before {
                return Some(format!("{} of {place}", field(&then.facet, &then.before, &now.before)));
            }
        }
        if self.unmanaged != now.unmanaged {
            return Some(format!("entries of others on {place}"));
        }
        if self.mark != now.mark {
            return Some(format!("provision's tags of {place}"));
        }
        let acts = self.action != now.action;
        acts.then(|| format!("{place}: {} -> {}", self.action.verb(), now.action.verb()))
    }
}

/// The first field of a facet in which two looks differ, by its name alone: the values may be whole documents.
fn field(facet: &str, then: &Value, now: &Value) -> String {
    match diff::fields(then, now).into_iter().next() {
        Some(first) if !first.field.is_empty() => format!("{facet}.{}", first.field),
        _ => facet.to_owned(),
    }
}
