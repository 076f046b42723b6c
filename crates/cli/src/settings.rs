//! The settings of a server: what its sections make and what `[server]` says besides, in one list.

use std::collections::BTreeSet;

use provision_core::Error;
use provision_core::output::Output;
use provision_core::server::merged;

use crate::arguments::quoted;
use crate::exit::Failure;
use crate::plan_files::{Checked, ForServer};
use crate::session::Session;

/// Which settings are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The one that is named, or all.
    pub(crate) name: Option<&'a str>,
    /// Secrets of what is made have their values, which are fetched.
    pub(crate) made: bool,
    /// Those that the plan file gives have them.
    pub(crate) given: bool,
}

/// Where `[server]` stands among the sections.
const SERVER: &str = "server";

/// Those of all sections, HOST once: what all sections say alike is one setting. Where the server is somebody else's, or a section
/// that stands alone does not say it, there is none. Of a name, nobody is asked who has no setting of it. It is all or nothing: a
/// list that lacks what nobody told would be taken for the whole.
pub(crate) async fn gather(read: &ForServer, session: &Session, asked: Asked<'_>) -> Result<Vec<Output>, Failure> {
    let given = read.server.outputs(asked.given);
    // Whoever describes the server has it.
    let host = read.sections.is_empty() || !read.server.names.is_empty();
    let mut gathered = Gathered { read, name: asked.name, lists: Vec::new(), names: Vec::new() };
    gathered.take(SERVER, host.then(|| Output::new("HOST", &read.deployment.host)).into_iter().collect())?;
    for section in &read.sections {
        match section.settings.asked_settings().filter(|names| asked.name.is_some_and(|name| !names.contains(&name))) {
            Some(others) => gathered.names.extend(others.iter().map(|name| (*name).to_owned())),
            None => {
                let own = of_section(section, session, asked).await;
                gathered.take(section.cloud.name(), own.map_err(|error| untold(error, section, read))?)?;
            }
        }
    }
    gathered.take(SERVER, given)?;
    gathered.names.extend(read.server.names.iter().cloned());
    gathered.all()
}

async fn of_section(section: &Checked, session: &Session, asked: Asked<'_>) -> Result<Vec<Output>, Error> {
    let sealed = section.settings.outputs(&session.connection).await?;
    let is_wanted = |output: &Output| asked.name.is_none_or(|name| name == output.name);
    let fetched = asked.made && sealed.iter().any(|output| is_wanted(output) && output.is_to_be_asked_for());
    Ok(if fetched { section.settings.reveal(&session.connection).await? } else { sealed })
}

/// Why there is nothing, and how to get what the other sections have, which ask nobody.
fn untold(error: Error, section: &Checked, read: &ForServer) -> Error {
    let others = read.sections.iter().filter(|other| other.cloud != section.cloud);
    let others = others.filter(|other| other.settings.asked_settings().is_none());
    let file = quoted(&section.source.name);
    let commands: Vec<_> = others.map(|other| format!("`provision {} output {file}`", other.cloud)).collect();
    if commands.is_empty() {
        return error;
    }
    let told = error.hint().map(|hint| format!("{hint}; ")).unwrap_or_default();
    let rest = format!(
        "nothing was printed, since the settings of section `{}` are not known; {} has those of the others",
        section.cloud,
        commands.join(", ")
    );
    error.with_section(&read.deployment.name, section.cloud.name()).with_hint(told + &rest)
}

/// What was found so far.
struct Gathered<'a> {
    read: &'a ForServer,
    name: Option<&'a str>,
    /// Settings that are asked for, by the section that has them.
    lists: Vec<(&'static str, Vec<Output>)>,
    /// The names of the others.
    names: Vec<String>,
}

impl Gathered<'_> {
    /// Take the settings of a section.
    fn take(&mut self, section: &'static str, outputs: Vec<Output>) -> Result<(), Failure> {
        let (wanted, others): (Vec<_>, Vec<_>) =
            outputs.into_iter().partition(|output| self.name.is_none_or(|name| name == output.name));
        self.lists.push((section, wanted));
        self.names.extend(others.into_iter().map(|output| output.name));
        self.merged().map(drop)
    }

    fn merged(&self) -> Result<Vec<Output>, Failure> {
        merged(self.lists.iter().map(|(_, list)| list.clone())).map_err(|name| self.two_values(&name))
    }

    fn all(mut self) -> Result<Vec<Output>, Failure> {
        let all = self.merged()?;
        match self.name.filter(|_| all.is_empty()) {
            None => Ok(all),
            Some(name) => {
                let mut seen = BTreeSet::new();
                self.names.retain(|name| seen.insert(name.clone()));
                let names = self.names.join(", ");
                Err(Failure::Usage(format!("no setting `{name}`; this plan file has {names}")))
            }
        }
    }

    /// Each cloud has a bucket: a server reads one.
    fn two_values(&self, name: &str) -> Failure {
        let has = |list: &[Output]| list.iter().any(|output| output.name == name);
        let having: Vec<_> = self.lists.iter().filter(|(_, list)| has(list)).map(|(section, _)| *section).collect();
        let file = self.read.sections.first().map(|section| quoted(&section.source.name)).unwrap_or_default();
        Failure::Usage(match having.iter().find(|section| **section != SERVER) {
            Some(section) if having.contains(&SERVER) => {
                format!(
                    "{name} has two values in this plan file: section `{section}` has it, so take it out of [server]"
                )
            }
            _ => {
                let command = |section: &Checked| format!("\n  provision {} output {file}", section.cloud);
                let commands: String = self.read.sections.iter().map(command).collect();
                format!(
                    "{name} has two values in this plan file, and a server reads one; those of one section:{commands}"
                )
            }
        })
    }
}
