//! The API as its clients ask it, without a network: what was recorded of tenants.

use serde_json::{Value, json};

use super::*;
use crate::clock::Clock;
use crate::identities::Identities;
use crate::layer::FaultLayer;
use crate::sandbox::EmulatorKind;
use crate::state::Store;

const CLIENTS: &str = "/api/v2/clients";

struct Rig {
    auth0: Auth0,
    token: String,
}

impl Rig {
    fn new() -> Self {
        let world = Arc::new(World {
            store: Store::in_memory(),
            faults: Arc::new(FaultLayer::default()),
            clock: Clock::default(),
            identities: Identities::default(),
        });
        seed(&world, "acme.auth0.com", Some(Plan::Enterprise)).unwrap();
        let mut rig = Self { auth0: Auth0::new(world), token: String::new() };
        rig.log_in();
        rig
    }

    fn log_in(&mut self) {
        let (status, answer) = self.token_for(CLIENT_SECRET, "https://acme.auth0.com/api/v2/");
        assert_eq!(status, 200, "{answer}");
        self.token = answer["access_token"].as_str().unwrap().to_owned();
    }

    fn token_for(&self, secret: &str, audience: &str) -> (u16, Value) {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", CLIENT_ID),
            ("client_secret", secret),
            ("audience", audience),
        ];
        let form: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        read(&self.auth0.answer(&Request::post("/oauth/token").body(Bytes::from(form)).unwrap()))
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request =
            Request::builder().method(method).uri(path).header("authorization", format!("Bearer {}", self.token));
        read(&self.auth0.answer(&request.body(body).unwrap()))
    }

    fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    fn create(&self, body: &Value) -> (String, Value) {
        let made = self.ok("POST", CLIENTS, body);
        (format!("{CLIENTS}/{}", made["client_id"].as_str().unwrap()), made)
    }

    /// Status, code and message of a refusal.
    fn refused(&self, method: &str, path: &str, body: &Value) -> (u64, String, String) {
        let (status, answer) = self.call(method, path, body);
        let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
        assert_eq!(answer["statusCode"], json!(status), "{answer}");
        (status.into(), text("errorCode"), text("message"))
    }
}

fn read(answer: &Response<Bytes>) -> (u16, Value) {
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
}

#[test]
fn defaults_differ_by_request() {
    let rig = Rig::new();
    let grants = |made: &Value| made["grant_types"].as_array().unwrap().len();
    let (_, plain) = rig.create(&json!({"name": "a"}));
    assert_eq!((grants(&plain), &plain["oidc_conformant"]), (4, &json!(false)));
    assert_eq!(plain["refresh_token"]["token_lifetime"], 2_592_000);
    assert_eq!((plain["app_type"].clone(), plain["callbacks"].clone()), (Value::Null, Value::Null));
    let (_, page) = rig.create(&json!({"name": "a", "app_type": "spa", "token_endpoint_auth_method": "none"}));
    assert_eq!((grants(&page), &page["oidc_conformant"]), (3, &json!(false)));
    let (_, post) = rig.create(&json!({"name": "a", "token_endpoint_auth_method": "client_secret_post"}));
    assert_eq!(post["refresh_token"]["token_lifetime"], 31_557_600);
    let (_, third) = rig.create(&json!({"name": "a", "app_type": "spa", "is_first_party": false}));
    assert_eq!(
        (&third["oidc_conformant"], &third["refresh_token"]["rotation_type"]),
        (&json!(true), &json!("rotating"))
    );
    let (_, jwt) = rig.create(&json!({"name": "a", "jwt_configuration": {"alg": "RS256"}}));
    assert_eq!(
        jwt["jwt_configuration"],
        json!({"alg": "RS256", "lifetime_in_seconds": 36_000, "secret_encoded": false})
    );
}

#[test]
fn metadata_is_merged_by_key_and_lists_are_replaced() {
    let rig = Rig::new();
    let (place, _) =
        rig.create(&json!({"name": "a", "client_metadata": {"one": "1", "two": "2"}, "callbacks": ["a://b"]}));
    let changes = json!({"client_metadata": {"one": null, "two": "3", "new": "4"}, "callbacks": ["c://d"]});
    let changed = rig.ok("PATCH", &place, &changes);
    assert_eq!(
        (&changed["client_metadata"], &changed["callbacks"]),
        (&json!({"two": "3", "new": "4"}), &json!(["c://d"]))
    );
    let changed = rig.ok("PATCH", &place, &json!({"client_metadata": {"two": null, "new": null}, "callbacks": []}));
    assert_eq!((&changed["client_metadata"], &changed["callbacks"]), (&json!({}), &json!([])));
    rig.ok("PATCH", &place, &json!({"oidc_backchannel_logout": {"backchannel_logout_urls": ["https://a"]}}));
    assert_eq!(
        rig.ok("PATCH", &place, &json!({"oidc_backchannel_logout": null}))["oidc_backchannel_logout"],
        Value::Null
    );
    rig.ok("PATCH", &place, &json!({"initiate_login_uri": "https://a"}));
    assert_eq!(rig.ok("PATCH", &place, &json!({"initiate_login_uri": ""}))["initiate_login_uri"], Value::Null);
}

#[test]
fn what_does_not_fit_is_refused_by_its_name() {
    let rig = Rig::new();
    let (place, made) = rig.create(&json!({"name": "a"}));
    let metadata = |count: usize| -> Value { (0..count).map(|number| (format!("k{number}"), json!("v"))).collect() };
    for (method, path, body, says) in [
        ("POST", CLIENTS, json!({}), "Missing required property: name"),
        ("POST", CLIENTS, json!({"name": "a<b"}), "property name"),
        ("POST", CLIENTS, json!({"name": "a", "client_id": "x"}), "not allowed: client_id"),
        ("POST", CLIENTS, json!({"name": "a", "callbacks": "https://a"}), "Expected type array but found type string"),
        ("POST", CLIENTS, json!({"name": "a", "callbacks": ["a b"]}), "format callback-url: a b"),
        ("POST", CLIENTS, json!({"name": "a", "app_type": "page"}), "No enum match for: page"),
        ("POST", CLIENTS, json!({"name": "a", "jwt_configuration": {"alg": "none"}}), "No enum match for: none"),
        ("POST", CLIENTS, json!({"name": "a", "client_metadata": metadata(11)}), "Too many properties defined (11)"),
        ("POST", CLIENTS, json!({"name": "a", "client_metadata": {"a": "b".repeat(256)}}), "too long"),
        ("POST", CLIENTS, json!({"name": "a", "client_metadata": {"a;b": "c"}}), "a;b"),
        ("POST", CLIENTS, json!({"name": "a", "description": "d".repeat(141)}), "141"),
        ("PATCH", &place, made, "not allowed"),
        ("PATCH", &place, json!({}), "Too few properties"),
        ("PATCH", &place, json!({"callbacks": null}), "found type null"),
    ] {
        let (status, code, message) = rig.refused(method, path, &body);
        assert_eq!((status, code.as_str()), (400, "invalid_body"), "{body}");
        assert!(message.starts_with("Payload validation error") && message.contains(says), "{message}");
    }
    rig.ok("PATCH", &place, &json!({"client_metadata": metadata(10)}));
    assert!(rig.refused("PATCH", &place, &json!({"client_metadata": {"more": "1"}})).2.contains("(11)"));
}

#[test]
fn what_is_gone_is_not_found_and_can_be_deleted_again() {
    let rig = Rig::new();
    let (place, _) = rig.create(&json!({"name": "a"}));
    assert_eq!(rig.call("DELETE", &place, &Value::Null), (204, Value::Null));
    assert_eq!(rig.call("DELETE", &place, &Value::Null), (204, Value::Null));
    let gone = (404, "inexistent_client".to_owned(), "The client does not exist".to_owned());
    assert_eq!(rig.refused("GET", &place, &Value::Null), gone);
    assert_eq!(rig.refused("PATCH", &place, &json!({"name": "b"})), gone);
    let global = rig.ok("GET", "/api/v2/clients?is_global=true", &Value::Null);
    let global = format!("{CLIENTS}/{}", global[0]["client_id"].as_str().unwrap());
    assert_eq!(rig.refused("DELETE", &global, &Value::Null).2, "Global client cannot be deleted.");
}

#[test]
fn lists_come_by_pages_with_the_fields_that_are_asked_for() {
    let rig = Rig::new();
    (0..5).for_each(|number| drop(rig.create(&json!({"name": format!("a{}", number % 2), "app_type": "spa"}))));
    let list = |query: &str| rig.ok("GET", &format!("{CLIENTS}?{query}"), &Value::Null);
    assert_eq!(list("").as_array().unwrap().len(), 6);
    let page = list("include_totals=true&page=1&per_page=2&is_global=false");
    assert_eq!((&page["total"], &page["start"], &page["limit"]), (&json!(5), &json!(2), &json!(2)));
    assert_eq!(page["clients"].as_array().unwrap().len(), 2);
    assert_eq!(list("page=9&per_page=2"), json!([]));
    let first = list("take=4");
    let rest = list(&format!("take=4&from={}", first["next"].as_str().unwrap()));
    assert_eq!((first["clients"].as_array().unwrap().len(), rest["clients"].as_array().unwrap().len()), (4, 2));
    let narrow = &list("fields=name&is_global=false")[0];
    let mut keys: Vec<_> = narrow.as_object().unwrap().keys().cloned().collect();
    keys.sort();
    assert_eq!(keys, ["global", "name", "tenant"]);
    assert_eq!(list("app_type=native,regular_web"), json!([]));
    for (query, says) in [
        ("q=x", "q"),
        ("per_page=101", "greater than maximum 100"),
        ("is_global=1", "boolean"),
        ("take=1&page=1", "take"),
    ] {
        let (status, code, message) = rig.refused("GET", &format!("{CLIENTS}?{query}"), &Value::Null);
        assert_eq!((status, code.as_str()), (400, "invalid_query_string"), "{query}");
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn lists_show_late_what_the_client_itself_shows_at_once() {
    let rig = Rig::new();
    rig.auth0.world.faults.set_propagation("auth0.clients", std::time::Duration::from_secs(3_600));
    let (place, _) = rig.create(&json!({"name": "a"}));
    rig.ok("GET", &place, &Value::Null);
    assert_eq!(rig.ok("GET", "/api/v2/clients?is_global=false", &Value::Null), json!([]));
}

#[test]
fn secrets_are_for_who_makes_the_client_or_has_the_scope() {
    let mut rig = Rig::new();
    let (place, made) = rig.create(&json!({"name": "a"}));
    assert_eq!(made["client_secret"].as_str().unwrap().len(), 64);
    assert_eq!(rig.ok("GET", &place, &Value::Null)["client_secret"], Value::Null);
    rig.auth0.world.identities.attach(EmulatorKind::Auth0, "read:client_keys");
    rig.log_in();
    assert_eq!(rig.ok("GET", &place, &Value::Null)["client_secret"], made["client_secret"]);
}

#[test]
fn who_has_no_token_or_not_its_scope_is_refused() {
    let mut rig = Rig::new();
    let bare = |header: Option<&str>| {
        let request =
            header.iter().fold(Request::get(CLIENTS), |request, value| request.header("authorization", *value));
        read(&rig.auth0.answer(&request.body(Bytes::new()).unwrap()))
    };
    assert_eq!(bare(None).1["message"], "Missing authentication");
    assert_eq!(
        bare(Some("Bearer a.b.c")),
        (401, json!({"statusCode": 401, "error": "Unauthorized", "message": "Invalid token"}))
    );
    let forged = format!("Bearer {}x", rig.token);
    assert_eq!(bare(Some(&forged)).0, 401);
    for (secret, audience, status) in
        [("wrong", "https://acme.auth0.com/api/v2/", 401), (CLIENT_SECRET, "https://other.auth0.com/api/v2/", 403)]
    {
        let (found, answer) = rig.token_for(secret, audience);
        assert_eq!((found, &answer["error"]), (status, &json!("access_denied")), "{answer}");
    }
    rig.auth0.world.identities.attach(EmulatorKind::Auth0, "read:clients");
    rig.log_in();
    let refused = rig.refused("POST", CLIENTS, &json!({"name": "a"}));
    assert_eq!(refused.0, 403);
    assert_eq!(
        (refused.1.as_str(), refused.2.as_str()),
        ("insufficient_scope", "Insufficient scope, expected any of: create:clients")
    );
    let page = Request::get(CLIENTS)
        .header("authorization", format!("Bearer {}", rig.token))
        .header("origin", "https://evil.example");
    assert_eq!(rig.auth0.answer(&page.body(Bytes::new()).unwrap()).status(), 403);
}

#[test]
fn tenants_have_clients_of_their_own_up_to_a_limit() {
    let mut rig = Rig::new();
    seed(&rig.auth0.world, "acme.auth0.com", Some(Plan::Free)).unwrap();
    let later = |rig: &Rig| rig.auth0.world.clock.put_forward(std::time::Duration::from_secs(1));
    for _ in 0..10 {
        rig.create(&json!({"name": "a"}));
        later(&rig);
    }
    assert!(rig.refused("POST", CLIENTS, &json!({"name": "a"})).2.starts_with("You reached the limit of entities"));
    seed(&rig.auth0.world, "other.auth0.com", Some(Plan::Enterprise)).unwrap();
    later(&rig);
    rig.token =
        rig.token_for(CLIENT_SECRET, "https://other.auth0.com/api/v2/").1["access_token"].as_str().unwrap().to_owned();
    assert_eq!(rig.ok("GET", "/api/v2/clients?is_global=false", &Value::Null), json!([]));
    rig.create(&json!({"name": "a", "client_aliases": ["x"]}));
    assert_eq!(rig.refused("POST", CLIENTS, &json!({"name": "b", "client_aliases": ["x"]})).0, 409);
}

#[test]
fn what_is_not_served_and_what_is_too_much_is_said() {
    let rig = Rig::new();
    assert_eq!(rig.refused("POST", "/api/v2/clients/x/rotate-secret", &json!({})).0, 501);
    seed(&rig.auth0.world, "acme.auth0.com", Some(Plan::Free)).unwrap();
    let answers: Vec<_> = (0..3).map(|_| rig.call("GET", CLIENTS, &Value::Null)).collect();
    assert!(answers.iter().any(|(status, answer)| *status == 429 && answer["errorCode"] == "too_many_requests"));
}
