//! Many plan files in one run: what carries marks is listed once, shards make one report, and what fails is a row of its own.

use std::path::Path;
use std::process::{Command, Stdio};

use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_sandbox::{EmulatorKind, Options, Sandbox};
use provision_tests::roots;
use provision_tests::run::{Ran, binary, finished};
use provision_tests::stage::Stage;
use serde_json::Value;

fn plan_file(name: &str) -> String {
    format!(
        "[deployment]\nname = \"wandb-{name}\"\nhost = \"https://wandb.example.com\"\n[aws]\nregion = \"eu-west-1\"\n\
         [aws.bucket]\nname = \"acme-{name}-{{s}}\"\n"
    )
}

/// A folder of so many plan files: `plans/`, with some below.
fn fleet(count: usize) -> Stage {
    let stage = Stage::start(EmulatorKind::Aws);
    for folder in ["plans", "plans/more", "plans/.hidden"] {
        std::fs::create_dir(stage.path().join(folder)).unwrap();
    }
    for number in 0..count {
        let folder = if number % 2 == 0 { "plans" } else { "plans/more" };
        stage.write(&format!("{folder}/{number:02}.toml"), &plan_file(&format!("{number:02}")));
    }
    stage.write("plans/.hidden/no.toml", "this is no plan file");
    stage.write("plans/notes.txt", "nor is this");
    stage
}

fn ends(stage: &Stage, code: i32, arguments: &[&str]) -> Ran {
    let ran = stage.run(arguments);
    assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    ran
}

fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn what_carries_marks_is_listed_once_for_all_that_only_look() {
    let stage = fleet(26);
    ends(&stage, 0, &["apply", "plans", "--yes"]);
    stage.faults().clear();
    // A file that is named twice is one.
    let drift = ends(&stage, 0, &["drift", "plans", "plans/more/../00.toml", "-q"]);
    assert_eq!(drift.stdout.matches(": in sync").count(), 26, "{}", drift.stdout);
    assert_eq!(stage.faults().count("tag:GetResources"), 1, "two things of each fit one page, as large as pages are");
    assert_eq!(stage.faults().count("sts:GetCallerIdentity"), 1, "and they are looked at as one caller");
    stage.faults().clear();
    ends(&stage, 0, &["plan", "plans", "-q"]);
    assert_eq!(stage.faults().count("tag:GetResources"), 1);
    assert!(stage.writes().is_empty());
    let on_a_plan_file = ends(&stage, 64, &["drift", "plans", "--report", "json=plans/02.toml"]);
    assert!(on_a_plan_file.stderr.contains("is another file of this command"), "{}", on_a_plan_file.stderr);
    // What is left over is found in the list of all.
    stage.write("plans/00.toml", &(plan_file("00") + "[aws.queue]\nname = \"another-{s}\"\n"));
    ends(&stage, 0, &["apply", "plans/00.toml", "--yes"]);
    let drift = ends(&stage, 0, &["drift", "plans"]);
    assert_eq!(drift.stdout.matches("is no longer in the plan file").count(), 1, "{}", drift.stdout);
    // A write makes a look of its own.
    stage.faults().clear();
    ends(&stage, 0, &["apply", "plans", "--yes"]);
    assert!(stage.faults().count("tag:GetResources") >= 20);
}

#[test]
fn shards_are_merged_into_the_report_of_all() {
    let stage = fleet(8);
    ends(&stage, 0, &["apply", "plans", "--yes", "-q"]);
    stage.write("plans/broken.toml", "[deployment]\n");
    let whole = ends(&stage, 64, &["drift", "plans", "-q"]);
    for files in [&["plans/broken.toml"][..], &["plans/broken.toml", "plans/00.toml"]] {
        for command in ["drift", "plan"] {
            let printed = ends(&stage, 64, &[&[command, "--json"], files].concat()).stdout;
            let kinds = printed.matches("\"kind\": \"plan_file\"").count();
            assert!(kinds > 0 && !printed.contains("\"kind\": \"refused\""), "{files:?}: {printed}");
        }
    }
    let mut planned = 0;
    for shard in ["0/3", "1/3", "2/3"] {
        let report = format!("json={}.json", &shard[..1]);
        let ran = stage.run(&["drift", "plans", "-q", "--shard", shard, "--report", &report]);
        assert!([0, 64].contains(&ran.code), "{}", ran.stderr);
        planned += stage.run(&["plan", "plans", "-q", "--shard", shard]).stdout.matches(": No changes").count();
        ends(&stage, ran.code, &["aws", "drift", "plans", "-q", "--shard", shard]);
    }
    assert_eq!(planned, 8);
    let merge = ["report", "merge", "0.json", "1.json", "2.json"];
    let merged = ends(&stage, 64, &[&merge[..], &["-q"]].concat());
    assert_eq!(lines(&merged.stdout), lines(&whole.stdout));
    assert!(merged.stderr.contains("broken.toml"), "{}", merged.stderr);
    for format in ["text", "markdown", "junit", "sarif", "json", "html"] {
        let printed = ends(&stage, 64, &[&merge[..], &["--format", format]].concat()).stdout;
        assert!(printed.contains("wandb-07") || format == "sarif", "{format}: {printed}");
    }
    ends(&stage, 64, &[&merge[..], &["--report", "markdown=all.md"]].concat());
    assert!(stage.read("all.md").contains("`wandb-00`: in sync"), "{}", stage.read("all.md"));
}

#[test]
fn shard_that_is_missing_twice_or_of_another_run_is_told() {
    let stage = fleet(4);
    ends(&stage, 0, &["apply", "plans", "--yes", "-q"]);
    for (shard, file) in [("1/2", "json=1"), ("2/2", "json=2"), ("1/3", "json=3")] {
        ends(&stage, 0, &["drift", "plans", "-q", "--shard", shard, "--report", file]);
    }
    let missing = ends(&stage, 1, &["report", "merge", "1", "-q"]);
    assert!(missing.stdout.contains("shard 2/2: unknown"), "{}", missing.stdout);
    assert!(ends(&stage, 64, &["report", "merge", "1", "1"]).stderr.contains("are both shard 1/2"));
    assert!(ends(&stage, 64, &["report", "merge", "1", "3"]).stderr.contains("another report is one of 2"));
    stage.write("2", "{");
    let broken = ends(&stage, 1, &["report", "merge", "1", "2", "-q"]);
    assert!(broken.stdout.contains("2: unknown") && broken.stdout.contains(": in sync"), "{}", broken.stdout);
}

#[test]
fn shard_of_the_night_before_is_unknown() {
    let stage = fleet(4);
    ends(&stage, 0, &["apply", "plans", "--yes", "-q"]);
    for (shard, file) in [("1/2", "json=1"), ("2/2", "json=2")] {
        ends(&stage, 0, &["drift", "plans", "-q", "--shard", shard, "--report", file]);
    }
    let mut report: Value = serde_json::from_str(&stage.read("2")).unwrap();
    assert!(report["looked_at"].as_str().is_some_and(|time| time.ends_with('Z')), "{report}");
    let merged = ends(&stage, 0, &["report", "merge", "1", "2", "--json"]);
    let merged: Value = serde_json::from_str(&merged.stdout).unwrap();
    let first: Value = serde_json::from_str(&stage.read("1")).unwrap();
    assert_eq!(merged["looked_at"], first["looked_at"]);
    report["looked_at"] = "2020-01-02T03:04:05Z".into();
    stage.write("2", &report.to_string());
    let stale = ends(&stage, 1, &["report", "merge", "1", "2", "-q"]);
    assert!(stale.stdout.contains("2: unknown"), "{}", stale.stdout);
    assert!(stale.stderr.contains("hours before the others"), "{}", stale.stderr);
}

#[test]
fn many_are_proven_and_what_fails_is_a_row_of_its_own() {
    let stage = fleet(6);
    ends(&stage, 0, &["apply", "plans", "--yes", "-q"]);
    let proven = ends(&stage, 0, &["verify", "plans"]);
    assert!(proven.stdout.contains("6 proven ("), "{}{}", proven.stdout, proven.stderr);
    for shard in ["1/2", "2/2"] {
        ends(&stage, 0, &["aws", "verify", "plans", "--strict", "--shard", shard, "--format", "text"]);
    }
    stage.faults().clear();
    ends(&stage, 0, &["verify", "plans", "--read-only"]);
    assert!(stage.writes().is_empty());
    let _ = stage.hand().python("s3.delete_bucket_cors(Bucket='acme-02-{s}')");
    let ran = ends(&stage, 2, &["verify", "plans", "--report", "junit=verify.xml"]);
    assert_eq!(ran.stdout.matches(" failed. ").count(), 1, "{}", ran.stdout);
    assert_eq!(ran.stdout.matches(" works. ").count(), 5, "{}", ran.stdout);
    assert_eq!(stage.read("verify.xml").matches("<testsuite ").count(), 6);
    stage.write("plans/broken.toml", "[deployment]\n");
    let ran = ends(&stage, 64, &["verify", "plans", "--json"]);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rows = lines.iter().filter(|line| line["type"] == "deployment");
    let (passed, others): (Vec<_>, Vec<_>) = rows.partition(|line| line["verdict"] == "passed");
    assert_eq!((passed.len(), others.len()), (5, 1));
    assert_eq!((&others[0]["deployment"], &others[0]["verdict"]), (&"wandb-02".into(), &"failed".into()));
    let last = lines.last().unwrap();
    assert_eq!((last["type"].as_str(), last["verdict"].as_str()), (Some("summary"), Some("unknown")));
    let junit = ends(&stage, 64, &["verify", "plans", "--format", "junit"]).stdout;
    assert!(junit.contains("wandb-05") && junit.contains("broken.toml"), "{junit}");
    std::fs::copy(stage.path().join("plans/00.toml"), stage.path().join("plans/again.toml")).unwrap();
    let ran = ends(&stage, 64, &["verify", "plans"]);
    assert_eq!(ran.stdout.matches(" works. ").count(), 4, "{}", ran.stdout);
    are_of_one_deployment(&ran, "unknown");
}

/// What a bucket could not be read for stands in the merged report as in that of the shard.
#[test]
fn what_could_not_be_read_is_in_the_merged_report_too() {
    let stage = fleet(2);
    ends(&stage, 0, &["apply", "plans", "--yes", "-q"]);
    let answer = What::Error { status: 403, code: "AccessDenied".to_owned(), message: "no".to_owned() };
    stage.faults().fault(Fault {
        operation: "s3:GetBucketCors".to_owned(),
        nth: Nth::Every,
        at: When::Before,
        what: answer,
    });
    let markdown = ends(&stage, 1, &["drift", "plans", "--format", "markdown", "--report", "json=all.json"]);
    let merged = ends(&stage, 1, &["report", "merge", "all.json", "--format", "markdown"]);
    assert_eq!(merged.stdout, markdown.stdout);
}

#[test]
fn many_plan_files_are_applied_and_the_rest_after_a_failure() {
    let stage = fleet(6);
    // One bucket is somebody else's.
    stage.write("plans/04.toml", &plan_file("04").replace("acme-04-{s}", "theirs-{s}"));
    let _ = stage
        .hand()
        .python("s3.create_bucket(Bucket='theirs-{s}', CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'})");
    let ran = ends(&stage, 5, &["apply", "plans", "--yes"]);
    assert_eq!(ran.stdout.matches(": applied, ").count(), 5, "{}", ran.stdout);
    assert!(ran.stdout.contains("wandb-04: failed, nothing was written\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("6 plan files: 5 applied, 1 failed"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("run the same command again"), "what is refused is refused again: {}", ran.stdout);
    assert!(ran.stderr.contains("--> plans/04.toml"), "{}", ran.stderr);
    stage.write("plans/04.toml", &plan_file("04"));
    let ran = ends(&stage, 0, &["apply", "plans", "--yes", "--json"]);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |outcome: &str| lines.iter().filter(|line| line["outcome"] == outcome).count();
    assert_eq!((of("applied"), of("unchanged")), (1, 5));
    assert_eq!(lines.last().unwrap()["done"], serde_json::json!(["wandb-04"]));
    for shard in ["1/2", "2/2"] {
        ends(&stage, 0, &["apply", "plans", "--yes", "--shard", shard]);
    }
    std::fs::copy(stage.path().join("plans/00.toml"), stage.path().join("plans/again.toml")).unwrap();
    let ran = ends(&stage, 64, &["apply", "plans", "--yes"]);
    assert!(ran.stdout.contains("7 plan files: 5 without changes, 2 failed"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("run the same command again"), "{}", ran.stdout);
    are_of_one_deployment(&ran, "failed, nothing was written");
    for command in ["drift", "plan"] {
        are_of_one_deployment(&ends(&stage, 64, &[command, "plans", "-q"]), "unknown");
    }
    assert!(ends(&stage, 64, &["apply", "plans"]).stderr.contains("add `--yes`"));
}

/// Each of the two has a row of its own, which names both.
fn are_of_one_deployment(ran: &Ran, outcome: &str) {
    let (one, other) = ("plans/00.toml", "plans/again.toml");
    for (file, beside) in [(one, other), (other, one)] {
        assert!(ran.stdout.contains(&format!("{file}: {outcome}\n")), "{}", ran.stdout);
        let why = format!("plan files `{file}` and `{beside}` are both of deployment `wandb-00`");
        assert!(ran.stderr.contains(&why), "{}", ran.stderr);
    }
}

#[test]
fn name_of_a_plan_file_begins_no_line() {
    let stage = fleet(1);
    stage.write("plans/q\n::error::pwn.toml", "[deployment]\n");
    stage.write("plans/r\r\n::error::pwn.toml", "this is no plan file");
    stage.write("plans/s\n::error::'pwn.toml", &plan_file("evil"));
    let formats = ["text", "markdown", "junit", "html", "sarif"].map(|format| ["drift", "plans", "--format", format]);
    let single = ["s\n::error::'pwn.toml", "q\n::error::pwn.toml"].map(|name| format!("plans/{name}"));
    let others = [
        &["plan", "plans"][..],
        &["plan", "plans", "--format", "markdown"],
        &["verify", "plans"],
        &["verify", "plans", "--format", "junit"],
        &["output", "plans"],
        &["apply", "plans", "--yes"],
        &["plan", &single[0]],
        &["drift", &single[0]],
        &["validate", &single[0]],
        &["drift", &single[1]],
    ];
    for arguments in formats.iter().map(|arguments| &arguments[..]).chain(others) {
        let ran = stage.run(arguments);
        let forged = |text: &str| text.split(['\n', '\r']).any(|line| line.trim_start().starts_with("::"));
        assert!(!forged(&ran.stdout) && !forged(&ran.stderr), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn what_is_not_tried_any_more_has_its_name() {
    let stage = fleet(40);
    let answer = What::Error { status: 403, code: "InvalidClientTokenId".to_owned(), message: "no".to_owned() };
    stage.faults().fault(Fault { operation: "*".to_owned(), nth: Nth::Every, at: When::Before, what: answer });
    for command in ["drift", "plan", "verify"] {
        let ran = ends(&stage, 4, &[command, "plans", "-q"]);
        assert!(ran.stderr.contains("in a row were out of reach"), "{command}: {}", ran.stderr);
        assert_eq!(ran.stdout.matches("(aws): unknown\n").count(), 40, "{command}: {}", ran.stdout);
    }
    let report = ends(&stage, 4, &["drift", "plans", "--json"]).stdout;
    let report: Value = serde_json::from_str(&report).unwrap();
    let rows = report["deployments"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["error"]["plan_file"].is_string()), "{report}");
    let plans = ends(&stage, 4, &["plan", "plans", "--format", "markdown"]).stdout;
    assert!(plans.starts_with("40 unknown\n") && plans.matches("### `wandb-").count() == 40, "{plans}");
}

#[test]
fn no_other_plan_file_is_begun_after_so_many_failures() {
    let stage = fleet(20);
    // What is known before the first one is begun is none of them.
    stage.write("plans/broken.toml", "[deployment]\n");
    let answer = What::Error { status: 403, code: "AccessDenied".to_owned(), message: "no".to_owned() };
    let fault =
        Fault { operation: "sts:GetCallerIdentity".to_owned(), nth: Nth::Every, at: When::Before, what: answer };
    stage.faults().fault(fault);
    let ran = stage.run(&["apply", "plans", "--yes", "--max-failures", "1"]);
    assert!(ran.code != 0 && ran.stdout.contains("17 failed, 4 not begun"), "{}{}", ran.stdout, ran.stderr);
    assert!(stage.writes().is_empty());
}

#[test]
fn many_plan_files_are_asked_about_once() {
    let stage = fleet(2);
    let answers = [("plan files (", "yes\n")];
    let (code, screen) = stage.run_on_terminal(&["apply", "plans"], &answers);
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("Apply these changes of 2 plan files (6 to create)?"), "{screen}");
    assert!(screen.contains("2 plan files: 2 applied"), "{screen}");
}

#[test]
fn settings_of_many_plan_files_are_in_one_text() {
    let stage = fleet(3);
    let text = ends(&stage, 0, &["output", "plans"]).stdout;
    assert_eq!(text.matches("\nBUCKET=s3://acme-0").count(), 3, "{text}");
    assert!(text.starts_with("# wandb-00  plans/00.toml\nHOST=https://wandb.example.com\n"), "{text}");
    assert!(text.contains("\n\n# wandb-01  plans/more/01.toml\n"), "{text}");
    assert_eq!(text, ends(&stage, 0, &["aws", "output", "plans", "--format", "env"]).stdout);
    let shards = ["1/2", "2/2"].map(|shard| ends(&stage, 0, &["output", "plans", "--shard", shard]).stdout);
    assert_eq!(shards.map(|shard| shard.matches("BUCKET=").count()).iter().sum::<usize>(), 3);
    let json = |arguments: &[&str]| serde_json::from_str::<Value>(&ends(&stage, 0, arguments).stdout).unwrap();
    let document = json(&["output", "plans/00.toml", "plans/more", "--json"]);
    let names: Vec<_> = document["deployments"].as_array().unwrap().iter().map(|one| &one["deployment"]).collect();
    assert_eq!(names, ["wandb-00", "wandb-01"]);
    assert_eq!(document["deployments"][1]["outputs"]["BUCKET"]["sensitive"], false);
    let keyed = json(&["output", "plans", "--format", "json"]);
    assert!(keyed["wandb-02"]["BUCKET"].as_str().unwrap().starts_with("s3://acme-02-"), "{keyed}");
    let secrets = ends(&stage, 0, &["output", "plans", "--format", "k8s-secret", "--out", "all.yaml"]);
    assert_eq!((secrets.stdout.as_str(), stage.read("all.yaml").matches("\n---\n").count()), ("", 2));
    for format in ["docker", "gitlab", "github", "helm", "tfvars", "tf-import"] {
        let ran = ends(&stage, 64, &["output", "plans", "--format", format]);
        assert!(ran.stderr.contains("one plan file at a time"), "{}", ran.stderr);
    }
    assert!(ends(&stage, 64, &["output", "plans", "BUCKET"]).stderr.contains("of one plan file"));
    assert!(ends(&stage, 64, &["output", "plans/00.toml", "bucket"]).stderr.contains("no setting `bucket`"));
    assert!(
        ends(&stage, 64, &["output", "plans", "--out", "plans/00.toml"]).stderr.contains("is the plan file itself")
    );
    assert_eq!(stage.faults().records().len(), 0, "nothing is sent");
}

#[test]
fn plan_file_without_settings_keeps_no_other_one_from_being_printed() {
    let stage = fleet(2);
    stage.write("plans/broken.toml", "[deployment]\n");
    let secret = "[server]\nlicense = \"${env:LICENSE}\"\n";
    stage.write("plans/secret.toml", &(plan_file("secret") + secret));
    let ran = ends(&stage, 64, &["output", "plans"]);
    assert_eq!(ran.stdout.matches("\nBUCKET=").count(), 2, "{}", ran.stdout);
    for file in ["plans/broken.toml", "plans/secret.toml"] {
        assert!(ran.stderr.contains(&format!("--> {file}")), "{}", ran.stderr);
    }
    let all = ends(&stage, 64, &["output", "plans", "--no-secrets", "--json"]);
    let all: Value = serde_json::from_str(&all.stdout).unwrap();
    assert_eq!(all["deployments"].as_array().unwrap().len(), 3);
    assert!(all["errors"].as_array().unwrap().iter().all(|error| error["plan_file"] == "plans/broken.toml"), "{all}");
    stage.write("kept", "before");
    let none = ends(&stage, 64, &["output", "plans", "--no-secrets", "--format", "cr", "--out", "kept"]);
    assert!(none.stderr.contains("names the server's version") && stage.read("kept") == "before", "{}", none.stderr);
    ends(&stage, 64, &["output", "plans", "--no-secrets", "--out", "kept"]);
    assert_eq!(stage.read("kept").matches("BUCKET=").count(), 3);
    std::fs::remove_file(stage.path().join("plans/broken.toml")).unwrap();
    std::fs::copy(stage.path().join("plans/00.toml"), stage.path().join("plans/again.toml")).unwrap();
    let twice = ends(&stage, 64, &["output", "plans", "--no-secrets", "--format", "json"]);
    let keyed: Value = serde_json::from_str(&twice.stdout).unwrap();
    assert!(keyed["wandb-00"].is_null() && keyed["wandb-01"].is_object(), "{keyed}");
    let why = "plan files `plans/00.toml` and `plans/again.toml` are both of deployment `wandb-00`";
    assert!(twice.stderr.contains(why), "{}", twice.stderr);
    assert!(!ends(&stage, 64, &["output", "plans", "--no-secrets"]).stdout.contains("plans/again.toml"));
}

/// Plan files of so many deployments in all three clouds, in `plans/` of a folder.
fn of_three_clouds(folder: &Path, count: usize) {
    roots::write(folder);
    std::fs::create_dir(folder.join("plans")).unwrap();
    for number in 0..count {
        let head = format!("[deployment]\nname = \"wandb-{number}\"\nhost = \"https://wandb.example.com\"\n");
        let aws = format!("[aws]\nregion = \"eu-west-1\"\n[aws.bucket]\nname = \"acme-{number}\"\n");
        let gcp = format!("[gcp]\nproject = \"acme-ml\"\n[gcp.bucket]\nname = \"acme-{number}\"\n");
        let azure = format!(
            "[azure]\nsubscription = \"00000000-0000-0000-0000-000000000000\"\nlocation = \"westeurope\"\n\
             resource_group = {{ name = \"wandb{number}\", create = true }}\n[azure.account]\nname = \"acme{number}\"\n\
             [azure.container]\nname = \"files\"\n"
        );
        std::fs::write(folder.join(format!("plans/{number}.toml")), head + &aws + &gcp + &azure).unwrap();
    }
}

fn three_clouds() -> Sandbox {
    let clouds = vec![EmulatorKind::Aws, EmulatorKind::Google, EmulatorKind::Azure];
    let sandbox = Sandbox::start(Options { clouds, hastened: true, ..Options::default() }).unwrap();
    sandbox.seed_google("acme-ml", None).unwrap();
    sandbox.seed_azure("00000000-0000-0000-0000-000000000000", provision_sandbox::azure::TENANT, None).unwrap();
    sandbox
}

/// Run the binary there, with these variables besides.
fn run_in(sandbox: &Sandbox, folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(binary());
    // The sandbox has an authority of its own.
    command.args(arguments).current_dir(folder).env_clear().envs(roots::variables(folder)).envs(sandbox.environment());
    command.env("PROVISION_TEST_WAITS", "60").env("HOME", folder);
    command.envs(variables.iter().copied());
    finished(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[test]
fn what_is_the_same_for_an_account_is_asked_once_on_every_cloud() {
    let (sandbox, folder) = (three_clouds(), tempfile::tempdir().unwrap());
    of_three_clouds(folder.path(), 16);
    // Nothing is waited for here but answers, for which a busy machine needs its time.
    let run = |arguments: &[&str]| run_in(&sandbox, folder.path(), arguments, &[("PROVISION_TEST_WAITS", "1")]);
    for file in ["plans/0.toml", "plans/1.toml"] {
        let ran = run(&["gcp", "apply", file, "--yes"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let ran = run(&["drift", "plans", "-q", "--trace", "trace"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let trace = std::fs::read_to_string(folder.path().join("trace")).unwrap();
    for operation in [
        "sts:GetCallerIdentity",
        "resourcemanager.projects.get",
        "storage.projects.serviceAccount.get",
        "Microsoft.Resources/subscriptions/read",
        "Microsoft.Resources/subscriptions/providers/read",
    ] {
        let asked = trace.matches(&format!("\"operation\":\"{operation}\"")).count();
        assert_eq!(asked, 1, "{operation}");
    }
}

/// Three accounts: one that answers, one that asks to slow down for ever, one that is not there.
#[test]
fn account_that_fails_is_in_its_own_rows_alone() {
    let (sandbox, folder) = (three_clouds(), tempfile::tempdir().unwrap());
    of_three_clouds(folder.path(), 3);
    let dead = [("AZURE_RESOURCE_MANAGER_ENDPOINT", "https://127.0.0.1:1")];
    let run = |arguments: &[&str], variables: &[_]| run_in(&sandbox, folder.path(), arguments, variables);
    let applied = run(&["aws", "apply", "plans/0.toml", "--yes"], &[]);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    sandbox.faults().fault(Fault {
        operation: "storage*".to_owned(),
        nth: Nth::Every,
        at: When::Before,
        what: What::Throttle,
    });
    let ran = run(&["drift", "plans", "-q"], &dead);
    // Nobody gives a token either, where Azure is not there.
    assert!([1, 4].contains(&ran.code), "{}{}", ran.stdout, ran.stderr);
    let row = |deployment: &str, section: &str| {
        let row = format!("{deployment} ({section}): ");
        let line = ran.stdout.lines().find_map(|line| line.strip_prefix(&row));
        line.unwrap_or_else(|| panic!("no {row} in {}", ran.stdout)).to_owned()
    };
    assert_eq!(row("wandb-0", "aws"), "in sync");
    for number in 0..3 {
        let deployment = format!("wandb-{number}");
        assert_ne!(row(&deployment, "aws"), "unknown");
        assert_eq!((row(&deployment, "gcp").as_str(), row(&deployment, "azure").as_str()), ("unknown", "unknown"));
    }
}
