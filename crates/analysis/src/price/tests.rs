//! Prices computed by hand from AWS's documents, against what comes out.

#![allow(clippy::unwrap_used)]

use crate::fixture::{advise, ages, candidate, excluded_by, line, same_usd, share};
use crate::{Access, Options};

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// No growth, so that sizes are round; single-zone and scratch classes allowed.
fn plain() -> Options {
    Options {
        growth_per_year: 0.0,
        reproducible: true,
        throughput_mibps: Some(1.0),
        iops: Some(1.0),
        ..Options::default()
    }
}

#[test]
fn windows_multi_az_with_1024_mbps_costs_4608_usd_for_throughput() {
    let options = Options { throughput_mibps: Some(900.0), ..plain() };
    let advice = advise(share("smb", 1000, GIB), &options);
    let found = candidate(&advice, "fsx-windows/multi-az-ssd");
    let throughput = line(found, "throughput capacity");
    assert!((throughput.quantity - 1024.0).abs() < 1e-9);
    same_usd(throughput.usd.0, 4608.0);
    // 1000 GiB at most 90 % full are 1112 GiB; 900 MiB/s need 943.72 MB/s of 750 MB/s a TiB: 1289 GiB.
    assert_eq!(found.configuration["StorageCapacity"], "1289");
    assert_eq!(found.configuration["ThroughputCapacity"], "1024");
    same_usd(line(found, "SSD storage").usd.0, 1289.0 * 0.23);
}

#[test]
fn the_smallest_windows_file_system_is_32_gib_with_32_mbps() {
    let advice = advise(share("smb", 10, MIB), &plain());
    let found = candidate(&advice, "fsx-windows/single-az-ssd");
    same_usd(found.cost.total_usd.0, 32.0 * 0.13 + 32.0 * 2.20);
    let disks = candidate(&advice, "fsx-windows/single-az-hdd");
    same_usd(disks.cost.total_usd.0, 2000.0 * 0.013 + 32.0 * 2.20);
}

#[test]
fn hard_disks_grow_until_they_carry_the_load() {
    let options = Options { throughput_mibps: Some(48.0), iops: Some(120.0), ..plain() };
    let advice = advise(share("smb", 10, MIB), &options);
    // 120 operations at 12 a TiB are 10 TiB; 48 MiB/s (50.33 MB/s) at 12 MB/s a TiB are 4.2 TiB.
    assert_eq!(candidate(&advice, "fsx-windows/single-az-hdd").configuration["StorageCapacity"], "10240");
    let options = Options { iops: Some(1000.0), ..options };
    let advice = advise(share("smb", 10, MIB), &options);
    assert_eq!(excluded_by(&advice, "fsx-windows/single-az-hdd"), ["limits/size"]);
}

#[test]
fn operations_beyond_three_per_gib_are_bought() {
    let options = Options { iops: Some(5000.0), ..plain() };
    let advice = advise(share("smb", 900, GIB), &options);
    let found = candidate(&advice, "fsx-windows/multi-az-ssd");
    // 1000 GiB bring 3000; the server for 5000 operations is the one of 128 MB/s.
    same_usd(line(found, "beyond 3 per GiB").usd.0, 2000.0 * 0.024);
    assert_eq!(found.configuration["ThroughputCapacity"], "128");
}

#[test]
fn lustre_starts_at_1200_gib_for_174_usd() {
    let advice = advise(share("nfs3", 100, GIB), &plain());
    let found = candidate(&advice, "fsx-lustre/persistent-2-125");
    assert_eq!(found.configuration["StorageCapacity"], "1200");
    same_usd(found.cost.total_usd.0, 174.0);
    same_usd(candidate(&advice, "fsx-lustre/scratch-2").cost.total_usd.0, 1200.0 * 0.14);
    same_usd(candidate(&advice, "fsx-lustre/persistent-1-hdd-12").cost.total_usd.0, 6000.0 * 0.025);
}

#[test]
fn lustre_intelligent_tiering_never_costs_less_than_its_throughput() {
    let mut options = plain();
    let advice = advise(share("nfs3", 100, MIB), &options);
    let found = candidate(&advice, "fsx-lustre/intelligent-tiering");
    same_usd(line(found, "throughput capacity").usd.0, 2080.0);
    assert!(found.reasons.iter().any(|r| r.rule == "floors/throughput" && r.text.contains("2080.00 USD")));
    options.region = "ap-northeast-1".to_owned();
    let advice = advise(share("nfs3", 100, MIB), &options);
    same_usd(line(candidate(&advice, "fsx-lustre/intelligent-tiering"), "throughput capacity").usd.0, 2624.0);
}

#[test]
fn ontap_in_tokyo_has_the_floors_that_others_computed() {
    let options = Options { region: "ap-northeast-1".to_owned(), ..plain() };
    let mut profile = share("nfs3", 100, MIB);
    // All of it in use, so that the capacity pool stays empty.
    profile.age_modified = ages(100, 100 * MIB, [100, 0, 0]);
    profile.age_accessed.clone_from(&profile.age_modified);
    let advice = advise(profile, &options);
    let total = |id: &str| {
        let found = candidate(&advice, id);
        found.cost.lines.iter().filter(|l| !l.what.contains("pool")).map(|l| l.usd.0).sum::<f64>()
    };
    assert!((total("fsx-ontap/single-az-1") - 269.57).abs() < 0.01, "{}", total("fsx-ontap/single-az-1"));
    assert!((total("fsx-ontap/multi-az-1") - 500.61).abs() < 0.01);
    assert!((total("fsx-ontap/multi-az-2") - 1516.03).abs() < 0.01);
}

#[test]
fn ontap_keeps_what_is_used_on_ssd_and_the_rest_in_the_pool() {
    // 20 TiB, of which the older half by reads (79 %) cooled down.
    let advice = advise(share("nfs3", 20 * 1024, GIB), &plain());
    let found = candidate(&advice, "fsx-ontap/single-az-1");
    let pool = line(found, "capacity pool (not used");
    assert!((pool.quantity - 0.79 * 20480.0).abs() < 1.0, "{}", pool.quantity);
    // 21 % hot and a tenth of the pool, at most 80 % full.
    let ssd = (0.21 * 20480.0 + 0.1 * 0.79 * 20480.0) / 0.8;
    assert!((line(found, "SSD storage").quantity - ssd).abs() < 2.0);
}

#[test]
fn openzfs_single_az_costs_the_listed_prices() {
    let advice = advise(share("nfs3", 800, GIB), &plain());
    let found = candidate(&advice, "fsx-openzfs/single-az-1");
    same_usd(found.cost.total_usd.0, 1000.0 * 0.09 + 64.0 * 0.26);
    let standby = candidate(&advice, "fsx-openzfs/single-az-ha-2");
    same_usd(standby.cost.total_usd.0, 1000.0 * 0.09 + 160.0 * 0.52);
    let zones = candidate(&advice, "fsx-openzfs/multi-az");
    same_usd(zones.cost.total_usd.0, 1000.0 * 0.18 + 160.0 * 0.87);
}

#[test]
fn efs_takes_provisioned_throughput_where_that_is_cheaper() {
    // The fixture of a well-known price tool: 88.5 MBps beyond what is included cost 531 USD.
    // 100 GiB bring 5 MiB/s. 100 GiB read 1000 times a month would cost far more as elastic throughput.
    let options = Options { throughput_mibps: Some(93.5), hot_reads_per_month: 1000.0, ..plain() };
    let advice = advise(share("nfs3", 100, GIB), &options);
    let found = candidate(&advice, "efs/regional");
    same_usd(line(found, "provisioned throughput").usd.0, 531.0);
    same_usd(found.cost.total_usd.0, 30.0 + 531.0);
    assert_eq!(found.configuration["ThroughputMode"], "provisioned");
}

#[test]
fn efs_bills_reads_of_cold_data_twice_and_files_of_128_kib_at_least() {
    // 100 GiB in files of 1 MiB: 21 GiB hot, 29 GiB cool, 50 GiB cold; 20 GiB written in a month.
    let options = Options { hot_reads_per_month: 1.0, retrieval_share: 0.1, ..plain() };
    let advice = advise(share("nfs3", 100 * 1024, MIB), &options);
    let found = candidate(&advice, "efs/regional-lifecycle");
    // By mtime 20/30/50, by reads 21/29/50: what is old by both is 79 and 50 GiB.
    let storage = 21.0 * 0.30 + 29.0 * 0.016 + 50.0 * 0.008;
    let throughput = (21.0 + 2.9 + 5.0) * 0.03 + 20.0 * 0.06;
    let cold_reads = 2.9 * 0.01 + 5.0 * 0.03;
    let moves = 20.0 * 0.01 + 20.0 * 0.03;
    assert!((found.cost.total_usd.0 - (storage + throughput + cold_reads + moves)).abs() < 0.01, "{:#?}", found.cost);
    // Once: 100 GiB written, 79 moved to IA, 50 on to Archive, after a month in Standard and two in IA.
    let settling = 29.0 * (0.30 - 0.016) + 50.0 * ((0.30 - 0.008) + 2.0 * (0.016 - 0.008));
    assert!((found.transfer_usd.0 - (6.0 + 0.79 + 1.5 + settling)).abs() < 0.01, "{}", found.transfer_usd.0);

    let advice = advise(share("nfs3", 1_000_000, 1024), &options);
    let tiny = candidate(&advice, "efs/regional-lifecycle");
    // 790,000 files that cooled down count for 128 KiB: 290,000 in IA, 500,000 in Archive.
    let ia = line(tiny, "Infrequent Access storage").quantity;
    assert!((ia - 290_000.0 * 131_072.0 / 1_073_741_824.0).abs() < 0.01, "{ia}");
}

#[test]
fn s3_standard_is_priced_by_bands() {
    let advice = advise(share("nfs3", 600 * 1024, GIB), &plain());
    let found = candidate(&advice, "s3/standard");
    let storage: f64 = found.cost.lines.iter().filter(|l| l.what == "storage").map(|l| l.usd.0).sum();
    same_usd(storage, 51_200.0 * 0.023 + 460_800.0 * 0.022 + 102_400.0 * 0.021);
    // Each GiB goes up in 64 parts of 16 MiB, with a request to begin and one to end.
    same_usd(found.transfer_usd.0, 600.0 * 1024.0 * 66.0 / 1000.0 * 0.005);
}

#[test]
fn small_objects_pay_for_128_kb_in_infrequent_access() {
    // 10 million files of 4 KiB: 38.1 GiB stored, 1220.7 GiB billed.
    let advice = advise(share("nfs3", 10_000_000, 4096), &plain());
    let found = candidate(&advice, "s3/standard-ia");
    let padding = line(found, "billed as 128 KB");
    assert!((padding.quantity - 10_000_000.0 * (131_072.0 - 4096.0) / 1_073_741_824.0).abs() < 0.01);
    assert!(found.reasons.iter().any(|r| r.rule == "small/padding" && r.points < 0), "{:?}", found.reasons);
    let standard = candidate(&advice, "s3/standard");
    assert!(standard.cost.total_usd.0 < found.cost.total_usd.0);
    same_usd(found.transfer_usd.0, 100.0);
    same_usd(standard.transfer_usd.0, 50.0);
    assert!(standard.findings.iter().any(|f| f.id == "small/requests"));
}

#[test]
fn archive_classes_pay_40_kb_of_overhead_for_each_object() {
    let options = Options { access: Access::Archive, ..plain() };
    let advice = advise(share("nfs3", 1_000_000, 4096), &options);
    let found = candidate(&advice, "s3/deep-archive");
    let own = line(found, "32 KB of index");
    assert!((own.quantity - 1e6 * 32_768.0 / 1_073_741_824.0).abs() < 1e-6);
    let standard = line(found, "8 KB of name");
    same_usd(standard.usd.0, 1e6 * 8192.0 / 1_073_741_824.0 * 0.023);
    same_usd(found.transfer_usd.0, 50.0);
    assert!(found.cost.has_unverified, "the price of a PUT to Deep Archive is from a third party");
}

#[test]
fn what_is_replaced_before_90_days_is_billed_for_90_in_glacier_instant_retrieval() {
    let advice = advise(share("nfs3", 1024, GIB), &plain());
    // 20 % are written each month and billed for two further months.
    let early = line(candidate(&advice, "s3/glacier-ir"), "replaced before 90 days");
    assert!((early.quantity - 0.2 * 1024.0 * 2.0).abs() < 1.0, "{}", early.quantity);
    let ia = candidate(&advice, "s3/standard-ia");
    assert!(!ia.cost.lines.iter().any(|l| l.what.contains("replaced before")), "30 days are over by then");
}

#[test]
fn tiers_cost_more_until_they_have_settled_and_that_is_counted_once() {
    let advice = advise(share("nfs3", 1000, GIB), &plain());
    let found = candidate(&advice, "s3/intelligent-tiering");
    let requests = 1000.0 * 66.0 / 1000.0 * 0.005;
    let cool = 290.0 * (0.023 - 0.0125);
    let cold = 500.0 * ((0.023 - 0.004) + 2.0 * (0.0125 - 0.004));
    same_usd(found.transfer_usd.0, requests + cool + cold);
    assert!(found.findings.iter().any(|f| f.id == "cold/settling"));
}

#[test]
fn intelligent_tiering_monitors_and_tiers_only_what_is_128_kb_or_more() {
    let advice = advise(share("nfs3", 1_000_000, MIB), &plain());
    let large = candidate(&advice, "s3/intelligent-tiering");
    same_usd(line(large, "monitoring").usd.0, 2.5);
    let gib = 1_000_000.0 / 1024.0;
    assert!((line(large, "infrequent access").quantity - 0.29 * gib).abs() < 0.1);
    assert!((line(large, "archive instant access").quantity - 0.50 * gib).abs() < 0.1);
    let advice = advise(share("nfs3", 1_000_000, 1024), &plain());
    let small = candidate(&advice, "s3/intelligent-tiering");
    assert!(!small.cost.lines.iter().any(|l| l.what == "monitoring" || l.what.starts_with("infrequent")));
}

#[test]
fn growth_enlarges_what_is_sized_and_paid_for() {
    let options = Options { growth_per_year: 0.5, horizon_months: 24, ..plain() };
    let advice = advise(share("nfs3", 100, GIB), &options);
    let found = candidate(&advice, "s3/standard");
    assert_eq!(found.sizing.now_bytes, 100 * GIB);
    assert_eq!(found.sizing.capacity_bytes, 225 * GIB);
    same_usd(line(found, "storage").usd.0, 225.0 * 0.023);
}

#[test]
fn every_sum_is_that_of_its_lines_and_every_line_has_a_source() {
    for protocol in ["nfs3", "smb"] {
        let advice = advise(share(protocol, 1000, GIB), &plain());
        for found in &advice.ranking {
            let sum: f64 = found.cost.lines.iter().map(|l| l.quantity * l.unit_usd).sum();
            same_usd(found.cost.total_usd.0, sum);
            assert!(found.cost.lines.iter().all(|l| l.source.contains("as of 20")), "{}", found.service);
            assert!(found.cost.as_of.as_str() >= advice_as_of(), "{}", found.cost.as_of);
        }
    }
}

fn advice_as_of() -> &'static str {
    "2025-07-07"
}
