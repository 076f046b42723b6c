//! What carries marks in one place, listed once for all the deployments of a run that only looks. What writes never uses it: it
//! makes a look of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::error::Error;
use crate::resource::Orphan;

/// What carries marks, by the deployment that they name.
type Marked = BTreeMap<String, Vec<Orphan>>;

/// A list that somebody makes and others wait for. Why it cannot be made is the same for all of them.
type Listing = Arc<OnceCell<Result<Marked, Error>>>;

/// The lists that the deployments of a run share, by place: a region, a project, a subscription.
#[derive(Clone, Debug, Default)]
pub struct Listings {
    places: Arc<Mutex<BTreeMap<String, Listing>>>,
}

impl Listings {
    /// What carries the mark of one of these deployments there; `list` gives what carries anybody's, and is asked once a place.
    ///
    /// # Errors
    ///
    /// The list cannot be made.
    pub async fn marked(
        &self,
        place: &str,
        deployments: &[String],
        list: impl Future<Output = Result<Vec<Orphan>, Error>>,
    ) -> Result<Vec<Orphan>, Error> {
        let listing = self.listing(place);
        let listed = listing.get_or_init(|| async { list.await.map(by_deployment) }).await;
        let marked = listed.as_ref().map_err(Clone::clone)?;
        Ok(deployments.iter().filter_map(|name| marked.get(name)).flatten().cloned().collect())
    }

    fn listing(&self, place: &str) -> Listing {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(place.to_owned()).or_default())
    }
}

fn by_deployment(listed: Vec<Orphan>) -> Marked {
    let mut marked = Marked::new();
    for orphan in listed {
        marked.entry(orphan.mark.deployment.clone()).or_default().push(orphan);
    }
    marked
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::error::ErrorKind;
    use crate::mark::{Mark, Origin};

    fn orphan(deployment: &str, name: &str) -> Orphan {
        let mark = Mark::unfinished(deployment, Origin::Created, name);
        Orphan::new(crate::address::Address::new("cloud.queue"), "queue", name, name.to_owned(), mark)
    }

    #[tokio::test]
    async fn place_is_listed_once_and_each_deployment_gets_its_own() {
        let (listings, made) = (Listings::default(), Cell::new(0));
        let list = || async {
            made.set(made.get() + 1);
            Ok(vec![orphan("a", "one"), orphan("b", "two"), orphan("a", "three")])
        };
        let names = async |place, deployments: &[&str]| {
            let deployments: Vec<_> = deployments.iter().map(|name| (*name).to_owned()).collect();
            let found = listings.marked(place, &deployments, list()).await.unwrap();
            found.into_iter().map(|orphan| orphan.name).collect::<Vec<_>>()
        };
        assert_eq!(names("here", &["a"]).await, ["one", "three"]);
        assert_eq!(names("here", &["b", "c"]).await, ["two"]);
        assert_eq!(made.get(), 1);
        assert_eq!(names("there", &["b"]).await, ["two"]);
        assert_eq!(made.get(), 2);
    }

    #[tokio::test]
    async fn list_that_cannot_be_made_is_tried_once() {
        let (listings, made) = (Listings::default(), Cell::new(0));
        let list = || async {
            made.set(made.get() + 1);
            Err(Error::new(ErrorKind::Unavailable, "list"))
        };
        for _ in 0..2 {
            assert!(listings.marked("here", &["a".to_owned()], list()).await.is_err());
        }
        assert_eq!(made.get(), 1);
    }
}
