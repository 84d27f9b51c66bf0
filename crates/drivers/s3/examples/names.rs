//! Which names a store holds exactly: PUT, LIST and GET of every single byte and of what is known to be hard.
#![allow(clippy::print_stdout, clippy::unwrap_used)]
use bytes::Bytes;
use futures::TryStreamExt;
use longshore_driver_s3::{Flavour, Quirks, S3Options, S3Store};
use model::{NameRules, RelPath};
use storage::{ListSpec, ReadSpec, Source, Target, WriteSpec};

#[tokio::main]
async fn main() {
    let endpoint = std::env::var("LONGSHORE_TEST_S3").unwrap();
    let quirks = Quirks { names: NameRules::ANY, ..Flavour::Minio.quirks() };
    let options = S3Options { quirks: Some(quirks), ..S3Options::default() };
    let mut cases: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
    for b in 0..=255u8 {
        for (n, v) in [("mid", vec![b'x', b, b'y']), ("lead", vec![b, b'y']), ("trail", vec![b'x', b]), ("alone", vec![b]), ("seglead", vec![b'd', b'/', b, b'z']), ("segtrail", vec![b'd', b, b'/', b'z'])] {
            cases.push((format!("{n} {b:02x}"), vec![v]));
        }
    }
    let s = |t: &str| t.as_bytes().to_vec();
    for (n, v) in [
        ("a and a/b", vec![s("a"), s("a/b")]), ("a/b and a", vec![s("a/b"), s("a")]),
        ("255", vec![vec![b'x'; 255]]), ("256", vec![vec![b'x'; 256]]), ("255 dir", vec![[vec![b'x'; 255], s("/f")].concat()]), ("256 dir", vec![[vec![b'x'; 256], s("/f")].concat()]),
        ("dot", vec![s("x/./y")]), ("dotdot", vec![s("x/../y")]), ("dots3", vec![s("...")]), ("dotdotin", vec![s("x..y/..z/w..")]),
        ("xl.meta", vec![s("xl.meta")]), ("a/xl.meta", vec![s("a/xl.meta")]), ("part.1", vec![s("a/part.1")]), ("xldir", vec![s("a__XLDIR__")]), ("xldir2", vec![s("a__XLDIR__/b")]), ("minio.sys", vec![s(".minio.sys/x")]),
        ("fffe", vec![s("a\u{FFFE}b")]), ("ffff", vec![s("a\u{FFFF}b")]), ("nfc nfd", vec![s("caf\u{e9}"), s("cafe\u{301}")]), ("case", vec![s("A"), s("a")]),
        ("surrogate", vec![b"x\xED\xA0\x80y".to_vec()]), ("u2028", vec![s("a\u{2028}b")]), ("uuid", vec![s("a/0b54a1a3-2a3b-4c3c-8c0a-0a0a0a0a0a0a/x")]),
        ("con", vec![s("con")]), ("spaces", vec![s(" ")]), ("x. ", vec![s("x. ")]), ("pct", vec![s("%41+%2F%")]), ("amp", vec![s("a&b<c>\"d'")]), ("q", vec![s("a?b*c:d#e;f=g,h@i!$~()[]{}|^`")]),
        ("uploads", vec![s("x?uploads")]),
    ] { cases.push((n.into(), v)); }
    for l in [900usize, 1000, 1010, 1020, 1024, 1025, 1030] {
        let v: Vec<u8> = b"abcdefghi/".iter().copied().cycle().take(l - 1).chain([b'z']).collect();
        cases.push((format!("len {l}"), vec![v]));
        let v: Vec<u8> = [vec![b'p'; 200], s("/")].concat().into_iter().cycle().take(l - 1).chain([b'z']).collect();
        cases.push((format!("len200 {l}"), vec![v]));
    }
    let at = S3Store::open(&format!("s3://names?endpoint={endpoint}").parse().unwrap(), options.clone()).await.unwrap();
    at.create_bucket().await.unwrap();
    let run = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    for (i, (name, paths)) in cases.iter().enumerate() {
        let bare = name.starts_with("len") || name == "minio.sys";
        let uri = if bare { format!("s3://names{i}x{run}?endpoint={endpoint}") } else { format!("s3://names/{run}/{i}?endpoint={endpoint}") };
        let mut opt = options.clone(); opt.idle_connections = 1;
        let at = S3Store::open(&uri.parse().unwrap(), opt).await.unwrap();
        if bare { at.create_bucket().await.unwrap(); }
        let mut what = String::new();
        for (n, p) in paths.iter().enumerate() {
            let path = RelPath::from_bytes(p.clone());
            if let Err(e) = at.put(&path, WriteSpec::default(), vec![Bytes::from(format!("content{n}"))]).await { what += &format!(" put {:?} {}", e.kind(), e.cause().unwrap_or_default()); }
        }
        if what.is_empty() {
            for recursive in [true, false] {
            match at.list(&RelPath::ROOT, ListSpec { recursive, ..Default::default() }).try_collect::<Vec<_>>().await {
                Ok(pages) => {
                    let mut found: Vec<Vec<u8>> = pages.into_iter().flat_map(|p| p.entries).map(|e| { let mut p = e.path.as_bytes().to_vec(); if e.kind.is_dir() { p.push(b'/') } p }).collect();
                    found.sort();
                    let mut want = paths.clone();
                    if !recursive { for w in &mut want { if let Some(at) = w.iter().position(|b| *b == b'/') { w.truncate(at + 1) } } }
                    want.sort(); want.dedup();
                    if found != want { what += &format!(" LISTED(rec {recursive}) {:?}", found.iter().map(|f| RelPath::from_bytes(f.clone())).collect::<Vec<_>>()); }
                }
                Err(e) => what += &format!(" list {e:?}"),
            } }
            for (n, p) in paths.iter().enumerate() {
                let path = RelPath::from_bytes(p.clone());
                match at.read(&path, ReadSpec::default()).await {
                    Ok(r) => { let d = storage::collect_body(r.body, 100).await.unwrap().concat(); if d != format!("content{n}").as_bytes() { what += " CONTENT"; } }
                    Err(e) => what += &format!(" get {e:?}"),
                }
            }
        }
        if !what.is_empty() { println!("{name}: {what}"); }
    }
}
