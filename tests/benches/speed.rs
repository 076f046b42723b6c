//! Prints request and wave counts on every cloud, and whole-process times as ratios against the same work in boto3.
//!
//! `cargo build --release && cargo bench -p provision-tests`, or with the debug build `cargo build && cargo bench -p
//! provision-tests --profile dev`. `PROVISION_BINARY` names another binary; a word behind `--` (`counts`, `itself`, `side-by-side`) is a part
//! of it alone. Times on a shared machine are noisy: read the ratios.

#![expect(clippy::print_stdout, reason = "it prints its figures")]

use std::time::{Duration, Instant};

use provision_sandbox::EmulatorKind;
use provision_sandbox::layer::FaultLayer;
use provision_sandbox::record::{Record, waves};
use provision_tests::backend::Backend;
use provision_tests::python;
use provision_tests::run::{Ran, binary};
use provision_tests::stage::Stage;

const PLAN: &str = "[deployment]\nname = \"wandb-{s}\"\nhost = \"https://wandb.example.com\"\n[aws]\nregion = \"eu-west-1\"\n\
                    [aws.bucket]\nname = \"acme-{s}\"\n[aws.access]\nrole = \"node\"\n";

/// The calls of a good engineer's script, as steps of which the inner ones may run at the same time.
const BOTO3: &str = "
b = 'boto-{s}'; q = b + '-events'; arn = 'arn:aws:sqs:eu-west-1:{a}:' + q
def policy(action, resource, **more): return json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': action, 'Resource': resource, **more}]})
steps = [[
  lambda: s3.create_bucket(Bucket=b, CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'}),
  lambda: sqs.create_queue(QueueName=q, Attributes={'ReceiveMessageWaitTimeSeconds': '10'}),
  lambda: iam.put_role_policy(RoleName='node', PolicyName='boto', PolicyDocument=policy('s3:GetObject', '*')),
], [
  lambda: s3.put_public_access_block(Bucket=b, PublicAccessBlockConfiguration={'BlockPublicAcls': True}),
  lambda: s3.put_bucket_encryption(Bucket=b, ServerSideEncryptionConfiguration={'Rules': [{'ApplyServerSideEncryptionByDefault': {'SSEAlgorithm': 'AES256'}}]}),
  lambda: s3.put_bucket_policy(Bucket=b, Policy=policy('s3:GetObject', 'arn:aws:s3:::' + b + '/*', Principal={'AWS': 'arn:aws:iam::{a}:root'})),
  lambda: s3.put_bucket_cors(Bucket=b, CORSConfiguration={'CORSRules': [{'AllowedMethods': ['GET'], 'AllowedOrigins': ['*']}]}),
  lambda: s3.put_bucket_tagging(Bucket=b, Tagging={'TagSet': [{'Key': 'a', 'Value': 'b'}]}),
  lambda: s3.put_bucket_notification_configuration(Bucket=b, NotificationConfiguration={'QueueConfigurations': [{'QueueArn': arn, 'Events': ['s3:ObjectCreated:*']}]}),
]]
";
const IN_SEQUENCE: &str = "for step in steps:\n  for call in step: call()\n";
const IN_THREADS: &str = "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(8) as pool:\n  for step in steps: list(pool.map(lambda call: call(), step))\n";

/// The same as commands of the AWS command line, one process each.
const AWS_CLI: [&str; 9] = [
    "s3api create-bucket --bucket {b} --create-bucket-configuration LocationConstraint=eu-west-1",
    "sqs create-queue --queue-name {b}-events --attributes ReceiveMessageWaitTimeSeconds=10",
    "iam put-role-policy --role-name node --policy-name cli --policy-document {\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"*\"}]}",
    "s3api put-public-access-block --bucket {b} --public-access-block-configuration BlockPublicAcls=true",
    "s3api put-bucket-encryption --bucket {b} --server-side-encryption-configuration {\"Rules\":[{\"ApplyServerSideEncryptionByDefault\":{\"SSEAlgorithm\":\"AES256\"}}]}",
    "s3api put-bucket-policy --bucket {b} --policy {\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::{b}/*\",\"Principal\":{\"AWS\":\"arn:aws:iam::{a}:root\"}}]}",
    "s3api put-bucket-cors --bucket {b} --cors-configuration {\"CORSRules\":[{\"AllowedMethods\":[\"GET\"],\"AllowedOrigins\":[\"*\"]}]}",
    "s3api put-bucket-tagging --bucket {b} --tagging TagSet=[{Key=a,Value=b}]",
    "s3api put-bucket-notification-configuration --bucket {b} --notification-configuration {\"QueueConfigurations\":[{\"QueueArn\":\"arn:aws:sqs:eu-west-1:{a}:{b}-events\",\"Events\":[\"s3:ObjectCreated:*\"]}]}",
];

/// What every request takes while waves are counted.
const LATENCY: Duration = Duration::from_millis(100);

/// How long a grant takes to spread on Google Cloud, where that is waited for: long enough to be told from the waves.
const SPREADING: Duration = Duration::from_secs(2);

fn main() {
    let asked: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|one| one == name);
    if wanted("counts") {
        counts();
    }
    if wanted("itself") {
        itself();
    }
    for latency in [0, 50] {
        if wanted("side-by-side") {
            side_by_side(Duration::from_millis(latency));
        }
    }
}

fn planned(latency: Duration) -> Stage {
    let stage = Stage::start_on(Backend::MiniStack, EmulatorKind::Aws);
    stage.write("provision.toml", PLAN);
    let trust = "json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'Service': \
                 'ec2.amazonaws.com'}, 'Action': 'sts:AssumeRole'}]})";
    let _ = stage.hand().python(&format!("iam.create_role(RoleName='node', AssumeRolePolicyDocument={trust})"));
    stage.faults().set_latency(latency);
    stage
}

/// Run boto3 in a process of its own, slowed down and timed like the binary.
fn boto3_through_proxy(stage: &Stage, script: &str) {
    let prelude = "import boto3, json\ns3, sqs, iam = [boto3.client(name, region_name='eu-west-1') for name in ('s3', 'sqs', 'iam')]\n";
    let output = python::run(&stage.fill(&format!("{prelude}{script}")), &stage.environment());
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Requests, waves and wall time with 100 ms a request: AWS on MiniStack, the others on the sandbox.
fn counts() {
    println!("apart: requests for credentials, polls of the service's own operations, what was refused and came again");
    println!("waiting: the time in which nothing else was asked; it is not in the ratio\n");
    println!(
        "{:<6} {:<12} {:>8} {:>6} {:>6} {:>7} {:>10} {:>31}",
        "cloud", "command", "requests", "waves", "apart", "wall s", "waiting s", "(wall - waiting) / (waves * 0.1)"
    );
    let stage = planned(LATENCY);
    commands("aws", stage.faults(), &|arguments| run(&stage, arguments));
    let google = staged(EmulatorKind::Google, include_str!("../../plans/gcp.toml"));
    google.sandbox().seed_google("acme-ml", Some("wandb@acme-ml.iam.gserviceaccount.com")).unwrap();
    commands("gcp", google.faults(), &|arguments| run(&google, arguments));
    let azure = staged(EmulatorKind::Azure, include_str!("../../plans/azure.toml"));
    let [subscription, tenant, principal] = ["0", "2", "1"].map(guid);
    azure.sandbox().seed_azure(&subscription, &tenant, Some(&principal)).unwrap();
    commands("azure", azure.faults(), &|arguments| run(&azure, arguments));
    spreading(&google);
}

/// An apply that waits for its grant: other work goes on meanwhile, so that its chain of requests says nothing.
fn spreading(google: &Stage) {
    google.faults().set_propagation("pubsub.iam", SPREADING);
    let (ran, figures) = counted(google.faults(), &|arguments| run(google, arguments), &["gcp", "apply", "--yes"]);
    println!(
        "\ngcp apply while a grant takes {} s to spread: {:.2} s, of which {:.2} s waiting\n",
        SPREADING.as_secs(),
        ran.elapsed.as_secs_f64(),
        figures.waiting.as_secs_f64()
    );
}

fn counted(layer: &FaultLayer, run: &dyn Fn(&[&str]) -> Ran, arguments: &[&str]) -> (Ran, Figures) {
    layer.clear();
    let ran = run(arguments);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    (ran, Figures::of(layer.records()))
}

/// A run that waits as long as it does for users.
fn run(stage: &Stage, arguments: &[&str]) -> Ran {
    stage.run_with(arguments, |command| {
        command.env_remove("PROVISION_TEST_WAITS");
    })
}

fn staged(cloud: EmulatorKind, plan_file: &str) -> Stage {
    let stage = Stage::start(cloud);
    stage.sandbox().world().clock.hasten(1);
    stage.write("provision.toml", plan_file);
    stage.faults().set_latency(LATENCY);
    stage
}

fn guid(digit: &str) -> String {
    "00000000-0000-0000-0000-000000000000".replace('0', digit)
}

/// Run each command once, from nothing to nothing.
fn commands(cloud: &str, layer: &FaultLayer, run: &dyn Fn(&[&str]) -> Ran) {
    for (name, arguments) in [
        ("plan", &[cloud, "plan"][..]),
        ("apply", &[cloud, "apply", "--yes"]),
        ("apply again", &[cloud, "apply", "--yes"]),
        ("destroy", &[cloud, "destroy", "--yes"]),
    ] {
        let (ran, figures) = counted(layer, run, arguments);
        let working = ran.elapsed.saturating_sub(figures.waiting).as_secs_f64();
        let ratio = working / (f64::from(u32::try_from(figures.waves).unwrap_or(1)) * LATENCY.as_secs_f64());
        println!(
            "{cloud:<6} {name:<12} {:>8} {:>6} {:>6} {:>7.2} {:>10.2} {ratio:>31.2}",
            figures.requests,
            figures.waves,
            figures.apart,
            ran.elapsed.as_secs_f64(),
            figures.waiting.as_secs_f64()
        );
    }
}

/// What a run asked.
struct Figures {
    requests: usize,
    waves: usize,
    apart: usize,
    waiting: Duration,
}

impl Figures {
    fn of(records: Vec<Record>) -> Self {
        let apart: Vec<bool> = records.iter().map(|record| is_apart(record, &records)).collect();
        let part = |wanted: bool| {
            let kept = records.iter().zip(&apart).filter(move |(_, apart)| **apart == wanted);
            kept.map(|(record, _)| record.clone()).collect::<Vec<_>>()
        };
        let (calls, apart) = (part(false), part(true));
        Self { requests: calls.len(), waves: waves(&calls), apart: apart.len(), waiting: waiting(calls, &apart) }
    }
}

/// Whether a request is none of the work: for credentials, a poll, or a write that was refused and came again.
fn is_apart(record: &Record, records: &[Record]) -> bool {
    let refused = record.write && record.status.is_some_and(|status| status >= 400);
    let came_again = || {
        records
            .iter()
            .any(|other| other.start > record.end && (&other.method, &other.path) == (&record.method, &record.path))
    };
    record.poll || record.operation.starts_with("login:") || (refused && came_again())
}

/// The time without any of the calls in flight, as far as one of the requests apart is the reason.
fn waiting(mut calls: Vec<Record>, apart: &[Record]) -> Duration {
    calls.sort_by_key(|call| call.start);
    let begun = calls.iter().chain(apart).map(|record| record.start).min();
    let Some(mut answered) = begun else { return Duration::ZERO };
    let mut waiting = Duration::ZERO;
    for call in calls {
        let within = |record: &Record| record.start < call.start && record.end > answered;
        if call.start > answered && apart.iter().any(within) {
            waiting += call.start - answered;
        }
        answered = answered.max(call.end);
    }
    let last = apart.iter().map(|record| record.end).max().unwrap_or(answered);
    waiting + last.saturating_duration_since(answered)
}

/// Size of the binary, time to start, memory at its peak in an apply.
fn itself() {
    let size = std::fs::metadata(binary()).map(|file| file.len()).unwrap_or_default();
    let stage = planned(Duration::ZERO);
    let mut starts: Vec<_> = (0..20).map(|_| stage.run(&["--version"]).elapsed).collect();
    starts.sort();
    let script = format!(
        "import resource, subprocess; subprocess.run([{:?}, 'aws', 'apply', '--yes'], cwd={:?}, check=True, stdout=subprocess.DEVNULL, \
         stderr=subprocess.DEVNULL); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)",
        binary(),
        stage.path()
    );
    let output = python::run(&script, &stage.environment());
    let peak = String::from_utf8_lossy(&output.stdout);
    let megabytes = size / 1_000_000;
    println!(
        "binary {megabytes} MB, --version in {:.2?} (median of 20), apply at most {} MiB\n",
        starts[10],
        peak.trim()
    );
}

/// The median of five whole processes each.
fn side_by_side(latency: Duration) {
    let ours = median(|| {
        let stage = planned(latency);
        let ran = run(&stage, &["aws", "apply", "--yes", "-q"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.elapsed
    });
    println!("\nthrough {} ms a request: provision apply {ours:.2?}", latency.as_millis());
    for (name, order) in [("boto3 in sequence", IN_SEQUENCE), ("boto3 with threads", IN_THREADS)] {
        let theirs = median(|| {
            let stage = planned(latency);
            let started = Instant::now();
            boto3_through_proxy(&stage, &format!("{BOTO3}{order}"));
            started.elapsed()
        });
        println!("  {name:<20} {theirs:>8.2?}  {:>5.1} x", theirs.as_secs_f64() / ours.as_secs_f64());
    }
    let theirs = aws_cli(latency);
    println!("  {:<20} {theirs:>8.2?}  {:>5.1} x (one run)", "aws-cli", theirs.as_secs_f64() / ours.as_secs_f64());
}

/// One run of the commands, one after the other.
fn aws_cli(latency: Duration) -> Duration {
    let stage = planned(latency);
    let bucket = stage.fill("cli-{s}");
    let mut env = stage.environment();
    let endpoint = env.iter().find(|(name, _)| name == "AWS_ENDPOINT_URL").unwrap().1.clone();
    env.push(("AWS_DEFAULT_REGION".to_owned(), "eu-west-1".to_owned()));
    let started = Instant::now();
    for command in AWS_CLI {
        let command = command.replace("{b}", &bucket).replace("{a}", &stage.fill("{a}"));
        let arguments: Vec<_> = command.split(' ').chain(["--endpoint-url", &endpoint]).collect();
        let output = python::aws(&arguments, stage.path(), &env);
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
    started.elapsed()
}

fn median(mut run: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<_> = (0..5).map(|_| run()).collect();
    times.sort();
    times[2]
}
