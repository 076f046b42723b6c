//! Everything that carries the deployment's mark, whether the plan file names it or not.

use provision_core::Error;
use provision_core::mark::{DEPLOYMENT_KEY, Mark, Tags};
use provision_core::resource::{Observation, Orphan, Resource};

use crate::claims::Claims;
use crate::client::Reader;
use crate::error::lacks_permission;
use crate::names::{Names, Part, bucket_identity, pubsub_identity, short};
use crate::resources::{subscription, topic};
use crate::tags::labels_of;

/// Buckets, subscriptions and topics with the mark of one of these deployments. A subscription goes before its topic.
pub(crate) async fn marked(
    reader: &Reader,
    project: &str,
    deployments: &[String],
    claims: &Claims,
) -> Result<Vec<Orphan>, Error> {
    let (buckets, topics, subscriptions) =
        futures::join!(reader.list_buckets(project), reader.list_topics(project), reader.list_subscriptions(project));
    let buckets = listed("buckets", buckets, claims)?;
    let topics = listed("topics", topics, claims)?;
    let subscriptions = listed("subscriptions", subscriptions, claims)?;
    let buckets = buckets.iter().map(|found| (Part::Bucket, bucket_identity(short(&found.name)), &found.labels));
    let topics = topics.iter().map(|found| (Part::Topic, pubsub_identity(&found.name), &found.labels));
    let subscriptions =
        subscriptions.iter().map(|found| (Part::Subscription, pubsub_identity(&found.name), &found.labels));
    let all = buckets.chain(subscriptions).chain(topics);
    let orphan = |(part, identity, labels)| orphan(part, identity, &labels_of(labels), deployments);
    Ok(all.filter_map(orphan).collect())
}

/// What a list has; without the right to it nothing can be left over that this run knows of, which is told. A destroy must
/// know.
fn listed<T>(what: &str, list: Result<Vec<T>, Error>, claims: &Claims) -> Result<Vec<T>, Error> {
    match list {
        Err(error) if lacks_permission(&error) && !claims.is_removing() => {
            let hint = error.hint().map(|hint| format!(": {hint}")).unwrap_or_default();
            claims.note(format!(
                "{what} of this deployment that the plan file does not name any more were not looked for{hint}"
            ));
            Ok(Vec::new())
        }
        list => list,
    }
}

fn orphan(part: Part, identity: String, labels: &Tags, deployments: &[String]) -> Option<Orphan> {
    labels.get(DEPLOYMENT_KEY).filter(|deployment| deployments.contains(deployment))?;
    let (holds_data, name) = (part == Part::Bucket, short(&identity).to_owned());
    Some(Orphan { holds_data, ..Orphan::new(part.address(), part.kind(), &name, identity, Mark::from_tags(labels)?) })
}

/// A topic or a subscription with what is on it. Buckets are never left behind: another name for one is refused.
pub(crate) async fn observe(
    reader: &Reader,
    names: &Names,
    orphan: &Orphan,
    agent: impl Future<Output = Result<String, Error>>,
    claims: &Claims,
) -> Option<(Resource, Result<Observation, Error>)> {
    let (resource, found) = match Part::of(&orphan.address).ok()? {
        Part::Topic => {
            let found = topic::observe(reader, &names.topic_name(&orphan.name), agent).await;
            (topic::left_behind(orphan), found)
        }
        Part::Subscription => {
            let found = subscription::observe(reader, names, &orphan.name, true, claims).await;
            (subscription::left_behind(orphan), found)
        }
        Part::Bucket | Part::Notification | Part::Access => return None,
    };
    Some((Resource { identity: orphan.identity.clone(), ..resource }, found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use provision_core::mark::Origin;

    #[test]
    fn orphans_are_known_by_their_label_alone() {
        let mark = Mark::unfinished("ab", Origin::Created, "//pubsub.googleapis.com/projects/p/topics/t");
        let of = |deployments: &[&str]| {
            let deployments: Vec<_> = deployments.iter().map(|name| (*name).to_owned()).collect();
            let identity = "//pubsub.googleapis.com/projects/p/topics/t".to_owned();
            orphan(Part::Topic, identity, &mark.to_tags(), &deployments)
        };
        assert_eq!(of(&["ab", "old"]).map(|orphan| orphan.name), Some("t".to_owned()));
        assert!(of(&["a"]).is_none());
    }
}
