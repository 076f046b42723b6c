//! Each command under an identity with exactly the rights that `permissions` prints for it, and with each one of them taken
//! away: then it fails, and names that one.
//!
//! A short form runs by default; `PROVISION_EVERY_RIGHT=1` takes away every right.

pub(crate) mod scenarios;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use provision_tests::google::find;
use provision_tests::run::{Ran, finished};
use provision_tests::stage::Stage;

use self::scenarios::{COMMANDS, Command, VERIFY_NAME};
use crate::clouds::{AWS, AZURE, CloudFixture, GCP};
use crate::sweep::clouds::{Original, Prepared, Scenario};

/// One in so many rights is taken away by default.
const SHORT: usize = 7;

/// What a cloud's documents are.
pub(crate) struct Rights {
    /// Each right of a document, and the document without it.
    pub(crate) without: fn(&str) -> Vec<(String, String)>,
    /// What a cloud's own resources can be in besides: scenarios of a command.
    pub(crate) more: &'static [(&'static str, &'static Scenario)],
    /// Rights without which some commands go on, and why.
    pub(crate) dispensable: &'static [Dispensable],
}

/// A right without which some commands go on.
pub(crate) struct Dispensable {
    pub(crate) right: &'static str,
    pub(crate) commands: &'static [&'static str],
    pub(crate) why: &'static str,
}

mod permissions_are_what_each_command_needs_and_no_more {
    #[test]
    fn aws() {
        super::permissions_are_what_each_command_needs_and_no_more(&super::AWS);
    }

    #[test]
    fn gcp() {
        super::permissions_are_what_each_command_needs_and_no_more(&super::GCP);
    }

    #[test]
    fn azure() {
        super::permissions_are_what_each_command_needs_and_no_more(&super::AZURE);
    }
}

fn permissions_are_what_each_command_needs_and_no_more(cloud: &'static CloudFixture) {
    let (tried, wrong) = COMMANDS
        .iter()
        .filter(|command| command.name != VERIFY_NAME || cloud.proof.is_some())
        .map(|command| judged(cloud, command))
        .fold((0, Vec::new()), |all, one| (all.0 + one.0, [all.1, one.1].concat()));
    // To the stream itself: the test runner keeps what the macros print.
    let _ =
        writeln!(std::io::stderr(), "{}: {tried} runs under printed rights, {} went wrong", cloud.name, wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A scenario that went well with all its rights.
struct Judged {
    scenario: &'static Scenario,
    original: &'static Original,
    document: String,
    /// What its calls were judged by.
    asked: BTreeSet<String>,
}

/// How many runs were tried, and what went wrong.
fn judged(cloud: &'static CloudFixture, command: &Command) -> (usize, Vec<String>) {
    let wrong = Mutex::new(Vec::new());
    let more = cloud.rights.more.iter().filter(|(of, _)| *of == command.name).map(|(_, scenario)| *scenario);
    let scenarios: Vec<_> = command.scenarios.iter().copied().chain(more).collect();
    let found = at_once(&scenarios, |scenario| match Judged::try_all(cloud, command, scenario) {
        Ok(judged) => Some(judged),
        Err(why) => {
            wrong.lock().unwrap().push(why);
            None
        }
    });
    let found: Vec<_> = found.into_iter().flatten().collect();
    let every = if std::env::var_os("PROVISION_EVERY_RIGHT").is_some() { 1 } else { SHORT };
    let rights: BTreeSet<_> =
        found.iter().flat_map(|judged| without(cloud, &judged.document)).map(|(right, _)| right).collect();
    let rights: Vec<_> = rights.into_iter().step_by(every).collect();
    at_once(&rights, |right| {
        let dispensable =
            cloud.rights.dispensable.iter().find(|one| one.right == *right && one.commands.contains(&command.name));
        if let Err(why) = is_needed(cloud, command, &found, right, dispensable) {
            wrong.lock().unwrap().push(why);
        }
    });
    (scenarios.len() + rights.len(), wrong.into_inner().unwrap())
}

fn without(cloud: &CloudFixture, document: &str) -> Vec<(String, String)> {
    (cloud.rights.without)(document)
}

impl Judged {
    /// With all of its rights a scenario ends well.
    fn try_all(cloud: &'static CloudFixture, command: &Command, scenario: &'static Scenario) -> Result<Self, String> {
        let original: &'static Original = Box::leak(Box::new(Original::make(cloud, scenario)));
        let world = Prepared::of(cloud, scenario, original);
        let document = printed(cloud, &world.stage, command.name);
        let ran = under(&world, &document);
        let asked = world.stage.sandbox().world().identities.asked();
        let asked =
            asked.iter().map(|asked| asked.split(' ').next().unwrap_or_default().to_ascii_lowercase()).collect();
        match ran.code {
            0 => Ok(Self { scenario, original, document, asked }),
            code => Err(format!(
                "{} {:?} with all of its rights: exit {code}\n{}{}",
                command.name, scenario.arguments, ran.stdout, ran.stderr
            )),
        }
    }
}

/// Without a right some scenario fails, and names it; without one that is dispensable it goes on.
fn is_needed(
    cloud: &'static CloudFixture,
    command: &Command,
    found: &[Judged],
    right: &String,
    dispensable: Option<&Dispensable>,
) -> Result<(), String> {
    let mut told = Vec::new();
    for judged in found.iter().filter(|judged| judged.asked.contains(&right.to_ascii_lowercase())) {
        let documents = without(cloud, &judged.document);
        let Some((_, document)) = documents.iter().find(|(taken, _)| taken == right) else { continue };
        let ran = under(&Prepared::of(cloud, judged.scenario, judged.original), document);
        let printed = format!("{}{}", ran.stdout, ran.stderr);
        let fails = ran.code != 0 && printed.contains(&format!("`{right}`"));
        if if dispensable.is_some() { ran.code == 0 } else { fails } {
            return Ok(());
        }
        told.push(format!("{:?}: exit {}\n{printed}", judged.scenario.arguments, ran.code));
    }
    let expected = dispensable.map_or("does not fail naming it", |one| one.why);
    Err(format!("{} without {right}: {expected}\n{}", command.name, told.join("\n")))
}

/// The rights that are printed for a command.
fn printed(cloud: &CloudFixture, stage: &Stage, command: &str) -> String {
    let ran = cloud.run(stage, &["permissions", "--for", command]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    ran.stdout
}

/// A run of an identity that has these rights.
fn under(world: &Prepared, document: &str) -> Ran {
    world.stage.sandbox().attach(&world.stage.fill(document)).unwrap();
    finished(world.start_with(&[]))
}

/// Do something with each, several at the same time.
fn at_once<T: Sync, R: Send>(all: &[T], run: impl Fn(&T) -> R + Sync) -> Vec<R> {
    const AT_ONCE: usize = 6;
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = run(one);
            done.lock().unwrap().push(result);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            if let Err(panic) = worker.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    done.into_inner().unwrap()
}

#[test]
fn permissions_send_nothing_and_are_a_document_for_each_tool() {
    for cloud in [&AWS, &GCP, &AZURE] {
        let stage = cloud.planned();
        let told = |arguments: &[&str]| {
            let ran = cloud.run(&stage, &[&["permissions"], arguments].concat());
            assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
            ran
        };
        let proven: &[&str] = if cloud.proof.is_some() { &[VERIFY_NAME] } else { &[] };
        for task in ["plan", "apply", "drift", "destroy", "server"].iter().chain(proven).copied() {
            let native = told(&["--for", task, "--format", "cloud"]);
            assert_eq!(native.stdout, told(&["--for", task]).stdout);
            let terraform = told(&["--for", task, "--format", "terraform"]).stdout;
            assert!(terraform.contains("resource \"") && !terraform.contains(": "), "{terraform}");
            let json: serde_json::Value = serde_json::from_str(&told(&["--for", task, "--json"]).stdout).unwrap();
            assert_eq!(json["documents"][0]["text"], native.stdout);
        }
        for (repository, subject) in [("github:acme/infra", "acme/infra"), ("gitlab:acme/ml/infra", "acme/ml/infra")] {
            for syntax in ["cloud", "terraform"] {
                let trust = told(&["--trust", repository, "--format", syntax]).stdout;
                assert!(trust.contains(subject), "{trust}");
            }
        }
        let both = &["--for", "plan", "--trust", "github:acme/infra"][..];
        for wrong in
            [&["--trust", "acme/infra"][..], &["--trust", "github:acme/*"], &[], &["--for", "everything"], both]
        {
            assert_eq!(cloud.run(&stage, &[&["permissions"], wrong].concat()).code, 64, "{wrong:?}");
        }
        assert_eq!(stage.calls().len(), 0, "{}", cloud.name);
    }
}

/// What lets a repository's jobs in, with all that is to be known of it.
#[test]
fn trust_says_whom_it_lets_in() {
    for cloud in [&AWS, &GCP, &AZURE] {
        let stage = cloud.planned();
        let screens =
            ["github:acme/infra", "github:acme@1/infra@2:environment:prod", "gitlab:acme/ml/infra"].map(|repository| {
                let ran = cloud.run(&stage, &["permissions", "--trust", repository]);
                format!("$ {repository}: exit {}\n--- stdout\n{}--- stderr\n{}", ran.code, ran.stdout, ran.stderr)
            });
        insta::assert_snapshot!(format!("trust_on_{}", cloud.name), screens.join("\n"));
    }
}

/// Every document for Terraform is as its own tool leaves it.
#[test]
fn documents_for_terraform_are_formatted() {
    let Some(terraform) = find("terraform") else {
        let _ = writeln!(std::io::stderr(), "skipped: terraform is not on this machine");
        return;
    };
    for cloud in [&AWS, &GCP, &AZURE] {
        let stage = cloud.planned();
        let asked = ["plan", "apply", "destroy", "server"].map(|task| ["--for", task]);
        let trusts = ["github:acme/infra", "gitlab:acme/infra:ref_type:tag:ref:v1"].map(|forge| ["--trust", forge]);
        for what in asked.iter().chain(&trusts) {
            let ran = cloud.run(&stage, &[&["permissions", "--format", "terraform"], &what[..]].concat());
            stage.write("document.tf", &ran.stdout);
            let mut command = std::process::Command::new(&terraform);
            command.args(["fmt", "-check", "-diff", "document.tf"]).current_dir(stage.path());
            let checked =
                command.env_clear().env("HOME", stage.path()).env("CHECKPOINT_DISABLE", "1").output().unwrap();
            let told = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
            assert!(checked.status.success(), "{} {what:?}: {told}", cloud.name);
        }
    }
}
