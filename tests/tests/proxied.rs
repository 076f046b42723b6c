//! Every client goes through the proxy that the environment names, and past it where the environment says so.

use provision_sandbox::EmulatorKind;
use provision_tests::proxy_server::ForwardProxy;
use provision_tests::run::Ran;
use provision_tests::stage::Stage;

use crate::clouds::{AWS, AZURE, GCP};
use crate::{auth0, slack};

/// Where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";

fn plan(provider: &str, stage: &Stage, proxy: &str, past: Option<&str>) -> Ran {
    stage.run_with(&[provider, "plan"], |command| {
        command.env("HTTP_PROXY", proxy).env("HTTPS_PROXY", proxy);
        command.envs(past.map(|hosts| ("NO_PROXY", hosts)));
    })
}

fn goes_through_the_proxy(provider: &str, stage: &Stage) {
    let proxy = ForwardProxy::start();
    let ran = plan(provider, stage, &proxy.url(), None);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let asked = proxy.asked();
    assert!(!asked.is_empty(), "{provider} asked nobody");
    // Whatever was sent went that way: with nobody there nothing comes.
    let ran = plan(provider, stage, NOBODY, None);
    assert!([1, 4].contains(&ran.code), "{}{}", ran.stdout, ran.stderr);
    let ran = plan(provider, stage, NOBODY, Some("127.0.0.1,localhost"));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

mod every_client_goes_through_the_proxy_and_past_it_where_it_is_told_to {
    use super::*;

    #[test]
    fn aws() {
        goes_through_the_proxy("aws", &AWS.planned());
    }

    #[test]
    fn gcp() {
        goes_through_the_proxy("gcp", &GCP.planned());
    }

    #[test]
    fn azure() {
        goes_through_the_proxy("azure", &AZURE.planned());
    }

    #[test]
    fn auth0() {
        let stage = super::auth0::stage();
        stage.write("provision.toml", super::auth0::PLAN_FILE);
        goes_through_the_proxy("auth0", &stage);
    }

    #[test]
    fn slack() {
        let stage = Stage::start(EmulatorKind::Slack);
        stage.write("provision.toml", super::slack::PLAN);
        goes_through_the_proxy("slack", &stage);
    }
}
