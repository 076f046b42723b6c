//! A machine on which things are missing: no home, a full disk, closed streams, other locales.

use std::process::{Command, Stdio};

use provision_tests::run::{binary, finished};

use super::{ended_well, try_each};
use crate::clouds::{AWS, AZURE, CloudFixture, GCP};

/// What is done to the process that runs the command, in the words of a shell.
const SHELLS: [&str; 12] = [
    "exec \"$@\"",
    "\"$@\" | head -1",
    "exec \"$@\" >&-",
    "exec \"$@\" 2>&-",
    "exec \"$@\" < /dev/null > /dev/full",
    "exec \"$@\" 2> /dev/full",
    "ulimit -n 40; exec \"$@\"",
    "ulimit -f 0; exec \"$@\"",
    "unset HOME; exec \"$@\"",
    "HOME=/none TMPDIR=/none XDG_CONFIG_HOME=/none; export HOME TMPDIR XDG_CONFIG_HOME; exec \"$@\"",
    "LANG=tr_TR.UTF-8 LC_ALL=C TZ=Pacific/Chatham COLUMNS=1 TERM=dumb; export LANG LC_ALL TZ COLUMNS TERM; exec \"$@\"",
    "cd /; exec \"$@\"",
];

#[test]
fn streams_limits_and_environments() {
    let clouds = [&AWS, &GCP, &AZURE];
    let all: Vec<_> = SHELLS.iter().flat_map(|shell| clouds.map(|cloud| (*shell, cloud))).collect();
    try_each("surroundings", &super::sample(&all, 4), |(shell, cloud)| under(shell, cloud));
}

/// The command under a shell ends by itself, and the same command without it does the rest.
fn under(shell: &str, cloud: &CloudFixture) -> Result<(), String> {
    let stage = cloud.planned();
    let plan_file = stage.path().join("provision.toml");
    let mut command = Command::new("sh");
    command.args(["-c", shell, "sh"]).arg(binary()).args([cloud.name, "apply", "--yes"]).arg(plan_file);
    command.current_dir(stage.path()).env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
    command.envs(stage.environment()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = finished(command.spawn().unwrap());
    ended_well(&ran, &[0, 1, 4, 5], &format!("{} under {shell}", cloud.name))?;
    cloud.apply(&stage);
    cloud.is_in_sync(&stage);
    Ok(())
}
