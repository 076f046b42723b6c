//! What a proof is broken by on Azure, and how others read and write beside it.

use std::time::Duration;

use data_encoding::BASE64;
use provision_core::probe::{PREFIX, Probes};
use provision_tests::stage::Hand;
use serde_json::{Value, json};

use super::hand::{
    ACCOUNT, SERVER, assignments, change_blob_service, change_events, delete_events, events, patch, queue, rules,
    set_rules,
};
use crate::clouds::{Broken, Proof, Standing};

pub(crate) static PROOF: Proof = Proof {
    broken: BROKEN,
    stands: STANDS,
    rule_of_others: |hand| set_rules(hand, &[rules(hand), vec![everybody()]].concat()),
    rule_that_writes: |hand| set_rules(hand, &[rules(hand), vec![writing()]].concat()),
    no_events: delete_events,
    event: "events",
    upload: "blob:PutBlob",
    hears: "queue:PeekMessages",
    removing: &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete"],
    put_messages,
    seen: &["seen never", "seen once"],
    messages: seen,
    left,
    put_alike,
};

/// A rule of somebody else's, for everybody.
fn everybody() -> Value {
    json!({"allowedOrigins": ["*"], "allowedMethods": ["GET"], "allowedHeaders": ["*"], "exposedHeaders": [],
        "maxAgeInSeconds": 9})
}

/// One by which pages of another site write.
fn writing() -> Value {
    json!({"allowedOrigins": ["https://other.example"], "allowedMethods": ["PUT"], "allowedHeaders": ["*"],
        "exposedHeaders": [], "maxAgeInSeconds": 9})
}

/// Our rule alone.
fn ours(hand: &Hand) -> Vec<Value> {
    rules(hand).into_iter().filter(|rule| rule["allowedOrigins"] == json!(["https://wandb.example.com"])).collect()
}

/// Keep earlier versions of blobs from now on.
pub(crate) fn keep_versions(hand: &Hand) {
    change_blob_service(hand, &json!({"isVersioningEnabled": true}));
}

/// Change a list of our rule's.
fn edit(hand: &Hand, member: &str, values: &[&str]) {
    let mut rules = rules(hand);
    rules[0][member] = json!(values);
    set_rules(hand, &rules);
}

const BROKEN: &[Broken] = &[
    Broken {
        hop: "resources",
        says: "differs in sku",
        make: |hand| patch(hand, json!({"sku": {"name": "Standard_LRS"}})),
    },
    Broken {
        hop: "resources",
        says: "differs in security",
        make: |hand| patch(hand, json!({"properties": {"networkAcls": {"defaultAction": "Deny"}}})),
    },
    Broken {
        hop: "browsers",
        says: "the firewall of storage account `acmefiles` has `networkAcls.defaultAction` = Deny",
        make: |hand| patch(hand, json!({"properties": {"networkAcls": {"defaultAction": "Deny"}}})),
    },
    Broken {
        hop: "event",
        says: "the firewall of storage account `acmefiles` has `publicNetworkAccess` = Disabled",
        make: |hand| patch(hand, json!({"properties": {"publicNetworkAccess": "Disabled"}})),
    },
    Broken {
        hop: "rights",
        says: "differs in roles",
        make: |hand| {
            let one = assignments(hand).into_iter().find(|one| one["properties"]["principalId"] == SERVER).unwrap();
            hand.send("DELETE", one["id"].as_str().unwrap(), Value::Null);
        },
    },
    Broken { hop: "browsers", says: "may not PUT", make: |hand| edit(hand, "allowedMethods", &["GET", "HEAD"]) },
    Broken {
        hop: "browsers",
        says: "does not allow the origin",
        make: |hand| edit(hand, "allowedOrigins", &["https://wandb.example.com:8443"]),
    },
    Broken {
        hop: "browsers",
        says: "the answer does not allow the",
        make: |hand| edit(hand, "allowedHeaders", &["content-type"]),
    },
    Broken { hop: "browsers", says: "may not GET", make: |hand| set_rules(hand, &[]) },
    Broken {
        hop: "browsers",
        says: "pages of anybody may GET",
        make: |hand| set_rules(hand, &[vec![everybody()], rules(hand)].concat()),
    },
    Broken {
        hop: "files",
        says: "does not let the page read its ETag",
        make: |hand| {
            set_rules(hand, &ours(hand));
            edit(hand, "exposedHeaders", &["x-ms-request-id"]);
        },
    },
    Broken { hop: "event", says: "no event came", make: delete_events },
    Broken {
        hop: "event",
        says: "no event came",
        make: |hand| {
            change_events(hand, |properties| {
                properties["filter"]["subjectBeginsWith"] =
                    json!("/blobServices/default/containers/wandb-files/blobs/logs/");
            });
        },
    },
    Broken {
        hop: "event",
        says: "no event came",
        make: |hand| {
            hand.send("PUT", &queue("others"), json!({}));
            change_events(hand, |properties| {
                properties["destination"]["properties"]["queueName"] = json!("others");
            });
        },
    },
    Broken {
        hop: "event",
        says: "is not there",
        make: |hand| drop(hand.send("DELETE", &queue("wandb-events"), Value::Null)),
    },
];

const STANDS: &[Standing] = &[Standing {
    broken: Broken {
        hop: "event",
        says: "no event came",
        make: |hand| {
            let [ours] = &events(hand)[..] else { panic!("one event subscription") };
            let mut properties = ours["properties"].clone();
            for key in ["topic", "provisioningState"] {
                properties.as_object_mut().unwrap().remove(key);
            }
            delete_events(hand);
            properties["labels"] = json!([]);
            properties["filter"]["subjectBeginsWith"] =
                json!("/blobServices/default/containers/wandb-files/blobs/logs/");
            let place = format!("{ACCOUNT}/providers/Microsoft.EventGrid/eventSubscriptions/theirs");
            hand.send("PUT", &place, json!({ "properties": properties }));
        },
    },
    mend: "`az eventgrid event-subscription delete --name theirs --source-resource-id /subscriptions/",
    settle: |hand| {
        let place = format!("{ACCOUNT}/providers/Microsoft.EventGrid/eventSubscriptions/theirs");
        hand.send("DELETE", &place, Value::Null);
    },
}];

const MESSAGES: &str = "queue:/acmefiles/wandb-events/messages";
const BLOBS: &str = "blob:/acmefiles/wandb-files";

/// Put a message into the queue.
pub(crate) fn put_message(hand: &Hand, text: &str) {
    let text = BASE64.encode(text.as_bytes());
    hand.send("POST", MESSAGES, json!(format!("<QueueMessage><MessageText>{text}</MessageText></QueueMessage>")));
}

fn put_messages(hand: &Hand, many: usize) {
    (0..many).for_each(|number| put_message(hand, &format!("foreign {number}")));
}

/// A message as it is told, and how often it was taken before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    pub(crate) text: String,
    pub(crate) taken: u64,
}

/// Messages of the queue: the first that can be seen, or those that are taken.
pub(crate) fn messages(hand: &Hand, query: &str) -> Vec<Seen> {
    let (status, answer) = hand.ask("GET", &format!("{MESSAGES}?numofmessages=32&{query}"), &Value::Null);
    let text = answer.as_str().filter(|_| status == 200).unwrap_or_default().to_owned();
    let message = |message: &str| {
        let text = BASE64.decode(element(message, "MessageText").as_bytes()).unwrap();
        Seen { text: String::from_utf8(text).unwrap(), taken: element(message, "DequeueCount").parse().unwrap() }
    };
    text.split("<QueueMessage>").skip(1).map(message).collect()
}

/// All that can be seen, once nothing is hidden any more.
pub(crate) fn shown(hand: &Hand) -> Vec<Seen> {
    for _ in 0..500 {
        let there = hand.ask("GET", &queue("wandb-events"), &Value::Null).1;
        let there = there["properties"]["approximateMessageCount"].as_u64().unwrap_or_default();
        let shown = messages(hand, "peekonly=true");
        if shown.len() as u64 == there.min(32) {
            return shown;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("messages stay hidden");
}

fn element(text: &str, name: &str) -> String {
    let inner = text.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    inner.map(|(inner, _)| inner.to_owned()).unwrap_or_default()
}

/// Messages that tell of nothing, in order, with how often each was seen before.
fn seen(hand: &Hand) -> Vec<String> {
    let taken = std::iter::repeat_with(|| messages(hand, "visibilitytimeout=604800"));
    let found = taken.take_while(|taken| !taken.is_empty()).flatten();
    let mut found: Vec<_> = found.filter(|message| message.text.starts_with("foreign")).collect();
    found.sort_by_key(|message| (message.text.len(), message.text.clone()));
    let times = |taken: u64| match taken - 1 {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        many => format!("{many} times"),
    };
    found.iter().map(|message| format!("{}, seen {}", message.text, times(message.taken))).collect()
}

/// Every blob that is there, and every message that tells of one. Messages of others are put back as new ones: those that were
/// taken too often keep a proof from taking its own.
fn left(hand: &Hand) -> Vec<String> {
    let found = shown(hand);
    if found.iter().any(|message| message.taken > 0) {
        hand.send("DELETE", MESSAGES, Value::Null);
        found.iter().for_each(|message| put_message(hand, &message.text));
    }
    let event = |message: &Seen| {
        let event: Value = serde_json::from_str(&message.text).ok()?;
        Some(format!("event {}", event["subject"].as_str()?.split_once("/blobs/")?.1))
    };
    objects(hand).into_iter().chain(found.iter().filter_map(event)).collect()
}

fn objects(hand: &Hand) -> Vec<String> {
    let listing = format!("{BLOBS}?restype=container&comp=list&include=snapshots,versions");
    let (_, answer) = hand.ask("GET", &listing, &Value::Null);
    let blobs = answer.as_str().unwrap_or_default().split("<Blob>").skip(1).map(|blob| element(blob, "Name"));
    blobs.map(|name| format!("object {name}")).collect()
}

/// A key of a probe of a deployment.
pub(crate) fn probe_of(deployment: &str, end: &str) -> String {
    format!("{}{end}", Probes::new(PREFIX, deployment).stem())
}

pub(crate) fn owner_of(deployment: &str) -> String {
    Probes::new(PREFIX, deployment).owner
}

/// Blobs that look like probes and are none of ours: of another deployment, without saying so, and one that only says so.
fn put_alike(hand: &Hand) -> Vec<String> {
    let (ours, theirs) = (owner_of("wandb-prod"), owner_of("wandb-prod-2"));
    for (key, says) in [
        (probe_of("wandb-prod-2", "0123456789abcdef"), Some(&theirs)),
        (probe_of("wandb-prod", "0123456789abcdef"), None),
        (probe_of("wandb-prod", "1123456789abcdef"), Some(&theirs)),
        (probe_of("wandb-prod", "x"), Some(&ours)),
        ("run/1".to_owned(), Some(&ours)),
    ] {
        let headers = says.map_or(json!({}), |says| json!({"x-ms-meta-provisionprobe": says}));
        hand.send("PUT", &format!("{BLOBS}/{key}"), headers);
    }
    objects(hand)
}
