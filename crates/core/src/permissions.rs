//! The rights that commands need: the rows of a cloud's table, and what is printed of them.

use std::str::FromStr;

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
    /// What `[access]` gives the server.
    Server,
}

impl Task {
    /// The commands.
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

/// A repository whose CI jobs are let in, without a secret: their forge vouches for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Where it is.
    pub forge: Forge,
    /// `ORG/REPO`, `GROUP/PROJECT`.
    pub path: String,
}

/// Who vouches for jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forge {
    /// <https://docs.github.com/actions/reference/security/oidc>
    GitHub,
    /// <https://docs.gitlab.com/ci/secrets/id_token_authentication/>
    GitLab,
}

impl Forge {
    /// The issuer of its tokens, without the scheme.
    #[must_use]
    pub const fn issuer(self) -> &'static str {
        match self {
            Self::GitHub => "token.actions.githubusercontent.com",
            Self::GitLab => "gitlab.com",
        }
    }

    /// The claim of a token that names the repository.
    #[must_use]
    pub const fn claim(self) -> &'static str {
        match self {
            Self::GitHub => "repository",
            Self::GitLab => "project_path",
        }
    }
}

impl Repository {
    /// How the subject of its jobs' tokens begins.
    #[must_use]
    pub fn subject(&self) -> String {
        match self.forge {
            Forge::GitHub => format!("repo:{}:", self.path),
            Forge::GitLab => format!("project_path:{}:", self.path),
        }
    }

    /// Its name alone, without the numbers of owner and repository.
    #[must_use]
    pub fn name(&self) -> String {
        let names: Vec<_> = self.path.split('/').map(|part| part.split('@').next().unwrap_or(part)).collect();
        names.join("/")
    }

    /// What to know of the subject, where it may have numbers that are not told here.
    #[must_use]
    pub fn numbers(&self) -> Option<String> {
        let unnumbered = self.forge == Forge::GitHub && !self.path.contains('@');
        unnumbered.then(|| {
            "GitHub's tokens of newer repositories name owner and repository with their numbers, and are not let in by this: \
             `gh api repos/ORG/REPO/actions/oidc/customization/sub` tells, and `--trust github:ORG@ID/REPO@ID` takes them"
                .to_owned()
        })
    }

    /// The subject of jobs on the branch `main`.
    #[must_use]
    pub fn main(&self) -> String {
        match self.forge {
            Forge::GitHub => format!("{}ref:refs/heads/main", self.subject()),
            Forge::GitLab => format!("{}ref_type:branch:ref:main", self.subject()),
        }
    }
}

impl FromStr for Repository {
    type Err = String;

    /// `github:ORG/REPO`, or `github:ORG@ID/REPO@ID` where the subject has the numbers too, as that of newer repositories
    /// (<https://docs.github.com/actions/reference/security/oidc>); `gitlab:GROUP/PROJECT`, where a group may be in a group.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "write `github:ORG/REPO`, `github:ORG@ID/REPO@ID` or `gitlab:GROUP/PROJECT`".to_owned();
        let (forge, path) = text.split_once(':').ok_or_else(expected)?;
        let forge = match forge {
            "github" => Forge::GitHub,
            "gitlab" => Forge::GitLab,
            _ => return Err(expected()),
        };
        let parts: Vec<_> = path.split('/').collect();
        // A star would let others in.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let named = |part: &str| !matches!(part, "" | "." | "..") && !part.starts_with('-') && part.bytes().all(plain);
        let numbered = |part: &str| match part.split_once('@') {
            Some((name, id)) => named(name) && !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()),
            None => named(part),
        };
        let fits = match forge {
            Forge::GitHub => parts.len() == 2 && parts.iter().all(|part| numbered(part)),
            Forge::GitLab => parts.len() >= 2 && parts.iter().all(|part| named(part)),
        };
        if fits { Ok(Self { forge, path: path.to_owned() }) } else { Err(expected()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_named_whole() {
        let github: Repository = "github:acme/infra".parse().unwrap();
        assert_eq!((github.forge, github.subject().as_str()), (Forge::GitHub, "repo:acme/infra:"));
        assert_eq!(github.main(), "repo:acme/infra:ref:refs/heads/main");
        let gitlab: Repository = "gitlab:acme/ml/infra".parse().unwrap();
        assert_eq!(gitlab.main(), "project_path:acme/ml/infra:ref_type:branch:ref:main");
        let numbered: Repository = "github:acme@12/infra@345".parse().unwrap();
        assert_eq!(numbered.main(), "repo:acme@12/infra@345:ref:refs/heads/main");
        assert_eq!(numbered.name(), "acme/infra");
        let odd = ["github:acme@/infra@1", "github:acme@1x/infra", "github:a/..", "github:-a/b", "gitlab:acme@1/infra"];
        let short = ["acme/infra", "github:acme", "github:acme/*", "github:a/b/c", "gitlab:acme/", "bitbucket:a/b", ""];
        for text in [&odd[..], &short].concat() {
            assert!(text.parse::<Repository>().unwrap_err().contains("github:ORG/REPO"), "{text}");
        }
    }
}
