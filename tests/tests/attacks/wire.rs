//! Services that keep to no protocol: heads and bodies without an end, or a byte at a time, or nothing. What is sent is written as
//! it is, over HTTP/1.1 or HTTP/2 as the client begins.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use provision_tests::run::finished;

use super::server::{self, Answer, Place, Server};
use super::{ended_well, figures, sample, try_each};
use crate::clouds::{AWS, AZURE, GCP};

/// What a client is answered with, in HTTP/1.1 and in HTTP/2.
struct Way {
    name: &'static str,
    first: &'static [u8],
    again: fn() -> Vec<u8>,
    first_of_2: Vec<u8>,
    again_of_2: Vec<u8>,
    every: Duration,
}

/// How long a byte lets itself be waited for.
const DRIP: Duration = Duration::from_millis(500);

/// The types of HTTP/2's frames: <https://www.rfc-editor.org/rfc/rfc9113#name-frame-definitions>.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// A frame on the first stream that a client opens, or on the connection.
fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let stream = u8::from(kind != SETTINGS);
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// Fields, each as long: <https://www.rfc-editor.org/rfc/rfc7541#section-6.2.2>.
fn fields(count: usize) -> Vec<u8> {
    [&[0, 6][..], b"x-more", &[8], b"and more"].concat().repeat(count)
}

fn ways() -> Vec<Way> {
    let settings = frame(SETTINGS, 0, &[]);
    // `:status: 200` of the static table.
    let head = |flags, rest: &[u8]| [settings.clone(), frame(HEADERS, flags, &[&[0x88], rest].concat())].concat();
    let data = |size: usize| frame(DATA, 0, &vec![0; size]);
    let way = |name, first: &'static str, again, first_of_2, again_of_2, every| Way {
        name,
        first: first.as_bytes(),
        again,
        first_of_2,
        again_of_2,
        every,
    };
    let more = || frame(CONTINUATION, 0, &fields(800));
    let fast = Duration::ZERO;
    vec![
        way(
            "fields without an end",
            "HTTP/1.1 200 OK\r\n",
            || b"x-more: and more\r\n".repeat(500),
            head(0, &[]),
            more(),
            fast,
        ),
        way("field without an end", "HTTP/1.1 200 OK\r\nx: ", || vec![b'x'; 8192], head(0, &fields(800)), more(), fast),
        way(
            "interim answers without an end",
            "",
            || b"HTTP/1.1 100 Continue\r\n\r\n".repeat(300),
            settings.clone(),
            frame(SETTINGS, 0, &[]).repeat(300),
            Duration::from_millis(5),
        ),
        way(
            "body without an end",
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[",
            || vec![b' '; 65_536],
            head(END_HEADERS, &[]),
            data(16_384),
            fast,
        ),
        way(
            "body that drips",
            "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n",
            || vec![b'x'],
            head(END_HEADERS, &[]),
            data(1),
            DRIP,
        ),
        way(
            "head that drips",
            "HTTP/1.1 200 OK\r\nx: ",
            || vec![b'x'],
            head(0, &[]),
            frame(CONTINUATION, 0, &[]),
            DRIP,
        ),
        way("nothing", "", Vec::new, Vec::new(), Vec::new(), DRIP),
        way(
            "no protocol",
            "SSH-2.0-OpenSSH_9.9\r\n",
            || b"\0\xff\r\n".repeat(100),
            b"\0\xff\r\n".repeat(100),
            b"\xff".repeat(100),
            fast,
        ),
    ]
}

impl Way {
    fn answer(&self, asked: &[u8]) -> Answer {
        let of_2 = asked.starts_with(b"PRI ");
        let first = if of_2 { self.first_of_2.clone() } else { self.first.to_vec() };
        let again = if of_2 { self.again_of_2.clone() } else { (self.again)() };
        Answer { first, again: Some(again), every: self.every }
    }
}

const PLACES: [Place; 5] = [
    (&AWS, server::AWS_WHOLE),
    (&AWS, &["AWS_ENDPOINT_URL_S3"]),
    (&GCP, server::GOOGLE_WHOLE),
    (&AZURE, server::AZURE_WHOLE),
    (&AZURE, &["AZURE_RESOURCE_MANAGER_ENDPOINT"]),
];

/// A tenth of the time that answers may take passes, so that a request ends after two seconds and is repeated for two.
const LIMITS: (&str, &str) = ("PROVISION_TEST_LIMITS", "10");
/// How long a run may take: its requests in a row, each repeated, on a machine that does other things.
const TIME: Duration = Duration::from_secs(25);
/// The most memory of a run, in MiB: so many answers that are too long may be read at the same time.
const MEMORY: u64 = 400;

/// Without a time limit of the user's the run ends by the requests' own, says so, and has read no more than it may.
#[test]
fn answers_that_keep_to_no_protocol() {
    let names: Vec<_> = (0..ways().len()).flat_map(|way| PLACES.map(|place| (way, place))).collect();
    let peak = AtomicU64::new(0);
    // What drips ends by the limit of the request alone.
    let drips = |(way, _): &(usize, Place)| ways()[*way].name.ends_with("drips");
    let (slow, fast): (Vec<_>, Vec<_>) = names.into_iter().partition(drips);
    try_each("no protocol", &[slow, sample(&fast, 4)].concat(), |(way, place @ (cloud, endpoints))| {
        let stage = cloud.planned();
        let way = ways().swap_remove(*way);
        let name = way.name;
        let server = Server::start(cloud.name == "azure", move |asked| way.answer(asked));
        let begun = Instant::now();
        let child = server::spawn(&stage, *place, &server, &["plan"], &[LIMITS]);
        let memory = watched(child.id());
        let ran = finished(child);
        let memory = memory.join().unwrap_or_default();
        peak.fetch_max(memory, Ordering::Relaxed);
        let took = begun.elapsed();
        let said = format!("{} {endpoints:?}: {name}, after {took:?}, {memory} MiB", cloud.name);
        ended_well(&ran, &[1, 4], &said)?;
        let fine = took < TIME && memory < MEMORY && !ran.stderr.is_empty();
        if fine { Ok(()) } else { Err(format!("{said}\n{}", ran.stderr)) }
    });
    figures(&format!("no protocol: at most {} MiB", peak.into_inner()), 1, 1);
}

/// The most memory that a process has until it ends, in MiB.
fn watched(process: u32) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut most = 0;
        while let Ok(status) = std::fs::read_to_string(format!("/proc/{process}/status")) {
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            // One that has ended, and was not asked for yet, has no memory.
            let Some(peak) = peak.and_then(|text| text.split_whitespace().next()) else { break };
            most = most.max(peak.parse::<u64>().unwrap_or_default() / 1024);
            std::thread::sleep(Duration::from_millis(20));
        }
        most
    })
}
