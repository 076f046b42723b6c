//! Whether an answer that says "done" is what its call gives. A proxy, or a sign-in page, may have answered in the service's place:
//! in a message without its name every field looks as if it were at its default.

use google_cloud_iam_v1::model::Policy;
use google_cloud_pubsub::model::{
    ListSubscriptionsResponse, ListTopicSubscriptionsResponse, ListTopicsResponse, Subscription, Topic,
};
use google_cloud_storage::model::{Bucket, ListBucketsResponse, ListObjectsResponse, Object};
use serde::Serialize;

use crate::names::short;

/// An answer of the SDK's.
pub(super) trait Expected: Serialize {
    /// Whether it is what a call about this resource gives.
    fn is_of(&self, resource: &str) -> bool;
}

/// A deletion answers with nothing.
impl Expected for () {
    fn is_of(&self, _resource: &str) -> bool {
        true
    }
}

/// What has a name of its own.
macro_rules! named {
    ($($message:ty),*) => {$(
        impl Expected for $message {
            fn is_of(&self, resource: &str) -> bool {
                short(&self.name) == short(resource)
            }
        }
    )*};
}
named!(Bucket, Topic, Subscription);

/// "All responses include an etag" <https://cloud.google.com/iam/docs/reference/rest/v1/Policy>: without one, what is written over it
/// would be written over whatever others write meanwhile.
impl Expected for Policy {
    fn is_of(&self, _resource: &str) -> bool {
        !self.etag.is_empty()
    }
}

/// A page of a list: everything in it has a name. One with nothing in it says nothing at all.
macro_rules! listed {
    ($($message:ty, $items:ident, $named:expr);*) => {$(
        impl Expected for $message {
            fn is_of(&self, _resource: &str) -> bool {
                let named = $named;
                self.$items.iter().all(named) && (!self.$items.is_empty() || says_nothing(self))
            }
        }
    )*};
}
listed!(
    ListBucketsResponse, buckets, |bucket: &Bucket| !bucket.name.is_empty();
    ListObjectsResponse, objects, |object: &Object| !object.name.is_empty();
    ListTopicsResponse, topics, |topic: &Topic| !topic.name.is_empty();
    ListSubscriptionsResponse, subscriptions, |subscription: &Subscription| !subscription.name.is_empty();
    ListTopicSubscriptionsResponse, subscriptions, |name: &String| !name.is_empty()
);

/// Whether nothing was sent but where the next page is; what the SDK does not know counts.
fn says_nothing(page: &impl Serialize) -> bool {
    const KNOWN: [&str; 2] = ["nextPageToken", "prefixes"];
    let said = serde_json::to_value(page).unwrap_or_default();
    said.as_object().is_some_and(|said| said.keys().all(|key| KNOWN.contains(&key.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_not_the_name_that_was_asked_for_is_not_the_answer() {
        let name = "projects/p/topics/t";
        assert!(Topic::new().set_name(name).is_of(name));
        assert!(!Topic::new().is_of(name) && !Topic::new().set_name("projects/p/topics/u").is_of(name));
        assert!(!Bucket::new().is_of("projects/_/buckets/b"));
    }

    #[test]
    fn a_policy_has_an_etag() {
        let read = |text: &str| serde_json::from_str::<Policy>(text).unwrap().is_of("");
        assert!(read(r#"{"etag": "ACAB"}"#));
        assert!(!read("{}") && !read(r#"{"bindings": []}"#) && !read(r#"{"error": "sign in"}"#));
    }

    #[test]
    fn a_page_is_known_by_what_is_in_it() {
        let read = |text: &str| serde_json::from_str::<ListTopicsResponse>(text).unwrap().is_of("");
        assert!(read("{}") && read(r#"{"nextPageToken": "a"}"#) && read(r#"{"topics": [{"name": "t"}]}"#));
        assert!(!read(r#"{"topics": [{}]}"#) && !read(r#"{"error": "sign in"}"#));
    }
}
