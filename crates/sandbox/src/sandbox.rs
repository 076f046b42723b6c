//! A running set of clouds.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::auth0::{self, Auth0};
use crate::aws::{self, Aws};
use crate::azure::{self, Azure, Endpoint};
use crate::clock::Clock;
use crate::emulator::Emulator;
use crate::fault::Faults;
use crate::files::Folder;
use crate::google::{self, Google};
use crate::identities::{AWS_SECRET, Identities};
use crate::layer::FaultLayer;
use crate::slack::Slack;
use crate::state::Store;
use crate::tls::Authority;
use crate::world::World;
use crate::{Error, server};

/// A cloud of the sandbox. Each listens on a port of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EmulatorKind {
    /// Amazon Web Services.
    Aws,
    /// Google Cloud.
    Google,
    /// Microsoft Azure: Resource Manager, with blobs and queues on the two ports that follow.
    Azure,
    /// Auth0.
    Auth0,
    /// Slack.
    Slack,
}

impl EmulatorKind {
    /// Every cloud there is.
    pub const ALL: [Self; 5] = [Self::Aws, Self::Google, Self::Azure, Self::Auth0, Self::Slack];

    /// How many ports it listens on.
    const fn ports(self) -> u16 {
        match self {
            Self::Aws | Self::Google | Self::Auth0 | Self::Slack => 1,
            Self::Azure => 3,
        }
    }
}

/// A port so many after another; a free one after a free one.
const fn following(port: u16, by: u16) -> u16 {
    if port == 0 { 0 } else { port.saturating_add(by) }
}

/// How a sandbox is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its state is kept; `None` for one that ends with the process.
    pub directory: Option<PathBuf>,
    /// The clouds to run.
    pub clouds: Vec<EmulatorKind>,
    /// The port of the first cloud, the others following; 0 for free ones.
    pub port: u16,
    /// How it misbehaves.
    pub faults: Faults,
    /// Keep a record of every request, for tests.
    pub recording: bool,
    /// Let the services' own waits pass quickly: a queue's name is free after a second, and not after a minute.
    pub hastened: bool,
    /// The secret key that goes with the keys of AWS that [`Sandbox::environment`] gives.
    pub aws_secret: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            directory: None,
            clouds: EmulatorKind::ALL.to_vec(),
            port: 0,
            faults: Faults::default(),
            recording: false,
            hastened: false,
            aws_secret: AWS_SECRET.to_owned(),
        }
    }
}

/// Clouds that run on 127.0.0.1 until the value is dropped.
pub struct Sandbox {
    world: Arc<World>,
    addresses: BTreeMap<EmulatorKind, SocketAddr>,
    clouds: BTreeMap<EmulatorKind, Arc<dyn Emulator>>,
    warnings: Vec<String>,
    directory: Option<PathBuf>,
    authority: Option<Authority>,
    threads: Threads,
}

impl Sandbox {
    /// Start one.
    ///
    /// # Errors
    ///
    /// Its state cannot be opened (see [`Store::open`]), or there is no port for it.
    pub fn start(options: Options) -> Result<Self, Error> {
        let (store, warnings) = match &options.directory {
            Some(directory) => Store::open(directory)?,
            None => (Store::in_memory(), Vec::new()),
        };
        let faults = Arc::new(FaultLayer::new(options.faults, options.recording));
        let identities = Identities::new(options.aws_secret);
        let world = Arc::new(World { store, faults, clock: Clock::new(options.hastened), identities });
        let threads = Threads::start()?;
        let (addresses, clouds, directory) = (BTreeMap::new(), BTreeMap::new(), options.directory);
        let mut sandbox = Self { world, addresses, clouds, warnings, directory, authority: None, threads };
        let mut port = options.port;
        for name in options.clouds {
            sandbox.run(name, port)?;
            port = following(port, name.ports());
        }
        Ok(sandbox)
    }

    /// Empty the sandbox of a folder. Succeeds if there is none.
    ///
    /// # Errors
    ///
    /// Another process uses it, or the files cannot be removed.
    pub fn reset(directory: &Path) -> Result<(), Error> {
        crate::state::remove(directory)
    }

    /// Where a cloud listens.
    #[must_use]
    pub fn address(&self, cloud: EmulatorKind) -> Option<SocketAddr> {
        self.addresses.get(&cloud).copied()
    }

    /// The variables that clients need to find the clouds and be let in.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let clouds = self.addresses.iter().filter_map(|(name, address)| Some((self.clouds.get(name)?, *address)));
        clouds.flat_map(|(cloud, address)| cloud.environment(address)).collect()
    }

    /// Set the account and region of the credentials that [`Sandbox::environment`] gives, and make a role if it is not
    /// there: what a plan file takes for granted.
    ///
    /// # Errors
    ///
    /// The state cannot be written.
    pub fn seed_aws(&self, account: &str, region: &str, role: Option<&str>) -> Result<(), Error> {
        aws::seed(&self.world, account, region, role)
    }

    /// Let the credentials that [`Sandbox::environment`] gives from now on do what a document of rights says, and nothing else.
    /// Gives the cloud whose document it is.
    ///
    /// # Errors
    ///
    /// It is no document of rights of any cloud, or one that the sandbox cannot judge by.
    pub fn attach(&self, document: &str) -> Result<EmulatorKind, Error> {
        let failed = |reason: String| Error::Identity { reason };
        let (cloud, checked) = match document {
            _ if document.contains("\"AssignableScopes\"") => (EmulatorKind::Azure, azure::check_identity(document)),
            _ if auth0::holds_scopes(document) => (EmulatorKind::Auth0, auth0::check_identity(document)),
            _ if document.contains("includedPermissions:") => (EmulatorKind::Google, google::check_identity(document)),
            _ => (EmulatorKind::Aws, aws::check_identity(document)),
        };
        checked.map_err(failed)?;
        self.world.identities.attach(cloud, document);
        Ok(cloud)
    }

    /// Write the credentials file of Google's identity, whose signatures are verified then; [`Sandbox::environment`] names it. It is in
    /// the sandbox's folder, or goes with the process.
    ///
    /// # Errors
    ///
    /// There is no Google here, or the file cannot be written.
    pub fn write_google_credentials(&self) -> Result<(), Error> {
        let absent = || Error::Identity { reason: "Google Cloud is not among the clouds".to_owned() };
        let address = self.address(EmulatorKind::Google).ok_or_else(absent)?;
        google::write_key_file(&self.world, Folder::of(self.directory.as_deref())?, address)
    }

    /// Make a project, if it is not there, and in it a service account: what a plan file takes for granted.
    /// [`Sandbox::environment`] names the project that was seeded last.
    ///
    /// # Errors
    ///
    /// The state cannot be written.
    pub fn seed_google(&self, project: &str, service_account: Option<&str>) -> Result<(), Error> {
        google::seed(&self.world, project, service_account)
    }

    /// Give the name of a bucket of Cloud Storage to somebody else: whoever asks for it is told that it is not available,
    /// and is denied the bucket.
    ///
    /// # Errors
    ///
    /// The state cannot be written.
    pub fn seed_google_taken(&self, bucket: &str) -> Result<(), Error> {
        google::seed_taken(&self.world, bucket)
    }

    /// Make a subscription of a tenant, with its resource providers registered, if it is not there, and in the tenant a
    /// principal that roles can be assigned to: what a plan file takes for granted. [`Sandbox::environment`] names the
    /// subscription and tenant that were seeded last.
    ///
    /// # Errors
    ///
    /// The state cannot be written.
    pub fn seed_azure(&self, subscription: &str, tenant: &str, principal: Option<&str>) -> Result<(), Error> {
        azure::seed(&self.world, subscription, tenant, principal)
    }

    /// Make a resource group of a subscription, if it is not there, and in it a storage account: what a plan file takes for
    /// granted that makes them not itself.
    ///
    /// # Errors
    ///
    /// The state cannot be written.
    pub fn seed_azure_group(
        &self,
        subscription: &str,
        group: &str,
        account: Option<&str>,
        location: &str,
    ) -> Result<(), Error> {
        azure::seed_group(&self.world, subscription, group, account, location)
    }

    /// Let whoever [`Sandbox::environment`] names work on the data of a subscription, by the roles for blobs and queues there:
    /// Azure's owners of a subscription have none.
    ///
    /// # Errors
    ///
    /// The state cannot be written.
    pub fn seed_azure_data_roles(&self, subscription: &str) -> Result<(), Error> {
        azure::seed_data_roles(&self.world, subscription, azure::CLIENT)
    }

    /// Signs texts with the key of the storage account that is named first; without such an account there is no signature.
    pub fn azure_signer(&self) -> impl Fn(&str, &str) -> Option<String> + Send + Sync + use<> {
        let world = self.world.clone();
        move |account, text| azure::sign(&world, account, text)
    }

    /// Give the name of a storage account to somebody else.
    ///
    /// # Errors
    ///
    /// The state cannot be written.
    pub fn seed_azure_taken(&self, account: &str) -> Result<(), Error> {
        azure::seed_taken(&self.world, account)
    }

    /// Make a tenant of Auth0, if it is not there: what a plan file takes for granted. `plan` is what all tenants pay for from now
    /// on, where it is another than before.
    ///
    /// # Errors
    ///
    /// The state cannot be written.
    pub fn seed_auth0(&self, domain: &str, plan: Option<auth0::Plan>) -> Result<(), Error> {
        auth0::seed(&self.world, domain, plan)
    }

    /// Let Auth0's machine-to-machine application sign in place of its secret, with the key of this public one in DER.
    ///
    /// # Errors
    ///
    /// The state cannot be written.
    pub fn seed_auth0_key(&self, public: &[u8]) -> Result<(), Error> {
        auth0::seed_key(&self.world, public)
    }

    /// Make a private key that Auth0's machine-to-machine application may sign with in the place of its secret; gives it in PEM.
    ///
    /// # Errors
    ///
    /// The state cannot be written.
    pub fn make_auth0_key(&self) -> Result<String, Error> {
        auth0::make_key(&self.world)
    }

    /// What was found and mended when the state was opened.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// State, misbehaviour and time.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// How it misbehaves, and what it was asked.
    #[must_use]
    pub fn faults(&self) -> &FaultLayer {
        &self.world.faults
    }

    fn run(&mut self, name: EmulatorKind, port: u16) -> Result<(), Error> {
        let world = Arc::clone(&self.world);
        let cloud: Arc<dyn Emulator> = match name {
            EmulatorKind::Aws => Arc::new(Aws::new(world)),
            EmulatorKind::Google => Arc::new(Google::new(world)?),
            EmulatorKind::Auth0 => Arc::new(Auth0::new(world)),
            EmulatorKind::Slack => Arc::new(Slack::new(world)?),
            EmulatorKind::Azure => return self.run_azure(port),
        };
        let (listener, address) = listen(&self.threads, port)?;
        self.addresses.insert(name, address);
        self.clouds.insert(name, Arc::clone(&cloud));
        self.threads.spawn(server::serve(listener, cloud, Arc::clone(&self.world.faults)));
        Ok(())
    }

    /// Azure's servers know each other's addresses and speak TLS.
    fn run_azure(&mut self, port: u16) -> Result<(), Error> {
        azure::start(&self.world)?;
        let authority = Authority::make(self.directory.as_deref())?;
        let (manager, resource_manager) = listen(&self.threads, port)?;
        let (blobs, blob) = listen(&self.threads, following(port, 1))?;
        let (queues, queue) = listen(&self.threads, following(port, 2))?;
        let addresses = azure::Addresses { resource_manager, blob, queue };
        for (listener, endpoint) in
            [(manager, Endpoint::ResourceManager), (blobs, Endpoint::Blob), (queues, Endpoint::Queue)]
        {
            let cloud: Arc<dyn Emulator> =
                Arc::new(Azure::new(Arc::clone(&self.world), endpoint, addresses, &authority.file));
            if endpoint == Endpoint::ResourceManager {
                self.clouds.insert(EmulatorKind::Azure, Arc::clone(&cloud));
            }
            let faults = Arc::clone(&self.world.faults);
            self.threads.spawn(server::serve_tls(listener, authority.acceptor.clone(), cloud, faults));
        }
        self.addresses.insert(EmulatorKind::Azure, resource_manager);
        self.authority = Some(authority);
        Ok(())
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sandbox").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.threads.stop();
        // The journal has everything; a snapshot that cannot be written now is written another time.
        let _ = self.world.store.close();
    }
}

/// Threads of a server's own: it goes on while its caller waits, whatever runtime the caller has.
#[derive(Debug)]
pub(crate) struct Threads {
    runtime: Option<Runtime>,
}

impl Threads {
    pub(crate) fn start() -> Result<Self, Error> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).thread_name("sandbox").enable_all().build();
        Ok(Self { runtime: Some(runtime.map_err(Error::Threads)?) })
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(task);
        }
    }

    /// Run something that registers with the runtime.
    pub(crate) fn within<T>(&self, run: impl FnOnce() -> T) -> T {
        let _guard = self.runtime.as_ref().map(Runtime::enter);
        run()
    }

    /// End, and wait a moment for requests that are being answered.
    fn stop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        // On a thread of its own, since a runtime must not be waited for inside another one.
        let stopping = std::thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(1)));
        let _ = stopping.join();
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Listen on 127.0.0.1, which no other machine can reach.
pub(crate) fn listen(threads: &Threads, port: u16) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { port, source };
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let listener = threads.within(|| TcpListener::from_std(listener)).map_err(failed)?;
    Ok((listener, address))
}
