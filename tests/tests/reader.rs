//! That `plan` and `drift`, which get a `Reader`, can write nothing: none of its calls may be a write.

use std::path::{Path, PathBuf};

/// How the names of calls that only read begin, in the words of each cloud's API.
const READS: [&str; 5] = ["get_", "list_", "head_", "search_", "check_"];

#[test]
fn readers_of_the_clouds_only_read() {
    // Of one thing there are fewer calls.
    for (cloud, least) in [("aws", 15), ("gcp", 15), ("azure", 15), ("auth0", 1), ("slack", 2)] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates").join(cloud).join("src/client");
        let files: Vec<_> = below(&folder).iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
        let (reads, writes) = (calls(&files, "impl Reader {\n"), calls(&files, "impl Writer {\n"));
        assert!(reads.len() > least && writes.len() > least, "{cloud}: {reads:?} {writes:?}");
        assert!(reads.iter().all(|call| is_read(call)), "{cloud}: {reads:?}");
        assert!(!writes.iter().any(|call| is_read(call)), "{cloud}: {writes:?}");
        assert!(files.iter().all(|file| file.matches("impl Reader").count() <= 1), "{cloud}: one block a file is read");
    }
}

/// Every file of a folder and of those in it.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
}

/// The calls in the block of one type, in every file.
fn calls<'a>(files: &'a [String], block: &str) -> Vec<&'a str> {
    let blocks = files.iter().filter_map(|file| file.split_once(block)?.1.split("\n}\n").next());
    blocks.flat_map(str::lines).filter_map(|line| line.trim().strip_prefix("pub(crate) async fn ")).collect()
}

fn is_read(call: &str) -> bool {
    READS.iter().any(|prefix| call.starts_with(prefix))
}
