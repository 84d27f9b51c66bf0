use super::*;
use model::{Entry, FileId, Kind, Metadata, Posix, Principal, RelPath, Stamp};
use std::path::Path;

fn entry(path: RelPath, kind: Kind, size: u64) -> Entry {
    Entry::new(path, kind, Stamp { size, ..Stamp::default() })
}

fn rows_of(directory: &Path) -> Vec<EntryRow> {
    let names = writer::part_names(directory).unwrap();
    names.iter().flat_map(|name| read_entries(&directory.join(name)).unwrap()).map(Result::unwrap).collect()
}

#[test]
fn every_column_comes_back_as_it_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let before_christ = Timestamp { secs: -70_000_000_000, nanos: 5 };
    let odd = Entry {
        stamp: Stamp {
            size: u64::MAX,
            mtime: Some(Timestamp { secs: -1, nanos: 999_999_999 }),
            change: Some(u64::MAX),
            etag: Some("\"x\"".into()),
            file_id: Some(FileId { volume: 1, inode: u64::MAX }),
        },
        meta: Some(Box::new(Metadata {
            atime: Some(before_christ),
            posix: Some(Posix { mode: 0o4755, owner: Principal::Id(0), group: Principal::Name("staff".into()) }),
            ..Metadata::default()
        })),
        nlink: Some(2),
        allocated: Some(512),
        ..entry(RelPath::from(&b"top/\xFF\n.TXT"[..]), Kind::File, 0)
    };
    let link = entry("link".into(), Kind::Symlink { target: (&b"\xFE/.."[..]).into() }, 4);
    let mut writer = EntryWriter::resume(directory.path(), vec![]).unwrap();
    writer.write(&odd).unwrap();
    writer.write(&link).unwrap();
    writer.write(&entry("dir".into(), Kind::Dir, 4096)).unwrap();
    writer.checkpoint().unwrap();

    let rows = rows_of(directory.path());
    assert_eq!(rows.len(), 3);
    assert_eq!(
        rows[0],
        EntryRow {
            path: odd.path.clone(),
            top: Some("top".into()),
            depth: 2,
            extension: Some("txt".into()),
            kind: "file".into(),
            size: u64::MAX,
            allocated: Some(512),
            mtime_ns: Some(-1),
            atime_ns: Some(i64::MIN),
            birth_ns: None,
            change: Some(u64::MAX),
            mode: Some(0o4755),
            owner: Some("0".into()),
            group: Some("staff".into()),
            nlink: Some(2),
            volume: Some(1),
            inode: Some(u64::MAX),
            link_target: None,
            etag: Some("\"x\"".into()),
        }
    );
    assert_eq!((rows[1].link_target.as_deref(), rows[1].top.clone()), (Some(&b"\xFE/.."[..]), None));
    assert_eq!((rows[2].kind.as_str(), rows[2].top.as_deref()), ("dir", Some(&b"dir"[..])));
}

#[test]
fn a_part_that_no_checkpoint_names_is_deleted_and_its_number_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = |n: u32| entry(format!("f{n}").as_str().into(), Kind::File, 1);
    let mut writer = EntryWriter::resume(directory.path(), vec![]).unwrap();
    writer.write(&file(0)).unwrap();
    let complete = writer.checkpoint().unwrap().to_vec();
    for n in 0..20_000 {
        writer.write(&file(n)).unwrap();
    }
    drop(writer);
    assert_eq!(writer::part_names(directory.path()).unwrap().len(), 2);

    let mut writer = EntryWriter::resume(directory.path(), complete).unwrap();
    assert_eq!(writer::part_names(directory.path()).unwrap(), ["part-00000.parquet"]);
    writer.write(&file(1)).unwrap();
    assert_eq!(writer.checkpoint().unwrap().len(), 2);
    let paths: Vec<String> = rows_of(directory.path()).iter().map(|row| row.path.to_string()).collect();
    assert_eq!(paths, ["f0", "f1"]);
}

#[test]
fn a_part_that_a_checkpoint_names_and_that_is_gone_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let lost = PartFile { name: "part-00007.parquet".into(), rows: 3 };
    let error = EntryWriter::resume(directory.path(), vec![lost]).unwrap_err();
    assert!(error.to_string().contains("part-00007.parquet"), "{error}");
}

#[test]
fn a_file_that_is_not_ours_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("part-00000.parquet");
    std::fs::write(&path, b"PAR1, or so it says").unwrap();
    assert!(matches!(read_entries(&path), Err(crate::Error::Parquet { .. })));
}
