//! The subscription as it is read and written.

use super::*;
use provision_core::facet::Extent;

use crate::client::iam::Binding;
use crate::names::tests::{full_settings, names, settings};

const TOPIC_NAME: &str = "projects/acme-ml/topics/acme-wandb-events";

fn named() -> Subscription {
    Subscription { name: "projects/p/subscriptions/s".to_owned(), ..Subscription::default() }
}

fn created(settings: &Settings) -> Subscription {
    let desired = desired(settings, &names(), Origin::Created);
    let desired = desired.iter().filter(|desired| desired.facet.extent != Extent::Tags);
    let named = Subscription { labels: settings.labels().clone(), ..named() };
    desired.fold(named, |subscription, desired| {
        with_facet(subscription, SubscriptionFacet::of(desired.facet.name).unwrap(), &desired.value).unwrap()
    })
}

#[test]
fn what_is_created_is_seen_as_wanted() {
    for settings in [settings(), full_settings()] {
        let present = present(&created(&settings), &names());
        let desired = desired(&settings, &names(), Origin::Created);
        for desired in desired.into_iter().filter(|desired| !["access", "spare"].contains(&desired.facet.name)) {
            let observed =
                present.observed.iter().find(|(name, _)| *name == desired.facet.name).map(|(_, observed)| observed);
            assert!(
                matches!(observed, Some(Observed::Value(observed)) if *observed == desired.value),
                "{}",
                desired.facet.name
            );
        }
        assert!(present.blockers.is_empty());
    }
}

#[test]
fn adopted_subscriptions_keep_what_the_plan_file_does_not_set() {
    let facets = |settings: &Settings| -> Vec<_> {
        desired(settings, &names(), Origin::Adopted)
            .into_iter()
            .map(|desired| (desired.facet.name, desired.value))
            .collect()
    };
    let delivery = ("attributes", json!({"delivery": "pull"}));
    assert_eq!(facets(&settings()), [("topic", json!(TOPIC_NAME)), delivery]);
    let mut given = settings();
    given.gcp.subscription.ack_deadline_s = Some(60);
    assert_eq!(facets(&given)[1], ("attributes", json!({"ack_deadline_s": 60, "delivery": "pull"})));
}

#[test]
fn a_subscription_without_an_expiration_policy_expires() {
    let observed = json!(Attributes::observed(&Subscription::default()));
    let expected = json!({"ack_deadline_s": 10, "retention_s": 604_800, "expires": "after 31 days without use",
        "delivery": "pull"});
    assert_eq!(observed, expected);
}

#[test]
fn the_servers_roles_are_seen_as_wanted() {
    let (settings, member) = (full_settings(), "serviceAccount:wandb-full@acme-ml.iam.gserviceaccount.com");
    let binding = |role: &str| Binding::new(role, [member, "user:a@b.c"]);
    let policy = Policy { bindings: SERVER_SUBSCRIPTION_ROLES.map(binding).to_vec(), ..Policy::default() };
    let Some((_, Observed::Entries(entries))) = observed_access(Ok(policy), true) else {
        panic!("the policy is not seen")
    };
    let desired = desired(&settings, &names(), Origin::Adopted);
    let desired = desired.iter().find(|desired| desired.facet.name == "access").unwrap();
    for role in SERVER_SUBSCRIPTION_ROLES {
        let of_role = entries.list.iter().filter(|entry| entry.member.as_deref() == Some(role));
        assert_eq!(of_role.filter(|entry| entry.value == desired.value[role]).count(), 1);
    }
    assert_eq!(entries.list.len(), 4);
}

#[test]
fn a_policy_that_nobody_needs_may_be_closed() {
    let denied = || Err(Error::new(ErrorKind::PermissionDenied, "read"));
    assert!(observed_access(denied(), false).is_none());
    assert!(matches!(observed_access(denied(), true), Some((_, Observed::Unknown(_)))));
}

#[test]
fn only_ours_whose_topic_is_gone_is_made_again() {
    let of = |topic: &str| Subscription { topic: topic.to_owned(), ..named() };
    assert_eq!(topic_refusal(&of(TOPIC_NAME), TOPIC_NAME, false), None);
    assert_eq!(topic_refusal(&of(DELETED_TOPIC), TOPIC_NAME, true), None);
    assert!(topic_refusal(&of(DELETED_TOPIC), TOPIC_NAME, false).unwrap().reason.contains("was deleted"));
    assert!(topic_refusal(&of("projects/p/topics/other"), TOPIC_NAME, true).unwrap().reason.contains("`other`"));
}

#[test]
fn a_subscription_that_the_server_cannot_pull_from_is_refused() {
    let push = PushConfig { push_endpoint: "https://a.example".to_owned(), ..PushConfig::default() };
    let pushed = Subscription { push_config: Some(push), ..named() };
    let detached = Subscription { detached: true, ..named() };
    let filtered = Subscription { filter: "attributes:a".to_owned(), ..named() };
    for unusable_one in [filtered.clone(), detached.clone(), pushed.clone()] {
        assert!(unusable(&unusable_one, false).unwrap().reason.contains("would not hear"));
    }
    assert_eq!((unusable(&named(), false), unusable(&pushed, true), unusable(&detached, true)), (None, None, None));
    assert!(unusable(&filtered, true).is_some());
}

#[test]
fn a_subscription_that_hears_nothing_of_a_topic_is_deaf() {
    let of = |topic: &str| Subscription { topic: topic.to_owned(), ..named() };
    assert_eq!(deaf(&of(TOPIC_NAME), TOPIC_NAME), None);
    assert!(deaf(&of(DELETED_TOPIC), TOPIC_NAME).unwrap().contains("was deleted"));
    assert!(deaf(&of("projects/p/topics/other"), TOPIC_NAME).unwrap().contains("`other`"));
    let detached = Subscription { detached: true, ..of(TOPIC_NAME) };
    assert!(deaf(&detached, TOPIC_NAME).unwrap().contains("is detached"));
    let filtered = Subscription { filter: "attributes:a".to_owned(), ..of(TOPIC_NAME) };
    assert!(deaf(&filtered, TOPIC_NAME).unwrap().contains("is filtered by"));
}

#[test]
fn a_subscription_of_others_that_expires_is_told() {
    assert!(expires(&named()).unwrap().contains("expires after 31 days"));
    let never = Some(ExpirationPolicy::default());
    assert_eq!(expires(&Subscription { expiration_policy: never, ..named() }), None);
}
