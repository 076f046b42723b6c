//! Attacks on the built binary and on the sandbox, each counted: what was tried, and what survived.
//!
//! A short form runs by default; `PROVISION_ATTACKS=1` tries all of them. `PROVISION_BINARY` names another binary, as an
//! optimised one is killed at other moments.
//!
//! Survived means: no panic and no hang, the documented exit code, nothing of others' lost, and the same command run again
//! does its work.

mod hostile;
mod inputs;
mod kills;
mod served;
mod surroundings;

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use provision_tests::run::Ran;

/// How often something is tried: by default, and in all.
fn rounds(short: usize, all: usize) -> usize {
    if std::env::var_os("PROVISION_ATTACKS").is_some() { all } else { short }
}

/// Every so many of a list, or all of it.
fn sample<T: Clone>(list: &[T], every: usize) -> Vec<T> {
    list.iter().step_by(rounds(every, 1)).cloned().collect()
}

/// Try each, a few at the same time; prints the figures, and fails with what did not survive.
fn try_each<T: Sync>(area: &str, attempts: &[T], attempt: impl Fn(&T) -> Result<(), String> + Sync) {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(one) = attempts.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(what) = attempt(one) {
                failed.lock().unwrap().push(what);
            }
        }
    };
    std::thread::scope(|scope| {
        (0..AT_ONCE).for_each(|_| drop(scope.spawn(work)));
    });
    let failed = failed.into_inner().unwrap();
    figures(area, attempts.len(), attempts.len() - failed.len());
    assert!(failed.is_empty(), "{area}:\n{}", failed.join("\n\n"));
}

/// Attempts that go on at the same time.
const AT_ONCE: usize = 4;

/// To the stream itself: the test runner keeps what the macros print.
fn figures(area: &str, tried: usize, survived: usize) {
    let _ = writeln!(std::io::stderr(), "{area}: {tried} tried, {survived} survived");
}

/// That a run ended by itself, with one of these codes, and printed nothing that a terminal obeys.
fn ended_well(ran: &Ran, codes: &[i32], what: &str) -> Result<(), String> {
    let printed = format!("{}{}", ran.stdout, ran.stderr);
    let obeyed = printed.chars().any(|letter| letter != '\n' && provision_core::printable::is_obeyed(letter));
    let fine = ran.signal.is_none() && codes.contains(&ran.code) && !printed.contains("panicked") && !obeyed;
    let beginning: String = printed.chars().take(2000).collect();
    if fine { Ok(()) } else { Err(format!("{what}: exit {} signal {:?}\n{beginning}", ran.code, ran.signal)) }
}

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    /// One below a limit. Splitmix64: <https://prng.di.unimi.it/splitmix64.c>.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap_or_default()
    }

    fn pick<'t, T>(&mut self, list: &'t [T]) -> &'t T {
        &list[self.below(list.len())]
    }
}
