//! The embedded data, and what happens to data that is wrong.

#![allow(clippy::unwrap_used)]

use longshore_catalog::{Catalog, Copies, Error, Interface, PriceConfidence};

const REGIONS: [&str; 10] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "eu-central-1",
    "eu-west-1",
    "us-east-1",
    "us-east-2",
    "us-west-2",
];

#[test]
fn the_embedded_catalog_has_six_services_and_ten_regions() {
    let catalog = Catalog::embedded().unwrap();
    let ids: Vec<&str> = catalog.services().iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["s3", "efs", "fsx-windows", "fsx-lustre", "fsx-openzfs", "fsx-ontap"]);
    assert_eq!(catalog.regions(), REGIONS);
    assert_eq!(catalog.as_of(), "2025-07-07");
}

#[test]
fn every_variant_has_all_its_prices_in_every_region_that_offers_it() {
    let catalog = Catalog::embedded().unwrap();
    let mut absent = Vec::new();
    for service in catalog.services() {
        for variant in &service.variants {
            for region in REGIONS {
                let dimensions = variant.dimensions();
                let there = dimensions.iter().filter(|d| catalog.price(&service.id, d, region).is_ok()).count();
                if there < dimensions.len() {
                    absent.push(format!("{}/{} {region}", service.id, variant.id));
                }
            }
            assert!(catalog.offers(service, variant, "us-east-1"), "{}/{}", service.id, variant.id);
        }
    }
    // What AWS's feed does not have in these regions; anything else would be a hole in our data.
    assert_eq!(
        absent,
        [
            "s3/express-onezone ap-northeast-2",
            "s3/express-onezone ap-southeast-1",
            "s3/express-onezone ap-southeast-2",
            "s3/express-onezone eu-central-1",
            "fsx-openzfs/single-az-2 ap-northeast-2",
            "fsx-openzfs/single-az-ha-2 ap-northeast-2",
            "fsx-openzfs/intelligent-tiering ap-northeast-2",
        ]
    );
}

#[test]
fn corrected_prices_are_the_ones_that_are_carried() {
    let catalog = Catalog::embedded().unwrap();
    for (service, dimension, region, usd) in [
        ("fsx-openzfs", "multi_az_ssd_iops_above_3_per_gib", "us-east-1", 0.024),
        ("fsx-openzfs", "single_az_ha_1_throughput", "us-east-1", 0.52),
        ("fsx-openzfs", "multi_az_intelligent_tiering_monitoring", "us-east-1", 0.0006),
        ("fsx-lustre", "intelligent_tiering_throughput", "us-east-1", 0.52),
        ("fsx-lustre", "intelligent_tiering_throughput", "ap-northeast-1", 0.656),
        ("efs", "onezone_ia_storage", "us-east-1", 0.0133),
        ("efs", "regional_standard_storage", "eu-west-1", 0.33),
        ("efs", "provisioned_throughput", "ap-northeast-1", 7.2),
        ("s3", "glacier_flexible_restore_requests_standard", "us-east-1", 0.05),
        ("s3", "glacier_flexible_requests_put", "eu-west-1", 0.033),
        ("fsx-windows", "backup_storage", "eu-central-1", 0.054),
        ("fsx-windows", "backup_storage", "ap-southeast-2", 0.055),
    ] {
        let price = catalog.price(service, dimension, region).unwrap();
        assert!((price.amount - usd).abs() < 1e-9, "{service} {dimension} {region}: {}", price.amount);
        assert_eq!(price.currency, "USD");
        assert!(!price.source.is_empty() && !price.unit.is_empty());
    }
}

#[test]
fn a_price_says_where_it_is_from_and_how_far_it_can_be_trusted() {
    let catalog = Catalog::embedded().unwrap();
    let sure = catalog.price("s3", "standard_storage_first_50tb", "us-east-1").unwrap();
    assert!(sure.is_verified());
    assert_eq!((sure.unit.as_str(), sure.as_of.as_str()), ("GB-month", "2025-10-22"));
    let guessed = catalog.price("s3", "deep_archive_requests_put", "eu-west-1").unwrap();
    assert_eq!(guessed.confidence, PriceConfidence::Unverified);
    assert!(!guessed.is_verified() && guessed.cited().contains("unverified"), "{}", guessed.cited());
    let inferred = catalog.price("fsx-openzfs", "multi_az_ssd_iops_above_3_per_gib", "us-east-1").unwrap();
    assert!(inferred.dimension_inferred && !inferred.is_verified());
}

#[test]
fn an_unknown_region_and_a_missing_price_are_errors_and_never_zero() {
    let catalog = Catalog::embedded().unwrap();
    let refused = catalog.price("s3", "standard_storage_first_50tb", "mars-1").unwrap_err();
    assert_eq!(refused.code(), "E1304");
    assert!(refused.hint().unwrap().contains("us-east-1"));
    let refused = catalog.price("s3", "express_onezone_storage", "eu-central-1").unwrap_err();
    assert!(matches!(refused, Error::NoPrice { .. }), "{refused}");
}

#[test]
fn limits_and_classes_are_the_documented_ones() {
    let catalog = Catalog::embedded().unwrap();
    let s3 = catalog.service("s3").unwrap();
    assert_eq!(s3.interface, Interface::Object);
    assert_eq!(s3.limits.max_file_bytes.as_ref().unwrap().value, 10_000 * (5 << 30));
    assert_eq!(s3.limits.max_path_bytes.as_ref().unwrap().value, 1024);
    assert_eq!(catalog.storage_class("GLACIER_IR").unwrap().id, "glacier-ir");
    assert_eq!(catalog.storage_class("ONEZONE_IA").unwrap().copies, Copies::Zone);
    let efs = catalog.service("efs").unwrap();
    assert_eq!(efs.limits.max_hard_links.as_ref().unwrap().value, 177);
    assert!(!efs.metadata.has("posix-acl") && efs.metadata.has("mode"));
}

#[test]
fn capacity_and_throughput_go_in_the_steps_of_the_service() {
    let catalog = Catalog::embedded().unwrap();
    let lustre = catalog.service("fsx-lustre").unwrap();
    let capacity = lustre.variant("persistent-2-125").unwrap().capacity.as_ref().unwrap();
    let sizes = [1, 1200, 1201, 2401, 4800, 4801].map(|gib| capacity.at_least(gib).unwrap());
    assert_eq!(sizes, [1200, 1200, 2400, 4800, 4800, 7200]);
    let hdd = lustre.variant("persistent-1-hdd-12").unwrap().capacity.as_ref().unwrap();
    assert_eq!([1, 6001].map(|gib| hdd.at_least(gib).unwrap()), [6000, 12000]);
    let windows = catalog.service("fsx-windows").unwrap().variant("single-az-hdd").unwrap();
    let capacity = windows.capacity.as_ref().unwrap();
    assert_eq!([1, 2001, 65536, 65537].map(|gib| capacity.at_least(gib)), [Some(2000), Some(2001), Some(65536), None]);
    let steps = windows.throughput.as_ref().unwrap();
    assert_eq!(steps.at_least(1.0, 1.0), Some(32));
    assert_eq!(steps.at_least(33.0, 1.0), Some(64));
    assert_eq!(steps.at_least(1.0, 11_000.0), Some(512));
    assert_eq!(steps.at_least(2049.0, 1.0), None);
    let elastic = lustre.variant("intelligent-tiering").unwrap().throughput.as_ref().unwrap();
    assert_eq!(elastic.at_least(1.0, 1.0), Some(4000));
    assert_eq!(elastic.at_least(4001.0, 1.0), Some(8000));
}

#[test]
fn a_directory_overrides_single_files_and_bad_ones_are_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("prices")).unwrap();
    assert_eq!(Catalog::load(dir.path()).unwrap().regions(), REGIONS);

    let prices = dir.path().join("prices/aws.json");
    std::fs::write(&prices, "{").unwrap();
    let refused = Catalog::load(dir.path()).unwrap_err();
    assert!(matches!(&refused, Error::Form { file, .. } if file == "prices/aws.json"), "{refused}");

    std::fs::write(&prices, r#"{"schema":"longshore.prices/v1","currency":"USD","prices":[]}"#).unwrap();
    let refused = Catalog::load(dir.path()).unwrap_err();
    assert_eq!(refused.code(), "E1303");
    assert!(refused.to_string().contains("needs price"), "{refused}");

    let refused = Catalog::load(&dir.path().join("absent")).unwrap_err();
    assert_eq!(refused.code(), "E1301");
}
