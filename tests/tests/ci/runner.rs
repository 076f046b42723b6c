//! Runs the steps of a workflow as a runner does, in the command's own sandbox.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use provision_tests::python;
use provision_tests::run::{binary, signal};
use serde_json::Value;

use super::github;

/// What stands for the tools of a runner.
const TOOLS: &str = include_str!("../../src/ci_tools.py");

/// The commit of the pull request.
const HEAD: &str = "0123456789012345678901234567890123456789";

/// A repository's folder, with what a runner has on its path.
pub(super) struct Runner(tempfile::TempDir);

/// The documents of a YAML file.
pub(super) fn yaml(file: &Path) -> Value {
    let mut command = Command::new(python::CI.interpreter());
    let output = command.args(["-c", TOOLS, "yaml"]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

impl Runner {
    pub(super) fn new(plan_file: &str) -> Self {
        let runner = Self(tempfile::tempdir().unwrap());
        runner.write("provision.toml", plan_file);
        std::fs::create_dir_all(runner.path().join("bin")).unwrap();
        runner.write("tools.py", TOOLS);
        let python = python::CI.interpreter().display();
        for tool in ["gh", "jq", "unzip", "curl"] {
            runner.executable(tool, &format!("exec {python} {}/tools.py {tool} \"$@\"", runner.path().display()));
        }
        runner.executable("provision", &format!("exec {} \"$@\" --sandbox", binary().display()));
        let pull = serde_json::json!([{"merged_at": "2026-01-01T00:00:00Z", "head": {"sha": HEAD}}]);
        let runs = serde_json::json!({"1": {"event": "pull_request", "path": ".github/workflows/provision.yml"}});
        let state = serde_json::json!({"comments": [], "issues": [], "artifacts": [], "pulls": pull, "runs": runs});
        runner.write("gh.json", &state.to_string());
        runner
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap_or_default()
    }

    pub(super) fn summary(&self) -> String {
        self.read("summary")
    }

    /// What GitHub has by now.
    pub(super) fn state(&self) -> Value {
        serde_json::from_str(&self.read("gh.json")).unwrap()
    }

    pub(super) fn set(&self, key: &str, value: Value) {
        let mut state = self.state();
        state[key] = value;
        self.write("gh.json", &state.to_string());
    }

    fn executable(&self, name: &str, command: &str) {
        let place = self.path().join("bin").join(name);
        std::fs::write(&place, format!("#!/bin/sh\n{command}\n")).unwrap();
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Run the binary in the sandbox.
    pub(super) fn provision(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(self.path().join("bin/provision"));
        let output = command.args(arguments).current_dir(self.path()).env_clear().output().unwrap();
        text(&output)
    }

    /// Somebody takes the CORS rule out of the bucket.
    pub(super) fn edit(&self) {
        self.edit_bucket("acme-files");
    }

    /// The same of another bucket.
    pub(super) fn edit_bucket(&self, bucket: &str) {
        let mut serve = Command::new(binary());
        serve.args(["sandbox", "serve"]).current_dir(self.path()).env_clear().stdout(Stdio::piped());
        let mut served = serve.spawn().unwrap();
        let lines = BufReader::new(served.stdout.take().unwrap()).lines().map(Result::unwrap);
        let printed: Vec<_> = lines.take_while(|line| line != "ready").collect();
        let variables = printed.iter().filter_map(|line| line.split_once('='));
        let variables: Vec<_> = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let script = format!("import boto3; boto3.client('s3').delete_bucket_cors(Bucket='{bucket}')");
        let edited = python::run(&script, &variables);
        signal(&served, "TERM");
        assert!(served.wait().unwrap().success() && edited.status.success(), "{}", text(&edited));
    }

    /// The archive of a release, and its checksum.
    pub(super) fn release(&self) -> (PathBuf, String) {
        let folder = self.path().join("provision-1");
        std::fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink(binary(), folder.join("provision")).unwrap();
        let archive = self.path().join("archive.tar.gz");
        let packed =
            Command::new("tar").args(["czf"]).arg(&archive).arg("provision-1").current_dir(self.path()).status();
        assert!(packed.unwrap().success());
        let sum = Command::new("sha256sum").arg(&archive).output().unwrap();
        (archive, String::from_utf8_lossy(&sum.stdout).split(' ').next().unwrap().to_owned())
    }

    /// Run the one job of a workflow, which ends with a code; gives what it printed.
    pub(super) fn job(&self, workflow: &str, code: i32) -> String {
        self.job_of("provision.toml", workflow, code)
    }

    /// The same of another plan file.
    pub(super) fn job_of(&self, plan_file: &str, workflow: &str, code: i32) -> String {
        self.job_with(&[("inputs.plan-file", plan_file), ("inputs.plan-files", plan_file)], workflow, code)
    }

    /// The same with other inputs.
    pub(super) fn job_with(&self, inputs: &[(&str, &str)], workflow: &str, code: i32) -> String {
        let jobs = yaml(&github().join("workflows").join(workflow))[0]["jobs"].clone();
        let job = jobs.as_object().unwrap().values().next().unwrap().clone();
        let known = [
            ("inputs.provider", "aws"),
            ("inputs.bucket", "acme-files"),
            ("inputs.number", "0"),
            ("github.token", "token"),
            ("github.repository", "acme/infra"),
            ("github.workflow_ref", "acme/infra/.github/workflows/provision.yml@refs/heads/main"),
            ("github.sha", "fedcba9876543210fedcba9876543210fedcba98"),
            ("github.event.pull_request.number", "7"),
            ("github.event.pull_request.head.sha", HEAD),
        ];
        let known: Vec<_> = known.iter().chain(inputs).map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.steps(&job["steps"], &known, Path::new("none"), code)
    }

    /// Run steps in turn; the job ends with the code of the first that fails.
    pub(super) fn steps(&self, steps: &Value, known: &[(&str, String)], archive: &Path, code: i32) -> String {
        let known = known.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        self.write("summary", "");
        let (ended, said) = self.run(steps, known, archive);
        assert_eq!(ended, code, "{said}");
        said
    }

    fn run(&self, steps: &Value, mut known: BTreeMap<String, String>, archive: &Path) -> (i32, String) {
        let (mut ended, mut said) = (0, String::new());
        for step in steps.as_array().unwrap() {
            let condition = step["if"].as_str().unwrap_or("success()");
            if !self.holds(condition, ended == 0, &known) {
                continue;
            }
            if let Some(script) = step["run"].as_str() {
                assert!(!script.contains("${{"), "an expression in a script is run as one: {script}");
                let output = self.script(script, &self.environment(step, &known, archive));
                said += &text(&output);
                ended = if ended == 0 { output.status.code().unwrap_or(-1) } else { ended };
                if let Some(id) = step["id"].as_str() {
                    let outputs = self.read("output");
                    let outputs = outputs.lines().filter_map(|line| line.split_once('='));
                    known.extend(outputs.map(|(key, value)| (format!("steps.{id}.outputs.{key}"), value.to_owned())));
                }
            } else if step["uses"].as_str().is_some_and(|uses| uses.starts_with("actions/upload-artifact@")) {
                let (name, path) = (step["with"]["name"].as_str().unwrap(), step["with"]["path"].as_str().unwrap());
                self.upload(&evaluated(name, &known), path);
            } else if step["uses"].as_str().is_some_and(|uses| uses.contains("/upload-sarif@")) {
                self.set("category", evaluated(step["with"]["category"].as_str().unwrap(), &known).into());
            } else if step["uses"] == "./.github/actions/tell-drift" {
                let action = yaml(&github().join("actions/tell-drift/action.yml"))[0].clone();
                let inputs = step["with"].as_object().unwrap().iter();
                let inputs =
                    inputs.map(|(name, value)| (format!("inputs.{name}"), evaluated(value.as_str().unwrap(), &known)));
                let known = known.clone().into_iter().chain(inputs).collect();
                let (code, told) = self.run(&action["runs"]["steps"], known, archive);
                said += &told;
                ended = if ended == 0 { code } else { ended };
            }
        }
        (ended, said)
    }

    fn environment(&self, step: &Value, known: &BTreeMap<String, String>, archive: &Path) -> Vec<(String, String)> {
        let of_step = step["env"].as_object().into_iter().flatten();
        let of_step = of_step.map(|(name, value)| (name.clone(), evaluated(value.as_str().unwrap(), known)));
        let place = |name: &str| self.path().join(name).display().to_string();
        self.write("output", "");
        let of_runner = [
            ("PATH", format!("{}:/usr/bin:/bin", place("bin"))),
            ("GH_STATE", place("gh.json")),
            ("GITHUB_STEP_SUMMARY", place("summary")),
            ("GITHUB_OUTPUT", place("output")),
            ("GITHUB_PATH", place("path")),
            ("RUNNER_TEMP", place("temp")),
            ("ARCHIVE", archive.display().to_string()),
        ];
        of_runner.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(of_step).collect()
    }

    /// As a runner does: `bash -e` (<https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax>).
    fn script(&self, script: &str, environment: &[(String, String)]) -> Output {
        let mut command = Command::new("bash");
        command.args(["-e", "-c", script]).current_dir(self.path()).env_clear();
        command.envs(environment.iter().cloned()).output().unwrap()
    }

    /// What is uploaded is an archive of what is there of it, one file a line.
    fn upload(&self, name: &str, paths: &str) {
        let files: Vec<_> = paths.lines().map(|path| self.path().join(path)).filter(|file| file.exists()).collect();
        if files.is_empty() {
            return;
        }
        let archive = self.path().join(format!("{name}.zip"));
        let mut command = Command::new(python::CI.interpreter());
        let zipped = command.args(["-c", TOOLS, "zip"]).arg(&archive).args(files).status().unwrap();
        assert!(zipped.success());
        let mut artifacts = self.state()["artifacts"].as_array().unwrap().clone();
        // As GitHub lists it (<https://docs.github.com/rest/actions/artifacts#list-artifacts-for-a-repository>).
        artifacts.push(serde_json::json!({
            "name": name,
            "archive": archive,
            "expired": false,
            "created_at": format!("2026-01-01T00:00:{:02}Z", artifacts.len()),
            "workflow_run": {"id": 1, "repository_id": 5, "head_repository_id": 5, "head_sha": HEAD},
        }));
        self.set("artifacts", artifacts.into());
    }

    /// The conditions that the workflows use: parts with `&&` between.
    fn holds(&self, condition: &str, succeeded: bool, known: &BTreeMap<String, String>) -> bool {
        let parts: Vec<_> = condition.split("&&").map(str::trim).collect();
        let always = parts.contains(&"always()");
        (always || succeeded)
            && parts.iter().all(|part| ["always()", "success()"].contains(part) || self.compares(part, known))
    }

    /// `LEFT == 'TEXT'` or `LEFT != 'TEXT'`; what is not there is empty.
    fn compares(&self, part: &str, known: &BTreeMap<String, String>) -> bool {
        let (equal, sides) = match part.split_once(" == ") {
            Some(sides) => (true, Some(sides)),
            None => (false, part.split_once(" != ")),
        };
        let (left, right) = sides.unwrap_or_else(|| panic!("a condition that is not known: {part}"));
        let value = match left.strip_prefix("hashFiles('").and_then(|rest| rest.strip_suffix("')")) {
            Some(file) if self.path().join(file).exists() => "hash",
            Some(_) => "",
            None => known.get(left).map_or("", String::as_str),
        };
        (value == right.trim_matches('\'')) == equal
    }

    /// Run a job of GitLab's, with what it extends.
    pub(super) fn gitlab(&self, jobs: &Value, name: &str, code: i32) {
        let (job, base) = (&jobs[name], &jobs[jobs[name]["extends"].as_str().unwrap()]);
        let lines = |value: &Value| {
            value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        let script = [lines(&base["before_script"]), lines(&job["script"])].concat().join("\n");
        let variables = [&base["variables"], &job["variables"]];
        let variables = variables.into_iter().filter_map(Value::as_object).flatten();
        let variables = variables.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
        let place = |name: &str| self.path().join(name).display().to_string();
        let of_runner = [
            ("PATH", format!("{}:/usr/bin:/bin", place("bin"))),
            ("CI_PROJECT_DIR", place("")),
            ("CI_JOB_ID", "1".to_owned()),
            ("PROVISION_TOKEN", "token".to_owned()),
        ];
        let of_runner = of_runner.map(|(name, value)| (name.to_owned(), value));
        let output = self.script(&script, &variables.chain(of_runner).collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(code), "{name}: {}", text(&output));
    }
}

/// A text with its expressions' values.
fn evaluated(text: &str, known: &BTreeMap<String, String>) -> String {
    let mut parts = text.split("${{ ");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| {
        let (name, rest) = part.split_once(" }}").unwrap();
        let value = known.get(name).unwrap_or_else(|| panic!("an expression that is not known: {name}"));
        text + value + rest
    })
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
