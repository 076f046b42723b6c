//! An application of others that is taken over, and let go.

use serde_json::{Value, json};

use super::{ADOPTING, FOREIGN, all, apply, ends, foreign, id_of, one, ours, patch, stage, text};

/// The application without what changes by itself.
fn seen(stage: &provision_tests::stage::Stage, id: &str) -> Value {
    let found = stage.send("GET", &format!("/api/v2/clients/{id}"), Value::Null);
    assert_eq!(id_of(&found), id);
    found
}

#[test]
fn adopted_by_its_name_or_its_id_it_gets_ours_beside_theirs_and_loses_them_again() {
    let by_id = |id: &str| ADOPTING.replace("name = \"Login of the team\"\nadopt = true", &format!("adopt = \"{id}\""));
    for by_name in [true, false] {
        let stage = stage();
        let id = foreign(&stage.hand());
        let before = seen(&stage, &id);
        let plan_file = if by_name { ADOPTING.to_owned() } else { by_id(&id) };
        stage.write("provision.toml", &plan_file);
        let planned = text(&ends(&stage, 0, &["auth0", "plan"]));
        assert!(planned.contains("adopt"), "{planned}");
        apply(&stage, &plan_file);
        let adopted = one(&stage);
        let callbacks = json!([before["callbacks"][0], "https://wandb.example.com"]);
        assert_eq!((id_of(&adopted), &adopted["callbacks"]), (id.clone(), &callbacks));
        for kept in ["name", "description", "grant_types", "oidc_conformant", "token_endpoint_auth_method", "app_type"]
        {
            assert_eq!(adopted[kept], before[kept], "{kept}");
        }
        assert_eq!(adopted["client_metadata"]["team"], "theirs");
        ends(&stage, 0, &["auth0", "drift"]);
        ends(&stage, 0, &["auth0", "destroy", "--yes"]);
        assert_eq!(seen(&stage, &id), before);
        ends(&stage, 0, &["auth0", "destroy", "--yes"]);
        assert_eq!(seen(&stage, &id), before);
    }
}

/// Terraform would take them out.
#[test]
fn import_names_the_urls_that_were_there() {
    let stage = stage();
    foreign(&stage.hand());
    apply(&stage, ADOPTING);
    let text = ends(&stage, 0, &["auth0", "output", "--format", "tf-import"]).stdout;
    for list in ["callbacks", "web_origins", "allowed_logout_urls"] {
        let url = format!("theirs.example:8443/{list}/");
        assert!(text.lines().any(|line| line.starts_with("#   ") && line.to_lowercase().contains(&url)), "{text}");
    }
}

#[test]
fn a_url_that_was_there_is_used_and_left() {
    let stage = stage();
    let id = foreign(&stage.hand());
    patch(&stage, &id, json!({"web_origins": ["https://wandb.example.com"]}));
    let before = seen(&stage, &id);
    apply(&stage, ADOPTING);
    ends(&stage, 0, &["auth0", "destroy", "--yes"]);
    assert_eq!(seen(&stage, &id), before);
}

#[test]
fn two_of_the_name_are_refused_until_one_is_named() {
    let stage = stage();
    let (first, second) = (foreign(&stage.hand()), foreign(&stage.hand()));
    stage.write("provision.toml", ADOPTING);
    stage.faults().clear();
    let refused = text(&ends(&stage, 6, &["auth0", "apply", "--yes"]));
    assert!(refused.contains(&first) && refused.contains(&second) && refused.contains("adopt = "), "{refused}");
    assert_eq!(stage.writes(), Vec::<String>::new());
    apply(&stage, &ADOPTING.replace("adopt = true", &format!("adopt = \"{second}\"")));
    assert_eq!(id_of(&one(&stage)), second);
    let other = ADOPTING.replace("adopt = true", &format!("adopt = \"{first}\""));
    stage.write("provision.toml", &other);
    assert!(text(&ends(&stage, 6, &["auth0", "plan"])).contains(&second));
}

#[test]
fn one_of_the_name_that_nobody_marked_is_not_ours() {
    let stage = stage();
    let id = foreign(&stage.hand());
    stage.write("provision.toml", &ADOPTING.replace("adopt = true\n", ""));
    stage.faults().clear();
    let refused = text(&ends(&stage, 6, &["auth0", "apply", "--yes"]));
    assert!(refused.contains("was not made by this deployment"), "{refused}");
    assert!(refused.contains(&format!("adopt = \"{id}\"")), "{refused}");
    ends(&stage, 0, &["auth0", "destroy", "--yes"]);
    assert_eq!(stage.writes(), Vec::<String>::new());
    assert!(ours(&stage.hand()).is_empty() && all(&stage.hand()).len() == 1);
}

#[test]
fn an_id_that_there_is_not_and_an_application_of_another_deployment_are_refused() {
    let stage = stage();
    apply(&stage, super::PLAN_FILE);
    let theirs = id_of(&one(&stage));
    let adopting =
        |id: &str| ADOPTING.replace("wandb-prod", "wandb-test").replace("adopt = true", &format!("adopt = \"{id}\""));
    stage.write("provision.toml", &adopting("nobody"));
    assert!(text(&ends(&stage, 6, &["auth0", "plan"])).contains("no application with the client id `nobody`"));
    ends(&stage, 0, &["auth0", "destroy", "--yes"]);
    stage.write("provision.toml", &adopting(&theirs));
    let refused = text(&ends(&stage, 6, &["auth0", "plan"]));
    assert!(refused.contains("belongs to deployment `wandb-prod`"), "{refused}");
}

#[test]
fn one_that_the_server_cannot_use_is_told_each_time() {
    let stage = stage();
    let id = foreign(&stage.hand());
    patch(&stage, &id, json!({"app_type": "regular_web"}));
    apply(&stage, ADOPTING);
    for command in ["plan", "drift"] {
        let told = text(&ends(&stage, 0, &["auth0", command]));
        assert!(told.contains(FOREIGN) && told.contains("regular_web"), "{told}");
    }
}
