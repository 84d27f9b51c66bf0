//! A directory bucket as Amazon documents it ("Differences for directory buckets", S3 User Guide; ListObjectsV2, Amazon
//! S3 API Reference, both read 2026-11): no order, prefixes that end in `/`, no `start-after`, `/` as the only
//! delimiter, and directories listed that hold nothing but uploads under way.

use crate::{
    options,
    server::{Reply, Seen, Standin, answer, parameter, percent_encoded, refusal},
};
use futures::StreamExt as _;
use longshore_driver_s3::S3Store;
use model::RelPath;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};
use storage::{Cursor, ErrorKind, ListOrder, ListSpec, Source as _};

/// Keys and prefixes on a page.
const PAGE: usize = 7;

/// The order in which the bucket lists: none that a client could know.
fn scattered(key: &str) -> u64 {
    key.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}

fn listed(all: &BTreeSet<String>, begun: &BTreeSet<String>, seen: &Seen) -> Reply {
    let text = |name| parameter(&seen.target, name).map(|raw| String::from_utf8(raw).unwrap());
    let prefix = text("prefix").unwrap_or_default();
    if !prefix.is_empty() && !prefix.ends_with('/') {
        return refusal("400 Bad Request", "InvalidArgument", "");
    }
    if seen.target.contains("uploads=") || seen.target.contains("?uploads") {
        let mut body = "<ListMultipartUploadsResult>".to_owned();
        for key in begun.iter().filter(|key| key.starts_with(&prefix)).take(1) {
            write!(body, "<Upload><Key>{key}</Key><UploadId>1</UploadId></Upload>").unwrap();
        }
        return Reply::Say(answer("200 OK", &[], &(body + "</ListMultipartUploadsResult>")));
    }
    if text("start-after").is_some() || text("delimiter").is_some_and(|by| by != "/") {
        return refusal("400 Bad Request", "InvalidArgument", "");
    }
    let one_level = text("delimiter").is_some();
    // What is listed, and whether it is a prefix.
    let mut found: BTreeMap<String, bool> = BTreeMap::new();
    for (key, object) in all.iter().map(|key| (key, true)).chain(begun.iter().map(|key| (key, false))) {
        let Some(rest) = key.strip_prefix(&prefix) else { continue };
        match rest.find('/').filter(|_| one_level) {
            Some(end) => drop(found.insert(key[..=prefix.len() + end].to_owned(), true)),
            None if object => drop(found.insert(key.clone(), false)),
            None => {}
        }
    }
    let mut found: Vec<(String, bool)> = found.into_iter().collect();
    found.sort_by_key(|(key, _)| scattered(key));
    let from = match text("continuation-token").map(|token| token.strip_prefix("t-").and_then(|at| at.parse().ok())) {
        None => 0,
        Some(Some(at)) => at,
        Some(None) => return refusal("400 Bad Request", "InvalidArgument", ""),
    };
    let mut body = "<ListBucketResult><EncodingType>url</EncodingType>".to_owned();
    for (key, is_prefix) in found.iter().skip(from).take(PAGE) {
        let key = percent_encoded(key.as_bytes());
        if *is_prefix {
            write!(body, "<CommonPrefixes><Prefix>{key}</Prefix></CommonPrefixes>").unwrap();
        } else {
            write!(body, "<Contents><Key>{key}</Key><Size>3</Size></Contents>").unwrap();
        }
    }
    let more = from + PAGE < found.len();
    if more {
        write!(body, "<NextContinuationToken>t-{}</NextContinuationToken>", from + PAGE).unwrap();
    }
    write!(body, "<IsTruncated>{more}</IsTruncated></ListBucketResult>").unwrap();
    Reply::Say(answer("200 OK", &[], &body))
}

fn keys() -> BTreeSet<String> {
    let mut keys: BTreeSet<String> =
        (0..400).map(|i| format!("pre/{}/{}/f{i}", ["a", "b c", "d+"][i % 3], i % 11)).collect();
    keys.extend((0..30).map(|i| format!("pre/top-{i}")));
    keys.insert("other/elsewhere".to_owned());
    keys
}

async fn bucket() -> (Standin, S3Store) {
    let begun = BTreeSet::from(["pre/a/1/part".to_owned(), "pre/begun/deep/part".to_owned(), "pre/new".to_owned()]);
    let keys = keys();
    let server = Standin::start(false, move |seen: &Seen| match seen.method.as_str() {
        "HEAD" => {
            let there = keys.iter().any(|key| seen.target == format!("/base--use1-az4--x-s3/{key}"));
            let status = if there { "200 OK" } else { "404 Not Found" };
            Reply::Say(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\netag: \"e\"\r\n\r\n"))
        }
        _ => listed(&keys, &begun, seen),
    })
    .await;
    let endpoint = format!("http://127.0.0.1:{}", server.address.port());
    let uri = format!("s3://base--use1-az4--x-s3/pre?endpoint={endpoint}&region=us-east-1&flavour=aws");
    let store = S3Store::open(&uri.parse().unwrap(), options()).await.unwrap();
    assert_eq!(store.caps().list, ListOrder::None, "the name of the bucket tells");
    (server, store)
}

fn below() -> Vec<String> {
    keys().iter().filter_map(|key| Some(key.strip_prefix("pre/")?.to_owned())).collect()
}

/// Entries of one listing, and the cursor after each page with the number of entries so far.
async fn taken(
    store: &S3Store,
    dir: &str,
    recursive: bool,
    from: Option<Cursor>,
) -> storage::Result<(Vec<model::Entry>, Vec<(usize, Cursor)>)> {
    let mut pages = store.list(&dir.into(), ListSpec { recursive, from, ..ListSpec::default() });
    let (mut all, mut cursors) = (Vec::new(), Vec::new());
    while let Some(page) = pages.next().await {
        let page = page?;
        all.extend(page.entries);
        cursors.extend(page.next.map(|next| (all.len(), next)));
    }
    Ok((all, cursors))
}

fn names(entries: &[model::Entry]) -> Vec<String> {
    let mut names: Vec<String> =
        entries.iter().map(|entry| String::from_utf8(entry.path.as_bytes().to_vec()).unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn everything_below_comes_once_and_is_asked_for_as_the_bucket_allows() {
    let (server, store) = bucket().await;
    let (all, cursors) = taken(&store, "", true, None).await.unwrap();
    assert_eq!(names(&all), below());
    assert!(server.seen().iter().all(|seen| !seen.target.contains("start-after")));
    // It goes on after any page with what that page did not have.
    for (so_far, cursor) in cursors.into_iter().step_by(9) {
        let (rest, _) = taken(&store, "", true, Some(cursor)).await.unwrap();
        assert_eq!(names(&rest), names(&all[so_far..]));
    }
    let error = taken(&store, "", true, Some(Cursor("grown old".into()))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Changed, "{error:?}");
}

#[tokio::test]
async fn a_walk_by_directories_meets_each_once_and_an_upload_under_way_is_an_empty_one() {
    let (_server, store) = bucket().await;
    let (mut files, mut directories, mut left) = (Vec::new(), Vec::new(), vec![RelPath::ROOT]);
    while let Some(dir) = left.pop() {
        let dir = String::from_utf8(dir.as_bytes().to_vec()).unwrap();
        let (found, _) = taken(&store, &dir, false, None).await.unwrap_or_else(|error| panic!("{dir}: {error:?}"));
        for entry in found {
            if entry.kind.is_dir() {
                directories.push(entry.clone());
                left.push(entry.path);
            } else {
                files.push(entry);
            }
        }
    }
    assert_eq!(names(&files), below());
    let directories = names(&directories);
    assert_eq!(directories.len(), 3 + 33 + 2, "{directories:?}");
    assert!(directories.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(directories.contains(&"begun/deep".to_owned()));
    for (dir, kind) in [("nowhere", ErrorKind::NotFound), ("top-1", ErrorKind::Invalid)] {
        assert_eq!(taken(&store, dir, false, None).await.unwrap_err().kind(), kind, "{dir}");
    }
}
