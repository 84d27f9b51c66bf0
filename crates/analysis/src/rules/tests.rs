//! The obvious cases, each as one sentence.

#![allow(clippy::unwrap_used)]

use crate::fixture::{acls, advise, ages, candidate, excluded_by, families, ranked, share};
use crate::{Access, Options, Subject, recommend};
use catalog::Catalog;
use inventory::{Capacity, Profile};
use model::{Location, Observed, RelPath};
use plan::{Candidate, Finding, Severity};

const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

fn any() -> Options {
    Options::default()
}
fn with(access: Access) -> Options {
    Options { access, ..Options::default() }
}
/// 1 TiB in files of 1 MiB.
fn nfs() -> Profile {
    share("nfs3", 1 << 20, 1 << 20)
}
fn windows() -> Profile {
    let mut profile = share("smb", 1 << 20, 1 << 20);
    profile.metadata.acls = acls("ntfs", 5000);
    profile
}
fn finding<'a>(candidate: &'a Candidate, id: &str) -> Option<&'a Finding> {
    candidate.findings.iter().find(|f| f.id == id)
}
fn severity(candidate: &Candidate, id: &str) -> Option<Severity> {
    finding(candidate, id).map(|f| f.severity)
}

#[test]
fn a_windows_share_with_acls_goes_to_fsx_for_windows_or_ontap_only() {
    let advice = advise(windows(), &any());
    assert_eq!(families(&advice), ["fsx-ontap", "fsx-windows"]);
    assert!(excluded_by(&advice, "efs/regional").contains(&"efs/no-acls"));
    assert!(excluded_by(&advice, "efs/regional").contains(&"protocol/no-smb"));
    assert!(excluded_by(&advice, "s3/standard").contains(&"metadata/ntfs-acls"));
    assert!(excluded_by(&advice, "fsx-lustre/persistent-2-125").contains(&"protocol/no-smb"));
    assert!(excluded_by(&advice, "fsx-openzfs/multi-az").contains(&"metadata/ntfs-acls"));
}

#[test]
fn a_windows_share_whose_acls_nobody_looked_at_is_taken_to_have_some() {
    let mut profile = windows();
    profile.metadata.acls = None;
    let advice = advise(profile, &any());
    assert_eq!(families(&advice), ["fsx-ontap", "fsx-windows"]);
}

#[test]
fn a_windows_share_that_shall_become_objects_is_told_what_it_loses() {
    let advice = advise(windows(), &with(Access::Object));
    assert_eq!(families(&advice), ["s3"]);
    assert_eq!(severity(candidate(&advice, "s3/standard"), "metadata/ntfs-acls"), Some(Severity::Blocking));
}

#[test]
fn paths_of_1100_bytes_are_not_offered_s3_without_a_finding() {
    let mut profile = nfs();
    profile.names.longest_path_bytes = 1100;
    profile.names.longest_path = Some(RelPath::from("deep"));
    profile.names.over_1024_bytes = 12;
    let advice = advise(profile, &any());
    for class in advice.ranking.iter().filter(|c| c.service.family() == "s3") {
        let found = finding(class, "limits/path-length").unwrap();
        assert_eq!(found.severity, Severity::Blocking);
        assert!(found.text.contains("1,100 bytes") && found.text.contains("12 paths"), "{}", found.text);
    }
    assert!(finding(candidate(&advice, "efs/regional"), "limits/path-length").is_none());
    let exactly = advise(
        {
            let mut profile = nfs();
            profile.names.longest_path_bytes = 1024;
            profile
        },
        &any(),
    );
    assert!(finding(candidate(&exactly, "s3/standard"), "limits/path-length").is_none());
}

#[test]
fn asking_for_files_leaves_objects_out_and_the_reverse() {
    let files = advise(nfs(), &with(Access::File));
    assert_eq!(families(&files), ["efs", "fsx-lustre", "fsx-ontap", "fsx-openzfs"]);
    assert_eq!(excluded_by(&files, "s3/standard"), ["access/not-a-file-system"]);
    let objects = advise(nfs(), &with(Access::Object));
    assert_eq!(families(&objects), ["s3"]);
    assert!(excluded_by(&objects, "efs/regional").contains(&"access/not-an-object-store"));
}

#[test]
fn posix_acls_keep_efs_out_and_are_a_finding_elsewhere() {
    let mut profile = nfs();
    profile.metadata.acls = acls("posix1e", 7);
    let advice = advise(profile, &any());
    assert_eq!(excluded_by(&advice, "efs/regional"), ["efs/no-acls"]);
    assert_eq!(severity(candidate(&advice, "s3/standard"), "metadata/posix-acls"), Some(Severity::Warning));
    assert!(finding(candidate(&advice, "fsx-lustre/persistent-2-125"), "metadata/posix-acls").is_none());
}

#[test]
fn nfs4_acls_are_kept_by_ontap() {
    let mut profile = nfs();
    profile.metadata.acls = acls("nfs4", 7);
    let advice = advise(profile, &any());
    assert!(finding(candidate(&advice, "fsx-ontap/multi-az-1"), "metadata/nfs4-acls").is_none());
    assert!(finding(candidate(&advice, "fsx-openzfs/multi-az"), "metadata/nfs4-acls").is_some());
    assert_eq!(excluded_by(&advice, "efs/regional"), ["efs/no-acls"]);
}

#[test]
fn more_than_177_hard_links_keep_efs_out() {
    for (links, out) in [(177, false), (178, true)] {
        let mut profile = nfs();
        profile.metadata.max_links = links;
        profile.counts.hard_linked_names = u64::from(links);
        let advice = advise(profile, &any());
        assert_eq!(excluded_by(&advice, "efs/regional").contains(&"limits/hard-links"), out, "{links}");
        assert!(finding(candidate(&advice, "s3/standard"), "metadata/hard-links").is_some());
        assert!(finding(candidate(&advice, "fsx-openzfs/multi-az"), "metadata/hard-links").is_none());
    }
}

#[test]
fn a_file_of_48_tib_keeps_efs_out_and_one_of_49_also_s3() {
    for (tib, efs_out, s3_out) in [(47, false, false), (48, true, false), (49, true, true)] {
        let advice = advise(share("nfs3", 1, tib * TIB), &any());
        assert_eq!(excluded_by(&advice, "efs/regional").contains(&"limits/file-size"), efs_out, "{tib}");
        assert_eq!(excluded_by(&advice, "s3/standard").contains(&"limits/file-size"), s3_out, "{tib}");
    }
}

#[test]
fn a_tree_of_more_than_1000_levels_keeps_efs_out() {
    let mut profile = nfs();
    profile.shape.max_depth = 1001;
    assert!(excluded_by(&advise(profile, &any()), "efs/regional").contains(&"limits/depth"));
}

#[test]
fn hdfs_goes_to_s3() {
    let advice = advise(share("hdfs", 1 << 20, 1 << 27), &any());
    assert_eq!(advice.ranking[0].service.family(), "s3");
    assert!(advice.ranking[0].reasons.iter().any(|r| r.rule == "protocol/native"));
    assert!(excluded_by(&advice, "fsx-windows/multi-az-ssd").contains(&"protocol/smb-only"));
    assert!(finding(candidate(&advice, "efs/regional"), "metadata/owner-names").is_some());
}

#[test]
fn an_object_store_stays_an_object_store_unless_files_are_asked_for() {
    let advice = advise(share("s3", 1 << 20, 1 << 20), &any());
    assert_eq!(families(&advice), ["s3"]);
    assert!(finding(candidate(&advice, "s3/standard"), "access/applications-need-s3").is_none());
    let advice = advise(share("s3", 1 << 20, 1 << 20), &with(Access::File));
    assert!(families(&advice).contains(&"efs"));
}

#[test]
fn nfs_never_goes_to_fsx_for_windows() {
    for access in [Access::Any, Access::File] {
        let advice = advise(nfs(), &with(access));
        assert!(excluded_by(&advice, "fsx-windows/single-az-ssd").contains(&"protocol/smb-only"));
    }
}

#[test]
fn archive_classes_are_for_those_who_ask_for_them() {
    let advice = advise(nfs(), &any());
    for class in ["s3/glacier", "s3/deep-archive"] {
        assert_eq!(excluded_by(&advice, class), ["access/restore-hours"]);
    }
    let advice = advise(share("nfs3", 10_000, 100 << 20), &with(Access::Archive));
    assert_eq!(families(&advice), ["s3"]);
    assert_eq!(severity(candidate(&advice, "s3/deep-archive"), "access/restore-hours"), Some(Severity::Warning));
    assert_eq!(ranked(&advice)[0], "s3/deep-archive");
}

#[test]
fn the_only_copy_in_one_zone_is_for_data_that_can_be_made_again() {
    let advice = advise(nfs(), &any());
    for class in ["s3/onezone-ia", "s3/express-onezone", "efs/one-zone", "fsx-lustre/scratch-2"] {
        assert_eq!(excluded_by(&advice, class), ["access/only-copy"], "{class}");
    }
    let advice = advise(nfs(), &Options { reproducible: true, ..any() });
    assert_eq!(severity(candidate(&advice, "s3/onezone-ia"), "access/one-zone"), Some(Severity::Warning));
}

#[test]
fn asking_for_several_zones_leaves_only_what_survives_one() {
    let options = Options { multi_az: true, ..with(Access::File) };
    let advice = advise(windows(), &options);
    let ids = ["fsx-ontap/multi-az-1", "fsx-ontap/multi-az-2", "fsx-windows/multi-az-hdd", "fsx-windows/multi-az-ssd"];
    let mut found = ranked(&advice);
    found.sort_unstable();
    assert_eq!(found, ids);
    assert!(excluded_by(&advice, "fsx-windows/single-az-ssd").contains(&"access/multi-az"));
}

#[test]
fn a_latency_target_of_a_millisecond_leaves_ssd_file_systems() {
    let advice = advise(nfs(), &Options { latency_ms: Some(1.0), ..any() });
    assert_eq!(families(&advice), ["fsx-lustre", "fsx-ontap", "fsx-openzfs"]);
    assert_eq!(excluded_by(&advice, "s3/standard"), ["access/latency"]);
    assert!(excluded_by(&advice, "fsx-lustre/persistent-1-hdd-12").contains(&"access/latency"));
}

#[test]
fn express_one_zone_is_excluded_where_the_region_does_not_offer_it() {
    let options = Options { region: "eu-central-1".to_owned(), reproducible: true, ..any() };
    assert_eq!(excluded_by(&advise(nfs(), &options), "s3/express-onezone"), ["region/not-offered"]);
    let options = Options { region: "eu-west-1".to_owned(), ..options };
    assert!(ranked(&advise(nfs(), &options)).contains(&"s3/express-onezone"));
}

#[test]
fn millions_of_tiny_files_are_not_sent_to_infrequent_access() {
    let advice = advise(share("nfs3", 20_000_000, 2048), &any());
    let place = |id: &str| ranked(&advice).iter().position(|r| *r == id).unwrap();
    assert!(place("s3/standard") < place("s3/standard-ia"));
    assert!(place("s3/standard") < place("s3/glacier-ir"));
    let ia = candidate(&advice, "s3/standard-ia");
    assert!(ia.cost.lines.iter().any(|l| l.what.contains("128 KB")));
}

#[test]
fn a_small_share_is_not_sent_to_a_service_with_a_floor() {
    let advice = advise(share("nfs3", 40_000, 1 << 20), &with(Access::File));
    assert_eq!(advice.ranking[0].service.family(), "efs");
    for class in ["fsx-ontap/single-az-1", "fsx-lustre/persistent-2-125"] {
        let found = candidate(&advice, class);
        assert!(found.reasons.iter().any(|r| r.rule == "floors/capacity" && r.points < 0), "{class}");
    }
}

#[test]
fn names_that_windows_cannot_hold_block_fsx_for_windows() {
    let mut profile = windows();
    profile.names.case_twins = 3;
    profile.names.not_windows = 4;
    let advice = advise(profile, &any());
    let found = candidate(&advice, "fsx-windows/multi-az-ssd");
    assert_eq!(severity(found, "names/case-twins"), Some(Severity::Blocking));
    assert_eq!(severity(found, "names/windows"), Some(Severity::Blocking));
    assert_eq!(severity(candidate(&advice, "fsx-ontap/multi-az-1"), "names/case-twins"), Some(Severity::Warning));
}

#[test]
fn names_that_are_not_utf8_must_be_escaped_for_s3_only() {
    let mut profile = nfs();
    profile.names.not_utf8 = 9;
    let advice = advise(profile, &any());
    assert_eq!(severity(candidate(&advice, "s3/standard"), "names/escape"), Some(Severity::Warning));
    assert!(finding(candidate(&advice, "efs/regional"), "names/escape").is_none());
}

#[test]
fn links_specials_and_attributes_are_told_where_they_are_lost() {
    let mut profile = nfs();
    profile.counts.symlinks = 5;
    profile.counts.specials = 2;
    profile.metadata.xattrs = Some(11);
    let advice = advise(profile, &any());
    let s3 = candidate(&advice, "s3/standard");
    assert_eq!(severity(s3, "metadata/symlinks"), Some(Severity::Note));
    assert_eq!(severity(s3, "metadata/specials"), Some(Severity::Warning));
    assert_eq!(severity(s3, "metadata/xattrs"), Some(Severity::Warning));
    let lustre = candidate(&advice, "fsx-lustre/persistent-2-125");
    for id in ["metadata/symlinks", "metadata/specials", "metadata/xattrs"] {
        assert!(finding(lustre, id).is_none(), "{id}");
    }
    // Worst first.
    assert!(s3.findings.windows(2).all(|pair| pair[0].severity >= pair[1].severity));
}

#[test]
fn data_that_is_hardly_used_goes_to_a_colder_class_than_data_that_is_read_daily() {
    let profile = |percent| {
        let mut profile = nfs();
        profile.age_modified = ages(1 << 20, TIB, percent);
        profile.age_accessed = ages(1 << 20, TIB, [percent[0] + 1, percent[1], percent[2] - 1]);
        profile
    };
    let s3 = Options { only: vec!["s3".to_owned()], ..any() };
    assert_eq!(ranked(&advise(profile([1, 1, 98]), &s3))[0], "s3/glacier-ir");
    let daily = Options { hot_reads_per_month: 30.0, ..s3 };
    let advice = advise(profile([97, 1, 2]), &daily);
    let place = |id: &str| ranked(&advice).iter().position(|r| *r == id).unwrap();
    assert!(place("s3/standard") < place("s3/standard-ia"));
    assert!(place("s3/standard-ia") < place("s3/glacier-ir"));
}

#[test]
fn what_was_not_measured_is_said() {
    let mut profile = nfs();
    profile.unreadable_count = 4;
    let used = 3 * TIB;
    profile.capacity = Some(Capacity {
        total_bytes: Observed::reported(4 * TIB),
        used_bytes: Observed::reported(used),
        available_bytes: Observed::reported(TIB),
        files: None,
    });
    let advice = advise(profile, &any());
    let ids: Vec<&str> = advice.findings.iter().map(|f| f.id.as_str()).collect();
    assert_eq!(ids, ["source/unreadable", "source/load-estimated", "source/more-on-volume", "source/no-entries"]);
    assert!(advice.ranking[0].sizing.basis.starts_with("estimated"));
    let given = Options { throughput_mibps: Some(10.0), iops: Some(100.0), ..any() };
    let advice = advise(nfs(), &given);
    assert!(!advice.findings.iter().any(|f| f.id == "source/load-estimated"));
}

#[test]
fn a_demand_beyond_any_server_excludes_with_figures() {
    let options = Options { throughput_mibps: Some(50_000.0), iops: Some(1000.0), ..with(Access::File) };
    let advice = advise(nfs(), &options);
    for class in ["efs/regional", "fsx-openzfs/multi-az", "fsx-ontap/multi-az-1"] {
        assert_eq!(excluded_by(&advice, class), ["limits/size"], "{class}");
    }
    assert!(ranked(&advice).contains(&"fsx-lustre/persistent-2-1000"));
}

#[test]
fn two_runs_agree_to_the_byte_and_the_order_is_total() {
    let catalog = Catalog::embedded().unwrap();
    // Of nothing, every class of S3 costs nothing, so that points and names decide.
    let profiles = [nfs(), windows(), share("hdfs", 3, GIB), share("nfs3", 0, 0)];
    let subjects = profiles.map(Subject::new);
    let once = recommend(&subjects, "ab", &catalog, &any()).unwrap();
    assert_eq!(once.to_json(), recommend(&subjects, "ab", &catalog, &any()).unwrap().to_json());
    assert_eq!(once.systems.len(), 4);
    let all: usize = catalog.services().iter().map(|s| s.variants.len()).sum();
    for system in &once.systems {
        assert_eq!(system.ranking.len() + system.excluded.len(), all);
        assert!(system.excluded.iter().all(|e| !e.reasons.is_empty()));
        let cents = |c: &Candidate| (100.0 * (12.0 * c.cost.total_usd.0 + c.transfer_usd.0)).round();
        for pair in system.ranking.windows(2) {
            let by_cost = cents(&pair[0]).total_cmp(&cents(&pair[1]));
            let [a, b] = [&pair[0], &pair[1]].map(|c| (-c.points, &c.service));
            assert!(by_cost.then(a.cmp(&b)).is_lt());
        }
    }
}

#[test]
fn an_empty_source_and_a_single_byte_get_advice_without_dividing_by_zero() {
    for profile in [share("nfs3", 0, 0), share("nfs3", 1, 1)] {
        let advice = advise(profile, &any());
        assert!(advice.ranking.iter().all(|c| c.cost.total_usd.0.is_finite() && c.transfer_usd.0.is_finite()));
        assert!(!advice.ranking.is_empty());
    }
}

#[test]
fn wrong_options_are_refused_with_what_would_be_right() {
    let catalog = Catalog::embedded().unwrap();
    let refused = |options: Options| recommend(&[], "", &catalog, &options).unwrap_err();
    assert_eq!(refused(Options { region: "mars-1".into(), ..any() }).code(), "E1304");
    assert_eq!(refused(Options { growth_per_year: -2.0, ..any() }).code(), "E1503");
    assert_eq!(refused(Options { throughput_mibps: Some(0.0), ..any() }).code(), "E1503");
    let wrong = refused(Options { only: vec!["s3/standrad".into()], ..any() });
    assert_eq!((wrong.code(), wrong.hint().unwrap().as_str()), ("E1504", "did you mean `s3/standard`?"));
}

#[test]
fn every_rule_has_an_id_of_its_own() {
    let mut ids: Vec<&str> = crate::rules().iter().map(|r| r.id()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
    assert!(ids.iter().all(|id| id.contains('/')));
}

#[test]
fn services_can_be_ruled_in_and_out() {
    let advice = advise(nfs(), &Options { only: vec!["efs".into(), "s3/standard".into()], ..any() });
    assert!(ranked(&advice).contains(&"s3/standard"));
    assert_eq!(families(&advice), ["efs", "s3"]);
    assert!(excluded_by(&advice, "s3/standard-ia").contains(&"access/ruled-out"));
    let advice = advise(nfs(), &Options { exclude: vec!["s3".into()], ..any() });
    assert!(!families(&advice).contains(&"s3"));
    let _: &Location = &advice.location;
}
