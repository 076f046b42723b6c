//! What keeps messages from getting through a queue: attributes that others set on it, and statements of theirs in its policy.

use provision_core::mark::Tags;
use provision_core::refusal::Refusal;
use serde_json::{Map, Value, json};

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
const FEWEST_RECEIVES: u64 = 3;

/// What senders and the server do with the queue.
const ACTIONS: [&str; 3] = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"];

/// What is in the way, by name; nothing is desired.
pub(crate) fn observed(attributes: &Tags, policy: &Document, sids: &[String]) -> Value {
    let number = |name: &str| attributes.get(name).and_then(|text| text.parse::<u64>().ok());
    let mut found = Map::new();
    let mut note = |name: &str, value: Value| drop(found.insert(name.to_owned(), value));
    number(DELAY).filter(|delay| *delay > 0).into_iter().for_each(|delay| note("delay_s", json!(delay)));
    let short = number(LONGEST_MESSAGE).filter(|longest| *longest < LONGEST_EVENT);
    short.into_iter().for_each(|longest| note("max_message_bytes", json!(longest)));
    let soon = receives(attributes).filter(|receives| *receives < FEWEST_RECEIVES);
    soon.into_iter().for_each(|receives| note("dead_letters_after_receives", json!(receives)));
    let denied = policy.denying(sids, &ACTIONS, |_| true);
    if !denied.is_empty() {
        note("denied_by", json!(denied));
    }
    Value::Object(found)
}

/// After how many looks at it a message goes elsewhere.
fn receives(attributes: &Tags) -> Option<u64> {
    let policy: Value = serde_json::from_str(attributes.get(DEAD_LETTERS)?).ok()?;
    policy["maxReceiveCount"].to_string().trim_matches('"').parse().ok()
}

/// Statements of others are theirs to change.
pub(crate) fn refusal(queue: &str, observed: &Value) -> Option<Refusal> {
    let denied: Vec<_> = observed["denied_by"].as_array()?.iter().filter_map(Value::as_str).collect();
    Some(Refusal {
        reason: format!(
            "no message gets through queue `{queue}`: {} of its policy denies it to all",
            denied.join(" and ")
        ),
        hint: "narrow or remove that statement".to_owned(),
    })
}

/// The attributes that take out of the way what is in it.
pub(crate) fn cleared(attributes: &Tags, policy: &Document, sids: &[String]) -> Tags {
    let observed = observed(attributes, policy, sids);
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

    fn of(attributes: &[(&str, &str)], statement: Value) -> (Value, Tags) {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let text = json!({ "Statement": [statement] }).to_string();
        let policy = Document::read(Some(&text), "sqs:GetQueueAttributes", "read").unwrap();
        (observed(&attributes, &policy, &[]), cleared(&attributes, &policy, &[]))
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
            "denied_by": ["statement `Closed`"]});
        assert_eq!(observed, all);
        assert_eq!(cleared.len(), 3);
        assert!(refusal("q", &observed).unwrap().reason.contains("`Closed`"));
        assert!(refusal("q", &json!({"delay_s": 1})).is_none());
    }
}
