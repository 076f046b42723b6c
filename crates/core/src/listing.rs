//! What the deployments of a run share that only looks: what carries marks in one place is listed once for all of them, and what is the
//! same for all of an account is asked once. What writes never uses it: it makes a look of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::error::Error;
use crate::identity::Caller;
use crate::resource::Orphan;

/// What carries marks, by the deployment that they name.
type Marked = BTreeMap<String, Vec<Orphan>>;

/// What the deployments of a run share, by place: a region, a project, a subscription.
#[derive(Clone, Debug, Default)]
pub struct Listings {
    marked: Places<Marked>,
    callers: Places<Caller>,
    said: Places<String>,
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
        let of_these =
            |marked: &Marked| deployments.iter().filter_map(|name| marked.get(name)).flatten().cloned().collect();
        self.marked.once(place, async { list.await.map(by_deployment) }, of_these).await
    }

    /// Whose the credentials are there, which is asked once a place.
    ///
    /// # Errors
    ///
    /// It cannot be found out.
    pub async fn caller(&self, place: &str, ask: impl Future<Output = Result<Caller, Error>>) -> Result<Caller, Error> {
        self.callers.once(place, ask, Clone::clone).await
    }

    /// What the cloud says of a whole account, by what was asked of which account.
    ///
    /// # Errors
    ///
    /// It cannot be found out.
    pub async fn said(
        &self,
        question: &str,
        ask: impl Future<Output = Result<String, Error>>,
    ) -> Result<String, Error> {
        self.said.once(question, ask, Clone::clone).await
    }
}

/// An answer that somebody asks for and others wait for. Why there is none is the same for all of them.
type Answer<T> = Arc<OnceCell<Result<T, Error>>>;

/// One answer for each place.
#[derive(Clone, Debug, Default)]
struct Places<T>(Arc<Mutex<BTreeMap<String, Answer<T>>>>);

impl<T> Places<T> {
    /// What is `wanted` of the answer for a place, which is asked for once.
    async fn once<W>(
        &self,
        place: &str,
        ask: impl Future<Output = Result<T, Error>>,
        wanted: impl FnOnce(&T) -> W,
    ) -> Result<W, Error> {
        let answer = self.answer(place);
        answer.get_or_init(|| ask).await.as_ref().map(wanted).map_err(Clone::clone)
    }

    fn answer(&self, place: &str) -> Answer<T> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
    async fn caller_and_what_is_the_same_for_an_account_are_asked_once() {
        let (listings, asked) = (Listings::default(), Cell::new(0));
        let caller = Caller { account: "1".to_owned(), principal: "me".to_owned() };
        for place in ["here", "here", "there"] {
            let ask = async {
                asked.set(asked.get() + 1);
                Ok(caller.clone())
            };
            assert_eq!(listings.caller(place, ask).await.unwrap(), caller);
            let ask = async {
                asked.set(asked.get() + 10);
                Ok(place.to_owned())
            };
            assert_eq!(listings.said(place, ask).await.unwrap(), place);
        }
        assert_eq!(asked.get(), 22);
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
