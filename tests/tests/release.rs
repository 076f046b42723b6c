//! What people install: made once by `cargo xtask release`, of a script that stands for the binary, and then installed and run.

mod bare;
mod image;
mod install;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use provision_tests::python;
use provision_tests::run::binary;
use serde_json::{Value, json};

const TARGET: &str = "x86_64-unknown-linux-gnu";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A release of this machine's target.
struct Dist(tempfile::TempDir);

/// Made once for all tests.
fn dist() -> &'static Dist {
    static MADE: OnceLock<Dist> = OnceLock::new();
    MADE.get_or_init(Dist::make)
}

impl Dist {
    fn make() -> Self {
        let dist = Self(tempfile::tempdir().unwrap());
        // As small as can be: a debug build has two hundred megabytes.
        dist.script("built/provision", &format!("exec '{}' \"$@\"", binary().display()));
        dist.script("bin/cargo", &dist.cargo());
        let path = format!("{}:{}", dist.place("bin").display(), path());
        let mut xtask = Command::new(binary().with_file_name("xtask"));
        xtask.args([
            "release",
            "--target",
            TARGET,
            "--from",
            "https://example.com/acme/provision/releases/download/v%v",
            "--binary",
        ]);
        xtask.arg(dist.place("built/provision")).arg("--out").arg(dist.place("dist"));
        succeeded(xtask.env("PATH", path).env("SOURCE_DATE_EPOCH", "1700000000").env_remove("CARGO"));
        dist
    }

    /// A cargo that has built the binary already: maturin asks for it.
    fn cargo(&self) -> String {
        let crates = python::workspace().join("crates/cli");
        let built = self.place("built/provision");
        let message = json!({
            "reason": "compiler-artifact",
            "package_id": format!("path+file://{}#provision@{VERSION}", crates.display()),
            "manifest_path": crates.join("Cargo.toml"),
            "target": {"kind": ["bin"], "crate_types": ["bin"], "name": "provision", "src_path": crates.join("src/main.rs"),
                "edition": "2024", "doc": true, "doctest": false, "test": true},
            "profile": {"opt_level": "s", "debuginfo": 0, "debug_assertions": false, "overflow_checks": false, "test": false},
            "features": [],
            "filenames": [built],
            "executable": built,
            "fresh": true,
        });
        let cargo = env!("CARGO");
        format!("case \" $* \" in\n*' rustc '*) echo '{message}' ;;\n*) exec '{cargo}' \"$@\" ;;\nesac")
    }

    fn script(&self, name: &str, text: &str) {
        script(&self.place(name), text);
    }

    fn place(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file of the release.
    fn file(&self, name: &str) -> PathBuf {
        self.place("dist").join(name)
    }

    fn archive(&self) -> PathBuf {
        self.file(&format!("provision-{VERSION}-{TARGET}.tar.gz"))
    }

    fn sbom(&self) -> PathBuf {
        self.file(&format!("provision-{VERSION}-{TARGET}.cdx.json"))
    }
}

fn script(place: &Path, text: &str) {
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(place, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Those of the environment for releases first.
fn path() -> String {
    let tools = python::RELEASE.interpreter().parent().unwrap();
    format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default())
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn succeeded(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", text(&output));
    text(&output)
}

/// What it says it is, wherever it was installed.
fn is_provision(command: &mut Command) {
    let said = succeeded(command.arg("--version").env_remove("PYTHONPATH"));
    assert_eq!(said.trim(), format!("provision {VERSION}"));
}

#[test]
fn archive_has_all_that_a_package_needs() {
    let listed = succeeded(Command::new("tar").args(["--list", "--verbose", "--utc", "--file"]).arg(dist().archive()));
    let folder = format!("provision-{VERSION}-{TARGET}");
    for file in [
        "provision",
        "LICENSE",
        "THIRD-PARTY.txt",
        "README.md",
        "CHANGELOG.md",
        "provision.cdx.json",
        "man/provision.1",
        "man/provision-aws-apply.1",
        "completions/provision.bash",
        "completions/_provision",
        "completions/provision.fish",
        "completions/_provision.ps1",
    ] {
        let line = listed.lines().find(|line| line.ends_with(&format!(" {folder}/{file}")));
        let line = line.unwrap_or_else(|| panic!("no {file}: {listed}"));
        let mode = if file == "provision" { "-rwxr-xr-x" } else { "-rw-r--r--" };
        assert!(line.starts_with(mode) && line.contains(" 0/0 ") && line.contains("2023-11-14 22:13"), "{line}");
    }
    let licences = succeeded(
        Command::new("tar")
            .args(["--extract", "--to-stdout", "--file"])
            .arg(dist().archive())
            .arg(format!("{folder}/THIRD-PARTY.txt")),
    );
    assert!(licences.contains("\naws-sdk-s3 1.") && licences.contains("Permission is hereby granted, free of charge"));
    assert!(!licences.contains("provision-core"), "ours is no licence of others");
}

#[test]
fn every_file_has_its_checksum() {
    let said = succeeded(
        Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(dist().place("dist")),
    );
    let files = std::fs::read_dir(dist().place("dist")).unwrap().count() - 1;
    assert!(said.lines().filter(|line| line.ends_with(": OK")).count() == files && files == 6, "{said}");
}

#[test]
fn bill_of_materials_lists_what_cargo_tree_lists() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "tree",
        "--locked",
        "--package",
        "provision",
        "--target",
        TARGET,
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let output = cargo.current_dir(python::workspace()).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let listed: BTreeSet<_> = listed.lines().filter_map(|line| line.split_once(" v")).collect();
    let listed: BTreeSet<_> =
        listed.iter().map(|(name, rest)| format!("{name} {}", rest.split(' ').next().unwrap())).collect();
    let sbom: Value = serde_json::from_slice(&std::fs::read(dist().sbom()).unwrap()).unwrap();
    let components = sbom["components"].as_array().unwrap();
    let named: BTreeSet<_> = components
        .iter()
        .chain([&sbom["metadata"]["component"]])
        .map(|one| format!("{} {}", one["name"].as_str().unwrap(), one["version"].as_str().unwrap()))
        .collect();
    assert!(named.len() > 100 && named.len() == components.len() + 1);
    assert_eq!(named, listed);
    // What only builds is told from what is shipped, and each from the registry has its checksum.
    let one = |name: &str| components.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(one("cc")["scope"], "excluded");
    assert_eq!(one("tokio")["scope"], "required");
    assert_eq!(one("tokio")["hashes"][0]["content"].as_str().unwrap().len(), 64);
}

#[test]
fn bill_of_materials_is_cyclonedx() {
    let judge = "import sys\nfrom cyclonedx.schema import SchemaVersion\nfrom cyclonedx.validation.json import JsonStrictValidator\n\
                 error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read())\nsys.exit(str(error) if error else 0)";
    succeeded(Command::new(python::RELEASE.interpreter()).args(["-c", judge]).arg(dist().sbom()));
}

#[test]
fn wheel_runs_where_it_is_installed() {
    let wheels = std::fs::read_dir(dist().place("dist")).unwrap().map(|file| file.unwrap().path());
    let wheel = wheels.into_iter().find(|file| file.extension().is_some_and(|end| end == "whl")).unwrap();
    assert!(wheel.to_str().unwrap().contains("-py3-none-manylinux"), "{}", wheel.display());
    let folder = tempfile::tempdir().unwrap();
    succeeded(Command::new(python::RELEASE.interpreter()).args(["-m", "venv"]).arg(folder.path()));
    let mut pip = Command::new(folder.path().join("bin/python"));
    succeeded(pip.args(["-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]).arg(&wheel));
    is_provision(&mut Command::new(folder.path().join("bin/provision")));
    let listed =
        succeeded(Command::new(folder.path().join("bin/python")).args(["-m", "zipfile", "--list"]).arg(&wheel));
    for file in
        ["licenses/LICENSE", "licenses/THIRD-PARTY.txt", &format!("sboms/provision-{VERSION}-{TARGET}.cdx.json")]
    {
        assert!(listed.contains(&format!(".dist-info/{file} ")), "no {file}: {listed}");
    }
}

#[test]
fn npm_package_runs_where_it_is_installed() {
    let folder = tempfile::tempdir().unwrap();
    let package = |name: &str| dist().file(&format!("{name}-{VERSION}.tgz"));
    let npm = |packages: &[PathBuf]| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--offline", "--no-audit", "--no-fund", "--no-package-lock"]).args(packages);
        succeeded(
            npm.current_dir(folder.path())
                .env("HOME", folder.path())
                .env("npm_config_cache", folder.path().join("cache")),
        );
    };
    std::fs::write(folder.path().join("package.json"), "{}").unwrap();
    let installed = folder.path().join("node_modules/.bin/provision");
    // Without the platform's own package it says so.
    npm(&[package("wandb-provision")]);
    let output = Command::new(&installed).output().unwrap();
    assert!(
        output.status.code() == Some(1) && text(&output).contains("wandb-provision-linux-x64 is not installed"),
        "{}",
        text(&output)
    );
    npm(&[package("wandb-provision"), package("wandb-provision-linux-x64")]);
    let manifest = std::fs::read(folder.path().join("node_modules/wandb-provision/package.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["repository"]["url"], "git+https://example.com/acme/provision.git");
    is_provision(&mut Command::new(&installed));
    let output = Command::new(&installed).args(["aws", "plan", "none.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64), "{}", text(&output));
}

/// A run is told to stop, and not killed, by who tells the script that npm put before it.
#[test]
fn npm_script_hands_signals_on() {
    let folder = tempfile::tempdir().unwrap();
    let modules = folder.path().join("node_modules");
    script(
        &modules.join("wandb-provision-linux-x64/bin/provision"),
        "trap 'echo told; exit 143' TERM\necho ready\nwhile :; do sleep 0.1; done",
    );
    let placed = modules.join("wandb-provision/bin/provision.js");
    std::fs::create_dir_all(placed.parent().unwrap()).unwrap();
    std::fs::copy(python::workspace().join("packaging/npm/provision.js"), &placed).unwrap();
    let mut child = Command::new("node").arg(&placed).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    provision_tests::run::signal(&child, "TERM");
    assert_eq!(lines.next().unwrap().unwrap(), "told");
    assert_eq!(child.wait().unwrap().code(), Some(143));
}
