//! What Azure's documents of rights are, and what is tried with them on Azure alone.

use serde_json::{Value, json};

use super::hand::{ACCOUNT, GROUP, SUBSCRIPTION, list};
use super::proof::{keep_versions, put_message};
use crate::rights::{Dispensable, Rights};
use crate::sweep::clouds::{self as sweep, Scenario};

pub(super) const RIGHTS: Rights = Rights {
    without: |document| {
        let role: Value = serde_json::from_str(document).unwrap();
        let of = |list: &'static str| {
            let actions = role[list].as_array().unwrap().iter();
            actions.map(move |action| (list, action.as_str().unwrap().to_owned())).collect::<Vec<_>>()
        };
        let without = |(list, action): (&str, String)| {
            let mut role = role.clone();
            role[list].as_array_mut().unwrap().retain(|known| *known != *action);
            (action, role.to_string())
        };
        [of("Actions"), of("DataActions")].concat().into_iter().map(without).collect()
    },
    more: &[
        ("apply", &sweep::MAKE_AGAIN),
        ("apply", &UNREGISTERED),
        ("apply", &ON_TOPIC),
        ("apply", &MAKE_AGAIN_ON_TOPIC),
        ("destroy", &OFF_TOPIC),
        ("destroy", &DELETE_VERSIONS),
        ("verify", &BESIDE_OTHERS),
    ],
    dispensable: &[
        Dispensable {
            right: "Microsoft.Storage/checkNameAvailability/read",
            commands: ALL,
            why: "that a name is taken is told by the creation",
        },
        Dispensable {
            right: "Microsoft.Resources/subscriptions/providers/read",
            commands: ALL,
            why: "a provider is taken for registered, and the write that needs it says if it is not",
        },
        Dispensable {
            right: "Microsoft.EventGrid/systemTopics/read",
            commands: &["plan", "apply", "drift", "verify"],
            why: "what is on the account itself is seen without",
        },
        Dispensable {
            right: "Microsoft.Authorization/locks/read",
            commands: ALL,
            why: "a lock is told by the deletion that it forbids",
        },
        Dispensable {
            right: "Microsoft.Storage/storageAccounts/queueServices/queues/messages/write",
            commands: &["verify"],
            why: "a message of others that is not given back comes back by itself after seconds",
        },
    ],
};

/// Every command.
const ALL: &[&str] = &["plan", "apply", "drift", "destroy", "verify"];

/// Event Grid was never used in the subscription.
const UNREGISTERED: Scenario = Scenario {
    prepare: |_, stage| {
        let place = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.EventGrid/unregister");
        stage.hand().send("POST", &place, Value::Null);
    },
    ..sweep::APPLY
};

/// The account has a system topic that somebody made, and nothing on itself.
const ON_TOPIC: Scenario = Scenario {
    prepare: |cloud, stage| {
        (cloud.foreign.unmarked)(&stage.hand());
        let topic = json!({"location": "westeurope", "properties": {"source": ACCOUNT, "topicType": "Microsoft.Storage.StorageAccounts"}});
        stage.hand().send("PUT", &format!("{GROUP}/providers/Microsoft.EventGrid/systemTopics/theirs"), topic);
        cloud.change(stage, cloud.plans.adopting);
    },
    ..sweep::APPLY
};

/// Somebody gave ours there an end.
const MAKE_AGAIN_ON_TOPIC: Scenario = Scenario {
    prepare: |cloud, stage| {
        (OFF_TOPIC.prepare)(cloud, stage);
        let on_topic = format!("{GROUP}/providers/Microsoft.EventGrid/systemTopics/theirs/eventSubscriptions");
        for mut found in list(&stage.hand().send("GET", &on_topic, Value::Null)["value"]) {
            let properties = found["properties"].as_object_mut().unwrap();
            properties.retain(|key, _| key != "topic" && key != "provisioningState");
            properties.insert("expirationTimeUtc".to_owned(), json!("2099-01-01T00:00:00Z"));
            let place = format!("{on_topic}/{}", found["name"].as_str().unwrap());
            stage.hand().send("PUT", &place, json!({"properties": found["properties"]}));
        }
    },
    ..sweep::APPLY
};

const OFF_TOPIC: Scenario = Scenario {
    prepare: |cloud, stage| {
        (ON_TOPIC.prepare)(cloud, stage);
        cloud.apply(stage);
    },
    ..sweep::DESTROY
};

/// A message of others is in the queue, and blobs have earlier versions.
const BESIDE_OTHERS: Scenario = Scenario {
    prepare: |cloud, stage| {
        cloud.apply(stage);
        put_message(&stage.hand(), "theirs");
        keep_versions(&stage.hand());
    },
    arguments: &["verify", "--strict"],
    ..sweep::DRIFT
};

/// Blobs have earlier versions.
const DELETE_VERSIONS: Scenario = Scenario {
    prepare: |cloud, stage| {
        cloud.apply(stage);
        keep_versions(&stage.hand());
        ["a", "a"].iter().for_each(|name| (cloud.upload)(&stage.hand(), name));
    },
    ..sweep::DELETE_DATA
};
