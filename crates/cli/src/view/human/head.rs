//! What stands above every screen: the deployment, its cloud and the plan file; whose cloud was observed.

use anstyle::Style;
use provision_core::change_set::{ChangeSet, Purpose};
use provision_core::printable::on_one_line;

use super::layout::{Line, fitted};
use crate::view::words::{nouns, title};

const BOLD: Style = Style::new().bold();

/// What a change set is for.
pub(crate) fn of_set(set: &ChangeSet) -> String {
    match set.purpose {
        Purpose::Apply => head("Plan for", set),
        Purpose::Destroy { .. } => head("Destroy", set),
    }
}

/// What a look for drift is of.
pub(crate) fn of_drift(set: &ChangeSet) -> String {
    head("Drift in", set)
}

/// What a proof is of.
pub(crate) fn of_proof(set: &ChangeSet) -> String {
    head("Verify", set)
}

fn head(what: &str, set: &ChangeSet) -> String {
    let who = &set.identity;
    let title = format!("{BOLD}{what} {}{BOLD:#} on {}", set.deployment, title(&set.cloud));
    let first = Line { text: title, hang: 4, end: on_one_line(&set.plan_file.name) };
    let as_whom = short(&who.principal, &who.account);
    let second = Line::new(format!("{} {}, {}, as {as_whom}", nouns(&set.cloud).0, who.account, who.region), 2);
    let endpoints = who.endpoints.iter().map(|endpoint| Line::new(format!("  custom endpoint: {endpoint}"), 4));
    fitted(&[first, second].into_iter().chain(endpoints).collect::<Vec<_>>())
}

/// Who it is without the account, which is told beside it: `role/ci` of `arn:aws:iam::123456789012:role/ci`.
fn short<'a>(principal: &'a str, account: &str) -> &'a str {
    principal.split_once(&format!(":{account}:")).map_or(principal, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn principal_is_told_without_the_account() {
        assert_eq!(short("arn:aws:iam::123456789012:role/ci", "123456789012"), "role/ci");
        assert_eq!(short("ci@acme.iam.gserviceaccount.com", "acme"), "ci@acme.iam.gserviceaccount.com");
    }
}
