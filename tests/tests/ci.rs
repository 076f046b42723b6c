//! The files in `ci/`: judged by linters that others wrote, and every step of them run in the sandbox.

mod runner;

use std::path::Path;
use std::process::Command;

use provision_tests::python;
use serde_json::Value;

use runner::{Runner, yaml};

const PLAN_FILE: &str =
    "[deployment]\nname = \"wandb-prod\"\nhost = \"https://wandb.example.com\"\n\n[aws]\nregion = \"eu-west-1\"\n
[aws.bucket]\nname = \"acme-files\"\n\n[aws.access]\nrole = \"node\"\n";

fn github() -> std::path::PathBuf {
    python::workspace().join("ci/github")
}

/// A folder like a repository that has taken the files over.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-r").arg(github()).arg(folder.path().join(".github")).status().unwrap();
    assert!(copied.success());
    folder
}

fn judged(command: &mut Command) {
    let output = command.env_clear().env("HOME", "/nonexistent").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}{}", text(&output.stdout), text(&output.stderr));
}

/// One of the linters, by the interpreter where it is a script: that names the folder in which it was made.
fn tool(name: &str) -> Command {
    let place = python::CI.interpreter().with_file_name(name);
    if std::fs::read(&place).unwrap().starts_with(b"#!") {
        let mut command = Command::new(python::CI.interpreter());
        command.arg(place);
        return command;
    }
    Command::new(place)
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn linters_have_nothing_to_say_of_the_files_for_github() {
    let folder = repository();
    for page in ["ci", "fleets"] {
        let text = std::fs::read_to_string(python::workspace().join(format!("docs/{page}.md"))).unwrap();
        let callers: Vec<_> = text.split("\n```").filter_map(|block| block.strip_prefix("yaml\non:")).collect();
        assert_eq!(callers.len(), 1, "{page}");
        std::fs::write(folder.path().join(format!(".github/workflows/{page}.yml")), format!("on:{}\n", callers[0]))
            .unwrap();
    }
    lint(&folder);
}

/// The workflow that makes a release.
#[test]
fn linters_have_nothing_to_say_of_our_own_workflows() {
    let folder = tempfile::tempdir().unwrap();
    let own = python::workspace().join(".github");
    assert!(Command::new("cp").arg("-r").arg(own).arg(folder.path()).status().unwrap().success());
    std::fs::create_dir(folder.path().join(".github/actions")).unwrap();
    lint(&folder);
}

fn lint(folder: &tempfile::TempDir) {
    let workflows = files(&folder.path().join(".github/workflows"));
    judged(tool("actionlint").args(["-shellcheck=", "-pyflakes="]).args(&workflows).current_dir(folder.path()));
    judged(
        tool("zizmor")
            .args(["--offline", "--no-progress", "--min-severity=medium", ".github"])
            .current_dir(folder.path()),
    );
    let schema = |name: &str, files: &[std::path::PathBuf]| {
        let mut command = Command::new(python::CI.interpreter());
        command.args(["-m", "check_jsonschema", "--builtin-schema", name]).args(files);
        judged(&mut command);
    };
    schema("vendor.github-workflows", &workflows);
    let actions: Vec<_> =
        files(&folder.path().join(".github/actions")).iter().map(|folder| folder.join("action.yml")).collect();
    if !actions.is_empty() {
        schema("vendor.github-actions", &actions);
    }
}

/// A file that is wrong in each linter's eyes: they are there, and look.
#[test]
fn linters_find_what_is_wrong() {
    let folder = repository();
    let file = folder.path().join(".github/workflows/provision-plan.yml");
    let text = std::fs::read_to_string(&file).unwrap();
    let wrong =
        text.replace("\"$PLAN_FILE\" --out", "\"${{ inputs.plan-file }}\" --out").replace("ubuntu-24.04", "ubuntu-1");
    assert_ne!(text, wrong);
    std::fs::write(&file, wrong).unwrap();
    let fails = |command: &mut Command| !command.current_dir(folder.path()).output().unwrap().status.success();
    assert!(fails(tool("actionlint").arg("-shellcheck=").arg(&file)));
    assert!(fails(tool("zizmor").args(["--offline", "--no-progress", "--min-severity=medium", ".github"])));
}

#[test]
fn schema_of_gitlab_takes_the_components() {
    for component in ["provision.yml", "provision-fleet.yml"] {
        let text = std::fs::read_to_string(python::workspace().join("ci/gitlab").join(component)).unwrap();
        let (head, jobs) = text.split_once("\n---\n").unwrap();
        assert!(head.contains("spec:\n  inputs:"));
        schema_of_gitlab_takes(jobs);
    }
    let page = std::fs::read_to_string(python::workspace().join("docs/ci.md")).unwrap();
    let preview = page.split("\n```").find_map(|block| block.strip_prefix("yaml\n.preview:")).unwrap();
    schema_of_gitlab_takes(&format!(".preview:{preview}\n"));
}

fn schema_of_gitlab_takes(jobs: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jobs.yml");
    std::fs::write(&file, filled(jobs, &[])).unwrap();
    let mut command = Command::new(python::CI.interpreter());
    command.args(["-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]);
    judged(command.arg(&file));
}

/// The jobs of GitLab's component with its inputs filled in; without a value, by its name.
fn filled(jobs: &str, inputs: &[(&str, &str)]) -> String {
    let mut parts = jobs.split("$[[ inputs.");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| {
        let (name, rest) = part.split_once(" ]]").unwrap();
        let value = inputs.iter().find(|(input, _)| *input == name).map_or(name, |(_, value)| *value);
        text + value + rest
    })
}

#[test]
fn pull_request_is_planned_and_what_was_shown_is_applied() {
    let runner = Runner::new(PLAN_FILE);
    runner.job("provision-plan.yml", 0);
    let comments = runner.state()["comments"].as_array().unwrap().clone();
    assert_eq!(comments.len(), 1);
    let body = comments[0]["body"].as_str().unwrap();
    assert!(body.starts_with("<!-- provision aws provision.toml -->\n### `wandb-prod`: 4 to create"), "{body}");
    // Another push: the same comment, and not a second one.
    runner.write("provision.toml", &PLAN_FILE.replace("wandb.example.com", "ml.example.com"));
    runner.job("provision-plan.yml", 0);
    let comments = runner.state()["comments"].as_array().unwrap().clone();
    assert!(comments.len() == 1 && comments[0]["body"].as_str().unwrap().contains("ml.example.com"), "{comments:?}");
    runner.job("provision-apply.yml", 0);
    assert!(runner.summary().contains("Applied `wandb-prod`"), "{}", runner.summary());
    // The same merge once more: what was shown is done.
    runner.job("provision-apply.yml", 3);
    assert!(runner.summary().contains("this change set was applied already"), "{}", runner.summary());
    runner.job("provision-verify.yml", 0);
    assert!(runner.read("verify.xml").contains("failures=\"0\""));
}

#[test]
fn what_nobody_has_seen_is_not_applied() {
    let runner = Runner::new(PLAN_FILE);
    runner.set("pulls", Value::Array(Vec::new()));
    let said = runner.job("provision-apply.yml", 1);
    assert!(said.contains("comes from no merged pull request"), "{said}");
    let runner = Runner::new(PLAN_FILE);
    let said = runner.job("provision-apply.yml", 1);
    assert!(said.contains("there is no change set"), "{said}");
}

/// Two plan files of one cloud, in one commit: each is applied by itself, and has its own issue and place in code scanning.
#[test]
fn plan_files_of_one_cloud_are_told_apart() {
    let runner = Runner::new(PLAN_FILE);
    std::fs::create_dir(runner.path().join("plans")).unwrap();
    let files = ["plans/a.toml", "plans-a.toml"];
    for (name, file) in ["one", "two"].into_iter().zip(files) {
        runner.write(file, &PLAN_FILE.replace("wandb-prod", name).replace("acme-files", &format!("acme-{name}")));
        runner.job_of(file, "provision-plan.yml", 0);
    }
    let artifacts = runner.state()["artifacts"].clone();
    let names: Vec<_> = artifacts.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(
        names[0] != names[1] && names.iter().all(|name| name.starts_with("provision-aws-plans-a.toml-")),
        "{names:?}"
    );
    for (name, file) in ["one", "two"].into_iter().zip(files) {
        runner.job_of(file, "provision-apply.yml", 0);
        assert!(runner.summary().contains(&format!("Applied `{name}`")), "{}", runner.summary());
        runner.job_of(file, "provision-verify.yml", 0);
        runner.edit_bucket(&format!("acme-{name}"));
        runner.job_of(file, "provision-drift.yml", 0);
        assert_eq!(runner.state()["category"], format!("provision aws {file}"));
    }
    let state = runner.state();
    let titles = |key: &str, field: &str| {
        let all = state[key].as_array().unwrap().iter().map(|one| one[field].as_str().unwrap().to_owned());
        all.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(titles("artifacts", "name").len(), 4);
    let issues = files.map(|file| format!("Drift: provision aws {file}"));
    assert_eq!(titles("issues", "title"), issues.into_iter().collect());
}

/// Whoever makes an artifact names it: one of the same name is of a fork, of another commit, of another workflow, or of a push.
#[test]
fn change_set_of_somebody_else_is_not_applied() {
    let runner = Runner::new(PLAN_FILE);
    runner.job("provision-plan.yml", 0);
    let (made, runs) = (runner.state()["artifacts"].clone(), runner.state()["runs"].clone());
    let refused = |key: &str, pointer: &str, value: Value| {
        let mut changed = if key == "runs" { runs.clone() } else { made.clone() };
        *changed.pointer_mut(pointer).unwrap() = value;
        runner.set(key, changed);
        let said = runner.job("provision-apply.yml", 1);
        assert!(said.contains("there is no change set") && said.contains("plan again in a pull request"), "{said}");
        runner.set("artifacts", made.clone());
        runner.set("runs", runs.clone());
    };
    refused("artifacts", "/0/workflow_run/head_repository_id", 6.into());
    refused("artifacts", "/0/workflow_run/head_sha", "9876543210987654321098765432109876543210".into());
    refused("artifacts", "/0/expired", true.into());
    refused("runs", "/1/path", ".github/workflows/other.yml".into());
    refused("runs", "/1/event", "push".into());
    // Beside another's, which is newer, the one that was shown is found.
    let mut both = made.as_array().unwrap().clone();
    both.push(both[0].clone());
    both[1]["created_at"] = "2026-02-01T00:00:00Z".into();
    both[1]["workflow_run"]["id"] = 2.into();
    both[1]["archive"] = "none".into();
    runner.set("artifacts", both.into());
    // The path of a run may have the repository and the ref with it.
    let shown = serde_json::json!({"event": "pull_request", "path": "acme/infra/.github/workflows/provision.yml@main"});
    runner.set("runs", serde_json::json!({"1": shown, "2": {"event": "push", "path": runs["1"]["path"]}}));
    runner.job("provision-apply.yml", 0);
}

#[test]
fn refused_plan_is_told_in_the_comment_and_the_job_fails() {
    let runner = Runner::new(&PLAN_FILE.replace("acme-files", "A Bucket"));
    runner.job("provision-plan.yml", 64);
    let comments = runner.state()["comments"].as_array().unwrap().clone();
    assert!(comments[0]["body"].as_str().unwrap().contains("invalid bucket name"), "{comments:?}");
}

#[test]
fn drift_is_annotated_and_opens_one_issue_that_closes_again() {
    let runner = Runner::new(PLAN_FILE);
    runner.provision(&["aws", "apply", "--yes"]);
    runner.job("provision-drift.yml", 0);
    assert_eq!(runner.state()["issues"], Value::Array(Vec::new()));
    runner.edit();
    let said = runner.job("provision-drift.yml", 0);
    assert!(said.contains("::error file=provision.toml,line="), "{said}");
    runner.job("provision-drift.yml", 0);
    let issues = runner.state()["issues"].as_array().unwrap().clone();
    assert!(issues.len() == 1 && issues[0]["state"] == "open", "{issues:?}");
    assert!(issues[0]["body"].as_str().unwrap().contains("changed"), "{issues:?}");
    let sarif: Value = serde_json::from_str(&runner.read("drift.sarif")).unwrap();
    assert!(!sarif["runs"][0]["results"].as_array().unwrap().is_empty());
    runner.provision(&["aws", "apply", "--yes"]);
    runner.job("provision-drift.yml", 0);
    assert_eq!(runner.state()["issues"][0]["state"], "closed");
    runner.job("provision-teardown.yml", 0);
    assert!(!runner.provision(&["aws", "plan"]).contains("No changes"));
}

#[test]
fn preview_of_a_pull_request_is_made_and_taken_down() {
    let runner = Runner::new(PLAN_FILE);
    runner.provision(&["aws", "apply", "--yes"]);
    let numbered = PLAN_FILE.replace("wandb-prod", "wandb-pr-NUMBER").replace("acme-files", "acme-pr-NUMBER");
    runner.write("preview.toml", &numbered.replace("\"node\"", "\"node-NUMBER\""));
    let run = |workflow: &str, plan_file: &str, number: &str, bucket: &str, code: i32| {
        let inputs = [("inputs.plan-file", plan_file), ("inputs.number", number), ("inputs.bucket", bucket)];
        runner.job_with(&inputs, workflow, code)
    };
    for number in ["7", "8", "7"] {
        run("provision-preview.yml", "preview.toml", number, "", 0);
    }
    run("provision-teardown.yml", "preview.toml", "7", "acme-pr-NUMBER", 0);
    assert!(runner.provision(&["aws", "plan", "preview-7.toml"]).contains("4 to create"));
    for file in ["preview-8.toml", "provision.toml"] {
        assert!(runner.provision(&["aws", "plan", file]).contains("No changes"), "{file}");
    }
    // What is nobody's preview is neither written nor taken down for a pull request.
    for (workflow, file, bucket) in [
        ("provision-preview.yml", "provision.toml", ""),
        ("provision-teardown.yml", "provision.toml", "acme-NUMBER"),
        ("provision-teardown.yml", "preview.toml", "acme-files"),
    ] {
        let said = run(workflow, file, "8", bucket, 1);
        assert!(said.contains("has no NUMBER in it"), "{said}");
    }
}

/// Variables and trust of an environment are a job's that names it: each that writes does, by its caller's input.
#[test]
fn jobs_that_write_are_of_an_environment() {
    for name in ["apply", "verify", "preview", "teardown"] {
        let file = format!("provision-{name}.yml");
        let workflow = yaml(&github().join("workflows").join(&file))[0].clone();
        let job = workflow["jobs"].as_object().unwrap().values().next().unwrap();
        assert_eq!(job["environment"], "${{ inputs.environment }}", "{file}");
        // YAML's `on` is a truth value.
        let inputs = &workflow["true"]["workflow_call"]["inputs"];
        assert_eq!(inputs["environment"]["required"], true, "{file}: {inputs}");
    }
}

/// Code scanning asks for the run in a private repository
/// (<https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/uploading-a-sarif-file-to-github>).
#[test]
fn jobs_that_fill_code_scanning_may_look_at_their_run() {
    let jobs = files(&github().join("workflows"))
        .into_iter()
        .flat_map(|file| yaml(&file)[0]["jobs"].as_object().unwrap().values().cloned().collect::<Vec<_>>());
    let fill = jobs.filter(|job| job["permissions"]["security-events"] == "write").collect::<Vec<_>>();
    assert_eq!(fill.len(), 3);
    assert!(fill.iter().all(|job| job["permissions"]["actions"] == "read"), "{fill:?}");
}

/// The composite action runs nothing whose checksum is another.
#[test]
fn release_is_installed_by_its_checksum() {
    let runner = Runner::new(PLAN_FILE);
    let (archive, sum) = runner.release();
    let inputs = |sum: &str| {
        [("inputs.url", "https://example.com/provision.tar.gz".to_owned()), ("inputs.sha256", sum.to_owned())]
    };
    let action = github().join("actions/install-provision/action.yml");
    let steps = yaml(&action)[0]["runs"]["steps"].clone();
    let said = runner.steps(&steps, &inputs(&sum), &archive, 0);
    assert!(said.contains("provision "), "{said}");
    let said = runner.steps(&steps, &inputs(&"0".repeat(64)), &archive, 1);
    assert!(!said.contains("provision 0"), "{said}");
}

#[test]
fn jobs_of_gitlab_run() {
    let text = std::fs::read_to_string(python::workspace().join("ci/gitlab/provision.yml")).unwrap();
    let jobs = filled(text.split_once("\n---\n").unwrap().1, &[("provider", "aws"), ("plan-file", "provision.toml")]);
    let runner = Runner::new(&format!("{PLAN_FILE}\n[server.env]\nBANNER = \"two words\"\n"));
    runner.write("jobs.yml", &jobs);
    let jobs = yaml(&runner.path().join("jobs.yml"))[0].clone();
    let run = |job: &str, code: i32| runner.gitlab(&jobs, job, code);
    run("provision-plan", 0);
    assert_eq!(serde_json::from_str::<Value>(&runner.read("plan.json")).unwrap()["create"], 4);
    run("provision-change-set", 0);
    run("provision-apply", 0);
    let settings = runner.read("settings.env");
    assert!(settings.contains("BUCKET=s3://acme-files\n") && settings.contains("BANNER=two words\n"), "{settings}");
    run("provision-verify", 0);
    run("provision-drift", 0);
    runner.edit();
    run("provision-drift", 2);
    assert!(runner.read("drift.xml").contains("<failure"));
    run("provision-teardown", 0);
}

/// In place of `[aws]`.
const AZURE: &str = "[azure]\nsubscription = \"00000000-0000-0000-0000-000000000000\"\nlocation = \"westeurope\"
resource_group = { name = \"wandb\", create = true }\n
[azure.account]\nname = \"acmewandb\"\n\n[azure.container]\nname = \"wandb-files\"\n";

/// A folder of plan files, one of them of another cloud, and what was applied of it.
fn fleet() -> Runner {
    let runner = Runner::new(PLAN_FILE);
    std::fs::create_dir(runner.path().join("plans")).unwrap();
    let (deployment, _) = PLAN_FILE.split_once("[aws]").unwrap();
    let write = |number: i32, text: &str| {
        let text = text.replace("wandb-prod", &format!("wandb-{number}"));
        runner.write(&format!("plans/{number}.toml"), &text.replace("acme-files", &format!("acme-{number}")));
    };
    (0..5).for_each(|number| write(number, PLAN_FILE));
    write(5, &format!("{deployment}{AZURE}"));
    let applied = runner.provision(&["apply", "plans", "--yes", "-q"]);
    assert!(applied.contains("6 plan files: 6 applied"), "{applied}");
    runner
}

#[test]
fn shards_on_github_make_one_report() {
    let runner = fleet();
    let workflow = yaml(&github().join("workflows/provision-drift-fleet.yml"))[0].clone();
    let look = &workflow["jobs"]["look"];
    let shards = look["strategy"]["matrix"]["shard"].as_array().unwrap();
    let run = |job: &Value, shard: &Value, code: i32| {
        let known = [
            ("inputs.provider", "all".to_owned()),
            ("inputs.plan-files", "plans".to_owned()),
            ("matrix.shard", shard.to_string()),
            ("strategy.job-total", shards.len().to_string()),
            ("github.token", "token".to_owned()),
            ("github.repository", "acme/infra".to_owned()),
        ];
        runner.steps(&job["steps"], &known, Path::new("none"), code)
    };
    let look_at_all = || {
        shards.iter().for_each(|shard| _ = run(look, shard, 0));
        run(&workflow["jobs"]["report"], &Value::Null, 0)
    };
    look_at_all();
    assert_eq!(runner.summary().matches("`: in sync").count(), 6, "{}", runner.summary());
    assert_eq!(runner.state()["issues"], Value::Array(Vec::new()));
    runner.edit_bucket("acme-1");
    let said = look_at_all();
    assert!(said.contains("::error file=plans/1.toml,line="), "{said}");
    let issue = runner.state()["issues"][0].clone();
    assert!(issue["title"] == "Drift: fleet all plans" && issue["state"] == "open", "{issue}");
    let artifacts = runner.state()["artifacts"].as_array().unwrap().clone();
    let names: Vec<_> = artifacts.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(names.last().unwrap().starts_with("provision-fleet-report-all-plans-"), "{names:?}");
    for (file, marker) in [("drift.html", "wandb-1"), ("drift.xml", "<failure"), ("drift.sarif", "plans/1.toml")] {
        assert!(runner.read(file).contains(marker), "{file}");
    }
    runner.provision(&["apply", "plans", "--yes", "-q"]);
    look_at_all();
    assert_eq!(runner.state()["issues"][0]["state"], "closed");
    std::fs::remove_file(runner.path().join("drift-2.json")).unwrap();
    run(&workflow["jobs"]["report"], &Value::Null, 1);
    assert!(runner.summary().contains("shard 2/4"), "{}", runner.summary());
}

#[test]
fn shards_on_gitlab_make_one_report() {
    let runner = fleet();
    let text = std::fs::read_to_string(python::workspace().join("ci/gitlab/provision-fleet.yml")).unwrap();
    let identities = ["aws-identity", "gcp-identity", "azure-identity"].map(|identity| (identity, ""));
    let inputs = [&[("provider", "all"), ("plan-files", "plans")], &identities[..]].concat();
    let jobs = filled(text.split_once("\n---\n").unwrap().1, &inputs);
    runner.write("jobs.yml", &jobs);
    let mut jobs = yaml(&runner.path().join("jobs.yml"))[0].clone();
    let count = jobs["provision-fleet-look"]["parallel"].as_u64().unwrap();
    for index in 1..=count {
        jobs["provision-fleet-look"]["variables"] =
            serde_json::json!({"CI_NODE_INDEX": index.to_string(), "CI_NODE_TOTAL": count.to_string()});
        runner.gitlab(&jobs, "provision-fleet-look", 0);
    }
    runner.gitlab(&jobs, "provision-fleet-report", 0);
    assert_eq!(runner.read("drift.xml").matches("<testsuite ").count(), 6);
    assert!(runner.read("drift.html").contains("wandb-5"));
}

#[test]
fn indexed_job_of_kubernetes_makes_one_report() {
    let runner = fleet();
    let jobs = yaml(&python::workspace().join("ci/kubernetes/drift.yml"));
    let arguments = |job: &Value, index: u64| {
        let words = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["args"].clone();
        let place = |folder: &str| runner.path().join(folder).display().to_string();
        let words = words.as_array().unwrap().iter().map(|word| {
            let word = word.as_str().unwrap().replace("$(JOB_COMPLETION_INDEX)", &index.to_string());
            word.replace("/plans", &place("plans")).replace("/reports", &place("reports"))
        });
        words.collect::<Vec<_>>()
    };
    std::fs::create_dir(runner.path().join("reports")).unwrap();
    let count = jobs[0]["spec"]["jobTemplate"]["spec"]["completions"].as_u64().unwrap();
    let run = |words: Vec<String>| runner.provision(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let looked: String = (0..count).map(|index| run(arguments(&jobs[0], index))).collect();
    assert_eq!(looked.matches(": in sync").count(), 6, "{looked}");
    let merged = run(arguments(&jobs[1], 0));
    assert_eq!(merged.matches(": in sync").count(), 6, "{merged}");
    assert!(!merged.contains("unknown"), "{merged}");
}
