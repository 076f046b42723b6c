//! Everything that carries the deployment's mark, whether the plan file names it or not.

use provision_core::Error;
use provision_core::mark::{DEPLOYMENT_KEY, Mark, State, Tags};
use provision_core::resource::{Observation, Orphan, Resource};
use serde_json::Value;

use crate::client::Reader;
use crate::names::{Names, Part};
use crate::resources::Facets as _;
use crate::resources::bucket;
use crate::resources::queue::{self, QueueFacet};

/// Buckets and queues with the mark of one of these deployments, or of any where none is named, as an index has them: it goes on
/// listing for a while what is gone, and marks that are no more.
pub(crate) async fn listed(reader: &Reader, deployments: &[String]) -> Result<Vec<Orphan>, Error> {
    let found = reader.get_resources(DEPLOYMENT_KEY, deployments).await?;
    Ok(found.into_iter().filter_map(|(arn, tags)| orphan(&arn, &tags)).collect())
}

/// Whether the plan file names it, so that it is looked at anyway.
pub(crate) fn is_planned(orphan: &Orphan, names: &Names) -> bool {
    match orphan.holds_data {
        true => orphan.name == names.bucket,
        false => [&names.queue, &names.run_queue].into_iter().flatten().any(|queue| *queue == orphan.name),
    }
}

/// The same, as they are: each is asked itself.
pub(crate) async fn confirmed(
    reader: &Reader,
    names: &Names,
    deployments: &[String],
    listed: Vec<Orphan>,
) -> Result<Vec<Orphan>, Error> {
    let looks = listed.into_iter().map(|listed| async {
        if is_planned(&listed, names) {
            return Ok(Some(listed));
        }
        let found = tags(reader, names, &listed).await?.and_then(|tags| orphan(&listed.identity, &tags));
        Ok(found.filter(|found| deployments.contains(&found.mark.deployment)))
    });
    Ok(futures::future::try_join_all(looks).await?.into_iter().flatten().collect())
}

/// The tags that it has itself; `None` if it is gone, or its name is another account's by now.
async fn tags(reader: &Reader, names: &Names, orphan: &Orphan) -> Result<Option<Tags>, Error> {
    if !orphan.holds_data {
        return queue::tags(reader, &orphan.name).await;
    }
    let tags = bucket::tags(reader, &orphan.name, &names.account).await;
    if bucket::is_denied_unexplained(&tags) { Ok(None) } else { tags }
}

fn orphan(arn: &str, tags: &Tags) -> Option<Orphan> {
    let fields: Vec<_> = arn.splitn(6, ':').collect();
    let mark = Mark::from_tags(tags)?;
    let part = match *fields.get(2)? {
        "s3" => Part::Bucket,
        "sqs" => queue_part(arn, &mark),
        _ => return None,
    };
    let holds_data = part == Part::Bucket;
    Some(Orphan { holds_data, ..Orphan::new(part.address(), part.kind(), fields.get(5)?, arn.to_owned(), mark) })
}

/// A queue that was adopted, with what is on it. Buckets are never left behind: another name for one is refused.
pub(crate) async fn observe(
    reader: &Reader,
    names: &Names,
    orphan: &Orphan,
) -> Option<(Resource, Result<Observation, Error>)> {
    if orphan.holds_data {
        return None;
    }
    let resource = Resource { identity: orphan.identity.clone(), ..queue::left_behind(orphan) };
    let found = queue::observe(reader, names, &orphan.name, &Value::Null).await;
    Some((resource, found.map(|(found, _)| found)))
}

/// Which of the two queues it was: the mark says which part was applied under this name. One whose run did not finish
/// names no parts; then a policy of ours tells the event queue, and what says nothing counts as one.
fn queue_part(arn: &str, mark: &Mark) -> Part {
    let applied = mark.parts.iter().find(|(part, record)| part.ends_with("queue") && record.is_of(arn));
    match applied {
        Some((part, _)) if part == Part::RunQueue.address().part() => Part::RunQueue,
        Some(_) => Part::Queue,
        None if mark.state != State::Unfinished && !mark.own.has_ours(QueueFacet::Policy.spec().key) => Part::RunQueue,
        None => Part::Queue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use provision_core::mark::{Origin, PartRecord};

    const ARN: &str = "arn:aws:sqs:eu-west-1:1:acme-q";

    #[test]
    fn queue_is_told_from_the_run_queue_by_the_part_of_its_name() {
        let mut mark = Mark::unfinished("wandb", Origin::Created, ARN);
        assert_eq!(queue_part(ARN, &mark), Part::Queue);
        mark.state = State::Written;
        assert_eq!(queue_part(ARN, &mark), Part::RunQueue);
        mark.parts.insert("queue".to_owned(), PartRecord::new(Some(Origin::Created), ARN));
        mark.parts.insert("run_queue".to_owned(), PartRecord::new(Some(Origin::Created), "another"));
        assert_eq!(queue_part(ARN, &mark), Part::Queue);
        mark.parts.insert("queue".to_owned(), PartRecord::new(Some(Origin::Created), "another"));
        mark.parts.insert("run_queue".to_owned(), PartRecord::new(Some(Origin::Created), ARN));
        assert_eq!(queue_part(ARN, &mark), Part::RunQueue);
    }

    #[test]
    fn orphan_is_read_from_arn_and_tags() {
        let tags = Mark::unfinished("wandb", Origin::Created, "arn:aws:s3:::acme").to_tags();
        let bucket = orphan("arn:aws:s3:::acme", &tags).unwrap();
        assert_eq!((bucket.address, bucket.name.as_str(), bucket.holds_data), (Part::Bucket.address(), "acme", true));
        assert_eq!(orphan(ARN, &tags).unwrap().name, "acme-q");
        assert!(orphan("arn:aws:ec2:eu-west-1:1:vpc/x", &tags).is_none());
        assert!(orphan(ARN, &Tags::new()).is_none());
    }
}
