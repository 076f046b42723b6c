//! What reads each format: a shell and a parser of YAML; the rules of the others, written by their sources.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use provision_tests::python;
use serde_json::Value;

/// Settings by name.
pub(super) type Settings = BTreeMap<String, String>;

/// Shells that read assignments.
pub(super) const SHELLS: [&str; 3] = ["/bin/sh", "/bin/bash", "/bin/dash"];

/// The environment of what a shell starts after it has read a file; `None` where there is no such shell.
pub(super) fn shell(shell: &str, folder: &Path, file: &str) -> Option<Settings> {
    if shell != "/bin/sh" && !Path::new(shell).exists() {
        return skipped(shell);
    }
    let script = format!("set -a; . ./{file}; exec /usr/bin/env -0");
    let ran = Command::new(shell).args(["-c", &script]).current_dir(folder).env_clear().output().unwrap();
    assert!(ran.status.success() && ran.stderr.is_empty(), "{}", String::from_utf8_lossy(&ran.stderr));
    let entries = String::from_utf8(ran.stdout).unwrap();
    let entries = entries.split('\0').filter_map(|entry| entry.split_once('='));
    Some(entries.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn skipped<T>(program: &str) -> Option<T> {
    println!("skipped: there is no `{program}` here");
    None
}

/// What a program prints that is given this; `None` where there is no such program.
fn printed(command: &mut Command, given: &str) -> Option<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = spawned else { return skipped(&program) };
    child.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
    let ran = child.wait_with_output().unwrap();
    assert!(ran.status.success(), "{program}: {}", String::from_utf8_lossy(&ran.stderr));
    Some(String::from_utf8(ran.stdout).unwrap())
}

/// What dotenv libraries make of a file: Python's (<https://github.com/theskumar/python-dotenv>), and Node's own where it has one
/// (<https://nodejs.org/api/util.html#utilparseenvcontent>).
pub(super) fn libraries(folder: &Path, file: &str) -> Vec<Settings> {
    let path = folder.join(file).display().to_string();
    let python = "import dotenv, json, sys; print(json.dumps(dotenv.dotenv_values(sys.argv[1])))";
    let python = printed(Command::new(python::CI.interpreter()).args(["-c", python, &path]), "");
    let node = "const parse = require('util').parseEnv; const text = require('fs').readFileSync(process.argv[1], 'utf8'); \
                console.log(parse ? JSON.stringify(parse(text)) : '')";
    let node = printed(Command::new("node").args(["-e", node, &path]), "").filter(|text| !text.trim().is_empty());
    [python, node].into_iter().flatten().map(|text| serde_json::from_str(&text).unwrap()).collect()
}

/// What Docker's own client tells a daemon of an `--env-file`; `None` where there is no such client.
pub(super) fn docker_client(folder: &Path, file: &str) -> Option<Settings> {
    printed(Command::new("docker").arg("--version"), "")?;
    let script = include_str!("../../src/docker.py");
    let ran = printed(Command::new(python::interpreter()).args(["-", file]).current_dir(folder), script)?;
    Some(serde_json::from_str(&ran).unwrap())
}

/// A Secret as `kubectl` sends it; `None` where there is no `kubectl`.
pub(super) fn kubectl(folder: &Path, file: &str) -> Option<Value> {
    let arguments = ["label", "--local", "--filename", file, "--output", "json", "read=yes"];
    let ran = printed(Command::new("kubectl").args(arguments).current_dir(folder).env("HOME", folder), "")?;
    Some(serde_json::from_str(&ran).unwrap())
}

/// The values that Terraform's variables of these names get of a file; `None` where there is no `terraform`.
pub(super) fn terraform(folder: &Path, file: &str, names: &Settings) -> Option<Settings> {
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let there = text.lines().filter_map(|line| line.split_once('='));
    let variables: String = there.map(|(name, _)| format!("variable \"{}\" {{}}\n", name.trim())).collect();
    std::fs::write(folder.join("main.tf"), variables).unwrap();
    let values: Vec<_> = names.keys().map(|name| format!("{name} = var.{name}")).collect();
    let mut command = Command::new("terraform");
    command.args(["console", &format!("-var-file={file}")]).current_dir(folder).env("CHECKPOINT_DISABLE", "1");
    let ran = printed(&mut command, &format!("base64encode(jsonencode({{ {} }}))\n", values.join(", ")))?;
    // As it prints texts, they are quoted in its own language.
    let decode = "import base64, sys; print(base64.b64decode(sys.stdin.read().strip().strip('\"')).decode())";
    let decoded = printed(Command::new(python::interpreter()).args(["-c", decode]).env("PYTHONUTF8", "1"), &ran)?;
    Some(serde_json::from_str(&decoded).unwrap())
}

/// `docker run --env-file`: <https://github.com/docker/cli/blob/master/pkg/kvfile/kvfile.go>.
pub(super) fn docker(text: &str) -> Settings {
    let mut settings = Settings::new();
    for line in text.lines() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').unwrap();
        assert!(!name.contains(char::is_whitespace) && line.len() < 64 << 10, "{line}");
        settings.insert(name.to_owned(), value.to_owned());
    }
    settings
}

/// GitLab: <https://gitlab.com/gitlab-org/gitlab/-/blob/master/app/services/ci/parse_dotenv_artifact_service.rb>.
pub(super) fn gitlab(text: &str) -> Settings {
    assert!(text.len() < 5 << 10);
    let mut settings = Settings::new();
    for line in text.lines() {
        let (name, value) = line.split_once('=').unwrap();
        settings.insert(name.trim().to_owned(), value.trim().to_owned());
    }
    settings
}

/// GitHub's runner: <https://github.com/actions/runner/blob/main/src/Runner.Worker/FileCommandManager.cs>.
pub(super) fn github(text: &str) -> Settings {
    let (mut settings, mut rest) = (Settings::new(), text);
    let next_line = |rest: &mut &str| {
        let (line, after) = (*rest).split_once('\n')?;
        let line = line.to_owned();
        *rest = after;
        Some(line)
    };
    while let Some(line) = next_line(&mut rest) {
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        match (equals, heredoc) {
            (Some(at), heredoc) if heredoc.is_none_or(|heredoc| at < heredoc) => {
                settings.insert(line[..at].to_owned(), line[at + 1..].to_owned());
            }
            (_, Some(at)) => {
                let (name, delimiter) = (&line[..at], &line[at + 2..]);
                let mut lines = Vec::new();
                loop {
                    let line = next_line(&mut rest).expect("a delimiter ends it");
                    if line == delimiter {
                        break;
                    }
                    lines.push(line);
                }
                settings.insert(name.to_owned(), lines.join("\n"));
            }
            _ if line.is_empty() => {}
            _ => panic!("{line}"),
        }
    }
    settings
}

/// Docker Compose: <https://github.com/compose-spec/compose-go/blob/main/dotenv/parser.go>.
pub(super) fn compose(text: &str) -> Settings {
    let text = text.replace("\r\n", "\n");
    let (mut settings, mut rest) = (Settings::new(), text.as_str());
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return settings;
        }
        let (name, after) = rest.split_once('=').unwrap();
        let value;
        (value, rest) = match after.chars().next() {
            Some(quote @ ('\'' | '"')) => quoted(&after[1..], quote),
            _ => {
                let (line, rest) = after.split_once('\n').unwrap();
                let line = line.split(" #").next().unwrap_or_default();
                (interpolated(line.trim_end()), rest)
            }
        };
        settings.insert(name.to_owned(), value);
    }
}

/// A quoted value, and what comes after it.
fn quoted(text: &str, quote: char) -> (String, &str) {
    let (mut value, mut escape) = (String::new(), false);
    for (at, letter) in text.char_indices() {
        match (letter, escape) {
            (letter, true) if letter == quote => {
                value.push(letter);
                escape = false;
            }
            (letter, true) => {
                value.extend(['\\', letter]);
                escape = false;
            }
            ('\\', false) => escape = true,
            (letter, false) if letter == quote => {
                let value = if quote == '"' { interpolated(&unescaped(&value)) } else { value };
                return (value, &text[at + 1..]);
            }
            (letter, false) => value.push(letter),
        }
    }
    panic!("no end of {text}");
}

/// Escapes of a value in double quotes: `\n`, `\0140` and the like.
fn unescaped(text: &str) -> String {
    let (mut value, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('\\') {
        value.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let octal: String = after.chars().take(4).take_while(char::is_ascii_digit).collect();
        let (letter, length) = match after.chars().next() {
            Some('n') => ("\n".to_owned(), 1),
            Some('r') => ("\r".to_owned(), 1),
            Some('t') => ("\t".to_owned(), 1),
            Some('$') => ("$$".to_owned(), 1),
            Some(letter @ ('"' | '\\')) => (letter.to_string(), 1),
            Some('0') if octal.len() == 4 => {
                (char::from(u8::from_str_radix(&octal, 8).unwrap()).to_string(), octal.len())
            }
            _ => ("\\".to_owned(), 0),
        };
        value.push_str(&letter);
        rest = &after[length..];
    }
    value + rest
}

/// Variables of a value: there is none, and `$$` is a `$`.
fn interpolated(text: &str) -> String {
    assert!(!text.replace("$$", "").contains('$'), "{text}");
    text.replace("$$", "$")
}

/// Documents as a parser of YAML reads them, in the order of the files.
pub(super) fn yaml<const N: usize>(folder: &Path, files: [&str; N]) -> [Vec<Value>; N] {
    let paths = files.map(|file| folder.join(file).display().to_string());
    let script = "import json, sys, yaml\n\
                  print(json.dumps([list(yaml.safe_load_all(open(path, encoding='utf-8', newline=''))) for path in sys.argv[1:]]))";
    let mut command = Command::new(python::interpreter());
    let ran = command.args(["-c", script]).args(&paths).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let read: Vec<Vec<Value>> = serde_json::from_slice(&ran.stdout).unwrap();
    read.try_into().unwrap()
}

/// What a Secret holds.
pub(super) fn secret(document: &Value) -> Settings {
    assert_eq!((&document["apiVersion"], &document["kind"]), (&"v1".into(), &"Secret".into()));
    let data = document["stringData"].as_object().unwrap();
    data.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
}

/// The variables of the pod that W&B's chart makes of its values: the chart expands `{{`, and Kubernetes `$(NAME)` and `$$`.
pub(super) fn pod(values: &Value, secret: &Settings) -> Settings {
    let variables = values["app"]["env"].as_object().unwrap();
    let value = |value: &Value| match value {
        Value::String(text) => {
            let text = text.replace("{{`{{`}}", "\u{0}");
            assert!(!text.contains("{{"), "{text}");
            let text = text.replace('\u{0}', "{{");
            assert!(!text.replace("$$", "").contains("$("), "{text}");
            text.replace("$$", "$")
        }
        reference => {
            let place = &reference["valueFrom"]["secretKeyRef"];
            assert_eq!(place["name"], "wandb-prod-settings");
            secret[place["key"].as_str().unwrap()].clone()
        }
    };
    variables.iter().map(|(name, given)| (name.clone(), value(given))).collect()
}

/// What `terraform fmt` makes of a configuration, which it has to understand; `None` where there is none.
pub(super) fn terraform_fmt(text: &str) -> Option<String> {
    let mut command = ["terraform", "tofu"].into_iter().map(Command::new).find_map(|mut command| {
        command.env("CHECKPOINT_DISABLE", "1").args(["fmt", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()
    })?;
    command.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let ran = command.wait_with_output().unwrap();
    assert!(ran.status.success(), "{}\n{text}", String::from_utf8_lossy(&ran.stderr));
    Some(String::from_utf8(ran.stdout).unwrap())
}
