//! `install.sh`, from a folder of this machine.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use provision_tests::python;

use super::{dist, is_provision, script, succeeded, text};

/// Run the release's own script with these tools on the path.
fn install(path: &str, arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new("/bin/sh");
    command.arg(dist().file("install.sh")).args(arguments).env_clear().env("PATH", path).env("HOME", folder);
    command.output().unwrap()
}

/// The place of the release, as an address that curl reads.
fn from() -> String {
    format!("file://{}", dist().place("dist").display())
}

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

#[test]
fn release_is_installed_by_its_script() {
    let folder = tempfile::tempdir().unwrap();
    let output = install(PATH, &["--from", &from()], folder.path());
    assert!(output.status.success() && text(&output).contains("installed provision "), "{}", text(&output));
    assert!(text(&output).contains("hint: add it to the path"), "{}", text(&output));
    is_provision(&mut Command::new(folder.path().join(".local/bin/provision")));
    let to = folder.path().join("a folder");
    let output = install(PATH, &["--from", &from(), "--to", to.to_str().unwrap()], folder.path());
    assert!(output.status.success(), "{}", text(&output));
    is_provision(&mut Command::new(to.join("provision")));
    assert_eq!(std::fs::read_dir(to).unwrap().count(), 1);
}

#[test]
fn nothing_is_installed_whose_checksum_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("files");
    std::fs::create_dir(&files).unwrap();
    let archive = dist().archive();
    let name = archive.file_name().unwrap().to_str().unwrap();
    std::fs::copy(&archive, files.join(name)).unwrap();
    let from = format!("file://{}", files.display());
    for (sums, said) in [
        (format!("{}  {name}\n", "0".repeat(64)), "nothing was installed"),
        (format!("{}  another.tar.gz\n", "0".repeat(64)), "has no line for"),
    ] {
        std::fs::write(files.join("SHA256SUMS"), sums).unwrap();
        let output = install(PATH, &["--from", &from], folder.path());
        assert!(output.status.code() == Some(1) && text(&output).contains(said), "{}", text(&output));
        assert!(!folder.path().join(".local").exists());
    }
}

#[test]
fn install_script_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |path: &str, arguments: &[&str], said: &str| {
        let output = install(path, arguments, folder.path());
        assert!(output.status.code() == Some(1) && text(&output).contains(said), "{arguments:?}: {}", text(&output));
    };
    fails(PATH, &["--version"], "`--version` needs a value");
    fails(PATH, &["--version", "1/2"], "`1/2` is no version");
    fails(PATH, &["--root"], "unknown option `--root`");
    fails(PATH, &["--from", &from(), "--version", "9.9.9"], "cannot download");
    std::fs::write(folder.path().join("taken"), "").unwrap();
    let taken = folder.path().join("taken");
    fails(PATH, &["--from", &from(), "--to", taken.to_str().unwrap()], "cannot write to");
    // Another machine, and one on which a tool is missing.
    let bin = folder.path().join("bin");
    for tool in ["uname", "sed", "tar", "gzip", "mktemp", "rm"] {
        let place =
            ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(tool)).into_iter().find(|file| file.exists());
        std::fs::create_dir_all(&bin).unwrap();
        symlink(place.unwrap(), bin.join(tool)).unwrap();
    }
    let bin = bin.to_str().unwrap();
    fails(bin, &["--from", &from()], "none of these is installed: curl wget");
    script(&folder.path().join("plan9/uname"), "echo Plan9");
    fails(&format!("{}/plan9:{bin}", folder.path().display()), &["--from", &from()], "there is no release for Plan9");
    script(&folder.path().join("mips/uname"), "[ \"$1\" = -s ] && echo Linux || echo mips");
    fails(&format!("{}/mips:{bin}", folder.path().display()), &["--from", &from()], "there is no release for mips");
    let source = Command::new("/bin/sh").arg(python::workspace().join("install.sh")).output().unwrap();
    assert!(text(&source).contains("take the install.sh of a release"), "{}", text(&source));
}

#[test]
fn shellcheck_has_nothing_to_say_of_the_install_script() {
    let shellcheck = python::RELEASE.interpreter().with_file_name("shellcheck");
    succeeded(Command::new(shellcheck).arg(python::workspace().join("install.sh")));
}
