//! A report with everything in it: a large system with hostile names, an empty one, excluded candidates,
//! failures, differences. Made up, and the same at every call.

use inventory::{
    AgeBucket, Capacity, ComparedCount, Counts, DirectoryUse, FileUse, Finding as SystemFinding, Group, Groups, Host,
    MetadataFacts, NameFacts, Network, OperationLatency, PROFILE_SCHEMA, Problem, Profile, SecondCount, Shape,
    SizeBucket, System, Walk, Weight,
};
use journal::{
    Answer, Count, Difference, ItemProblem, MoveResult, Outcome, PreflightCheck, RUN_SCHEMA, RunResult, Tally,
    Verification,
};
use longshore_reports::Report;
use model::{Location, Observed, RelPath};
use plan::{
    Candidate, CostLine, Exclusion, Finding, Money, MonthlyCost, Move, PLAN_SCHEMA, Plan, RECOMMENDATION_SCHEMA,
    Reason, Recommendation, ServiceId, Severity, Sizing, SystemAdvice,
};
use std::collections::BTreeMap;

/// A name that tries to be markup, moves the cursor, reverses the text, and is not UTF-8.
pub const HOSTILE: &[u8] = b"home/<script>alert(1)</script>/\"quo'te&amp;\x1b[31m\xE2\x80\xAEtxt.exe\nnew\xFFline";

/// Everything at once.
pub fn report() -> Report {
    Report {
        title: "filer01 <b>home</b> & projects to Amazon S3".into(),
        generated_at: "2025-11-22T13:36:24.123Z".into(),
        version: "0.1.0".into(),
        profiles: vec![profile(), empty_profile()],
        recommendation: Some(recommendation()),
        plan: Some(plan()),
        run: Some(run()),
    }
}

/// Nothing at all: every part is absent.
pub fn empty_report() -> Report {
    Report {
        title: "Nothing".into(),
        generated_at: "2025-11-22T13:36:24Z".into(),
        version: "0.1.0".into(),
        profiles: vec![],
        recommendation: None,
        plan: None,
        run: None,
    }
}

fn at(uri: &str) -> Location {
    uri.parse().expect("the sample has only well-formed locations")
}

fn long_path() -> RelPath {
    let mut path = RelPath::from("projects/archive");
    for level in 0..12 {
        path = path.join(format!("a-directory-name-that-goes-on-and-on-without-a-blank-{level:02}").as_bytes());
    }
    path.join(b"and the final file with blanks.tar.gz")
}

fn groups(names: &[(&str, u64, u64)], other: Option<(u64, u64)>, exact: bool) -> Groups {
    let group = |name: &str, files, size_bytes| Group { name: name.to_owned(), files, size_bytes };
    Groups {
        top: names.iter().map(|(name, files, bytes)| group(name, *files, *bytes)).collect(),
        other: other.map(|(files, bytes)| group("other", files, bytes)),
        exact,
    }
}

fn ages(files: [u64; 9]) -> Vec<AgeBucket> {
    let bounds: [(&str, Option<u32>, Option<u32>); 9] = [
        ("under a day", Some(0), Some(1)),
        ("1 to 7 days", Some(1), Some(7)),
        ("7 to 30 days", Some(7), Some(30)),
        ("30 to 90 days", Some(30), Some(90)),
        ("90 days to 1 year", Some(90), Some(365)),
        ("1 to 3 years", Some(365), Some(1095)),
        ("3 to 5 years", Some(1095), Some(1825)),
        ("over 5 years", Some(1825), None),
        ("in the future", None, None),
    ];
    let bucket = |((label, from_days, to_days), files): ((&str, _, _), u64)| AgeBucket {
        label: label.to_owned(),
        from_days,
        to_days,
        files,
        size_bytes: files * 1_234_567,
    };
    bounds.into_iter().zip(files).map(bucket).collect()
}

fn sizes() -> Vec<SizeBucket> {
    let files = [
        1_204, 12, 40, 96, 210, 450, 1_900, 3_100, 9_800, 31_000, 88_000, 160_400, 240_100, 201_700, 150_300, 98_000,
        71_000, 44_100, 30_500, 22_000, 15_100, 9_000, 5_200, 2_900, 1_450, 800, 410, 220, 96, 31, 12, 9, 4, 0, 2,
    ];
    let mut from = 0_u64;
    let mut buckets = Vec::new();
    for count in files {
        let to = if from == 0 { 1 } else { from * 2 };
        buckets.push(SizeBucket {
            from_bytes: from,
            to_bytes: to,
            files: count,
            size_bytes: count * (from + from / 2),
        });
        from = to;
    }
    buckets
}

fn latency(op: &str, count: u64, errors: u64, us: [u64; 4]) -> OperationLatency {
    let [p50_us, p95_us, p99_us, max_us] = us;
    OperationLatency { op: op.into(), count, errors, p50_us, p95_us, p99_us, max_us, histogram: "HISTFAAA".into() }
}

/// A large export.
pub fn profile() -> Profile {
    let hostile = RelPath::from(HOSTILE);
    let directory = |path: RelPath, entries, size_bytes| DirectoryUse { path, entries, size_bytes };
    let unreadable = |path: &str| Problem {
        path: path.into(),
        kind: "denied".into(),
        detail: "cannot list: permission denied (NFS3ERR_ACCES), as uid 1000".into(),
    };
    Profile {
        schema: PROFILE_SCHEMA.into(),
        location: at("nfs://filer01.example.com:2049/export/home%20and%20projects?mountport=635&version=3"),
        system: System {
            protocol: "nfs3".into(),
            product: Some("NFS-Ganesha".into()),
            version: Some("4.3".into()),
            details: [("rtmax", "1048576"), ("wtmax", "1048576"), ("fsid", "0x98a1:0x77"), ("dtpref", "65536")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        },
        walk: Walk {
            started_at: "2025-11-22T13:10:00Z".into(),
            finished_at: "2025-11-22T13:12:51.5Z".into(),
            elapsed_ms: 171_500,
            resumed: 1,
            entries_per_second: Observed::measured(7_702.4),
            concurrency: 32,
            peak_memory_bytes: Some(143 << 20),
            host: Host {
                name: "mover-1".into(),
                os: "Debian GNU/Linux 12".into(),
                cores: 8,
                memory_bytes: 32 << 30,
                networks: vec![Network {
                    name: "eth0".into(),
                    received_bytes: 412 << 20,
                    sent_bytes: 51 << 20,
                    link_mbps: Some(10_000),
                }],
                disks: vec![],
            },
        },
        capacity: Some(Capacity {
            total_bytes: Observed::reported(20 << 40),
            used_bytes: Observed::reported(13 << 40),
            available_bytes: Observed::reported(7 << 40),
            files: Some(Observed::reported(1_412_907)),
        }),
        counts: Counts {
            files: 1_189_346,
            dirs: 104_822,
            symlinks: 3_311,
            specials: 4,
            size_bytes: 9_876_543_210_987,
            allocated_bytes: Some(9_412_345_678_901),
            hard_linked_names: 212,
            sparse_files: 31,
            empty_files: 1_204,
        },
        sizes: sizes(),
        age_modified: ages([1_310, 9_004, 31_150, 88_000, 190_400, 402_111, 301_020, 166_300, 51]),
        age_accessed: ages([21_310, 49_004, 61_150, 128_000, 290_400, 302_111, 201_020, 136_351, 0]),
        by_extension: groups(
            &[
                ("mov", 2_210, 4_100_000_000_000),
                ("tar.gz", 14_200, 2_400_000_000_000),
                ("parquet", 88_000, 1_900_000_000_000),
                ("jpg", 411_000, 820_000_000_000),
                ("(none)", 120_000, 310_000_000_000),
                ("=cmd|' /c calc'!a1", 3, 1_000),
            ],
            Some((553_933, 346_543_209_987)),
            false,
        ),
        by_owner: groups(
            &[
                ("1000", 800_000, 6_000_000_000_000),
                ("S-1-5-21-1004336348-1177238915-682003330-512", 300_000, 3_000_000_000_000),
                ("root", 89_346, 876_543_210_987),
            ],
            None,
            true,
        ),
        by_top_directory: groups(
            &[
                ("projects", 510_000, 5_900_000_000_000),
                ("home", 430_000, 2_700_000_000_000),
                ("scratch \u{202e}dlo", 249_000, 1_270_000_000_000),
                ("<img src=x onerror=alert(1)>", 346, 6_543_210_987),
            ],
            None,
            true,
        ),
        largest_directories: vec![
            directory("projects/film/2024".into(), 1_204, 2_900_000_000_000),
            directory(long_path(), 3, 910_000_000_000),
            directory(hostile.clone(), 12, 400_000_000_000),
            directory(RelPath::ROOT, 18, 91_000_000),
        ],
        largest_files: vec![
            FileUse { path: "projects/film/2024/master.mov".into(), size_bytes: 812_000_000_000 },
            FileUse { path: long_path().join(b" trailing blank "), size_bytes: 91_000_000_000 },
            FileUse { path: hostile.clone(), size_bytes: 17_000_000_000 },
        ],
        shape: Shape {
            max_depth: 21,
            entries_by_depth: vec![
                18, 902, 31_000, 210_000, 401_000, 322_000, 190_000, 90_000, 41_000, 9_000, 2_100, 300, 80, 40, 20, 9,
                6, 4, 2, 1, 1,
            ],
            max_width: 131_072,
            directories_by_width: vec![
                902, 9_100, 21_000, 30_100, 24_000, 12_000, 5_100, 1_900, 500, 150, 44, 12, 6, 4, 2, 1, 0, 1,
            ],
            widest: vec![directory("scratch/queue".into(), 131_072, 11_000_000_000)],
        },
        names: NameFacts {
            longest_path_bytes: 1_101,
            longest_path: Some(long_path()),
            longest_component_bytes: 255,
            longest_link_target_bytes: 412,
            over_1024_bytes: 14,
            not_utf8: 3,
            control_characters: 2,
            not_windows: 1_912,
            case_twins: 6,
            normal_form_twins: 1,
            examples: [
                ("over_1024_bytes", long_path()),
                ("not_utf8", hostile.clone()),
                ("not_windows", RelPath::from("home/anna/CON")),
            ]
            .map(|(key, path)| (key.to_owned(), vec![path]))
            .into(),
        },
        metadata: MetadataFacts {
            facets_read: ["mtime", "atime", "mode", "owner", "hard-links"].map(str::to_owned).into(),
            max_links: 9,
            owners: 3,
            setuid_or_setgid: 4,
            world_writable: 120,
            acls: None,
            xattrs: None,
            streams: None,
            doubtful_times: 2,
        },
        latency: vec![
            latency("READDIRPLUS", 131_000, 12, [850, 2_900, 11_200, 410_000]),
            latency("GETATTR", 41_000, 0, [120, 310, 900, 12_000]),
            latency("FSSTAT", 1, 0, [95, 95, 95, 95]),
            latency("LOOKUP", 912, 3, [140, 420, 1_900, 22_400]),
        ],
        unreadable: vec![unreadable("home/carla/.ssh"), unreadable("home/<i>dave</i>/private")],
        unreadable_count: 12,
        findings: vec![
            SystemFinding::new(
                "hidden-entries",
                Weight::Warning,
                "2 subdirectories are missing: the server hides names",
            )
            .counted(1)
            .with_examples([hostile.clone()]),
            SystemFinding::new(
                "offline-files",
                Weight::Warning,
                "content on tape: recall it in batches, =before a move",
            )
            .counted(1_204)
            .sized(4_100_000_000_000)
            .with_examples(["archive/2009/a.tar".into(), "archive/2009/<b>.tar".into()]),
            SystemFinding::new("not-told", Weight::Note, "the second count could not be told: permission denied"),
        ],
        second_counts: vec![
            ComparedCount {
                count: SecondCount { method: "link counts".into(), dirs: Some(104_822), ..SecondCount::default() },
                agrees: true,
                difference: String::new(),
            },
            ComparedCount {
                count: SecondCount {
                    method: "getContentSummary".into(),
                    files: Some(1_189_348),
                    ..SecondCount::default()
                },
                agrees: false,
                difference: "2 files more than the walk found (1189348 against 1189346)".into(),
            },
        ],
    }
}

/// An export that holds nothing.
pub fn empty_profile() -> Profile {
    Profile {
        location: at("file:///srv/empty"),
        system: System { protocol: "local".into(), ..System::default() },
        capacity: None,
        counts: Counts::default(),
        sizes: vec![],
        age_modified: vec![],
        age_accessed: vec![],
        by_extension: Groups { exact: true, ..Groups::default() },
        by_owner: Groups { exact: true, ..Groups::default() },
        by_top_directory: Groups { exact: true, ..Groups::default() },
        largest_directories: vec![],
        largest_files: vec![],
        shape: Shape::default(),
        names: NameFacts::default(),
        metadata: MetadataFacts::default(),
        latency: vec![],
        unreadable: vec![],
        unreadable_count: 0,
        findings: vec![],
        second_counts: vec![],
        ..profile()
    }
}

fn cents(usd: f64) -> f64 {
    (usd * 100.0).round() / 100.0
}

fn cost(lines: &[(&str, f64, &str, f64)]) -> MonthlyCost {
    let lines: Vec<_> = lines
        .iter()
        .map(|(what, quantity, unit, unit_usd)| CostLine {
            what: (*what).into(),
            quantity: *quantity,
            unit: (*unit).into(),
            unit_usd: *unit_usd,
            usd: Money(cents(quantity * unit_usd)),
            source: "AWS pricing feed, 2025-10-22".into(),
        })
        .collect();
    MonthlyCost {
        total_usd: Money(cents(lines.iter().map(|line| line.usd.0).sum())),
        currency: "USD".into(),
        region: "us-east-1".into(),
        as_of: "2025-10-22".into(),
        has_unverified: false,
        lines,
    }
}

fn reason(rule: &str, text: &str, points: i32, facts: &[(&str, &str)]) -> Reason {
    Reason {
        rule: rule.into(),
        text: text.into(),
        points,
        facts: facts.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
    }
}

fn finding(id: &str, severity: Severity, text: &str, remedy: &str) -> Finding {
    Finding { id: id.into(), severity, text: text.into(), remedy: remedy.into() }
}

fn candidate(service: &str, title: &str, points: i32, once: f64, cost: MonthlyCost) -> Candidate {
    Candidate {
        service: ServiceId(service.into()),
        title: title.into(),
        configuration: BTreeMap::from([("StorageClass".into(), "INTELLIGENT_TIERING".into())]),
        sizing: Sizing {
            now_bytes: 9_876_543_210_987,
            capacity_bytes: 14_222_222_222_222,
            growth_per_year: 0.2,
            horizon_months: 24,
            throughput_mibps: 220.0,
            iops: 7_702.0,
            basis: "estimated: from the rate of discovery, no workload was recorded".into(),
        },
        cost,
        transfer_usd: Money(once),
        points,
        reasons: vec![
            reason("s3/cold-data", "two thirds of the bytes were not read for a year", 30, &[("cold_share", "0.67")]),
            reason(
                "s3/posix-needed",
                "symbolic links need an application that understands them",
                -5,
                &[("symlinks", "3311")],
            ),
        ],
        findings: vec![finding(
            "s3/key-too-long",
            Severity::Blocking,
            "14 paths are over 1,024 bytes and cannot be keys as they are",
            "shorten them, or set names = \"escape\"",
        )],
    }
}

/// A recommendation with a ranking, exclusions and findings; nothing for the empty system.
pub fn recommendation() -> Recommendation {
    let s3 = candidate(
        "s3/intelligent-tiering",
        "Amazon S3 Intelligent-Tiering",
        61,
        5.95,
        cost(&[
            ("frequent access storage", 4_370.0, "GB-month", 0.023),
            ("infrequent access storage", 8_874.0, "GB-month", 0.0125),
            ("monitoring", 1_189.0, "1k objects-month", 0.0025),
            ("requests (PUT)", 12.0, "1k requests", 0.005),
            ("requests (GET)", 4_100.0, "1k requests", 0.0004),
        ]),
    );
    let standard = candidate(
        "s3/standard",
        "Amazon S3 Standard",
        44,
        5.95,
        cost(&[("storage", 13_245.0, "GB-month", 0.023), ("requests (GET)", 4_100.0, "1k requests", 0.0004)]),
    );
    let mut ontap = candidate(
        "fsx-ontap/multi-az-gen-2",
        "Amazon FSx for NetApp ONTAP, Multi-AZ, second generation, with capacity pool",
        38,
        0.0,
        cost(&[
            ("SSD storage", 2_700.0, "GB-month", 0.25),
            ("capacity pool storage", 10_545.0, "GB-month", 0.0438),
            ("throughput capacity", 384.0, "MBps-month", 1.2),
            ("SSD IOPS beyond 3 per GiB", 1_900.0, "IOPS-month", 0.034),
            ("backup", 13_245.0, "GB-month", 0.05),
            ("licence", 1.0, "unit-month", 20.0),
        ]),
    );
    ontap.cost.has_unverified = true;
    let efs = candidate(
        "efs/regional",
        "Amazon EFS Regional",
        35,
        395.0,
        cost(&[
            ("Standard storage", 3_000.0, "GB-month", 0.3),
            ("Infrequent Access storage", 10_245.0, "GB-month", 0.016),
            ("elastic throughput, reads", 2_000.0, "GB", 0.03),
            ("elastic throughput, writes", 300.0, "GB", 0.06),
        ]),
    );
    Recommendation {
        schema: RECOMMENDATION_SCHEMA.into(),
        region: "us-east-1".into(),
        catalog_as_of: "2025-09-30".into(),
        inventory_sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        systems: vec![
            SystemAdvice {
                location: profile().location,
                facts: [
                    ("files", "1189346"),
                    ("p50_size", "4.1 KiB"),
                    ("cold_share", "0.67"),
                    ("longest_path", "1101 bytes"),
                ]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
                ranking: vec![s3, standard, ontap, efs],
                excluded: vec![
                    Exclusion {
                        service: ServiceId("fsx-windows/multi-az-ssd".into()),
                        title: "Amazon FSx for Windows File Server, Multi-AZ SSD".into(),
                        reasons: vec![
                            reason(
                                "fsx-windows/needs-smb",
                                "the system is read over NFS, which it does not serve",
                                0,
                                &[("protocol", "nfs3")],
                            ),
                            reason(
                                "fsx-windows/case-twins",
                                "names that differ only in case cannot live side by side",
                                0,
                                &[("case_twins", "6")],
                            ),
                        ],
                    },
                    Exclusion {
                        service: ServiceId("s3/express-one-zone".into()),
                        title: "Amazon S3 Express One Zone".into(),
                        reasons: vec![reason(
                            "s3/single-zone",
                            "one zone only, and nothing says that the data can be made again",
                            0,
                            &[],
                        )],
                    },
                ],
                findings: vec![
                    finding("names/case-twins", Severity::Note, "6 names differ from a sibling only in case", ""),
                    finding(
                        "discovery/unreadable",
                        Severity::Warning,
                        "12 directories could not be read, so what they hold is not sized",
                        "read as root, or export with `no_root_squash`",
                    ),
                ],
            },
            SystemAdvice {
                location: empty_profile().location,
                facts: BTreeMap::new(),
                ranking: vec![],
                excluded: vec![Exclusion {
                    service: ServiceId("s3/standard".into()),
                    title: "Amazon S3 Standard".into(),
                    reasons: vec![reason("any/nothing-to-move", "the system holds no files", 0, &[("files", "0")])],
                }],
                findings: vec![],
            },
        ],
    }
}

/// A plan of one move.
pub fn plan() -> Plan {
    let mut step = Move::new(
        "home-and-projects",
        profile().location,
        at("s3://example-landing-zone/filer01/home?endpoint=https://s3.example.com:9000&region=us-east-1"),
    );
    step.service = ServiceId("s3/intelligent-tiering".into());
    step.configuration = BTreeMap::from([("StorageClass".into(), "INTELLIGENT_TIERING".into())]);
    Plan {
        schema: PLAN_SCHEMA.into(),
        inventory_sha256: recommendation().inventory_sha256,
        catalog_as_of: "2025-09-30".into(),
        moves: vec![step],
    }
}

/// What preflight asked.
pub fn preflight() -> Vec<PreflightCheck> {
    let check = |name: &str, answer, detail: &str, hint: Option<&str>| PreflightCheck {
        name: name.into(),
        answer,
        detail: detail.into(),
        hint: hint.map(str::to_owned),
    };
    vec![
        check("source is reachable", Answer::Yes, "NFSv3 at filer01, 0.8 ms", None),
        check(
            "names fit the target",
            Answer::No,
            "14 paths are over 1,024 bytes",
            Some("set names = \"escape\" in the plan"),
        ),
        check(
            "request cost",
            Answer::Warn,
            "1,297,483 PUT requests, about 6.49 USD (us-east-1, as of 2025-10-22)",
            None,
        ),
    ]
}

/// A run with failures, differences and extra items.
pub fn run() -> RunResult {
    let count = |files, dirs, symlinks, others, bytes| Count { files, dirs, symlinks, others, bytes };
    let tally = Tally {
        found: count(1_189_346, 104_822, 3_311, 4, 9_876_543_210_987),
        copied: count(1_100_000, 104_820, 3_311, 0, 9_000_000_000_000),
        adopted: count(12_000, 0, 0, 0, 6_543_210_987),
        unchanged: count(77_329, 2, 0, 0, 870_000_000_000),
        skipped: [("special files are not moved".to_owned(), 4)].into(),
        failed: [("denied".to_owned(), 3), ("name-refused".to_owned(), 14)].into(),
        pending: 0,
        extra: 20,
    };
    let failure = |path: RelPath, kind: &str, detail: &str, hint: Option<&str>| ItemProblem {
        path,
        outcome: "failed".into(),
        kind: kind.into(),
        detail: detail.into(),
        hint: hint.map(str::to_owned),
    };
    let mut failures = vec![
        failure(
            RelPath::from(HOSTILE),
            "denied",
            "cannot read: permission denied (NFS3ERR_ACCES)\nas uid 1000",
            Some("read as root"),
        ),
        failure(long_path(), "name-refused", "1,101 bytes; a key may have 1,024", None),
    ];
    failures.extend(
        (0..12).map(|n| failure(RelPath::from(format!("home/x/{n}").as_str()), "name-refused", "too long", None)),
    );
    RunResult {
        schema: RUN_SCHEMA.into(),
        version: "0.1.0".into(),
        dry_run: false,
        started_at: "2025-11-22T13:20:00Z".into(),
        finished_at: "2025-11-22T21:04:10Z".into(),
        peak_memory_bytes: Some(212 << 20),
        moves: vec![MoveResult {
            name: "home-and-projects".into(),
            from: profile().location,
            to: plan().moves[0].to.clone(),
            service: "s3/intelligent-tiering".into(),
            outcome: Outcome::LeftOver,
            stopped_because: None,
            preflight: preflight().into_iter().filter(|check| check.answer != Answer::No).collect(),
            tally,
            sent_bytes: 9_000_000_000_000,
            elapsed_ms: 27_850_000,
            lost_facets: [("hard-links".to_owned(), 212), ("atime".to_owned(), 1_189_346)].into(),
            mapped_names: 3,
            extra: vec![RelPath::from(HOSTILE), "old/one".into()],
            failures,
            verification: Some(Verification {
                method: "digest".into(),
                compared: 1_297_462,
                compared_bytes: 9_876_000_000_000,
                equal: 1_297_460,
                by_size_only: 11,
                differences: vec![Difference {
                    path: "home/anna/now.log".into(),
                    what: "changed-at-source".into(),
                    detail: "its time is later than when it was read".into(),
                }],
                different: 2,
                extra: 20,
                elapsed_ms: 412_000,
            }),
            resumed_uploads: 2,
            discarded_uploads: 1,
        }],
    }
}

/// A run in which everything went well.
pub fn clean_run() -> RunResult {
    let mut run = run();
    let result = &mut run.moves[0];
    let found = Count { files: 50_002, dirs: 501, symlinks: 12, others: 0, bytes: 2_300_000_000 };
    *result = MoveResult {
        outcome: Outcome::Done,
        tally: Tally { found, copied: found, ..Tally::default() },
        preflight: vec![],
        sent_bytes: found.bytes,
        elapsed_ms: 31_200,
        lost_facets: BTreeMap::new(),
        mapped_names: 0,
        extra: vec![],
        failures: vec![],
        verification: Some(Verification {
            method: "read-back".into(),
            compared: 50_515,
            compared_bytes: found.bytes,
            equal: 50_515,
            elapsed_ms: 9_100,
            ..Verification::default()
        }),
        resumed_uploads: 0,
        discarded_uploads: 0,
        ..result.clone()
    };
    run
}
