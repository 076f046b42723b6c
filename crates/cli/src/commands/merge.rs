//! `provision report merge`: one report of those that the shards of a drift wrote.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use provision_core::file;
use provision_core::{Error, ErrorKind};

use crate::arguments::{Global, Shard};
use crate::exit::{CommandResult, Failure};
use crate::reports::Reporting;
use crate::view::json::former;
use crate::view::{Looked, View};

/// The most bytes of a report: ten thousand deployments.
const LARGEST: u64 = 512 << 20;

pub(super) fn run(paths: &[PathBuf], reporting: Reporting, global: &Global, view: &dyn View) -> CommandResult {
    reporting.can_write(&paths.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
    let mut merged = Looked::default();
    let mut shards = BTreeMap::new();
    let mut count = None;
    for path in paths {
        let looked = match read(path) {
            Ok(looked) => looked,
            Err(error) => {
                merged.errors.push(error.with_plan_file(&path.display().to_string()));
                continue;
            }
        };
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
