//! `--sandbox` and `provision sandbox`: a cloud in a folder, for the binary and for other clients.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use provision_tests::run::{Ran, binary, finished, signal};

/// A folder with the example plan files, and a binary without credentials, endpoints or anything else in its environment.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for (cloud, text) in [
            ("aws", include_str!("../../plans/aws.toml")),
            ("gcp", include_str!("../../plans/gcp.toml")),
            ("azure", include_str!("../../plans/azure.toml")),
        ] {
            std::fs::write(place.path().join(format!("{cloud}.toml")), text).unwrap();
        }
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn start(&self, arguments: &[&str], env: &[(&str, &str)]) -> Child {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(self.path()).env_clear().envs(env.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_in(arguments, &[])
    }

    fn run_in(&self, arguments: &[&str], env: &[(&str, &str)]) -> Ran {
        finished(self.start(arguments, env))
    }

    fn state(&self, file: &str) -> std::path::PathBuf {
        self.path().join(".provision/sandbox").join(file)
    }
}

/// The README's first command, job by job, each in a process of its own.
#[test]
fn main_job_runs_without_a_network_an_account_or_an_emulator() {
    let place = Place::new();
    for (cloud, setting) in [("aws", "BUCKET=s3://"), ("gcp", "BUCKET=gs://"), ("azure", "BUCKET=az://")] {
        let file = format!("{cloud}.toml");
        let job = |command: &str, more: &[&str]| {
            let arguments = [&[cloud, command, &file, "--sandbox"], more].concat();
            let ran = place.run(&arguments);
            assert_eq!(ran.code, 0, "{cloud} {command}: {}{}", ran.stdout, ran.stderr);
            assert!(ran.stderr.contains("sandbox .provision/sandbox: no real cloud is reached"), "{}", ran.stderr);
            ran.stdout
        };
        assert!(job("plan", &[]).contains("custom endpoint: sandbox"));
        assert!(job("apply", &["--yes"]).contains(setting));
        assert!(job("output", &["--no-secrets"]).contains(setting));
        assert!(job("drift", &[]).contains("in sync"));
        assert!(job("destroy", &["--yes"]).contains("Destroyed deployment"));
    }
}

/// The rights of drift are enough for plan, and not for apply, of which the one that is missing is named.
#[test]
fn serve_lets_an_identity_do_what_its_document_says() {
    for (cloud, missing) in [
        ("aws", "`s3:CreateBucket`"),
        ("gcp", "`storage.buckets.create`"),
        ("azure", "`Microsoft.Resources/subscriptions/resourceGroups/write`"),
    ] {
        let place = Place::new();
        let file = format!("{cloud}.toml");
        let rights = place.run(&[cloud, "permissions", &file, "--for", "drift"]);
        std::fs::write(place.path().join("rights"), rights.stdout).unwrap();
        let mut served = place.start(&["sandbox", "serve", "--identity", "rights", &file], &[]);
        let lines = BufReader::new(served.stdout.take().unwrap()).lines().map(Result::unwrap);
        let printed: Vec<_> = lines.take_while(|line| line != "ready").collect();
        let env: Vec<_> = printed.iter().filter_map(|line| line.split_once('=')).collect();
        let plan = place.run_in(&[cloud, "plan", &file], &env);
        assert_eq!(plan.code, 0, "{}{}", plan.stdout, plan.stderr);
        // The key of Google's identity is in a file, for its libraries.
        let key = env.iter().find(|(name, _)| *name == "GOOGLE_APPLICATION_CREDENTIALS").map(|(_, file)| *file);
        assert_eq!(key.is_some_and(|file| Path::new(file).exists()), cloud == "gcp", "{key:?}");
        let apply = place.run_in(&[cloud, "apply", &file, "--yes"], &env);
        assert!(apply.code != 0 && apply.stderr.contains(missing), "{}{}", apply.stdout, apply.stderr);
        signal(&served, "TERM");
        assert!(served.wait().unwrap().success());
    }
    let place = Place::new();
    std::fs::write(place.path().join("rights"), "{}").unwrap();
    let refused = place.run(&["sandbox", "serve", "--identity", "rights"]);
    assert!(refused.code == 64 && refused.stderr.contains("`--identity rights`"), "{}", refused.stderr);
}

/// A queue's name is taken for a minute after its deletion; who rehearses does not wait so long.
#[test]
fn rehearsal_does_not_wait_for_a_queues_name() {
    let place = Place::new();
    for command in ["apply", "destroy", "apply"] {
        let ran = place.run(&["aws", command, "aws.toml", "--sandbox", "--yes", "--timeout", "40"]);
        assert_eq!(ran.code, 0, "{command}: {}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn sandbox_looks_at_no_real_credential_or_endpoint() {
    let place = Place::new();
    let real = [
        ("AWS_PROFILE", "nope"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"),
        ("AWS_ACCESS_KEY_ID", "real"),
        ("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/nope"),
        ("AZURE_RESOURCE_MANAGER_ENDPOINT", "https://127.0.0.1:1"),
        ("AZURE_CLIENT_SECRET", "real"),
    ];
    for cloud in ["aws", "gcp", "azure"] {
        let ran = place.run_in(&[cloud, "plan", &format!("{cloud}.toml"), "--sandbox=elsewhere"], &real);
        assert_eq!(ran.code, 0, "{cloud}: {}{}", ran.stdout, ran.stderr);
    }
    assert!(place.path().join("elsewhere").is_dir());
}

#[test]
fn default_folder_is_kept_out_of_the_user_s_repository() {
    let place = Place::new();
    let ignore = place.path().join(".provision/.gitignore");
    assert_eq!(place.run(&["aws", "plan", "aws.toml", "--sandbox=elsewhere"]).code, 0);
    assert!(!place.path().join(".gitignore").exists() && !place.path().join("elsewhere/.gitignore").exists());
    assert_eq!(place.run(&["aws", "plan", "aws.toml", "--sandbox"]).code, 0);
    assert_eq!(std::fs::read_to_string(&ignore).unwrap(), "*\n");
    std::fs::write(&ignore, "theirs").unwrap();
    assert_eq!(place.run(&["aws", "plan", "aws.toml", "--sandbox"]).code, 0);
    assert_eq!(std::fs::read_to_string(&ignore).unwrap(), "theirs");
}

#[test]
fn state_held_by_another_process_says_by_whom() {
    let place = Place::new();
    let (mut server, _) = serve(&place, &[]);
    let ran = place.run(&["aws", "plan", "aws.toml", "--sandbox"]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains(&server.id().to_string()), "{}", ran.stderr);
    server.kill().unwrap();
    let _ = server.wait();
    assert_eq!(place.run(&["aws", "plan", "aws.toml", "--sandbox"]).code, 0, "a killed holder holds nothing");
}

#[test]
fn damaged_state_is_an_error_and_a_torn_end_a_warning() {
    let place = Place::new();
    assert_eq!(place.run(&["aws", "apply", "aws.toml", "--sandbox", "--yes"]).code, 0);
    for file in ["journal", "snapshot"] {
        let bytes = std::fs::read(place.state(file)).unwrap();
        let mut damaged = bytes.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        std::fs::write(place.state(file), &damaged).unwrap();
        let ran = place.run(&["aws", "plan", "aws.toml", "--sandbox"]);
        assert!(
            ran.code == 1 && ran.stderr.contains("cannot start the sandbox"),
            "{file}: {}{}",
            ran.stdout,
            ran.stderr
        );
        assert!(ran.stderr.contains("`provision sandbox reset --dir .provision/sandbox`"), "{file}: {}", ran.stderr);
        std::fs::write(place.state(file), &bytes).unwrap();
    }
    let mut journal = std::fs::read(place.state("journal")).unwrap();
    journal.extend(b"a change that was not wri");
    std::fs::write(place.state("journal"), journal).unwrap();
    let torn = place.run(&["aws", "drift", "aws.toml", "--sandbox"]);
    assert!(torn.code == 0 && torn.stderr.contains("was not written to its end, and is dropped"), "{}", torn.stderr);
    let mended = place.run(&["aws", "drift", "aws.toml", "--sandbox"]);
    assert!(mended.code == 0 && !mended.stderr.contains("is dropped"), "{}", mended.stderr);
    assert_eq!(place.run(&["sandbox", "reset"]).code, 0);
    assert_eq!(place.run(&["aws", "drift", "aws.toml", "--sandbox"]).code, 2, "nothing is left after a reset");
}

#[test]
fn serve_prints_what_clients_need_and_the_binary_obeys_it() {
    let place = Place::new();
    let (mut server, variables) = serve(&place, &[]);
    let env: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for name in [
        "AWS_ENDPOINT_URL",
        "STORAGE_EMULATOR_HOST",
        "PUBSUB_EMULATOR_HOST",
        "AZURE_RESOURCE_MANAGER_ENDPOINT",
        "SSL_CERT_FILE",
    ] {
        assert!(env.iter().any(|(known, _)| *known == name), "{name} is missing");
    }
    let minimal = "[deployment]\nname = \"served\"\nhost = \"https://wandb.example.com\"\n[aws]\n[aws.bucket]\nname = \"served-files\"\n";
    std::fs::write(place.path().join("provision.toml"), minimal).unwrap();
    let applied = place.run_in(&["aws", "apply", "--yes"], &env);
    assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
    signal(&server, "TERM");
    assert_eq!(server.wait().unwrap().code(), Some(0));
    // The same folder, inside the command.
    assert_eq!(place.run(&["aws", "drift", "--sandbox"]).code, 0);
}

/// The management application signs with a key in the place of its secret.
#[test]
fn serve_makes_a_key_for_auth0() {
    let place = Place::new();
    std::fs::write(place.path().join("auth0.toml"), include_str!("../../plans/auth0.toml")).unwrap();
    let (mut server, variables) = serve(&place, &["auth0.toml"]);
    let pem = std::fs::read_to_string(place.state("auth0-key.pem")).unwrap();
    let plan = |key: &str| {
        let secret = |(name, _): &&(String, String)| name != "AUTH0_CLIENT_SECRET";
        let env = variables.iter().filter(secret).map(|(name, value)| (name.as_str(), value.as_str()));
        let env: Vec<_> = env.chain([("AUTH0_CLIENT_ASSERTION_PRIVATE_KEY", key)]).collect();
        place.run_in(&["auth0", "plan", "auth0.toml"], &env)
    };
    let signed = plan(&pem);
    assert_eq!(signed.code, 0, "{}{}", signed.stdout, signed.stderr);
    assert_eq!(plan(&rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap().serialize_pem()).code, 4);
    let _ = server.kill();
    let _ = server.wait();
}

/// The group and the account of a plan file that makes neither, by the command itself and by a server.
#[test]
fn what_a_plan_file_uses_and_does_not_make_is_there() {
    let text = "[deployment]\nname = \"guest\"\nhost = \"https://wandb.example.com\"\n[azure]\n\
        subscription = \"5a4db0c5-0000-4000-8000-000000000009\"\nresource_group = { name = \"theirs\" }\n\
        [azure.account]\nname = \"theirfiles\"\ncreate = false\n[azure.container]\nname = \"guest-files\"\n\
        [azure.access]\nprincipal_id = \"11111111-1111-1111-1111-111111111111\"\n";
    let place = Place::new();
    std::fs::write(place.path().join("guest.toml"), text).unwrap();
    for (command, more) in [("apply", &["--yes"][..]), ("drift", &[]), ("destroy", &["--yes"])] {
        let ran = place.run(&[&["azure", command, "guest.toml", "--sandbox=inside"], more].concat());
        assert_eq!(ran.code, 0, "{command}: {}{}", ran.stdout, ran.stderr);
    }
    let (mut server, variables) = serve(&place, &["guest.toml"]);
    let env: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let ran = place.run_in(&["azure", "apply", "guest.toml", "--yes"], &env);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let _ = server.kill();
    let _ = server.wait();
}

#[test]
fn serve_misbehaves_as_a_file_says() {
    let place = Place::new();
    let faults = "[[fault]]\noperation = \"s3:PutBucketCors\"\nnth = \"every\"\nwhat = { error = { status = 403, code = \"AccessDenied\", message = \"rehearsed\" } }\n";
    std::fs::write(place.path().join("faults.toml"), faults).unwrap();
    let (mut server, variables) = serve(&place, &["--faults", "faults.toml"]);
    let env: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let text = include_str!("../../plans/aws-minimal.toml");
    std::fs::write(place.path().join("provision.toml"), without_access(text)).unwrap();
    let ran = place.run_in(&["aws", "apply", "--yes"], &env);
    assert!(ran.code == 5 && ran.stderr.contains("rehearsed"), "{}{}", ran.stdout, ran.stderr);
    let _ = server.kill();
    let _ = server.wait();
    std::fs::write(place.path().join("faults.toml"), "[[fault]]\noperatoin = \"x\"\n").unwrap();
    let broken = place.run(&["sandbox", "serve", "--faults", "faults.toml"]);
    assert!(broken.code == 64 && broken.stderr.contains("faults.toml"), "{}", broken.stderr);
}

#[test]
fn served_on_the_port_and_in_the_folder_that_are_asked_for() {
    let place = Place::new();
    // The ports that follow must be free too, which nobody can promise: some are tried, below those that systems hand out.
    let first = 20_000 + u16::try_from(std::process::id() % 1_000).unwrap() * 8;
    let (port, (mut server, variables)) = (0..20)
        .map(|attempt| first + attempt * 8)
        .map(|port| (port, serve(&place, &["--port", &port.to_string(), "--dir", "elsewhere"])))
        .find(|(_, (_, variables))| !variables.is_empty())
        .unwrap();
    let endpoint = variables.iter().find(|(name, _)| name == "AWS_ENDPOINT_URL");
    assert_eq!(endpoint.map(|(_, url)| url.as_str()), Some(format!("http://127.0.0.1:{port}").as_str()));
    let held = place.run(&["sandbox", "reset", "--dir", "elsewhere"]);
    assert!(held.code == 1 && held.stderr.contains(&server.id().to_string()), "{}", held.stderr);
    signal(&server, "TERM");
    assert_eq!(server.wait().unwrap().code(), Some(0));
    assert!(place.path().join("elsewhere/snapshot").exists());
    assert_eq!(place.run(&["sandbox", "reset", "--dir", "elsewhere"]).code, 0);
    assert!(!place.path().join("elsewhere/snapshot").exists());
}

/// The plan file's role is there too: it was given to the server.
#[test]
fn queue_s_name_is_free_after_a_minute_in_real_time_and_after_a_second_otherwise() {
    for (more, code) in [(&["aws.toml"][..], 0), (&["--real-time", "aws.toml"], 5)] {
        let place = Place::new();
        let (mut server, variables) = serve(&place, more);
        let env: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        for command in ["apply", "destroy"] {
            let ran = place.run_in(&["aws", command, "aws.toml", "--yes"], &env);
            assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        }
        let again = place.run_in(&["aws", "apply", "aws.toml", "--yes", "--timeout", "8"], &env);
        assert_eq!(again.code, code, "{}{}", again.stdout, again.stderr);
        let _ = server.kill();
        let _ = server.wait();
    }
}

/// Nobody made the role that an example takes for granted.
fn without_access(text: &str) -> String {
    text.split("[aws.access]").next().unwrap_or_default().to_owned()
}

/// Start a server and read its variables, up to `ready`.
fn serve(place: &Place, more: &[&str]) -> (Child, Vec<(String, String)>) {
    let mut server = place.start(&[&["sandbox", "serve"], more].concat(), &[]);
    let lines = BufReader::new(server.stdout.as_mut().unwrap()).lines();
    let told: Vec<String> = lines.map(Result::unwrap).take_while(|line| line != "ready").collect();
    let variables = told.iter().filter_map(|line| line.split_once('='));
    (server, variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}
