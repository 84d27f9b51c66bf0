//! From advice to a plan.

#![allow(clippy::unwrap_used)]

use super::{slug, to_plan};
use crate::fixture::{acls, share};
use crate::{Access, Error, Options, Subject, recommend};
use catalog::Catalog;
use inventory::Profile;
use model::Location;
use plan::{NamePolicy, Plan, Recommendation};
use std::collections::BTreeMap;

fn advice(profiles: Vec<Profile>, options: &Options) -> Recommendation {
    let subjects: Vec<Subject> = profiles.into_iter().map(Subject::new).collect();
    recommend(&subjects, "ab12", &Catalog::embedded().unwrap(), options).unwrap()
}
fn nfs() -> Profile {
    share("nfs3", 1 << 20, 1 << 20)
}
fn windows() -> Profile {
    let mut profile = share("smb", 1 << 20, 1 << 20);
    profile.metadata.acls = acls("ntfs", 5000);
    profile
}
fn nowhere() -> BTreeMap<String, Location> {
    BTreeMap::new()
}

#[test]
fn a_plan_takes_the_best_candidate_and_reads_back() {
    let advice = advice(vec![nfs()], &Options::default());
    let plan = to_plan(&advice, None, &nowhere()).unwrap();
    let best = &advice.systems[0].ranking[0];
    assert_eq!(plan.moves[0].service, best.service);
    assert_eq!(plan.moves[0].configuration["StorageClass"], best.configuration["StorageClass"]);
    assert_eq!(plan.inventory_sha256, "ab12");
    assert_eq!(plan.moves[0].to.to_string(), "s3://FILL-IN-BUCKET/filer-export-data");
    assert!(plan.ready().unwrap_err().hint().unwrap().contains("bucket"));
    assert_eq!(Plan::from_toml(&plan.to_toml_with(&advice)).unwrap(), plan);
}

#[test]
fn a_choice_by_service_takes_its_best_class_and_by_class_that_one() {
    let advice = advice(vec![nfs()], &Options::default());
    let service = |choose: &str| to_plan(&advice, Some(choose), &nowhere()).unwrap().moves.remove(0).service.0;
    assert!(service("s3").starts_with("s3/"));
    assert_eq!(service("s3/standard"), "s3/standard");
    assert!(service("efs").starts_with("efs/"));
}

#[test]
fn a_choice_that_was_excluded_is_refused_with_the_reasons() {
    let advice = advice(vec![windows()], &Options::default());
    let error = to_plan(&advice, Some("efs"), &nowhere()).unwrap_err();
    assert_eq!(error.code(), "E1505");
    let text = error.to_string();
    assert!(text.contains("efs/no-acls") && text.contains("protocol/no-smb"), "{text}");
    assert_eq!(text.matches("efs/no-acls").count(), 1, "each reason once: {text}");
    let error = to_plan(&advice, Some("fsx-window"), &nowhere()).unwrap_err();
    assert_eq!(error.hint().unwrap(), "did you mean `fsx-windows`?");
}

#[test]
fn nothing_that_fits_is_an_error_and_not_an_empty_plan() {
    let options = Options { only: vec!["efs".to_owned()], ..Options::default() };
    let error = to_plan(&advice(vec![windows()], &options), None, &nowhere()).unwrap_err();
    assert!(matches!(error, Error::NothingFits { .. }), "{error}");
}

#[test]
fn targets_are_taken_by_location_or_below_the_default() {
    let bucket = |uri: &str| uri.parse::<Location>().unwrap();
    let one = advice(vec![nfs()], &Options::default());
    let to = BTreeMap::from([("default".to_owned(), bucket("s3://b/p"))]);
    assert_eq!(to_plan(&one, None, &to).unwrap().moves[0].to, bucket("s3://b/p"));

    let mut other = nfs();
    other.location = "nfs://filer/export/other".parse().unwrap();
    let two = advice(vec![nfs(), other], &Options::default());
    let own = two.systems[0].location.to_string();
    let to = BTreeMap::from([("default".to_owned(), bucket("s3://b/p")), (own, bucket("s3://mine"))]);
    let plan = to_plan(&two, None, &to).unwrap();
    assert_eq!(plan.moves[0].to, bucket("s3://mine"));
    assert_eq!(plan.moves[1].to, bucket("s3://b/p/filer-export-other"));
    assert!(plan.ready().is_ok());
}

#[test]
fn placeholders_say_what_this_version_can_write_to() {
    let files = Options { access: Access::File, ..Options::default() };
    let plan = to_plan(&advice(vec![nfs()], &files), None, &nowhere()).unwrap();
    assert_eq!(plan.moves[0].to.to_string(), "file:///FILL-IN-MOUNT-POINT/filer-export-data");
    assert!(plan.to_toml().contains("mount it on this host"));
    let plan = to_plan(&advice(vec![windows()], &files), None, &nowhere()).unwrap();
    assert_eq!(plan.moves[0].to.scheme(), "smb");
    assert!(plan.to_toml().contains("cannot write to this service"));
    assert!(plan.ready().is_err());
}

#[test]
fn names_are_escaped_where_a_finding_says_so() {
    let mut profile = nfs();
    profile.names.not_utf8 = 1;
    let found = advice(vec![profile], &Options::default());
    assert_eq!(to_plan(&found, Some("s3"), &nowhere()).unwrap().moves[0].names, NamePolicy::Escape);
    assert_eq!(to_plan(&found, Some("efs"), &nowhere()).unwrap().moves[0].names, NamePolicy::Refuse);
}

#[test]
fn two_systems_with_like_names_get_moves_with_names_of_their_own() {
    let mut other = nfs();
    other.location = "nfs://filer/export//data".parse().unwrap();
    let plan = to_plan(&advice(vec![nfs(), other], &Options::default()), None, &nowhere()).unwrap();
    assert_eq!(plan.moves[0].name, "filer-export-data");
    assert_eq!(plan.moves[1].name, "filer-export-data-2");
}

#[test]
fn the_name_of_a_move_is_made_of_what_names_may_hold() {
    for (uri, name) in [
        ("file:///", "data"),
        ("file:///mnt/%FF%FF/Ärger", "mnt-xff-xff-rger"),
        ("nfs://[::1]:2049/e", "1-e"),
        ("s3://my.bucket/a_b", "my-bucket-a-b"),
    ] {
        assert_eq!(slug(&uri.parse().unwrap()), name, "{uri}");
    }
    let long = Location::file("/x".repeat(300).as_bytes());
    assert!(slug(&long).len() <= 60);
}
