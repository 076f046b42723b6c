//! What the cases of the contract and the sweeps need to know of a cloud, as data. Where clouds differ it is said here.

pub(crate) mod aws;
pub(crate) mod azure;
pub(crate) mod gcp;

use std::ops::Deref;
use std::process::Child;
use std::time::Duration;

use provision_sandbox::EmulatorKind;
use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::backend::Backend;
use provision_tests::run::Ran;
use provision_tests::stage::{Hand, Stage};
use serde_json::Value;

use crate::rights::Rights;

pub(crate) use aws::AWS;
pub(crate) use azure::{AZURE, AZURE_WITH_DATA};
pub(crate) use gcp::GCP;

/// A cloud.
pub(crate) struct CloudFixture {
    /// As on the command line.
    pub(crate) name: &'static str,
    /// In the sandbox.
    pub(crate) sandbox: EmulatorKind,
    /// Makes what plan files take for granted.
    pub(crate) seed: fn(&Stage),
    /// Plan files, and what changes of them show as.
    pub(crate) plans: Plans,
    /// What is done to ours behind our back.
    pub(crate) edits: Edits,
    /// What others make.
    pub(crate) foreign: Foreign,
    /// Operations of a run that misbehave, and what is said of it.
    pub(crate) faults: Faults,
    /// Everything of ours, named; nothing after destroy and release.
    pub(crate) ours: fn(&Hand) -> Vec<String>,
    /// What [`CloudFixture::ours`] is of the applied plan file.
    pub(crate) applied: &'static [&'static str],
    /// The same once everything was adopted.
    pub(crate) adopted: &'static [&'static str],
    /// The mark of a bucket, by its keys.
    pub(crate) mark: fn(&Hand, &str) -> Value,
    /// Writes the mark of a bucket.
    pub(crate) set_mark: fn(&Hand, &str, &Value),
    /// The bucket that holds data.
    pub(crate) bucket: &'static str,
    /// Uploads an object.
    pub(crate) upload: fn(&Hand, &str),
    /// Puts into the bucket whatever it may hold, before it is emptied.
    pub(crate) fill: fn(&Hand),
    /// The messages that wait in the queue, as text.
    pub(crate) messages: fn(&Hand) -> Vec<String>,
    /// In the bodies of requests that make something, as a trace has them.
    pub(crate) traced: &'static [&'static str],
    /// What no trace may hold, once the outputs were revealed.
    pub(crate) secrets: fn(&Hand) -> Vec<String>,
    /// Variables without which there are no credentials, and the variables that keep the search on this machine.
    pub(crate) credentials: (&'static [&'static str], &'static [(&'static str, &'static str)]),
    /// What no credentials are told as.
    pub(crate) credentials_hint: &'static str,
    /// What a proof is broken by, where the cloud can be proven.
    pub(crate) proof: Option<&'static Proof>,
    /// What documents of rights are.
    pub(crate) rights: Rights,
    /// A bucket for a server that is somebody else's.
    pub(crate) byob: &'static Byob,
    /// The most waves of plan, apply of what is absent, and destroy of what is empty.
    pub(crate) waves: [usize; 3],
}

/// Plan files, and what changes of them show as.
pub(crate) struct Plans {
    /// A plan file with every part.
    pub(crate) whole: &'static str,
    /// The example plan files, and what their outputs say the bucket is.
    pub(crate) examples: [(&'static str, &'static str); 3],
    /// What is replaced in them, where names must be a stage's own.
    pub(crate) example_names: &'static [(&'static str, &'static str)],
    /// What Terraform imports of the longest example.
    pub(crate) imported: &'static [&'static str],
    /// What the server reads of [`Plans::whole`].
    pub(crate) outputs: &'static [&'static str],
    /// Changes, and the field that they show as.
    pub(crate) settings: &'static [Setting],
    /// Several settings at once.
    pub(crate) update: &'static [(&'static str, &'static str)],
    /// Changes that take over what others made ([`Foreign::unmarked`]).
    pub(crate) adopting: &'static [(&'static str, &'static str)],
    /// Other names for the bucket and for what it is in, and what their refusals say.
    pub(crate) bucket_renamed: &'static [Setting],
    /// Other names for the queue, and the orphans that this leaves.
    pub(crate) queue_renamed: (&'static [(&'static str, &'static str)], &'static [&'static str]),
    /// What names of another deployment are, of which the plan file's are a beginning.
    pub(crate) alike: &'static [(&'static str, &'static str)],
    /// A change with which messages do not outlast a weekend.
    pub(crate) brief: (&'static str, &'static str),
    /// A change that protects the deployment.
    pub(crate) protect: (&'static str, &'static str),
}

/// What is done to ours behind our back.
pub(crate) struct Edits {
    /// Edits of each facet, and the field that they show as.
    pub(crate) facets: &'static [Edit],
    /// What is taken away, and the address that shows it.
    pub(crate) gone: &'static [Edit],
    /// Takes away bucket and queues: what carries marks, where the deployment has nothing else that does.
    pub(crate) all_gone: fn(&Hand),
    /// Takes away the queue that has its other name.
    pub(crate) renamed_gone: fn(&Hand),
    /// One field changed on both sides.
    pub(crate) both: (Edit, Setting),
    /// The same value written on both sides, and the writes that put it on record.
    pub(crate) stale: (Edit, Setting, &'static [&'static str]),
}

/// What others make.
pub(crate) struct Foreign {
    /// Makes the bucket alone, without a mark, in what is there.
    pub(crate) bucket: fn(&Hand),
    /// Makes bucket and queue without a mark.
    pub(crate) unmarked: fn(&Hand),
    /// What their refusals say to do.
    pub(crate) unmarked_hints: &'static [&'static str],
    /// Puts entries of others everywhere.
    pub(crate) put: fn(&Hand),
    /// Everything of others.
    pub(crate) all: fn(&Hand) -> Value,
}

/// Operations of a run that misbehave, and what is said of it.
pub(crate) struct Faults {
    /// The first write of [`Plans::update`] to the bucket or what it is in, or the look that it goes by; and which of them.
    pub(crate) update_begins: (&'static str, usize),
    /// Faults that pass, each of the first call of an operation of apply.
    pub(crate) passing: fn() -> Vec<(&'static str, What)>,
    /// Operations of apply whose answers may be lost once they had their effect.
    pub(crate) lost: &'static [&'static str],
    /// An operation of apply, and an answer that says to come again after two seconds.
    pub(crate) patient: fn() -> (&'static str, What),
    /// An operation of apply, and the answer of a service that does nothing.
    pub(crate) ignored: fn() -> (&'static str, What),
    /// A write that is denied, and what its text says.
    pub(crate) denied: Denied,
    /// An operation that reads a facet, denied in vain: shown as unknown.
    pub(crate) denied_read: (&'static str, &'static str),
    /// Reads whose answers have no body to be read.
    pub(crate) bodiless: &'static [&'static str],
    /// Whether the answers of an operation hold an array always, an empty one too.
    pub(crate) always_lists: fn(&str) -> bool,
    /// The answers by which an operation's service asks to slow down.
    pub(crate) throttles: fn(&str) -> Vec<(u16, &'static str)>,
    /// An error that is not to be repeated.
    pub(crate) refusal: fn() -> What,
    /// An error that passes.
    pub(crate) internal: fn() -> What,
    /// Writes that no other change can cross: the service has no such answer to them.
    pub(crate) uncrossed: &'static [&'static str],
    /// What an error says of an operation of the sandbox.
    pub(crate) says: fn(&str) -> String,
    /// The operation that makes the bucket.
    pub(crate) begins: &'static str,
    /// The last request of apply, and which of them, before which somebody else's bucket is seen.
    pub(crate) last_free: (&'static str, usize),
    /// The operation of destroy that deletes the bucket.
    pub(crate) finishes: &'static str,
    /// The last moment of destroy at which an object that arrives is seen.
    pub(crate) last_look: (&'static str, usize, When),
    /// The operation of apply that makes the notification: what is made twice if two runs cross.
    pub(crate) crossed: &'static str,
    /// A part of the write that takes the writers' access away, and of those that empty.
    pub(crate) emptying: (&'static str, &'static str),
}

/// What a proof is broken by, and how others read and write beside it.
pub(crate) struct Proof {
    /// What breaks each hop.
    pub(crate) broken: &'static [Broken],
    /// What of others breaks one, and apply leaves alone.
    pub(crate) stands: &'static [Standing],
    /// Puts a rule of somebody else's behind ours, for everybody.
    pub(crate) rule_of_others: fn(&Hand),
    /// Puts a rule of somebody else's behind ours, by which pages of <https://other.example> may write.
    pub(crate) rule_that_writes: fn(&Hand),
    /// Keeps events from coming.
    pub(crate) no_events: fn(&Hand),
    /// What the sandbox calls the time that an event takes.
    pub(crate) event: &'static str,
    /// The operation with which a run begins to leave something, and the one that listens for its event.
    pub(crate) upload: &'static str,
    pub(crate) hears: &'static str,
    /// The rights without which its object would stay.
    pub(crate) removing: &'static [&'static str],
    /// Puts so many messages of others into the queue.
    pub(crate) put_messages: fn(&Hand, usize),
    /// Those, in order, each with how often it was seen before.
    pub(crate) messages: fn(&Hand) -> Vec<String>,
    /// How often one may have been after one run.
    pub(crate) seen: &'static [&'static str],
    /// Objects that are there, and messages that tell of one.
    pub(crate) left: fn(&Hand) -> Vec<String>,
    /// Puts objects that look like probes, and are none of this deployment; gives what [`Proof::left`] says then, but for events.
    pub(crate) put_alike: fn(&Hand) -> Vec<String>,
}

/// What breaks a hop, and what is said of it.
pub(crate) struct Broken {
    pub(crate) hop: &'static str,
    pub(crate) says: &'static str,
    pub(crate) make: fn(&Hand),
}

/// What others did that breaks a hop, until somebody settles it.
pub(crate) struct Standing {
    pub(crate) broken: Broken,
    /// What is said to be done about it by hand.
    pub(crate) mend: &'static str,
    /// Does it.
    pub(crate) settle: fn(&Hand),
}

/// A bucket for a server that is somebody else's: whom the plan file lets in.
pub(crate) struct Byob {
    pub(crate) plan: &'static str,
    /// Somebody else in the place of one of them.
    pub(crate) exchanged: Setting,
    /// The plan file's section, taken out.
    pub(crate) without: (&'static str, &'static str),
    /// Changes that take over what others made.
    pub(crate) adopting: &'static [(&'static str, &'static str)],
    /// Who is let in, by us or others.
    pub(crate) let_in: fn(&Hand) -> Vec<String>,
    /// What [`CloudFixture::ours`] is of the applied plan file.
    pub(crate) applied: &'static [&'static str],
    /// Those of the plan file, once it is applied, and of the other one.
    pub(crate) granted: &'static [&'static str],
    pub(crate) granted_then: &'static [&'static str],
    /// Others make the bucket, and let in whom they like.
    pub(crate) let_in_by_others: fn(&Hand),
    /// Others let one more in, and who it is.
    pub(crate) joins: (fn(&Hand), &'static str),
    /// Who is let in by [`Byob::let_in_by_others`] then, with those of the plan file.
    pub(crate) granted_beside: &'static [&'static str],
    /// What Terraform imports of the applied plan file.
    pub(crate) imported: &'static [&'static str],
    /// Shuts somebody of the plan file out.
    pub(crate) shut_out: Edit,
    /// A part of the write that shuts everybody out, and of those that empty.
    pub(crate) emptying: (&'static str, &'static str),
}

/// Something done behind our back, and what it shows as.
#[derive(Clone, Copy)]
pub(crate) struct Edit {
    pub(crate) shows: &'static str,
    pub(crate) make: fn(&Hand),
}

/// A change of the plan file, and what it shows as.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) old: &'static str,
    pub(crate) new: &'static str,
    pub(crate) shows: &'static str,
}

/// A write that is denied.
pub(crate) struct Denied {
    pub(crate) operation: &'static str,
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
    /// How many of it apply sends at the same time: none of them comes twice.
    pub(crate) at_once: usize,
    /// In the error's text.
    pub(crate) says: &'static [&'static str],
    /// In the next plan.
    pub(crate) unfinished: &'static str,
}

impl CloudFixture {
    /// A stage with the plan file written and all that it takes for granted.
    pub(crate) fn planned(&self) -> Stage {
        self.set(Stage::start(self.sandbox))
    }

    /// The same on any stage.
    pub(crate) fn set(&self, stage: Stage) -> Stage {
        (self.seed)(&stage);
        stage.write("provision.toml", self.plans.whole);
        stage.faults().clear();
        stage
    }

    /// The same, applied.
    pub(crate) fn applied(&self) -> Stage {
        let stage = self.planned();
        self.apply(&stage);
        stage
    }

    /// An example plan file under names of the stage's own.
    pub(crate) fn example(&self, text: &str) -> String {
        let named = |text: String, (old, new): &(&str, &str)| text.replace(old, new);
        self.plans.example_names.iter().fold(text.to_owned(), named)
    }

    /// Run a command of this cloud.
    pub(crate) fn run(&self, stage: &Stage, arguments: &[&str]) -> Ran {
        stage.run(&[&[self.name], arguments].concat())
    }

    /// Start a command of this cloud.
    pub(crate) fn spawn(&self, stage: &Stage, arguments: &[&str]) -> Child {
        stage.spawn(&[&[self.name], arguments].concat(), |_| {})
    }

    /// Run a command that succeeds; gives what it printed.
    pub(crate) fn succeed(&self, stage: &Stage, arguments: &[&str]) -> String {
        let ran = self.run(stage, arguments);
        assert_eq!(ran.code, 0, "{arguments:?}\n{}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// Run a command that ends with a code; gives all that it printed.
    pub(crate) fn ends(&self, stage: &Stage, code: i32, arguments: &[&str]) -> String {
        let ran = self.run(stage, arguments);
        let printed = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, code, "{arguments:?}\n{printed}");
        printed
    }

    /// Apply, and forget the requests.
    pub(crate) fn apply(&self, stage: &Stage) {
        self.succeed(stage, &["apply", "--yes"]);
        stage.faults().clear();
    }

    /// Drift says that everything is as it should be.
    pub(crate) fn is_in_sync(&self, stage: &Stage) {
        let drift = self.succeed(stage, &["drift"]);
        // What is in sync may be warned about.
        let warned = drift.contains("warning: ") && drift.ends_with("\nwandb-prod: in sync\n");
        assert!(drift == "wandb-prod: in sync\n" || warned, "{drift}");
    }

    /// Do something behind the binary's back.
    pub(crate) fn edit(&self, stage: &Stage, make: fn(&Hand)) {
        make(&stage.hand());
        stage.faults().clear();
    }

    /// The plan file with changes.
    pub(crate) fn plan_with(&self, changes: &[(&str, &str)]) -> String {
        changes.iter().fold(self.plans.whole.to_owned(), |text, (old, new)| {
            assert!(text.contains(old), "{old}");
            text.replace(old, new)
        })
    }

    /// Write the plan file with changes.
    pub(crate) fn change(&self, stage: &Stage, changes: &[(&str, &str)]) {
        stage.write("provision.toml", &self.plan_with(changes));
    }
}

/// A cloud, and what stands in for it.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) cloud: &'static CloudFixture,
    pub(crate) backend: Backend,
}

/// How late the sandbox is with what is new and what is gone, in each case of the contract.
const LATE: Duration = Duration::from_millis(150);

impl Place {
    /// A stage with the plan file written and all that it takes for granted.
    pub(crate) fn planned(&self) -> Stage {
        let mut stage = Stage::start_on(self.backend, self.sandbox);
        if self.backend == Backend::Sandbox && self.sandbox == EmulatorKind::Aws {
            stage.late(LATE);
        }
        self.set(stage)
    }

    /// The same, applied.
    pub(crate) fn applied(&self) -> Stage {
        let stage = self.planned();
        self.apply(&stage);
        stage
    }
}

impl Deref for Place {
    type Target = CloudFixture;

    fn deref(&self) -> &CloudFixture {
        self.cloud
    }
}

/// AWS on the sandbox.
pub(crate) const ON_SANDBOX: Place = Place { cloud: &AWS, backend: Backend::Sandbox };

/// Let calls of an operation fail before they have their effect.
pub(crate) fn fault(stage: &Stage, operation: &str, nth: Nth, what: What) {
    stage.faults().fault(Fault { operation: operation.to_owned(), nth, at: When::Before, what });
}

/// Nothing was written.
pub(crate) fn wrote_nothing(stage: &Stage) {
    assert_eq!(stage.writes(), Vec::<String>::new());
}

impl Setting {
    pub(crate) const fn pair(&self) -> (&'static str, &'static str) {
        (self.old, self.new)
    }
}
