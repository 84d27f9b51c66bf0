//! Plans as people write them, rightly and wrongly.

#![allow(clippy::unwrap_used)]

use longshore_plan::{
    CostLine, Error, Move, NamePolicy, PLACEHOLDER, PLAN_SCHEMA, Plan, Recommendation, ServiceId, Step, SystemAdvice,
    VerifyPolicy,
};
use std::collections::BTreeMap;

const SMALLEST: &str = r#"
schema = "longshore.plan/v1"

[[move]]
name = "home"
from = "nfs://filer01/export/home"
to = "s3://bucket/home"
"#;

/// `SMALLEST` with one more line in the move, which is line 8.
fn with(line: &str) -> String {
    format!("{SMALLEST}{line}\n")
}

/// Message and hint as the command line prints them.
fn refused(text: &str) -> String {
    let error = Plan::from_toml(text).expect_err("this must be refused");
    format!("error[{}]: {error}; hint: {}", error.code(), error.hint().unwrap_or_default())
}

fn plan() -> Plan {
    Plan::from_toml(SMALLEST).unwrap()
}

#[test]
fn the_smallest_plan_gets_the_defaults() {
    let plan = plan();
    let one = &plan.moves[0];
    assert_eq!(one, &Move::new("home", one.from.clone(), one.to.clone()));
    assert_eq!(one.steps, [Step::Preflight {}, Step::Transfer {}, Step::Verify {}]);
    assert_eq!(plan.ready().map_err(|e| e.to_string()), Ok(()));
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_name() {
    insta::assert_snapshot!(refused(&with("conccurrency = 3")), @"error[E1204]: unknown key `conccurrency` in move 1 (line 8); hint: did you mean `concurrency`?");
    insta::assert_snapshot!(refused(&with("part_size = \"16MiB\"")), @"error[E1204]: unknown key `part_size` in move 1 (line 8); hint: did you mean `part-size`?");
    insta::assert_snapshot!(refused(&with("step = [{ do = \"verify\", dryrun = true }]")), @"error[E1204]: unknown key `dryrun` in step 1 of move 1 (line 8); hint: known here: do");
    insta::assert_snapshot!(refused("schema = \"longshore.plan/v1\"\ncatalog-asof = \"\"\n"), @"error[E1204]: unknown key `catalog-asof` in the document (line 2); hint: did you mean `catalog-as-of`?");
    insta::assert_snapshot!(refused(&with("colour = 1")), @"error[E1204]: unknown key `colour` in move 1 (line 8); hint: known here: name, from, to, service, configuration, names, verify, max-failures, memory, concurrency, part-size, step");
}

#[test]
fn an_unknown_word_is_refused_with_the_nearest_one() {
    insta::assert_snapshot!(refused(&with("verify = \"digests\"")), @"error[E1205]: `verify` cannot be `digests` in move 1 (line 8); hint: did you mean `digest`?");
    insta::assert_snapshot!(refused(&with("names = \"drop\"")), @"error[E1205]: `names` cannot be `drop` in move 1 (line 8); hint: known here: refuse, escape, restore");
    insta::assert_snapshot!(refused(&with("step = [{ do = \"transfr\" }]")), @"error[E1205]: `do` cannot be `transfr` in step 1 of move 1 (line 8); hint: did you mean `transfer`?");
}

#[test]
fn what_is_not_toml_or_not_a_plan_is_told_with_its_line() {
    insta::assert_snapshot!(refused("schema = \"longshore.plan/v1\"\n[[move]\n"), @"error[E1202]: not valid TOML (the document (line 2)): unclosed array table, expected `]`; hint: ");
    insta::assert_snapshot!(refused("moves = 1"), @"error[E1203]: schema is ``, this version reads `longshore.plan/v1`; hint: the document must say `schema = \"longshore.plan/v1\"`");
    insta::assert_snapshot!(refused("schema = \"longshore.plan/v9\""), @"error[E1203]: schema is `longshore.plan/v9`, this version reads `longshore.plan/v1`; hint: give a document of schema `longshore.plan/v1`, or write it anew");
    insta::assert_snapshot!(refused(&with("memory = 128")), @"error[E1206]: invalid type: integer `128`, expected a string (move 1 (line 8)); hint: write sizes, names and locations in quotes: `memory = \"128MiB\"`");
    insta::assert_snapshot!(refused(&with("memory = \"128 bananas\"")), @"error[E1206]: cannot read `128 bananas`: expected a size such as `512`, `64KiB`, `1.5GiB` or `2TB` (move 1 (line 8)); hint: ");
    insta::assert_snapshot!(refused(&SMALLEST.replace("s3://bucket/home", "bucket/home")), @"error[E1206]: `bucket/home` is not a location: it has no scheme; write for example `nfs://host/export`, `file:///dir` or `s3://bucket/prefix` (move 1 (line 7)); hint: ");
    insta::assert_snapshot!(refused(&SMALLEST.replace("name = \"home\"", "")), @"error[E1206]: missing field `name` (move 1 (line 4)); hint: ");
}

#[test]
fn values_that_do_not_make_sense_together_are_refused_with_what_would() {
    insta::assert_snapshot!(refused(&with("concurrency = 0")), @"error[E1207]: `concurrency` is 0 in move 1 (line 8); hint: choose from 1 to 1024");
    insta::assert_snapshot!(refused(&with("concurrency = 1025")), @"error[E1207]: `concurrency` is 1025 in move 1 (line 8); hint: choose from 1 to 1024");
    insta::assert_snapshot!(refused(&with("part-size = \"1MiB\"")), @"error[E1207]: `part-size` is 1.0 MiB in move 1 (line 8); hint: choose from 5.0 MiB to 5.0 GiB");
    insta::assert_snapshot!(refused(&with("memory = \"8MiB\"")), @"error[E1207]: `memory` (8.0 MiB) does not hold one part (16.0 MiB) in move 1 (line 8); hint: give at least 16.0 MiB, or make `part-size` smaller");
    insta::assert_snapshot!(refused(&with("step = [{ do = \"verify\" }, { do = \"transfer\" }]")), @"error[E1207]: step `transfer` stands after `verify` in move 1 (line 8); hint: the order is preflight, transfer, verify; each at most once, at least one");
    insta::assert_snapshot!(refused(&with("step = [{ do = \"verify\" }, { do = \"verify\" }]")), @"error[E1207]: step `verify` stands twice in move 1 (line 8); hint: the order is preflight, transfer, verify; each at most once, at least one");
    insta::assert_snapshot!(refused(&with("step = []")), @"error[E1207]: the move has no steps in move 1 (line 8); hint: the order is preflight, transfer, verify; each at most once, at least one");
    insta::assert_snapshot!(refused(&SMALLEST.replace("\"home\"", "\"my home\"")), @"error[E1207]: `my home` is not a name in move 1 (line 5); hint: use letters, digits and `-` (at most 100, the first not `-`); it names a directory");
    insta::assert_snapshot!(refused(&SMALLEST.replace("s3://bucket/home", "nfs://filer01/export/home/copy")), @"error[E1207]: `from` and `to` overlap, so the move would copy into itself in move 1 (line 7); hint: choose a target outside of the source");
    let twice =
        format!("{SMALLEST}{}", SMALLEST.replace("schema = \"longshore.plan/v1\"", "").replace("\"home\"", "\"HOME\""));
    insta::assert_snapshot!(refused(&twice), @"error[E1207]: the name `HOME` is used twice in move 2 (line 12); hint: give every move a name of its own");
    insta::assert_snapshot!(refused(&twice.replace("HOME", "other")), @"error[E1207]: the target is also the target of move `home` in move 2 (line 14); hint: give every move a target of its own, for example a prefix each");
    insta::assert_snapshot!(refused("schema = \"longshore.plan/v1\"\nmove = []\n"), @"error[E1207]: nothing to move in the document; hint: add a `[[move]]` with `name`, `from` and `to`");
}

#[test]
fn a_copy_beside_the_source_is_not_a_copy_into_itself() {
    let text = SMALLEST.replace("s3://bucket/home", "nfs://filer01/export/home2");
    assert!(Plan::from_toml(&text).is_ok());
}

#[test]
fn a_placeholder_is_read_but_never_ready() {
    for (to, expected) in [
        (format!("s3://{PLACEHOLDER}-BUCKET/home"), "create a bucket"),
        (format!("file:///{PLACEHOLDER}-MOUNT-POINT/home"), "mount it on this host"),
        (format!("smb://{PLACEHOLDER}-DNS-NAME/share"), "its address"),
    ] {
        let plan = Plan::from_toml(&SMALLEST.replace("s3://bucket/home", &to)).unwrap();
        let error = plan.ready().unwrap_err();
        assert!(matches!(error, Error::Placeholder { .. }), "{error}");
        assert!(error.hint().unwrap().contains(expected), "{to}");
    }
}

/// A plan in which nothing has its default.
fn unusual() -> Plan {
    let mut one = Move::new("a-1", "nfs://f:2049/e%FF?mountport=1".parse().unwrap(), "s3://b/p".parse().unwrap());
    one.service = ServiceId("s3/standard".into());
    one.configuration = BTreeMap::from([("StorageClass".to_owned(), "a \"quoted\"\nword".to_owned())]);
    one.names = NamePolicy::Escape;
    one.verify = VerifyPolicy::ReadBack;
    one.max_failures = 0;
    one.memory = model::ByteSize(1 << 30);
    one.concurrency = 7;
    one.part_size = model::ByteSize((8 << 20) + 1);
    one.steps = vec![Step::Transfer {}];
    let two = Move::new("b", "file:///data".parse().unwrap(), "s3://b/q".parse().unwrap());
    let schema = PLAN_SCHEMA.to_owned();
    Plan { schema, inventory_sha256: "00ff".into(), catalog_as_of: "2025-07-07".into(), moves: vec![one, two] }
}

#[test]
fn a_written_plan_reads_back_as_the_same_plan() {
    for plan in [plan(), unusual()] {
        assert_eq!(Plan::from_toml(&plan.to_toml()).unwrap(), plan);
    }
}

#[test]
fn the_text_explains_each_key_once() {
    let text = unusual().to_toml();
    assert_eq!(text.matches("Most memory for content").count(), 1);
    assert_eq!(text.matches("\nmemory = ").count(), 2);
    insta::assert_snapshot!(plan().to_toml(), @r#"
    # A longshore plan: what to move where. Review it, edit it, then run `longshore migrate` on it.
    # Try it first with `longshore migrate --dry-run`. Unknown keys are refused.

    schema = "longshore.plan/v1"
    # The inventory and the catalog of prices that it was made from; empty for a plan made by hand.
    inventory-sha256 = ""
    catalog-as-of = ""

    [[move]]
    # Letters, digits and `-`; names the move's directory in the run.
    name = "home"
    # Where the data is. It is only ever read.
    from = "nfs://filer01/export/home"
    # Where it shall be, for example `s3://bucket/prefix`.
    to = "s3://bucket/home"
    # The service that was chosen; for reports.
    service = ""
    # Configuration of the service in the API's own words. `migrate` uses `StorageClass`.
    configuration = {}
    # Names that the target cannot hold: `refuse` (the item fails), `escape` (reversibly) or
    # `restore` (the source holds escaped names; give them back their bytes).
    names = "refuse"
    # Proof of arrival: `stamp` (the target's listing), `digest` (the target's own checksum,
    # size and metadata) or `read-back` (both sides are read again).
    verify = "digest"
    # Stop after this many failed items; 0 means never.
    max-failures = 1000
    # Most memory for content in flight; at least one part.
    memory = "128MiB"
    # Most items in flight, 1 to 1024; lowered by itself while it runs.
    concurrency = 64
    # Preferred size of a part of a large object, 5 MiB to 5 GiB.
    part-size = "16MiB"
    # What to do, in this order: preflight, transfer, verify.
    step = [{ do = "preflight" }, { do = "transfer" }, { do = "verify" }]
    "#);
}

#[test]
fn the_head_of_a_plan_shows_the_ranking_and_cannot_be_broken_out_of() {
    let text = include_str!("recommendation.json");
    let recommendation = Recommendation::from_json(text).unwrap();
    let plan = plan();
    let written = plan.to_toml_with(&recommendation);
    insta::assert_snapshot!(written.lines().take_while(|line| line.starts_with('#')).collect::<Vec<_>>().join("\n"), @r#"
    # A longshore plan: what to move where. Review it, edit it, then run `longshore migrate` on it.
    # Try it first with `longshore migrate --dry-run`. Unknown keys are refused.
    #
    # Ranking for nfs://filer01/export/home in us-east-1, USD a month at list prices (oldest of 2025-07-07):
    #    1. s3/standard                               12.50  S3 Standard schema = "broken out"
    #       0 more fit, 1 were excluded
    "#);
    assert_eq!(Plan::from_toml(&written).unwrap(), plan);
    assert_eq!(Recommendation::from_json(&recommendation.to_json()).unwrap(), recommendation);
}

#[test]
fn a_recommendation_of_another_schema_is_refused() {
    let error = Recommendation::from_json(r#"{"schema":"longshore.profile/v1"}"#).unwrap_err();
    assert_eq!(error.code(), "E1203");
    assert_eq!(Recommendation::from_json("{\n\n!").unwrap_err().to_string().matches("line 3").count(), 2);
}

/// Every key and word that serde knows is known to the check that names the nearest one, and the reverse.
#[test]
fn the_lists_of_known_keys_are_those_of_the_format() {
    let value: toml::Table = toml::from_str(&unusual().to_toml()).unwrap();
    let keys = |table: &toml::Table| table.keys().cloned().collect::<Vec<_>>();
    for key in keys(&value) {
        assert!(!refused_key(&key, ""), "{key}");
    }
    let one = value["move"][0].as_table().unwrap();
    assert_eq!(one.len(), 12);
    for key in keys(one) {
        assert!(!refused_key(&key, "move"), "{key}");
    }
}

/// Is the key refused as unknown?
fn refused_key(key: &str, place: &str) -> bool {
    let text = if place.is_empty() { format!("{key} = 0\n{SMALLEST}") } else { with(&format!("{key} = 0")) };
    matches!(Plan::from_toml(&text), Err(Error::UnknownKey { .. }))
}

#[test]
fn a_cost_line_keeps_its_source() {
    let line: CostLine = serde_json::from_str(
        r#"{"what":"w","quantity":2.0,"unit":"GB-month","unit_usd":0.5,"usd":1.0,"source":"list, as of 2025-10-22"}"#,
    )
    .unwrap();
    assert!(line.source.contains("2025-10-22"));
    let advice: Result<SystemAdvice, _> = serde_json::from_str("{}");
    assert!(advice.is_err());
}
