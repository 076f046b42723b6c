//! Prints how long many deployments take in one process, in shards whose reports are merged, in a process each and as a script of
//! boto3, with the memory and the requests, all on the sandbox.
//!
//! `cargo bench -p provision-tests --bench fleet --profile dev`; `DEPLOYMENTS` says how many there are, `LATENCY_MS` what each request
//! takes besides, and `PROVISION_BINARY` may name another binary. Times on a shared machine are noisy: read the ratios.

#![expect(clippy::print_stdout, reason = "it prints its figures")]

use std::time::Duration;

use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_sandbox::{EmulatorKind, Options, Sandbox};
use provision_tests::python;
use provision_tests::run::binary;
use provision_tests::stage::Stage;

const SHARDS: usize = 4;
/// Processes of which the loop's time is computed.
const SAMPLE: usize = 20;

/// What a script reads of each deployment to compare it, sixteen at a time.
const BOTO3: &str = "
import boto3, json, sys, resource, time
from concurrent.futures import ThreadPoolExecutor
from botocore.exceptions import ClientError
begun = time.time()
s3, sqs, tagging = [boto3.client(name, region_name='eu-west-1') for name in ('s3', 'sqs', 'resourcegroupstaggingapi')]
READS = ['get_bucket_tagging', 'get_bucket_cors', 'get_bucket_policy', 'get_public_access_block', 'get_bucket_encryption',
         'get_bucket_versioning', 'get_bucket_ownership_controls', 'get_bucket_notification_configuration']
def look(n):
  name = f'acme-{n:04}'
  for read in READS:
    try: getattr(s3, read)(Bucket=name)
    except ClientError: pass
  url = sqs.get_queue_url(QueueName=name + '-events')['QueueUrl']
  sqs.get_queue_attributes(QueueUrl=url, AttributeNames=['All'])
  sqs.list_queue_tags(QueueUrl=url)
  tagging.get_resources(TagFilters=[{'Key': 'provision-deployment', 'Values': [f'wandb-{n:04}']}])
with ThreadPoolExecutor(16) as pool: list(pool.map(look, range(COUNT)))
print(time.time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
";

/// What a run took.
struct Figures {
    seconds: f64,
    peak_mib: f64,
    requests: usize,
}

fn main() {
    let number =
        |name: &str, otherwise| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let most = number("DEPLOYMENTS", 1000);
    let latency = Duration::from_millis(u64::try_from(number("LATENCY_MS", 0)).unwrap_or_default());
    println!(
        "{:>11} {:<30} {:>9} {:>9} {:>9} {:>7}",
        "deployments", "command", "seconds", "peak MiB", "requests", "exit"
    );
    for count in [most / 5, most] {
        let stage = written(count);
        stage.faults().set_latency(latency);
        let apply = shown(&stage, count, "apply", &[&["apply", "plans", "--yes"]]);
        let again = shown(&stage, count, "apply again", &[&["apply", "plans", "--yes"]]);
        let drift = shown(&stage, count, "drift", &[&["drift", "plans", "-q"]]);
        shown(&stage, count, "drift, JSON", &[&["drift", "plans", "--json"]]);
        shown(&stage, count, "plan", &[&["plan", "plans", "-q"]]);
        shown(&stage, count, "output", &[&["output", "plans"]]);
        shown(&stage, count, "verify", &[&["verify", "plans"]]);
        sharded(&stage, count);
        troubled(&stage, count);
        let (applied, looked) = (in_a_loop(&stage, count, "apply"), in_a_loop(&stage, count, "drift"));
        let script = boto3(&stage, count);
        println!(
            "{:>11} {:<30} {:>9.1} {:>9.1} {:>9}",
            count, "drift as a boto3 script", script.seconds, script.peak_mib, script.requests
        );
        println!(
            "            a process each takes {:.1} x (apply, nothing to do) and {:.1} x (drift), boto3 {:.1} x of the time",
            applied / again.seconds,
            looked / drift.seconds,
            script.seconds / drift.seconds
        );
        println!(
            "            first apply: {:.1} requests a deployment, drift {:.1}\n",
            per(&apply, count),
            per(&drift, count)
        );
    }
}

fn per(figures: &Figures, count: usize) -> f64 {
    f64::from(u32::try_from(figures.requests).unwrap_or(u32::MAX)) / f64::from(u32::try_from(count).unwrap_or(1))
}

/// A folder of plan files.
fn written(count: usize) -> Stage {
    let stage = Stage::start(EmulatorKind::Aws);
    std::fs::create_dir(stage.path().join("plans")).unwrap();
    for number in 0..count {
        let text = format!(
            "[deployment]\nname = \"wandb-{number:04}\"\nhost = \"https://wandb.example.com\"\n[aws]\nregion = \"eu-west-1\"\n\
             [aws.bucket]\nname = \"acme-{number:04}\"\n"
        );
        std::fs::write(stage.path().join(format!("plans/{number:04}.toml")), text).unwrap();
    }
    stage
}

/// Beside them a tenth as many in an account that asks to slow down for ever, and as many in one that is not there.
fn troubled(stage: &Stage, count: usize) {
    let clouds = vec![EmulatorKind::Google, EmulatorKind::Azure];
    let sandbox = Sandbox::start(Options { clouds, hastened: true, ..Options::default() }).unwrap();
    sandbox.seed_google("acme-ml", None).unwrap();
    let throttled = Fault { operation: "storage*".to_owned(), nth: Nth::Every, at: When::Before, what: What::Throttle };
    sandbox.faults().fault(throttled);
    std::fs::create_dir(stage.path().join("troubled")).unwrap();
    for number in 0..count / 10 {
        let head = format!("[deployment]\nname = \"wandb-{number:04}\"\nhost = \"https://wandb.example.com\"\n");
        let google = format!("[gcp]\nproject = \"acme-ml\"\n[gcp.bucket]\nname = \"acme-{number:04}\"\n");
        let azure = format!(
            "[azure]\nsubscription = \"00000000-0000-0000-0000-000000000000\"\nlocation = \"westeurope\"\n\
             resource_group = {{ name = \"wandb{number:04}\", create = true }}\n[azure.account]\nname = \"acme{number:04}\"\n\
             [azure.container]\nname = \"files\"\n"
        );
        std::fs::write(stage.path().join(format!("troubled/{number:04}.toml")), head + &google + &azure).unwrap();
    }
    let is_others = |(name, _): &(String, String)| !name.starts_with("AWS_");
    let mut environment = stage.environment();
    environment.extend(sandbox.environment().into_iter().filter(is_others));
    environment.push(("AZURE_RESOURCE_MANAGER_ENDPOINT".to_owned(), "https://127.0.0.1:1".to_owned()));
    shown_in(stage, &environment, count, "drift, and two lost accounts", &[&["drift", "plans", "troubled", "-q"]]);
}

/// Run these at the same time, and print what they took.
fn shown(stage: &Stage, count: usize, name: &str, commands: &[&[&str]]) -> Figures {
    shown_in(stage, &stage.environment(), count, name, commands)
}

/// The same in that environment.
fn shown_in(
    stage: &Stage,
    environment: &[(String, String)],
    count: usize,
    name: &str,
    commands: &[&[&str]],
) -> Figures {
    stage.faults().clear();
    let commands: Vec<Vec<String>> = commands
        .iter()
        .map(|command| {
            std::iter::once(binary().display().to_string())
                .chain(command.iter().map(|word| (*word).to_owned()))
                .collect()
        })
        .collect();
    let script = format!(
        "import resource, subprocess, time; begun = time.time()\n\
         runs = [subprocess.Popen(command, cwd={:?}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for command in {commands:?}]\n\
         codes = [run.wait() for run in runs]\n\
         print(time.time() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, max(codes))",
        stage.path()
    );
    let printed = python(environment, &script);
    let requests = stage.faults().records().len();
    let figures = Figures { seconds: printed[0], peak_mib: printed[1], requests };
    println!(
        "{count:>11} {name:<30} {:>9.1} {:>9.1} {requests:>9} {:>7}",
        figures.seconds, figures.peak_mib, printed[2]
    );
    figures
}

fn sharded(stage: &Stage, count: usize) {
    let shards: Vec<_> =
        (1..=SHARDS).map(|shard| (format!("{shard}/{SHARDS}"), format!("json={shard}.json"))).collect();
    let commands: Vec<Vec<&str>> =
        shards.iter().map(|(shard, file)| vec!["drift", "plans", "-q", "--shard", shard, "--report", file]).collect();
    shown(stage, count, "drift in 4 shards", &commands.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let merge = ["report", "merge", "1.json", "2.json", "3.json", "4.json", "-q", "--report", "markdown=all.md"];
    shown(stage, count, "their reports merged", &[&merge]);
}

/// The time of a process for each, by a sample.
fn in_a_loop(stage: &Stage, count: usize, command: &str) -> f64 {
    let file = |number: usize| format!("plans/{:04}.toml", number % count);
    let of = |number| match command {
        "apply" => vec!["apply".to_owned(), file(number), "--yes".to_owned()],
        _ => vec![command.to_owned(), file(number)],
    };
    let begun = std::time::Instant::now();
    for number in 0..SAMPLE {
        let words = of(number);
        let ran = stage.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    begun.elapsed().as_secs_f64() / f64::from(u32::try_from(SAMPLE).unwrap_or(1))
        * f64::from(u32::try_from(count).unwrap_or(1))
}

fn boto3(stage: &Stage, count: usize) -> Figures {
    stage.faults().clear();
    let printed = python(&stage.environment(), &BOTO3.replace("COUNT", &count.to_string()));
    Figures { seconds: printed[0], peak_mib: printed[1], requests: stage.faults().records().len() }
}

fn python(environment: &[(String, String)], script: &str) -> Vec<f64> {
    let output = python::run(script, environment);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).split_whitespace().map(|figure| figure.parse().unwrap()).collect()
}
