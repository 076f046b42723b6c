//! Prints how long emptying a bucket takes and how much memory, beside `aws s3 rm --recursive`, both on the sandbox.
//!
//! `cargo bench -p provision-tests --bench emptying --profile dev`; `OBJECTS` says how many there are in the larger bucket, and
//! `PROVISION_BINARY` may name an optimised binary. Times on a shared machine are noisy: read the ratios.

#![expect(clippy::print_stdout, reason = "it prints its figures")]

use std::time::{Duration, Instant};

use provision_sandbox::EmulatorKind;
use provision_tests::python;
use provision_tests::run::binary;
use provision_tests::stage::Stage;

const PLAN: &str = "[deployment]\nname = \"wandb-{s}\"\nhost = \"https://wandb.example.com\"\n[aws]\nregion = \"eu-west-1\"\n\
                    [aws.bucket]\nname = \"acme-{s}\"\n";

/// Small objects under two prefixes, put by sixteen threads.
const FILL: &str = "
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(16) as pool:
  list(pool.map(lambda n: s3.put_object(Bucket='acme-{s}', Key=f'{n % 2}/{n:07}', Body=b'x'), range(OBJECTS)))
";

fn main() {
    let most: usize = std::env::var("OBJECTS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    println!("{:>8} {:>12} {:>10} {:>14} {:>10}", "objects", "provision s", "peak MiB", "aws s3 rm s", "ratio");
    for objects in [most / 10, most] {
        let (ours, peak) = destroyed(&filled(objects));
        let theirs = removed(&filled(objects));
        let ratio = theirs.as_secs_f64() / ours;
        println!("{objects:>8} {ours:>12.1} {peak:>10.1} {:>14.1} {ratio:>9.1}x", theirs.as_secs_f64());
    }
}

/// A bucket with so many objects.
fn filled(objects: usize) -> Stage {
    let stage = Stage::start(EmulatorKind::Aws);
    stage.write("provision.toml", PLAN);
    let ran = stage.run(&["aws", "apply", "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let _ = stage.hand().python(&FILL.replace("OBJECTS", &objects.to_string()));
    stage.faults().clear();
    stage
}

/// Seconds, and the most memory of the process.
fn destroyed(stage: &Stage) -> (f64, f64) {
    let bucket = stage.fill("acme-{s}");
    let script = format!(
        "import resource, subprocess, time; begun = time.time(); \
         subprocess.run([{:?}, 'aws', 'destroy', '--yes', '--delete-data', {bucket:?}], cwd={:?}, check=True, \
         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); \
         print(time.time() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)",
        binary(),
        stage.path()
    );
    let output = python::run(&script, &stage.environment());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut figures = printed.split_whitespace().map(|figure| figure.parse().unwrap());
    (figures.next().unwrap(), figures.next().unwrap())
}

fn removed(stage: &Stage) -> Duration {
    let mut env = stage.environment();
    let endpoint = env.iter().find(|(name, _)| name == "AWS_ENDPOINT_URL").unwrap().1.clone();
    env.push(("AWS_DEFAULT_REGION".to_owned(), "eu-west-1".to_owned()));
    let bucket = stage.fill("s3://acme-{s}");
    let arguments = ["s3", "rm", &bucket, "--recursive", "--quiet", "--endpoint-url", &endpoint];
    let started = Instant::now();
    let output = python::aws(&arguments, stage.path(), &env);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    started.elapsed()
}
