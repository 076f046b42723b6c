//! Attacks on the built binary and on the sandbox, each counted: what was tried, and what survived.
//!
//! A short form runs by default; `PROVISION_ATTACKS=1` tries all of them. `PROVISION_BINARY` names another binary, as an
//! optimised one is killed at other moments.
//!
//! Survived means: no panic and no hang, the documented exit code, nothing of others' lost, and the same command run again
//! does its work.
//!
//! | what is tried | by |
//! |---|---|
//! | killed at random moments, MiniStack too; killed at each write, and all that is there compared | `kills`; `sweep` |
//! | every signal, at a call of the run | `kills` |
//! | closed and full streams, limits, other environments | `surroundings` |
//! | little memory, files that may not grow, full disks, for whatever is written | `full` |
//! | garbage, pages, large bodies and headers, odd statuses, `Retry-After`, silence, from any request on | `hostile` |
//! | heads and bodies without an end or by the byte, over both versions of HTTP | `wire` |
//! | what is no document in the place of each read | `sweep::unreadable` |
//! | each call throttled by each code | `sweep::throttled` |
//! | many applies and destroys at once | `crowds` |
//! | another operator or a third party acts at each request, alone or together; two deployments on one bucket | `crossing` |
//! | changed plan files and change sets, odd files, command lines of any kind | `inputs`; `properties` |
//! | hosts and settings that a shell reads | `inputs` |
//! | what a server says again, and where it sends a client | `secrets` |
//! | malformed requests to a sandbox, many clients, killed under writers | `served` |
//! | a sandbox's state damaged, cut off, doubled | `provision_sandbox`'s `state::tests`; `sandbox` |
//! | a hundred thousand objects | the bench `emptying` |

mod crowds;
mod full;
mod hostile;
mod inputs;
mod kills;
mod secrets;
mod served;
mod server;
mod surroundings;
mod wire;

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
