//! The command line with what its long help ends with: examples and exit codes.

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory as _, FromArgMatches as _};

use crate::arguments::Arguments;
use crate::exit;
use crate::providers::ProviderId;

/// A command as it is typed, and what it does.
type Example = (&'static str, &'static str);

/// Examples of each command; `CLOUD` stands for the cloud that the help is of, or for the first one.
const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "",
        &[
            ("provision init CLOUD > provision.toml", "begin with a plan file that explains itself"),
            ("provision CLOUD plan", "show what would be done"),
            ("provision CLOUD apply", "show it, ask, and do it"),
            ("provision CLOUD apply --sandbox", "the same without an account and without a network"),
        ],
    ),
    (
        "CLOUD",
        &[
            ("provision CLOUD plan", "show what would be done"),
            ("provision CLOUD apply", "show it, ask, and do it"),
            ("provision CLOUD output", "print the settings for the server"),
        ],
    ),
    (
        "CLOUD plan",
        &[
            ("provision CLOUD plan", "show what `provision CLOUD apply` would do"),
            ("provision CLOUD plan --out tfplan", "save it for `provision CLOUD apply tfplan`"),
            ("provision CLOUD plan prod.toml --detailed-exitcode", "exit with 2 if there is anything to do"),
            ("provision CLOUD plan --report markdown=plan.md", "also as a comment for a pull request"),
        ],
    ),
    (
        "CLOUD apply",
        &[
            ("provision CLOUD apply", "show what would be done, ask, and do it"),
            ("provision CLOUD apply prod.toml --yes", "the same in a script, where nobody can be asked"),
            ("provision CLOUD apply tfplan", "do what `plan --out tfplan` has shown, without asking"),
        ],
    ),
    (
        "CLOUD drift",
        &[
            ("provision CLOUD drift", "compare the cloud with what was applied"),
            ("provision CLOUD drift plans/a.toml plans/b.toml --format markdown", "for the summary of a CI job"),
            ("provision CLOUD drift --report junit=drift.xml --report sarif=drift.sarif", "one look, several reports"),
        ],
    ),
    (
        "CLOUD destroy",
        &[
            ("provision CLOUD destroy", "show what would be deleted, ask, and delete it"),
            ("provision CLOUD destroy --delete-data acme-files", "with every object in that bucket"),
        ],
    ),
    (
        "CLOUD permissions",
        &[
            ("provision CLOUD permissions --for apply > rights", "what whoever applies must be allowed to do"),
            (
                "provision CLOUD permissions prod.toml --for drift --format terraform",
                "the same of drift, for Terraform",
            ),
            (
                "provision CLOUD permissions --trust github:acme/infra:environment:prod",
                "let the CI jobs of an environment in, without a secret",
            ),
        ],
    ),
    (
        "CLOUD output",
        &[
            ("provision CLOUD output", "all settings, secrets hidden"),
            ("provision CLOUD output provision.toml BUCKET", "one value, for scripts"),
            ("provision CLOUD output --format docker --out wandb.env", "for `docker run --env-file`, secrets too"),
        ],
    ),
    (
        "CLOUD verify",
        &[
            ("provision CLOUD verify", "prove that files and events get through"),
            (
                "provision CLOUD verify prod.toml --strict --report junit=verify.xml",
                "for CI: what is not proven fails too",
            ),
            ("provision CLOUD verify --read-only", "look, and ask as a browser asks; write nothing"),
        ],
    ),
    (
        "doctor",
        &[
            ("provision doctor CLOUD", "say why a command does not get through"),
            ("provision doctor CLOUD prod.toml --json > doctor.json", "the same for a report"),
        ],
    ),
    (
        "diff",
        &[
            ("provision diff monday.json tuesday.json", "what drifted since Monday, of what `drift --json` printed"),
            ("provision diff old.json new.json --format markdown", "for the summary of a CI job"),
        ],
    ),
    (
        "azure rotate-key",
        &[
            ("provision azure rotate-key --out wandb.env", "a new key for the server, with the other settings"),
            ("provision azure rotate-key --finish", "once the server has it: the former key is of no use to anybody"),
        ],
    ),
    (
        "slack",
        &[
            ("provision slack plan", "show what would be done"),
            (
                "provision slack apply --out slack.env",
                "show it, ask, and do it; the secret, which is given once, in a file",
            ),
            ("provision slack output", "print the settings for the server"),
        ],
    ),
    (
        "slack apply",
        &[
            (
                "provision slack apply --out slack.env",
                "show what would be done, ask, and do it; the new app's secret in a file",
            ),
            (
                "provision slack apply prod.toml --yes --out slack.env",
                "the same in a script, where nobody can be asked",
            ),
            ("provision slack apply", "change an app that is there"),
        ],
    ),
    (
        "slack output",
        &[
            ("provision slack output", "all settings, the secret hidden"),
            ("provision slack output --reveal", "with the secret, from the file that `secret_file` names"),
            ("provision slack output provision.toml SLACK_CLIENT_ID", "one value, for scripts"),
        ],
    ),
    ("auth0 destroy", &[("provision auth0 destroy", "show what would be deleted, ask, and delete it")]),
    ("slack destroy", &[("provision slack destroy", "show what would be deleted, ask, and delete it")]),
    (
        "auth0 output",
        &[
            ("provision auth0 output", "all settings: Auth0 is asked for the client id"),
            ("provision auth0 output provision.toml AUTH0_CLIENT_ID", "one value, for scripts"),
        ],
    ),
    ("CLOUD token", &[("provision CLOUD token --out slack-token.env", "a new token for twelve hours")]),
    (
        "plan",
        &[
            ("provision plan", "what `provision apply` would do, in every section of the plan file"),
            ("provision plan prod.toml --report markdown=plan.md", "one report of all of them"),
            ("provision plan plans/", "the same of every plan file in a folder"),
        ],
    ),
    (
        "apply",
        &[
            ("provision apply", "show what would be done in every section, ask once, and do it"),
            ("provision apply prod.toml --yes", "the same in a script"),
            ("provision apply plans/ --yes --max-failures 3", "every plan file in a folder, as long as few fail"),
        ],
    ),
    (
        "drift",
        &[
            ("provision drift", "compare every section of the plan file with what was applied"),
            ("provision drift plans/a.toml plans/b.toml --format markdown", "for the summary of a CI job"),
            ("provision drift plans/ --shard 1/4 --report json=1.json", "a quarter of a folder, for `report merge`"),
        ],
    ),
    (
        "verify",
        &[
            ("provision verify", "prove every section of the plan file that has a bucket"),
            ("provision verify plans/ --report junit=verify.xml", "the same of every plan file in a folder, for CI"),
        ],
    ),
    (
        "destroy",
        &[
            ("provision destroy --all", "show what would be deleted, ask for the deployment's name, and delete it"),
            ("provision destroy --all --deployment wandb-prod", "the same in a script"),
        ],
    ),
    (
        "output",
        &[
            ("provision output", "the settings of every section of the plan file, secrets hidden"),
            ("provision output --format k8s-secret --reveal | kubectl apply -f -", "all of them as a Secret"),
            ("provision output --format helm > values.yaml", "for W&B's chart, which reads that Secret"),
            ("provision output plans/ --no-secrets --json", "those of every plan file in a folder, by deployment"),
        ],
    ),
    (
        "init",
        &[
            ("provision init CLOUD > provision.toml", "a plan file with every setting and its default"),
            ("provision init CLOUD --byob > provision.toml", "one for a bucket that W&B's hosted server uses"),
        ],
    ),
    ("validate", &[("provision validate provision.toml", "check it; all that is wrong is told at once")]),
    (
        "schema",
        &[
            ("provision schema > provision.schema.json", "for an editor that checks TOML"),
            ("provision schema --for events > events.schema.json", "for who reads what `apply --json` prints"),
        ],
    ),
    (
        "show",
        &[
            ("provision show tfplan", "what `plan --out tfplan` saved"),
            ("provision show tfplan --report gitlab=tfplan.json", "also the counts for GitLab's merge requests"),
        ],
    ),
    ("report", &[("provision report merge 1.json 2.json --report markdown=drift.md", "one report of two shards")]),
    (
        "report merge",
        &[
            ("provision report merge 1.json 2.json 3.json 4.json", "what the shards of a drift found, as one"),
            ("provision report merge 1.json 2.json --report junit=drift.xml", "also for CI"),
        ],
    ),
    (
        "sandbox",
        &[
            ("provision sandbox serve provision.toml", "copies of the clouds, for any client"),
            ("provision sandbox reset", "forget everything in them"),
        ],
    ),
    (
        "sandbox serve",
        &[
            ("provision sandbox serve provision.toml", "with the roles and accounts that it takes for granted"),
            (
                "provision sandbox serve --identity rights provision.toml",
                "with no more rights than `permissions` printed",
            ),
            ("provision sandbox serve --port 4600 --faults faults.toml", "on known ports, with faults on purpose"),
        ],
    ),
    ("sandbox reset", &[("provision sandbox reset --dir .provision/sandbox", "forget everything in it")]),
    (
        "completions",
        &[
            ("provision completions bash > ~/.local/share/bash-completion/completions/provision", "bash"),
            ("provision completions zsh > ~/.zfunc/_provision", "zsh, with ~/.zfunc in $fpath"),
            ("provision completions fish > ~/.config/fish/completions/provision.fish", "fish"),
            ("provision completions powershell >> $PROFILE", "PowerShell"),
            ("provision completions elvish >> ~/.config/elvish/rc.elv", "Elvish"),
        ],
    ),
    (
        "man",
        &[
            ("provision man --dir ~/.local/share/man/man1", "a page for each command"),
            ("provision man > provision.1", "the main page alone"),
        ],
    ),
    ("version", &[("provision version", "the same as `provision --version`")]),
];

/// What a command says of itself where others of its name say something else.
const OWN_ABOUT: (&str, &str) = ("auth0 output", "Print the settings for the server. Auth0 is asked for the client id");

/// Read the command line.
pub(crate) fn parse() -> Result<Arguments, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// The command that was typed, without its flags and files: `provision aws apply`.
pub(crate) fn typed() -> String {
    let (mut command, mut name) = (command(), "provision".to_owned());
    for word in std::env::args().skip(1) {
        if let Some(sub) = command.find_subcommand(&word).cloned() {
            name = format!("{name} {}", sub.get_name());
            command = sub;
        }
    }
    name
}

/// The whole command line.
pub(crate) fn command() -> Command {
    described(Arguments::command(), "")
}

/// Sections without a file store and queues, and the flags that are about those.
const WITHOUT_STORE: [&str; 2] = ["auth0", "slack"];
const OF_STORES: [&str; 2] = ["orphans", "delete_data"];

fn described(command: Command, path: &str) -> Command {
    let section = path.split(' ').next().and_then(ProviderId::named);
    let command = match section {
        Some(section) => worded(command, path, section),
        None => command,
    };
    let without = WITHOUT_STORE.iter().any(|section| path.split(' ').next() == Some(section));
    let command = command.after_long_help(ending(path)).mut_args(|argument| {
        let is_of_stores = OF_STORES.iter().any(|name| argument.get_id() == name);
        argument.hide(is_of_stores && without)
    });
    command.mut_subcommands(|sub| {
        let path = format!("{path} {}", sub.get_name());
        described(sub, path.trim_start())
    })
}

/// The same in the words of a section.
fn worded(command: Command, path: &str, section: ProviderId) -> Command {
    let words = |text: Option<&StyledStr>| text.map(|text| StyledStr::from(section.in_its_words(&text.to_string())));
    let (about, long_about) = match OWN_ABOUT {
        (own, about) if own == path => (Some(StyledStr::from(about)), None),
        _ => (words(command.get_about()), words(command.get_long_about())),
    };
    let command = about.into_iter().fold(command, Command::about);
    long_about.into_iter().fold(command, Command::long_about).mut_args(|argument| {
        let (help, long_help) = (words(argument.get_help()), words(argument.get_long_help()));
        let argument = help.into_iter().fold(argument, Arg::help);
        long_help.into_iter().fold(argument, Arg::long_help)
    })
}

/// Whether there is a proof that what a section of this name makes works.
pub(crate) fn proves(section: &str) -> bool {
    command().find_subcommand(section).is_some_and(|section| section.find_subcommand("verify").is_some())
}

/// The examples of a command that is typed with these words.
pub(crate) fn examples(path: &str) -> Vec<(String, String)> {
    let first = path.split(' ').next().unwrap_or_default();
    let section = ProviderId::named(first).unwrap_or(ProviderId::ALL[0]);
    let cloud = section.name();
    let key = path.strip_prefix(cloud).map_or_else(|| path.to_owned(), |rest| format!("CLOUD{rest}"));
    let own = EXAMPLES.iter().find(|(command, _)| *command == path);
    let found =
        own.or_else(|| EXAMPLES.iter().find(|(command, _)| *command == key)).map_or(&[][..], |(_, examples)| examples);
    let worded = |does: &str| section.in_its_words(&does.replace("CLOUD", cloud));
    found.iter().map(|(typed, does)| (typed.replace("CLOUD", cloud), worded(does))).collect()
}

fn ending(path: &str) -> String {
    let examples: String = examples(path).iter().map(|(typed, does)| format!("  {typed}\n      {does}\n")).collect();
    let codes: String = exit::MEANINGS.iter().map(|(code, means)| format!("  {code:<9} {means}\n")).collect();
    format!("Examples:\n{examples}\nExit codes:\n{}", codes.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command with the words that are typed for it.
    fn commands(command: &Command, path: &str, found: &mut Vec<String>) {
        found.push(path.to_owned());
        for sub in command.get_subcommands() {
            commands(sub, format!("{path} {}", sub.get_name()).trim_start(), found);
        }
    }

    #[test]
    fn sections_without_a_store_say_nothing_of_queues_and_buckets() {
        let mut all = command();
        for (section, says) in [("aws", true), ("auth0", false), ("slack", false)] {
            for name in ["plan", "apply", "destroy"] {
                let section = all.find_subcommand_mut(section).unwrap();
                let help = section.find_subcommand_mut(name).unwrap().render_long_help().to_string();
                assert_eq!(help.contains("--orphans"), says, "{help}");
                assert!(says || !help.contains("queue") && !help.contains("bucket"), "{help}");
            }
        }
    }

    /// As it is typed, with the flags of every command.
    #[test]
    fn sections_are_spoken_of_in_their_own_words() {
        let mut all = command();
        all.build();
        for (section, others) in [
            ("aws", &["Auth0", "Slack"][..]),
            ("auth0", &["the cloud", "CLOUD", "Slack", "BUCKET"]),
            ("slack", &["the cloud", "CLOUD", "Auth0", "BUCKET"]),
        ] {
            for sub in all.find_subcommand_mut(section).unwrap().get_subcommands_mut() {
                for help in [sub.render_help(), sub.render_long_help()] {
                    let help = help.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
                    let foreign: Vec<_> = others.iter().filter(|word| help.contains(**word)).collect();
                    assert!(foreign.is_empty(), "{section} {}: {foreign:?}\n{help}", sub.get_name());
                }
            }
        }
    }

    #[test]
    fn every_command_has_examples_and_each_is_one_that_can_be_typed() {
        let mut paths = Vec::new();
        commands(&command(), "", &mut paths);
        for path in paths {
            let examples = examples(&path);
            assert!(!examples.is_empty(), "`{path}` has none");
            for (typed, _) in examples {
                let words =
                    typed.split(" >").next().unwrap_or_default().split(" |").next().unwrap_or_default().split(' ');
                let read = command().try_get_matches_from(words);
                assert!(read.is_ok() && typed.starts_with(format!("provision {path}").trim_end()), "{typed}");
            }
        }
    }
}
