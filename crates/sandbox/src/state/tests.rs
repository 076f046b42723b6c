use std::path::Path;

use super::*;

fn put(store: &Store, key: &str, value: &str) {
    store.transaction(|state| state.put(key, &value)).unwrap();
}

fn entries(store: &Store) -> Vec<(String, String)> {
    store.transaction(|state| state.scan("")).unwrap()
}

fn opened(folder: &Path) -> Store {
    let (store, warnings) = Store::open(folder).unwrap();
    // Most tests drop a store without closing it, as when the process is killed.
    assert!(warnings.iter().all(|warning| warning.contains("it was not closed")), "{warnings:?}");
    store
}

fn refusal(folder: &Path) -> String {
    Store::open(folder).unwrap_err().to_string()
}

#[test]
fn transaction_that_fails_changes_nothing() {
    let store = Store::in_memory();
    put(&store, "a", "1");
    let failed: Result<(), Error> = store.transaction(|state| {
        state.put("a", &"2")?;
        state.put("b", &"3")?;
        state.delete("a");
        Err(Error::Closed)
    });
    assert!(failed.is_err());
    assert_eq!(entries(&store), [("a".to_owned(), "1".to_owned())]);
}

#[test]
fn keys_come_in_order_after_a_key_and_of_one_prefix() {
    let store = Store::in_memory();
    ["b/1", "b/2", "b/3", "a/1", "c"].iter().for_each(|key| put(&store, key, ""));
    let keys = |after| {
        let keys = |state: &mut Transaction<'_>| Ok(state.keys("b/", after).map(str::to_owned).collect::<Vec<_>>());
        store.transaction::<_, Error>(keys).unwrap()
    };
    assert_eq!(keys(None), ["b/1", "b/2", "b/3"]);
    assert_eq!(keys(Some("b/1")), ["b/2", "b/3"]);
    assert_eq!(keys(Some("a")), ["b/1", "b/2", "b/3"]);
}

#[test]
fn state_is_kept_between_processes() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    put(&store, "a", "1");
    put(&store, "b", "2");
    // Dropped without being closed, as when the process is killed.
    drop(store);
    let store = opened(folder.path());
    store.transaction::<_, Error>(|state| Ok(state.delete("a"))).unwrap();
    store.close().unwrap();
    assert!(folder.path().join("snapshot").exists());
    let store = opened(folder.path());
    assert_eq!(entries(&store), [("b".to_owned(), "2".to_owned())]);
    put(&store, "c", "3");
    drop(store);
    assert_eq!(entries(&opened(folder.path())).len(), 2);
}

#[test]
fn journal_cut_off_at_any_byte_keeps_everything_but_the_torn_record() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    put(&store, "0", "kept in the snapshot");
    store.close().unwrap();
    let store = opened(folder.path());
    let path = folder.path().join("journal");
    let mut whole = vec![std::fs::metadata(&path).unwrap().len()];
    for number in 1..6 {
        put(&store, &number.to_string(), "of one \u{e9}ntry\nand another line");
        whole.push(std::fs::metadata(&path).unwrap().len());
    }
    drop(store);
    let bytes = std::fs::read(&path).unwrap();
    for cut in 0..=bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let (store, warnings) = Store::open(folder.path()).unwrap();
        let kept = whole.iter().filter(|end| **end <= cut as u64).count();
        assert_eq!(entries(&store).len(), kept.max(1), "cut at {cut}");
        // Either the last record is torn, or the journal was not closed.
        let incomplete = cut > 0 && cut as u64 != whole[0];
        assert_eq!(warnings.len(), usize::from(incomplete), "cut at {cut}: {warnings:?}");
        // What comes after the torn record is readable too.
        put(&store, "z", "later");
        drop(store);
        assert_eq!(entries(&opened(folder.path())).len(), kept.max(1) + 1, "cut at {cut}");
    }
}

#[test]
fn damage_anywhere_else_is_an_error_that_names_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    put(&store, "a", "1");
    store.close().unwrap();
    let store = opened(folder.path());
    put(&store, "b", "2");
    put(&store, "c", "3");
    drop(store);
    for name in ["journal", "snapshot"] {
        let path = folder.path().join(name);
        let bytes = std::fs::read(&path).unwrap();
        for at in (0..bytes.len()).filter(|at| bytes[*at] != b'\n') {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            let line = bytes[..at].split(|byte| *byte == b'\n').count();
            let text = refusal(folder.path());
            assert!(text.contains(&format!("line {line}")) && text.contains(name), "{name} at {at}: {text}");
        }
        std::fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(entries(&opened(folder.path())).len(), 3);
}

#[test]
fn lines_that_are_missing_doubled_or_moved_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    let large = "x".repeat(1000);
    ["a", "b", "c", "d"].iter().for_each(|key| put(&store, key, &large));
    store.close().unwrap();
    let store = opened(folder.path());
    ["a", "b", "c"].iter().for_each(|key| put(&store, key, "small"));
    // Small beside its snapshot, so that it stays.
    store.close().unwrap();
    let (_, warnings) = Store::open(folder.path()).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let path = folder.path().join("journal");
    let store = opened(folder.path());
    store.close().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    assert_eq!(lines.len(), 5, "{text}");
    for order in [&[0, 0, 1, 2, 3, 4][..], &[0, 2, 3, 4], &[0, 1, 1, 2, 3, 4], &[0, 2, 1, 3, 4], &[0, 1, 2, 4]] {
        std::fs::write(&path, order.iter().map(|line| lines[*line]).collect::<String>()).unwrap();
        assert!(refusal(folder.path()).contains("damaged"), "{order:?}");
    }
    std::fs::write(&path, lines[..3].concat()).unwrap();
    let (_, warnings) = Store::open(folder.path()).unwrap();
    assert!(warnings[0].contains("it was not closed"), "{warnings:?}");
}

#[cfg(unix)]
#[test]
fn folder_is_its_owner_s_alone_and_no_link_is_followed() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (state, target) = (folder.path().join("state"), folder.path().join("target"));
    drop(opened(&state));
    assert_eq!(std::fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
    std::fs::write(&target, "theirs").unwrap();
    for name in ["lock", "journal", "snapshot", crate::tls::FILE] {
        let _ = std::fs::remove_file(state.join(name));
        std::os::unix::fs::symlink(&target, state.join(name)).unwrap();
        assert!(refusal(&state).contains("it is a link"), "{name}");
        std::fs::remove_file(state.join(name)).unwrap();
    }
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&state, &link).unwrap();
    assert!(refusal(&link).contains("it is a link"));
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "theirs");
}

#[test]
fn snapshot_that_is_cut_off_or_gone_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    put(&store, "a", "1");
    store.close().unwrap();
    let path = folder.path().join("snapshot");
    let bytes = std::fs::read(&path).unwrap();
    for cut in 0..bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        assert!(refusal(folder.path()).contains("damaged"), "cut at {cut}");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(refusal(folder.path()).contains("its snapshot is missing"));
    std::fs::write(&path, &bytes).unwrap();
    std::fs::remove_file(folder.path().join("journal")).unwrap();
    assert!(refusal(folder.path()).contains("no journal"));
}

#[test]
fn journal_older_than_its_snapshot_is_contained_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    put(&store, "a", "1");
    let journal = std::fs::read(folder.path().join("journal")).unwrap();
    store.close().unwrap();
    // As after a crash between the new snapshot and the new journal.
    std::fs::write(folder.path().join("journal"), journal).unwrap();
    assert_eq!(entries(&opened(folder.path())).len(), 1);
}

#[test]
fn newer_format_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let header = line::seal(r#"{"sandbox":"journal","format":3,"generation":0}"#, "");
    std::fs::write(folder.path().join("journal"), header).unwrap();
    assert!(refusal(folder.path()).contains("has format 3, and this release knows 2"));
    assert!(folder.path().join("journal").exists());
}

#[test]
fn folder_in_use_is_waited_for_and_then_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    let path = folder.path().to_owned();
    let waiting = std::thread::spawn(move || Store::open(&path).map(|_| ()));
    std::thread::sleep(std::time::Duration::from_millis(200));
    drop(store);
    waiting.join().unwrap().unwrap();
    let _held = opened(folder.path());
    let text = refusal(folder.path());
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
}

#[test]
fn folder_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(refusal(&file).starts_with("cannot make"));
    let error = Error::io("open", &folder.path().join("lock"))(std::io::ErrorKind::ReadOnlyFilesystem.into());
    assert!(error.to_string().contains("the folder is read-only"));
    let mut permissions = std::fs::metadata(folder.path()).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(folder.path(), permissions).unwrap();
    // The superuser writes there all the same.
    if std::fs::write(folder.path().join("probe"), "").is_err() {
        assert!(refusal(folder.path()).contains("the folder is read-only"));
    }
}

#[test]
fn cost_of_a_write_does_not_grow_with_the_state() {
    const WRITES: u64 = 100_000;
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    let write = |number: u64| put(&store, &format!("s3/object/bucket/{number:06}"), "an object of some bytes");
    write(0);
    let line = store.bytes_written();
    (1..WRITES).for_each(write);
    // The journal has each once, and snapshots at growing distances no more than each three times again.
    assert!(store.bytes_written() < 4 * WRITES * line, "{} bytes for {WRITES} writes", store.bytes_written());
    let before = store.bytes_written();
    (0..100).for_each(|number| put(&store, &format!("t/{number}"), "an object of some bytes"));
    assert!(store.bytes_written() - before < 101 * line, "a late write costs as much as an early one");
}

#[test]
fn removed_store_is_gone_and_removing_nothing_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox");
    remove(&path).unwrap();
    let store = opened(&path);
    put(&store, "a", "1");
    store.close().unwrap();
    remove(&path).unwrap();
    assert!(!path.exists());
}
