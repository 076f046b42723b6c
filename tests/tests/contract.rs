//! The promises of the tool, one case each, written once and run on every cloud of the sandbox.
//!
//! What a case needs to know of a cloud is in `clouds`. AWS has the same promises under the same names in `compare`,
//! `lifecycle`, `sharing`, `destroy`, `saved` and `faults`, which run on an emulator that others wrote too.

use std::time::Duration;

use provision_sandbox::CloudName;
use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_sandbox::record::Record;
use provision_tests::stage::Stage;
use serde_json::Value;

use crate::clouds::{AZURE, Cloud, GCP};

/// Each case as a test of its own on every cloud.
macro_rules! contract {
    ($($case:ident,)*) => {
        mod gcp {
            $(#[test]
            fn $case() {
                super::$case(&crate::clouds::GCP);
            })*
        }
        mod azure {
            $(#[test]
            fn $case() {
                super::$case(&crate::clouds::AZURE);
            })*
        }
    };
}

contract! {
    apply_of_each_example_ends_with_its_settings_and_a_second_one_writes_nothing,
    plan_and_drift_never_write,
    output_is_what_the_server_reads,
    an_upload_arrives_as_one_message,
    drift_of_each_facet_is_named_and_repaired,
    pending_of_each_setting_is_no_drift_and_shows_its_line,
    both_changed_is_shown_as_both,
    what_is_gone_is_drift_and_comes_back,
    stale_mark_is_recorded,
    nothing_there_at_all_is_said,
    drift_report_formats,
    others_entries_survive_adopt_update_and_release,
    another_deployments_bucket_is_refused_by_name,
    unmarked_is_refused_with_adopt_as_the_hint,
    deployments_with_alike_names_do_not_touch_each_other,
    renaming_the_bucket_is_refused,
    renaming_the_queue_moves_the_notification_and_leaves_an_orphan,
    renaming_the_deployment_takes_its_marks_over,
    destroy_refuses_a_protected_deployment,
    destroy_refuses_content_with_counts_and_deletes_it_on_request,
    destroy_twice_succeeds,
    saved_change_set_is_applied_without_its_plan_file,
    saved_change_set_is_stale_after_any_change,
    saved_change_set_is_applied_in_the_sandbox_of_the_command,
    passing_faults_are_repeated,
    denied_write_is_final_and_names_the_call,
    denied_read_is_unknown_never_in_sync,
    trace_has_each_request_and_no_secret,
    no_credentials_is_told_within_three_seconds,
    waves_are_as_few_as_the_services_allow,
}

fn apply_of_each_example_ends_with_its_settings_and_a_second_one_writes_nothing(cloud: &Cloud) {
    for (text, bucket) in cloud.examples {
        let stage = cloud.planned();
        stage.write("provision.toml", &text.replace("protect = true", ""));
        let first = cloud.succeed(&stage, &["apply", "--yes"]);
        let outputs = cloud.succeed(&stage, &["output"]);
        assert!(first.ends_with(&outputs) && outputs.contains(bucket), "{first}\n{outputs}");
        stage.faults().clear();
        assert!(cloud.succeed(&stage, &["apply", "--yes"]).contains("No changes."));
        assert_eq!(stage.writes(), Vec::<String>::new());
        cloud.succeed(&stage, &["destroy", "--yes"]);
        cloud.ends(&stage, 2, &["drift"]);
    }
}

fn plan_and_drift_never_write(cloud: &Cloud) {
    let stage = cloud.planned();
    cloud.ends(&stage, 0, &["plan"]);
    cloud.ends(&stage, 2, &["drift"]);
    assert_eq!(stage.writes(), Vec::<String>::new());
    cloud.apply(&stage);
    cloud.edit(&stage, cloud.edits[0].make);
    cloud.ends(&stage, 0, &["plan"]);
    cloud.ends(&stage, 2, &["drift"]);
    assert_eq!(stage.writes(), Vec::<String>::new());
}

fn output_is_what_the_server_reads(cloud: &Cloud) {
    let stage = cloud.planned();
    let outputs = cloud.succeed(&stage, &["output", "--no-secrets"]);
    for output in cloud.outputs {
        assert!(outputs.contains(output), "{outputs}");
        let (name, value) = output.split_once('=').unwrap();
        assert_eq!(cloud.succeed(&stage, &["output", "provision.toml", name]), value);
    }
    assert!(outputs.contains("HOST=https://wandb.example.com\n"), "{outputs}");
    cloud.ends(&stage, 64, &["output", "provision.toml", "NOPE"]);
    assert!(stage.faults().records().is_empty(), "output sends nothing");
}

fn an_upload_arrives_as_one_message(cloud: &Cloud) {
    let stage = cloud.applied();
    (cloud.upload)(&stage.hand(), "run-1.txt");
    let messages = (cloud.messages)(&stage.hand());
    assert!(messages.len() == 1 && messages[0].contains("run-1.txt"), "{messages:?}");
    cloud.is_in_sync(&stage);
}

fn drift_of_each_facet_is_named_and_repaired(cloud: &Cloud) {
    let stage = cloud.applied();
    for edit in cloud.edits {
        cloud.edit(&stage, edit.make);
        let drift = cloud.ends(&stage, 2, &["drift"]);
        let line = drift.lines().find(|line| line.trim_start().starts_with(edit.shows));
        let line = line.unwrap_or_else(|| panic!("{}: {drift}", edit.shows));
        assert!(line.contains("drift: the cloud was changed"), "{drift}");
        cloud.apply(&stage);
        cloud.is_in_sync(&stage);
    }
}

fn pending_of_each_setting_is_no_drift_and_shows_its_line(cloud: &Cloud) {
    let stage = cloud.applied();
    for setting in cloud.settings {
        cloud.change(&stage, &[setting.pair()]);
        let drift = cloud.ends(&stage, 0, &["drift"]);
        let line = drift.lines().find(|line| line.contains(setting.shows));
        let line = line.unwrap_or_else(|| panic!("{}: {drift}", setting.shows));
        assert!(line.contains("pending") && line.contains("provision.toml:"), "{drift}");
        cloud.ends(&stage, 2, &["plan", "--detailed-exitcode"]);
        cloud.apply(&stage);
        cloud.is_in_sync(&stage);
    }
}

fn both_changed_is_shown_as_both(cloud: &Cloud) {
    let stage = cloud.applied();
    let (edit, setting) = cloud.both;
    cloud.edit(&stage, edit.make);
    cloud.change(&stage, &[setting.pair()]);
    let drift = cloud.ends(&stage, 2, &["drift"]);
    assert!(drift.contains(setting.shows) && drift.contains("both were changed"), "{drift}");
    cloud.apply(&stage);
    cloud.is_in_sync(&stage);
}

fn what_is_gone_is_drift_and_comes_back(cloud: &Cloud) {
    let stage = cloud.applied();
    for gone in cloud.gone {
        cloud.edit(&stage, gone.make);
        let drift = cloud.ends(&stage, 2, &["drift"]);
        assert!(drift.contains(gone.shows), "{}: {drift}", gone.shows);
        cloud.apply(&stage);
        cloud.is_in_sync(&stage);
        assert_eq!((cloud.ours)(&stage.hand()), cloud.applied, "{}", gone.shows);
    }
}

fn stale_mark_is_recorded(cloud: &Cloud) {
    let stage = cloud.applied();
    let (edit, setting, writes) = cloud.stale;
    cloud.edit(&stage, edit.make);
    cloud.change(&stage, &[setting.pair()]);
    let drift = cloud.ends(&stage, 0, &["drift"]);
    assert!(drift.contains("~ record"), "{drift}");
    cloud.succeed(&stage, &["apply", "--yes"]);
    assert_eq!(stage.writes(), writes);
    assert!(cloud.succeed(&stage, &["plan"]).contains("No changes."));
}

fn nothing_there_at_all_is_said(cloud: &Cloud) {
    let stage = cloud.planned();
    let drift = cloud.ends(&stage, 2, &["drift"]);
    assert!(drift.contains("not applied, or gone"), "{drift}");
}

fn drift_report_formats(cloud: &Cloud) {
    let stage = cloud.applied();
    let edit = cloud.edits[0];
    cloud.edit(&stage, edit.make);
    let report = |format: &str| cloud.ends(&stage, 2, &["drift", "--format", format]);
    let markdown = report("markdown");
    assert!(
        markdown.contains(edit.shows.trim()) && markdown.contains("| drift: the cloud was changed |"),
        "{markdown}"
    );
    let junit = report("junit");
    assert!(junit.contains("failures=\"1\""), "{junit}");
    let sarif: Value = serde_json::from_str(&report("sarif")).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "drift");
    assert!(result["locations"][0]["physicalLocation"]["region"]["startLine"].is_u64(), "{sarif}");
}

fn others_entries_survive_adopt_update_and_release(cloud: &Cloud) {
    let stage = cloud.planned();
    let hand = stage.hand();
    (cloud.make_unmarked)(&hand);
    (cloud.put_others)(&hand);
    let before = (cloud.others)(&hand);
    cloud.change(&stage, cloud.adopting);
    let adopted = cloud.succeed(&stage, &["apply", "--yes"]);
    assert!(adopted.contains("kept: "), "{adopted}");
    assert_eq!((cloud.others)(&hand), before, "after adopting");
    cloud.is_in_sync(&stage);
    let moved = ("wandb.example.com", "moved.example.com");
    cloud.change(&stage, &[cloud.adopting, &[moved]].concat());
    cloud.apply(&stage);
    assert_eq!((cloud.others)(&hand), before, "after the update");
    // The origin is in the mark: `adopt` may leave the file.
    let text = cloud.plan_with(&[cloud.adopting, &[moved]].concat()).replace("adopt = true\n", "");
    stage.write("provision.toml", &text);
    cloud.is_in_sync(&stage);
    cloud.ends(&stage, 6, &["destroy", "--yes", "--delete-data", cloud.bucket]);
    cloud.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!((cloud.others)(&hand), before, "after the release");
    assert_eq!((cloud.ours)(&hand), Vec::<String>::new());
    cloud.ends(&stage, 6, &["destroy", "--yes"]);
}

fn another_deployments_bucket_is_refused_by_name(cloud: &Cloud) {
    let stage = cloud.applied();
    cloud.change(&stage, &[("wandb-prod", "wandb-other")]);
    let plan = cloud.ends(&stage, 6, &["plan"]);
    assert!(plan.contains("belongs to deployment `wandb-prod`"), "{plan}");
    cloud.ends(&stage, 6, &["apply", "--yes"]);
    cloud.ends(&stage, 6, &["destroy", "--yes"]);
    assert_eq!(stage.writes(), Vec::<String>::new());
}

fn unmarked_is_refused_with_adopt_as_the_hint(cloud: &Cloud) {
    let stage = cloud.planned();
    cloud.edit(&stage, cloud.make_unmarked);
    let plan = cloud.ends(&stage, 6, &["plan"]);
    for hint in cloud.unmarked_hints {
        assert!(plan.contains(hint), "{hint}: {plan}");
    }
    cloud.ends(&stage, 6, &["apply", "--yes"]);
    assert_eq!(stage.writes(), Vec::<String>::new());
    let report = |format: &str| cloud.run(&stage, &["drift", "--format", format]).stdout;
    assert!(!report("junit").contains("errors=\"0\""), "{}", report("junit"));
    assert!(report("markdown").contains("| refused |"), "{}", report("markdown"));
    let sarif: Value = serde_json::from_str(&report("sarif")).unwrap();
    let rules: Vec<_> = sarif["runs"][0]["results"].as_array().unwrap().iter().map(|one| &one["ruleId"]).collect();
    assert!(rules.contains(&&Value::from("refused")), "{sarif}");
}

fn deployments_with_alike_names_do_not_touch_each_other(cloud: &Cloud) {
    let stage = cloud.applied();
    stage.write("other.toml", &cloud.plan_with(cloud.alike));
    cloud.succeed(&stage, &["apply", "other.toml", "--yes"]);
    cloud.is_in_sync(&stage);
    cloud.succeed(&stage, &["destroy", "other.toml", "--yes"]);
    cloud.is_in_sync(&stage);
    cloud.succeed(&stage, &["apply", "other.toml", "--yes"]);
    cloud.succeed(&stage, &["destroy", "--yes"]);
    assert!(cloud.succeed(&stage, &["drift", "other.toml"]).ends_with("in sync\n"));
}

fn renaming_the_bucket_is_refused(cloud: &Cloud) {
    let stage = cloud.applied();
    for renamed in cloud.bucket_renamed {
        cloud.change(&stage, &[renamed.pair()]);
        for command in [&["plan"][..], &["apply", "--yes"], &["drift"], &["destroy", "--yes", "--orphans"]] {
            let ran = cloud.ends(&stage, 6, command);
            assert!(ran.contains(renamed.shows) && ran.contains("data is never moved"), "{command:?} {ran}");
            assert!(!ran.contains("gone") && !ran.contains("is not this deployment's"), "{command:?} {ran}");
        }
        assert_eq!(stage.writes(), Vec::<String>::new());
    }
    cloud.change(&stage, &[]);
    cloud.is_in_sync(&stage);
}

fn renaming_the_queue_moves_the_notification_and_leaves_an_orphan(cloud: &Cloud) {
    let stage = cloud.applied();
    let (changes, orphans) = cloud.queue_renamed;
    cloud.change(&stage, changes);
    cloud.ends(&stage, 0, &["drift"]);
    cloud.apply(&stage);
    let plan = cloud.succeed(&stage, &["plan"]);
    for orphan in orphans {
        assert!(plan.contains(orphan), "{plan}");
    }
    let entries: Vec<_> = (cloud.ours)(&stage.hand()).into_iter().filter(|found| found.starts_with("entry ")).collect();
    assert!(entries.len() == 1 && entries[0].ends_with("renamed"), "{entries:?}");
    // Another name of the deployment finds the orphans by the former one only.
    let renamed = ("\"wandb-prod\"", "\"wandb-new\"\nwas = \"wandb-prod\"");
    cloud.change(&stage, &[changes, &[renamed]].concat());
    cloud.apply(&stage);
    let plan = cloud.succeed(&stage, &["plan"]);
    assert!(plan.contains("before `was` goes from the plan file"), "{plan}");
    cloud.succeed(&stage, &["apply", "--yes", "--orphans"]);
    let plan = cloud.succeed(&stage, &["plan"]);
    assert!(!plan.contains("orphan") && plan.contains("No changes."), "{plan}");
}

fn renaming_the_deployment_takes_its_marks_over(cloud: &Cloud) {
    let stage = cloud.applied();
    cloud.change(&stage, &[("\"wandb-prod\"", "\"wandb-new\"\nwas = \"wandb-prod\"")]);
    cloud.apply(&stage);
    cloud.change(&stage, &[("\"wandb-prod\"", "\"wandb-new\"")]);
    assert_eq!(cloud.succeed(&stage, &["drift"]), "wandb-new: in sync\n");
    assert_eq!((cloud.ours)(&stage.hand()), cloud.applied);
}

fn destroy_refuses_a_protected_deployment(cloud: &Cloud) {
    let stage = cloud.applied();
    cloud.change(&stage, &[cloud.protect]);
    let ran = cloud.ends(&stage, 6, &["destroy", "--yes"]);
    assert!(ran.contains("protect = false"), "{ran}");
    assert_eq!(stage.writes(), Vec::<String>::new());
}

fn destroy_refuses_content_with_counts_and_deletes_it_on_request(cloud: &Cloud) {
    let stage = cloud.applied();
    for name in ["a", "b", "c"] {
        (cloud.upload)(&stage.hand(), name);
    }
    stage.faults().clear();
    let refused = cloud.ends(&stage, 6, &["destroy", "--yes"]);
    assert!(refused.contains("3 objects and versions"), "{refused}");
    assert_eq!(stage.writes(), Vec::<String>::new());
    cloud.ends(&stage, 64, &["destroy", "--yes", "--delete-data", "another"]);
    cloud.succeed(&stage, &["destroy", "--yes", "--delete-data", cloud.bucket]);
    let writes = stage.writes();
    let place =
        |name: &str| writes.iter().position(|write| write == name).unwrap_or_else(|| panic!("{name}: {writes:?}"));
    let (access, emptying) = cloud.emptying;
    assert!(place(access) < place(emptying), "the writers' access goes first: {writes:?}");
    assert_eq!((cloud.ours)(&stage.hand()), Vec::<String>::new());
}

fn destroy_twice_succeeds(cloud: &Cloud) {
    let stage = cloud.applied();
    cloud.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!((cloud.ours)(&stage.hand()), Vec::<String>::new());
    stage.faults().clear();
    cloud.succeed(&stage, &["destroy", "--yes"]);
    cloud.succeed(&stage, &["destroy", "--yes", "--delete-data", cloud.bucket]);
    assert_eq!(stage.writes(), Vec::<String>::new());
}

fn saved_change_set_is_applied_without_its_plan_file(cloud: &Cloud) {
    let stage = cloud.planned();
    cloud.succeed(&stage, &["plan", "--out", "set.json"]);
    let shown = stage.run(&["show", "set.json"]);
    assert!(shown.code == 0 && shown.stdout.contains("+ create"), "{}{}", shown.stdout, shown.stderr);
    cloud.succeed(&stage, &["apply", "set.json"]);
    cloud.is_in_sync(&stage);
}

fn saved_change_set_is_applied_in_the_sandbox_of_the_command(cloud: &Cloud) {
    let stage = cloud.planned();
    cloud.succeed(&stage, &["plan", "--sandbox", "--out", "set.json"]);
    cloud.succeed(&stage, &["apply", "set.json", "--sandbox"]);
    assert_eq!(cloud.succeed(&stage, &["drift", "--sandbox"]), "wandb-prod: in sync\n");
    let real = cloud.ends(&stage, 3, &["apply", "set.json"]);
    assert!(real.contains("sandbox"), "{real}");
    assert_eq!(stage.writes(), Vec::<String>::new());
}

fn saved_change_set_is_stale_after_any_change(cloud: &Cloud) {
    let stage = cloud.applied();
    cloud.change(&stage, cloud.update);
    cloud.succeed(&stage, &["plan", "--out", "set.json"]);
    cloud.edit(&stage, cloud.edits[0].make);
    cloud.ends(&stage, 3, &["apply", "set.json"]);
    cloud.succeed(&stage, &["plan", "--out", "set.json"]);
    stage.write("provision.toml", cloud.plan);
    let stale = cloud.ends(&stage, 3, &["apply", "set.json"]);
    assert!(stale.contains("says something else now"), "{stale}");
    assert_eq!(stage.writes(), Vec::<String>::new());
}

#[test]
fn plan_on_all_three_clouds_looks_like_one_tool() {
    let plans = [
        ("aws", CloudName::Aws, include_str!("../../plans/aws-minimal.toml")),
        ("gcp", CloudName::Google, include_str!("../../plans/gcp-minimal.toml")),
        ("azure", CloudName::Azure, include_str!("../../plans/azure-minimal.toml")),
    ];
    let screens = plans.map(|(name, cloud, plan_file)| {
        let stage = Stage::start(cloud);
        match cloud {
            CloudName::Aws => stage.sandbox.seed_aws("123456789012", "eu-west-1", None).unwrap(),
            CloudName::Google => (GCP.seed)(&stage.sandbox),
            CloudName::Azure => (AZURE.seed)(&stage.sandbox),
        }
        stage.write("provision.toml", plan_file);
        let ran = stage.run(&[name, "plan"]);
        format!("exit {}\n--- stdout\n{}--- stderr\n{}", ran.code, ran.stdout, ran.stderr)
    });
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"(127\.0\.0\.1|localhost):\d+", "$1:PORT");
    settings.add_filter(r"\(\d{12}\)", "(NUMBER)");
    settings.add_filter(r"service-\d{12}@", "service-NUMBER@");
    settings.bind(|| insta::assert_snapshot!("plan_on_all_three_clouds", screens.join("\n")));
}

fn fault(stage: &Stage, operation: &str, nth: Nth, what: What) {
    stage.faults().fault(Fault { operation: operation.to_owned(), nth, at: When::Before, what });
}

fn passing_faults_are_repeated(cloud: &Cloud) {
    for (operation, what) in (cloud.passing)() {
        let stage = cloud.planned();
        fault(&stage, operation, Nth::Number(1), what.clone());
        cloud.succeed(&stage, &["apply", "--yes"]);
        assert!(stage.faults().count(operation) >= 2, "{operation} came once: {:?}", stage.writes());
        cloud.is_in_sync(&stage);
        assert_eq!((cloud.ours)(&stage.hand()), cloud.applied, "{operation} {what:?}");
    }
}

fn denied_write_is_final_and_names_the_call(cloud: &Cloud) {
    let stage = cloud.planned();
    let denied = &cloud.denied;
    let (code, message) = (denied.code.to_owned(), denied.message.to_owned());
    fault(&stage, denied.operation, Nth::Every, What::Error { status: 403, code, message });
    let ran = cloud.ends(&stage, 5, &["apply", "--yes"]);
    for text in denied.says {
        assert!(ran.contains(text), "{text}: {ran}");
    }
    assert_eq!(stage.faults().count(denied.operation), denied.at_once);
    stage.faults().clear();
    let plan = cloud.ends(&stage, 2, &["plan", "--detailed-exitcode"]);
    assert!(plan.contains(denied.unfinished), "{plan}");
    cloud.apply(&stage);
    cloud.is_in_sync(&stage);
}

fn denied_read_is_unknown_never_in_sync(cloud: &Cloud) {
    let stage = cloud.applied();
    let (operation, address) = cloud.denied_read;
    fault(&stage, operation, Nth::Every, (cloud.refusal)());
    let drift = cloud.ends(&stage, 1, &["drift"]);
    assert!(drift.contains("unknown") && drift.contains(address) && !drift.contains("in sync"), "{drift}");
    cloud.ends(&stage, 1, &["apply", "--yes"]);
    assert_eq!(stage.writes(), Vec::<String>::new());
}

fn trace_has_each_request_and_no_secret(cloud: &Cloud) {
    let stage = cloud.planned();
    cloud.succeed(&stage, &["apply", "--yes", "--trace", "trace.jsonl"]);
    let is_login = |operation: &str| operation.starts_with("login:");
    let sent = stage.faults().records().iter().filter(|record| !is_login(&record.operation)).count();
    let text = stage.read("trace.jsonl");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let traced = lines.iter().filter(|line| !line["url"].as_str().unwrap_or_default().contains("/oauth2/")).count();
    assert_eq!(traced, sent, "{text}");
    for body in cloud.traced {
        assert!(lines.iter().any(|line| line["request"].to_string().contains(body)), "{body}\n{text}");
    }
    // What is asked has an answer with a body, if there is anything to tell.
    let is_told = |line: &&Value| line["status"] == 200 && !line["response"].is_null();
    assert!(lines.iter().filter(is_told).count() > lines.len() / 2, "{text}");
    cloud.succeed(&stage, &["output", "--reveal", "--trace", "revealed.jsonl"]);
    for secret in (cloud.secrets)(&stage.hand()) {
        for name in ["trace.jsonl", "revealed.jsonl"] {
            // No request, no trace.
            let text = if name == "trace.jsonl" { text.clone() } else { stage.read_if_there(name) };
            assert!(!text.contains(&secret), "{name} has {secret}");
        }
    }
}

fn no_credentials_is_told_within_three_seconds(cloud: &Cloud) {
    let stage = cloud.planned();
    let (without, with) = cloud.credentials;
    let ran = stage.run_with(&[cloud.name, "plan"], |command| {
        for name in without {
            command.env_remove(name);
        }
        command.envs(with.iter().copied());
    });
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains(cloud.credentials_hint), "{}", ran.stderr);
    assert!(ran.elapsed < Duration::from_millis(4500), "{:?}", ran.elapsed);
    assert!(stage.faults().records().is_empty());
}

fn waves_are_as_few_as_the_services_allow(cloud: &Cloud) {
    let stage = cloud.planned();
    stage.faults().set_latency(Duration::from_millis(300));
    let [plan, apply, destroy] = cloud.waves;
    cloud.succeed(&stage, &["plan"]);
    assert!(stage.waves() <= plan, "plan: {}", chain(&stage));
    stage.faults().clear();
    cloud.succeed(&stage, &["apply", "--yes"]);
    assert!(stage.waves() <= apply, "apply: {} {}", stage.waves(), chain(&stage));
    stage.faults().clear();
    cloud.succeed(&stage, &["destroy", "--yes"]);
    assert!(stage.waves() <= destroy, "destroy: {} {}", stage.waves(), chain(&stage));
}

/// Every request with the time when it came and was answered, then those that only poll.
fn chain(stage: &Stage) -> String {
    let calls = stage.calls();
    let Some(first) = calls.iter().map(|record| record.start).min() else { return String::new() };
    let line = |record: &Record| {
        let at = |moment: std::time::Instant| moment.duration_since(first).as_millis();
        format!("\n{:>5}-{:<5} {}", at(record.start), at(record.end), record.operation)
    };
    let (polls, calls): (Vec<_>, Vec<_>) = calls.iter().partition(|record| record.poll);
    let lines = |records: Vec<&Record>| records.into_iter().map(line).collect::<String>();
    format!("{}\npolls:{}", lines(calls), lines(polls))
}
