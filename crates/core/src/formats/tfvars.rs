//! `tfvars`: values of Terraform's variables, which are named in lower case as Terraform's are
//! (<https://developer.hashicorp.com/terraform/language/values/variables#variable-definitions-tfvars-files>).

use icu_normalizer::ComposingNormalizerBorrowed;

use super::written::{Unwritable, known};
use crate::hcl;
use crate::output::Output;

pub(super) fn write(outputs: &[Output]) -> Result<String, Unwritable> {
    let taken = |(index, (output, _)): &(usize, (&Output, &str))| {
        known(outputs).take(*index).any(|(other, _)| other.name.eq_ignore_ascii_case(&output.name))
    };
    if let Some((_, (output, _))) = known(outputs).enumerate().find(taken) {
        return Err(Unwritable::setting(output, "another setting has this name in lower case"));
    }
    // Every text is put into this form there (<https://github.com/zclconf/go-cty/blob/main/docs/types.md#string>).
    let composed = ComposingNormalizerBorrowed::new_nfc();
    if let Some((output, _)) = known(outputs).find(|(_, value)| !composed.is_normalized(value)) {
        return Err(Unwritable::setting(
            output,
            "Terraform would put other letters in the place of some (Unicode's NFC)",
        ));
    }
    let lines: Vec<_> = known(outputs).map(|(output, value)| (output.name.to_lowercase(), hcl::text(value))).collect();
    let widest = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    Ok(lines.iter().map(|(name, value)| format!("{name:widest$} = {value}\n")).collect())
}
