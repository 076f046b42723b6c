//! Reading the `[azure]` section: what its schema cannot say, all of it at once.

use std::collections::{BTreeMap, BTreeSet};

use provision_core::cors::CorsSection;
use provision_core::deployment::Deployment;
use provision_core::plan_file::{PlanFile, Problems};

use super::{
    AccessSection, AzureSection, EventsSection, LARGEST_RULES, PrincipalType, ResourceGroupSection, Settings,
    default_queue,
};

impl Settings {
    /// Read and check the `[azure]` section of this deployment; `None` if there are problems, which are reported.
    pub fn read(deployment: Option<Deployment>, file: &PlanFile, problems: &mut Problems) -> Option<Self> {
        let azure: Option<AzureSection> = file.section("azure", problems);
        azure.iter().for_each(|azure| validate(azure, problems));
        deployment.iter().for_each(|deployment| tags(&deployment.tags, problems));
        Some(Self { deployment: deployment?, azure: azure? })
    }
}

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
    section.access.iter().for_each(|access| identities(access, problems));
    section.access.iter().for_each(|access| federation(access, problems));
}

/// Who is named, each once: the server's identity gets what the others get, and more.
fn identities(access: &AccessSection, problems: &mut Problems) {
    if access.principal_id.is_none() && access.identities.is_empty() {
        let label = "name the server's `principal_id`, or the `identities` whose server it is";
        problems.report("azure.access", "nobody is named", label, None);
    }
    let server = access.principal_id.iter().map(|id| ("azure.access.principal_id", id));
    let mut known = BTreeSet::new();
    for (path, id) in server.chain(access.identities.iter().map(|id| ("azure.access.identities", id))) {
        if !is_uuid(id) {
            let label = "write the identity's object id, a UUID; `az ad sp show` and `az identity show` print it";
            problems.report(path, "invalid principal", label, None);
        } else if !known.insert(id.to_ascii_lowercase()) {
            problems.report(path, "named twice", &format!("`{id}` is named already"), None);
        }
    }
}

/// An identity takes 20 credentials, each with a subject that is matched whole
/// (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations#general-federated-identity-credential-considerations>).
fn federation(access: &AccessSection, problems: &mut Problems) {
    let Some(federation) = &access.federation else { return };
    let path = "azure.access.federation";
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:/@".contains(&byte))
    };
    if access.principal_type != PrincipalType::ServicePrincipal {
        problems.report(
            "azure.access.principal_type",
            "not an identity",
            "only applications and managed identities are federated",
            None,
        );
    }
    if !federation.issuer.strip_prefix("https://").is_some_and(plain) {
        problems.report(&format!("{path}.issuer"), "invalid issuer", "write the issuer's URL, `https://...`", None);
    }
    let subjects = &federation.subjects;
    if !(1..=20).contains(&subjects.len()) || !subjects.iter().all(|subject| plain(subject)) {
        let label = "1-20 subjects, as in `system:serviceaccount:<namespace>:<name>`, without wildcards";
        problems.report(&format!("{path}.subjects"), "invalid subjects", label, None);
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

/// "Tag names cannot have the following prefixes which are reserved for Azure use"
/// (<https://learn.microsoft.com/rest/api/resources/tags/create-or-update>).
const RESERVED: [&str; 3] = ["microsoft", "azure", "windows"];

/// Limits and characters: <https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations>;
/// a storage account takes keys of at most 128 characters.
fn tags(tags: &BTreeMap<String, String>, problems: &mut Problems) {
    for (key, value) in tags {
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
        problems_with_tags("", section)
    }

    fn problems_with_tags(tags: &str, section: &str) -> Vec<String> {
        let deployment = format!("[deployment]\nname = \"ab\"\nhost = \"https://a.example\"\ntags = {{ {tags} }}");
        let file = PlanFile::parse("x", format!("{deployment}\n[azure]\n{section}\n"), &|_| None).unwrap();
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
    fn tags_are_checked_whatever_is_wrong_with_the_section() {
        assert!(problems_with_tags("\"a/b\" = \"\"", "subscription = 1").contains(&"invalid tag".to_owned()));
    }

    #[test]
    fn tags_keep_to_the_rules_of_the_service() {
        let tag = |key: &str, value: &str| {
            let tags = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            let file = PlanFile::parse("x", String::new(), &|_| None).unwrap();
            let mut problems = file.problems();
            super::tags(&tags, &mut problems);
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
    fn soft_delete_keeps_to_the_days_of_the_service() {
        let account = |keys: &str| {
            problems(&format!("{HEAD}[azure.account]\nname = \"acme\"\n{keys}\n[azure.container]\nname = \"files\""))
        };
        for days in ["0", "1", "365"] {
            assert_eq!(account(&format!("soft_delete_days = {days}")), Vec::<String>::new());
        }
        assert_eq!(account("soft_delete_days = 366").len(), 1);
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
    fn identities_are_object_ids_each_named_once() {
        let of = |access: &str| {
            let head = format!("{HEAD}[azure.account]\nname = \"acme\"\n[azure.container]\nname = \"files\"\n");
            problems(&format!("{head}[azure.access]\n{access}"))
        };
        let (one, other) = ("\"aaaaaaaa-1111-1111-1111-111111111111\"", "\"22222222-2222-2222-2222-222222222222\"");
        assert_eq!(of(&format!("identities = [{one}, {other}]")), Vec::<String>::new());
        assert_eq!(of(&format!("principal_id = {other}\nidentities = [{one}]")), Vec::<String>::new());
        assert_eq!(of(&format!("principal_id = {one}\nidentities = [{}]", one.to_uppercase())), ["named twice"]);
        assert_eq!(of(&format!("identities = [{one}, {one}, \"wandb\"]")), ["invalid principal", "named twice"]);
        assert_eq!(of("identities = []"), ["nobody is named"]);
    }

    #[test]
    fn federation_is_of_whom_it_names() {
        let of = |kind: &str, issuer: &str, subjects: &str| {
            let head = format!("{HEAD}[azure.account]\nname = \"acme\"\n[azure.container]\nname = \"files\"\n");
            let access = format!("[azure.access]\nprincipal_id = \"11111111-1111-1111-1111-111111111111\"\n{kind}");
            let federation = format!("federation = {{ issuer = \"{issuer}\", subjects = [{subjects}] }}");
            problems(&format!("{head}{access}\n{federation}"))
        };
        let (issuer, subject) = ("https://oidc.example.com/id/1", "\"system:serviceaccount:default:wandb-app\"");
        assert_eq!(of("", issuer, subject), Vec::<String>::new());
        assert_eq!(of("principal_type = \"Group\"", issuer, subject), ["not an identity"]);
        assert_eq!(of("", "http://oidc.example.com", subject), ["invalid issuer"]);
        for subjects in ["", "\"system:serviceaccount:*\"", "\"\""] {
            assert_eq!(of("", issuer, subjects), ["invalid subjects"], "{subjects}");
        }
    }

    #[test]
    fn location_is_not_needed_where_nothing_is_placed() {
        let shared = "subscription = \"00000000-0000-0000-0000-000000000001\"\nresource_group = { name = \"wandb\" }\n\
                      [azure.account]\nname = \"acme\"\ncreate = false\n[azure.container]\nname = \"files\"";
        assert_eq!(problems(shared), Vec::<String>::new());
        assert_eq!(problems(&shared.replace("create = false", "create = true")), ["no location"]);
    }
}
