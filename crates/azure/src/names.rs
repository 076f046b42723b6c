//! The parts of a deployment, and every name and id of theirs.

use provision_core::digest;
use provision_core::mark::{Mark, Origin, Tags};

use crate::config::Settings;

provision_core::parts! {
    /// A part of a deployment.
    pub(crate) enum Part {
        /// The group of the storage account.
        ResourceGroup = ("azure.resource_group", "resource group"),
        /// The storage account.
        Account = ("azure.account", "storage account"),
        /// The server's file store.
        Container = ("azure.container", "container"),
        /// Our rule among those of the account.
        Cors = ("azure.cors", "CORS rule"),
        /// Where events wait.
        Queue = ("azure.queue", "queue"),
        /// The event subscription from the container to the queue.
        Events = ("azure.events", "event subscription"),
        /// The rights of the server.
        Access = ("azure.access", "role assignments"),
    }
}

/// The provider of accounts and what is in them.
pub(crate) const STORAGE: &str = "Microsoft.Storage";

/// The provider that event subscriptions need registered in the subscription.
pub(crate) const EVENT_GRID: &str = "Microsoft.EventGrid";

/// Every name and id.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// The subscription's path.
    pub(crate) subscription: String,
    pub(crate) group: String,
    pub(crate) account: String,
    pub(crate) container: String,
    pub(crate) queue: Option<String>,
    /// The deployment's name, then its former one.
    pub(crate) deployments: Vec<String>,
    /// The event subscription's name in the plan file.
    pub(crate) events: String,
    /// Our identity among entries of others, the current one first: event subscription names and their labels.
    pub(crate) ids: Vec<String>,
    /// It is used, and never marked.
    pub(crate) account_is_shared: bool,
}

impl Names {
    pub(crate) fn of(settings: &Settings) -> Self {
        let (azure, deployment) = (&settings.azure, &settings.deployment);
        let deployments: Vec<_> = std::iter::once(&deployment.name).chain(&deployment.was).cloned().collect();
        let ids: Vec<_> = deployments.iter().map(|name| id_of(name)).collect();
        Self {
            subscription: format!("/subscriptions/{}", azure.subscription),
            group: azure.resource_group.name.clone(),
            account: azure.account.name.clone(),
            container: azure.container.name.clone(),
            queue: azure.queue.enabled.then(|| settings.queue_name()),
            deployments,
            events: azure.events.name.clone().unwrap_or_else(|| ids[0].clone()),
            ids,
            account_is_shared: !azure.account.create,
        }
    }

    /// Whether the mark among these tags says that this deployment made what has the id.
    pub(crate) fn is_made_by_us(&self, tags: &Tags, id: &str) -> bool {
        let mark = Mark::from_tags(tags).filter(|mark| mark.origin == Origin::Created);
        mark.is_some_and(|mark| self.deployments.contains(&mark.deployment) && mark.is_for(&identity_of(id)))
    }

    pub(crate) fn group_id(&self) -> String {
        format!("{}/resourceGroups/{}", self.subscription, self.group)
    }

    pub(crate) fn account_id(&self) -> String {
        format!("{}/providers/Microsoft.Storage/storageAccounts/{}", self.group_id(), self.account)
    }

    pub(crate) fn container_id(&self, container: &str) -> String {
        format!("{}/blobServices/default/containers/{container}", self.account_id())
    }

    pub(crate) fn queue_id(&self, queue: &str) -> String {
        format!("{}/queueServices/default/queues/{queue}", self.account_id())
    }

    /// Where the account's event subscriptions are, unless it has a system topic of its own.
    pub(crate) fn event_subscriptions(&self) -> String {
        format!("{}/providers/{EVENT_GRID}/eventSubscriptions", self.account_id())
    }

    /// The same with the account of an id.
    pub(crate) fn in_account(&self, id: &str) -> Self {
        let segments: Vec<_> = id.split('/').collect();
        let segment = |index: usize| segments.get(index).copied().unwrap_or_default().to_owned();
        Self { group: segment(4), account: segment(8), ..self.clone() }
    }

    /// Another account as orphans are named: by its name, in another resource group as `group/account`.
    pub(crate) fn place(&self, other: &Self) -> String {
        match other.group.eq_ignore_ascii_case(&self.group) {
            true => other.account.clone(),
            false => format!("{}/{}", other.group, other.account),
        }
    }

    /// The same with the account that an orphan's place names.
    fn at_place(&self, place: &str) -> Self {
        match place.split_once('/') {
            Some((group, account)) => Self { group: group.to_owned(), account: account.to_owned(), ..self.clone() },
            None => Self { account: place.to_owned(), ..self.clone() },
        }
    }

    /// What a name stands for, that of an orphan in another account too: the names of its account, and its own there.
    pub(crate) fn located<'a>(&self, part: Part, name: &'a str) -> (Self, &'a str) {
        if part == Part::Account {
            return (self.at_place(name), name);
        }
        match name.rsplit_once('/') {
            Some((place, name)) => (self.at_place(place), name),
            None => (self.clone(), name),
        }
    }
}

/// What the ids of all deployments begin with.
pub(crate) const MADE: &str = "provision-";

/// A deployment's identity among entries of others.
pub(crate) fn id_of(deployment: &str) -> String {
    format!("{MADE}{}", digest::short(deployment, 12))
}

/// The full name whose hash stands in the mark: the service compares ids without regard to case.
pub(crate) fn identity_of(id: &str) -> String {
    id.to_ascii_lowercase()
}

/// The last segment of a resource's id: its name.
pub(crate) fn last(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn names() -> Names {
        Names {
            subscription: "/subscriptions/s".to_owned(),
            group: "g".to_owned(),
            account: "acme".to_owned(),
            container: "files".to_owned(),
            queue: Some("events".to_owned()),
            deployments: vec!["wandb-prod".to_owned()],
            events: "provision-abc".to_owned(),
            ids: vec!["provision-abc".to_owned()],
            account_is_shared: false,
        }
    }

    #[test]
    fn orphans_are_named_so_that_their_place_is_found_again() {
        let names = names();
        let of = |part: Part, name: &str| {
            let (names, name) = names.located(part, name);
            (names.group, names.account, name.to_owned())
        };
        let owned = |parts: (&str, &str, &str)| (parts.0.to_owned(), parts.1.to_owned(), parts.2.to_owned());
        assert_eq!(of(Part::Container, "files"), owned(("g", "acme", "files")));
        assert_eq!(of(Part::Container, "old/files"), owned(("g", "old", "files")));
        assert_eq!(of(Part::Queue, "other/old/events"), owned(("other", "old", "events")));
        assert_eq!(of(Part::Account, "old"), owned(("g", "old", "old")));
        let id = "/subscriptions/s/resourceGroups/other/providers/Microsoft.Storage/storageAccounts/old";
        let other = names.in_account(id);
        assert_eq!((other.account_id().as_str(), names.place(&other).as_str()), (id, "other/old"));
        assert_eq!(names.place(&names.at_place("old")), "old");
    }
}
