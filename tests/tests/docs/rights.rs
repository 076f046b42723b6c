//! That docs/rights.md names every right that is needed, in the role that needs it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use provision_tests::roots;
use provision_tests::run::{binary, finished};
use serde_json::Value;

use super::page::Page;
use super::root;

/// Looks that only what destroys takes: its rights stand in the second role.
const DESTROY_LOOKS: [(&str, &[&str]); 3] = [
    ("aws", &["s3:ListObjectVersions", "s3:ListMultipartUploads"]),
    ("gcp", &["storage.objects.list", "resourcemanager.projects.search"]),
    ("azure", &[]),
];

/// What one cloud's section of the page has: the role that looks, the role that writes.
struct Roles(String, String);

impl Roles {
    fn of(heading: &str) -> Self {
        let page = Page::read("docs/rights.md");
        let section = page.text.split(&format!("\n## {heading}\n")).nth(1).unwrap();
        let section = Page { path: page.path, text: section.split("\n## ").next().unwrap().to_owned() };
        let mut blocks = section.blocks().into_iter().filter(|block| ["json", "yaml"].contains(&block.language()));
        let mut next = || blocks.next().unwrap().text;
        Self(next(), next())
    }

    fn looks(&self, right: &str) -> bool {
        names(&self.0, right)
    }

    fn any(&self, right: &str) -> bool {
        names(&self.0, right) || names(&self.1, right)
    }
}

fn names(role: &str, right: &str) -> bool {
    role.contains(&format!("\"{right}\"")) || role.lines().any(|line| line.trim() == format!("- {right}"))
}

#[test]
fn rights_of_every_call_are_named() {
    for (cloud, heading) in [("aws", "AWS"), ("gcp", "Google Cloud")] {
        let roles = Roles::of(heading);
        let alone = DESTROY_LOOKS.iter().find(|(of, _)| *of == cloud).unwrap().1;
        let (reads, writes) = calls(cloud);
        assert!(reads.len() > 10 && writes.len() > 10, "{reads:?} {writes:?}");
        for (operation, rights) in &reads {
            let fits = |right: &String| {
                if alone.contains(&operation.as_str()) { roles.any(right) } else { roles.looks(right) }
            };
            assert!(rights.iter().all(fits), "{operation} of {cloud} needs {rights:?}");
        }
        for (operation, rights) in &writes {
            assert!(rights.iter().all(|right| names(&roles.1, right)), "{operation} of {cloud} needs {rights:?}");
        }
    }
}

/// The operations that a cloud's client has, with the rights that each needs: those that read, and those that write.
fn calls(cloud: &str) -> (BTreeMap<String, Vec<String>>, BTreeMap<String, Vec<String>>) {
    let folder = root().join(format!("crates/{cloud}/src/client"));
    let (mut reads, mut writes) = (BTreeMap::new(), BTreeMap::new());
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for (block, found) in [("impl Reader {\n", &mut reads), ("impl Writer {\n", &mut writes)] {
            let body = text.split_once(block).map_or("", |(_, rest)| rest.split("\n}\n").next().unwrap());
            for call in ["send!(", "Call::rest(", "Call::grpc("].iter().flat_map(|call| body.split(call).skip(1)) {
                let (operation, rights) = needed(call.split(';').next().unwrap());
                found.entry(operation).or_insert(rights);
            }
        }
    }
    (reads, writes)
}

/// What a call in the source is named, and what it needs: what `needs` says, or the right of its own name.
fn needed(call: &str) -> (String, Vec<String>) {
    let quoted = |text: &str| -> Vec<String> { text.split('"').skip(1).step_by(2).map(str::to_owned).collect() };
    let operation = quoted(call).into_iter().find(|text| text.contains([':', '.'])).unwrap();
    let needs = call.split_once("needs").map(|(_, rest)| quoted(rest.split(']').next().unwrap()));
    (operation.clone(), needs.unwrap_or_else(|| vec![operation]))
}

/// Resource Manager's operations are named like the rights they need: those of whole runs are on the page.
#[test]
fn rights_of_runs_on_azure_are_named() {
    let roles = Roles::of("Azure");
    let folder = tempfile::tempdir().unwrap();
    roots::write(folder.path());
    let full = include_str!("../../../plans/azure-full.toml").replace("protect = true", "protect = false");
    std::fs::write(folder.path().join("full.toml"), full).unwrap();
    std::fs::write(folder.path().join("own.toml"), include_str!("../../../plans/azure.toml")).unwrap();
    for file in ["full", "own"] {
        for (command, more, only_looks) in
            [("plan", "-q", true), ("apply", "--yes", false), ("drift", "-q", true), ("destroy", "--yes", false)]
        {
            let trace = format!("{file}.{command}");
            let arguments =
                ["azure", command, &format!("{file}.toml"), more, &format!("--sandbox={file}"), "--trace", &trace];
            let mut run = Command::new(binary());
            run.args(arguments).current_dir(folder.path()).env_clear().envs(roots::variables(folder.path()));
            let ran = finished(run.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
            assert_eq!(ran.code, 0, "{command}: {}{}", ran.stdout, ran.stderr);
            for right in operations(&std::fs::read_to_string(folder.path().join(&trace)).unwrap()) {
                let named = if only_looks { roles.looks(&right) } else { roles.any(&right) };
                assert!(named, "{command} needs {right}");
            }
        }
    }
}

/// The operations in a trace, without the one for a token, which needs no right.
fn operations(trace: &str) -> BTreeSet<String> {
    let lines = trace.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let named = lines.map(|line| line["operation"].as_str().unwrap().to_owned());
    named.filter(|operation| operation != "oauth2/token").collect()
}
