//! `tfvars`: values of Terraform's variables, which are named in lower case as Terraform's are
//! (<https://developer.hashicorp.com/terraform/language/values/variables#variable-definitions-tfvars-files>).

use super::written::known;
use crate::hcl;
use crate::output::Output;

pub(super) fn write(outputs: &[Output]) -> String {
    let lines: Vec<_> = known(outputs).map(|(output, value)| (output.name.to_lowercase(), hcl::text(value))).collect();
    let widest = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    lines.iter().map(|(name, value)| format!("{name:widest$} = {value}\n")).collect()
}
