//! What keeps messages from getting through a queue, and files from getting into the bucket: attributes that others set, and
//! statements of theirs in a policy.

use std::collections::BTreeSet;

use provision_core::facet::Observed;
use provision_core::hop::{HopId, Obstacle};
use provision_core::mark::{Origin, Tags};
use provision_core::refusal::Refusal;
use provision_core::resource::{Observation, Present};
use serde_json::{Map, Value, json};

use crate::config::{SERVER_BUCKET_ACTIONS, SERVER_QUEUE_ACTIONS};
use crate::denial::Whom;
use crate::names::Names;
use crate::policy::Document;

/// The service's names for the attributes, with what they have where nothing is in the way
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>).
const DELAY: &str = "DelaySeconds";
const LONGEST_MESSAGE: &str = "MaximumMessageSize";
const DEAD_LETTERS: &str = "RedrivePolicy";

/// A shorter limit drops events, in bytes: one has a key of up to 1,024 bytes, three times as long in URL encoding, and about
/// a thousand bytes beside it (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>).
const LONGEST_EVENT: u64 = 16 << 10;

/// A message that is taken away after fewer looks at it is lost to a server that was restarted.
pub(crate) const FEWEST_RECEIVES: u64 = 3;

/// The statements by which no event gets in, and those by which the server is kept out.
const EVENTS_DENIED: &str = "events_denied_by";
const SERVER_DENIED: &str = "server_denied_by";

/// The name of the facet.
pub(crate) const NAME: &str = "delivery";

/// What S3 does with the queue.
const SENDING: [&str; 1] = ["sqs:SendMessage"];

/// What the server does with it.
const RECEIVING: [&str; 2] = ["sqs:ReceiveMessage", "sqs:DeleteMessage"];

/// What we do with it while we wait for an event.
const TAKING: [&str; 3] = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"];

/// What the server does with every object.
const OBJECT_ACTIONS: [&str; 2] = ["s3:GetObject*", "s3:PutObject"];

/// What else it does with objects; all else is with the bucket
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>).
const OTHER_OBJECT_ACTIONS: [&str; 2] = ["s3:AbortMultipartUpload", "s3:DeleteObject"];

/// What is done with a probe of `verify` afterwards.
const REMOVING: [&str; 2] = ["s3:DeleteObject", "s3:DeleteObjectVersion"];

/// What is in the way in a bucket's policy: a statement that is for all of its objects.
pub(crate) fn of_bucket(policy: &Document, names: &Names) -> Value {
    let denied = policy.denying(names, Whom::Server, &OBJECT_ACTIONS, Some(&objects(names)));
    if denied.is_empty() { json!({}) } else { json!({ SERVER_DENIED: denied }) }
}

/// A statement of others by which nobody takes anything out of the bucket, a probe neither.
pub(crate) fn undeletable(policy: &Document, names: &Names) -> Option<Obstacle> {
    let denied = policy.denying(names, Whom::Account, &REMOVING, Some(&objects(names)));
    let (denied, bucket) = (denied.join(" and "), &names.bucket);
    (!denied.is_empty()).then(|| Obstacle {
        stops: &[HopId::Cleanup],
        refusal: Refusal {
            reason: format!("nobody may delete from bucket `{bucket}`: {denied} of its policy denies it"),
            hint: format!(
                "remove {denied} of its policy, which this deployment did not write (`aws s3api put-bucket-policy`)"
            ),
        },
        by_apply: false,
    })
}

fn objects(names: &Names) -> String {
    format!("{}/*", names.bucket_arn())
}

/// A statement of others that takes one of its other rights on the bucket from the server. Its files get through all the same.
pub(crate) fn bucket_rights_denied(policy: &Document, names: &Names) -> Option<Obstacle> {
    let (bucket, objects) = (names.bucket_arn(), objects(names));
    let of = |action: &'static str| {
        let on = if OTHER_OBJECT_ACTIONS.contains(&action) { &objects } else { &bucket };
        (action, policy.denying(names, Whom::Server, &[action], Some(on)))
    };
    let others = SERVER_BUCKET_ACTIONS.into_iter().filter(|action| !OBJECT_ACTIONS.contains(action));
    right_denied(Holder::Bucket(&names.bucket), others.map(of))
}

/// The same of a queue. What the server sends to its own queue of events is nothing.
pub(crate) fn queue_rights_denied(queue: &str, policy: &Document, names: &Names) -> Option<Obstacle> {
    let others =
        SERVER_QUEUE_ACTIONS.into_iter().filter(|action| !SENDING.contains(action) && !RECEIVING.contains(action));
    let of = |action: &'static str| (action, policy.denying(names, Whom::Server, &[action], None));
    right_denied(Holder::Queue(queue), others.map(of))
}

fn right_denied(holder: Holder<'_>, denials: impl Iterator<Item = (&'static str, Vec<String>)>) -> Option<Obstacle> {
    let denials: Vec<_> = denials.filter(|(_, statements)| !statements.is_empty()).collect();
    let actions: Vec<_> = denials.iter().map(|(action, _)| format!("`{action}`")).collect();
    let statements: BTreeSet<_> = denials.iter().flat_map(|(_, statements)| statements.iter().cloned()).collect();
    let (actions, statements) = (actions.join(" and "), statements.into_iter().collect::<Vec<_>>().join(" and "));
    (!statements.is_empty()).then(|| Obstacle {
        stops: &[HopId::Rights],
        refusal: Refusal {
            reason: format!(
                "the server may not do {actions} on {}: {statements} of its policy denies it",
                holder.describe()
            ),
            hint: format!("remove {statements} of the policy of {}", holder.policy()),
        },
        by_apply: false,
    })
}

/// Statements of others that may keep events out of the queue, under a condition or as all but some are; named where none comes.
pub(crate) fn suspect(queue: &str, policy: &Document, names: &Names) -> Option<Refusal> {
    let found = policy.may_deny_events(names, &SENDING).join(" and ");
    (!found.is_empty()).then(|| Refusal {
        reason: format!(
            "{found} of the policy of queue `{queue}` denies `{}` to some or under a condition, and may stand in the way",
            SENDING[0]
        ),
        hint: format!("let S3 through {found}, or remove it: the policy of {}", Holder::Queue(queue).policy()),
    })
}

/// Statements of others that may be why messages are not given to us.
pub(crate) fn may_keep_messages(policy: &Document, names: &Names) -> Vec<String> {
    policy.may_deny(names, &TAKING)
}

/// What is in the way of a queue's messages, by name; nothing is desired.
pub(crate) fn of_queue(attributes: &Tags, policy: &Document, names: &Names) -> Value {
    let number = |name: &str| attributes.get(name).and_then(|text| text.parse::<u64>().ok());
    let mut found = Map::new();
    let mut note = |name: &str, value: Value| drop(found.insert(name.to_owned(), value));
    number(DELAY).filter(|delay| *delay > 0).into_iter().for_each(|delay| note("delay_s", json!(delay)));
    let short = number(LONGEST_MESSAGE).filter(|longest| *longest < LONGEST_EVENT);
    short.into_iter().for_each(|longest| note("max_message_bytes", json!(longest)));
    let soon = receives(attributes).filter(|receives| *receives < FEWEST_RECEIVES);
    soon.into_iter().for_each(|receives| note("dead_letters_after_receives", json!(receives)));
    for (name, whom, actions) in
        [(EVENTS_DENIED, Whom::S3, &SENDING[..]), (SERVER_DENIED, Whom::Server, &RECEIVING[..])]
    {
        let denied = policy.denying(names, whom, actions, None);
        if !denied.is_empty() {
            note(name, json!(denied));
        }
    }
    Value::Object(found)
}

/// After how many looks at it a message goes elsewhere.
pub(crate) fn receives(attributes: &Tags) -> Option<u64> {
    let policy: Value = serde_json::from_str(attributes.get(DEAD_LETTERS)?).ok()?;
    policy["maxReceiveCount"].to_string().trim_matches('"').parse().ok()
}

/// What others let everybody do with a bucket or a queue.
pub(crate) fn opened(holder: Holder<'_>, policy: &Document, names: &Names) -> Vec<String> {
    let told = |(statement, actions, sid): (String, String, Option<&str>)| {
        format!(
            "{} is open to everybody{}: statement {statement} of its policy, which this deployment did not write, lets anyone \
             {actions}; {}",
            holder.describe(),
            holder.unless_shut(),
            holder.without(sid)
        )
    };
    policy.open_to_all(&names.sids).into_iter().map(told).collect()
}

/// What has a policy.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Holder<'a> {
    Bucket(&'a str),
    Queue(&'a str),
}

impl Holder<'_> {
    fn describe(self) -> String {
        match self {
            Self::Bucket(bucket) => format!("bucket `{bucket}`"),
            Self::Queue(queue) => format!("queue `{queue}`"),
        }
    }

    /// What may shut everybody out all the same: the settings of the account are not looked at
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>).
    const fn unless_shut(self) -> &'static str {
        match self {
            Self::Bucket(_) => ", unless the account blocks public access",
            Self::Queue(_) => "",
        }
    }

    /// What takes a statement out. "Revokes any permissions in the queue policy that matches the specified Label"
    /// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_RemovePermission.html>).
    fn without(self, sid: Option<&str>) -> String {
        match (self, sid) {
            (Self::Bucket(_), _) => "`aws s3api put-bucket-policy` writes the policy without it".to_owned(),
            (Self::Queue(_), None) => "`aws sqs set-queue-attributes` writes the policy without it".to_owned(),
            (Self::Queue(queue), Some(sid)) => {
                let url = format!("\"$(aws sqs get-queue-url --queue-name {queue} --query QueueUrl --output text)\"");
                format!("`aws sqs remove-permission --queue-url {url} --label '{sid}'` takes it out")
            }
        }
    }

    /// Whose policy it is, and what writes it.
    fn policy(self) -> String {
        let by = match self {
            Self::Bucket(_) => "s3api put-bucket-policy",
            Self::Queue(_) => "sqs set-queue-attributes",
        };
        format!("{}, which this deployment did not write (`aws {by}`)", self.describe())
    }

    /// What statements of others under this name do, which hops they stand in the way of, and what writes the policy without them.
    fn denial(self, name: &str) -> (String, &'static [HopId], String) {
        match self {
            Self::Bucket(bucket) => {
                (format!("the server may not use bucket `{bucket}`"), &[HopId::Rights, HopId::Files], self.policy())
            }
            Self::Queue(queue) => {
                let (what, stops): (_, &[HopId]) = match name {
                    EVENTS_DENIED => (format!("no event gets into queue `{queue}`"), &[HopId::Event]),
                    _ => (
                        format!("the server may not take messages out of queue `{queue}`"),
                        &[HopId::Rights, HopId::Event],
                    ),
                };
                (what, stops, self.policy())
            }
        }
    }
}

/// What statements of others stand in the way of; they are theirs to change.
fn denials(holder: Holder<'_>, observed: &Value) -> Vec<Obstacle> {
    let denial = |name: &str| {
        let denied: Vec<_> = observed[name].as_array()?.iter().filter_map(Value::as_str).collect();
        let ((what, stops, policy), denied) = (holder.denial(name), denied.join(" and "));
        let reason = format!("{what}: {denied} of its policy denies it");
        Some(Obstacle {
            stops,
            refusal: Refusal { reason, hint: format!("remove {denied} of the policy of {policy}") },
            by_apply: false,
        })
    };
    [EVENTS_DENIED, SERVER_DENIED].into_iter().filter_map(denial).collect()
}

/// The same as one refusal.
pub(crate) fn refusal(holder: Holder<'_>, observed: &Value) -> Option<Refusal> {
    let denials = denials(holder, observed);
    let hint = denials.first()?.refusal.hint.clone();
    let hints: Vec<_> =
        denials.iter().map(|denial| denial.refusal.hint.as_str()).filter(|other| *other != hint).collect();
    let reasons: Vec<_> = denials.iter().map(|denial| denial.refusal.reason.as_str()).collect();
    Some(Refusal { reason: reasons.join("; "), hint: [vec![hint.as_str()], hints].concat().join(", and ") })
}

/// What stands in the way of a proof's hops, as a look found it.
pub(crate) fn obstacles(holder: Holder<'_>, found: &Observation) -> Vec<Obstacle> {
    let Observation::Present(present) = found else { return Vec::new() };
    let observed = present.observed.iter().find(|(name, _)| *name == NAME);
    match observed {
        Some((_, Observed::Value(value))) => denials(holder, value),
        _ => Vec::new(),
    }
}

/// What is in the way on something that was adopted, or is to be: its settings are not ours to change.
pub(crate) fn on_adopted(present: &Present, adopting: bool) -> Option<&Value> {
    let adopted = present.mark.as_ref().map_or(adopting, |mark| mark.origin == Origin::Adopted);
    let observed = present.observed.iter().find(|(name, _)| adopted && *name == NAME);
    match observed {
        Some((_, Observed::Value(value))) => Some(value),
        _ => None,
    }
}

/// The attributes that take out of the way what is in it.
pub(crate) fn cleared(attributes: &Tags, policy: &Document, names: &Names) -> Tags {
    let observed = of_queue(attributes, policy, names);
    let reset = [
        ("delay_s", DELAY, "0"),
        ("max_message_bytes", LONGEST_MESSAGE, "262144"),
        ("dead_letters_after_receives", DEAD_LETTERS, ""),
    ];
    let needed = reset.into_iter().filter(|(name, _, _)| observed.get(name).is_some());
    needed.map(|(_, name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::names::tests::{names, settings};

    const PLAN: &str = "[aws.bucket]\nname = \"acme\"\n[aws.access]\nrole = \"node\"";

    fn of(attributes: &[(&str, &str)], statement: Value) -> (Value, Tags) {
        let names = names(&settings("", PLAN));
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let text = json!({ "Statement": [statement] }).to_string();
        let policy = Document::read(Some(&text), "sqs:GetQueueAttributes", "read").unwrap();
        (of_queue(&attributes, &policy, &names), cleared(&attributes, &policy, &names))
    }

    #[test]
    fn what_is_in_the_way_is_told_and_cleared() {
        let usual = [(DELAY, "0"), (LONGEST_MESSAGE, "1048576"), (DEAD_LETTERS, "{\"maxReceiveCount\": \"5\"}")];
        let narrow = json!({"Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "sqs:*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
        assert_eq!(of(&usual, narrow), (json!({}), Tags::new()));
        let odd = [(DELAY, "900"), (LONGEST_MESSAGE, "1024"), (DEAD_LETTERS, "{\"maxReceiveCount\": 1}")];
        let closed = json!({"Sid": "Closed", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "SQS:Send*"});
        let (observed, cleared) = of(&odd, closed);
        let all = json!({"delay_s": 900, "max_message_bytes": 1024, "dead_letters_after_receives": 1,
            "events_denied_by": ["statement `Closed`"]});
        assert_eq!(observed, all);
        assert_eq!(cleared.len(), 3);
        let denied = refusal(Holder::Queue("q"), &observed).unwrap();
        assert_eq!(denied.reason, "no event gets into queue `q`: statement `Closed` of its policy denies it");
        assert!(refusal(Holder::Queue("q"), &json!({"delay_s": 1})).is_none());
    }

    /// Messages get in that the server cannot take out.
    #[test]
    fn who_is_denied_what_is_told_apart() {
        let stops = |principal: Value, action: &str| {
            let statement = json!({"Sid": "Closed", "Effect": "Deny", "Principal": principal, "Action": action});
            let denials = denials(Holder::Queue("q"), &of(&[], statement).0);
            denials.into_iter().flat_map(|denial| denial.stops).collect::<Vec<_>>()
        };
        let (server, s3) = (json!({"AWS": "arn:aws:iam::1:role/node"}), json!({"Service": "s3.amazonaws.com"}));
        assert_eq!(stops(json!("*"), "sqs:SendMessage"), [&HopId::Event]);
        assert_eq!(stops(json!("*"), "sqs:ReceiveMessage"), [&HopId::Rights, &HopId::Event]);
        assert_eq!(stops(server.clone(), "sqs:*"), [&HopId::Rights, &HopId::Event]);
        assert_eq!(stops(s3.clone(), "sqs:*"), [&HopId::Event]);
        assert!(stops(s3, "sqs:ReceiveMessage").is_empty() && stops(server, "sqs:SendMessage").is_empty());
        assert_eq!(stops(json!("*"), "*").len(), 3);
    }

    #[test]
    fn a_statement_that_lets_everybody_in_is_told_with_what_takes_it_out() {
        let names = names(&settings("", PLAN));
        let told = |principal: Value, condition: Value, sid: &str| {
            let statement = json!({"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": "sqs:*",
                "Condition": condition});
            let text = json!({ "Statement": [statement] }).to_string();
            opened(Holder::Queue("q"), &Document::read(Some(&text), "sqs:GetQueueAttributes", "read").unwrap(), &names)
        };
        let [open] = &told(json!("*"), json!({}), "Open")[..] else { panic!("one") };
        assert!(open.contains("`Open`") && open.contains("anyone sqs:*") && open.contains("--label 'Open'"), "{open}");
        let secure = json!({"Bool": {"aws:SecureTransport": "true"}});
        let foreign = json!({"StringNotEquals": {"aws:PrincipalAccount": "1"}});
        let any = json!({"ArnLike": {"aws:SourceArn": "*"}});
        let loose = [
            json!({"StringLike": {"aws:PrincipalArn": "arn:aws:*"}}),
            json!({"ArnLike": {"aws:SourceArn": "arn:*"}}),
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:*"}}),
            json!({"StringEqualsIfExists": {"aws:SourceAccount": "1"}}),
            json!({"Null": {"aws:SourceArn": true}}),
            json!({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "0.0.0.0/0"]}}),
        ];
        for condition in [secure, foreign, any].into_iter().chain(loose) {
            assert_eq!(told(json!({"AWS": ["*", "arn:aws:iam::1:root"]}), condition, "Open").len(), 1);
        }
        let (own, bucket) = (json!({"StringEquals": {"aws:PrincipalAccount": "1"}}), "arn:aws:s3:::acme");
        assert!(told(json!("*"), own, "Open").is_empty());
        for (operator, key, value) in [
            ("StringEquals", "aws:PrincipalOrgID", "o-1"),
            ("IpAddress", "aws:SourceIp", "10.0.0.0/8"),
            ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::1:*"),
        ] {
            assert!(told(json!("*"), json!({operator: {key: value}}), "Open").is_empty(), "{key}");
        }
        assert!(told(json!("*"), json!({"ArnEquals": {"aws:SourceArn": bucket}}), "Open").is_empty());
        assert!(told(json!({"AWS": "arn:aws:iam::1:root"}), json!({}), "Open").is_empty());
        assert!(told(json!("*"), json!({}), &names.sids[0]).is_empty());
    }

    #[test]
    fn a_statement_that_keeps_the_servers_files_out_is_told() {
        let names = names(&settings("", PLAN));
        let told = |principal: Value, action: &str, resource: &str| {
            let statement = json!({"Sid": "Closed", "Effect": "Deny", "Principal": principal, "Action": action,
                "Resource": resource});
            let text = json!({ "Statement": [statement] }).to_string();
            of_bucket(&Document::read(Some(&text), "s3:GetBucketPolicy", "read").unwrap(), &names) != json!({})
        };
        assert!(
            told(json!("*"), "s3:*", "*")
                && told(json!({"AWS": "arn:aws:iam::1:root"}), "s3:Put*", "arn:aws:s3:::acme*")
        );
        assert!(told(json!({"AWS": ["x", "arn:aws:iam::1:role/node"]}), "s3:PutObject", "arn:aws:s3:::acme/*"));
        assert!(!told(json!({"AWS": "arn:aws:iam::1:role/x"}), "s3:PutObject", "arn:aws:s3:::acme/*"));
        assert!(!told(json!("*"), "s3:PutObject", "arn:aws:s3:::acme/logs/*"));
        assert!(!told(json!("*"), "s3:DeleteBucket", "arn:aws:s3:::acme"));
    }

    #[test]
    fn a_statement_that_keeps_probes_in_the_bucket_is_told() {
        let names = names(&settings("", PLAN));
        let told = |principal: Value, action: &str, resource: &str| {
            let statement = json!({"Sid": "Kept", "Effect": "Deny", "Principal": principal, "Action": action,
                "Resource": resource});
            let text = json!({ "Statement": [statement] }).to_string();
            undeletable(&Document::read(Some(&text), "s3:GetBucketPolicy", "read").unwrap(), &names)
        };
        let kept = told(json!("*"), "s3:Delete*", "arn:aws:s3:::acme/*").unwrap();
        assert!(kept.refusal.reason.contains("statement `Kept`") && kept.stops == [HopId::Cleanup]);
        assert!(told(json!({"AWS": "arn:aws:iam::1:root"}), "s3:DeleteObjectVersion", "*").is_some());
        assert!(told(json!({"AWS": "arn:aws:iam::1:role/node"}), "s3:DeleteObject", "*").is_none());
        assert!(told(json!("*"), "s3:PutObject", "*").is_none());
        assert!(told(json!("*"), "s3:DeleteObject", "arn:aws:s3:::acme/logs/*").is_none());
        let but = json!({"Sid": "Kept", "Effect": "Deny", "Principal": "*", "Resource": "arn:aws:s3:::acme/*",
            "NotAction": ["s3:Get*", "s3:Put*", "s3:List*"]});
        let text = json!({ "Statement": [but] }).to_string();
        assert!(undeletable(&Document::read(Some(&text), "s3:GetBucketPolicy", "read").unwrap(), &names).is_some());
    }
}
