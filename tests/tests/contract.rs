//! The promises of the tool, one case each, written once and run on every cloud and every server that stands in for it, as
//! `contract::<part>::<case>::<cloud>::<server>`.
//!
//! What a case needs to know of a cloud is data in `clouds`. MiniStack, which others wrote, has those cases that ask a server
//! something; where it does not have one, the list of cases says why.

mod apply;
mod byob;
mod destroy;
mod drift;
pub(crate) mod faults;
mod output;
pub(crate) mod preflight;
mod renaming;
mod reports;
mod saved;
mod sharing;
mod verify;

use crate::clouds::{AWS, AZURE, GCP};

#[test]
fn plan_on_all_three_clouds_looks_like_one_tool() {
    let plans = [
        (&AWS, include_str!("../../plans/aws-minimal.toml")),
        (&GCP, include_str!("../../plans/gcp-minimal.toml")),
        (&AZURE, include_str!("../../plans/azure-minimal.toml")),
    ];
    let screens = plans.map(|(cloud, plan_file)| {
        let stage = cloud.planned();
        stage.write("provision.toml", plan_file);
        let ran = cloud.run(&stage, &["plan"]);
        stage.fill(&format!("exit {}\n--- stdout\n{}--- stderr\n{}", ran.code, ran.stdout, ran.stderr))
    });
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"(127\.0\.0\.1|localhost):\d+", "$1:PORT");
    settings.add_filter(r"\(\d{12}\)", "(NUMBER)");
    settings.add_filter(r"service-\d{12}@", "service-NUMBER@");
    settings.bind(|| insta::assert_snapshot!("plan_on_all_three_clouds", screens.join("\n")));
}
