//! `provision report merge`: one report of those that the shards of a drift wrote.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use provision_core::file;
use provision_core::{Error, ErrorKind};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::arguments::{Global, Shard};
use crate::exit::{CommandResult, Failure};
use crate::reports::Reporting;
use crate::view::json::former;
use crate::view::{Looked, View};

/// The most bytes of a report: ten thousand deployments.
const LARGEST: u64 = 512 << 20;
/// How long after the first shard of a run the last one may begin: less than from one night to the next.
const LONGEST_RUN: Duration = Duration::from_hours(12);

pub(super) fn run(paths: &[PathBuf], reporting: Reporting, global: &Global, view: &dyn View) -> CommandResult {
    reporting.can_write(&paths.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
    let mut merged = Looked::default();
    let mut shards = BTreeMap::new();
    let mut count = None;
    let reports: Vec<_> = paths.iter().map(|path| read(path).map(|looked| (begun(&looked), looked))).collect();
    let latest = reports.iter().flatten().filter_map(|(begun, _)| *begun).max();
    for (path, report) in paths.iter().zip(reports) {
        let looked = match report.and_then(|(begun, looked)| of_one_run(begun, latest).map(|()| looked)) {
            Ok(looked) => looked,
            Err(error) => {
                merged.errors.push(error.with_plan_file(&path.display().to_string()));
                continue;
            }
        };
        merged.began = earlier(merged.began, looked.began);
        if let Some(shard) = looked.shard {
            let expected = *count.get_or_insert(shard.count);
            fits(shard, expected, shards.insert(shard.index, path), path)?;
        }
        merged.sets.extend(looked.sets);
        merged.errors.extend(looked.errors);
    }
    let missing = (1..=count.unwrap_or_default()).filter(|index| !shards.contains_key(index));
    merged.errors.extend(missing.map(|index| missing_shard(index, count.unwrap_or_default())));
    reporting.tell_drift(merged, global, view)
}

/// When the look of a report began.
fn begun(looked: &Looked) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(looked.began.as_deref()?, &Rfc3339).ok()
}

/// What was looked at long before the others says nothing of how it is now: it is last night's.
fn of_one_run(begun: Option<OffsetDateTime>, latest: Option<OffsetDateTime>) -> Result<(), Error> {
    match (begun, latest) {
        (Some(begun), Some(latest)) if latest - begun > LONGEST_RUN => {
            let hours = (latest - begun).whole_hours();
            let error = Error::new(ErrorKind::Unexpected, format!("it was looked at {hours} hours before the others"));
            Err(error.with_hint("merge the reports of one run: this one is of an earlier run"))
        }
        _ => Ok(()),
    }
}

/// The earlier one of two times, which are both of UTC.
fn earlier(one: Option<String>, other: Option<String>) -> Option<String> {
    one.into_iter().chain(other).min()
}

/// Shards are all of one run, and each is there once.
fn fits(shard: Shard, count: u64, other: Option<&PathBuf>, path: &Path) -> Result<(), Failure> {
    let path = path.display();
    if shard.count != count {
        return Err(Failure::Usage(format!("`{path}` is shard {shard}, and another report is one of {count}")));
    }
    match other {
        Some(other) => Err(Failure::Usage(format!("`{path}` and `{}` are both shard {shard}", other.display()))),
        None => Ok(()),
    }
}

fn missing_shard(index: u64, count: u64) -> Error {
    let name = format!("shard {index}/{count}");
    let error = Error::new(ErrorKind::Unexpected, format!("{name} is not among these reports"));
    error.with_plan_file(&name).with_hint("name its report too; where there is none, look at how its job ended")
}

fn read(path: &Path) -> Result<Looked, Error> {
    let unreadable = |reason: String| {
        Error::new(ErrorKind::Unexpected, format!("cannot read report `{}`", path.display())).with_message(reason)
    };
    let bytes = file::read(path, LARGEST).map_err(|error| unreadable(error.to_string()))?;
    former::looked(&bytes).map_err(unreadable)
}
