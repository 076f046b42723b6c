//! A repository whose CI jobs are let in without a secret.

use std::str::FromStr;

/// A repository whose CI jobs are let in, without a secret: their forge vouches for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Where it is.
    pub forge: Forge,
    /// `ORG/REPO`, `GROUP/PROJECT`.
    pub path: String,
    /// Which of its jobs, as the end of their tokens' subject says it: `environment:prod`. `None` for all of them.
    pub jobs: Option<String>,
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
    /// As it is written before a repository.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
        }
    }

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

    /// How the end of a subject begins that names some jobs: whole, or before a name.
    const fn endings(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::GitHub => (&["pull_request"], &["environment:", "ref:refs/heads/", "ref:refs/tags/"]),
            Self::GitLab => (&[], &["ref_type:branch:ref:", "ref_type:tag:ref:"]),
        }
    }

    /// Whether the end of a subject names some jobs. A star would let others in.
    fn names_jobs(self, ending: &str) -> bool {
        let (whole, before) = self.endings();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./@#+%".contains(&byte);
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(plain);
        whole.contains(&ending) || before.iter().filter_map(|start| ending.strip_prefix(start)).any(is_name)
    }
}

impl Repository {
    /// How the subject of all its jobs' tokens begins.
    #[must_use]
    pub fn subject(&self) -> String {
        match self.forge {
            Forge::GitHub => format!("repo:{}:", self.path),
            Forge::GitLab => format!("project_path:{}:", self.path),
        }
    }

    /// The whole subject of those that are let in; `None` for all.
    #[must_use]
    pub fn narrowed(&self) -> Option<String> {
        self.jobs.as_ref().map(|jobs| format!("{}{jobs}", self.subject()))
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

    /// How some of its jobs alone are let in, where all of them are.
    #[must_use]
    pub fn narrower(&self) -> Option<String> {
        let ending = match self.forge {
            Forge::GitHub => "environment:NAME",
            Forge::GitLab => "ref_type:branch:ref:NAME",
        };
        let forge = self.forge.name();
        self.jobs.is_none().then(|| {
            format!(
                "it lets in every branch, tag and pull request of the repository: for a role that writes, \
                 `--trust {forge}:{}:{ending}` narrows it",
                self.path
            )
        })
    }

    /// What a job has to ask for, where its forge has no action that does: a token for this audience
    /// (<https://docs.gitlab.com/ci/secrets/id_token_authentication/>).
    #[must_use]
    pub fn asks_for(&self, audience: &str) -> Option<String> {
        (self.forge == Forge::GitLab).then(|| {
            format!("a job asks GitLab for a token with `aud: {audience}` under `id_tokens` of `.gitlab-ci.yml`")
        })
    }

    /// The subject of those that are let in where there is one for each: else of jobs on the branch `main`.
    #[must_use]
    pub fn one_subject(&self) -> String {
        self.narrowed().unwrap_or_else(|| match self.forge {
            Forge::GitHub => format!("{}ref:refs/heads/main", self.subject()),
            Forge::GitLab => format!("{}ref_type:branch:ref:main", self.subject()),
        })
    }
}

impl FromStr for Repository {
    type Err = String;

    /// `github:ORG/REPO`, or `github:ORG@ID/REPO@ID` where the subject has the numbers too, as that of newer repositories
    /// (<https://docs.github.com/actions/reference/security/oidc>); `gitlab:GROUP/PROJECT`, where a group may be in a group. What follows
    /// a colon names some of its jobs, in the words of the subject.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "write `github:ORG/REPO`, `github:ORG@ID/REPO@ID` or `gitlab:GROUP/PROJECT`".to_owned();
        let (forge, rest) = text.split_once(':').ok_or_else(expected)?;
        let forge =
            [Forge::GitHub, Forge::GitLab].into_iter().find(|known| known.name() == forge).ok_or_else(expected)?;
        let (path, jobs) = rest.split_once(':').map_or((rest, None), |(path, jobs)| (path, Some(jobs.to_owned())));
        if !is_path(forge, path) {
            return Err(expected());
        }
        match jobs.as_deref().filter(|jobs| !forge.names_jobs(jobs)) {
            None => Ok(Self { forge, path: path.to_owned(), jobs }),
            Some(_) => Err(match forge {
                Forge::GitHub => "write `:environment:NAME`, `:ref:refs/heads/BRANCH`, `:ref:refs/tags/TAG` or `:pull_request` after it",
                Forge::GitLab => "write `:ref_type:branch:ref:BRANCH` or `:ref_type:tag:ref:TAG` after it",
            }
            .to_owned()),
        }
    }
}

/// Whether a path names one repository. A star would let others in.
fn is_path(forge: Forge, path: &str) -> bool {
    let parts: Vec<_> = path.split('/').collect();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let named = |part: &str| !matches!(part, "" | "." | "..") && !part.starts_with('-') && part.bytes().all(plain);
    let numbered = |part: &str| match part.split_once('@') {
        Some((name, id)) => named(name) && !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()),
        None => named(part),
    };
    match forge {
        Forge::GitHub => parts.len() == 2 && parts.iter().all(|part| numbered(part)),
        Forge::GitLab => parts.len() >= 2 && parts.iter().all(|part| named(part)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_named_whole() {
        let github: Repository = "github:acme/infra".parse().unwrap();
        assert_eq!((github.forge, github.subject().as_str()), (Forge::GitHub, "repo:acme/infra:"));
        assert_eq!((github.one_subject().as_str(), github.narrowed()), ("repo:acme/infra:ref:refs/heads/main", None));
        let gitlab: Repository = "gitlab:acme/ml/infra".parse().unwrap();
        assert_eq!(gitlab.one_subject(), "project_path:acme/ml/infra:ref_type:branch:ref:main");
        let numbered: Repository = "github:acme@12/infra@345".parse().unwrap();
        assert_eq!(numbered.one_subject(), "repo:acme@12/infra@345:ref:refs/heads/main");
        assert_eq!(numbered.name(), "acme/infra");
        let odd = ["github:acme@/infra@1", "github:acme@1x/infra", "github:a/..", "github:-a/b", "gitlab:acme@1/infra"];
        let short = ["acme/infra", "github:acme", "github:acme/*", "github:a/b/c", "gitlab:acme/", "bitbucket:a/b", ""];
        for text in [&odd[..], &short].concat() {
            assert!(text.parse::<Repository>().unwrap_err().contains("github:ORG/REPO"), "{text}");
        }
    }

    #[test]
    fn some_jobs_are_named_in_the_words_of_their_subject() {
        let repository = |text: &str| text.parse::<Repository>();
        for (text, subject) in [
            ("github:acme/infra:environment:prod", "repo:acme/infra:environment:prod"),
            ("github:acme@1/infra@2:ref:refs/heads/release/v1", "repo:acme@1/infra@2:ref:refs/heads/release/v1"),
            ("github:acme/infra:pull_request", "repo:acme/infra:pull_request"),
            ("gitlab:acme/infra:ref_type:tag:ref:v1", "project_path:acme/infra:ref_type:tag:ref:v1"),
        ] {
            let repository = repository(text).unwrap();
            assert_eq!((repository.narrowed().as_deref(), repository.narrower()), (Some(subject), None));
            assert_eq!(repository.one_subject(), subject);
        }
        let stars = [
            "github:a/b:*",
            "github:a/b:environment:*",
            "github:a/b:ref:refs/heads/v?",
            "gitlab:a/b:ref_type:branch:ref:*",
        ];
        let quotes = [
            "github:a/b:environment:'",
            "github:a/b:environment:$(x)",
            "github:a/b:environment:a b",
            "github:a/b:environment:\"",
        ];
        let other = [
            "github:a/b:",
            "github:a/b:environment:",
            "github:a/b:main",
            "gitlab:a/b:pull_request",
            "github:a/b:pull_requests",
        ];
        for text in [&stars[..], &quotes, &other].concat() {
            assert!(repository(text).unwrap_err().contains("after it"), "{text}");
        }
    }
}
