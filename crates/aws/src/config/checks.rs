//! Reading the `[aws]` section: what its schema cannot say, all of it at once.

use std::collections::BTreeMap;

use provision_core::deployment::Deployment;
use provision_core::plan_file::{PlanFile, Problems};

use super::{AccessSection, AwsSection, BucketSection, Encryption, Grant, Settings, partition_of};

/// Methods that S3 knows: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CORSRule.html>.
const METHODS: [&str; 5] = ["GET", "HEAD", "PUT", "POST", "DELETE"];

impl Settings {
    /// Read and check the `[aws]` section of this deployment; `None` if there are problems, which are reported.
    pub fn read(deployment: Option<Deployment>, file: &PlanFile, problems: &mut Problems) -> Option<Self> {
        let aws: Option<AwsSection> = file.section("aws", problems);
        aws.iter().for_each(|aws| validate(aws, problems));
        deployment.iter().for_each(|deployment| tags(&deployment.tags, problems));
        Some(Self { deployment: deployment?, aws: aws? })
    }
}

fn validate(section: &AwsSection, problems: &mut Problems) {
    let twelve_digits = |account: &String| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    if section.account.as_ref().is_some_and(|account| !twelve_digits(account)) {
        problems.report("aws.account", "invalid account", "an AWS account id is twelve digits", None);
    }
    section.region.iter().for_each(|name| region(name, problems));
    bucket_name(&section.bucket, problems);
    if let Some(Encryption::Key(key)) = &section.bucket.encryption {
        key_arn(&key.kms_key, section.region.as_deref(), problems);
    }
    let default_queue = format!("{}-events", section.bucket.name);
    let queue = section.queue.name.as_ref().unwrap_or(&default_queue);
    queue_name("aws.queue.name", queue, problems);
    if let Some(run_queue) = &section.run_queue {
        queue_name("aws.run_queue.name", &run_queue.name, problems);
        if run_queue.name == *queue {
            let label = "the event queue has this name too";
            problems.report("aws.run_queue.name", "two queues with one name", label, None);
        }
    }
    section.bucket.cors.validate("aws.bucket.cors", &METHODS, problems);
    if let Some(access) = &section.access {
        access.role.iter().for_each(|name| role(name, section.account.as_deref(), problems));
        principals(access, problems);
    }
    partitions(section, problems);
}

/// What is named by its ARN is of the region's partition: rights and keys of one are of no use in another
/// (<https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>).
fn partitions(section: &AwsSection, problems: &mut Problems) {
    let Some(region) = &section.region else { return };
    let own = partition_of(region);
    let key = match &section.bucket.encryption {
        Some(Encryption::Key(key)) => Some(("aws.bucket.encryption.kms_key", &key.kms_key)),
        _ => None,
    };
    let access = section.access.iter();
    let named = access.clone().flat_map(|access| &access.role).map(|role| ("aws.access.role", role));
    let named = named.chain(access.flat_map(|access| &access.principals).map(|name| ("aws.access.principals", name)));
    for (path, arn) in key.into_iter().chain(named) {
        let partition = arn.strip_prefix("arn:").and_then(|rest| rest.split(':').next());
        if let Some(other) = partition.filter(|partition| *partition != own) {
            let label =
                format!("`{arn}` is of partition `{other}`, and {region} is in `{own}`: neither knows the other");
            problems.report(path, "an ARN of another partition", &label, None);
        }
    }
}

/// Who is let in, if it is not the server's own role: somebody, and nobody but whom is named
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>).
fn principals(access: &AccessSection, problems: &mut Problems) {
    if access.role.is_none() && access.principals.is_empty() {
        let label = "name the server's `role`, or the `principals` whose server it is";
        problems.report("aws.access", "access for nobody", label, None);
    }
    if access.role.is_none() && access.grant == Grant::All {
        let label = "what `role` gets, and there is none: principals get the documented actions";
        problems.report("aws.access.grant", "a grant without a role", label, None);
    }
    for name in access.principals.iter().filter(|name| !is_principal(name)) {
        let label = match name.contains('*') {
            true => format!("`{name}` would let in more than is named; write each account or role"),
            false => {
                format!(
                    "`{name}` is neither an account's twelve digits nor `arn:aws:iam::<account>:root`, `role/...` or `user/...`"
                )
            }
        };
        problems.report("aws.access.principals", "invalid principal", &label, None);
    }
}

/// An account, or somebody of one.
fn is_principal(name: &str) -> bool {
    let account = |id: &str| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
    let plain =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"*?\"".contains(&byte));
    let fields: Vec<_> = name.splitn(6, ':').collect();
    match fields.as_slice() {
        [id] => account(id),
        ["arn", partition, "iam", "", id, who] => {
            let somebody = ["role/", "user/"].iter().any(|kind| who.strip_prefix(kind).is_some_and(plain));
            partition.starts_with("aws") && plain(partition) && account(id) && (*who == "root" || somebody)
        }
        _ => false,
    }
}

/// Regions are host names' labels, and stand in the settings for the server.
fn region(region: &str, problems: &mut Problems) {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if region.is_empty() || !region.bytes().all(plain) {
        problems.report("aws.region", "invalid region", "write a region's name, as in `eu-west-1`", None);
    }
}

/// What S3, SQS and IAM take in tags: <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>.
fn tags(tags: &BTreeMap<String, String>, problems: &mut Problems) {
    let known = |letter: char| letter.is_alphanumeric() || letter.is_whitespace() || "_.:/=+-@".contains(letter);
    for (key, value) in tags {
        let unknown = key.chars().chain(value.chars()).find(|letter| !known(*letter));
        let label = if let Some(letter) = unknown {
            format!("AWS takes letters, digits, spaces and `_.:/=+-@`, and no `{}`", letter.escape_debug())
        } else if key.to_ascii_lowercase().starts_with("aws:") {
            "AWS reserves keys that begin with `aws:`".to_owned()
        } else if !(1..=128).contains(&key.chars().count()) || value.chars().count() > 256 {
            "AWS takes keys of 1-128 characters and values of at most 256".to_owned()
        } else {
            continue;
        };
        problems.report(&format!("deployment.tags.{key}"), "invalid tag", &label, None);
    }
}

/// Naming rules: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>. Dots are allowed there,
/// and refused here: they break TLS to `<bucket>.s3.amazonaws.com`. One that is there has its name already.
fn bucket_name(bucket: &BucketSection, problems: &mut Problems) {
    const PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
    const SUFFIXES: [&str; 6] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3", "-an"];
    let name = bucket.name.as_str();
    let old = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if bucket.adopt && (3..=255).contains(&name.len()) && name.bytes().all(old) {
        return;
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = name.bytes().next().is_some_and(plain) && name.bytes().last().is_some_and(plain);
    let label = if name.contains('.') {
        "a dot in a bucket name breaks TLS; use `-`".to_owned()
    } else if !(3..=63).contains(&name.len()) || !ends || !name.bytes().all(|byte| plain(byte) || byte == b'-') {
        "S3 names take 3-63 lower-case letters, digits and `-`, and begin and end with a letter or digit".to_owned()
    } else if let Some(prefix) = PREFIXES.iter().find(|prefix| name.starts_with(**prefix)) {
        format!("S3 reserves names that begin with `{prefix}`")
    } else if let Some(suffix) = SUFFIXES.iter().find(|suffix| name.ends_with(**suffix)) {
        format!("S3 reserves names that end with `{suffix}`")
    } else {
        return;
    };
    let suggestion = suggested_name(name);
    problems.report("aws.bucket.name", "invalid bucket name", &label, suggestion.map(|name| format!("write `{name}`")));
}

/// The name with what S3 does not take replaced, if that gives a valid one.
fn suggested_name(name: &str) -> Option<String> {
    let replace = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let replaced: String = name.chars().map(replace).collect();
    let suggestion = replaced.trim_matches('-').to_owned();
    ((3..=63).contains(&suggestion.len()) && suggestion != name).then_some(suggestion)
}

/// Limits: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html>. S3 sends to
/// standard queues only: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html>.
fn queue_name(path: &str, name: &str, problems: &mut Problems) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if let Some(standard) = name.strip_suffix(".fifo") {
        let help = Some(format!("write `{standard}`"));
        problems.report(path, "a FIFO queue cannot be used", "S3 sends events to standard queues only", help);
    } else if !(1..=80).contains(&name.len()) || !name.bytes().all(plain) {
        problems.report(path, "invalid queue name", "SQS names take 1-80 letters, digits, `-` and `_`", None);
    }
}

/// A bucket takes keys of its own region only
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html>).
fn key_arn(arn: &str, region: Option<&str>, problems: &mut Problems) {
    let fields: Vec<_> = arn.split(':').collect();
    let plain = arn.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/-_".contains(&byte));
    let key = plain && fields.len() == 6 && fields[0] == "arn" && fields[2] == "kms" && fields[5].starts_with("key/");
    if !key {
        let label = "write the key's ARN, `arn:aws:kms:<region>:<account>:key/<id>`; the server needs it too";
        problems.report("aws.bucket.encryption.kms_key", "invalid KMS key", label, None);
    } else if let Some(region) = region.filter(|region| fields[3] != *region) {
        let label = format!("a bucket in {region} takes keys of that region only");
        problems.report("aws.bucket.encryption.kms_key", "a KMS key of another region", &label, None);
    }
}

/// Role names: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html>.
fn role(role: &str, account: Option<&str>, problems: &mut Problems) {
    let name = role.rsplit('/').next().unwrap_or(role);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    let fields: Vec<_> = role.split(':').collect();
    let arn = fields.len() == 6 && fields[2] == "iam" && fields[5].starts_with("role/");
    if !(1..=64).contains(&name.len()) || !name.bytes().all(plain) || (role != name && !arn) {
        let label = "write a role's name, 1-64 letters, digits and `+=,.@_-`, or its ARN";
        problems.report("aws.access.role", "invalid role", label, None);
    } else if let Some(account) = account.filter(|account| arn && fields[4] != *account) {
        let label = format!("this role is not of the plan file's account, {account}");
        problems.report("aws.access.role", "a role of another account", &label, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of_tags(tags: &str) -> Vec<String> {
        let deployment = format!("[deployment]\nname = \"ab\"\nhost = \"https://a.example\"\ntags = {{ {tags} }}");
        let text = format!("{deployment}\n[aws]\nregion = \"eu-west-1\"\n[aws.bucket]\nname = \"acme\"\n");
        let file = PlanFile::parse("x", text, &|_| None).unwrap();
        let mut problems = file.problems();
        let deployment = Deployment::read(&file, &mut problems);
        Settings::read(deployment, &file, &mut problems);
        let found = problems.finish().err().map(|error| error.problems()).unwrap_or_default();
        found.into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn key_is_of_the_buckets_region() {
        let problems = |region: &str| {
            let key = format!("arn:aws:kms:{region}:123456789012:key/x");
            let deployment = "[deployment]\nname = \"ab\"\nhost = \"https://a.example\"";
            let bucket = format!("[aws.bucket]\nname = \"acme\"\nencryption = {{ kms_key = \"{key}\" }}\n");
            let text = format!("{deployment}\n[aws]\nregion = \"eu-west-1\"\n{bucket}");
            let file = PlanFile::parse("x", text, &|_| None).unwrap();
            let mut problems = file.problems();
            let deployment = Deployment::read(&file, &mut problems);
            Settings::read(deployment, &file, &mut problems);
            problems.finish().is_err()
        };
        assert!(problems("us-east-1") && !problems("eu-west-1"));
    }

    #[test]
    fn arns_are_of_the_regions_partition() {
        let problems = |region: &str, partition: &str| {
            let deployment = "[deployment]\nname = \"ab\"\nhost = \"https://a.example\"";
            let key = format!("arn:{partition}:kms:{region}:123456789012:key/x");
            let bucket = format!("[aws.bucket]\nname = \"acme\"\nencryption = {{ kms_key = \"{key}\" }}");
            let [role, user] = ["role/a", "user/b"].map(|who| format!("arn:{partition}:iam::123456789012:{who}"));
            let access = format!("[aws.access]\nrole = \"{role}\"\nprincipals = [\"{user}\", \"210987654321\"]");
            let text = format!("{deployment}\n[aws]\nregion = \"{region}\"\n{bucket}\n{access}\n");
            let file = PlanFile::parse("x", text, &|_| None).unwrap();
            let mut problems = file.problems();
            let deployment = Deployment::read(&file, &mut problems);
            Settings::read(deployment, &file, &mut problems);
            let found = problems.finish().err().map(|error| error.problems()).unwrap_or_default();
            found.into_iter().map(|problem| problem.message).collect::<Vec<_>>()
        };
        for (region, partition) in [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")] {
            assert_eq!(problems(region, partition), Vec::<String>::new(), "{region}");
        }
        assert_eq!(problems("eu-west-1", "aws-cn"), ["an ARN of another partition"; 3]);
        assert_eq!(problems("us-gov-west-1", "aws"), ["an ARN of another partition"; 3]);
    }

    #[test]
    fn tags_keep_to_the_rules_of_the_services() {
        assert_eq!(problems_of_tags("team = \"ml & co\""), ["invalid tag"]);
        assert_eq!(problems_of_tags("\"AWS:x\" = \"a\""), ["invalid tag"]);
        assert_eq!(problems_of_tags("\"\" = \"a\""), ["invalid tag"]);
        assert_eq!(problems_of_tags(&format!("{} = \"\"", "k".repeat(129))), ["invalid tag"]);
        assert_eq!(problems_of_tags(&format!("k = \"{}\"", "v".repeat(257))), ["invalid tag"]);
        assert_eq!(problems_of_tags("team = \"a+b@c:d/e=f\", empty = \"\""), Vec::<String>::new());
    }
}
