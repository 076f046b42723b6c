//! What deployments on Azure share with others.

use provision_tests::stage::Hand;
use serde_json::{Value, json};

use super::{Document, Kind, Room, Shared};
use crate::clouds::AZURE;
use crate::clouds::azure::hand::{
    ACCOUNT, GROUP, SERVER, SUBSCRIPTION, assignments, container, events, queue, rules, set_rules,
};

pub(super) static SHARED: Shared = Shared {
    cloud: &AZURE,
    documents: &[
        Document {
            name: "rules",
            foreign: rule,
            unique: Value::clone,
            room: Some(Room { most: 5, read: true, size: <[Value]>::len }),
            refused: &[],
            outlives: false,
        },
        Document {
            name: "events",
            foreign: event,
            unique: |event| event["name"].clone(),
            room: None,
            // The server would hear of each file twice.
            refused: &[Kind::Equal, Kind::Overlap],
            outlives: false,
        },
        Document {
            name: "assignments",
            foreign: assignment,
            unique: |one| json!([one["properties"]["roleDefinitionId"], one["properties"]["principalId"]]),
            room: None,
            refused: &[],
            outlives: false,
        },
        TAGS,
        Document { name: "tags of the account", ..TAGS },
        METADATA,
        Document { name: "metadata of the queue", ..METADATA },
    ],
    prepare: |hand| drop(hand.send("PUT", &queue("theirs"), json!({}))),
    read,
    write,
};

const TAGS: Document = Document {
    name: "tags",
    foreign: tag,
    unique: |tag| json!(tag["key"].as_str().unwrap().to_lowercase()),
    room: Some(Room { most: 50, read: true, size: <[Value]>::len }),
    refused: &[],
    outlives: false,
};

const METADATA: Document = Document { name: "metadata", foreign: metadata, room: None, ..TAGS };

fn rule(ours: &Value, kind: Kind, number: usize) -> Option<Value> {
    let made = |origins: Value, methods: &[&str], headers: &[&str]| {
        json!({"allowedOrigins": origins, "allowedMethods": methods, "allowedHeaders": headers, "exposedHeaders": ["b", "a"],
            "maxAgeInSeconds": number})
    };
    Some(match kind {
        Kind::Equal => ours.clone(),
        Kind::Near => made(ours["allowedOrigins"].clone(), &["GET", "HEAD", "PUT"], &["*"]),
        Kind::Overlap => made(ours["allowedOrigins"].clone(), &["PUT", "POST"], &[]),
        Kind::Wildcard => made(json!(["*"]), &["GET"], &["x-*"]),
        Kind::Other => made(json!([format!("https://{number}.example.com")]), &["DELETE", "GET"], &[""]),
    })
}

fn event(ours: &Value, kind: Kind, number: usize) -> Option<Value> {
    let properties = |queue: &str, filter: Value| {
        let target = json!({"resourceId": ACCOUNT, "queueName": queue, "queueMessageTimeToLiveInSeconds": 60 + number});
        json!({"destination": {"endpointType": "StorageQueue", "properties": target}, "filter": filter, "labels": ["theirs"]})
    };
    let created =
        |prefix: &str| json!({"subjectBeginsWith": prefix, "includedEventTypes": ["Microsoft.Storage.BlobCreated"]});
    let theirs = format!("/blobServices/default/containers/theirs{number}/");
    let (name, properties) = match kind {
        Kind::Equal => {
            let filter = created(ours["properties"]["filter"]["subjectBeginsWith"].as_str()?);
            (format!("equal-{number}"), properties("wandb-events", filter))
        }
        Kind::Near => (format!("{}{number}", ours["name"].as_str()?), properties("wandb-events", created(&theirs))),
        Kind::Overlap => (format!("overlap-{number}"), properties("wandb-events", created("/blobServices/default/"))),
        Kind::Wildcard => (format!("all-{number}"), properties("theirs", json!({}))),
        Kind::Other => (format!("other-{number}"), properties("theirs", created(&theirs))),
    };
    Some(json!({"name": name, "properties": properties}))
}

fn assignment(ours: &Value, kind: Kind, number: usize) -> Option<Value> {
    // Owner's and reader's roles have the same ids everywhere.
    let role = |id: &str| {
        json!(format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{id}"))
    };
    let (queue_reader, blob_reader) = ("19e7f393-937e-4f77-808e-94535e297925", "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1");
    let (own, other) = (&ours["properties"], json!(SERVER.replace('1', "3")));
    let (role, principal) = match kind {
        Kind::Equal => (own["roleDefinitionId"].clone(), own["principalId"].clone()),
        Kind::Near => (role(queue_reader), own["principalId"].clone()),
        Kind::Overlap => (own["roleDefinitionId"].clone(), other),
        Kind::Wildcard => (role(queue_reader), other),
        Kind::Other => (role(blob_reader), other),
    };
    let name = format!("0a0a0a0a-0000-4000-8000-{:04}{number:08}", kind as usize);
    Some(
        json!({"name": name, "properties": {"roleDefinitionId": role, "principalId": principal, "description": "theirs"}}),
    )
}

fn tag(ours: &Value, kind: Kind, number: usize) -> Option<Value> {
    Some(match kind {
        Kind::Equal => json!({"key": "team", "value": "ml"}),
        Kind::Near => json!({"key": format!("{}s", ours["key"].as_str()?), "value": ours["value"]}),
        Kind::Overlap => json!({"key": "Team", "value": format!("theirs {number}")}),
        Kind::Wildcard => json!({"key": "provision", "value": ""}),
        Kind::Other => json!({"key": format!("other {number}"), "value": "a = b/c+d@e"}),
    })
}

/// Names of metadata are identifiers.
fn metadata(ours: &Value, kind: Kind, number: usize) -> Option<Value> {
    Some(match kind {
        Kind::Wildcard => json!({"key": "provision", "value": "x"}),
        Kind::Other => json!({"key": format!("Other_{number}"), "value": "a = b/c+d@e"}),
        kind => tag(ours, kind, number)?,
    })
}

fn listed(members: &Value) -> Vec<Value> {
    let members = members.as_object().cloned().unwrap_or_default();
    let mut list: Vec<_> = members.into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    list.sort_by_key(Value::to_string);
    list
}

fn map(entries: &[Value]) -> Value {
    entries.iter().map(|entry| (entry["key"].as_str().unwrap().to_owned(), entry["value"].clone())).collect()
}

fn read(hand: &Hand) -> Value {
    let get = |place: &str| hand.ask("GET", place, &Value::Null).1;
    let sorted = |mut list: Vec<Value>| {
        list.sort_by_key(|entry| entry["name"].to_string());
        list
    };
    json!({
        "rules": rules(hand),
        "events": sorted(events(hand)),
        "assignments": sorted(assignments(hand)),
        "tags": listed(&get(GROUP)["tags"]),
        "tags of the account": listed(&get(ACCOUNT)["tags"]),
        "metadata": listed(&get(&container("wandb-files"))["properties"]["metadata"]),
        "metadata of the queue": listed(&get(&queue("wandb-events"))["properties"]["metadata"]),
    })
}

fn write(hand: &Hand, document: &str, entries: &[Value]) {
    let metadata = |place: String| drop(hand.send("PATCH", &place, json!({"properties": {"metadata": map(entries)}})));
    match document {
        "rules" if entries.len() > 5 => {}
        "rules" => set_rules(hand, entries),
        "events" => {
            hand.send("PUT", &queue("theirs"), json!({}));
            put_missing(hand, "Microsoft.EventGrid/eventSubscriptions", entries);
        }
        "assignments" => put_missing(hand, "Microsoft.Authorization/roleAssignments", entries),
        "tags" => drop(hand.send("PATCH", GROUP, json!({"tags": map(entries)}))),
        "tags of the account" => drop(hand.send("PATCH", ACCOUNT, json!({"tags": map(entries)}))),
        "metadata" => metadata(container("wandb-files")),
        _ => metadata(queue("wandb-events")),
    }
}

/// Those that the service gave have an id.
fn put_missing(hand: &Hand, kind: &str, entries: &[Value]) {
    for entry in entries.iter().filter(|entry| entry["id"].is_null()) {
        let place = format!("{ACCOUNT}/providers/{kind}/{}", entry["name"].as_str().unwrap());
        hand.send("PUT", &place, json!({"properties": entry["properties"]}));
    }
}
