//! What the binary is made of: what `cargo tree` lists, with what `cargo metadata` and `Cargo.lock` say of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::Result;
use crate::platform::Platform;

/// One package of a build.
#[derive(Debug)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Its licence, as its own manifest says it.
    pub(crate) licence: Option<String>,
    /// Where its source is on this machine.
    pub(crate) folder: PathBuf,
    /// The SHA-256 of its source in the registry; ours have none.
    pub(crate) checksum: Option<String>,
    /// Whether it is part of the binary, or only of its making.
    pub(crate) shipped: bool,
    /// What it needs itself.
    pub(crate) needs: BTreeSet<Key>,
}

/// Name and version, which are unique in `Cargo.lock`: all sources are one registry and this workspace.
pub(crate) type Key = (String, String);

/// Every package of the binary on a platform.
pub(crate) fn of(platform: Platform) -> Result<BTreeMap<Key, Package>> {
    let mut packages = described(platform)?;
    let all = tree(platform, "normal,build")?;
    let shipped = tree(platform, "normal")?;
    packages.retain(|key, _| all.contains_key(key));
    for (key, package) in &mut packages {
        package.shipped = shipped.contains_key(key);
        package.needs.clone_from(&all[key]);
    }
    match all.keys().find(|key| !packages.contains_key(key)) {
        Some((name, version)) => Err(format!("cargo tree names {name} {version}, and cargo metadata does not").into()),
        None => Ok(packages),
    }
}

fn described(platform: Platform) -> Result<BTreeMap<Key, Package>> {
    let checksums = checksums()?;
    let arguments = ["metadata", "--format-version=1", "--locked", "--filter-platform", platform.target()];
    let metadata: Value = serde_json::from_str(&cargo(&arguments)?)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    Ok(packages.filter_map(|package| described_one(package, &checksums)).collect())
}

fn described_one(package: &Value, checksums: &BTreeMap<Key, String>) -> Option<(Key, Package)> {
    let text = |key: &str| package[key].as_str().map(str::to_owned);
    let key = (text("name")?, text("version")?);
    let package = Package {
        name: key.0.clone(),
        version: key.1.clone(),
        // The old way to write "or" (https://doc.rust-lang.org/cargo/reference/manifest.html#the-license-and-license-file-fields).
        licence: text("license").map(|licence| licence.replace('/', " OR ").replace("  ", " ")),
        folder: PathBuf::from(text("manifest_path")?).parent()?.to_owned(),
        checksum: checksums.get(&key).cloned(),
        shipped: false,
        needs: BTreeSet::new(),
    };
    Some((key, package))
}

/// Of each package in `Cargo.lock` that is from the registry.
fn checksums() -> Result<BTreeMap<Key, String>> {
    let lock = std::fs::read_to_string(crate::release::workspace().join("Cargo.lock"))?;
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
        line.and_then(|rest| rest.strip_suffix('"')).map(str::to_owned)
    };
    let blocks = lock.split("[[package]]");
    Ok(blocks
        .filter_map(|block| Some(((value(block, "name")?, value(block, "version")?), value(block, "checksum")?)))
        .collect())
}

/// What `cargo tree` lists, each with what it needs: a tree in which what came before has no branches a second time.
fn tree(platform: Platform, edges: &str) -> Result<BTreeMap<Key, BTreeSet<Key>>> {
    let arguments = [
        "tree",
        "--locked",
        "--package",
        "provision",
        "--edges",
        edges,
        "--target",
        platform.target(),
        "--prefix",
        "depth",
        "--format",
        "\t{p}",
    ];
    let mut found = BTreeMap::<Key, BTreeSet<Key>>::new();
    let mut above = Vec::<Key>::new();
    for line in cargo(&arguments)?.lines() {
        let (depth, key) = listed(line).ok_or_else(|| format!("cargo tree prints what is not known: {line}"))?;
        above.truncate(depth);
        if let Some(parent) = above.last() {
            found.entry(parent.clone()).or_default().insert(key.clone());
        }
        found.entry(key.clone()).or_default();
        above.push(key);
    }
    Ok(found)
}

/// Depth, name and version of a line such as `2\tserde v1.0.0 (proc-macro) (*)`.
fn listed(line: &str) -> Option<(usize, Key)> {
    let (depth, package) = line.split_once('\t')?;
    let mut words = package.split(' ');
    let name = words.next()?.to_owned();
    Some((depth.parse().ok()?, (name, words.next()?.strip_prefix('v')?.to_owned())))
}

fn cargo(arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let output = command.args(arguments).current_dir(crate::release::workspace()).output()?;
    if !output.status.success() {
        return Err(format!("cargo {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
