//! Reading the `[gcp]` section: what its schema cannot say, all of it at once.

use std::collections::BTreeMap;

use provision_core::deployment::Deployment;
use provision_core::plan_file::{PlanFile, Problems};

use super::{AccessSection, BucketSection, GcpSection, SOFT_DELETE_DAYS, Settings, location_of_keys};

/// Methods of CORS rules: <https://cloud.google.com/storage/docs/cross-origin>.
const METHODS: [&str; 7] = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"];

impl Settings {
    /// Read and check the `[gcp]` section of this deployment; `None` if there are problems, which are reported.
    pub fn read(deployment: Option<Deployment>, file: &PlanFile, problems: &mut Problems) -> Option<Self> {
        let gcp: Option<GcpSection> = file.section("gcp", problems);
        gcp.iter().for_each(|gcp| validate(gcp, problems));
        deployment.iter().for_each(|deployment| labels(&deployment.tags, problems));
        Some(Self { deployment: deployment?, gcp: gcp? })
    }
}

fn validate(section: &GcpSection, problems: &mut Problems) {
    project(&section.project, problems);
    bucket_name(&section.bucket, problems);
    location(&section.bucket, problems);
    if let Some(encryption) = &section.bucket.encryption {
        kms_key(&encryption.kms_key, &section.bucket, problems);
    }
    soft_delete(section.bucket.soft_delete_days, problems);
    section.bucket.cors.validate("gcp.bucket.cors", &METHODS, problems);
    topic_name(section, problems);
    if let Some(subscription) = &section.subscription.name {
        pubsub_name("gcp.subscription.name", "subscription", subscription, problems);
    }
    if let Some(access) = &section.access {
        access.service_account.iter().for_each(|email| service_account(email, problems));
        members(access, problems);
    }
}

/// Ids of projects: <https://cloud.google.com/resource-manager/docs/creating-managing-projects#before_you_begin>. Those
/// of some organizations begin with `domain.com:`.
fn project(id: &str, problems: &mut Problems) {
    let own = id.rsplit(':').next().unwrap_or(id);
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = own.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) {
        let label = "this is a project's number; write its id";
        let help = Some("`gcloud projects list` shows both".to_owned());
        problems.report("gcp.project", "not a project id", label, help);
    } else if !(6..=30).contains(&own.len()) || !begins || own.ends_with('-') || !own.bytes().all(plain) {
        let label = "ids take 6-30 lower-case letters, digits and `-`, begin with a letter and do not end with `-`";
        problems.report("gcp.project", "invalid project id", label, None);
    }
}

/// Naming rules: <https://cloud.google.com/storage/docs/buckets#naming>. Dots are allowed there, and refused here where a bucket is
/// to be made: such a name is a domain whose ownership must be proven.
fn bucket_name(bucket: &BucketSection, problems: &mut Problems) {
    let name = bucket.name.as_str();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = name.bytes().next().is_some_and(plain) && name.bytes().last().is_some_and(plain);
    let inside = |byte: u8| plain(byte) || byte == b'-' || byte == b'_' || byte == b'.';
    let part = |part: &str| (1..=63).contains(&part.len());
    let label = if name.contains('.') && !bucket.adopt {
        "a bucket name with a dot is a domain, which Google asks to be verified; use `-`"
    } else if !(3..=222).contains(&name.len()) || !name.split('.').all(part) || !ends || !name.bytes().all(inside) {
        "names take 3-63 lower-case letters, digits, `-` and `_`, and begin and end with a letter or digit"
    } else if name.starts_with("goog") || name.contains("google") || name.contains("g00gle") {
        "Google reserves names that begin with `goog` or contain `google`"
    } else {
        return;
    };
    let suggestion = suggested_name(name);
    problems.report("gcp.bucket.name", "invalid bucket name", label, suggestion.map(|name| format!("write `{name}`")));
}

/// The name with what Cloud Storage does not take replaced, if that gives a valid one.
fn suggested_name(name: &str) -> Option<String> {
    let replace = |letter: char| match letter {
        letter if letter.is_ascii_alphanumeric() => letter.to_ascii_lowercase(),
        '_' => '_',
        _ => '-',
    };
    let replaced: String = name.chars().map(replace).collect();
    let suggestion = replaced.trim_matches(['-', '_']).to_owned();
    ((3..=63).contains(&suggestion.len()) && suggestion != name).then_some(suggestion)
}

/// Locations are words of letters, digits and `-`: <https://cloud.google.com/storage/docs/locations>.
fn location(bucket: &BucketSection, problems: &mut Problems) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let location = bucket.location();
    if location.is_empty() || !location.bytes().all(plain) {
        let label = "a region or multi-region, as in `US`, `EU` or `europe-west1`";
        problems.report("gcp.bucket.location", "invalid location", label, None);
    }
}

/// Names of keys: <https://cloud.google.com/kms/docs/getting-resource-ids>. "You must create the Cloud KMS key in the same
/// location as the data you intend to encrypt": <https://cloud.google.com/storage/docs/encryption/customer-managed-keys#restrictions>.
fn kms_key(name: &str, bucket: &BucketSection, problems: &mut Problems) {
    let fields: Vec<_> = name.split('/').collect();
    let collections: Vec<_> = fields.iter().step_by(2).copied().collect();
    let named = fields.iter().all(|field| !field.is_empty());
    let path = "gcp.bucket.encryption.kms_key";
    if !named || fields.len() != 8 || collections != ["projects", "locations", "keyRings", "cryptoKeys"] {
        let label = "write the key's full name, `projects/P/locations/L/keyRings/R/cryptoKeys/K`";
        problems.report(path, "invalid KMS key", label, None);
        return;
    }
    // An adopted bucket is where it is, which only a look at it tells.
    let known = !bucket.adopt || bucket.location.is_some();
    let needed = location_of_keys(&bucket.location());
    if known && !fields[3].eq_ignore_ascii_case(&needed) {
        let label = format!("a bucket in `{}` takes keys in `{needed}` only", bucket.location());
        problems.report(path, "the key is in another location than the bucket", &label, None);
    }
}

/// "The retention duration must be 0, or between 7 and 90 days": <https://cloud.google.com/storage/docs/soft-delete>.
fn soft_delete(days: Option<u32>, problems: &mut Problems) {
    if days.is_some_and(|days| (1..SOFT_DELETE_DAYS).contains(&days)) {
        let label = "Cloud Storage takes 7-90 days, or 0 for none";
        problems.report("gcp.bucket.soft_delete_days", "out of range", label, None);
    }
}

/// A bucket's name may begin with a digit, and the topic's default with it may not.
fn topic_name(section: &GcpSection, problems: &mut Problems) {
    match &section.topic.name {
        Some(name) => pubsub_name("gcp.topic.name", "topic", name, problems),
        None if section.bucket.name.starts_with(|letter: char| letter.is_ascii_digit()) => {
            let label = "the default, `<bucket>-events`, would begin with a digit, and topics begin with a letter";
            let help = Some(format!("write `name = \"wandb-{}\"` under [gcp.topic]", section.topic_name()));
            problems.report("gcp.topic.name", "missing topic name", label, help);
        }
        None => {}
    }
}

/// Naming rules: <https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names>.
fn pubsub_name(path: &str, kind: &str, name: &str, problems: &mut Problems) {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~+%".contains(&byte);
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let label = if name.contains('/') {
        "write the short name, without `projects/...`"
    } else if !(3..=255).contains(&name.len()) || !begins || !name.bytes().all(inside) {
        "Pub/Sub names take 3-255 letters, digits and `-_.~+%`, and begin with a letter"
    } else if escape(name) {
        "`%` with two hexadecimal digits stands for another letter wherever the name is part of a URL"
    } else if name.starts_with("goog") {
        "Pub/Sub reserves names that begin with `goog`"
    } else {
        return;
    };
    let short = name.rsplit('/').next().filter(|short| name.contains('/') && !short.is_empty());
    problems.report(path, &format!("invalid {kind} name"), label, short.map(|short| format!("write `{short}`")));
}

/// Whether a URL would read something else than the name (<https://www.rfc-editor.org/rfc/rfc3986#section-2.1>).
fn escape(name: &str) -> bool {
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    name.split('%').skip(1).any(|rest| digit(rest.as_bytes().first()) && digit(rest.as_bytes().get(1)))
}

/// Who is let in, if it is not the server's own account: somebody, and nobody but whom is named
/// (<https://cloud.google.com/iam/docs/principal-identifiers>).
fn members(access: &AccessSection, problems: &mut Problems) {
    if access.service_account.is_none() && access.members.is_empty() {
        let label = "name the server's `service_account`, or the `members` whose server it is";
        problems.report("gcp.access", "access for nobody", label, None);
    }
    for member in access.members.iter().filter(|member| !is_member(member)) {
        let label = match member.as_str() {
            "allUsers" | "allAuthenticatedUsers" => format!("`{member}` is everybody; write each account or group"),
            _ => format!("`{member}` is neither `serviceAccount:<email>`, `group:<email>` nor `principal://...`"),
        };
        problems.report("gcp.access.members", "invalid member", &label, None);
    }
}

fn is_member(member: &str) -> bool {
    let plain = |text: &str, more: &[u8]| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || more.contains(&byte))
    };
    let email = |text: &str| {
        let (name, domain) = text.split_once('@').unwrap_or_default();
        plain(name, b"-._+") && plain(domain, b"-.") && domain.contains('.')
    };
    match member.split_once(':') {
        Some(("serviceAccount", address)) => email(address) && address.ends_with("gserviceaccount.com"),
        Some(("group", address)) => email(address),
        Some(("principal", place)) => place
            .strip_prefix("//iam.googleapis.com/")
            .is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*')),
        _ => false,
    }
}

/// Emails of service accounts: <https://cloud.google.com/iam/docs/service-account-types>.
fn service_account(email: &str, problems: &mut Problems) {
    let (name, domain) = email.split_once('@').unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(plain);
    if !is_plain(name) || !is_plain(domain) || !domain.ends_with("gserviceaccount.com") {
        let label = "write the account's email, `<name>@<project>.iam.gserviceaccount.com`";
        let help = email.strip_prefix("serviceAccount:").map(|email| format!("write `{email}`"));
        problems.report("gcp.access.service_account", "invalid service account", label, help);
    }
}

/// Tags become labels: <https://cloud.google.com/storage/docs/tags-and-labels#bucket-labels>,
/// <https://cloud.google.com/pubsub/docs/create-topic-subscription-labels>.
fn labels(tags: &BTreeMap<String, String>, problems: &mut Problems) {
    let inside = |letter: char| (letter.is_alphanumeric() && !letter.is_uppercase()) || letter == '-' || letter == '_';
    for (key, value) in tags {
        let path = format!("deployment.tags.{key}");
        let begins = key.chars().next().is_some_and(|letter| letter.is_alphabetic() && !letter.is_uppercase());
        let label = if !begins || key.chars().count() > 63 || !key.chars().all(inside) {
            "Google's labels have keys of 1-63 lower-case letters, digits, `-` and `_` that begin with a letter"
        } else if value.chars().count() > 63 || !value.chars().all(inside) {
            "Google's labels have values of at most 63 lower-case letters, digits, `-` and `_`"
        } else if key.starts_with("goog") {
            "Google reserves labels that begin with `goog`"
        } else {
            continue;
        };
        problems.report(&path, "invalid label", label, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "wandb@acme-ml.iam.gserviceaccount.com";

    fn read(text: &str) -> (Option<Settings>, Vec<(String, Option<String>)>) {
        let file = PlanFile::parse("x", text.to_owned(), &|_| None).unwrap();
        let mut problems = file.problems();
        let deployment = provision_core::deployment::Deployment::read(&file, &mut problems);
        let settings = Settings::read(deployment, &file, &mut problems);
        let found = problems.finish().err().map(|error| error.problems()).unwrap_or_default();
        (settings, found.into_iter().map(|problem| (problem.path, problem.help)).collect())
    }

    fn paths(gcp: &str, bucket: &str, rest: &str) -> Vec<(String, Option<String>)> {
        let deployment = "[deployment]\nname = \"ab\"\nhost = \"https://a.example\"";
        read(&format!("{deployment}\n[gcp]\n{gcp}\n[gcp.bucket]\n{bucket}\n{rest}")).1
    }

    fn bucket(bucket: &str) -> Vec<(String, Option<String>)> {
        paths("project = \"acme-ml\"", bucket, "")
    }

    #[test]
    fn defaults_are_filled_in_from_one_another() {
        let deployment = "[deployment]\nname = \"ab\"\nhost = \"https://a.example\"";
        let (settings, problems) =
            read(&format!("{deployment}\n[gcp]\nproject = \"acme-ml\"\n[gcp.bucket]\nname = \"acme-files\""));
        assert_eq!(problems, []);
        let settings = settings.unwrap();
        assert_eq!(settings.topic_name(), "acme-files-events");
        assert_eq!(settings.subscription_name(), "acme-files-events");
        assert_eq!(settings.gcp.bucket.location(), "US");
        assert_eq!(settings.service_account(), None);
    }

    #[test]
    fn bucket_names_keep_to_their_rules() {
        for valid in ["abc", "a-b_c9", &"a".repeat(63)] {
            assert_eq!(bucket(&format!("name = \"{valid}\"")), [], "{valid}");
        }
        for (name, help) in [
            ("Acme_Files", Some("write `acme_files`")),
            ("acme.example", Some("write `acme-example`")),
            ("-acme", Some("write `acme`")),
            ("ab", None),
            ("goog-files", None),
            ("my-google-files", None),
        ] {
            let found = bucket(&format!("name = \"{name}\""));
            assert_eq!(found[0], ("gcp.bucket.name".to_owned(), help.map(str::to_owned)), "{name}");
        }
    }

    #[test]
    fn a_bucket_of_others_may_be_called_like_a_domain() {
        for valid in ["files.example.com", &["a".repeat(63), "b".repeat(63)].join(".")] {
            assert_eq!(bucket(&format!("name = \"{valid}\"\nadopt = true")), [], "{valid}");
            assert_eq!(bucket(&format!("name = \"{valid}\"")).len(), 1, "{valid}");
        }
        assert_eq!(bucket("name = \"a..b\"\nadopt = true").len(), 1);
        assert_eq!(bucket(&format!("name = \"{}\"\nadopt = true", "a".repeat(64))).len(), 1);
    }

    #[test]
    fn a_bucket_that_begins_with_a_digit_needs_a_named_topic() {
        let help = Some("write `name = \"wandb-1st-events\"` under [gcp.topic]".to_owned());
        assert_eq!(bucket("name = \"1st\""), [("gcp.topic.name".to_owned(), help)]);
        assert_eq!(paths("project = \"acme-ml\"", "name = \"1st\"", "[gcp.topic]\nname = \"first\""), []);
    }

    #[test]
    fn keys_are_where_the_bucket_is() {
        let found = |location: &str, key: &str| {
            let key = format!("projects/p/locations/{key}/keyRings/r/cryptoKeys/k");
            let bucket = format!("name = \"abc\"\nlocation = \"{location}\"\nencryption = {{ kms_key = \"{key}\" }}");
            paths("project = \"acme-ml\"", &bucket, "").len()
        };
        for (location, key) in [("US", "us"), ("eu", "europe"), ("europe-west1", "europe-west1"), ("NAM4", "nam4")] {
            assert_eq!((found(location, key), found(location, "asia")), (0, 1), "{location}");
        }
    }

    #[test]
    fn where_an_adopted_bucket_is_only_a_look_tells() {
        let key = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k";
        let bucket = |rest: &str| {
            let bucket = format!("name = \"abc\"\nencryption = {{ kms_key = \"{key}\" }}\n{rest}");
            paths("project = \"acme-ml\"", &bucket, "").len()
        };
        assert_eq!(bucket("adopt = true"), 0);
        assert_eq!(bucket("adopt = true\nlocation = \"US\""), 1);
        assert_eq!(bucket(""), 1);
    }

    #[test]
    fn names_that_a_url_would_read_otherwise_are_refused() {
        assert!(escape("a%2Fb") && escape("a%20") && !escape("a%b") && !escape("50%"));
    }

    #[test]
    fn everything_wrong_is_named_in_one_run() {
        let rest = "[gcp.bucket.cors]\nmethods = [\"FETCH\"]\norigins = []\n[gcp.topic]\nname = \"projects/p/topics/t\"\n\
                    [gcp.subscription]\nname = \"1st\"\n[gcp.access]\nservice_account = \"serviceAccount:a@b.com\"";
        let bucket = "name = \"abc\"\nlocation = \"eu west\"\nsoft_delete_days = 3\nencryption = { kms_key = \"k\" }";
        let found: Vec<_> =
            paths("project = \"123456789012\"", bucket, rest).into_iter().map(|(path, _)| path).collect();
        let expected = [
            "gcp.project",
            "gcp.bucket.location",
            "gcp.bucket.soft_delete_days",
            "gcp.bucket.encryption.kms_key",
            "gcp.bucket.cors.methods",
            "gcp.bucket.cors.origins",
            "gcp.topic.name",
            "gcp.subscription.name",
            "gcp.access.service_account",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn service_accounts_are_emails_of_google() {
        for email in [ACCOUNT, "123-compute@developer.gserviceaccount.com", "acme-ml@appspot.gserviceaccount.com"] {
            let access = format!("[gcp.access]\nservice_account = \"{email}\"");
            assert_eq!(paths("project = \"acme-ml\"", "name = \"abc\"", &access), [], "{email}");
        }
        let access = format!("[gcp.access]\nservice_account = \"serviceAccount:{ACCOUNT}\"");
        let help = Some(format!("write `{ACCOUNT}`"));
        let found = paths("project = \"acme-ml\"", "name = \"abc\"", &access);
        assert_eq!(found, [("gcp.access.service_account".to_owned(), help)]);
    }

    #[test]
    fn members_are_those_who_are_named() {
        let found = |members: &str| {
            let access = format!("[gcp.access]\nmembers = [{members}]");
            paths("project = \"acme-ml\"", "name = \"abc\"", &access)
                .into_iter()
                .map(|(path, _)| path)
                .collect::<Vec<_>>()
        };
        let workload = "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/s";
        for valid in [&format!("serviceAccount:{ACCOUNT}"), "group:ml@acme.example", workload] {
            assert_eq!(found(&format!("\"{valid}\"")), [""; 0], "{valid}");
        }
        for invalid in
            ["allUsers", "allAuthenticatedUsers", ACCOUNT, "user:a@b.c", "serviceAccount:A@b.c", "domain:b.c", ""]
        {
            assert_eq!(found(&format!("\"{invalid}\"")), ["gcp.access.members"], "{invalid}");
        }
        assert_eq!(found(""), ["gcp.access"]);
    }

    #[test]
    fn tags_keep_to_the_grammar_of_labels() {
        let tags = |tags: &str| {
            let deployment = "[deployment]\nname = \"ab\"\nhost = \"https://a.example\"";
            let section = "[gcp]\nproject = \"acme-ml\"\n[gcp.bucket]\nname = \"abc\"";
            read(&format!("{deployment}\ntags = {{ {tags} }}\n{section}")).1.len()
        };
        assert_eq!(tags("team = \"ml\", cost-center = \"42\", empty = \"\""), 0);
        for invalid in ["Team = \"ml\"", "team = \"ML\"", "team = \"a b\"", "9a = \"\"", "goog-a = \"\"", "a = \"b.c\""]
        {
            assert_eq!(tags(invalid), 1, "{invalid}");
        }
    }
}
