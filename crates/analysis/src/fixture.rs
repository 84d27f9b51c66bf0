//! Synthetic profiles for tests.

#![allow(clippy::unwrap_used)]

use crate::{Options, Subject, recommend};
use catalog::Catalog;
use inventory::{
    AgeBucket, Counts, FileUse, Groups, Host, MetadataFacts, NameFacts, PROFILE_SCHEMA, Profile, Shape, SizeBucket,
    System, Walk,
};
use model::{Observed, RelPath};
use plan::{Candidate, CostLine, SystemAdvice};
use std::collections::BTreeMap;

/// A share of `files` files of `size` bytes each: 20 % used within 30 days, 30 % within 90, 50 % not for a year.
pub(crate) fn share(protocol: &str, files: u64, size: u64) -> Profile {
    let bytes = files * size;
    let from_bytes = if size == 0 { 0 } else { 1 << size.ilog2() };
    let to_bytes = if size == 0 { 1 } else { from_bytes * 2 };
    let uri = match protocol {
        "smb" => "smb://filer/share",
        "hdfs" => "hdfs://nameservice/data",
        "s3" => "s3://old-bucket/data",
        "local" => "file:///data",
        _ => "nfs://filer/export/data",
    };
    Profile {
        schema: PROFILE_SCHEMA.to_owned(),
        location: uri.parse().unwrap(),
        system: System { protocol: protocol.to_owned(), ..System::default() },
        walk: Walk {
            started_at: "2026-11-01T00:00:00Z".to_owned(),
            finished_at: "2026-11-01T00:10:00Z".to_owned(),
            elapsed_ms: 600_000,
            resumed: 0,
            entries_per_second: Observed::measured(1000.0),
            concurrency: 4,
            peak_memory_bytes: None,
            host: Host::default(),
        },
        capacity: None,
        counts: Counts { files, size_bytes: bytes, ..Counts::default() },
        sizes: vec![SizeBucket { from_bytes, to_bytes, files, size_bytes: bytes }],
        age_modified: ages(files, bytes, [20, 30, 50]),
        age_accessed: ages(files, bytes, [21, 29, 50]),
        by_extension: Groups::default(),
        by_owner: Groups::default(),
        by_top_directory: Groups::default(),
        largest_directories: Vec::new(),
        largest_files: vec![FileUse { path: RelPath::from("f"), size_bytes: size }],
        shape: Shape { max_depth: 5, ..Shape::default() },
        names: NameFacts { longest_path_bytes: 80, longest_component_bytes: 20, ..NameFacts::default() },
        metadata: MetadataFacts { max_links: 1, acls: Some(BTreeMap::new()), ..MetadataFacts::default() },
        latency: Vec::new(),
        unreadable: Vec::new(),
        unreadable_count: 0,
        findings: Vec::new(),
        second_counts: Vec::new(),
    }
}

/// Ages in percent: under 30 days, 30 to 90 days, over a year.
pub(crate) fn ages(files: u64, bytes: u64, percent: [u64; 3]) -> Vec<AgeBucket> {
    let bounds = [(Some(0), Some(30)), (Some(30), Some(90)), (Some(365), None)];
    let one = |((from_days, to_days), percent): ((Option<u32>, Option<u32>), u64)| AgeBucket {
        label: String::new(),
        from_days,
        to_days,
        files: files * percent / 100,
        size_bytes: bytes * percent / 100,
    };
    bounds.into_iter().zip(percent).map(one).collect()
}

/// Access control lists of one kind, as a profile has them.
#[expect(clippy::unnecessary_wraps, reason = "the field of a profile is an Option")]
pub(crate) fn acls(kind: &str, count: u64) -> Option<BTreeMap<String, u64>> {
    Some(BTreeMap::from([(kind.to_owned(), count)]))
}

/// Advice for one profile.
pub(crate) fn advise(profile: Profile, options: &Options) -> SystemAdvice {
    let catalog = Catalog::embedded().unwrap();
    let subjects = [Subject::new(profile)];
    recommend(&subjects, "00", &catalog, options).unwrap().systems.remove(0)
}

/// The ranking by id.
pub(crate) fn ranked(advice: &SystemAdvice) -> Vec<&str> {
    advice.ranking.iter().map(|c| c.service.0.as_str()).collect()
}
/// Families that are ranked at all.
pub(crate) fn families(advice: &SystemAdvice) -> Vec<&str> {
    let mut all: Vec<&str> = advice.ranking.iter().map(|c| c.service.family()).collect();
    all.sort_unstable();
    all.dedup();
    all
}
/// The ids of the rules that excluded this class.
pub(crate) fn excluded_by<'a>(advice: &'a SystemAdvice, id: &str) -> Vec<&'a str> {
    let found = advice.excluded.iter().filter(|e| e.service.0 == id);
    found.flat_map(|e| &e.reasons).map(|r| r.rule.as_str()).collect()
}
/// A ranked class.
pub(crate) fn candidate<'a>(advice: &'a SystemAdvice, id: &str) -> &'a Candidate {
    let found = advice.ranking.iter().find(|c| c.service.0 == id);
    found.unwrap_or_else(|| panic!("{id} is not ranked: {:?}", excluded_by(advice, id)))
}
/// A line of a class's bill.
pub(crate) fn line<'a>(candidate: &'a Candidate, what: &str) -> &'a CostLine {
    let found = candidate.cost.lines.iter().find(|l| l.what.contains(what));
    found.unwrap_or_else(|| panic!("no line `{what}` in {:#?}", candidate.cost.lines))
}
/// Equal to a hundredth of a cent.
pub(crate) fn same_usd(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
}
