//! Services that answer anything but what they should, from some request on or to one operation: garbage, large bodies, redirects,
//! nothing at all.
//!
//! The deployment is there when they begin, with data in it, others' things beside it, and a neighbour of an alike name. A call
//! may have had its effect all the same.

use std::time::Duration;

use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::run::{Ran, finished};
use provision_tests::stage::Stage;

use super::{Random, ended_well, sample, try_each};
use crate::clouds::{AWS, AZURE, CloudFixture, GCP};
use crate::sweep::World as _;
use crate::sweep::clouds::{ADOPT, Original, Prepared, Scenario};

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> What {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    What::Answer { status, headers, body: body.to_owned() }
}

/// What every request is answered with.
fn answers() -> Vec<(&'static str, What)> {
    const HTML: (&str, &str) = ("content-type", "text/html");
    const JSON: (&str, &str) = ("content-type", "application/json");
    let deep = "[".repeat(100_000);
    let large = format!("{{\"value\": \"{}\"}}", "x".repeat(40 << 20));
    let obeyed = "{\"error\": {\"code\": \"Gone\", \"message\": \"\\u001b]0;title\\u0007\\u001b[2J\u{9b}2J\u{202e}\\nhint: run rm\"}}";
    let names: Vec<String> = (0..5_000).map(|number| format!("x-{number}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "more")).collect();
    let obeyed_xml = "<Error><Code>Gone\u{9b}2J</Code><Message>\u{202e}a&#10;hint: b</Message></Error>";
    vec![
        ("page", answer(200, &[HTML], "<html><body>Sign in</body></html>")),
        ("nothing", answer(200, &[], "")),
        ("bytes", answer(200, &[], "\u{0}\u{1}\u{fffd}binary")),
        ("object", answer(200, &[JSON], "{}")),
        ("null", answer(200, &[JSON], "null")),
        ("array", answer(200, &[JSON], "[]")),
        ("text", answer(200, &[JSON], "\"text\"")),
        ("number", answer(200, &[JSON], "1e400")),
        ("deep", answer(200, &[JSON], &deep)),
        ("half", What::Truncate),
        ("large", answer(200, &[JSON], &large)),
        ("obeyed", answer(403, &[JSON], obeyed)),
        ("obeyed xml", answer(403, &[("content-type", "application/xml")], obeyed_xml)),
        ("redirect to itself", answer(307, &[("location", "/")], "")),
        ("redirect elsewhere", answer(302, &[("location", "http://127.0.0.1:1/")], "")),
        ("redirect without a place", answer(301, &[], "")),
        ("no content", answer(204, &[], "")),
        ("odd status", answer(299, &[], "<ok/>")),
        ("teapot", answer(418, &[], "short and stout")),
        ("bad gateway", answer(502, &[HTML], "<html>502</html>")),
        ("never", What::Delay(Duration::from_secs(600))),
        ("throttled for a day", answer(429, &[("retry-after", "86400")], "")),
        ("throttled for ever", answer(503, &[("retry-after", "18446744073709551615")], "")),
        ("throttled for less than no time", answer(503, &[("retry-after", "-5")], "")),
        ("throttled in words", answer(429, &[("retry-after", "soon")], "")),
        ("no access", answer(403, &[], "")),
        ("dropped", What::Drop),
        ("many headers", answer(200, &many, "")),
        ("large header", answer(200, &[("x-large", &"x".repeat(1 << 20))], "")),
    ]
}

/// Ours, with an object in it, entries of others and a neighbour.
static LIVED_IN: Scenario = Scenario {
    prepare: |cloud, stage| {
        neighbour(cloud, stage);
        cloud.apply(stage);
        (cloud.foreign.put)(&stage.hand());
        // Others may have changed what is ours.
        cloud.apply(stage);
        (cloud.upload)(&stage.hand(), "file");
    },
    arguments: &["plan"],
    with_others: true,
    leaves: |cloud| cloud.applied,
    every_way: false,
    only_looks: true,
};

static DRIFT: Scenario = Scenario { arguments: &["drift"], ..LIVED_IN };
static REPORT: Scenario = Scenario { arguments: &["drift", "--format", "junit"], ..LIVED_IN };
static REFUSED: Scenario = Scenario { arguments: &["destroy", "--yes"], only_looks: false, ..LIVED_IN };

/// The same, changed by somebody and in the plan file.
static UPDATED: Scenario = Scenario {
    prepare: |cloud, stage| {
        (LIVED_IN.prepare)(cloud, stage);
        (cloud.edits.both.0.make)(&stage.hand());
        cloud.change(stage, &[("wandb.example.com", "moved.example.com")]);
    },
    arguments: &["apply", "--yes"],
    only_looks: false,
    ..LIVED_IN
};

/// Ours, with whatever it may hold, and a neighbour.
static FULL: Scenario = Scenario {
    prepare: |cloud, stage| {
        neighbour(cloud, stage);
        cloud.apply(stage);
        (cloud.fill)(&stage.hand());
    },
    arguments: &["destroy", "--yes", "--delete-data", "{bucket}"],
    with_others: false,
    only_looks: false,
    ..LIVED_IN
};

/// A neighbour alone.
static EMPTY: Scenario = Scenario { prepare: neighbour, arguments: &["apply", "--yes"], ..FULL };

/// Others', to be taken over, and a neighbour.
static TAKING_OVER: Scenario = Scenario {
    prepare: |cloud, stage| {
        neighbour(cloud, stage);
        (ADOPT.prepare)(cloud, stage);
    },
    with_others: true,
    ..EMPTY
};

/// The same, taken over, to be released.
static TAKEN_OVER: Scenario = Scenario {
    prepare: |cloud, stage| {
        (TAKING_OVER.prepare)(cloud, stage);
        cloud.apply(stage);
    },
    arguments: &["destroy", "--yes"],
    ..TAKING_OVER
};

/// Each world, and what is run in it.
static WORLDS: [&[&Scenario]; 6] =
    [&[&LIVED_IN, &DRIFT, &REPORT, &REFUSED], &[&UPDATED], &[&FULL], &[&EMPTY], &[&TAKING_OVER], &[&TAKEN_OVER]];

fn neighbour(cloud: &CloudFixture, stage: &Stage) {
    stage.write("neighbour.toml", &cloud.plan_with(cloud.plans.alike));
    cloud.succeed(stage, &["apply", "neighbour.toml", "--yes"]);
}

/// The time limit of a run, and how long it may take after it.
const LIMIT: (&str, Duration) = ("4", Duration::from_secs(4 + 10 + 5));

/// A command, and what comes of it where the service answers as it should.
struct Target {
    cloud: &'static CloudFixture,
    scenario: &'static Scenario,
    original: &'static Original,
    requests: Vec<String>,
    code: i32,
    ours: Vec<String>,
}

impl Target {
    fn all(cloud: &'static CloudFixture) -> Vec<Self> {
        let of_world = |scenarios: &&'static [&'static Scenario]| {
            let original: &'static Original = Box::leak(Box::new(Original::make(cloud, scenarios[0])));
            scenarios.iter().map(move |scenario| Self::measured(cloud, scenario, original))
        };
        WORLDS.iter().flat_map(of_world).collect()
    }

    fn measured(cloud: &'static CloudFixture, scenario: &'static Scenario, original: &'static Original) -> Self {
        let world = Prepared::of(cloud, scenario, original);
        world.layer().clear();
        let ran = finished(world.start());
        assert!([0, 6].contains(&ran.code), "{}{}", ran.stdout, ran.stderr);
        let requests = world.layer().records().into_iter().map(|record| record.operation).collect();
        Self { cloud, scenario, original, requests, code: ran.code, ours: (cloud.ours)(&world.stage.hand()) }
    }

    /// Let the service be hostile: the command ends in time with a documented code, writes nothing if it only
    /// looks, and loses nothing of others'; and the same command does its work when the service is itself again.
    fn attack(&self, name: &str, fault: Fault) -> Result<(), String> {
        let world = Prepared::of(self.cloud, self.scenario, self.original);
        world.layer().clear();
        let begun = format!("{} {:?}, answered {:?}", self.cloud.name, self.scenario.arguments, fault.at);
        let begun = format!("{begun} by {name}, {} {:?} of {}", fault.operation, fault.nth, self.requests.len());
        world.layer().fault(fault);
        let ran = finished(world.start_with(&["--timeout", LIMIT.0]));
        let said = format!("{begun}: exit {} after {:?}\n{}{}", ran.code, ran.elapsed, ran.stdout, ran.stderr);
        ended_well(&ran, &[0, 1, 3, 4, 5, 6], &begun)?;
        let right = |is: bool, what: &str| if is { Ok(()) } else { Err(format!("{what}: {said}")) };
        right(ran.elapsed < LIMIT.1, "too late")?;
        right(!self.scenario.only_looks || world.layer().writes().is_empty(), "it wrote")?;
        world.layer().clear();
        world.keeps_others(&said)?;
        right(ran.code != 0 || self.is_as_it_should_be(&world), "this is not done")?;
        let again = finished(world.start());
        let told = |ran: &Ran| format!("the next run, exit {}: {}{}\nafter", ran.code, ran.stdout, ran.stderr);
        right(again.code == self.code, &told(&again))?;
        right(self.is_as_it_should_be(&world), "not as it should be")?;
        world.keeps_others(&said)?;
        right(self.data_is_there(&world), "the data is gone")?;
        world.stage.write("neighbour.toml", &self.cloud.plan_with(self.cloud.plans.alike));
        let drift = self.cloud.run(&world.stage, &["drift", "neighbour.toml"]);
        right(drift.code == 0, &format!("the neighbour: {}", told(&drift)))
    }

    fn is_as_it_should_be(&self, world: &Prepared) -> bool {
        (self.cloud.ours)(&world.stage.hand()) == self.ours
    }

    /// Whether a destroy is refused for the object that was put there, if one was.
    fn data_is_there(&self, world: &Prepared) -> bool {
        let put = std::ptr::eq(self.scenario, &raw const UPDATED) || self.code == 6;
        !put || self.cloud.run(&world.stage, &["destroy", "--yes"]).stderr.contains("1 object or version")
    }
}

/// Every answer to every command: to one of its operations, or from some request on; often the first.
fn answered_by_anything(cloud: &'static CloudFixture) {
    let targets = Target::all(cloud);
    let answers = answers();
    let all: Vec<_> = (0..answers.len() * targets.len()).collect();
    try_each(&format!("{}: hostile answers", cloud.name), &sample(&all, 17), |number| {
        let mut random = Random(*number as u64);
        let target = &targets[number % targets.len()];
        let (name, what) = &answers[number / targets.len()];
        let operation = random.pick(&target.requests).clone();
        let (operation, nth) = match random.below(6) {
            0 => ("*".to_owned(), Nth::Every),
            1 | 2 => ("*".to_owned(), Nth::From { from: 1 + random.below(target.requests.len()) }),
            _ => (operation, Nth::Every),
        };
        let at = *random.pick(&[When::Before, When::After]);
        target.attack(name, Fault { operation, nth, at, what: what.clone() })
    });
}

#[test]
fn answers_of_any_kind_on_aws() {
    answered_by_anything(&AWS);
}

#[test]
fn answers_of_any_kind_on_gcp() {
    answered_by_anything(&GCP);
}

#[test]
fn answers_of_any_kind_on_azure() {
    answered_by_anything(&AZURE);
}
