//! Prints request and wave counts, and whole-process times as ratios against the same work in boto3.
//!
//! `cargo build --release && cargo bench -p provision-tests`. Times on a shared machine are noisy: read the ratios.

#![expect(clippy::print_stdout, reason = "it prints its figures")]

use std::time::{Duration, Instant};

use provision_tests::backend::Backend;
use provision_tests::python;
use provision_tests::rig::{Rig, binary};

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

fn main() {
    itself();
    counts();
    for latency in [0, 50] {
        side_by_side(Duration::from_millis(latency));
    }
}

fn planned(latency: Duration) -> Rig {
    let rig = Rig::new(Backend::MiniStack);
    rig.write("provision.toml", PLAN);
    rig.make_role("node");
    rig.proxy.set_latency(latency);
    rig
}

/// Requests, waves and wall time with 100 ms a request.
fn counts() {
    let rig = planned(Duration::from_millis(100));
    println!("{:<10} {:>8} {:>6} {:>8} {:>22}", "command", "requests", "waves", "wall s", "wall / (waves x 0.1 s)");
    for (name, arguments) in [
        ("plan", &["aws", "plan"][..]),
        ("apply", &["aws", "apply", "--yes"]),
        ("destroy", &["aws", "destroy", "--yes"]),
    ] {
        rig.proxy.clear();
        let ran = rig.run(arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let (wall, waves) = (ran.elapsed.as_secs_f64(), rig.proxy.waves());
        let ratio = wall / (f64::from(u32::try_from(waves).unwrap_or(1)) * 0.1);
        println!("{name:<10} {:>8} {waves:>6} {wall:>8.2} {ratio:>22.2}", rig.proxy.records().len());
    }
}

/// Size of the binary, time to start, memory at its peak in an apply.
fn itself() {
    let size = std::fs::metadata(binary()).map(|file| file.len()).unwrap_or_default();
    let rig = planned(Duration::ZERO);
    let mut starts: Vec<_> = (0..20).map(|_| rig.run(&["--version"]).elapsed).collect();
    starts.sort();
    let script = format!(
        "import resource, subprocess; subprocess.run([{:?}, 'aws', 'apply', '--yes'], cwd={:?}, check=True, stdout=subprocess.DEVNULL, \
         stderr=subprocess.DEVNULL); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)",
        binary(),
        rig.path()
    );
    let output = python::run(&script, &rig.environment());
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
        let rig = planned(latency);
        let ran = rig.run(&["aws", "apply", "--yes", "-q"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.elapsed
    });
    println!("\nthrough {} ms a request: provision apply {ours:.2?}", latency.as_millis());
    for (name, order) in [("boto3 in sequence", IN_SEQUENCE), ("boto3 with threads", IN_THREADS)] {
        let theirs = median(|| {
            let rig = planned(latency);
            let started = Instant::now();
            rig.boto3_through_proxy(&format!("{BOTO3}{order}"));
            started.elapsed()
        });
        println!("  {name:<20} {theirs:>8.2?}  {:>5.1} x", theirs.as_secs_f64() / ours.as_secs_f64());
    }
    let theirs = aws_cli(latency);
    println!("  {:<20} {theirs:>8.2?}  {:>5.1} x (one run)", "aws-cli", theirs.as_secs_f64() / ours.as_secs_f64());
}

/// One run of the commands, one after the other.
fn aws_cli(latency: Duration) -> Duration {
    let rig = planned(latency);
    let bucket = format!("cli-{}", rig.suffix);
    let endpoint = format!("http://{}", rig.proxy.address);
    let mut env = rig.environment();
    env.push(("AWS_DEFAULT_REGION".to_owned(), "eu-west-1".to_owned()));
    let started = Instant::now();
    for command in AWS_CLI {
        let command = command.replace("{b}", &bucket).replace("{a}", &rig.account);
        let arguments: Vec<_> = command.split(' ').chain(["--endpoint-url", &endpoint]).collect();
        let output = python::aws(&arguments, rig.path(), &env);
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
    started.elapsed()
}

fn median(mut run: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<_> = (0..5).map(|_| run()).collect();
    times.sort();
    times[2]
}
