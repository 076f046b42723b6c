//! The licences of what is in the binary, as one text: each package with its own files.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Result;
use crate::dependencies::{Key, Package};

/// How the names of the files begin that have a licence or what it asks to be handed on.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"];

/// Each text once, after the packages that it is of.
pub(crate) fn text(packages: &BTreeMap<Key, Package>) -> Result<String> {
    let mut texts = BTreeMap::<String, Vec<String>>::new();
    for package in packages.values().filter(|package| package.shipped && package.checksum.is_some()) {
        let licence = package.licence.as_deref().unwrap_or("its own licence");
        let named = format!("{} {}: {licence}", package.name, package.version);
        texts.entry(of(&package.folder)?).or_default().push(named);
    }
    let mut whole = "Provision is made of these packages too, under their own licences.\n".to_owned();
    for (text, packages) in texts {
        let text =
            if text.is_empty() { "(the package has no licence file; its manifest names the licence)" } else { &text };
        whole += &format!("\n{}\n{}\n\n{}\n", "=".repeat(80), packages.join("\n"), text.trim());
    }
    Ok(whole)
}

fn of(folder: &Path) -> Result<String> {
    let mut files: Vec<_> = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.is_file() && is_licence(file));
    files.sort();
    let texts = files.iter().map(|file| Ok(String::from_utf8_lossy(&std::fs::read(file)?).trim().to_owned()));
    Ok(texts.collect::<Result<Vec<_>>>()?.join("\n\n"))
}

fn is_licence(file: &Path) -> bool {
    let is_code = file.extension().is_some_and(|end| end == "rs");
    let name = file.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
    NAMES.iter().any(|start| name.starts_with(start)) && !is_code
}
