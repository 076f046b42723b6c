//! The main job on an emulator: plan, apply, output, drift and destroy of `plans/aws.toml`, as a person would run them.
//!
//! `cargo build && cargo run -p provision-tests --example main_job`

#![expect(clippy::print_stdout, reason = "it is a demonstration")]

use provision_tests::backend::Backend;
use provision_tests::rig::Rig;

fn main() {
    let rig = Rig::new(Backend::MiniStack);
    rig.write("provision.toml", include_str!("../../plans/aws.toml"));
    // The role that the server runs as exists before provision comes.
    rig.make_role("wandb-node");
    let commands: [&[&str]; 5] = [
        &["aws", "plan"],
        &["aws", "apply", "--yes"],
        &["aws", "output"],
        &["aws", "drift"],
        &["aws", "destroy", "--yes"],
    ];
    for arguments in commands {
        println!("$ provision {}", arguments.join(" "));
        let ran = rig.run(arguments);
        println!("{}{}", ran.stderr, ran.stdout);
        assert_eq!(ran.code, 0, "`provision {}` failed", arguments.join(" "));
    }
}
