//! That ARCHITECTURE.md names only what is there.

use std::path::Path;

#[test]
fn every_path_that_the_architecture_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let quoted: Vec<_> = text.split('`').skip(1).step_by(2).filter(|quoted| is_path(quoted)).collect();
    assert!(quoted.len() > 20, "{quoted:?}");
    let missing: Vec<_> = quoted.into_iter().filter(|path| !root.join(path).exists()).collect();
    assert_eq!(missing, [""; 0]);
}

/// From the root, as `crates/core`; what is quoted otherwise is a name.
fn is_path(quoted: &str) -> bool {
    ["crates/", "tests/", "plans/", ".ci/", "docs/"].iter().any(|folder| quoted.starts_with(folder))
}
