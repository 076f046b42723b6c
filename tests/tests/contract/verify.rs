//! The proof: each hop, broken and mended, and what becomes of the messages of others.

use std::process::Child;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_sandbox::layer::FaultLayer;
use provision_tests::documents::judge_junit;
use provision_tests::run::{finished, signal};
use provision_tests::stage::Stage;
use serde_json::Value;

use super::preflight::{attach, document, without};
use crate::clouds::{CloudFixture, Place, Proof, Standing, fault};
use crate::sweep::{Point, World, is_killed_at, recovers};

/// Each case as a test of its own on every cloud that can be proven.
macro_rules! proofs {
    ($($case:ident,)*) => {
        $(mod $case {
            mod aws {
                on_its_sandbox!($case, AWS);
            }

            mod gcp {
                on_its_sandbox!($case, GCP);
            }

            mod azure {
                on_its_sandbox!($case, AZURE_WITH_DATA);
            }
        })*
    };
}

proofs! {
    verify_passes_and_leaves_nothing,
    verify_names_the_hop_that_is_broken_and_the_command_that_mends_it,
    verify_names_what_must_be_settled_first,
    verify_mends_by_no_apply_what_apply_leaves_alone,
    verify_fails_where_something_may_not_be_looked_at,
    verify_of_a_bucket_for_a_server_of_others,
    verify_sweeps_what_a_run_without_a_prefix_left,
    verify_beside_another_run_is_not_kept_waiting,
    verify_that_only_reads_writes_nothing,
    verify_of_what_is_not_there_uploads_nothing,
    verify_uploads_nothing_that_it_could_not_remove,
    verify_asks_as_a_page_of_another_origin,
    verify_puts_the_probe_where_it_is_told_to,
    verify_is_strict_about_what_is_not_proven,
    verify_waits_for_a_late_event,
    verify_removes_nothing_but_probes_of_this_deployment,
    verify_loses_none_of_a_thousand_messages_of_others,
    verify_killed_at_every_request_leaves_nothing_after_the_next_run,
    verify_repeats_what_passes_and_leaves_nothing,
    verify_that_is_stopped_cleans_up,
    verify_names_pages_of_others_that_may_write,
    verify_shows_no_signature,
    verify_report_formats,
}

/// What a cloud's proof is to these cases.
fn proof(cloud: &CloudFixture) -> &'static Proof {
    cloud.proof.expect("the cloud can be proven")
}

/// A cloud that shows what is new at once, applied.
fn applied(cloud: &Place) -> Stage {
    cloud.cloud.applied()
}

/// Run a proof that ends with a code; gives its hops.
fn hops(cloud: &Place, stage: &Stage, code: i32, arguments: &[&str]) -> Vec<Value> {
    let printed = cloud.ends(stage, code, &[&["verify", "--json"], arguments].concat());
    let last = printed.lines().rfind(|line| line.contains("\"type\":\"summary\""));
    let last: Value = serde_json::from_str(last.unwrap_or_else(|| panic!("{printed}"))).unwrap();
    last["hops"].as_array().unwrap().clone()
}

fn hop<'a>(hops: &'a [Value], id: &str) -> &'a Value {
    hops.iter().find(|hop| hop["id"] == id).unwrap_or_else(|| panic!("no {id}: {hops:?}"))
}

fn verdicts(hops: &[Value]) -> Vec<&str> {
    hops.iter().filter_map(|hop| hop["verdict"].as_str()).collect()
}

fn leaves_nothing(cloud: &Place, stage: &Stage) {
    assert_eq!((proof(cloud).left)(&stage.hand()), Vec::<String>::new());
}

fn verify_passes_and_leaves_nothing(cloud: &Place) {
    let stage = cloud.applied();
    let printed = cloud.succeed(&stage, &["verify"]);
    assert!(printed.contains("Everything works."), "{printed}");
    assert_eq!(verdicts(&hops(cloud, &stage, 0, &["--strict"])), ["passed"; 6]);
    leaves_nothing(cloud, &stage);
    cloud.is_in_sync(&stage);
}

/// Each hop in each way: it is named with the command, and that mends it.
fn verify_names_the_hop_that_is_broken_and_the_command_that_mends_it(cloud: &Place) {
    let stage = applied(cloud);
    for broken in proof(cloud).broken {
        cloud.edit(&stage, broken.make);
        let found = hops(cloud, &stage, 2, &["--wait", "20"]);
        let hop = hop(&found, broken.hop);
        assert_eq!(hop["verdict"], "failed", "{}: {found:#?}", broken.says);
        let reason = hop["reason"].as_str().unwrap();
        assert!(reason.contains(broken.says), "{}: {reason}", broken.says);
        let mend = hop["mend"].as_str().unwrap_or_else(|| panic!("{}: {hop}", broken.says));
        assert_eq!(mend, format!("provision {} apply provision.toml", cloud.name), "{hop}");
        leaves_nothing(cloud, &stage);
        // Some names are free again only after a while.
        stage.hastened(|| cloud.apply(&stage));
        let mended = hops(cloud, &stage, 0, &[]);
        assert!(mended.iter().all(|hop| hop["verdict"] != "failed"), "{}: {mended:#?}", broken.says);
    }
    leaves_nothing(cloud, &stage);
}

/// What of others apply leaves alone: the hop says what is to be done about it by hand, and that mends it, with the apply that it names
/// after it.
fn verify_names_what_must_be_settled_first(cloud: &Place) {
    let stage = applied(cloud);
    for Standing { broken, mend, settle } in proof(cloud).stands {
        cloud.edit(&stage, broken.make);
        let found = hops(cloud, &stage, 2, &["--wait", "20"]);
        let says = broken.says;
        let hop = hop(&found, broken.hop);
        assert!(hop["reason"].as_str().is_some_and(|reason| reason.contains(says)), "{says}: {found:#?}");
        let apply = format!("provision {} apply provision.toml", cloud.name);
        for failed in found.iter().filter(|hop| hop["verdict"] == "failed") {
            let said = failed["mend"].as_str().unwrap_or_else(|| panic!("{says}: {failed}"));
            assert!(said.contains(mend) && !said.starts_with("provision "), "{says}: {failed}");
        }
        let applies = found.iter().any(|hop| hop["mend"].as_str().is_some_and(|mend| mend.contains(&apply)));
        cloud.edit(&stage, *settle);
        if applies {
            cloud.apply(&stage);
        }
        let mended = hops(cloud, &stage, 0, &["--strict"]);
        assert_eq!(verdicts(&mended), ["passed"; 6], "{says}");
    }
    leaves_nothing(cloud, &stage);
}

/// A rule of somebody else's stays: it is said how it is taken out by hand.
fn verify_mends_by_no_apply_what_apply_leaves_alone(cloud: &Place) {
    let stage = applied(cloud);
    cloud.edit(&stage, proof(cloud).rule_of_others);
    let found = hops(cloud, &stage, 0, &[]);
    let mend = hop(&found, "browsers")["mend"].as_str().unwrap();
    assert!(mend.contains("take that rule out") && !mend.contains("provision "), "{mend}");
}

/// What a rule of others lets other pages do is told each time, by name, also where ours is as it should be.
fn verify_names_pages_of_others_that_may_write(cloud: &Place) {
    let stage = applied(cloud);
    cloud.edit(&stage, proof(cloud).rule_that_writes);
    for command in ["plan", "verify"] {
        let printed = cloud.ends(&stage, 0, &[command]);
        assert!(printed.contains("pages of https://other.example may PUT too"), "{command}: {printed}");
    }
}

fn verify_fails_where_something_may_not_be_looked_at(cloud: &Place) {
    let stage = applied(cloud);
    fault(&stage, cloud.faults.denied_read.0, Nth::Every, (cloud.faults.refusal)());
    let found = hops(cloud, &stage, 1, &["--read-only"]);
    assert_eq!(hop(&found, "resources")["verdict"], "not_proven", "{found:#?}");
}

/// There is no queue, and whom the plan file lets in has its rights.
fn verify_of_a_bucket_for_a_server_of_others(cloud: &Place) {
    let (stage, byob) = (cloud.planned(), cloud.byob);
    stage.write("provision.toml", byob.plan);
    cloud.apply(&stage);
    let found = hops(cloud, &stage, 0, &[]);
    assert!(found.iter().all(|hop| hop["verdict"] != "failed"), "{found:#?}");
    assert_eq!(hop(&found, "rights")["verdict"], "passed", "{found:#?}");
    let event = hop(&found, "event");
    assert_eq!(event["verdict"], "skipped", "{event}");
    assert!(event["reason"].as_str().unwrap().contains("makes no queue"), "{event}");
    cloud.edit(&stage, byob.shut_out.make);
    let found = hops(cloud, &stage, 2, &["--read-only"]);
    assert_eq!((&hop(&found, "rights")["verdict"]), "failed", "{found:#?}");
}

/// Whatever prefix the next run has.
fn verify_sweeps_what_a_run_without_a_prefix_left(cloud: &Place) {
    let world = Proving { cloud, stage: applied(cloud) };
    let point = (proof(cloud).upload.to_owned(), 1);
    assert!(is_killed_at(&world, &point, When::After));
    world.layer().clear();
    cloud.succeed(&world.stage, &["verify", "--prefix", "elsewhere/", "--strict"]);
    leaves_nothing(cloud, &world.stage);
}

/// Each has what is its own: none takes the other's event, or says at once that it did.
fn verify_beside_another_run_is_not_kept_waiting(cloud: &Place) {
    let stage = applied(cloud);
    let runs = [(); 2].map(|()| cloud.spawn(&stage, &["verify"]));
    for run in runs {
        let ran = finished(run);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    }
    cloud.succeed(&stage, &["verify"]);
    leaves_nothing(cloud, &stage);
}

fn verify_that_only_reads_writes_nothing(cloud: &Place) {
    let stage = applied(cloud);
    let found = hops(cloud, &stage, 0, &["--read-only", "--strict"]);
    assert_eq!(verdicts(&found), ["passed", "passed", "passed", "skipped", "skipped", "skipped"]);
    assert_eq!(stage.writes(), Vec::<String>::new());
}

fn verify_of_what_is_not_there_uploads_nothing(cloud: &Place) {
    let stage = cloud.planned();
    let found = hops(cloud, &stage, 2, &[]);
    assert_eq!(hop(&found, "resources")["verdict"], "failed");
    assert_eq!(hop(&found, "files")["verdict"], "skipped");
    assert_eq!(stage.writes(), Vec::<String>::new());
    // Somebody else's bucket of this name is not written into.
    cloud.edit(&stage, cloud.foreign.unmarked);
    let found = hops(cloud, &stage, 2, &[]);
    assert_eq!(hop(&found, "files")["verdict"], "skipped");
    assert_eq!(stage.writes(), Vec::<String>::new());
}

/// Whoever may upload and not delete would leave a probe in the bucket of a server.
fn verify_uploads_nothing_that_it_could_not_remove(cloud: &Place) {
    let stage = applied(cloud);
    let whole = document(cloud, &stage, "verify");
    for right in proof(cloud).removing {
        attach(&stage, &without(cloud, &whole, right));
        let found = hops(cloud, &stage, 0, &[]);
        assert!(stage.writes().iter().all(|write| !write.contains(":Put")), "{right}: {:?}", stage.writes());
        let reason = |id: &str| hop(&found, id)["reason"].as_str().unwrap_or_default();
        let verdicts: Vec<_> = ["files", "event", "cleanup"].iter().map(|id| &hop(&found, id)["verdict"]).collect();
        assert_eq!(verdicts, ["not_proven", "skipped", "not_proven"], "{found:#?}");
        assert!(reason("files").contains("it could not be removed again"), "{found:#?}");
        assert!(reason("cleanup").contains(&format!("these credentials lack `{right}` on ")), "{found:#?}");
        hops(cloud, &stage, 2, &["--strict"]);
    }
    attach(&stage, &whole);
    assert_eq!(verdicts(&hops(cloud, &stage, 0, &["--strict"])), ["passed"; 6]);
    leaves_nothing(cloud, &stage);
}

fn verify_asks_as_a_page_of_another_origin(cloud: &Place) {
    let stage = applied(cloud);
    let found = hops(cloud, &stage, 2, &["--origin", "https://other.example.com"]);
    let mend = hop(&found, "browsers")["mend"].as_str().unwrap();
    assert!(mend.contains("\"https://other.example.com\" to `origins` under ["), "{mend}");
    cloud.ends(&stage, 64, &["verify", "--origin", "other.example.com/path"]);
    let host = hops(cloud, &stage, 0, &["--origin", "https://wandb.example.com"]);
    assert!(verdicts(&host).iter().all(|verdict| *verdict == "passed"), "{host:?}");
}

fn verify_puts_the_probe_where_it_is_told_to(cloud: &Place) {
    let stage = applied(cloud);
    let found = hops(cloud, &stage, 0, &["--prefix", "odd key+\u{e9}/"]);
    let event = hop(&found, "event");
    assert_eq!(event["verdict"], "passed", "{event}");
    assert!(event["came"][0].as_str().unwrap().contains("odd key+\u{e9}/"), "{event}");
    leaves_nothing(cloud, &stage);
    for prefix in ["", "/x", "../x/", "x/./"] {
        cloud.ends(&stage, 64, &["verify", "--prefix", prefix]);
    }
}

/// Somebody else's rule lets everybody in: that is not ours to mend, and not in order either.
fn verify_is_strict_about_what_is_not_proven(cloud: &Place) {
    let stage = applied(cloud);
    cloud.edit(&stage, proof(cloud).rule_of_others);
    let found = hops(cloud, &stage, 0, &[]);
    assert_eq!(hop(&found, "browsers")["verdict"], "not_proven", "{found:#?}");
    hops(cloud, &stage, 2, &["--strict"]);
}

fn verify_waits_for_a_late_event(cloud: &Place) {
    let stage = applied(cloud);
    // By the cloud's clock.
    stage.faults().set_propagation(proof(cloud).event, Duration::from_secs(30));
    let found = hops(cloud, &stage, 0, &["--wait", "600"]);
    assert!(verdicts(&found).iter().all(|verdict| *verdict == "passed"), "{found:?}");
    leaves_nothing(cloud, &stage);
}

fn verify_removes_nothing_but_probes_of_this_deployment(cloud: &Place) {
    let stage = applied(cloud);
    let others = (proof(cloud).put_alike)(&stage.hand());
    cloud.succeed(&stage, &["verify"]);
    let left = (proof(cloud).left)(&stage.hand());
    let (objects, events): (Vec<_>, Vec<_>) = left.into_iter().partition(|what| what.starts_with("object "));
    assert_eq!(objects, others);
    assert!(events.contains(&"event run/1".to_owned()), "{events:?}");
}

/// By the machine's clock, so that what is hidden is so for as long as it is said.
fn verify_loses_none_of_a_thousand_messages_of_others(cloud: &Place) {
    const MANY: usize = 1_000;
    let stage = applied(cloud);
    (proof(cloud).put_messages)(&stage.hand(), MANY);
    stage.faults().clear();
    stage.sandbox().world().clock.hasten(1);
    let ran = stage.run_with(&[cloud.name, "verify", "--json"], |command| {
        command.env("PROVISION_TEST_WAITS", "1");
    });
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let seen = (proof(cloud).messages)(&stage.hand());
    assert_eq!(seen.len(), MANY);
    for (number, message) in seen.iter().enumerate() {
        let seen = message.strip_prefix(&format!("foreign {number}, ")).unwrap_or_else(|| panic!("{message}"));
        assert!(proof(cloud).seen.contains(&seen), "{message}");
    }
}

/// A proof whose runs are killed, beside messages of others.
struct Proving<'a> {
    cloud: &'a Place,
    stage: Stage,
}

impl Proving<'_> {
    /// The requests of a run from the first that leaves something on: whatever ends before leaves nothing.
    fn points(&self) -> Vec<Point> {
        self.layer().clear();
        assert_eq!(finished(self.start()).code, 0);
        let calls: Vec<_> = self.layer().records().into_iter().map(|record| record.operation).collect();
        let first = calls.iter().position(|call| call == proof(self.cloud).upload).unwrap();
        let nth = |place: usize| calls[..=place].iter().filter(|call| **call == calls[place]).count();
        (first..calls.len()).map(|place| (calls[place].clone(), nth(place))).collect()
    }
}

impl World for Proving<'_> {
    fn layer(&self) -> &FaultLayer {
        self.stage.faults()
    }

    fn start(&self) -> Child {
        self.cloud.spawn(&self.stage, &["verify"])
    }

    fn check(&self, _: &str) {
        leaves_nothing(self.cloud, &self.stage);
    }
}

fn verify_killed_at_every_request_leaves_nothing_after_the_next_run(cloud: &Place) {
    let world = Proving { cloud, stage: applied(cloud) };
    (proof(cloud).put_messages)(&world.stage.hand(), 3);
    let points = world.points();
    let killed = AtomicUsize::new(0);
    for point in &points {
        for at in [When::Before, When::After] {
            world.layer().clear();
            killed.fetch_add(usize::from(is_killed_at(&world, point, at)), Ordering::Relaxed);
            recovers(&world, &format!("being killed {at:?} {point:?}"));
        }
    }
    let (killed, runs) = (killed.into_inner(), 2 * points.len());
    // How often is looked for the event may differ from run to run.
    assert!(killed * 4 >= runs * 3, "{killed} of {runs} were killed");
    let foreign = (proof(cloud).messages)(&world.stage.hand());
    let foreign: Vec<_> = foreign.iter().filter_map(|message| message.split_once(',')).map(|(name, _)| name).collect();
    assert_eq!(foreign, ["foreign 0", "foreign 1", "foreign 2"]);
}

/// An answer that gets lost is asked for again, and what was done twice is undone twice.
fn verify_repeats_what_passes_and_leaves_nothing(cloud: &Place) {
    let world = Proving { cloud, stage: applied(cloud) };
    for (operation, nth) in world.points() {
        for (at, what) in [(When::After, What::Drop), (When::Before, What::Throttle)] {
            world.layer().clear();
            world.layer().fault(Fault { operation: operation.clone(), nth: Nth::Number(nth), at, what });
            let ran = finished(world.start());
            assert_eq!(ran.code, 0, "{operation} {nth}: {}{}", ran.stdout, ran.stderr);
            leaves_nothing(cloud, &world.stage);
        }
    }
}

fn verify_that_is_stopped_cleans_up(cloud: &Place) {
    let stage = applied(cloud);
    cloud.edit(&stage, proof(cloud).no_events);
    let child = cloud.spawn(&stage, &["verify", "--wait", "3600"]);
    while stage.faults().begun(proof(cloud).hears) < 2 {
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&child, "INT");
    let ran = finished(child);
    assert_eq!(ran.code, 130, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("probe removed"), "{}", ran.stdout);
    leaves_nothing(cloud, &stage);
}

fn verify_shows_no_signature(cloud: &Place) {
    let stage = applied(cloud);
    let ran = cloud.run(&stage, &["verify", "--trace", "trace.jsonl", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let signatures: Vec<_> = stage.calls().iter().flat_map(|call| signatures(&call.path)).collect();
    assert!(signatures.len() >= 2, "{signatures:?}");
    let trace = stage.read("trace.jsonl");
    assert!(trace.contains("[redacted]") && trace.contains("browser:Preflight"), "{trace}");
    // What is only signed is not sent.
    let sent = stage.faults().records().len();
    assert_eq!(trace.lines().count(), sent, "{trace}");
    for text in [&trace, &ran.stdout, &ran.stderr] {
        assert!(!signatures.iter().any(|signature| text.contains(signature)), "{text}");
        assert!(!(cloud.secrets)(&stage.hand()).iter().any(|secret| text.contains(secret)), "{text}");
    }
}

/// What signs an address.
fn signatures(path: &str) -> Vec<String> {
    let fields = path.split(['?', '&']).filter_map(|field| field.split_once('='));
    let signs = |name: &str| ["X-Amz-Signature", "X-Goog-Signature", "sig"].contains(&name);
    fields.filter(|(name, _)| signs(name)).map(|(_, value)| value.to_owned()).collect()
}

fn verify_report_formats(cloud: &Place) {
    let stage = applied(cloud);
    cloud.edit(&stage, proof(cloud).no_events);
    let junit = cloud.ends(&stage, 2, &["verify", "--wait", "20", "--format", "junit"]);
    assert!(junit.contains("tests=\"6\"") && junit.contains("name=\"event\""), "{junit}");
    assert!(junit.contains("failures=\"2\"") && junit.contains("to mend it: provision"), "{junit}");
    let report = ["verify", "--read-only", "--report", "junit=verify.xml"];
    assert!(cloud.ends(&stage, 2, &report).contains("  failed      resources"));
    let junit = stage.read("verify.xml");
    assert!(junit.contains("name=\"provision verify\"") && junit.contains("skipped=\"3\""), "{junit}");
    judge_junit(&junit);
    // It is there too where nothing could be looked at.
    stage.write("broken.toml", "[deployment]\n");
    cloud.ends(&stage, 64, &["verify", "broken.toml", "--report", "junit=broken.xml"]);
    assert!(stage.read("broken.xml").contains("errors=\"1\""));
    let ran = cloud.run(&stage, &["verify", "broken.toml", "--json"]);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [version, last] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(version["type"] == "version" && version["tool"].is_string(), "{version}");
    assert!(last["type"] == "summary" && last["verdict"] == "unknown", "{last}");
    let text = cloud.ends(&stage, 2, &["verify", "--wait", "20", "--format", "text"]);
    assert!(text.contains("  failed      event of the upload") && text.contains("2 hops failed."), "{text}");
}
