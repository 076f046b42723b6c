//! The rights that commands need: the rows of a cloud's table, and what is printed of them.

mod repository;

pub use repository::{Forge, Repository};

/// What rights are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// `plan`, `plan --destroy` too.
    Plan,
    /// `apply`, with everything that a plan file may ask for later.
    Apply,
    /// `drift`.
    Drift,
    /// `destroy`, with data and with what is left over.
    Destroy,
    /// `verify`, with all that it uploads and removes.
    Verify,
    /// `rotate-key`, of Azure alone.
    RotateKey,
    /// What `[access]` gives the server.
    Server,
}

impl Task {
    /// The commands of every cloud.
    pub const COMMANDS: [Self; 5] = [Self::Plan, Self::Apply, Self::Drift, Self::Destroy, Self::Verify];

    /// As on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Apply => "apply",
            Self::Drift => "drift",
            Self::Destroy => "destroy",
            Self::Verify => "verify",
            Self::RotateKey => "rotate-key",
            Self::Server => "server",
        }
    }
}

/// Every command.
pub const ALWAYS: &[Task] = &Task::COMMANDS;
/// What looks at data: whether a bucket is empty.
pub const COUNTING: &[Task] = &[Task::Plan, Task::Destroy];
/// What makes or changes something.
pub const APPLYING: &[Task] = &[Task::Apply];
/// What takes something away.
pub const DESTROYING: &[Task] = &[Task::Destroy];
/// What proves that it works.
pub const PROVING: &[Task] = &[Task::Verify];
/// What makes the account's keys anew.
pub const ROTATING: &[Task] = &[Task::RotateKey];
/// What makes, changes or takes away.
pub const WRITING: &[Task] = &[Task::Apply, Task::Destroy];

/// An API operation: the rights that it needs, on what, for which commands, and with which plan files.
#[derive(Clone, Copy, Debug)]
pub struct Row<On: 'static, When> {
    /// Its name, as in an error.
    pub operation: &'static str,
    /// All of these are needed.
    pub permissions: &'static [&'static str],
    /// On each of these, as far as the plan file has them.
    pub on: &'static [On],
    /// The commands that send it.
    pub tasks: &'static [Task],
    /// The plan files with which it is sent.
    pub when: When,
}

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// As the cloud takes it.
    Native,
    /// As Terraform does.
    Terraform,
}

/// What is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// For the cloud or Terraform.
    pub text: String,
    /// What to do with it, as commands of the cloud's own tool; `FILE` is where it was saved.
    pub commands: Vec<String>,
    /// What to know of it.
    pub notes: Vec<String>,
}

/// What to know where `[access]` is not in the plan file: nothing is sent, so that nobody knows whether it was there.
#[must_use]
pub fn taken_out(section: &str) -> String {
    format!(
        "{section} is not in the plan file: if it was when this was last applied, the next apply takes back what it gave, and needs the \
         rights that are printed with it"
    )
}
