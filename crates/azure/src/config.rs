//! The `[azure]` section of a plan file, and what it means once defaults are filled in.

use std::collections::BTreeMap;

use provision_core::cors::CorsSection;
use provision_core::deployment::Deployment;
use provision_core::plan_file::{PlanFile, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Microsoft Azure.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AzureSection {
    /// The subscription's id.
    pub subscription: String,
    /// The group of the storage account.
    pub resource_group: ResourceGroupSection,
    /// Where what is created is placed: `westeurope`. Needed unless group and account exist.
    pub location: Option<String>,
    /// Whose data centres.
    #[serde(default)]
    pub cloud: AzureEnvironment,
    /// The storage account.
    pub account: AccountSection,
    /// Which pages may use the account's blobs. Default: the server's host.
    #[serde(default)]
    pub cors: CorsSection,
    /// The server's file store.
    pub container: ContainerSection,
    /// Where the server hears of new files.
    #[serde(default)]
    pub queue: QueueSection,
    /// The event subscription from the container to the queue.
    #[serde(default)]
    pub events: EventsSection,
    /// The identity that the server runs as.
    pub access: Option<AccessSection>,
}

/// The group of the storage account.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceGroupSection {
    /// The group's name.
    pub name: String,
    /// Create it. One that exists is only used.
    #[serde(default)]
    pub create: bool,
}

/// Whose data centres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AzureEnvironment {
    /// The public cloud.
    #[default]
    Public,
    /// Azure for the US Government.
    UsGov,
    /// Azure in China, operated by 21Vianet.
    China,
}

/// The storage account.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountSection {
    /// The account's name, shared by all of Azure: 3-24 lower-case letters and digits.
    pub name: String,
    /// `false`: the account exists and is shared; it is used and never marked.
    #[serde(default = "yes")]
    pub create: bool,
    /// How the data is replicated.
    #[serde(default)]
    pub sku: Sku,
    /// Which of the two keys `AZURE_STORAGE_KEY` is.
    #[serde(default)]
    pub key: KeyName,
    /// `destroy` refuses while this is true.
    #[serde(default)]
    pub protect: bool,
}

const fn yes() -> bool {
    true
}

/// How the data is replicated <https://learn.microsoft.com/azure/storage/common/storage-redundancy>. Premium accounts
/// have neither queues nor CORS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Sku {
    /// Three copies in one data centre.
    #[serde(rename = "Standard_LRS")]
    Lrs,
    /// Copies in three zones.
    #[default]
    #[serde(rename = "Standard_ZRS")]
    Zrs,
    /// Three copies here, three in the paired region.
    #[serde(rename = "Standard_GRS")]
    Grs,
    /// The same, readable there.
    #[serde(rename = "Standard_RAGRS")]
    Ragrs,
    /// Copies in three zones here, three in the paired region.
    #[serde(rename = "Standard_GZRS")]
    Gzrs,
    /// The same, readable there.
    #[serde(rename = "Standard_RAGZRS")]
    Ragzrs,
}

/// One of an account's two keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyName {
    /// The first.
    #[default]
    Key1,
    /// The second.
    Key2,
}

impl KeyName {
    /// As the service spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key1 => "key1",
            Self::Key2 => "key2",
        }
    }
}

/// The server's file store.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerSection {
    /// The container's name: 3-63 lower-case letters, digits and single `-`.
    pub name: String,
    /// Take over a container that exists without our mark.
    #[serde(default)]
    pub adopt: bool,
    /// Also close an adopted container to the public.
    #[serde(default)]
    pub private: bool,
}

/// Where the server hears of new files.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueSection {
    /// The queue's name. Default: `<container>-events`.
    pub name: Option<String>,
    /// Take over a queue that exists without our mark.
    #[serde(default)]
    pub adopt: bool,
    /// `false`: no queue and no event subscription; the server uses its internal queue.
    #[serde(default = "yes")]
    pub enabled: bool,
}

impl Default for QueueSection {
    fn default() -> Self {
        Self { name: None, adopt: false, enabled: true }
    }
}

/// The event subscription from the container to the queue.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsSection {
    /// The event subscription's name. Default: one made of the deployment's name.
    pub name: Option<String>,
    /// How long a message waits in the queue, in seconds; -1 for ever. Default: -1. Without it the service drops messages
    /// after seven days.
    #[schemars(range(min = -1))]
    pub message_ttl_s: Option<i32>,
}

/// The identity that the server runs as.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessSection {
    /// The object id of the identity; of a managed identity the principal id, not the client id.
    pub principal_id: String,
    /// What it is.
    #[serde(default)]
    pub principal_type: PrincipalType,
}

/// What an identity is. If the type is given, the service skips the directory lookup, so that a new identity works at once
/// <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---assigning-a-role-to-a-new-principal-sometimes-fails>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PrincipalType {
    /// An application or a managed identity.
    #[default]
    ServicePrincipal,
    /// A person.
    User,
    /// A group.
    Group,
}

/// The plan file as meant: the deployment and its `[azure]` section, checked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// The deployment.
    pub deployment: Deployment,
    /// The section.
    pub azure: AzureSection,
}

impl Settings {
    /// Read and check the `[azure]` section of this deployment; `None` if there are problems, which are reported.
    pub fn read(deployment: Option<Deployment>, file: &PlanFile, problems: &mut Problems) -> Option<Self> {
        let azure: Option<AzureSection> = file.section("azure", problems);
        if let Some(azure) = &azure {
            validate(azure, problems);
            if let Some(deployment) = &deployment {
                tags(deployment, problems);
            }
        }
        Some(Self { deployment: deployment?, azure: azure? })
    }

    /// The name of the event queue.
    #[must_use]
    pub fn queue_name(&self) -> String {
        self.azure.queue.name.clone().unwrap_or_else(|| default_queue(&self.azure))
    }

    /// Where what is created is placed, as the service spells it.
    #[must_use]
    pub fn location(&self) -> String {
        normal_location(self.azure.location.as_deref().unwrap_or_default())
    }

    /// The deployment's tags.
    #[must_use]
    pub fn tags(&self) -> &BTreeMap<String, String> {
        &self.deployment.tags
    }
}

fn default_queue(section: &AzureSection) -> String {
    format!("{}-events", section.container.name)
}

/// `West Europe` and `westeurope` are the same place.
pub(crate) fn normal_location(location: &str) -> String {
    location.replace(' ', "").to_ascii_lowercase()
}

/// Check what the schema cannot say, all of it at once.
fn validate(section: &AzureSection, problems: &mut Problems) {
    if !is_uuid(&section.subscription) {
        problems.report(
            "azure.subscription",
            "invalid subscription",
            "a subscription's id has the form of a UUID",
            None,
        );
    }
    group_name(&section.resource_group, problems);
    let creates = section.resource_group.create || section.account.create;
    if creates && section.location.as_deref().unwrap_or_default().is_empty() {
        let help = Some("write `location = \"westeurope\"` under [azure]".to_owned());
        problems.report("azure", "no location", "the group or the account is created somewhere", help);
    }
    account_name(&section.account.name, problems);
    store_name("azure.container.name", "container", &section.container.name, problems);
    let queue = section.queue.name.clone().unwrap_or_else(|| default_queue(section));
    store_name("azure.queue.name", "queue", &queue, problems);
    events(&section.events, problems);
    cors(&section.cors, problems);
    if section.access.as_ref().is_some_and(|access| !is_uuid(&access.principal_id)) {
        let label = "write the identity's object id, a UUID; `az ad sp show` and `az identity show` print it";
        problems.report("azure.access.principal_id", "invalid principal", label, None);
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Naming rules: <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftresources>.
/// One that exists may have letters of other scripts.
fn group_name(group: &ResourceGroupSection, problems: &mut Problems) {
    let name = &group.name;
    let letter = |letter: char| if group.create { letter.is_ascii_alphanumeric() } else { letter.is_alphanumeric() };
    let plain = |one: char| letter(one) || "-_.()".contains(one);
    if !(1..=90).contains(&name.chars().count()) || !name.chars().all(plain) || name.ends_with('.') {
        let label = "1-90 letters, digits, `-`, `_`, `.`, `(` and `)`, no `.` at the end";
        problems.report("azure.resource_group.name", "invalid resource group name", label, None);
    }
}

/// Naming rules: <https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-name>.
fn account_name(name: &str, problems: &mut Problems) {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if (3..=24).contains(&name.len()) && name.bytes().all(plain) {
        return;
    }
    let letters = name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase());
    let suggestion: String = letters.take(24).collect();
    let help = (suggestion.len() >= 3).then(|| format!("write `{suggestion}`"));
    let label = "storage account names take 3-24 lower-case letters and digits";
    problems.report("azure.account.name", "invalid storage account name", label, help);
}

/// Naming rules: <https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata#container-names>,
/// <https://learn.microsoft.com/rest/api/storageservices/naming-queues-and-metadata#queue-names>.
fn store_name(path: &str, kind: &str, name: &str, problems: &mut Problems) {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = name.bytes().next().is_some_and(plain) && name.bytes().last().is_some_and(plain);
    let valid = (3..=63).contains(&name.len()) && ends && !name.contains("--");
    if !valid || !name.bytes().all(|byte| plain(byte) || byte == b'-') {
        let label = "3-63 lower-case letters, digits and single `-`, beginning and ending with a letter or digit";
        problems.report(path, &format!("invalid {kind} name"), label, None);
    }
}

/// Naming rules: <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsofteventgrid>.
fn events(section: &EventsSection, problems: &mut Problems) {
    let valid = |name: &String| {
        (3..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if section.name.as_ref().is_some_and(|name| !valid(name)) {
        problems.report("azure.events.name", "invalid event subscription name", "3-64 letters, digits and `-`", None);
    }
    if section.message_ttl_s == Some(0) {
        let label = "a message that waits 0 seconds is never read; -1 keeps it for ever";
        problems.report("azure.events.message_ttl_s", "no time to live", label, None);
    }
}

/// Methods and limits: <https://learn.microsoft.com/rest/api/storageservices/cross-origin-resource-sharing--cors--support-for-the-azure-storage-services>.
fn cors(section: &CorsSection, problems: &mut Problems) {
    const METHODS: [&str; 8] = ["DELETE", "GET", "HEAD", "MERGE", "OPTIONS", "PATCH", "POST", "PUT"];
    section.validate("azure.cors", &METHODS, problems);
    let lists = [("origins", &section.origins), ("methods", &section.methods), ("expose", &section.expose)];
    for (key, list) in lists {
        let path = format!("azure.cors.{key}");
        if list.iter().flatten().any(|text| text.len() > 256) {
            problems.report(&path, "text too long", "Azure takes at most 256 characters", None);
        }
        if list.as_ref().is_some_and(|list| list.len() > MOST_IN_A_LIST) {
            problems.report(&path, "list too long", &format!("Azure takes at most {MOST_IN_A_LIST} of them"), None);
        }
    }
    let size: usize = lists.iter().flat_map(|(_, list)| list.iter().flatten()).map(String::len).sum();
    if size > LARGEST_RULES {
        problems.report(
            "azure.cors",
            "rule too large",
            &format!("Azure takes at most {LARGEST_RULES} characters"),
            None,
        );
    }
}

/// "A CORS rule supports up to 64 origin domains", and as many headers, in the page that [`cors`] is by.
const MOST_IN_A_LIST: usize = 64;

/// All rules of an account together, in characters: "must not exceed 2 KiB".
pub(crate) const LARGEST_RULES: usize = 2048;

/// "Tag names cannot have the following prefixes which are reserved for Azure use"
/// (<https://learn.microsoft.com/rest/api/resources/tags/create-or-update>).
const RESERVED: [&str; 3] = ["microsoft", "azure", "windows"];

/// Limits and characters: <https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations>;
/// a storage account takes keys of at most 128 characters.
fn tags(deployment: &Deployment, problems: &mut Problems) {
    for (key, value) in &deployment.tags {
        let label = if key.contains(['<', '>', '%', '&', '\\', '?', '/']) {
            "Azure takes none of `<>%&\\?/` in a key"
        } else if RESERVED.iter().any(|word| key.to_ascii_lowercase().starts_with(word)) {
            "Azure keeps keys that begin with `microsoft`, `azure` or `windows` for itself"
        } else if !(1..=128).contains(&key.chars().count()) || value.chars().count() > 256 {
            "storage accounts take keys of 1-128 characters and values of at most 256"
        } else {
            continue;
        };
        problems.report(&format!("deployment.tags.{key}"), "invalid tag", label, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(section: &str) -> Vec<String> {
        let text = format!("[deployment]\nname = \"ab\"\nhost = \"https://a.example\"\n[azure]\n{section}\n");
        let file = PlanFile::parse("x", text, &|_| None).unwrap();
        let mut problems = file.problems();
        let deployment = Deployment::read(&file, &mut problems);
        Settings::read(deployment, &file, &mut problems);
        let found = problems.finish().err().map(|error| error.problems()).unwrap_or_default();
        found.into_iter().map(|problem| problem.message).collect()
    }

    const HEAD: &str = "subscription = \"00000000-0000-0000-0000-000000000001\"\nlocation = \"westeurope\"\n\
                        resource_group = { name = \"wandb\" }\n";

    #[test]
    fn settings_need_little() {
        let rest = "[azure.account]\nname = \"acmewandb\"\n[azure.container]\nname = \"files\"";
        assert_eq!(problems(&format!("{HEAD}{rest}")), Vec::<String>::new());
    }

    #[test]
    fn tags_keep_to_the_rules_of_the_service() {
        let tag = |key: &str, value: &str| {
            let tags = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            let file = PlanFile::parse("x", String::new(), &|_| None).unwrap();
            let mut problems = file.problems();
            let deployment = Deployment { name: "ab".to_owned(), host: String::new(), tags, was: None };
            super::tags(&deployment, &mut problems);
            problems.finish().err().map_or(0, |error| error.problems().len())
        };
        assert_eq!([tag("team", "ml & co"), tag(&"k".repeat(128), &"v".repeat(256))], [0, 0]);
        assert_eq!([tag("Azure-team", ""), tag("windows", ""), tag("my-azure", "")], [1, 1, 0]);
        assert_eq!([tag("", ""), tag("a/b", ""), tag(&"k".repeat(129), ""), tag("k", &"v".repeat(257))], [1, 1, 1, 1]);
    }

    #[test]
    fn names_keep_to_their_rules() {
        let account = |name: &str| {
            problems(&format!("{HEAD}[azure.account]\nname = \"{name}\"\n[azure.container]\nname = \"files\""))
        };
        for name in ["ab", "Acme", "acme-wandb", &"a".repeat(25)] {
            assert_eq!(account(name), ["invalid storage account name"], "{name}");
        }
        let container = |name: &str| {
            let queue = "[azure.queue]\nname = \"events\"";
            problems(&format!("{HEAD}[azure.account]\nname = \"acme\"\n[azure.container]\nname = \"{name}\"\n{queue}"))
        };
        for name in ["ab", "Files", "a--b", "-ab", "ab-", &"a".repeat(64)] {
            assert_eq!(container(name), ["invalid container name"], "{name}");
        }
    }

    #[test]
    fn group_that_exists_may_have_any_letters() {
        let group = |group: &str| {
            let head = HEAD.replace("{ name = \"wandb\" }", group);
            problems(&format!("{head}[azure.account]\nname = \"acme\"\n[azure.container]\nname = \"files\""))
        };
        assert_eq!(group("{ name = \"Größe_(1)\" }"), Vec::<String>::new());
        assert_eq!(group("{ name = \"Größe_(1)\", create = true }"), ["invalid resource group name"]);
        assert_eq!(group("{ name = \"a_(1)\", create = true }"), Vec::<String>::new());
    }

    #[test]
    fn rule_keeps_to_the_sizes_of_the_service() {
        let rest = "[azure.account]\nname = \"acme\"\n[azure.container]\nname = \"files\"\n[azure.cors]\n";
        let origins = |many: usize, long: usize| {
            let list: Vec<_> = (0..many).map(|n| format!("\"https://{}{n:02}.example\"", "a".repeat(long))).collect();
            problems(&format!("{HEAD}{rest}origins = [{}]", list.join(", ")))
        };
        assert_eq!(origins(64, 5), Vec::<String>::new());
        assert_eq!(origins(65, 5), ["list too long"]);
        assert_eq!(origins(40, 50), ["rule too large"]);
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let text = "subscription = \"x\"\nresource_group = { name = \"a/b\" }\n[azure.account]\nname = \"acme\"\n\
                    [azure.container]\nname = \"files\"\n[azure.events]\nname = \"a b\"\nmessage_ttl_s = 0\n\
                    [azure.cors]\nmethods = [\"FETCH\"]\norigins = []\n[azure.access]\nprincipal_id = \"wandb\"";
        assert_eq!(problems(text).len(), 8, "{:?}", problems(text));
    }

    #[test]
    fn location_is_not_needed_where_nothing_is_placed() {
        let shared = "subscription = \"00000000-0000-0000-0000-000000000001\"\nresource_group = { name = \"wandb\" }\n\
                      [azure.account]\nname = \"acme\"\ncreate = false\n[azure.container]\nname = \"files\"";
        assert_eq!(problems(shared), Vec::<String>::new());
        assert_eq!(problems(&shared.replace("create = false", "create = true")), ["no location"]);
    }
}
