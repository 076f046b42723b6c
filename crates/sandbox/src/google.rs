//! Google Cloud: Cloud Storage over JSON and XML, Pub/Sub, IAM's service accounts and Resource Manager over REST, and pulling over
//! gRPC, all at one address.
//!
//! Projects and service accounts are there once they are seeded: [`Sandbox::seed_google`](crate::Sandbox::seed_google). [`GoogleWire`] says how operations
//! are named. Who shows a token of a service account (`generateAccessToken` gives it) may do what the policies of a bucket, topic, subscription or
//! account let it, or that of a project; callers without one own everything, or may do what the role says that was attached, which has
//! a credentials file then. The service agent of Cloud Storage, the
//! signer of a URL and an account that signs bytes need the roles that they need.
//!
//! Delays by name: `pubsub.iam` (Cloud Storage sees a topic's policy late), `iam.policy` (signing sees an account's policy
//! late), `storage.iam` (signed URLs see a bucket's policy late), `storage.events` (messages of objects come late), `storage.labels` and `pubsub.labels` (lists see changed
//! labels late), `pubsub.topics` and `pubsub.subscriptions` (a new one is not there for anybody at first), `pubsub.lists` (lists
//! go on showing what was deleted).

mod call;
mod caller;
mod details;
mod grpc;
mod iam;
mod key_file;
mod names;
mod organization;
mod policy;
mod project;
mod pubsub;
mod refusal;
mod rights;
mod roles;
mod routes;
mod storage;
#[cfg(test)]
mod tests;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::Value;

use crate::Error;
use crate::emulator::{Answer, Emulator, Wire};
use crate::files::Folder;
use crate::state::Transaction;
use crate::world::World;
use call::Call;
use refusal::Refusal;

pub(crate) use caller::is_here;
pub(crate) use key_file::KeyFile;
pub use project::DEFAULT as DEFAULT_PROJECT;
pub(crate) use rights::check as check_identity;
pub use wire::GoogleWire;

/// How long a request for messages waits for one; the service waits longer
/// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/pull#request-body>.
const PULL_WAIT_MS: u64 = 2_000;

/// The services on one address.
#[derive(Debug)]
pub struct Google {
    world: Arc<World>,
}

impl Google {
    /// The services on this state.
    ///
    /// # Errors
    ///
    /// The state cannot be written.
    pub fn new(world: Arc<World>) -> Result<Self, Error> {
        project::seed_default(&world)?;
        Ok(Self { world })
    }

    fn answer(&self, call: &Call<'_>) -> Response<Bytes> {
        let answered = self.world.store.transaction(|state| served(state, call));
        answered.unwrap_or_else(|refusal| wire::refused(&call.operation, &refusal))
    }
}

/// Make a project and a service account.
pub(crate) fn seed(world: &World, project: &str, account: Option<&str>) -> Result<(), Error> {
    project::seed(world, project, account)
}

/// Write the credentials file of whoever a role was attached to, for a sandbox at an address.
pub(crate) fn write_key_file(world: &World, folder: Folder, address: SocketAddr) -> Result<(), Error> {
    let file = KeyFile::write(folder, &address.to_string(), &project::current(world))?;
    world.identities.set_key_file(file);
    Ok(())
}

/// Give a bucket's name to somebody else.
pub(crate) fn seed_taken(world: &World, bucket: &str) -> Result<(), Error> {
    project::seed_taken(world, bucket)
}

#[async_trait::async_trait]
impl Emulator for Google {
    fn wire(&self) -> &dyn Wire {
        &GoogleWire
    }

    async fn handle(&self, request: Request<Bytes>) -> Answer {
        let route = routes::route(&request);
        let mut call = Call::new(&self.world, route, request);
        let mut answer = self.answer(&call);
        let until_ms = call.now_ms + PULL_WAIT_MS;
        let waits = pubsub::message::waits(&call) || pubsub::subscriber::waits(&call);
        while waits && is_empty(&answer) && call.now_ms < until_ms {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if call.presence.is_gone() {
                break;
            }
            call.now_ms = self.world.clock.now_ms();
            answer = self.answer(&call);
        }
        Ok(answer)
    }

    fn environment(&self, address: SocketAddr) -> Vec<(String, String)> {
        let url = format!("http://{address}");
        let variables = [
            ("STORAGE_EMULATOR_HOST", url.clone()),
            ("PUBSUB_EMULATOR_HOST", address.to_string()),
            ("PROVISION_GCP_API_ENDPOINT", url),
            ("GOOGLE_CLOUD_PROJECT", project::current(&self.world)),
        ];
        let file = self.world.identities.key_file().map(|file| file.path.display().to_string());
        let file = file.map(|path| ("GOOGLE_APPLICATION_CREDENTIALS", path));
        variables.into_iter().chain(file).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Whether there are no messages in an answer: in JSON, or in a frame.
fn is_empty(answer: &Response<Bytes>) -> bool {
    [&b"{}"[..], &[0; 5]].contains(&answer.body().as_ref())
}

fn served(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
    caller::check(call)?;
    rights::permit(state, call)?;
    match call.operation.as_str() {
        "storage.json:objects.insert" => storage::upload::answer(state, call),
        "storage.json:objects.list" | "storage.json:objects.get" | "storage.json:objects.delete" => {
            storage::object_json::answer(state, call)
        }
        operation if operation.starts_with("storage.json:notificationConfigs.") => {
            storage::notification::answer(state, call).map(in_json)
        }
        operation if operation.starts_with(pubsub::subscriber::SERVICE) => pubsub::subscriber::answer(state, call),
        operation => match operation.split(':').next().unwrap_or_default() {
            "storage.json" => storage::bucket_json::answer(state, call).map(in_json),
            "storage.xml" => storage::xml::answer(state, call),
            "pubsub" => pubsub::answer(state, call).map(in_json),
            "iam" => iam::answer(state, call).map(in_json),
            "oauth2" => Ok(key_file::token(call)),
            "resourcemanager" => project::answer(state, call).map(in_json),
            _ => Err(Refusal::unserved(operation)),
        },
    }
}

/// An answer in JSON; without a value it has no body.
fn in_json(value: Value) -> Response<Bytes> {
    if value.is_null() {
        return Response::builder().status(StatusCode::NO_CONTENT).body(Bytes::new()).unwrap_or_default();
    }
    wire::json_answer(200, &value)
}
