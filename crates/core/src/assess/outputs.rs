//! Which settings of the server change with a set. There is no state: the names on record and the observed values tell.

use crate::address::Address;
use crate::change_set::Change;
use crate::compare::Finding;
use crate::diff;
use crate::output::{Output, OutputChange, OutputSource};

use super::assessment::Assessment;

impl Assessment<'_> {
    /// The settings that are others once the changes are made: all of them where nothing was applied yet, none where something is
    /// refused.
    pub(super) fn output_changes(&self, changes: &[Change]) -> Vec<OutputChange> {
        if self.is_destroying() || changes.iter().any(|change| change.refusal.is_some()) {
            return Vec::new();
        }
        let (outputs, sources) = (self.observer.outputs(), self.observer.output_sources());
        let is_other = |name: &str| {
            let mut sources = sources.iter().filter(|(of, _)| *of == name).map(|(_, source)| source);
            sources.any(|source| self.decides_anew(source, changes))
        };
        let first = self.parts.is_empty();
        let gives = |name: &str| sources.iter().any(|(of, source)| *of == name && self.gives(source));
        let present = outputs.iter().filter(|output| first || is_other(&output.name));
        let present = present.map(|output| changed(output, gives(&output.name)));
        let given = sources
            .iter()
            .filter(|(name, source)| first && self.gives(source) && outputs.iter().all(|output| output.name != *name));
        let given = given.map(|(name, _)| OutputChange { name: (*name).to_owned(), value: None, given: true });
        let mut gone: Vec<_> = sources.iter().map(|(name, _)| *name).collect();
        gone.dedup();
        gone.retain(|name| !first && outputs.iter().all(|output| output.name != *name) && is_other(name));
        let gone = gone.into_iter().map(|name| OutputChange { name: name.to_owned(), value: None, given: false });
        present.chain(given).chain(gone).collect()
    }

    fn decides_anew(&self, source: &OutputSource, changes: &[Change]) -> bool {
        match source {
            OutputSource::Part(address) | OutputSource::Given(address) => self.is_another_part(address),
            OutputSource::Field { address, facet, field } => {
                let change = changes.iter().find(|change| change.address == *address);
                let facets = change.into_iter().flat_map(|change| &change.facets);
                let pending = |finding| matches!(finding, Finding::Pending | Finding::Both | Finding::Unfinished);
                let mut facets =
                    facets.filter(|own| own.facet == *facet && pending(own.finding) && !own.before.is_null());
                facets.any(|own| diff::fields(&own.before, &own.after).iter().any(|diff| diff.field == *field))
            }
        }
    }

    /// Whether a thing that the plan file has comes with the value.
    fn gives(&self, source: &OutputSource) -> bool {
        let OutputSource::Given(address) = source else { return false };
        self.survey.found.iter().any(|(resource, _)| resource.address == *address)
    }

    /// Whether the plan file has it under another name than was applied last, or only one of them has it at all.
    fn is_another_part(&self, address: &Address) -> bool {
        let mut on_record = self.parts.iter().filter(|(part, _)| part == address.part());
        let desired = self.survey.found.iter().find(|(resource, _)| resource.address == *address);
        match desired {
            Some((resource, _)) => !on_record.any(|(_, record)| record.is_of(&resource.identity)),
            None => on_record.next().is_some(),
        }
    }
}

/// A secret is named without its value.
fn changed(output: &Output, given: bool) -> OutputChange {
    let value = output.known().filter(|_| !output.is_sensitive()).map(str::to_owned);
    OutputChange { name: output.name.clone(), given: given && value.is_none(), value }
}

#[cfg(test)]
mod tests {
    use crate::model::{Model, Plan, World};

    /// The settings that a plan says to change.
    async fn changing(model: Model, change: impl FnOnce(&mut Plan)) -> Vec<String> {
        let mut plan = model.plan.clone();
        change(&mut plan);
        let world = model.world().clone();
        let set = Model::new(plan, world).plan().await;
        let text = |change: &crate::output::OutputChange| {
            format!("{}={}", change.name, change.value.as_deref().unwrap_or_default())
        };
        set.output_changes.iter().map(text).collect()
    }

    #[tokio::test]
    async fn settings_change_with_what_decides_them_and_not_with_anything_else() {
        let applied = || async {
            let model = Model::new(Plan::new(), World::default());
            model.apply().await;
            model
        };
        let nothing = Model::new(Plan::new(), World::default());
        assert_eq!(changing(nothing, |_| ()).await, ["HOST=host", "BUCKET=files", "QUEUE=events"]);
        assert!(changing(applied().await, |_| ()).await.is_empty());
        assert!(changing(applied().await, |plan| plan.versioning = Some(true)).await.is_empty());
        assert_eq!(changing(applied().await, |plan| plan.host = "other".to_owned()).await, ["HOST=other"]);
        assert_eq!(changing(applied().await, |plan| plan.queue = Some("q2".to_owned())).await, ["QUEUE=q2"]);
        assert_eq!(changing(applied().await, |plan| plan.queue = None).await, ["QUEUE=internal"]);
        // Refused: nothing changes.
        assert!(changing(applied().await, |plan| plan.bucket = "other".to_owned()).await.is_empty());
    }

    #[tokio::test]
    async fn thing_that_is_left_over_changes_no_setting_again() {
        let model = Model::new(Plan::new(), World::default());
        model.apply().await;
        let model = Model::new(Plan { queue: Some("q2".to_owned()), ..model.plan.clone() }, model.world().clone());
        model.apply().await;
        assert_eq!(model.plan().await.orphans.len(), 1);
        assert!(changing(model, |_| ()).await.is_empty());
    }
}
