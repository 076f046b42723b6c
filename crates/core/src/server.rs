//! The `[server]` section: settings that nothing here makes, a license and a database among them.
//!
//! A secret never stands in the plan file: it comes from a variable or a file, or stays in a Secret of Kubernetes. No change set,
//! trace or error has one.

pub mod mysql;
mod license;
mod given;

use std::collections::BTreeMap;
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::output::{Output, Setting};
use crate::plan_file::{PlanFile, Problems, is_within};
pub use given::Given;
use given::{Kind, Reader};

/// The section's name.
pub const SECTION: &str = "server";

/// What else the server reads.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerSection {
    /// `LICENSE`: `"${env:NAME}"`, `{ file = "license.txt" }`, or `{ secret = "wandb-license", key = "license" }` where it
    /// stays in Kubernetes.
    pub license: Option<Given>,
    /// `MYSQL`, `mysql://USER:PASSWORD@HOST:3306/DATABASE` with user and password percent-encoded; from a variable, a file, or
    /// in Kubernetes.
    pub mysql: Option<Given>,
    /// `NOTIFICATIONS_QUEUE`: where the server publishes run events, unless it is made here (`[aws.run_queue]`).
    pub notifications_queue: Option<String>,
    /// The server's version, which W&B's resource of Kubernetes has to name (`output --format cr`).
    pub version: Option<String>,
    /// Further variables, as they are. A secret is given as those above.
    #[serde(default)]
    pub env: BTreeMap<String, Given>,
}

/// The section, checked.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// Its settings, secrets too.
    outputs: Vec<Output>,
    /// The server's version.
    pub version: Option<String>,
    /// What deserves a warning.
    pub warnings: Vec<String>,
    /// The names of its settings, of those too that were not asked for.
    pub names: Vec<String>,
}

impl Server {
    /// Read the section and check it, with the variables and files that it names; `None` if there is none, or if there are
    /// problems, which are reported.
    pub fn read(file: &PlanFile, now: SystemTime, problems: &mut Problems) -> Option<Self> {
        Self::read_those(file, |_| true, None, now, problems)
    }

    /// The same where of the secrets only these are used: nobody is asked for the others, which are named alone.
    pub fn read_using(file: &PlanFile, used: &[&str], now: SystemTime, problems: &mut Problems) -> Option<Self> {
        Self::read_those(file, |_| true, Some(used), now, problems)
    }

    /// The same with one setting alone: what the others need, need not be there.
    pub fn read_one(file: &PlanFile, name: &str, now: SystemTime, problems: &mut Problems) -> Option<Self> {
        Self::read_those(file, |other| other == name, None, now, problems)
    }

    fn read_those(
        file: &PlanFile,
        is_wanted: impl Fn(&str) -> bool,
        used: Option<&[&str]>,
        now: SystemTime,
        problems: &mut Problems,
    ) -> Option<Self> {
        let section = section(file, problems)?;
        let without_password = used.is_some() && lacks_a_password_alone(file);
        let (mut reader, mut server) = (Reader::new(file, used, problems), Self::default());
        server.names = section.names();
        let license = section.license.as_ref().filter(|_| is_wanted("LICENSE")).and_then(|given| {
            reader.setting("server.license", "LICENSE", given, Kind::Secret, |text| license::checked(text, now))
        });
        let mysql = section.mysql.as_ref().filter(|_| is_wanted("MYSQL")).and_then(|given| {
            reader.setting("server.mysql", "MYSQL", given, Kind::Password, |text| {
                let url = mysql::Mysql::parse(text)?;
                let password = url.password.clone().filter(|_| !without_password);
                Ok((mysql::Mysql { password, ..url }.to_string(), None))
            })
        });
        let queue = section.notifications_queue.as_ref().and_then(|queue| reader.queue(queue));
        server.outputs.extend([license, mysql, queue].into_iter().flatten());
        for (name, given) in section.env.iter().filter(|(name, _)| is_wanted(name)) {
            server.outputs.extend(reader.variable(name, given));
        }
        server.warnings = reader.warnings;
        server.version = section.version;
        Some(server)
    }

    /// Check the section as far as its variables and files need not be there: a command that does not use the server's secrets
    /// asks nobody for them.
    pub fn check(file: &PlanFile, problems: &mut Problems) {
        section(file, problems);
    }

    /// The settings, with secrets or without.
    #[must_use]
    pub fn outputs(&self, reveal: bool) -> Vec<Output> {
        let sealed = |output: &Output| match output.value {
            Setting::Revealed(_) if !reveal => Output::sealed(&output.name),
            _ => output.clone(),
        };
        self.outputs.iter().map(sealed).collect()
    }
}

impl ServerSection {
    fn names(&self) -> Vec<String> {
        let own = [
            ("LICENSE", self.license.is_some()),
            ("MYSQL", self.mysql.is_some()),
            ("NOTIFICATIONS_QUEUE", self.notifications_queue.is_some()),
        ];
        let own = own.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name.to_owned());
        own.chain(self.env.keys().cloned()).collect()
    }
}

/// Whether what is at a path is used where of the section's secrets only these are: of a database's URL that is used all but the
/// password, since who writes its parts refers to that.
#[must_use]
pub fn is_used(file: &PlanFile, path: &str, used: &[&str]) -> bool {
    let holds_secrets = ["server.license", "server.mysql", "server.env"];
    let may_be_secret = holds_secrets.iter().any(|place| is_within(path, place));
    let is_unused = path == path_of("MYSQL") && lacks_a_password_alone(file);
    !may_be_secret || (!is_unused && used.iter().any(|name| is_within(path, &path_of(name))))
}

/// Whether of the database's URL nothing but the password is in variables that are not set.
fn lacks_a_password_alone(file: &PlanFile) -> bool {
    let is_unset = |text: &str| text.contains("${");
    let Some(url) = file.text(&path_of("MYSQL")).and_then(mysql::Mysql::read) else { return false };
    let parameters = url.parameters.iter().map(|(_, value)| value);
    let mut others = [&url.user, &url.host, &url.database].into_iter().chain(parameters);
    url.password.as_deref().is_some_and(is_unset) && !others.any(|other| is_unset(other))
}

/// Where a plan file gives a setting.
#[must_use]
pub fn path_of(name: &str) -> String {
    match name {
        "LICENSE" => "server.license".to_owned(),
        "MYSQL" => "server.mysql".to_owned(),
        "NOTIFICATIONS_QUEUE" => "server.notifications_queue".to_owned(),
        name => format!("server.env.{name}"),
    }
}

fn section(file: &PlanFile, problems: &mut Problems) -> Option<ServerSection> {
    if !file.has(SECTION) {
        return None;
    }
    given::hide_literals(file, problems);
    file.section(SECTION, problems)
}

/// Settings of several sections in one list. What several give alike is there once.
///
/// # Errors
///
/// The name of a setting to which they give two values.
pub fn merged(lists: impl IntoIterator<Item = Vec<Output>>) -> Result<Vec<Output>, String> {
    let mut all: Vec<Output> = Vec::new();
    for output in lists.into_iter().flatten() {
        match all.iter().find(|other| other.name == output.name) {
            None => all.push(output),
            Some(other) if *other == output => {}
            Some(_) => return Err(output.name),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
