//! Everything that carries the deployment's mark, whether the plan file names it or not.

use std::collections::BTreeMap;

use futures::future::join_all;
use provision_core::listing::Listings;
use provision_core::mark::{Mark, Origin, Tags};
use provision_core::resource::{Observation, Orphan, Resource};
use provision_core::{Error, ErrorKind};

use crate::claims::Claims;
use crate::client::Reader;
use crate::error::{NOT_SEEN, lacks_permission};
use crate::names::{Names, Part, bucket_identity, pubsub_identity, short};
use crate::resources::reattachment::spare_name;
use crate::resources::{subscription, topic};

/// Buckets, subscriptions and topics with the mark of one of these deployments. A subscription goes before its topic.
pub(crate) async fn marked(
    reader: &Reader,
    names: &Names,
    deployments: &[String],
    listings: Option<&Listings>,
    claims: &Claims,
) -> Result<Vec<Orphan>, Error> {
    let list = |part| of_kind(reader, &names.project, part, deployments, listings);
    let own = [
        names.topic.as_ref().map(|name| (Part::Topic, names.topic_name(name))),
        names.subscription.as_ref().map(|name| (Part::Subscription, names.subscription_name(name))),
    ];
    let own = join_all(own.into_iter().flatten().map(|(part, name)| async move {
        let labels = labels_there(reader, part, &name).await;
        (pubsub_identity(&name), labels)
    }));
    let (buckets, topics, subscriptions, own) =
        futures::join!(list(Part::Bucket), list(Part::Topic), list(Part::Subscription), own);
    let buckets = listed("buckets", buckets, claims)?;
    let topics = listed("topics", topics, claims)?;
    let subscriptions = listed("subscriptions", subscriptions, claims)?;
    let all = buckets.into_iter().chain(subscriptions).chain(topics);
    let own: Own = own.into_iter().collect();
    if let Some(unknown) =
        own.values().filter_map(|labels| labels.as_ref().err()).find(|error| !lacks_permission(error))
    {
        return Err(unknown.clone());
    }
    let found = all.map(|orphan| confirmed(reader, names, orphan, deployments, &own, claims));
    let found: Vec<_> = join_all(found).await.into_iter().filter_map(Result::transpose).collect::<Result<_, _>>()?;
    // The look at a subscription that is there tells of its spare.
    let there = |(identity, labels): (&String, &Labels)| matches!(labels, Ok(Some(_))).then(|| spare_name(identity));
    let spares: Vec<_> = own.iter().filter_map(there).collect();
    let (spares, orphans): (Vec<_>, Vec<_>) = found.into_iter().partition(|orphan| spares.contains(&orphan.identity));
    let there = |(identity, labels): (&String, &Labels)| matches!(labels, Ok(Some(_))).then(|| identity.clone());
    claims.set_found(own.iter().filter_map(there).collect());
    claims.set_spare(spares.into_iter().map(|spare| spare.name).next());
    Ok(orphans)
}

/// What of one kind carries the mark of one of these deployments, as a list has it.
async fn of_kind(
    reader: &Reader,
    project: &str,
    part: Part,
    deployments: &[String],
    listings: Option<&Listings>,
) -> Result<Vec<Orphan>, Error> {
    if let Some(listings) = listings {
        let place = format!("gcp {project} {}", part.kind());
        return listings.marked(&place, deployments, marked_by_anybody(reader, project, part)).await;
    }
    let mut found = marked_by_anybody(reader, project, part).await?;
    found.retain(|orphan| deployments.contains(&orphan.mark.deployment));
    Ok(found)
}

/// What of one kind carries a mark.
async fn marked_by_anybody(reader: &Reader, project: &str, part: Part) -> Result<Vec<Orphan>, Error> {
    let labelled: Vec<_> = match part {
        Part::Bucket => {
            let found = reader.list_buckets(project).await?.into_iter();
            found.map(|bucket| (bucket_identity(&bucket.name), bucket.labels)).collect()
        }
        Part::Topic => {
            let found = reader.list_topics(project).await?.into_iter();
            found.map(|topic| (pubsub_identity(&topic.name), topic.labels)).collect()
        }
        _ => {
            let found = reader.list_subscriptions(project).await?.into_iter();
            found.map(|subscription| (pubsub_identity(&subscription.name), subscription.labels)).collect()
        }
    };
    Ok(labelled.into_iter().filter_map(|(identity, labels)| orphan(part, identity, &labels)).collect())
}

/// The labels of something; `None` if it is not there.
type Labels = Result<Option<Tags>, Error>;

/// Those of what the plan file names, by its full name, read beside the lists.
type Own = BTreeMap<String, Labels>;

async fn labels_there(reader: &Reader, part: Part, name: &str) -> Labels {
    match part {
        Part::Topic => topic::tags(reader, name).await,
        _ => subscription::tags(reader, name).await,
    }
}

/// A list may go on showing what is gone, or was relabelled: the thing itself is looked at. What is listed and not there may also be
/// new: a short time later it is gone. The list of buckets is never old (<https://cloud.google.com/storage/docs/consistency>).
async fn confirmed(
    reader: &Reader,
    names: &Names,
    listed: Orphan,
    deployments: &[String],
    own: &Own,
    claims: &Claims,
) -> Result<Option<Orphan>, Error> {
    let part = Part::of(&listed.address)?;
    if part == Part::Bucket {
        return Ok(Some(listed));
    }
    let is_named = own.contains_key(&listed.identity);
    let labels = match own.get(&listed.identity) {
        Some(labels) => labels.clone(),
        None => labels_there(reader, part, listed.identity.trim_start_matches("//pubsub.googleapis.com/")).await,
    };
    match labels {
        Ok(None) if claims.is_new(&listed.identity) => Err(not_shown(part, &listed.name)),
        Ok(labels) => match labels.and_then(|labels| {
            orphan(part, listed.identity, &labels).filter(|found| deployments.contains(&found.mark.deployment))
        }) {
            Some(orphan) if part == Part::Topic && !is_named => {
                with_refusal(reader, names, orphan, claims).await.map(Some)
            }
            orphan => Ok(orphan),
        },
        Err(error) if lacks_permission(&error) => Ok(Some(listed)),
        Err(error) => Err(error),
    }
}

/// A topic with why it cannot be deleted. Whoever may not look finds out when it is.
async fn with_refusal(reader: &Reader, names: &Names, orphan: Orphan, claims: &Claims) -> Result<Orphan, Error> {
    if orphan.mark.origin != Origin::Created {
        return Ok(orphan);
    }
    let topic = names.topic_name(&orphan.name);
    match topic::deletion_blockers(reader, names, &topic, &claims.deployments()).await {
        Ok(refusal) => Ok(Orphan { refusal, ..orphan }),
        Err(error) if lacks_permission(&error) => Ok(orphan),
        Err(error) => Err(error),
    }
}

fn not_shown(part: Part, name: &str) -> Error {
    let error = Error::new(ErrorKind::Unavailable, format!("tell whether {} `{name}` is there", part.kind()));
    error.with_message("it is listed, and not shown itself").with_retry(NOT_SEEN)
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

fn orphan(part: Part, identity: String, labels: &Tags) -> Option<Orphan> {
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
            let found = topic::observe(reader, &names.topic_name(&orphan.name), agent, claims, |_| ()).await;
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

    #[test]
    fn orphans_are_known_by_their_label_alone() {
        let mark = Mark::unfinished("ab", Origin::Created, "//pubsub.googleapis.com/projects/p/topics/t");
        let of = |labels: Tags| orphan(Part::Topic, "//pubsub.googleapis.com/projects/p/topics/t".to_owned(), &labels);
        let found = of(mark.to_tags()).unwrap();
        assert_eq!((found.name.as_str(), found.mark.deployment.as_str()), ("t", "ab"));
        assert!(of(Tags::from([("team".to_owned(), "ml".to_owned())])).is_none());
    }
}
