//! Which other deployments rely on what a service account may do with itself.
//!
//! One account may serve several deployments, of several projects, and has that grant once. Each has it on record in its marks:
//! it stays as long as one does, and the last one takes it out. The marks are looked for in every project that the credentials
//! can see; where they cannot look is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use provision_core::mark::{Mark, Recorded};
use provision_core::retry;
use provision_core::{Error, ErrorKind};

use crate::client::Reader;
use crate::client::storage::Bucket;
use crate::config::SERVER_ACCOUNT_ROLES;
use crate::names::{bucket_identity, project_of};
use crate::policy::{granted, member_of};

/// The key under which marks have it on record, outside of any resource.
pub(crate) const ON_RECORD: char = 'k';

/// How long something new may be listed before it is shown itself.
const SHOWN_AFTER: Duration = Duration::from_secs(3);

/// Projects that are looked through at the same time.
const PROJECTS_AT_ONCE: usize = 8;
/// Projects that a warning names.
const NAMED: usize = 3;

/// What the looks of a run have told, and what decides how to look.
#[derive(Debug)]
pub(crate) struct Claims {
    project: String,
    deployments: Vec<String>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    former: BTreeSet<String>,
    bound: bool,
    searching: bool,
    removing: bool,
    elsewhere: bool,
    /// Accounts whose grant stays because another deployment relies on it.
    left: BTreeSet<String>,
    /// What a list shows to be left of the subscription's being made again, and what the last look at it knew of that.
    spare: Option<String>,
    spare_looked_at: Option<String>,
    /// The project's number, by which some accounts name it.
    number: Option<String>,
    notes: BTreeSet<String>,
    /// What a look did not find, and what the list's look found, by full name: the two are not of one moment.
    not_found: BTreeSet<String>,
    found: BTreeSet<String>,
    /// Since when something is listed and not there, by its full name.
    listed_only: BTreeMap<String, Instant>,
}

/// What is looked at, and what is known before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    /// The account that the plan file names.
    pub(crate) server: Option<String>,
    /// Accounts that it named before, by the marks.
    pub(crate) former: Vec<String>,
    /// Everything is to be taken away.
    pub(crate) removing: bool,
    /// The bucket's name belongs to somebody else.
    pub(crate) elsewhere: bool,
    /// Whether other deployments rely on what an account may do with itself decides something.
    pub(crate) searching: bool,
}

/// What was found in one project.
enum Looked {
    ReliedOn,
    Nothing,
    Closed(String),
}

impl Claims {
    /// For the deployment of these names, in this project.
    pub(crate) fn new(project: &str, deployments: Vec<String>) -> Self {
        Self { project: project.to_owned(), deployments, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names whose marks are ours.
    pub(crate) fn deployments(&self) -> Vec<&str> {
        self.deployments.iter().map(String::as_str).collect()
    }

    /// Everything is to be taken away.
    pub(crate) fn set_removing(&self) {
        self.known().removing = true;
    }

    /// Whether everything is to be taken away.
    pub(crate) fn is_removing(&self) -> bool {
        self.known().removing
    }

    /// Whether the bucket's name belongs to somebody else.
    pub(crate) fn set_elsewhere(&self, elsewhere: bool) {
        self.known().elsewhere = elsewhere;
    }

    /// The number of the plan file's project.
    pub(crate) fn set_number(&self, number: &str) {
        self.known().number = Some(number.to_owned());
    }

    /// Whether what is listed and not there may still be something new, of which a run that was killed knows nothing.
    pub(crate) fn is_new(&self, identity: &str) -> bool {
        let mut known = self.known();
        let since = known.listed_only.entry(identity.to_owned()).or_insert_with(Instant::now);
        since.elapsed() < retry::shortened(SHOWN_AFTER)
    }

    /// Another deployment relies on what this account may do with itself.
    pub(crate) fn leave(&self, email: &str) {
        self.known().left.insert(email.to_owned());
    }

    /// The accounts that were left so.
    pub(crate) fn left(&self) -> Vec<String> {
        self.known().left.iter().cloned().collect()
    }

    /// What is left of the subscription's being made again.
    pub(crate) fn set_spare(&self, spare: Option<String>) {
        self.known().spare = spare;
    }

    /// The same, for a look at the subscription.
    pub(crate) fn look_at_spare(&self) -> Option<String> {
        let mut known = self.known();
        let spare = known.spare.clone();
        known.spare_looked_at.clone_from(&spare);
        spare
    }

    /// Whether there is more to look at than the last look at the subscription knew.
    pub(crate) fn recalls_spare(&self) -> bool {
        let known = self.known();
        known.spare != known.spare_looked_at
    }

    /// What a look came to.
    pub(crate) fn looked_at(&self, identity: String, found: bool) {
        let mut known = self.known();
        if found {
            known.not_found.remove(&identity)
        } else {
            known.not_found.insert(identity)
        };
    }

    /// What is there beside the list, of what the plan file names.
    pub(crate) fn set_found(&self, identities: BTreeSet<String>) {
        self.known().found = identities;
    }

    /// Whether the look did not find yet what was there a moment later.
    pub(crate) fn came_since(&self, identity: &str) -> bool {
        let known = self.known();
        known.not_found.contains(identity) && known.found.contains(identity)
    }

    /// Something for people to know.
    pub(crate) fn note(&self, note: String) {
        self.known().notes.insert(note);
    }

    /// The same of several.
    pub(crate) fn note_all(&self, notes: Vec<String>) {
        self.known().notes.extend(notes);
    }

    /// What people should know.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.known().notes.iter().cloned().collect()
    }

    /// What a look found.
    pub(crate) fn remember(&self, bound: bool, notes: Vec<String>) {
        let mut known = self.known();
        known.bound = bound;
        known.notes.extend(notes);
    }

    /// How to look, where the plan file names this account.
    pub(crate) fn look(&self, server: Option<&str>) -> Look {
        let known = self.known();
        Look {
            server: server.map(str::to_owned),
            former: known.former.iter().cloned().collect(),
            removing: known.removing,
            elsewhere: known.elsewhere,
            searching: known.searching,
        }
    }

    /// Take in which accounts the marks name. Gives whether there is more to look at than before: an account of an earlier plan
    /// file, or whether others rely on one. That matters where something would be taken away, or where a grant is there that is
    /// not on record.
    pub(crate) fn recall(&self, server: Option<&str>, access: &[String]) -> bool {
        let mut known = self.known();
        let before = (known.former.len(), known.searching);
        known.former.extend(access.iter().filter(|email| Some(email.as_str()) != server).cloned());
        let on_record = server.is_some_and(|server| access.iter().any(|email| email == server));
        known.searching |= known.removing || !known.former.is_empty() || (known.bound && !on_record);
        let anybody = server.is_some() || !known.former.is_empty();
        anybody && before != (known.former.len(), known.searching)
    }

    /// Whether another deployment relies on what an account may do with itself, as far as can be seen.
    pub(crate) async fn relied_on(&self, reader: &Reader, email: &str) -> Result<bool, Error> {
        let mut projects = BTreeSet::from([self.project.clone()]);
        let number = self.known().number.clone();
        projects.extend(project_of(email).filter(|project| Some(project) != number.as_ref()));
        let mut closed = Vec::new();
        match reader.search_projects().await {
            Ok(found) => projects.extend(found),
            Err(error) if is_closed(&error) => closed.push("projects that these credentials may not list".to_owned()),
            Err(error) => return Err(error),
        }
        let looks = projects.into_iter().map(|project| self.look_through(reader, project, email));
        let looked: Vec<_> = stream::iter(looks).buffer_unordered(PROJECTS_AT_ONCE).try_collect().await?;
        let relied_on = looked.iter().any(|looked| matches!(looked, Looked::ReliedOn));
        closed.extend(looked.into_iter().filter_map(|looked| match looked {
            Looked::Closed(project) => Some(format!("project `{project}`")),
            Looked::ReliedOn | Looked::Nothing => None,
        }));
        if !relied_on && !closed.is_empty() {
            self.note(not_looked_at(email, &mut closed));
        }
        Ok(relied_on)
    }

    async fn look_through(&self, reader: &Reader, project: String, email: &str) -> Result<Looked, Error> {
        match reader.list_buckets(&project).await {
            Ok(buckets) => {
                let relies = buckets.iter().any(|bucket| self.relies(&project, bucket, email));
                Ok(if relies { Looked::ReliedOn } else { Looked::Nothing })
            }
            Err(error) if is_closed(&error) => Ok(Looked::Closed(project)),
            Err(error) => Err(error),
        }
    }

    /// Whether a bucket is another deployment's that has the grant on record. One of our name in another project is another's too.
    fn relies(&self, project: &str, bucket: &Bucket, email: &str) -> bool {
        let Some(mark) = Mark::from_tags(&bucket.labels) else { return false };
        let ours = project == self.project && self.deployments.contains(&mark.deployment);
        !ours && mark.is_for(&bucket_identity(&bucket.name)) && has_on_record(&mark, email)
    }
}

/// Whether a mark has the grant on record, as written or as begun.
fn has_on_record(mark: &Mark, email: &str) -> bool {
    let desired = granted(email, &SERVER_ACCOUNT_ROLES);
    SERVER_ACCOUNT_ROLES.iter().any(|role| {
        let record = mark.outside.member(ON_RECORD, role).map(Recorded::from);
        let begun = mark.outside.begun(ON_RECORD, Some(role)).into_iter().map(Recorded::Digest);
        record.into_iter().chain(begun).any(|recorded| recorded.is(&desired[*role]))
    })
}

fn is_closed(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::NotFound | ErrorKind::Unsupported)
}

fn not_looked_at(email: &str, closed: &mut Vec<String>) -> String {
    closed.sort();
    let more = closed.len().saturating_sub(NAMED);
    closed.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "whether other deployments rely on what {} may do with itself could not be looked up in {}{more}: if one does, run its \
         apply again once this is done",
        member_of(email),
        closed.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use provision_core::ledger::Record;
    use provision_core::mark::Origin;
    use serde_json::json;

    const EMAIL: &str = "wandb@acme-ml.iam.gserviceaccount.com";

    fn claims() -> Claims {
        Claims::new("acme-ml", vec!["ours".to_owned(), "was".to_owned()])
    }

    fn bucket(deployment: &str, identity: &str, record: Option<Record>) -> Bucket {
        let mut mark = Mark::unfinished(deployment, Origin::Created, identity);
        if let Some(record) = record {
            mark.outside.put_member(ON_RECORD, SERVER_ACCOUNT_ROLES[0], record);
        }
        Bucket { name: "theirs".to_owned(), labels: mark.to_tags(), ..Bucket::default() }
    }

    #[test]
    fn another_deployment_relies_on_a_grant_that_it_has_on_record() {
        let identity = bucket_identity("theirs");
        let written = || Some(Record::written(&json!(member_of(EMAIL))));
        let relies = |project: &str, bucket: &Bucket| claims().relies(project, bucket, EMAIL);
        assert!(relies("acme-ml", &bucket("theirs", &identity, written())));
        assert!(relies("acme-two", &bucket("ours", &identity, written())));
        assert!(!relies("acme-ml", &bucket("was", &identity, written())));
        assert!(!relies("acme-ml", &bucket("theirs", "a copied mark", written())));
        assert!(!relies("acme-ml", &bucket("theirs", &identity, None)));
        let other = Some(Record::written(&json!("serviceAccount:other@p")));
        assert!(!relies("acme-ml", &bucket("theirs", &identity, other)));
    }

    #[test]
    fn others_are_searched_for_only_where_it_matters() {
        let on_record = [EMAIL.to_owned()];
        let fresh = claims();
        assert!(!fresh.recall(Some(EMAIL), &[]));
        let in_sync = claims();
        in_sync.remember(true, Vec::new());
        assert!(!in_sync.recall(Some(EMAIL), &on_record));
        let found = claims();
        found.remember(true, Vec::new());
        assert!(found.recall(Some(EMAIL), &[]) && found.look(Some(EMAIL)).searching);
        assert!(!found.recall(Some(EMAIL), &[]));
        let destroy = claims();
        destroy.set_removing();
        assert!(destroy.recall(Some(EMAIL), &on_record) && !destroy.recall(Some(EMAIL), &on_record));
    }

    #[test]
    fn an_account_of_an_earlier_plan_file_is_remembered() {
        let claims = claims();
        assert!(claims.recall(None, &[EMAIL.to_owned()]));
        let look = claims.look(None);
        assert_eq!((look.former.as_slice(), look.searching), (&[EMAIL.to_owned()][..], true));
        assert!(!claims.recall(None, &[EMAIL.to_owned()]));
    }

    #[test]
    fn what_could_not_be_looked_at_is_told_in_one_line() {
        let mut closed: Vec<_> = ["d", "c", "b", "a"].map(|project| format!("project `{project}`")).to_vec();
        let text = not_looked_at(EMAIL, &mut closed);
        assert!(text.contains("project `a`, project `b`, project `c` and 1 more"), "{text}");
    }
}
