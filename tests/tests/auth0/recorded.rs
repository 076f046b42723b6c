//! What a tenant was recorded to answer: asked of the sandbox, and given to the binary ([`Replay`]).
//!
//! `recorded.json` has the facts of the recordings of Auth0's Terraform provider
//! (<https://github.com/auth0/terraform-provider-auth0/tree/main/test/data/recordings>) in their order, with names, ids and hosts of
//! our own. Clients are numbered as they are made. What each answer says of one is told by what differs from `plain`, the client that
//! is made of a name alone; `null` is a field that it has not, and `(hidden)` one whose value was not recorded.

use std::collections::{BTreeMap, BTreeSet};

use provision_sandbox::auth0::Plan;
use provision_tests::run::Ran;
use provision_tests::stage::Stage;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::replay::{Replay, Tenant};
use super::{PLAN_FILE, changed, id_of, planned, stage, text};

pub(super) type Client = Map<String, Value>;

#[derive(Debug, Deserialize)]
pub(super) struct Recorded {
    plain: Client,
    exchanges: Vec<Exchange>,
    pub(super) refusals: Vec<Value>,
}

/// A request and what was answered.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    /// The number of the client that it is about.
    client: Option<usize>,
    send: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    body: Value,
    status: u16,
    /// A whole client, `as before`, or nothing.
    #[serde(default)]
    answer: Value,
    /// A client of which some fields were asked for.
    narrow: Option<Client>,
    /// What is around the clients of a list, and the first few of them.
    page: Option<Client>,
    #[serde(default)]
    shows: Vec<Client>,
}

/// Fields that are not compared, of one client or of all, and why.
const LEFT_OUT: &[(&str, Option<usize>, &str)] = &[
    ("client_id", None, "it is compared by itself"),
    ("tenant", None, "the recorder writes what its own type has, and that has it not; the API description does"),
    ("global", None, "the same"),
    ("length", None, "the recorder's type of a page has it; the API description does not"),
    ("next", None, "the same: it is of lists by `take`"),
    ("total", None, "the recorded tenant had clients of others; what a filter takes away is compared"),
    ("clients", None, "the same; those that the requests made are compared each"),
    ("cross_origin_authentication", Some(11), "recorded without it; all others of its kind have it"),
];

/// What a value that was not recorded stands for.
const HIDDEN: &str = "(hidden)";

impl Recorded {
    pub(super) fn read() -> Self {
        serde_json::from_str(include_str!("recorded.json")).unwrap()
    }

    /// A client that differs so from the plain one.
    pub(super) fn client(&self, differences: &Client) -> Client {
        let mut client = self.plain.clone();
        client.extend(differences.clone());
        client.retain(|_, value| !value.is_null());
        client
    }

    /// What is around the clients of a list.
    pub(super) fn page(&self) -> Client {
        self.exchanges.iter().find_map(|exchange| exchange.page.clone()).unwrap()
    }

    /// Clients of others, as lists showed them.
    pub(super) fn others(&self) -> Vec<Client> {
        self.exchanges.iter().flat_map(|exchange| &exchange.shows).map(|shown| self.client(shown)).collect()
    }

    /// The refusal with this code.
    pub(super) fn refusal(&self, code: &str) -> Value {
        self.refusals.iter().find(|refusal| refusal["errorCode"] == code).unwrap().clone()
    }
}

/// What the sandbox was asked so far.
struct Asked<'a> {
    recorded: &'a Recorded,
    /// The sandbox's id of each client, and how it was recorded last.
    ids: BTreeMap<usize, String>,
    last: BTreeMap<usize, Client>,
    /// By query, as recorded and as answered.
    totals: BTreeMap<&'a str, [i64; 2]>,
    differences: Vec<String>,
}

impl<'a> Asked<'a> {
    fn place(&self, exchange: &Exchange) -> String {
        let known = exchange.client.and_then(|client| self.ids.get(&client));
        let id = known.map(|id| format!("/{id}")).unwrap_or_default();
        format!("/api/v2/clients{id}{}", exchange.query)
    }

    fn check(&mut self, exchange: &'a Exchange, status: u16, answer: &Value) {
        if status != exchange.status {
            self.differences.push(format!("{exchange:?} is answered {status}: {answer}"));
            return;
        }
        if let (Some(page), Value::Object(answered)) = (&exchange.page, answer) {
            self.compare("a page", None, page, answered);
            self.check_page(exchange, page, answered);
        }
        let (Some(number), Value::Object(answered)) = (exchange.client, answer) else { return };
        let what = format!("{} {number}", exchange.send);
        match (&exchange.narrow, &exchange.answer) {
            (Some(narrow), _) => return self.compare(&(what + ", narrow"), Some(number), narrow, answered),
            (None, Value::Object(differences)) => {
                self.last.insert(number, self.recorded.client(differences));
            }
            (None, _) => {}
        }
        if exchange.send == "POST" {
            self.ids.insert(number, id_of(answer));
        }
        assert_eq!(id_of(answer), self.ids[&number], "{what}");
        let expected = self.last[&number].clone();
        self.compare(&what, Some(number), &expected, answered);
    }

    /// Of a list: what of ours is in it, and how each is shown.
    fn check_page(&mut self, exchange: &'a Exchange, page: &Client, answered: &Client) {
        let total = |page: &Client| page["total"].as_i64().unwrap();
        self.totals.insert(&exchange.query, [total(page), total(answered)]);
        for shown in answered["clients"].as_array().unwrap() {
            let number = self.ids.iter().find(|(_, id)| shown["client_id"] == **id).map(|(number, _)| *number);
            let Some(number) = number else { continue };
            let expected = self.last[&number].clone();
            self.compare(&format!("{} in a list", number), Some(number), &expected, shown.as_object().unwrap());
        }
    }

    /// Each field is there or not, and has the same value.
    fn compare(&mut self, what: &str, number: Option<usize>, recorded: &Client, answered: &Client) {
        let names: BTreeSet<_> = recorded.keys().chain(answered.keys()).collect();
        for name in names {
            let is_left_out =
                |(field, of, _): &(&str, Option<usize>, &str)| field == name && (of.is_none() || *of == number);
            if LEFT_OUT.iter().any(is_left_out) || is_alike(name, recorded.get(name), answered.get(name)) {
                continue;
            }
            let (recorded, answered) = (recorded.get(name), answered.get(name));
            self.differences.push(format!("{what}: `{name}` was recorded {recorded:?}, and is answered {answered:?}"));
        }
    }
}

fn is_alike(name: &str, recorded: Option<&Value>, answered: Option<&Value>) -> bool {
    match (recorded, answered) {
        // A narrow answer is compared without what the recorder hides in every one.
        (None, Some(value)) if name == "signing_keys" => value.is_array(),
        (Some(hidden), Some(value)) if hidden == HIDDEN && name == "client_secret" => value.is_string(),
        (Some(hidden), Some(value)) if hidden == HIDDEN => value[0]["cert"].is_string(),
        (recorded, answered) => recorded == answered,
    }
}

/// Every request that was recorded, in its order.
#[test]
fn sandbox_answers_as_a_tenant_was_recorded_to() {
    let stage = stage();
    stage.sandbox().seed_auth0("acme.eu.auth0.com", Some(Plan::Enterprise)).unwrap();
    // Whoever recorded it was shown secrets.
    let scopes = "read:clients create:clients update:clients delete:clients read:client_keys";
    stage.sandbox().attach(scopes).unwrap();
    let (recorded, hand) = (Recorded::read(), stage.hand());
    let (ids, last, totals, differences) = Default::default();
    let mut asked = Asked { recorded: &recorded, ids, last, totals, differences };
    assert_eq!(recorded.exchanges.len(), 65);
    for exchange in &recorded.exchanges {
        let (status, answer) = hand.ask(&exchange.send, &asked.place(exchange), &exchange.body);
        asked.check(exchange, status, &answer);
    }
    assert!(asked.differences.is_empty(), "{:#?}", asked.differences);
    // What is not first-party was one then too.
    let taken_away = |side: usize| {
        let total = |query: &str| asked.totals[format!("?{query}&page=0&per_page=100").as_str()][side];
        total("include_totals=true") - total("include_totals=true&is_first_party=true")
    };
    assert_eq!((taken_away(0), taken_away(1)), (1, 1));
}

/// Run the binary on what was recorded.
fn run(stage: &Stage, tenant: &Replay, arguments: &[&str]) -> Ran {
    stage.run_with(arguments, |command| {
        command.env("PROVISION_AUTH0_ENDPOINT", tenant.url());
    })
}

/// The same, which must end so; gives all that it printed.
fn ends(stage: &Stage, tenant: &Replay, code: i32, arguments: &[&str]) -> String {
    let ran = run(stage, tenant, arguments);
    assert_eq!(ran.code, code, "{arguments:?}: {}", text(&ran));
    text(&ran)
}

/// A tenant with so many applications of others, as they were recorded.
fn tenant_with(others: usize) -> Replay {
    let recorded = Recorded::read();
    let clients = recorded.others().into_iter().cycle().take(others).enumerate().map(|(number, mut client)| {
        client.insert("client_id".to_owned(), json!(format!("otherApplication{number:04}")));
        client
    });
    Replay::start(Tenant::new(clients.collect()))
}

#[test]
fn binary_makes_finds_changes_and_deletes_an_application_among_what_was_recorded() {
    let (stage, tenant) = (planned(), tenant_with(100));
    let first = ends(&stage, &tenant, 2, &["auth0", "plan", "--detailed-exitcode"]);
    assert!(first.contains("AUTH0_CLIENT_ID") && first.contains("known once it is made"), "{first}");
    let applied = ends(&stage, &tenant, 0, &["auth0", "apply", "--yes"]);
    assert_eq!(tenant.ours().len(), 1, "{applied}");
    let login = tenant.asked().into_iter().find(|asked| asked.starts_with("POST /oauth/token")).unwrap();
    for field in
        ["grant_type=client_credentials", "client_secret=", "audience=https%3A%2F%2Facme.eu.auth0.com%2Fapi%2Fv2%2F"]
    {
        assert!(login.contains(field), "{login}");
    }
    // It is on the second page.
    assert!(tenant.asked().iter().any(|asked| asked.contains("page=1&per_page=100")));
    let id = id_of(&tenant.ours()[0]);
    assert!(applied.contains(&format!("AUTH0_CLIENT_ID={id}")), "{applied}");
    ends(&stage, &tenant, 0, &["auth0", "drift"]);
    tenant.change(|client| drop(client.insert("grant_types".to_owned(), json!(["implicit"]))));
    assert!(ends(&stage, &tenant, 2, &["auth0", "drift"]).contains("grant_types"));
    ends(&stage, &tenant, 0, &["auth0", "apply", "--yes"]);
    ends(&stage, &tenant, 0, &["auth0", "drift"]);
    ends(&stage, &tenant, 0, &["auth0", "destroy", "--yes"]);
    assert_eq!((tenant.ours().len(), tenant.count()), (0, 100));
}

/// Another hand deletes it in the middle of a run: a look finds that it is gone, and deleting it is answered as ever.
#[test]
fn what_is_gone_by_the_time_is_no_failure_to_delete_and_none_to_change() {
    for (command, request, code) in [("destroy", "DELETE", 0), ("destroy", "GET", 0), ("apply", "PATCH", 1)] {
        let (stage, tenant) = (planned(), tenant_with(1));
        ends(&stage, &tenant, 0, &["auth0", "apply", "--yes"]);
        stage.write("provision.toml", &changed(PLAN_FILE));
        tenant.goes_before(request);
        let says = ends(&stage, &tenant, code, &["auth0", command, "--yes"]);
        assert!(
            code == 0 || says.contains("404 inexistent_client") && says.contains("The client does not exist"),
            "{says}"
        );
        assert!(tenant.ours().is_empty(), "{command} {request}: {says}");
    }
}

/// Each in the service's own words, with its status and code, and sent once.
#[test]
fn every_refusal_that_was_recorded_is_shown_in_its_own_words() {
    let stage = planned();
    for refusal in Recorded::read().refusals {
        let tenant = tenant_with(1);
        tenant.refuses("POST", &refusal);
        let says = ends(&stage, &tenant, 1, &["auth0", "apply", "--yes"]);
        let code = refusal["errorCode"].as_str().map(|code| format!(" {code}")).unwrap_or_default();
        let said = says.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [refusal["message"].as_str().unwrap(), &format!("clients.create: {}{code}", refusal["statusCode"])]
        {
            assert!(said.contains(part), "{part}: {says}");
        }
        let sent = tenant.asked().iter().filter(|asked| asked.starts_with("POST /api/v2/clients")).count();
        assert_eq!(sent, 1, "{refusal}");
    }
}

/// Names, addresses, metadata and messages may hold what a terminal would obey.
#[test]
fn what_the_service_returns_is_shown_escaped() {
    const BAD: &str = "a\r\u{1b}[2Jb\u{202e}";
    let (stage, tenant) = (planned(), tenant_with(1));
    ends(&stage, &tenant, 0, &["auth0", "apply", "--yes"]);
    tenant.change(|client| {
        for (field, value) in [("name", json!(BAD)), ("app_type", json!(BAD)), ("grant_types", json!([BAD]))] {
            client.insert(field.to_owned(), value);
        }
        for list in ["callbacks", "web_origins", "allowed_logout_urls"] {
            client.insert(list.to_owned(), json!([format!("https://{BAD}")]));
        }
        client["client_metadata"][BAD] = json!(BAD);
    });
    let clean = |arguments: &[&str]| {
        let says = text(&run(&stage, &tenant, arguments));
        let raw = says.chars().find(|letter| *letter != '\n' && (letter.is_control() || *letter == '\u{202e}'));
        assert_eq!(raw, None, "{arguments:?}: {says:?}");
    };
    let all: [&[&str]; 8] = [
        &["auth0", "plan"],
        &["auth0", "plan", "--format", "markdown"],
        &["auth0", "drift"],
        &["auth0", "drift", "--format", "markdown"],
        &["auth0", "drift", "--format", "junit"],
        &["auth0", "drift", "--format", "sarif"],
        &["auth0", "output"],
        &["auth0", "plan", "--destroy"],
    ];
    all.iter().for_each(|arguments| clean(arguments));
    let mut refusal = Recorded::read().refusal("invalid_body");
    refusal["message"] = json!(BAD);
    refusal["errorCode"] = json!(BAD);
    tenant.refuses("PATCH", &refusal);
    clean(&["auth0", "apply", "--yes"]);
    tenant.change(|client| drop(client.insert("client_id".to_owned(), json!(BAD))));
    clean(&["auth0", "output"]);
    clean(&["auth0", "drift"]);
}
