//! What to type instead: hints for usage errors, most of all for who has other tools' words in the fingers.

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::clouds::CloudId;
use crate::help;

/// Words of other tools and what stands for them; `CLOUD` is the cloud that was typed.
const WORDS: &[(&str, &str)] = &[
    ("import", "set `adopt = true` under the resource's section: `provision CLOUD apply` then takes over what exists"),
    ("refresh", "there is no state to refresh: `provision CLOUD drift` looks at the cloud itself"),
    (
        "state",
        "there is no state file: tags on the resources say whose they are, and `provision CLOUD plan` reads them",
    ),
];

/// Flags of other tools.
const FLAGS: &[(&str, &str)] = &[
    ("auto-approve", "`--yes` is the flag"),
    ("var", "plan files read variables: `${env:NAME}`, or `${env:NAME:-default}`"),
    ("var-file", "plan files read variables: `${env:NAME}`, or `${env:NAME:-default}`"),
];

/// How many letters may differ in a word that is suggested: clap finds `drift` in `verify`.
const MOST_DIFFERENT: usize = 2;

/// The error with what to type instead, as far as it can be known from what was typed.
pub(crate) fn hinted(mut error: clap::Error, typed: &[String]) -> clap::Error {
    let named = |kind| match error.get(kind) {
        Some(ContextValue::String(name)) => name.clone(),
        _ => String::new(),
    };
    let hint = match error.kind() {
        ErrorKind::InvalidSubcommand => word_hint(&named(ContextKind::InvalidSubcommand), typed),
        ErrorKind::UnknownArgument => flag_hint(&named(ContextKind::InvalidArg), typed),
        _ => None,
    };
    let word = named(ContextKind::InvalidSubcommand);
    let far = error.get(ContextKind::SuggestedSubcommand).is_some_and(|suggested| !is_near(suggested, &word));
    if hint.is_some() || far {
        let suggestions = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::Suggested];
        suggestions.into_iter().for_each(|kind| drop(error.remove(kind)));
    }
    if let Some(hint) = hint {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint.into()]));
    }
    error
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
    let any = |clouds: &[CloudId]| match clouds {
        [cloud] => cloud.to_string(),
        clouds => format!("<{}>", clouds.iter().map(|cloud| cloud.name()).collect::<Vec<_>>().join("|")),
    };
    let command = help::command();
    let in_it = |cloud: &CloudId| command.find_subcommand(cloud.name()).is_some_and(|cloud| has(cloud, word));
    let having: Vec<_> = CloudId::ALL.into_iter().filter(in_it).collect();
    let named = typed.iter().find_map(|word| CloudId::named(word));
    if !having.is_empty() {
        // Where the cloud that is named does not have it, there is nothing to type instead.
        let cloud = named.map_or_else(|| Some(any(&having)), |cloud| in_it(&cloud).then(|| cloud.to_string()));
        return cloud.map(|cloud| format!("the cloud comes first: `provision {cloud} {word}`"));
    }
    let cloud = named.map_or_else(|| any(&CloudId::ALL), |cloud| cloud.to_string());
    if has(&command, word) {
        let first = if word == "init" { format!("init {cloud}") } else { word.to_owned() };
        return Some(format!("it stands without a cloud before it: `provision {first}`"));
    }
    WORDS.iter().find(|(other, _)| *other == word).map(|(_, hint)| hint.replace("CLOUD", &cloud))
}

fn has(command: &Command, word: &str) -> bool {
    command.find_subcommand(word).is_some()
}

fn flag_hint(flag: &str, typed: &[String]) -> Option<String> {
    let (name, dashes) = match flag.strip_prefix("--") {
        Some(name) => (name, 2),
        None => (with_one_dash(flag, typed)?, 1),
    };
    let known = FLAGS.iter().find(|(other, _)| *other == name).map(|(_, hint)| (*hint).to_owned());
    known.or_else(|| (dashes == 1 && has_flag(&help::command(), name)).then(|| format!("`--{name}` has two dashes")))
}

/// The word behind one dash in which a letter was taken for a flag, as Terraform's are written: `-auto-approve`, `-out=FILE`.
fn with_one_dash<'t>(letter: &str, typed: &'t [String]) -> Option<&'t str> {
    let letter = letter.strip_prefix('-')?;
    let words = typed.iter().filter_map(|word| word.strip_prefix('-')).filter(|word| !word.starts_with('-'));
    words.filter_map(|word| word.split('=').next()).find(|word| word.len() > 1 && word.contains(letter))
}

fn has_flag(command: &Command, name: &str) -> bool {
    ["help", "version"].contains(&name)
        || command.get_arguments().any(|argument| argument.get_long() == Some(name))
        || command.get_subcommands().any(|command| has_flag(command, name))
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
            ("provision plan aws", "tip: the cloud comes first: `provision aws plan`"),
            ("provision verify", "tip: the cloud comes first: `provision aws verify`"),
            ("provision plan", "tip: the cloud comes first: `provision <aws|gcp|azure> plan`"),
            ("provision apply --yes gcp", "tip: the cloud comes first: `provision gcp apply`"),
            ("provision aws init", "tip: it stands without a cloud before it: `provision init aws`"),
            ("provision gcp validate x.toml", "tip: it stands without a cloud before it: `provision validate`"),
            ("provision azure import", "`provision azure apply` then takes over"),
            ("provision refresh", "`provision <aws|gcp|azure> drift` looks"),
            ("provision aws state list", "there is no state file"),
            ("provision aws apply --auto-approve", "tip: `--yes` is the flag"),
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
        for line in ["provision gcp verify", "provision aws fmt", "provision aws workspace", "provision fmt"] {
            let said = said(line);
            assert!(!said.contains("tip:") && !said.contains("\n\n\n"), "{line}: {said}");
        }
    }
}
