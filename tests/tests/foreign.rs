//! Entries of others of any kind, in every document that ours share with them: equal to ours, nearly ours by name or id, in
//! ours' way, about everybody, or so many that ours just fit or do not. They are put there at random before the deployment
//! takes over, or after it made its own, while it is updated, and looked at as the service gives them after each command.
//!
//! After an apply they stand there in their order, to the byte; after the release the document is what it was. Where ours have
//! no place the command refuses before it writes. `PROVISION_FOREIGN` says how many cases are made on each cloud,
//! `PROVISION_FOREIGN_SEED` which one alone.

mod aws;
mod azure;
mod gcp;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use provision_tests::stage::{Hand, Stage};
use serde_json::Value;

use crate::clouds::{CloudFixture, wrote_nothing};

/// How many cases are made on each cloud.
const CASES: u64 = 3;

/// A cloud's documents.
struct Shared {
    cloud: &'static CloudFixture,
    documents: &'static [Document],
    /// Lets bucket and queue of others work together before ours come.
    prepare: fn(&Hand),
    /// The entries of all documents by their names, as the service gives them, in its order.
    read: fn(&Hand) -> Value,
    /// Writes the entries of one, if the service takes them.
    write: fn(&Hand, &str, &[Value]),
}

/// A document that others have a part in.
struct Document {
    name: &'static str,
    /// An entry of others, made after one of ours; that is null where there is none, and for what has nothing to do with it.
    foreign: fn(&Value, Kind, usize) -> Option<Value>,
    /// What no two entries have in common.
    unique: fn(&Value) -> Value,
    /// What the service takes.
    room: Option<Room>,
    /// What leaves ours no place.
    refused: &'static [Kind],
    /// Whether it stays when everything that we made is gone.
    outlives: bool,
}

/// How large a document may be.
struct Room {
    most: usize,
    /// Whether all of it is read, so that a plan can tell.
    read: bool,
    size: fn(&[Value]) -> usize,
}

/// What an entry is to ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// As ours, without a name of ours.
    Equal,
    /// Its name or key begins as ours does.
    Near,
    /// About the same origin, principal or objects.
    Overlap,
    /// About everybody, or everything.
    Wildcard,
    /// About something else.
    Other,
}

/// An entry that somebody puts into a document.
#[derive(Clone, Debug)]
struct Put {
    document: usize,
    kind: Kind,
    number: usize,
    /// Whether it is made after what ours will be once the plan file has changed.
    updated: bool,
    /// Whether it goes before all others.
    first: bool,
}

/// Some entries that come, and then an apply with some settings, or with those that [`CloudFixture::update`] has.
#[derive(Clone, Debug)]
struct Update {
    puts: Vec<Put>,
    settings: Option<Vec<usize>>,
}

#[derive(Clone, Debug)]
struct Case {
    /// Whether bucket and queue are taken over, or made.
    adopting: bool,
    prepared: bool,
    puts: Vec<Put>,
    /// A document that is filled, and whether ours still fit.
    filled: Option<(usize, bool)>,
    updates: Vec<Update>,
}

fn put(documents: usize) -> impl Strategy<Value = Put> {
    let kind = prop::sample::select(vec![Kind::Equal, Kind::Near, Kind::Overlap, Kind::Wildcard, Kind::Other]);
    (0..documents, kind, 0..9_usize, any::<bool>(), any::<bool>())
        .prop_map(|(document, kind, number, updated, first)| Put { document, kind, number, updated, first })
}

fn case(shared: &Shared) -> impl Strategy<Value = Case> + use<> {
    let (documents, settings) = (shared.documents.len(), shared.cloud.plans.settings.len());
    let settings = prop::option::of(prop::sample::subsequence((0..settings).collect::<Vec<_>>(), 1..3));
    let update = (prop::collection::vec(put(documents), 0..5), settings);
    let update = update.prop_map(|(puts, settings)| Update { puts, settings });
    let puts = prop::collection::vec(put(documents), 2..10);
    let filled = prop::option::weighted(0.4, (0..documents, any::<bool>()));
    (prop::bool::weighted(0.75), any::<bool>(), puts, filled, prop::collection::vec(update, 1..3))
        .prop_map(|(adopting, prepared, puts, filled, updates)| Case { adopting, prepared, puts, filled, updates })
}

type Entries = BTreeMap<&'static str, Vec<Value>>;

impl Shared {
    fn read(&self, hand: &Hand) -> Entries {
        let mut found = (self.read)(hand);
        let entries = |document: &Document| {
            let Value::Array(list) = found[document.name].take() else { panic!("{} cannot be read", document.name) };
            (document.name, list)
        };
        self.documents.iter().map(entries).collect()
    }

    /// What ours are after the first apply, and after one with [`CloudFixture::update`].
    fn moulds(&self) -> [Entries; 2] {
        let stage = self.cloud.planned();
        let hand = stage.hand();
        (self.cloud.foreign.unmarked)(&hand);
        let before = self.read(&hand);
        [&[], self.cloud.plans.update].map(|update| {
            self.cloud.change(&stage, &[self.cloud.plans.adopting, update].concat());
            self.cloud.apply(&stage);
            let ours = |(name, list): (&'static str, Vec<Value>)| {
                let ours = without(&list, &before[name]).into_iter().filter(|entry| !is_frame(entry));
                (name, ours.collect())
            };
            self.read(&hand).into_iter().map(ours).collect()
        })
    }
}

/// What frames the entries of a document is everybody's.
fn is_frame(entry: &Value) -> bool {
    entry.get("frame").is_some()
}

/// The entries of a list that are not in another one.
fn without(list: &[Value], others: &[Value]) -> Vec<Value> {
    let mut others: Vec<_> = others.iter().map(Value::to_string).collect();
    let is_new = |entry: &&Value| match others.iter().position(|other| *other == entry.to_string()) {
        Some(index) => {
            others.swap_remove(index);
            false
        }
        None => true,
    };
    list.iter().filter(is_new).cloned().collect()
}

/// Whether all entries are in a list, to the byte and in their order.
fn are_in(entries: &[Value], list: &[Value]) -> bool {
    let mut list = list.iter().map(Value::to_string);
    entries.iter().map(Value::to_string).all(|entry| list.any(|other| other == entry))
}

/// One case, while it runs.
struct Run<'a> {
    shared: &'a Shared,
    moulds: &'a [Entries; 2],
    stage: Stage,
    adopting: bool,
    /// Everything of others.
    theirs: Entries,
    /// What leaves ours no place.
    blockers: Vec<String>,
    filled: Option<&'static str>,
    /// How many entries came, and how many applies were refused.
    counts: [usize; 2],
}

impl<'a> Run<'a> {
    fn begin(shared: &'a Shared, moulds: &'a [Entries; 2], case: &Case) -> Self {
        let (stage, adopting) = (shared.cloud.planned(), case.adopting);
        if adopting {
            (shared.cloud.foreign.unmarked)(&stage.hand());
        }
        if adopting && case.prepared {
            (shared.prepare)(&stage.hand());
        }
        let theirs = shared.read(&stage.hand());
        Self { shared, moulds, stage, adopting, theirs, blockers: Vec::new(), filled: None, counts: [0; 2] }
    }

    fn put(&mut self, put: &Put) {
        let document = &self.shared.documents[put.document];
        let ours = &self.moulds[usize::from(put.updated)][document.name];
        let mould = match put.kind {
            Kind::Equal | Kind::Near | Kind::Overlap if ours.is_empty() => return,
            Kind::Equal | Kind::Near | Kind::Overlap => ours[put.number % ours.len()].clone(),
            Kind::Wildcard | Kind::Other => Value::Null,
        };
        // How many entries there is room for is said once.
        if self.filled == Some(document.name) {
            return;
        }
        let Some(entry) = (document.foreign)(&mould, put.kind, put.number) else { return };
        // What we made has the plan file's tags, whoever else writes them.
        if entry["key"] == "team" && !self.adopting {
            return;
        }
        if self.add(document, vec![entry], put.first) && document.refused.contains(&put.kind) {
            self.blockers.push(format!("{:?} in {}", put.kind, document.name));
        }
    }

    /// Add entries that are not there yet; whether there were any.
    fn add(&mut self, document: &Document, entries: Vec<Value>, first: bool) -> bool {
        let hand = self.stage.hand();
        let before = self.shared.read(&hand).remove(document.name).unwrap();
        let is_new = |entry: &Value| before.iter().all(|other| (document.unique)(other) != (document.unique)(entry));
        let new: Vec<_> = entries.into_iter().filter(is_new).collect();
        if new.is_empty() {
            return false;
        }
        let list = if first { [new, before.clone()].concat() } else { [before.clone(), new].concat() };
        (self.shared.write)(&hand, document.name, &list);
        let after = self.shared.read(&hand).remove(document.name).unwrap();
        let ours = without(&before, &self.theirs[document.name]);
        let ours: Vec<_> = ours.into_iter().filter(|entry| !is_frame(entry)).collect();
        let grown = after.len() > before.len();
        self.counts[0] += after.len() - before.len();
        self.theirs.insert(document.name, without(&after, &ours));
        grown
    }

    /// Fill a document until ours just fit, or do not.
    fn fill(&mut self, document: &'static Document, fits: bool) {
        let ours = &self.moulds[0][document.name];
        let Some(room) = document.room.as_ref().filter(|_| !ours.is_empty()) else { return };
        let mut list = self.theirs[document.name].clone();
        let mut added = Vec::new();
        for number in 100.. {
            let entry = (document.foreign)(&Value::Null, Kind::Other, number).unwrap();
            list.push(entry.clone());
            let full = (room.size)(&[&list[..], ours].concat()) > room.most;
            if !(full && fits) {
                added.push(entry);
            }
            if full {
                break;
            }
        }
        assert!(self.add(document, added, false), "{} does not take so many", document.name);
        self.filled = Some(document.name);
        if !fits && room.read {
            self.blockers.push(format!("{} is full", document.name));
        }
    }

    /// Apply; whether it did. What is `foreseen` is refused if something is in the way, and else not.
    fn apply(&mut self, changes: &[(&'static str, &'static str)], foreseen: bool) -> bool {
        let (shared, hand) = (self.shared, self.stage.hand());
        let adopting = if self.adopting { shared.cloud.plans.adopting } else { &[] };
        shared.cloud.change(&self.stage, &[adopting, changes].concat());
        let before = shared.read(&hand);
        self.stage.faults().clear();
        let ran = shared.cloud.run(&self.stage, &["apply", "--yes"]);
        let told = format!("exit {}\n{}{}", ran.code, ran.stdout, ran.stderr);
        if ran.code == 5 && self.is_full(false, true) {
            self.counts[1] += 1;
            self.all_are_there();
            return false;
        }
        let refused = ran.code == 6;
        assert!(refused || ran.code == 0, "{told}");
        assert!(
            !refused || !self.blockers.is_empty() || self.is_full(true, !foreseen),
            "nothing is in the way: {told}"
        );
        assert!(refused || !foreseen || self.blockers.is_empty(), "{:?} and yet {told}", self.blockers);
        if refused {
            self.counts[1] += 1;
            wrote_nothing(&self.stage);
            assert_eq!(shared.read(&hand), before, "{told}");
            return false;
        }
        self.all_are_there();
        let plan = shared.cloud.succeed(&self.stage, &["plan"]);
        assert!(plan.contains("No changes:"), "{plan}");
        true
    }

    /// Whether a document that is read, or is not, has no room for anything; what was filled has none for anything more than
    /// ours were at first.
    fn is_full(&self, read: bool, filled: bool) -> bool {
        let is_full = |document: &Document| {
            let room = document.room.as_ref().filter(|room| room.read == read);
            let theirs = &self.theirs[document.name];
            let is_filled = filled && self.filled == Some(document.name);
            room.is_some_and(|room| is_filled || (room.size)(theirs) >= room.most)
        };
        self.shared.documents.iter().any(is_full)
    }

    fn all_are_there(&self) {
        for (name, now) in self.shared.read(&self.stage.hand()) {
            let theirs = &self.theirs[name];
            assert!(are_in(theirs, &now), "{name} lost something\nthere was {theirs:#?}\nthere is {now:#?}");
        }
    }

    fn destroy(&self) {
        let ran = self.shared.cloud.run(&self.stage, &["destroy", "--yes"]);
        let told = format!("exit {}\n{}{}", ran.code, ran.stdout, ran.stderr);
        // Nothing that we made goes while others rely on it.
        assert!(ran.code == 0 || (ran.code == 6 && !self.adopting), "{told}");
        if ran.code == 6 {
            return self.all_are_there();
        }
        let now = self.shared.read(&self.stage.hand());
        for document in self.shared.documents.iter().filter(|document| self.adopting || document.outlives) {
            let (theirs, now) = (&self.theirs[document.name], &now[document.name]);
            let same = theirs.len() == now.len() && are_in(theirs, now);
            assert!(same, "{} is not as it was\nthere was {theirs:#?}\nthere is {now:#?}\n{told}", document.name);
        }
    }

    /// The changes of the plan file that an update makes.
    fn changes(&self, update: &Update) -> Vec<(&'static str, &'static str)> {
        let cloud = self.shared.cloud;
        match &update.settings {
            Some(settings) => settings.iter().map(|index| cloud.plans.settings[*index].pair()).collect(),
            None => cloud.plans.update.to_vec(),
        }
    }
}

/// One case; gives how many entries came, and how many applies were refused.
fn run(shared: &Shared, moulds: &[Entries; 2], case: &Case) -> [usize; 2] {
    let mut run = Run::begin(shared, moulds, case);
    if case.adopting {
        if let Some((document, fits)) = case.filled {
            run.fill(&shared.documents[document], fits);
        }
        case.puts.iter().for_each(|put| run.put(put));
    }
    if !run.apply(&[], case.adopting) {
        return run.counts;
    }
    if !case.adopting {
        case.puts.iter().for_each(|put| run.put(put));
    }
    for update in &case.updates {
        update.puts.iter().for_each(|put| run.put(put));
        run.apply(&run.changes(update), false);
    }
    run.destroy();
    run.counts
}

/// The random numbers of one case.
fn seeded(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

fn cases(shared: &Shared) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = match number("PROVISION_FOREIGN_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("PROVISION_FOREIGN").unwrap_or(CASES),
    };
    let moulds = shared.moulds();
    let (mut counts, mut lost) = ([0; 2], Vec::new());
    for seed in seeds {
        let case = case(shared).new_tree(&mut seeded(seed)).unwrap().current();
        println!("{} PROVISION_FOREIGN_SEED={seed}: {case:?}", shared.cloud.name);
        match std::panic::catch_unwind(|| run(shared, &moulds, &case)) {
            Ok([entries, refused]) => counts = [counts[0] + entries, counts[1] + refused],
            Err(_) => lost.push(seed),
        }
    }
    println!("{}: {} entries of others came, {} applies were refused", shared.cloud.name, counts[0], counts[1]);
    assert!(lost.is_empty(), "PROVISION_FOREIGN_SEED of what was lost, which is told above: {lost:?}");
}

#[test]
fn entries_of_others_survive_on_aws() {
    cases(&aws::SHARED);
}

#[test]
fn entries_of_others_survive_on_gcp() {
    cases(&gcp::SHARED);
}

#[test]
fn entries_of_others_survive_on_azure() {
    cases(&azure::SHARED);
}
