//! `provision schema`: the JSON Schema of plan files, from the types that read them.

use provision_aws::AwsSection;
use provision_azure::AzureSection;
use provision_core::plan_file;
use provision_gcp::GcpSection;
use schemars::JsonSchema as _;

use crate::commands::Ended;
use crate::exit::Exit;

pub(crate) fn run() -> Ended {
    let schema = plan_file::schema(|generator| {
        vec![
            ("aws", AwsSection::json_schema(generator)),
            ("gcp", GcpSection::json_schema(generator)),
            ("azure", AzureSection::json_schema(generator)),
        ]
    });
    crate::view::result(&format!("{schema:#}\n"));
    Ok(Exit::Done)
}
