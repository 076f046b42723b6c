//! `provision man`: manual pages, from the command line itself.

use std::io;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use provision_core::file::{self, Readers};
use provision_core::{Error, ErrorKind};

use crate::exit::{self, CommandResult, Exit};
use crate::{help, view};

/// Print the main page, or write one for each command into a folder.
pub(crate) fn run(dir: Option<&Path>) -> CommandResult {
    let mut command = help::command().disable_help_subcommand(true);
    command.build();
    match dir {
        None => view::result(&page(&command).map_err(|error| failed("cannot make the manual page", error))?),
        Some(dir) => {
            let written = std::fs::create_dir_all(dir).and_then(|()| write_pages(&command, dir));
            written.map_err(|error| failed(&format!("cannot write manual pages to `{}`", dir.display()), error))?;
        }
    }
    Ok(Exit::Done)
}

fn failed(tried: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Unexpected, tried).with_message(error.to_string())
}

fn write_pages(command: &Command, dir: &Path) -> io::Result<()> {
    let name = Man::new(command.clone()).get_filename();
    file::replace(&dir.join(name), &page(command)?, Readers::Usual)?;
    command.get_subcommands().try_for_each(|sub| write_pages(sub, dir))
}

fn page(command: &Command) -> io::Result<String> {
    // An empty date would be no word at all, and the version would stand in its place.
    let man = Man::new(command.clone()).date(" ").source(concat!("provision ", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    ending(command).to_writer(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// What the long help ends with, as sections.
fn ending(command: &Command) -> Roff {
    let typed = command.get_bin_name().unwrap_or_default();
    let path = typed.strip_prefix("provision").unwrap_or(typed).trim_start();
    let mut sections = Roff::new();
    sections.control("SH", ["EXAMPLES"]);
    for (typed, does) in help::examples(path) {
        sections.control("TP", []).text([bold(typed)]).text([roman(does)]);
    }
    sections.control("SH", ["EXIT STATUS"]);
    for (code, means) in exit::MEANINGS {
        sections.control("TP", []).text([bold(code)]).text([roman(means)]);
    }
    sections
}
