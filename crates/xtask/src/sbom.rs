//! The bill of materials, as `CycloneDX` 1.5 (<https://cyclonedx.org/docs/1.5/json/>).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::dependencies::{Key, Package};

/// The document: what is in the binary is `required`, what only took part in its making `excluded`.
pub(crate) fn document(packages: &BTreeMap<Key, Package>, version: &str) -> Value {
    let binary = ("provision".to_owned(), version.to_owned());
    let of_others = packages.iter().filter(|(key, _)| **key != binary);
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": packages.get(&binary).map(|package| component("application", package)),
            "tools": {"components": [{"type": "application", "name": "cargo xtask release", "version": version}]},
        },
        "components": of_others.map(|(_, package)| component("library", package)).collect::<Vec<_>>(),
        "dependencies": packages.iter().map(|(key, package)| json!({
            "ref": reference(key),
            "dependsOn": package.needs.iter().map(reference).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}

fn component(kind: &str, package: &Package) -> Value {
    let mut component = json!({
        "type": kind,
        "bom-ref": reference(&(package.name.clone(), package.version.clone())),
        "name": package.name,
        "version": package.version,
        "scope": if package.shipped { "required" } else { "excluded" },
    });
    if let Some(licence) = &package.licence {
        component["licenses"] = json!([{"expression": licence}]);
    }
    if let Some(checksum) = &package.checksum {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
        component["purl"] = reference(&(package.name.clone(), package.version.clone())).into();
    }
    component
}

/// A package URL (<https://github.com/package-url/purl-spec/blob/main/types-doc/cargo-definition.md>).
fn reference((name, version): &Key) -> String {
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}
