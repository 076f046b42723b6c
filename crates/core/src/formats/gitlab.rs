//! `gitlab`: a dotenv report, whose variables later jobs get
//! (<https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv>). Whoever may see the job may read it, so that no
//! secret goes into it.

use super::written::{Unwritable, Written, known, left_out};
use crate::output::{Output, Setting};

/// The most bytes of a report: GitLab takes no larger one than 5 KB.
const LARGEST: usize = 5 << 10;

/// The most variables of a report that GitLab takes at all, and from everybody: 50 on Free, 100 on Premium, 150 on Ultimate
/// (<https://docs.gitlab.com/ci/variables/#pass-an-environment-variable-to-another-job>,
/// <https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv>).
const MOST: usize = 150;
const MOST_ON_FREE: usize = 50;

pub(super) fn write(outputs: &[Output]) -> Result<Written, Unwritable> {
    let (plain, secret): (Vec<_>, Vec<_>) = outputs.iter().cloned().partition(|output| !output.is_sensitive());
    let text = known(&plain).map(|(output, value)| line(output, value)).collect::<Result<String, _>>()?;
    if text.len() >= LARGEST {
        return Err(Unwritable::whole("GitLab takes reports of less than 5 KB, and these settings have more"));
    }
    let many = known(&plain).count();
    if many > MOST {
        return Err(Unwritable::whole(format!(
            "GitLab takes reports of {MOST} variables, and these settings are {many}"
        )));
    }
    let too_many =
        format!("these are {many} variables: GitLab takes {MOST_ON_FREE} on Free, 100 on Premium, {MOST} on Ultimate");
    let too_many = (many > MOST_ON_FREE).then_some(too_many);
    let report = "no secret goes into a report: make it a masked variable of the project";
    let there = secret.iter().filter(|output| matches!(output.value, Setting::Sealed | Setting::Revealed(_)));
    let notes = there.map(|output| format!("{} is left out: {report}", output.name)).chain(left_out(&secret));
    Ok(Written { notes: notes.chain(too_many).collect(), ..Written::of(text) })
}

/// GitLab knows neither quotes nor escapes there, and takes away white space at both ends.
fn line(output: &Output, value: &str) -> Result<String, Unwritable> {
    if value.contains(['\n', '\r']) || value.trim() != value {
        return Err(Unwritable::setting(output, "a value is one line there, with no white space at its ends"));
    }
    Ok(format!("{}={value}\n", output.name))
}
