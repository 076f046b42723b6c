//! What the built binary made in the sandbox's Google Cloud and Azure, read back by clients that others wrote.

mod azure;
mod gcp;

use std::process::{Command, Stdio};

use provision_sandbox::Sandbox;
use provision_tests::roots;
use provision_tests::run::{self, Ran};
use provision_tests::stage::PACE;

/// A folder with a plan file, and the variables of a sandbox.
struct Desk {
    folder: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Desk {
    fn new(sandbox: &Sandbox, plan: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("provision.toml"), plan).unwrap();
        roots::write(folder.path());
        // What the sandbox says comes last.
        let env = roots::variables(folder.path()).into_iter().chain(sandbox.environment()).collect();
        Self { folder, env }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(run::binary());
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var("PATH").unwrap_or_default()).env("HOME", self.folder.path());
        command.env("PROVISION_TEST_WAITS", PACE.to_string());
        command.envs(self.env.iter().cloned()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        run::finished(command.spawn().unwrap())
    }

    /// Run, expect success, and give what was printed.
    fn succeed(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}\n{}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// Whether nothing is left to do.
    fn is_settled(&self, cloud: &str) {
        let plan = self.succeed(&[cloud, "plan"]);
        assert!(plan.contains("No changes:"), "{plan}");
    }
}
