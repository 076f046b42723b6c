//! What on the pages is not run: commands for places that are not here, the YAML of CI, links.

use std::process::Command;

use provision_tests::python;
use provision_tests::run::binary;

use super::page::Page;
use super::{PAGES, root};

/// Commands and clouds: what may stand behind `provision` where it is a command.
const FIRST: [&str; 11] =
    ["aws", "gcp", "azure", "init", "validate", "schema", "show", "sandbox", "completions", "man", "version"];

#[test]
fn commands_that_are_not_run_are_ones_that_the_binary_takes() {
    for path in PAGES {
        let page = Page::read(path);
        let blocks = page.blocks().into_iter().filter(|block| ["sh", "yaml", "text"].contains(&block.language()));
        let lines =
            blocks.flat_map(|block| block.text.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>());
        let prose = page.prose();
        let spans = prose.split('`').skip(1).step_by(2).map(str::to_owned);
        for line in lines.chain(spans) {
            commands(&line).iter().for_each(|command| assert!(is_taken(command), "{path}: {command}"));
        }
    }
}

/// The commands in a line. One with `<` or `[` is a pattern, and none.
fn commands(line: &str) -> Vec<String> {
    let after = line.match_indices("provision ").map(|(at, word)| (at, &line[at + word.len()..]));
    let standing = after.filter(|(at, rest)| {
        let free = !line[..*at].ends_with(|character: char| character.is_alphanumeric() || "/-.:_".contains(character));
        free && FIRST.contains(&rest.split([' ', ';', '`']).next().unwrap_or_default())
    });
    let cut = |text: &str| {
        let end = [" |", " >", " &", ";", " #", ")", "`"].iter().filter_map(|end| text.find(end)).min();
        text[..end.unwrap_or(text.len())].trim_end().to_owned()
    };
    standing.map(|(_, rest)| cut(rest)).filter(|command| !command.contains(['<', '[', '{', '|'])).collect()
}

/// Whether the binary knows its words and flags: asked for help, it complains of those that it does not.
fn is_taken(command: &str) -> bool {
    let command = command.replace("SHELL", "bash");
    let script = format!("exec \"$BINARY\" {command} --help");
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", &script]).env_clear().env("BINARY", binary()).env("FILE", "file").output().unwrap();
    output.status.success()
}

/// But for the build: that is there.
#[test]
fn first_line_of_the_readme_runs() {
    let readme = Page::read("README.md").text;
    let jobs =
        readme.lines().find_map(|line| line.strip_prefix("cargo build --workspace --bin provision && for ")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("plans")).unwrap();
    std::fs::copy(root().join("plans/aws.toml"), folder.path().join("plans/aws.toml")).unwrap();
    let script = format!("set -e; for {}", jobs.replace("target/debug/provision", "\"$BINARY\""));
    let mut shell = Command::new("sh");
    let shell = shell.args(["-c", &script]).current_dir(folder.path()).env_clear().env("BINARY", binary());
    let output = shell.output().unwrap();
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    let said = format!("{stdout}{stderr}");
    assert!(output.status.success() && said.contains("BUCKET=s3://") && said.contains("Destroyed"), "{said}");
}

#[test]
fn yaml_and_json_are_such() {
    let script = "import json, sys, yaml\nfor text in json.loads(sys.argv[1]): list(yaml.safe_load_all(text))";
    for path in PAGES {
        let blocks = Page::read(path).blocks();
        let of = |language: &str| -> Vec<_> {
            blocks.iter().filter(|block| block.language() == language).map(|block| block.text.clone()).collect()
        };
        of("json").iter().for_each(|text| drop(serde_json::from_str::<serde_json::Value>(text).unwrap()));
        let texts = serde_json::to_string(&of("yaml")).unwrap();
        let ran = Command::new(python::interpreter()).args(["-c", script, &texts]).output().unwrap();
        assert!(ran.status.success(), "{path}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}

#[test]
fn links_lead_to_files_and_headings() {
    for path in PAGES {
        let text = Page::read(path).prose();
        let targets = text.split("](").skip(1).filter_map(|part| part.split(')').next());
        for target in targets.filter(|target| !target.starts_with("http")) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let place = root().join(path);
            let place = if file.is_empty() { place } else { place.parent().unwrap().join(file) };
            assert!(place.exists(), "{path}: {target}");
            assert!(
                heading.is_empty() || has_heading(&std::fs::read_to_string(&place).unwrap(), heading),
                "{path}: {target}"
            );
        }
    }
}

fn has_heading(text: &str, heading: &str) -> bool {
    let headings =
        text.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#').trim());
    let plain = |line: &str| -> String {
        let kept = line.chars().filter(|character| character.is_alphanumeric() || " -_".contains(*character));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.into_iter().any(|line| plain(line) == heading)
}
