//! How a subscription delivers: pulled or pushed, all messages or some, and what becomes of one that nobody acknowledges.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::google::refusal::{Kind, Refusal};

/// Deliveries after which a message goes to another topic, where nothing else is asked for, and the least and the most
/// <https://cloud.google.com/pubsub/docs/handling-failures#maximum_delivery_attempts>.
const ATTEMPTS: (u64, u64) = (5, 100);

/// Settings as requests write them, by name. What is at its default is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Delivery {
    settings: BTreeMap<String, Value>,
    /// It gets no messages any more, for good <https://cloud.google.com/pubsub/docs/detach-subscriptions>.
    pub detached: bool,
}

/// The settings that a request can write, in the body and in the mask; the last two stay as they are created.
const SETTINGS: [(&str, &str); 8] = [
    ("pushConfig", "push_config"),
    ("bigqueryConfig", "bigquery_config"),
    ("cloudStorageConfig", "cloud_storage_config"),
    ("deadLetterPolicy", "dead_letter_policy"),
    ("retryPolicy", "retry_policy"),
    ("enableExactlyOnceDelivery", "enable_exactly_once_delivery"),
    ("enableMessageOrdering", "enable_message_ordering"),
    ("filter", "filter"),
];

impl Delivery {
    /// What a request creates.
    pub(super) fn new(body: &Value) -> Result<Self, Refusal> {
        let mut delivery = Self::default();
        SETTINGS.iter().try_for_each(|(field, _)| delivery.set(field, &body[*field]))?;
        Ok(delivery)
    }

    /// Write what a path of a mask names; whether it names something of this.
    pub(super) fn update(&mut self, path: &str, body: &Value) -> Result<bool, Refusal> {
        let named = SETTINGS.iter().find(|(_, known)| *known == path).map(|(field, _)| *field);
        match named {
            Some("filter" | "enableMessageOrdering") => Err(Refusal::invalid(format!(
                "Invalid update_mask provided in the UpdateSubscriptionRequest: the '{path}' field in the Subscription is not \
                 mutable."
            ))),
            Some(field) => self.set(field, &body[field]).map(|()| true),
            None => Ok(false),
        }
    }

    fn set(&mut self, field: &str, value: &Value) -> Result<(), Refusal> {
        let default = [Value::Null, json!({}), json!(false), json!("")].contains(value);
        match field {
            "filter" if !default => check_filter(value.as_str().unwrap_or_default())?,
            "deadLetterPolicy" if !default => check_attempts(value)?,
            _ => {}
        }
        match default {
            true => drop(self.settings.remove(field)),
            false => drop(self.settings.insert(field.to_owned(), value.clone())),
        }
        Ok(())
    }

    /// Whoever asks for messages gets them only from a subscription that is pulled.
    pub(super) fn check_pull(&self) -> Result<(), Refusal> {
        let elsewhere = ["bigqueryConfig", "cloudStorageConfig"].iter().any(|field| self.settings.contains_key(*field));
        let pushed = self.settings.get("pushConfig").is_some_and(|push| push["pushEndpoint"].is_string());
        match self.detached || elsewhere || pushed {
            true => Err(Refusal::new(
                Kind::Precondition,
                "The subscription is detached, or does not deliver to those who pull.",
            )),
            false => Ok(()),
        }
    }

    /// Whether a message with these attributes comes through.
    pub(super) fn takes(&self, attributes: &BTreeMap<String, String>) -> bool {
        let filter = self.settings.get("filter").and_then(Value::as_str);
        !self.detached
            && filter.and_then(condition).is_none_or(|(key, wanted)| {
                attributes.get(key).is_some_and(|found| match wanted {
                    Wanted::Any => true,
                    Wanted::Value(value) => found == value,
                    Wanted::Prefix(prefix) => found.starts_with(prefix),
                })
            })
    }

    /// Where a message goes that was delivered as often as this.
    pub(super) fn given_up(&self, deliveries: u64) -> Option<&str> {
        let policy = self.settings.get("deadLetterPolicy")?;
        let most = policy["maxDeliveryAttempts"].as_u64().unwrap_or(ATTEMPTS.0);
        policy["deadLetterTopic"].as_str().filter(|_| deliveries >= most)
    }

    /// Put it into what is answered.
    pub(super) fn describe(&self, described: &mut Value) {
        described["pushConfig"] = json!({});
        for (field, value) in &self.settings {
            described[field] = value.clone();
        }
        if self.detached {
            described["detached"] = json!(true);
        }
    }
}

fn check_attempts(policy: &Value) -> Result<(), Refusal> {
    let attempts = policy["maxDeliveryAttempts"].as_u64().unwrap_or(ATTEMPTS.0);
    match (ATTEMPTS.0..=ATTEMPTS.1).contains(&attempts) {
        true => Ok(()),
        false => Err(Refusal::invalid(format!("Invalid max delivery attempts: {attempts}. It is 5 to 100."))),
    }
}

/// The longest filter in bytes <https://cloud.google.com/pubsub/quotas#resource_limits>.
const LONGEST_FILTER: usize = 256;

/// Of filters <https://cloud.google.com/pubsub/docs/subscription-message-filter> those of one attribute are served: that it is
/// there, what it is, or how it begins.
fn check_filter(filter: &str) -> Result<(), Refusal> {
    match condition(filter) {
        _ if filter.len() > LONGEST_FILTER => {
            Err(Refusal::invalid(format!("Invalid filter: it is longer than {LONGEST_FILTER} bytes.")))
        }
        Some(_) => Ok(()),
        None => Err(Refusal::unserved(format!("the filter `{filter}`"))),
    }
}

/// What an attribute is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted<'a> {
    Any,
    Value(&'a str),
    Prefix(&'a str),
}

/// An attribute, and what it is to be.
fn condition(filter: &str) -> Option<(&str, Wanted<'_>)> {
    let plain =
        |key: &str| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let (key, wanted) = if let Some(key) = filter.strip_prefix("attributes:") {
        (key.trim(), Wanted::Any)
    } else if let Some(arguments) = filter.strip_prefix("hasPrefix(attributes.") {
        let (key, value) = arguments.strip_suffix(')')?.split_once(',')?;
        (key.trim(), Wanted::Prefix(text(value)?))
    } else {
        let (key, value) = filter.strip_prefix("attributes.")?.split_once('=')?;
        (key.trim(), Wanted::Value(text(value)?))
    };
    plain(key).then_some((key, wanted))
}

/// A text in quotation marks. None with an escape in it is served.
fn text(quoted: &str) -> Option<&str> {
    let text = quoted.trim().strip_prefix('"')?.strip_suffix('"')?;
    (!text.contains(['"', '\\'])).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_of_one_attribute_are_served_and_others_named() {
        assert_eq!(condition("attributes:a"), Some(("a", Wanted::Any)));
        assert_eq!(condition("attributes.a = \"b\""), Some(("a", Wanted::Value("b"))));
        assert!(check_filter("hasPrefix(attributes.a, \"b\") AND attributes:c").is_err());
        assert!(check_filter(&format!("attributes.a = \"{}\"", "b".repeat(256))).is_err());
        let takes = |filter: &str, value: &str| {
            let delivery = Delivery::new(&json!({ "filter": filter })).unwrap();
            assert!(!delivery.takes(&BTreeMap::new()));
            delivery.takes(&BTreeMap::from([("a".to_owned(), value.to_owned())]))
        };
        let (equal, prefix) = ("attributes.a = \"b\"", "hasPrefix(attributes.a, \"b/\")");
        assert_eq!((takes(equal, "b"), takes(equal, "c")), (true, false));
        assert_eq!((takes(prefix, "b/c"), takes(prefix, "b"), takes("attributes:a", "")), (true, false, true));
    }

    #[test]
    fn what_was_delivered_often_enough_goes_to_another_topic() {
        let policy =
            json!({"deadLetterPolicy": {"deadLetterTopic": "projects/p/topics/dead", "maxDeliveryAttempts": 6}});
        let delivery = Delivery::new(&policy).unwrap();
        assert_eq!((delivery.given_up(5), delivery.given_up(6)), (None, Some("projects/p/topics/dead")));
    }
}
