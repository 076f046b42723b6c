//! What to type instead: hints for usage errors, most of all for who has other tools' words in the fingers.

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::help;
use crate::providers::ProviderId;

/// Words of other tools and what stands for them; `CLOUD` is the cloud that was typed.
const WORDS: &[(&str, &str)] = &[
    ("amazon", "`aws` is its name here"),
    ("google", "`gcp` is its name here"),
    ("gcloud", "`gcp` is its name here"),
    ("az", "`azure` is its name here"),
    ("microsoft", "`azure` is its name here"),
    ("import", "set `adopt = true` under the resource's section: `provision CLOUD apply` then takes over what exists"),
    ("refresh", "there is no state to refresh: `provision CLOUD drift` looks at the cloud itself"),
    (
        "state",
        "there is no state file: tags on the resources say whose they are, and `provision CLOUD plan` reads them",
    ),
    ("force-unlock", "there is no state file, and no lock"),
    ("taint", "nothing is made anew: `provision CLOUD apply` repairs what differs"),
    ("untaint", "nothing is made anew: `provision CLOUD apply` repairs what differs"),
    ("workspace", "a plan file for each deployment is enough: `provision CLOUD plan staging.toml`"),
    ("preview", "`provision CLOUD plan` shows what would be done"),
    ("diff", "`provision CLOUD plan` shows what would be done"),
    ("up", "`provision CLOUD apply` does it"),
    ("create", "`provision CLOUD apply` does it"),
    ("down", "`provision CLOUD destroy` does it"),
    ("delete", "`provision CLOUD destroy` does it"),
    ("status", "`provision CLOUD drift` tells whether the cloud is as it was applied"),
];

/// Flags of other tools, the flag of ours that a command must have for the hint to be true (none: any), and the hint. The first
/// that fits is given; `CLOUD` is the cloud that was typed.
const FLAGS: &[(&[&str], &str, &str)] = &[
    (&["auto-approve", "y"], "yes", "`--yes` is the flag"),
    (&["auto-approve", "y", "yes"], "deployment", "`--deployment NAME` confirms without being asked"),
    (&["auto-approve", "y", "yes"], "", "only apply and destroy ask, and have `--yes`"),
    (&["force"], "yes", "`--yes` does not ask; nothing else is forced"),
    (&["input"], "yes", "without a terminal nobody is asked: add `--yes`"),
    (&["var", "var-file"], "", "plan files read variables: `${env:NAME}`, or `${env:NAME:-default}`"),
    (&["target", "exclude"], "", "a plan file is applied as a whole; a plan file for each deployment keeps them apart"),
    (&["replace"], "", "nothing is made anew: `provision CLOUD apply` repairs what differs"),
    (&["refresh-only"], "", "`provision CLOUD drift` does it"),
    (&["refresh"], "", "there is no state to refresh: every command looks at the cloud itself"),
    (&["state", "lock", "lock-timeout"], "", "there is no state file, and no lock"),
    (&["backend-config", "upgrade", "reconfigure", "migrate-state"], "", "there is no backend and no plugin to set up"),
    (&["parallelism"], "", "what may be done at once is done at once"),
    (&["dry-run", "check"], "", "`provision CLOUD plan` shows what would be done, and never writes"),
    (&["raw"], "reveal", "name the setting: `provision CLOUD output provision.toml BUCKET`"),
    (&["o", "output"], "out", "`--out` is the flag"),
    (&["f", "file"], "", "the plan file has no flag before it: `provision CLOUD plan provision.toml`"),
    (&["debug", "log"], "", "`--trace FILE` writes each request and its answer"),
    (&["chdir"], "", "change the folder first, or name the plan file: `provision CLOUD plan folder/provision.toml`"),
];

/// How many letters may differ in a word that is suggested: clap finds `drift` in `verify`, and `--trace` in `--force`.
const MOST_DIFFERENT: usize = 2;

/// The error with what to type instead, as far as it can be known from what was typed.
pub(crate) fn hinted(mut error: clap::Error, typed: &[String]) -> clap::Error {
    let named = |kind| match error.get(kind) {
        Some(ContextValue::String(name)) => name.clone(),
        _ => String::new(),
    };
    let (word, flag) = (named(ContextKind::InvalidSubcommand), named(ContextKind::InvalidArg));
    let command = meant(typed);
    let hint = match error.kind() {
        ErrorKind::InvalidSubcommand => word_hint(&word, typed),
        ErrorKind::UnknownArgument => flag_hint(&flag, typed, &command),
        _ => None,
    };
    let far = |kind, word: &str| error.get(kind).is_some_and(|suggested| !is_near(suggested, word));
    if hint.is_some() || far(ContextKind::SuggestedSubcommand, &word) || far(ContextKind::SuggestedArg, &flag) {
        let suggestions = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg];
        suggestions.into_iter().for_each(|kind| drop(error.remove(kind)));
        error.insert(ContextKind::Usage, ContextValue::StyledStr(command.clone().render_usage()));
    }
    // What clap suggests besides is to type a flag as a value, which is nobody's wish.
    error.remove(ContextKind::Suggested);
    if let Some(hint) = hint {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint.into()]));
    }
    error
}

/// The command that the words lead to, as far as they are commands.
fn meant(typed: &[String]) -> Command {
    let mut command = help::command();
    command.build();
    for word in typed.iter().skip(1).filter(|word| !word.starts_with('-')) {
        match command.find_subcommand(word) {
            Some(sub) => command = sub.clone(),
            None => break,
        }
    }
    command
}

fn is_near(suggested: &ContextValue, word: &str) -> bool {
    let near = |name: &String| strsim::osa_distance(name, word) <= MOST_DIFFERENT;
    match suggested {
        ContextValue::String(name) => near(name),
        ContextValue::Strings(names) => names.iter().any(near),
        _ => false,
    }
}

fn word_hint(word: &str, typed: &[String]) -> Option<String> {
    let command = help::command();
    let in_it = |cloud: &ProviderId| has(in_a_cloud(&command, *cloud), word);
    let having: Vec<_> = ProviderId::ALL.into_iter().filter(in_it).collect();
    if !having.is_empty() {
        return Some(match named(typed) {
            None => format!("the cloud comes first: `provision {} {word}`", any(&having)),
            Some(cloud) if in_it(&cloud) => format!("the cloud comes first: `provision {cloud} {word}`"),
            Some(_) => format!("it is a command of others alone: `provision {} {word}`", any(&having)),
        });
    }
    let cloud = cloud(typed);
    // What stands without a cloud may be another tool's word for something that does not.
    if has(&command, word) && !WORDS.iter().any(|(other, _)| *other == word) {
        let first = if ["init", "doctor"].contains(&word) { format!("{word} {cloud}") } else { word.to_owned() };
        return Some(format!("it stands without a cloud before it: `provision {first}`"));
    }
    WORDS.iter().find(|(other, _)| *other == word).map(|(_, hint)| hint.replace("CLOUD", &cloud))
}

/// The cloud that was typed, or any.
fn cloud(typed: &[String]) -> String {
    named(typed).map_or_else(|| any(&ProviderId::ALL), |cloud| cloud.to_string())
}

fn named(typed: &[String]) -> Option<ProviderId> {
    typed.iter().find_map(|word| ProviderId::named(word))
}

/// Any of these clouds, as it is typed.
fn any(clouds: &[ProviderId]) -> String {
    match clouds {
        [cloud] => cloud.to_string(),
        clouds => format!("<{}>", clouds.iter().map(|cloud| cloud.name()).collect::<Vec<_>>().join("|")),
    }
}

/// The commands of a cloud.
fn in_a_cloud(command: &Command, cloud: ProviderId) -> &Command {
    command.find_subcommand(cloud.name()).unwrap_or(command)
}

fn has(command: &Command, word: &str) -> bool {
    command.find_subcommand(word).is_some()
}

fn flag_hint(flag: &str, typed: &[String], command: &Command) -> Option<String> {
    let (name, dashes) = match flag.strip_prefix("--") {
        Some(name) => (name, 2),
        None => (with_one_dash(flag, typed)?, 1),
    };
    if dashes == 1 && name.len() > 1 && has_flag(command, name) {
        return Some(format!("`--{name}` has two dashes"));
    }
    let fits = |row: &&(&[&str], &str, &str)| row.0.contains(&name) && (row.1.is_empty() || has_flag(command, row.1));
    let known = FLAGS.iter().find(fits).map(|(_, _, hint)| hint.replace("CLOUD", &cloud(typed)));
    known.or_else(|| elsewhere(name, typed))
}

/// The commands of a cloud that have a flag, for who has typed it after another.
fn elsewhere(name: &str, typed: &[String]) -> Option<String> {
    let (command, cloud) = (help::command(), cloud(typed));
    let commands = in_a_cloud(&command, named(typed).unwrap_or(ProviderId::ALL[0]));
    let with_it = commands.get_subcommands().filter(|command| has_flag(command, name));
    let commands: Vec<_> = with_it.map(|command| format!("`provision {cloud} {}`", command.get_name())).collect();
    (!commands.is_empty()).then(|| format!("`--{name}` is a flag of {}", commands.join(" and ")))
}

/// What stands behind one dash of which a letter was taken for a flag, as Terraform's flags are written: `-auto-approve`,
/// `-out=FILE`.
fn with_one_dash<'t>(letter: &str, typed: &'t [String]) -> Option<&'t str> {
    let letter = letter.strip_prefix('-')?;
    let words = typed.iter().filter_map(|word| word.strip_prefix('-')).filter(|word| !word.starts_with('-'));
    words.filter_map(|word| word.split('=').next()).find(|word| word.contains(letter))
}

fn has_flag(command: &Command, name: &str) -> bool {
    ["help", "version"].contains(&name) || command.get_arguments().any(|argument| argument.get_long() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::hinted;
    use crate::help;

    /// What is said of a command line that does not fit.
    fn said(line: &str) -> String {
        let typed: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let error = help::command().try_get_matches_from(&typed).unwrap_err();
        hinted(error, &typed).to_string()
    }

    #[test]
    fn words_of_other_tools_have_a_hint() {
        for (line, hint) in [
            ("provision permissions", "tip: the cloud comes first: `provision <aws|gcp|azure> permissions`"),
            ("provision permissions --for plan gcp", "tip: the cloud comes first: `provision gcp permissions`"),
            ("provision auth0 verify", "tip: it is a command of others alone: `provision <aws|gcp|azure> verify`"),
            ("provision slack permissions", "of others alone: `provision <aws|gcp|azure> permissions`"),
            ("provision aws rotate-key", "tip: it is a command of others alone: `provision azure rotate-key`"),
            ("provision aws init", "tip: it stands without a cloud before it: `provision init aws`"),
            ("provision gcp validate x.toml", "tip: it stands without a cloud before it: `provision validate`"),
            ("provision azure import", "`provision azure apply` then takes over"),
            ("provision refresh", "`provision <aws|gcp|azure|auth0|slack> drift` looks"),
            ("provision aws state list", "there is no state file"),
            ("provision aws apply --auto-approve", "tip: `--yes` is the flag"),
            ("provision aws apply -y", "tip: `--yes` is the flag"),
            ("provision destroy --all --yes", "tip: `--deployment NAME` confirms without being asked"),
            ("provision aws plan --yes", "tip: only apply and destroy ask"),
            ("provision aws drift -auto-approve", "tip: only apply and destroy ask"),
            (
                "provision aws apply -out=tfplan",
                "tip: `--out` is a flag of `provision aws plan` and `provision aws output`",
            ),
            ("provision gcp apply --out tfplan", "tip: `--out` is a flag of `provision gcp plan`"),
            ("provision aws apply -destroy", "tip: `--destroy` is a flag of `provision aws plan`"),
            ("provision aws plan --output x", "tip: `--out` is the flag"),
            ("provision aws apply -target=aws_s3_bucket.x", "tip: a plan file is applied as a whole"),
            ("provision aws apply --force", "tip: `--yes` does not ask"),
            ("provision aws destroy -force", "tip: `--yes` does not ask"),
            ("provision aws plan -refresh-only", "tip: `provision aws drift` does it"),
            ("provision aws plan -refresh=false", "every command looks at the cloud itself"),
            ("provision aws plan -lock=false", "no lock"),
            ("provision init -upgrade", "no backend and no plugin"),
            ("provision azure output -raw BUCKET", "`provision azure output provision.toml BUCKET`"),
            ("provision aws apply --dry-run", "`provision aws plan` shows"),
            ("provision aws plan -f x.toml", "`provision aws plan provision.toml`"),
            ("provision aws workspace list", "`provision aws plan staging.toml`"),
            ("provision aws taint x", "`provision aws apply` repairs"),
            ("provision google plan", "tip: `gcp` is its name here"),
            ("provision aws up", "`provision aws apply` does it"),
            ("provision aws diff", "`provision aws plan` shows"),
            ("provision aws apply -auto-approve", "tip: `--yes` is the flag"),
            ("provision aws plan -out=tfplan", "tip: `--out` has two dashes"),
            ("provision aws plan -out tfplan", "tip: `--out` has two dashes"),
            ("provision aws apply -var region=x", "`${env:NAME}`"),
            ("provision aws plan --var-file=x", "`${env:NAME}`"),
            ("provision -version", "tip: `--version` has two dashes"),
            ("provision aws plann", "a similar subcommand exists: 'plan'"),
            ("provision aws plan --detailed-exitcod", "'--detailed-exitcode'"),
        ] {
            let said = said(line);
            assert!(said.contains(hint) && said.matches("tip:").count() == 1, "{line}: {said}");
        }
    }

    #[test]
    fn what_is_not_meant_is_not_suggested() {
        for line in [
            "provision aws fmt",
            "provision fmt",
            "provision aws plan --profile x",
            "provision aws plan -x",
            "provision aws drift --tracing",
        ] {
            let said = said(line);
            assert!(!said.contains("<FILE>"), "the command's own usage: {said}");
            assert!(!said.contains("tip:") && !said.contains("\n\n\n"), "{line}: {said}");
        }
    }
}
