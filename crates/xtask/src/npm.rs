//! The npm packages: one with a script, and one with a binary for each platform, of which npm installs the one that fits
//! (<https://docs.npmjs.com/cli/configuring-npm/package-json#optionaldependencies>).

use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use serde_json::{Value, json};

use crate::Result;
use crate::archive;
use crate::platform::Platform;
use crate::release::Release;

const NAME: &str = "wandb-provision";

fn name(platform: Platform) -> String {
    let (os, cpu) = platform.node();
    format!("{NAME}-{os}-{cpu}")
}

/// Make both; the one with the script is the same on every platform.
pub(crate) fn make(release: &Release) -> Result<()> {
    let platform = release.platform;
    let (os, cpu) = platform.node();
    let mut manifest = manifest(release, &name(platform));
    manifest["os"] = json!([os]);
    manifest["cpu"] = json!([cpu]);
    let files = [
        (release.binary.clone(), format!("bin/{}", platform.binary())),
        (crate::release::third_party(), "THIRD-PARTY.txt".to_owned()),
    ];
    package(release, &manifest, &files)?;
    package(release, &with_script(release), &[(script(), "bin/provision.js".to_owned())])
}

fn manifest(release: &Release, name: &str) -> Value {
    let mut manifest = json!({
        "name": name,
        "version": release.version,
        "description": "Buckets, queues and events for self-hosted Weights & Biases servers",
        "license": "Apache-2.0",
        "files": ["bin", "LICENSE", "THIRD-PARTY.txt"],
    });
    // npm compares it with where the workflow ran (https://docs.npmjs.com/generating-provenance-statements).
    if let Some((repository, _)) = release.from.as_deref().and_then(|from| from.split_once("/releases/")) {
        manifest["repository"] = json!({"type": "git", "url": format!("git+{repository}.git")});
    }
    manifest
}

fn with_script(release: &Release) -> Value {
    let mut manifest = manifest(release, NAME);
    manifest["bin"] = json!({"provision": "bin/provision.js"});
    manifest["engines"] = json!({"node": ">=18"});
    for platform in Platform::value_variants() {
        manifest["optionalDependencies"][name(*platform)] = release.version.clone().into();
    }
    manifest
}

fn script() -> PathBuf {
    crate::release::workspace().join("packaging/npm/provision.js")
}

/// What `npm pack` makes: everything in a folder of one name.
fn package(release: &Release, manifest: &Value, files: &[(PathBuf, String)]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let place = |inside: &str| folder.path().join(inside);
    std::fs::create_dir(place("bin"))?;
    std::fs::write(place("package.json"), format!("{manifest:#}\n"))?;
    std::fs::copy(crate::release::workspace().join("LICENSE"), place("LICENSE"))?;
    for (file, inside) in files {
        std::fs::copy(file, place(inside))?;
    }
    let name = format!("{}-{}.tgz", manifest["name"].as_str().unwrap_or_default(), release.version);
    archive::pack(folder.path(), "package", release.time, Path::new(&release.out.join(name)))
}
