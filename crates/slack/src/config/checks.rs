//! Reading the `[slack]` section: what its schema cannot say, all of it at once.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;

use provision_core::deployment::Deployment;
use provision_core::plan_file::{PlanFile, Problems};
use url::Url;

use super::{APPS_PAGE, NAME, PENDING, Settings, SlackSection};
use crate::tags;

/// Limits of a manifest (<https://docs.slack.dev/reference/app-manifest>).
const LONGEST_NAME: usize = 35;
/// "Up to 10 entries" (<https://docs.slack.dev/authentication/best-practices-for-security>).
pub(crate) const MOST_RANGES: usize = 10;

impl Settings {
    /// Read and check the `[slack]` section of this deployment; `None` if there are problems, which are reported.
    pub fn read(deployment: Option<Deployment>, file: &PlanFile, problems: &mut Problems) -> Option<Self> {
        let slack: Option<SlackSection> = file.section("slack", problems);
        slack.iter().for_each(|slack| validate(slack, problems));
        let folder = Path::new(file.name()).parent().map(Path::to_owned).unwrap_or_default();
        let settings = Self { deployment: deployment?, slack: slack?, folder };
        redirect_urls(&settings, problems);
        Some(settings)
    }
}

fn validate(section: &SlackSection, problems: &mut Problems) {
    if let Some(id) = &section.app_id {
        app_id(id, section, problems);
    }
    if let Some(id) = &section.client_id {
        client_id(id, problems);
    }
    if section.team_id.as_ref().is_some_and(|id| !is_team_id(id)) {
        let label = "ids of workspaces are `T` and capital letters and digits, as in `T012ABCD0A0`";
        problems.report("slack.team_id", "invalid workspace id", label, None);
    }
    if section.adopt && section.app_id.is_none() {
        let label = "which one? the app's id is missing";
        let help = Some(format!("write `app_id = \"A...\"`, which the app's page at {APPS_PAGE} shows"));
        problems.report("slack.adopt", "no app to adopt", label, help);
    }
    if let Some(name) = &section.name
        && !(1..=LONGEST_NAME).contains(&name.chars().count())
    {
        problems.report("slack.name", "invalid name", "names have 1-35 characters", None);
    }
    if let Some(ranges) = &section.ip_ranges {
        ip_ranges(ranges, problems);
    }
}

/// Ids begin with their kind's letter (<https://docs.slack.dev/reference/methods/apps.manifest.create>).
pub(crate) fn is_app_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    id.starts_with('A') && (2..=32).contains(&id.len()) && id.bytes().all(plain)
}

/// A team's or an organization's (<https://docs.slack.dev/reference/methods/auth.test>).
pub(crate) fn is_team_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    id.starts_with(['T', 'E']) && (2..=32).contains(&id.len()) && id.bytes().all(plain)
}

/// Two numbers with a dot between them.
pub(crate) fn is_client_id(id: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    id.split_once('.').is_some_and(|(one, other)| digits(one) && digits(other))
}

fn app_id(id: &str, section: &SlackSection, problems: &mut Problems) {
    let name = section.name.as_deref().unwrap_or(NAME);
    if id == PENDING {
        let label = "an apply began to make the app, and did not get to know its id";
        let help = format!(
            "look at {APPS_PAGE} for `{name}`: if it is there, write its id (App ID) here; if not, take this line out. Then run \
             apply again"
        );
        return problems.report("slack.app_id", "the app may have been made already", label, Some(help));
    }
    if !is_app_id(id) {
        let label = "ids of apps are `A` and capital letters and digits, as in `A012ABCD0A0`";
        problems.report("slack.app_id", "invalid app id", label, Some(format!("{APPS_PAGE} shows it (App ID)")));
    }
}

fn client_id(id: &str, problems: &mut Problems) {
    if !is_client_id(id) {
        let label = "client ids are two numbers with a dot between them";
        problems.report("slack.client_id", "invalid client id", label, None);
    }
}

/// Redirect URLs are of https (<https://docs.slack.dev/authentication/installing-with-oauth#redirect-urls>), and each has to be
/// on record in the description.
fn redirect_urls(settings: &Settings, problems: &mut Problems) {
    let path = if settings.slack.redirect_urls.is_some() { "slack.redirect_urls" } else { "deployment.host" };
    let urls = settings.redirect_urls();
    if urls.is_empty() {
        let help = Some("without the key it is the server's host".to_owned());
        return problems.report(path, "no redirect URL", "Slack could send nobody back", help);
    }
    if urls.iter().any(|url| !is_redirect_url(url)) {
        let label = "Slack sends people back to https addresses only, without a fragment";
        let help =
            "write the server's public address under [slack], as in `redirect_urls = [\"https://wandb.example.com\"]`";
        return problems.report(path, "invalid redirect URL", label, Some(help.to_owned()));
    }
    let (name, most) = (&settings.deployment.name, tags::most_entries(&settings.deployment.name));
    if urls.len() + settings.ip_ranges().len().min(MOST_RANGES) > most {
        let label = format!(
            "an app's description has room for the record of {most}, with `ip_ranges`, beside the name `{name}`"
        );
        problems.report(path, "too many redirect URLs and IP ranges", &label, None);
    }
}

fn is_redirect_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.has_host() && url.fragment().is_none())
}

/// "IPv4 only", single or in CIDR notation, no "local" addresses
/// (<https://docs.slack.dev/authentication/best-practices-for-security>).
fn ip_ranges(ranges: &[String], problems: &mut Problems) {
    let mut report = |label: &str| problems.report("slack.ip_ranges", "invalid IP ranges", label, None);
    let different: BTreeSet<_> = ranges.iter().collect();
    if different.len() > MOST_RANGES {
        return report("Slack takes at most 10 of them");
    }
    let wrong = ranges.iter().enumerate().find_map(|(index, range)| Some((index + 1, problem_of(range)?)));
    if let Some((number, problem)) = wrong {
        report(&format!("number {number} of the list: {problem}"));
    }
}

fn problem_of(range: &str) -> Option<&'static str> {
    const FORM: &str = "write an address or a range, as in `203.0.113.10` or `203.0.113.0/24`";
    let (address, length) = range.split_once('/').unwrap_or((range, "32"));
    let Ok(address) = address.parse::<Ipv4Addr>() else {
        return Some(if address.contains(':') { "Slack takes IPv4 only" } else { FORM });
    };
    let Some(length) = length.parse::<u32>().ok().filter(|length| (1..=32).contains(length)) else { return Some(FORM) };
    let host_bits = u32::from(address) & !(u32::MAX << (32 - length));
    if host_bits != 0 {
        return Some("the address is not the first one of its range");
    }
    let local = address.is_private() || address.is_loopback() || address.is_link_local() || address.is_unspecified();
    local.then_some("Slack takes no local addresses: write those from which the server reaches the internet")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(host: &str, section: &str) -> Vec<(String, String)> {
        let text = format!("[deployment]\nname = \"wandb-prod\"\nhost = \"{host}\"\n[slack]\n{section}\n");
        let file = PlanFile::parse("x", text, &|_| None).unwrap();
        let mut problems = file.problems();
        let deployment = Deployment::read(&file, &mut problems);
        Settings::read(deployment, &file, &mut problems);
        let found = problems.finish().err().map(|error| error.problems()).unwrap_or_default();
        found.into_iter().map(|problem| (problem.path, problem.message)).collect()
    }

    fn of(section: &str) -> Vec<(String, String)> {
        problems("https://wandb.example.com", section)
    }

    fn one(path: &str, message: &str) -> Vec<(String, String)> {
        vec![(path.to_owned(), message.to_owned())]
    }

    #[test]
    fn empty_section_is_enough_where_the_host_is_of_https() {
        assert_eq!(of(""), []);
        let plain = problems("http://wandb.example.com", "");
        assert_eq!(plain, one("deployment.host", "invalid redirect URL"));
        let other = problems("http://10.0.0.1:8080", "redirect_urls = [\"https://wandb.example.com/x\"]");
        assert_eq!(other, []);
    }

    #[test]
    fn ranges_are_at_most_ten_public_ipv4_ones() {
        let of = |list: &[&str]| of(&format!("ip_ranges = {list:?}"));
        assert_eq!(of(&["203.0.113.10", "198.51.100.0/24"]), []);
        let eleven: Vec<_> = (0..11).map(|last| format!("203.0.113.{last}")).collect();
        let eleven: Vec<_> = eleven.iter().map(String::as_str).collect();
        assert_eq!((of(&eleven[..10]).len(), of(&eleven).len()), (0, 1));
        for wrong in [
            "2001:db8::1",
            "10.0.0.1",
            "192.168.0.0/16",
            "127.0.0.1",
            "0.0.0.0",
            "203.0.113.1/24",
            "203.0.113.0/33",
            "x",
        ] {
            assert_eq!(of(&["203.0.113.10", wrong]), one("slack.ip_ranges", "invalid IP ranges"), "{wrong}");
        }
    }

    #[test]
    fn ids_are_of_their_form_and_one_that_is_pending_says_what_to_do() {
        assert_eq!(of("app_id = \"A012ABCD0A0\"\nclient_id = \"1234.5678\""), []);
        assert_eq!(of("app_id = \"pending\""), one("slack.app_id", "the app may have been made already"));
        assert_eq!(of("app_id = \"B012\""), one("slack.app_id", "invalid app id"));
        assert_eq!(of("client_id = \"1234\""), one("slack.client_id", "invalid client id"));
        assert_eq!(of("adopt = true"), one("slack.adopt", "no app to adopt"));
        assert_eq!(of(&format!("name = \"{}\"", "n".repeat(36))), one("slack.name", "invalid name"));
    }

    #[test]
    fn so_many_redirect_urls_as_can_be_on_record() {
        let urls = |count: usize| {
            let urls: Vec<_> = (0..count).map(|number| format!("https://{number}.example.com")).collect();
            of(&format!("redirect_urls = {urls:?}"))
        };
        let most = tags::most_entries("wandb-prod");
        // The host, and as many ranges as Slack takes.
        assert!(most >= 11, "{most}");
        assert_eq!((urls(most).len(), urls(most + 1).len(), urls(0).len()), (0, 1, 1));
    }
}
