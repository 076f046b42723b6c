//! What a cloud's crate offers to the core and the command line. One provider is one cloud with one plan file's settings.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::address::Address;
use crate::change_set::ChangeSet;
use crate::contents::Contents;
use crate::context::OperationContext;
use crate::cors::CorsRule;
use crate::deployment::Deployment;
use crate::error::{Error, ErrorKind};
use crate::facet::{Desired, Words};
use crate::hop::Obstacle;
use crate::identity::Identity;
use crate::keeper::Keeper;
use crate::listing::Listings;
use crate::mark::{Origin, TagChanges, Tags};
use crate::operation::{FacetWrite, Operation};
use crate::output::{Output, OutputSource};
use crate::permissions::{Document, Repository, Syntax, Task};
use crate::probe::{Probe, Probes};
use crate::reach::{CredentialSource, Endpoint};
use crate::refusal::Refusal;
use crate::resource::{Observation, Orphan, Resource};
use crate::rights::{Answer, Right};
use crate::terraform::Managed;
use crate::trace::TraceSink;
use crate::web::Request;

/// How a cloud is reached.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The variables of a sandbox. They stand in for the environment: real credentials and endpoints are not looked at.
    pub sandbox: Option<BTreeMap<String, String>>,
    /// Where each request and answer is written down.
    pub trace: Option<Arc<dyn TraceSink>>,
    /// Who keeps what a service gives once, where the command may create something.
    pub keeper: Option<Arc<dyn Keeper>>,
    /// What many deployments share that are looked at and not written. What can write does not use it.
    pub listings: Option<Listings>,
}

/// A cloud's part of a plan file, checked: what commands need to know before anything is sent, and the way to the cloud.
#[async_trait]
pub trait ProviderConfig: Send + Sync {
    /// The deployment.
    fn deployment(&self) -> &Deployment;

    /// The name of what holds the data, which `destroy --delete-data` must repeat.
    fn data_resource_name(&self) -> &str;

    /// Whether `destroy` is refused.
    fn protect(&self) -> bool;

    /// The settings as a saved change set carries them. They hold no secret.
    fn to_json(&self) -> Value;

    /// What a service counts requests by: deployments that have it in common are slowed down as one.
    fn account(&self) -> String;

    /// What the plan file takes for granted, by name: an account, a role, a project. A sandbox makes it.
    fn prerequisites(&self) -> BTreeMap<&'static str, String>;

    /// A provider that can only read.
    async fn observer(&self, connection: &Connection) -> Result<Box<dyn Observer>, Error>;

    /// A provider that can write.
    async fn provisioner(&self, connection: &Connection) -> Result<Box<dyn Provisioner>, Error>;

    /// A provider that can prove that files and events get through.
    async fn prover(&self, _connection: &Connection) -> Result<Box<dyn Prover>, Error> {
        Err(Error::new(ErrorKind::Unsupported, "verify this cloud"))
    }

    /// The settings for the server, from the plan file alone where it tells them: then nothing is sent. Secrets stay sealed.
    async fn outputs(&self, connection: &Connection) -> Result<Vec<Output>, Error>;

    /// The names of the settings, where the service has to be asked for some of them.
    fn asked_settings(&self) -> Option<&'static [&'static str]> {
        None
    }

    /// Why Terraform can have nothing of it.
    fn outside_terraform(&self) -> Option<&'static str> {
        None
    }
    /// Where calls go, by the environment and the plan file. Nothing is sent.
    async fn endpoints(&self, connection: &Connection) -> Result<Vec<Endpoint>, Error>;

    /// Where credentials come from, which are looked for as for any call.
    async fn credential_source(&self, connection: &Connection) -> Result<CredentialSource, Error>;

    /// What a facet of something that is made comes to in the field's words. Values that the plan file does not set are left out
    /// where nobody need think about them; nothing is sent.
    fn in_words(&self, address: &Address, facet: &str, value: &Value) -> Vec<Words>;

    /// The rights that a task needs, on what the plan file names. Nothing is sent.
    async fn permissions(&self, _task: Task, _syntax: Syntax, _connection: &Connection) -> Result<Document, Error> {
        Err(Error::new(ErrorKind::Unsupported, "print rights for this provider"))
    }

    /// What lets the jobs of a repository be who has those rights. Nothing is sent.
    async fn trust(
        &self,
        _repository: &Repository,
        _syntax: Syntax,
        _connection: &Connection,
    ) -> Result<Document, Error> {
        Err(Error::new(ErrorKind::Unsupported, "let the jobs of a repository in by a document"))
    }

    /// The settings that an apply is given once, by the creation that it makes, and that nobody can ask for later. Nothing is
    /// sent.
    fn given_once(&self) -> &'static [&'static str] {
        &[]
    }

    /// The same with secrets, which are fetched where there are any.
    async fn reveal(&self, connection: &Connection) -> Result<Vec<Output>, Error> {
        self.outputs(connection).await
    }
}

/// The reading half of a cloud: all that `plan`, `drift` and `output` can get.
///
/// # Behavior
///
/// - `resources` and `desired` are pure: the same plan file gives the same answer.
/// - `observe` never changes anything; an absent resource is [`Observation::Absent`], never an error.
/// - Values are normalised: a respelling by the service is no difference.
#[async_trait]
pub trait Observer: Send + Sync {
    /// The cloud's name: the first word of its addresses.
    fn cloud(&self) -> &'static str;

    /// What the plan file asks for, in the order in which people read it.
    fn resources(&self) -> Vec<Resource>;

    /// The facets desired of a resource. On an adopted one, facets that hold one value for everybody are desired only where
    /// the plan file sets them.
    fn desired(&self, address: &Address, origin: Origin) -> Vec<Desired>;

    /// What the marks say about whom access was given to last. Gives the addresses that have to be looked at once more: for that,
    /// where [`Observer::resources`] names them from then on, whether the plan file does or not; and those of which
    /// [`Observer::marked`] has seen since what the look at them did not find, or could not know.
    fn recall(&self, _access: &[String]) -> Vec<Address> {
        Vec::new()
    }

    /// The settings for the server.
    fn outputs(&self) -> Vec<Output>;

    /// What decides each setting, of those too that the plan file has none of.
    fn output_sources(&self) -> Vec<(&'static str, OutputSource)>;

    /// The plan file's table whose `protect` keeps the data, where it is not the data's own.
    fn protection_path(&self) -> Option<&'static str> {
        None
    }

    /// What to do about a resource that exists without our mark, where it cannot be adopted.
    fn adoption_alternative(&self, _address: &Address) -> Option<String> {
        None
    }

    /// What to do about a resource of another deployment's, where it is not found by its name.
    fn anothers_alternative(&self, _address: &Address) -> Option<String> {
        None
    }

    /// Open choices of the plan file that deserve a warning each time.
    fn warnings(&self) -> Vec<String>;

    /// What others set, as far as the last look found it, that stands in the way of the server or of its events, and that apply
    /// leaves alone.
    fn obstacles(&self) -> Vec<Obstacle> {
        Vec::new()
    }

    /// The facets by which somebody is let in beside the server's own rights.
    fn grants(&self) -> &'static [&'static str] {
        &[]
    }

    /// What is left to the user after an apply, with the text to use: the rights of a server whose identity the plan file
    /// does not name.
    fn next_steps(&self) -> Option<String>;

    /// Who we are; the error tells how to get credentials.
    async fn identity(&self) -> Result<Identity, Error>;

    /// Look at one resource.
    async fn observe(&self, address: &Address) -> Result<Observation, Error>;

    /// Everything that carries the mark of one of these deployments.
    async fn marked(&self, deployments: &[String]) -> Result<Vec<Orphan>, Error>;

    /// An adopted orphan as a resource of its kind, and a look at it: a release takes out what is ours on it. `None` if
    /// nothing but the mark can be.
    async fn observe_orphan(&self, _orphan: &Orphan) -> Option<(Resource, Result<Observation, Error>)> {
        None
    }

    /// How pages of the server reach an object of this key; `None` if the cloud cannot say.
    async fn browser_access(&self, _key: &str) -> Result<Option<BrowserAccess>, Error> {
        Ok(None)
    }

    /// A resource of ours as Terraform imports it, with what is in or on it; of one that was adopted what is ours there.
    async fn terraform(&self, _address: &Address, _origin: Origin) -> Result<Vec<Managed>, Error> {
        Ok(Vec::new())
    }

    /// What is in a resource that holds data, counted up to a cap.
    async fn contents(&self, address: &Address) -> Result<Contents, Error>;

    /// Why a resource of ours cannot be deleted with this deployment, or an entry taken out: things of others in it, a lock.
    /// Looked at before a destroy only.
    async fn deletion_blockers(&self, _address: &Address) -> Result<Option<Refusal>, Error> {
        Ok(None)
    }

    /// Ask what the credentials may do, as far as a task may need it: beside the look, so that nothing waits for it. Answers are kept
    /// for [`Observer::held`]; what cannot be asked is no error.
    async fn inquire(&self, _task: Task) {}

    /// The same about these rights, which only the look told of.
    async fn inquire_about(&self, _rights: &[Right]) {}

    /// The rights that an operation of this set is sure to need: not those of calls that it sends only where it finds something.
    fn rights(&self, _operation: &Operation, _set: &ChangeSet) -> Vec<Right> {
        Vec::new()
    }

    /// What the cloud said of a right.
    fn held(&self, _right: &Right) -> Answer {
        Answer::Unasked
    }

    /// What the cloud said that will refuse a write of this set, whoever has the right to it.
    fn refusals(&self, _set: &ChangeSet) -> Vec<Refusal> {
        Vec::new()
    }
}

/// How pages of the server reach an object.
#[derive(Clone, Debug)]
pub struct BrowserAccess {
    /// Its address, on the host that the server signs for, without a signature.
    pub url: String,
    /// The CORS rule that the plan file asks for.
    pub rule: CorsRule,
    /// What a browser sends with an upload and has to ask for, besides the method.
    pub headers: &'static [&'static str],
    /// The plan file's table that holds the rule.
    pub table: &'static str,
    /// The address and the facet under which the rule is compared.
    pub facet: (Address, &'static str),
    /// How somebody else's rule is taken out by hand: the cloud's own commands.
    pub by_hand: String,
}

/// What proves that files and events get through: uploads and removes a probe, and hears of it.
///
/// # Behavior
///
/// - `remains` and `remove` are about probes alone: of what has another key, or does not say itself that it is one, nothing is
///   given and nothing removed. Removing what is gone succeeds.
/// - A listener takes the events of the probes that it is told, and no others: what it has to look at, others get again.
#[async_trait]
pub trait Prover: Observer {
    /// The request that uploads a probe, signed as the server signs for a page.
    async fn signed_upload(&self, probe: &Probe) -> Result<Request, Error>;

    /// The request that downloads it.
    async fn signed_download(&self, probe: &Probe) -> Result<Request, Error>;

    /// The keys of probes that are there.
    async fn remains(&self, probes: &Probes) -> Result<Vec<String>, Error>;

    /// The rights without which one that is uploaded would stay, as far as the cloud can be asked about them, in what this look found.
    fn rights_to_remove(&self, probes: &Probes, set: &ChangeSet) -> Vec<Right>;

    /// Remove a probe for good, in all its versions.
    async fn remove(&self, probes: &Probes, key: &str) -> Result<(), Error>;

    /// Where their events can be heard. It is asked for before the upload.
    async fn listen(&self, probes: &Probes) -> Result<Hearing, Error>;
}

/// Where the events of probes can be heard.
pub enum Hearing {
    /// Nowhere: the plan file says so.
    Off(String),
    /// Nowhere: what should hold them is not there.
    Gone(String),
    /// Somewhere, but not without harm to others: nothing must be uploaded.
    Unsafe(String),
    /// Here.
    At(Box<dyn Listener>),
}

/// What one turn of listening heard.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// The keys of the probes whose events came; they are taken away.
    pub keys: Vec<String>,
    /// Events of others are there.
    pub others: bool,
    /// Somebody else takes events too.
    pub another_reader: bool,
    /// Why there must be no other turn.
    pub last: Option<String>,
}

/// Hears the events of probes.
#[async_trait]
pub trait Listener: Send {
    /// Where, for people: ``queue `acme-events` ``.
    fn place(&self) -> String;

    /// How long an event that was taken by a run which ended then is hidden from the next one.
    fn hidden(&self) -> Duration;

    /// How long an event may take.
    fn limit(&self) -> Duration;

    /// Whether an event that is not taken stays there when the listening is over. Where it goes with the listener, none is left by
    /// an earlier run either.
    fn outlasted(&self) -> bool {
        true
    }

    /// What somebody else set that may keep events out, where nobody can tell: named if none comes, and nothing else is known.
    fn suspect(&self) -> Option<&Refusal> {
        None
    }

    /// Listen for the events of these probes for so long, if nothing comes before. Those of other probes are other runs' to take.
    async fn hear(&mut self, wait: Duration, keys: &[String]) -> Result<Heard, Error>;

    /// Give back what others are to have: also after a turn that was broken off.
    async fn close(&mut self) -> Result<(), Error>;
}

/// What a call that creates something found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It made the thing: its documents are known to be as a new one has them.
    Made,
    /// It was there already. Whose it is, its mark has to tell.
    Existed,
}

/// What a write is about.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// The facet's name.
    pub facet: &'a str,
    /// What of ours is there now, where the facet holds entries: what `value` takes the place of.
    pub before: &'a Value,
    /// What is to be there; `null` is nothing.
    pub value: &'a Value,
    /// This run made what is written to ([`OperationContext::just_created`]).
    pub just_created: bool,
}

/// The writing half, which only `apply` and `destroy` build. A cloud says how things are made, written and deleted, and how
/// tags are read and updated; whose a thing is, and what its mark says, is the core's affair ([`crate::executor`]).
///
/// # Behavior
///
/// - Every call is idempotent: what is done already succeeds, and deleting what is gone succeeds. A write that does not find
///   what it is to be written to is an error.
/// - A shared document is read right before it is written, unless [`OperationContext::just_created`] says that it is new; others'
///   entries keep their meaning to the bit.
/// - What always takes turns ([`crate::resource::LaneMode::Always`]) waits for its turn before it writes, and before it reads what
///   it merges into.
#[async_trait]
pub trait Provisioner: Observer {
    /// The tags of the resource that an operation is about; `None` if it is not there.
    async fn tags(&self, operation: &Operation) -> Result<Option<Tags>, Error>;

    /// Change tags. `found` are those that were read a moment ago, for a service that replaces them all.
    async fn update_tags(&self, operation: &Operation, found: &Tags, changes: &TagChanges) -> Result<(), Error>;

    /// Write facets and change tags in one request, of what is one document ([`Resource::one_document`]); `found` are the tags that
    /// the change was made from. Others' parts of it stay.
    ///
    /// # Errors
    ///
    /// The tags are others by now, or it cannot be written.
    async fn update(
        &self,
        _operation: &Operation,
        _found: &Tags,
        _changes: &TagChanges,
        _facets: &[FacetWrite],
        _context: &OperationContext<'_>,
    ) -> Result<(), Error> {
        Err(Error::bug("it is not one document"))
    }

    /// Create a resource with these tags and the facets that the creating call takes. What exists is left as it is.
    async fn create(
        &self,
        operation: &Operation,
        tags: &Tags,
        facets: &Map<String, Value>,
        context: &OperationContext<'_>,
    ) -> Result<Created, Error>;

    /// Write one facet.
    async fn write(
        &self,
        operation: &Operation,
        write: &Write<'_>,
        context: &OperationContext<'_>,
    ) -> Result<(), Error>;

    /// Delete everything inside.
    async fn empty(&self, operation: &Operation, context: &OperationContext<'_>) -> Result<(), Error>;

    /// Delete the resource: look at what is in it where the service does not, ask [`OperationContext::still_ours`], send the request.
    async fn delete(&self, operation: &Operation, context: &OperationContext<'_>) -> Result<(), Error>;
}

/// A cloud's client that reads and writes, around the one that only reads: `plan` and `drift` get the inner one.
#[macro_export]
macro_rules! writer {
    ($(#[$doc:meta])* $visibility:vis struct $writer:ident { reader: $reader:ident, clients: $clients:ident }) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        $visibility struct $writer {
            reader: $reader,
        }

        impl $writer {
            /// A writer on these clients.
            $visibility fn new(clients: $clients) -> Self {
                Self { reader: $reader::new(clients) }
            }

            /// The reads.
            $visibility const fn reader(&self) -> &$reader {
                &self.reader
            }

            const fn clients(&self) -> &$clients {
                &self.reader.clients
            }
        }

        impl AsRef<$reader> for $reader {
            fn as_ref(&self) -> &$reader {
                self
            }
        }

        impl AsRef<$reader> for $writer {
            fn as_ref(&self) -> &$reader {
                &self.reader
            }
        }
    };
}
