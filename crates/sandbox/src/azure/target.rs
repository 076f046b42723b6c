//! What a path of Resource Manager names.

use http::Method;
use percent_encoding::percent_decode_str;

/// A type of resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Subscriptions,
    ResourceGroups,
    Resources,
    Providers,
    Operations,
    StorageAccounts,
    BlobServices,
    Containers,
    QueueServices,
    Queues,
    FileServices,
    Shares,
    TableServices,
    Tables,
    SystemTopics,
    SystemTopicEventSubscriptions,
    EventSubscriptions,
    RoleAssignments,
    RoleDefinitions,
    Permissions,
    DenyAssignments,
    PolicyAssignments,
    PolicyRestrictions,
    Locks,
    Other(String),
}

/// What a path stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Resource,
    Collection,
    Action(String),
}

/// A resource, all resources of a type under a scope, or an action on one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) kind: Kind,
    pub(super) shape: Shape,
    /// The path as it was asked for, without an action at its end.
    pub(super) id: String,
    /// What comes before the type: the resource that an extension belongs to, or the resource group.
    pub(super) scope: String,
    /// The names along the types: account, `default`, container.
    pub(super) names: Vec<String>,
    pub(super) subscription: String,
    pub(super) group: Option<String>,
}

/// The types that are served, in lower case, with the names of their operations.
const KINDS: [(&str, Kind, &str); 20] = [
    ("microsoft.storage/storageaccounts", Kind::StorageAccounts, "storageAccounts"),
    ("microsoft.storage/storageaccounts/blobservices", Kind::BlobServices, "blobServices"),
    ("microsoft.storage/storageaccounts/blobservices/containers", Kind::Containers, "containers"),
    ("microsoft.storage/storageaccounts/queueservices", Kind::QueueServices, "queueServices"),
    ("microsoft.storage/storageaccounts/queueservices/queues", Kind::Queues, "queues"),
    ("microsoft.storage/storageaccounts/fileservices", Kind::FileServices, "fileServices"),
    ("microsoft.storage/storageaccounts/fileservices/shares", Kind::Shares, "shares"),
    ("microsoft.storage/storageaccounts/tableservices", Kind::TableServices, "tableServices"),
    ("microsoft.storage/storageaccounts/tableservices/tables", Kind::Tables, "tables"),
    ("microsoft.eventgrid/systemtopics", Kind::SystemTopics, "systemTopics"),
    (
        "microsoft.eventgrid/systemtopics/eventsubscriptions",
        Kind::SystemTopicEventSubscriptions,
        "systemTopicEventSubscriptions",
    ),
    ("microsoft.eventgrid/eventsubscriptions", Kind::EventSubscriptions, "eventSubscriptions"),
    ("microsoft.authorization/roleassignments", Kind::RoleAssignments, "roleAssignments"),
    ("microsoft.authorization/roledefinitions", Kind::RoleDefinitions, "roleDefinitions"),
    ("microsoft.authorization/permissions", Kind::Permissions, "permissions"),
    ("microsoft.authorization/denyassignments", Kind::DenyAssignments, "denyAssignments"),
    ("microsoft.authorization/policyassignments", Kind::PolicyAssignments, "policyAssignments"),
    ("microsoft.policyinsights/checkpolicyrestrictions", Kind::PolicyRestrictions, "policyRestrictions"),
    ("microsoft.authorization/locks", Kind::Locks, "locks"),
    ("microsoft.storage/checknameavailability", Kind::StorageAccounts, "storageAccounts"),
];

/// Segments before the id of an operation that goes on.
const OPERATIONS: [&str; 3] = ["asyncoperations", "operationresults", "operationsstatus"];

impl Kind {
    /// As in the names of operations: `storageAccounts`.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Subscriptions => "subscriptions",
            Self::ResourceGroups => "resourceGroups",
            Self::Resources => "resources",
            Self::Providers => "providers",
            Self::Operations => "operations",
            Self::Other(name) => name,
            _ => KINDS.iter().find(|(_, kind, _)| kind == self).map_or("unknown", |(_, _, name)| name),
        }
    }
}

impl Target {
    /// Read a path; types are case-insensitive, and empty segments are nothing.
    pub(super) fn parse(method: &Method, path: &str) -> Self {
        let decoded: Vec<String> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
        let after = |word: &str| {
            let place = segments.iter().position(|segment| segment.eq_ignore_ascii_case(word))?;
            segments.get(place + 1).map(|segment| (*segment).to_owned())
        };
        let mut target = Self {
            kind: Kind::Other("unknown".to_owned()),
            shape: Shape::Resource,
            id: joined(&segments),
            scope: String::new(),
            names: Vec::new(),
            subscription: after("subscriptions").unwrap_or_default(),
            group: after("resourcegroups"),
        };
        target.classify(method, &segments);
        target
    }

    /// `storageAccounts.put`
    pub(super) fn operation(&self, method: &Method) -> String {
        let verb = match (&self.shape, method) {
            (Shape::Action(action), _) => action.as_str(),
            (Shape::Collection, &Method::GET) => "list",
            (_, &Method::GET) => "get",
            (_, &Method::HEAD) => "head",
            (_, &Method::PUT) => "put",
            (_, &Method::PATCH) => "patch",
            (_, &Method::DELETE) => "delete",
            _ => "post",
        };
        format!("{}.{verb}", self.kind.name())
    }

    /// The n-th name.
    pub(super) fn name(&self, index: usize) -> &str {
        self.names.get(index).map_or("", String::as_str)
    }

    fn classify(&mut self, method: &Method, segments: &[&str]) {
        let lower: Vec<String> = segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
        let words: Vec<&str> = lower.iter().map(String::as_str).collect();
        if let [.., operations, _] = words.as_slice()
            && OPERATIONS.contains(operations)
        {
            self.kind = Kind::Operations;
            self.names = segments.last().map(|id| (*id).to_owned()).into_iter().collect();
            return;
        }
        (self.kind, self.shape) = match words.as_slice() {
            ["subscriptions"] => (Kind::Subscriptions, Shape::Collection),
            ["subscriptions", _] => (Kind::Subscriptions, Shape::Resource),
            ["subscriptions", _, "resourcegroups"] => (Kind::ResourceGroups, Shape::Collection),
            ["subscriptions", _, "resourcegroups", _] => (Kind::ResourceGroups, Shape::Resource),
            ["subscriptions", _, "resources"] | ["subscriptions", _, "resourcegroups", _, "resources"] => {
                (Kind::Resources, Shape::Collection)
            }
            ["subscriptions", _, "providers"] => (Kind::Providers, Shape::Collection),
            ["subscriptions", _, "providers", _] => (Kind::Providers, Shape::Resource),
            ["subscriptions", _, "providers", _, action @ ("register" | "unregister")] if method == Method::POST => {
                (Kind::Providers, Shape::Action((*action).to_owned()))
            }
            _ => return self.classify_provided(method, segments, &words),
        };
        let name = if self.kind == Kind::Providers { words.get(3).and(segments.get(3)) } else { segments.last() };
        self.names = name.map(|name| (*name).to_owned()).into_iter().collect();
    }

    /// A path with `providers/<namespace>/<type>/<name>...` in it; the last such part counts.
    fn classify_provided(&mut self, method: &Method, segments: &[&str], words: &[&str]) {
        let Some(place) = words.iter().rposition(|word| *word == "providers") else { return };
        let Some(rest) = words.get(place + 2..).filter(|rest| !rest.is_empty()) else { return };
        self.scope = joined(&segments[..place]);
        let mut end = segments.len();
        let mut types = rest.len().div_ceil(2);
        if rest.len() % 2 == 1 && method == Method::POST {
            self.shape = Shape::Action(segments[end - 1].to_owned());
            end -= 1;
            types = types.saturating_sub(1).max(1);
        } else if rest.len() % 2 == 1 {
            self.shape = Shape::Collection;
        }
        self.id = joined(&segments[..end]);
        self.names = segments[place + 2..end].iter().skip(1).step_by(2).map(|name| (*name).to_owned()).collect();
        let kind =
            rest.iter().step_by(2).take(types).fold(words[place + 1].to_owned(), |kind, word| format!("{kind}/{word}"));
        self.kind = match KINDS.iter().find(|(name, _, _)| *name == kind) {
            Some((_, kind, _)) => kind.clone(),
            None => Kind::Other(segments[place + 2 + (types - 1) * 2].to_owned()),
        };
    }
}

fn joined(segments: &[&str]) -> String {
    segments.iter().map(|segment| format!("/{segment}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/acc";

    fn named(method: Method, path: &str) -> String {
        Target::parse(&method, path).operation(&method)
    }

    #[test]
    fn paths_have_the_names_of_their_operations() {
        let cases = [
            (Method::GET, "/subscriptions/s".to_owned(), "subscriptions.get"),
            (Method::PUT, "/subscriptions/s/resourcegroups/g".to_owned(), "resourceGroups.put"),
            (Method::GET, "/subscriptions/s/providers/Microsoft.EventGrid".to_owned(), "providers.get"),
            (Method::POST, "/subscriptions/s/providers/Microsoft.EventGrid/register".to_owned(), "providers.register"),
            (
                Method::POST,
                "/subscriptions/s/providers/Microsoft.Storage/checkNameAvailability".to_owned(),
                "storageAccounts.checkNameAvailability",
            ),
            (
                Method::GET,
                "/subscriptions/s/providers/Microsoft.Storage/locations/l/asyncoperations/o".to_owned(),
                "operations.get",
            ),
            (Method::PUT, ACCOUNT.to_owned(), "storageAccounts.put"),
            (Method::POST, format!("{ACCOUNT}/listKeys"), "storageAccounts.listKeys"),
            (Method::PUT, format!("{ACCOUNT}/blobServices/default"), "blobServices.put"),
            (Method::GET, format!("{ACCOUNT}/blobServices/default/containers"), "containers.list"),
            (Method::DELETE, format!("{ACCOUNT}/queueServices/default/queues/q"), "queues.delete"),
            (
                Method::PUT,
                format!("{ACCOUNT}/providers/Microsoft.EventGrid/eventSubscriptions/e"),
                "eventSubscriptions.put",
            ),
            (Method::GET, format!("/{ACCOUNT}/providers/Microsoft.Authorization/locks"), "locks.list"),
            (Method::POST, format!("{ACCOUNT}/failover"), "storageAccounts.failover"),
            (Method::GET, format!("{ACCOUNT}/managementPolicies/default"), "managementPolicies.get"),
        ];
        for (method, path, name) in cases {
            assert_eq!(named(method.clone(), &path), name, "{method} {path}");
        }
    }

    #[test]
    fn extension_knows_what_it_belongs_to() {
        let path = format!("{ACCOUNT}/providers/microsoft.authorization/roleassignments/r");
        let target = Target::parse(&Method::PUT, &path);
        assert_eq!((target.kind.clone(), target.scope.as_str(), target.name(0)), (Kind::RoleAssignments, ACCOUNT, "r"));
        let key = Target::parse(&Method::POST, &format!("{ACCOUNT}/listKeys"));
        assert_eq!((key.id.as_str(), key.name(0)), (ACCOUNT, "acc"));
        let container = Target::parse(&Method::PUT, &format!("{ACCOUNT}/blobServices/default/containers/c"));
        assert_eq!((container.name(0), container.name(2), container.group.as_deref()), ("acc", "c", Some("g")));
    }
}
