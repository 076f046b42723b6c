//! Which of a tenant's applications is the deployment's: by its mark, and else the one to take over, by id or by its name where no
//! other has it. Names are not unique, so that a name alone proves nothing.

use provision_core::mark::{DEPLOYMENT_KEY, Mark};
use provision_core::refusal::Refusal;
use serde_json::json;

use crate::client::clients::Application;
use crate::config::{Adopt, Settings};
use crate::names::{WEB_ORIGINS, identity};

/// What a look at all of them found.
#[derive(Debug, PartialEq)]
pub(crate) enum Found {
    /// There is none.
    Nothing,
    /// This one; whose it is, its mark has to say.
    One(Box<Application>),
    /// Which one it is, nothing tells.
    Unclear(Refusal),
}

/// The one of this deployment. A destroy does not ask for what was never taken over, or was let go.
pub(crate) fn find(settings: &Settings, all: &[Application], removing: bool) -> Found {
    let marked = marked(settings, all);
    if let Some(nameless) = all.iter().find(|application| marked.is_empty() && is_nameless(settings, application)) {
        return Found::Unclear(self::nameless(settings, nameless));
    }
    match (marked.as_slice(), &settings.auth0.adopt) {
        ([], Adopt::ById(id)) => by_id(settings, all, id, removing),
        ([], Adopt::ByName(adopts)) => by_name(settings, all, *adopts, removing),
        ([one], Adopt::ById(id)) if one.client_id != *id => Found::Unclear(another(settings, one, id)),
        ([one], _) => Found::One(Box::new((*one).clone())),
        (several, _) => Found::Unclear(marked_twice(settings, several)),
    }
}

/// Those that carry the deployment's mark, under its present name or its former one.
pub(crate) fn marked<'a>(settings: &Settings, all: &'a [Application]) -> Vec<&'a Application> {
    let deployment = &settings.deployment;
    let ours = |mark: &Mark| mark.deployment == deployment.name || Some(&mark.deployment) == deployment.was.as_ref();
    all.iter().filter(|application| Mark::from_tags(&application.tags()).as_ref().is_some_and(ours)).collect()
}

/// Whether somebody took the one key out of its metadata that says whose it is, and the others, with its name or its web origin, say that it
/// was this deployment's.
fn is_nameless(settings: &Settings, application: &Application) -> bool {
    let mut tags = application.tags();
    if tags.contains_key(DEPLOYMENT_KEY) || settings.auth0.adopt == Adopt::ById(application.client_id.clone()) {
        return false;
    }
    tags.insert(DEPLOYMENT_KEY.to_owned(), settings.deployment.name.clone());
    let mark = Mark::from_tags(&tags).filter(|mark| mark.is_for(&identity(settings)));
    let host = json!(settings.deployment.host);
    mark.is_some_and(|mark| application.name == settings.application_name() || mark.recorded(WEB_ORIGINS).is(&host))
}

fn nameless(settings: &Settings, found: &Application) -> Refusal {
    let (name, deployment) = (&found.name, &settings.deployment.name);
    Refusal {
        reason: format!(
            "application `{name}` ({}) lost `{DEPLOYMENT_KEY}` from its metadata, which says whose it is; its other tags are provision's",
            found.client_id
        ),
        hint: format!(
            "if it is this deployment's, put `{DEPLOYMENT_KEY}` with the value `{deployment}` back into its metadata (Advanced Settings \
             of the application); if not, take its other `provision-` keys out, or delete it"
        ),
    }
}

fn by_id(settings: &Settings, all: &[Application], id: &str, removing: bool) -> Found {
    let anothers = |found: &Application| {
        Mark::from_tags(&found.tags()).filter(|mark| mark.is_for(&identity(settings))).map(|mark| mark.deployment)
    };
    match all.iter().find(|application| application.client_id == id) {
        Some(found) if !removing && anothers(found).is_some() => {
            Found::Unclear(of_another(found, &anothers(found).unwrap_or_default()))
        }
        Some(found) => Found::One(Box::new(found.clone())),
        None if removing => Found::Nothing,
        None => Found::Unclear(Refusal {
            reason: format!("the tenant has no application with the client id `{id}`"),
            hint: "correct `adopt` under [auth0], or leave it out to have an application made".to_owned(),
        }),
    }
}

/// Those of the name that carry no mark at all: others' deployments may call theirs the same.
fn by_name(settings: &Settings, all: &[Application], adopts: bool, removing: bool) -> Found {
    let name = settings.application_name();
    let unmarked = |application: &&Application| Mark::from_tags(&application.tags()).is_none();
    let named: Vec<_> = all.iter().filter(|application| application.name == name).filter(unmarked).collect();
    match named.as_slice() {
        [] => Found::Nothing,
        [one] if adopts || !removing => Found::One(Box::new((*one).clone())),
        _ if removing => Found::Nothing,
        several => Found::Unclear(Refusal {
            reason: format!("{} applications are called `{name}`: {}", several.len(), ids(several)),
            hint:
                "write the client id of the one to take over, `adopt = \"...\"` under [auth0], or choose another `name`"
                    .to_owned(),
        }),
    }
}

/// The one to take over is another deployment's.
fn of_another(found: &Application, deployment: &str) -> Refusal {
    Refusal {
        reason: format!("application `{}` ({}) belongs to deployment `{deployment}`", found.name, found.client_id),
        hint: format!(
            "write another client id as `adopt` under [auth0], or leave it out to have an application made; if that deployment was \
             renamed, write `was = \"{deployment}\"` under [deployment]"
        ),
    }
}

fn another(settings: &Settings, ours: &Application, wanted: &str) -> Refusal {
    Refusal {
        reason: format!(
            "this deployment's application is `{}` ({}), and the plan file names `{wanted}`",
            ours.name, ours.client_id
        ),
        hint: format!(
            "write `adopt = \"{}\"` under [auth0], or take the other one up in a deployment of its own; `{}` goes with \
             `provision auth0 destroy` of its own plan file",
            ours.client_id, settings.deployment.name
        ),
    }
}

fn marked_twice(settings: &Settings, several: &[&Application]) -> Refusal {
    Refusal {
        reason: format!(
            "{} applications carry the tags of deployment `{}`: {}",
            several.len(),
            settings.deployment.name,
            ids(several)
        ),
        hint: "delete the one that the server does not use, or take the `provision-` keys out of its metadata; then run the \
               same command again"
            .to_owned(),
    }
}

fn ids(applications: &[&Application]) -> String {
    let mut ids: Vec<_> = applications.iter().map(|found| format!("`{}` ({})", found.name, found.client_id)).collect();
    ids.sort();
    ids.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::identity;
    use crate::names::tests::settings_with;
    use provision_core::mark::Origin;
    use serde_json::json;

    fn application(id: &str, name: &str, deployment: Option<&str>) -> Application {
        let mark = deployment.map(|name| Mark::unfinished(name, Origin::Created, &identity(&settings_with(""))));
        let tags = mark.map(|mark| mark.to_tags().into_iter().map(|(key, value)| (key, json!(value))).collect());
        let (client_id, name) = (id.to_owned(), name.to_owned());
        Application { client_id, name, client_metadata: tags, ..Application::default() }
    }

    /// The id of what is found, or why there is none.
    fn found(section: &str, all: &[Application], removing: bool) -> String {
        match find(&settings_with(section), all, removing) {
            Found::Nothing => "nothing".to_owned(),
            Found::One(found) => found.client_id,
            Found::Unclear(refusal) => format!("{}; {}", refusal.reason, refusal.hint),
        }
    }

    #[test]
    fn the_mark_tells_whatever_the_name() {
        let all = [application("a", "renamed", Some("wandb-prod")), application("b", "wandb-prod", None)];
        assert_eq!(found("", &all, false), "a");
        assert_eq!(found("adopt = \"a\"", &all, false), "a");
        let says = found("adopt = \"b\"", &all, false);
        assert!(says.contains("`renamed` (a)") && says.contains("names `b`"), "{says}");
    }

    #[test]
    fn two_marked_ones_are_both_named() {
        let all = [application("b", "x", Some("wandb-prod")), application("a", "y", Some("wandb-prod"))];
        for removing in [false, true] {
            let says = found("", &all, removing);
            assert!(says.contains("`x` (b), `y` (a)"), "{says}");
        }
    }

    #[test]
    fn adopted_is_by_id_or_by_a_name_that_no_other_has() {
        let all = [application("a", "login", None), application("b", "other", None), application("c", "other", None)];
        assert_eq!(found("name = \"login\"\nadopt = true", &all, false), "a");
        assert_eq!(found("adopt = \"c\"", &all, false), "c");
        let says = found("adopt = \"e\"", &[application("e", "theirs", Some("other"))], false);
        assert!(
            says.contains("`theirs` (e) belongs to deployment `other`; write another client id as `adopt`"),
            "{says}"
        );
        let says = found("name = \"other\"\nadopt = true", &all, false);
        assert!(says.contains("2 applications are called `other`: `other` (b), `other` (c)"), "{says}");
        assert!(found("adopt = \"d\"", &all, false).contains("no application with the client id `d`"));
        assert_eq!(found("name = \"new\"\nadopt = true", &all, false), "nothing");
    }

    #[test]
    fn others_of_the_name_are_no_affair_of_a_destroy_nor_of_a_creation_if_they_are_marked() {
        let all = [application("a", "wandb-prod", None), application("b", "wandb-prod", None)];
        assert_eq!(found("", &all, true), "nothing");
        assert_eq!(found("", &all[..1], true), "nothing");
        assert_eq!(found("adopt = true", &all, true), "nothing");
        assert_eq!(found("adopt = \"d\"", &all, true), "nothing");
        assert_eq!(found("", &all[..1], false), "a");
        assert_eq!(found("", &[application("c", "wandb-prod", Some("other"))], false), "nothing");
    }

    #[test]
    fn a_former_name_counts() {
        let mut settings = settings_with("");
        settings.deployment.was = Some("wandb-old".to_owned());
        let all = [application("a", "x", Some("wandb-old"))];
        assert_eq!(find(&settings, &all, false), Found::One(Box::new(all[0].clone())));
    }
}
