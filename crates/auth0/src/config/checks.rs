//! Reading the `[auth0]` section: what its schema cannot say, all of it at once.

use std::collections::BTreeMap;

use provision_core::deployment::Deployment;
use provision_core::plan_file::{PlanFile, Problems};

use super::{Adopt, Auth0Section, Settings};

/// The most characters of a key or a value of an application's metadata
/// (<https://auth0.com/docs/get-started/applications/configure-application-metadata>).
const LONGEST_METADATA: usize = 255;
/// The most tags that there is room for beside the mark.
const MOST_OF_A_DEPLOYMENT: usize = 4;

impl Settings {
    /// Read and check the `[auth0]` section of this deployment; `None` if there are problems, which are reported.
    pub fn read(deployment: Option<Deployment>, file: &PlanFile, problems: &mut Problems) -> Option<Self> {
        let auth0: Option<Auth0Section> = file.section("auth0", problems);
        auth0.iter().for_each(|auth0| validate(auth0, problems));
        deployment.iter().for_each(|deployment| metadata(&deployment.tags, problems));
        if let (Some(deployment), Some(auth0)) = (&deployment, &auth0) {
            count(&deployment.tags, auth0, problems);
        }
        Some(Self { deployment: deployment?, auth0: auth0? })
    }
}

fn validate(section: &Auth0Section, problems: &mut Problems) {
    domain("auth0.domain", &section.domain, "acme.eu.auth0.com", problems);
    if let Some(login) = &section.login_domain {
        domain("auth0.login_domain", login, "login.example.com", problems);
    }
    if let Some(name) = &section.name {
        application_name(name, problems);
    }
    if let Adopt::ById(id) = &section.adopt {
        client_id(id, problems);
    }
}

/// A name of the DNS, without scheme, port and path: tokens and requests go there.
fn domain(path: &str, domain: &str, example: &str, problems: &mut Problems) {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(plain) && !label.starts_with('-');
    let is_one = |domain: &str| domain.contains('.') && domain.len() <= 253 && domain.split('.').all(label);
    if is_one(domain) {
        return;
    }
    let bare = domain.split("://").last().and_then(|rest| rest.split(['/', ':']).next()).unwrap_or_default();
    let help = Some(bare.to_lowercase()).filter(|bare| is_one(bare)).map(|bare| format!("write `{bare}`"));
    let label = format!("a domain alone, in lower case, as in `{example}`");
    problems.report(path, "invalid domain", &label, help);
}

/// "does not allow < or >" <https://auth0.com/docs/api/management/v2/clients/post-clients>.
fn application_name(name: &str, problems: &mut Problems) {
    if name.trim().is_empty() || name.contains(['<', '>']) || name.contains(char::is_control) {
        problems.report("auth0.name", "invalid application name", "names are one line without `<` and `>`", None);
    }
}

fn client_id(id: &str, problems: &mut Problems) {
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        let label = "`true`, or the client id that the application's settings show";
        problems.report("auth0.adopt", "invalid client id", label, None);
    }
}

/// Tags become metadata: "alphanumeric and may only include the following special characters"
/// <https://auth0.com/docs/api/management/v2/clients/post-clients>.
fn metadata(tags: &BTreeMap<String, String>, problems: &mut Problems) {
    let inside = |letter: char| letter.is_ascii_alphanumeric() || ":,-+=_*?\"/\\()<>@\t ".contains(letter);
    for (key, value) in tags {
        let label = if key.is_empty() || key.chars().count() > LONGEST_METADATA || !key.chars().all(inside) {
            "Auth0's metadata has keys of at most 255 letters, digits, spaces and `:,-+=_*?\"/\\()<>@`"
        } else if value.chars().count() > LONGEST_METADATA {
            "Auth0's metadata has values of at most 255 characters"
        } else {
            continue;
        };
        problems.report(&format!("deployment.tags.{key}"), "invalid metadata", label, None);
    }
}

/// What is on record of five tags takes one more key, so that one that is made has no room for them. How much there is on one that is taken
/// over shows only there.
fn count(tags: &BTreeMap<String, String>, section: &Auth0Section, problems: &mut Problems) {
    if tags.len() > MOST_OF_A_DEPLOYMENT && section.adopt == Adopt::ByName(false) {
        let label = "Auth0's metadata has ten keys, of which provision needs up to six: there is room for four tags";
        problems.report("deployment.tags", "too many tags for Auth0", label, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(auth0: &str, tags: &str) -> (Option<Settings>, Vec<(String, Option<String>)>) {
        let deployment = "[deployment]\nname = \"ab\"\nhost = \"https://a.example\"\n";
        let text = format!("{deployment}{tags}\n[auth0]\n{auth0}\n");
        let file = PlanFile::parse("x", text, &|_| None).unwrap();
        let mut problems = file.problems();
        let deployment = Deployment::read(&file, &mut problems);
        let settings = Settings::read(deployment, &file, &mut problems);
        let found = problems.finish().err().map(|error| error.problems()).unwrap_or_default();
        (settings, found.into_iter().map(|problem| (problem.path, problem.help)).collect())
    }

    #[test]
    fn defaults_come_from_the_deployment_and_the_tenant() {
        let (settings, problems) = read("domain = \"acme.eu.auth0.com\"", "");
        assert_eq!(problems, []);
        let settings = settings.unwrap();
        assert_eq!((settings.application_name(), settings.login_domain()), ("ab", "acme.eu.auth0.com"));
        assert_eq!((settings.auth0.adopt.clone(), settings.callbacks().len()), (Adopt::ByName(false), 1));
        let (settings, _) = read("domain = \"acme.auth0.com\"\noidc = true\nadopt = \"aB3-_\"", "");
        let settings = settings.unwrap();
        assert_eq!(settings.callbacks()["oidc"], "https://a.example/oidc/callback");
        assert_eq!(settings.auth0.adopt, Adopt::ById("aB3-_".to_owned()));
    }

    #[test]
    fn domains_are_bare() {
        for (domain, help) in [
            ("https://acme.auth0.com/", Some("write `acme.auth0.com`")),
            ("Acme.auth0.com", Some("write `acme.auth0.com`")),
            ("acme.auth0.com:443", Some("write `acme.auth0.com`")),
            ("acme", None),
            ("user@acme.auth0.com", None),
            ("acme..auth0.com", None),
            ("", None),
        ] {
            let (_, found) = read(&format!("domain = \"{domain}\""), "");
            assert_eq!(found, [("auth0.domain".to_owned(), help.map(str::to_owned))], "{domain}");
        }
    }

    #[test]
    fn names_ids_and_tags_keep_to_their_rules() {
        let paths = |auth0: &str, tags: &str| -> Vec<_> {
            read(&format!("domain = \"acme.auth0.com\"\n{auth0}"), tags).1.into_iter().map(|(path, _)| path).collect()
        };
        assert_eq!(paths("name = \"W&B (prod)\"", "tags = { \"a b\" = \"c\" }"), [""; 0]);
        assert_eq!(paths("name = \"a<b\"", ""), ["auth0.name"]);
        assert_eq!(paths("adopt = \"../x\"", ""), ["auth0.adopt"]);
        assert_eq!(paths("adopt = 1", ""), ["auth0.adopt"]);
        assert_eq!(paths("", "tags = { \"a;b\" = \"c\" }"), ["deployment.tags.a;b"]);
        assert_eq!(paths("", &format!("tags = {{ a = \"{}\" }}", "b".repeat(256))), ["deployment.tags.a"]);
        let tags = |count| (0..count).map(|number| format!("t{number} = \"x\"")).collect::<Vec<_>>().join(", ");
        assert_eq!(paths("", &format!("tags = {{ {} }}", tags(4))), [""; 0]);
        assert_eq!(paths("", &format!("tags = {{ {} }}", tags(5))), ["deployment.tags"]);
        assert_eq!(paths("adopt = true", &format!("tags = {{ {} }}", tags(5))), [""; 0]);
    }
}
