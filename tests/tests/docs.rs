//! README.md and the pages in docs/: every command on them is run and its output compared, every other line that names
//! `provision` is one that it takes, and links lead somewhere.
//!
//! A page is run from top to bottom by one shell in a folder of its own. Of its fenced blocks,
//!
//! - those whose first line is a comment with a file's name (`# provision.toml`) become that file;
//! - `console` has commands (`$ ...`) and what each prints, which must be just that but for what is `VOLATILE`; where the fence says
//!   `console first=9 last=2` the lines between are `...`. A command must succeed, so that one that fails ends in `; echo "exit $?"`;
//! - `sh` and `yaml` are not run.
//!
//! `UPDATE_DOCS=1` writes what the commands print into the pages.

mod outside;
mod page;

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use provision_tests::python;
use provision_tests::roots;
use provision_tests::run::{binary, finished};

use page::{Block, Page};

/// Ends the output of a command, with the code that it ended with.
const MARKER: &str = "==== ended with ";

/// Each page as a test of its own.
macro_rules! pages {
    ($($name:ident = $path:literal,)*) => {
        const PAGES: &[&str] = &[$($path,)*];

        $(#[test]
        fn $name() {
            Page::read($path).run();
        })*
    };
}

pages! {
    readme_is_what_happens = "README.md",
    auth0_slack_is_what_happens = "docs/auth0-slack.md",
    ci_is_what_happens = "docs/ci.md",
    day_two_is_what_happens = "docs/day-two.md",
    install_is_what_happens = "docs/install.md",
    fleets_is_what_happens = "docs/fleets.md",
    json_is_what_happens = "docs/json.md",
    output_is_what_happens = "docs/output.md",
    plan_file_is_what_happens = "docs/plan-file.md",
    rights_is_what_happens = "docs/rights.md",
    sandbox_is_what_happens = "docs/sandbox.md",
    server_is_what_happens = "docs/server.md",
    verify_is_what_happens = "docs/verify.md",
    terraform_is_what_happens = "docs/terraform.md",
    words_is_what_happens = "docs/words.md",
}

#[test]
fn every_page_is_run() {
    let files = std::fs::read_dir(root().join("docs")).unwrap().map(|file| file.unwrap().file_name());
    let mut pages: Vec<_> = files.map(|name| format!("docs/{}", name.to_str().unwrap())).collect();
    pages.push("README.md".to_owned());
    pages.sort_unstable();
    let mut run: Vec<_> = PAGES.to_vec();
    run.sort_unstable();
    assert_eq!(pages, run);
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

impl Page {
    /// Run what is to be run, and compare; or write it into the page.
    fn run(&self) {
        let blocks = self.blocks();
        let outputs = self.printed(&blocks);
        let mut outputs = outputs.iter();
        let shown: Vec<_> = blocks.iter().filter(|block| block.language() == "console").collect();
        let new: Vec<String> = shown.iter().map(|block| block.with_outputs(&mut outputs)).collect();
        let differ: Vec<_> = shown.iter().zip(&new).filter(|(block, new)| !page::is_same(&block.text, new)).collect();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            self.write(differ.iter().map(|(block, new)| (**block, new.as_str())));
        } else if let Some((block, new)) = differ.first() {
            panic!(
                "{} line {}: expected\n{}\nprinted\n{new}\n`UPDATE_DOCS=1` writes it",
                self.path, block.line, block.text
            );
        }
    }

    /// What each command of the page prints, in one shell.
    fn printed(&self, blocks: &[Block]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("project");
        let bin = folder.path().join("bin");
        [&home, &bin].into_iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
        roots::write(folder.path());
        if blocks.iter().any(|block| block.language() == "python") {
            write_python(&bin);
        }
        let script = folder.path().join("script");
        std::fs::write(&script, text_of_script(blocks)).unwrap();
        let path = format!("{}:{}:/usr/bin:/bin", bin.display(), binary().parent().unwrap().display());
        let mut bash = Command::new("bash");
        bash.arg(&script).current_dir(&home).env_clear().env("PATH", path).env("HOME", &home);
        bash.envs(roots::variables(folder.path())).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let ran = finished(bash.process_group(0).spawn().unwrap());
        assert_eq!(ran.code, 0, "{}: {}{}", self.path, ran.stdout, ran.stderr);
        let mut parts = ran.stdout.split(MARKER);
        let mut outputs = vec![parts.next().unwrap_or_default().to_owned()];
        for part in parts {
            let (code, rest) = part.split_once('\n').unwrap();
            let before = outputs.last_mut().unwrap();
            assert_eq!(code, "0", "{}: a command failed: {before}", self.path);
            *before = page::normal(before.strip_suffix('\n').unwrap_or(before), &home);
            outputs.push(rest.to_owned());
        }
        outputs
    }
}

/// The page as a script: its files and its commands, each followed by the marker.
fn text_of_script(blocks: &[Block]) -> String {
    let mut script = "exec 2>&1\ntrap 'kill $(jobs -p) 2> /dev/null' EXIT\n".to_owned();
    for block in blocks {
        if let Some(name) = block.file() {
            script.push_str(&format!("cat > '{name}' <<'END OF FILE'\n{}END OF FILE\n", block.text));
        } else if block.language() == "console" {
            for command in block.commands() {
                script.push_str(&format!("{command}\nprintf '\\n%s%s\\n' '{MARKER}' \"$?\"\n"));
            }
        }
    }
    script
}

/// `python3` with the clients of whichever cloud a script imports.
fn write_python(bin: &Path) {
    let of = |environment: &python::Environment| environment.interpreter().display().to_string();
    let (aws, google, azure) = (of(&python::AWS), of(&python::GOOGLE), of(&python::AZURE));
    let script = format!(
        "#!/bin/sh\ncase \"$(cat \"$1\")\" in\n*boto3*) exec {aws} \"$@\" ;;\n*google.cloud*) exec {google} \"$@\" ;;\n*) exec {azure} \"$@\" ;;\nesac\n"
    );
    std::fs::write(bin.join("python3"), script).unwrap();
    let made = Command::new("chmod").arg("+x").arg(bin.join("python3")).status().unwrap();
    assert!(made.success());
}
