//! Events of objects, into the queues that want them.

use serde_json::json;

use super::version::Version;
use super::{On, arn, moment};
use crate::aws::error::Error;
use crate::aws::sqs;
use crate::aws::wire::REQUEST;
use crate::state::Transaction;

/// Send an event of an object: `s3:ObjectCreated:Put`. A queue that no longer lets the bucket send misses it. It comes `s3.event`
/// later: "typically in seconds but can sometimes take a minute or longer"
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html>.
pub(super) fn send(state: &mut Transaction<'_>, on: &On<'_>, event: &str, version: &Version) -> Result<(), Error> {
    for entry in on.bucket.notification.queues.iter().filter(|entry| entry.wants(event, &version.key)) {
        let Some(queue) = &entry.queue else { continue };
        if sqs::lets_bucket_send(state, on.call, queue, &on.name, &on.bucket.owner)? {
            let record = record(on, event, version, entry.id.as_deref().unwrap_or_default());
            sqs::deliver(state, on.call, queue, &json!({ "Records": [record] }))?;
        }
    }
    Ok(())
}

/// The digest of nothing, which a delete marker has.
const EMPTY: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
fn record(on: &On<'_>, event: &str, version: &Version, configuration: &str) -> serde_json::Value {
    let account = on.call.caller.account.as_deref().unwrap_or("Anonymous");
    let mut object = json!({ "key": encoded(&version.key), "sequencer": format!("{:018X}", version.number) });
    if !event.starts_with("s3:ObjectRemoved:") {
        object["size"] = json!(version.size);
        object["eTag"] = json!(version.etag);
    } else if version.marker {
        object["eTag"] = json!(EMPTY);
    }
    if version.id != "null" {
        object["versionId"] = json!(version.id);
    }
    json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": on.bucket.region,
        "eventTime": moment::document(on.call.now_ms),
        "eventName": event.trim_start_matches("s3:"),
        "userIdentity": { "principalId": format!("AWS:{account}") },
        "requestParameters": { "sourceIPAddress": "127.0.0.1" },
        "responseElements": { "x-amz-request-id": REQUEST, "x-amz-id-2": "sandbox" },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration,
            "bucket": {
                "name": on.name,
                "ownerIdentity": { "principalId": on.bucket.owner },
                "arn": arn(&on.name, ""),
            },
            "object": object,
        },
    })
}

/// A key as events have it: as in a form, with a `+` for a space, but with its slashes
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>.
fn encoded(key: &str) -> String {
    url::form_urlencoded::byte_serialize(key.as_bytes()).collect::<String>().replace("%2F", "/")
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn keys_are_encoded_as_in_a_form_with_their_slashes() {
        let cases = [
            ("red flower.jpg", "red+flower.jpg"),
            ("probe/x y+z.txt", "probe/x+y%2Bz.txt"),
            ("a=b&c%d", "a%3Db%26c%25d"),
            ("\u{e9}t\u{e9}", "%C3%A9t%C3%A9"),
            ("a-b_c.d*e", "a-b_c.d*e"),
            ("~(x)", "%7E%28x%29"),
        ];
        for (key, event) in cases {
            assert_eq!(encoded(key), event);
        }
    }
}
