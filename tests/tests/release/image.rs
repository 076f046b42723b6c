//! The image, as far as it can be judged without building it, and the workflow that makes a release.

use std::process::Command;

use provision_tests::python;

use super::{VERSION, dist, succeeded};

fn containerfile() -> String {
    std::fs::read_to_string(python::workspace().join("Containerfile")).unwrap()
}

#[test]
fn image_is_of_nothing_but_the_release_and_runs_as_nobody() {
    let hadolint = python::RELEASE.interpreter().with_file_name("hadolint");
    succeeded(Command::new(hadolint).arg(python::workspace().join("Containerfile")));
    let text = containerfile();
    let (_, last) = text.rsplit_once("\nFROM ").unwrap();
    let instructions: Vec<_> = last.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(instructions[0], "scratch");
    assert!(instructions.contains(&"USER 65532:65532"));
    assert!(!last.contains("\nRUN "), "there is no shell");
    // The archive has what the image takes of it.
    let listed = succeeded(Command::new("tar").args(["--list", "--file"]).arg(dist().archive()));
    let taken: Vec<_> = last.split([' ', '\n']).filter_map(|word| word.strip_prefix("/release/")).collect();
    assert_eq!(taken.len(), 4);
    for file in taken {
        assert!(listed.lines().any(|line| line.ends_with(&format!("/{file}"))), "no {file}: {listed}");
    }
    let name = dist().archive().file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(name, format!("provision-{VERSION}-x86_64-unknown-linux-gnu.tar.gz"));
}
