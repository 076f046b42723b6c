//! The contract suite and end-to-end runs of the built binary.
//!
//! - `contract`: every promise once, on every cloud and on MiniStack; `clouds` is what it knows of them.
//! - `attacks`: killed, fed garbage, answered by anything: what was tried, and what survived.
//! - `auth0`: the application that people sign in with, over its life, and what others have in it.
//! - `aws`: what AWS alone has: owners, regions, roles, attribute-based access control, large buckets.
//! - `azure`: what Azure alone has: accounts that are shared, accounts of another name, its credentials.
//! - `gcp`: what Google Cloud alone has: bindings that were there before us, accounts that deployments share.
//! - `help`: that each command, flag and value has a test.
//! - `docs`: that README and the pages in docs/ are what happens.
//! - `ci`: the files for CI, judged by linters and run step by step.
//! - `release`: what people install: archive, wheel, npm packages, SBOM, image, install script.
//! - `crossing`: a run paused at each of its requests while somebody else acts.
//! - `diff`: saved reports of drift side by side.
//! - `doctor`: environments that are as they should be, and broken ones.
//! - `telemetry`: traces for OpenTelemetry.
//! - `proxied`: every client through the proxy that the environment names.
//! - `fleet`: many plan files in one run: shared lists, shards, each in a row of its own.
//! - `foreign`: entries of others of any kind in every document that ours share with them.
//! - `walks`: plan files edited at random over the life of a deployment, on the three clouds.
//! - `messages`: whole screens: changes of every kind, every refusal and failure.
//! - `sweep`: a run killed or failing at every single write.
//! - `terminal`: what a person at a terminal sees.
//! - `sections`: all sections of a plan file at once.
//! - `slack`: the app of a deployment in Slack over its whole life.
//! - `streams`: what programs see: `--json`, `--trace`, heartbeats, the time limit.
//! - `outputs`: the settings, read back by what reads each format.
//! - `plan_file`: mistakes in plan files.
//! - `one_tool`: the screens of all providers over a whole life, in one document.
//! - `order`: that every file uses only files above it.
//! - `reader`: that what plans and looks for drift can write nothing.
//! - `rights`: each command with exactly the rights that are printed for it, and with each of them taken away.
//! - `properties`: random plan files and random edits.
//! - `sandbox`: `--sandbox` and `provision sandbox`.
//! - `readback`: what the binary made on Google Cloud and Azure, read back by clients that others wrote.
//! - `browser`: what a browser makes of the CORS rules.
//! - `sandbox_clients`: the sandbox under clients that others wrote.
//! - `sandbox_azure_clients`: Microsoft's Python clients against the sandbox.
//! - `sandbox_google_clients`: Google's own clients on the sandbox.

/// Each case as a test of its own on every cloud: of the first list on MiniStack too; of the second on the sandboxes alone,
/// for the reason that stands beside it.
macro_rules! contract {
    (everywhere: [$($case:ident,)*], sandboxes: [$($alone:ident = $reason:literal,)*],) => {
        $(mod $case {
            mod aws {
                #[test]
                fn ministack() {
                    super::super::$case(&crate::clouds::Place {
                        cloud: &crate::clouds::AWS,
                        backend: provision_tests::backend::Backend::MiniStack,
                    });
                }

                on_its_sandbox!($case, AWS);
            }

            mod gcp {
                on_its_sandbox!($case, GCP);
            }

            mod azure {
                on_its_sandbox!($case, AZURE);
            }
        })*
        $(#[doc = $reason]
        mod $alone {
            mod aws {
                on_its_sandbox!($alone, AWS);
            }

            mod gcp {
                on_its_sandbox!($alone, GCP);
            }

            mod azure {
                on_its_sandbox!($alone, AZURE);
            }
        })*
    };
}

/// Each case of AWS alone as a test of its own, like [`contract`].
macro_rules! aws_cases {
    (everywhere: [$($case:ident,)*], sandbox: [$($alone:ident = $reason:literal,)*],) => {
        $(mod $case {
            #[test]
            fn ministack() {
                super::$case(&crate::clouds::Place {
                    cloud: &crate::clouds::AWS,
                    backend: provision_tests::backend::Backend::MiniStack,
                });
            }

            #[test]
            fn sandbox() {
                super::$case(&crate::clouds::ON_SANDBOX);
            }
        })*
        $(#[doc = $reason]
        #[test]
        fn $alone() {
            alone::$alone(&crate::clouds::ON_SANDBOX);
        })*
    };
}

/// A case on the sandbox of a cloud.
macro_rules! on_its_sandbox {
    ($case:ident, $cloud:ident) => {
        #[test]
        fn sandbox() {
            super::super::$case(&crate::clouds::Place {
                cloud: &crate::clouds::$cloud,
                backend: provision_tests::backend::Backend::Sandbox,
            });
        }
    };
}

mod architecture;
mod attacks;
mod auth0;
mod aws;
mod azure;
mod browser;
mod ci;
mod clouds;
mod contract;
mod crossing;
mod diff;
mod docs;
mod doctor;
mod fleet;
mod foreign;
mod gcp;
mod help;
mod messages;
mod one_tool;
mod order;
mod outputs;
mod plan_file;
mod properties;
mod proxied;
mod readback;
mod reader;
mod release;
mod rights;
mod sandbox;
mod sandbox_azure_clients;
mod sandbox_clients;
mod sandbox_google_clients;
mod screens;
mod sections;
mod slack;
mod streams;
mod sweep;
mod telemetry;
mod terminal;
mod walks;

/// A file that is no module is not compiled, and nobody would notice.
#[test]
fn every_file_of_the_suite_is_a_module() {
    let suite = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let folders = [
        (".", include_str!("main.rs")),
        ("attacks", include_str!("attacks.rs")),
        ("aws", include_str!("aws.rs")),
        ("azure", include_str!("azure.rs")),
        ("contract", include_str!("contract.rs")),
        ("docs", include_str!("docs.rs")),
        ("outputs", include_str!("outputs.rs")),
        ("readback", include_str!("readback.rs")),
        ("sandbox_clients", include_str!("sandbox_clients.rs")),
    ];
    for (folder, declared) in folders {
        let entries = std::fs::read_dir(suite.join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        for name in names.filter_map(|name| name.strip_suffix(".rs").map(str::to_owned)).filter(|name| name != "main") {
            assert!(declared.contains(&format!("mod {name};\n")), "{folder}/{name}.rs is no module");
        }
    }
}
