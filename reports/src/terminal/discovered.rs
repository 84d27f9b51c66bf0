//! One system as discovery found it.

use super::sheet::{Column, Sheet};
use crate::{
    figures::{self, Share},
    visible, wording,
};
use inventory::{AgeBucket, DirectoryUse, Groups, NameFacts, Profile, Shape, SizeBucket};

/// Columns of a bar.
const BAR: u32 = 18;
/// Rows of a list of groups, directories or files.
const ROWS: usize = 10;
/// Lines of things that could not be read.
const PROBLEMS: usize = 10;
/// Paths that show what a finding is about.
const EXAMPLES: usize = 3;

/// Writes everything about one system.
pub(super) fn write(sheet: &mut Sheet, profile: &Profile) {
    sheet.title(&visible::text(&profile.location.to_string()));
    overview(sheet, profile);
    if profile.counts.files > 0 {
        sizes(sheet, &profile.sizes);
        ages(sheet, "Time since last change (from the server's own times)", &profile.age_modified);
        ages(sheet, "Time since last read (only as good as the server's atime)", &profile.age_accessed);
        groups(sheet, "By top directory", "directory", &profile.by_top_directory);
        groups(sheet, "By extension", "extension", &profile.by_extension);
        groups(sheet, "By owner", "owner", &profile.by_owner);
        directories(sheet, "Directories with the most bytes directly in them", &profile.largest_directories);
        largest_files(sheet, profile);
    }
    shape(sheet, &profile.shape);
    names(sheet, &profile.names);
    latency(sheet, profile);
    findings(sheet, profile);
    unreadable(sheet, profile);
}

fn overview(sheet: &mut Sheet, profile: &Profile) {
    let counts = &profile.counts;
    let mut pairs = vec![
        ("system", wording::system(profile)),
        (
            "holds",
            format!(
                "{} in {}, {}, {}, {} (measured)",
                figures::bytes(counts.size_bytes),
                figures::counted(counts.files, "file", "files"),
                figures::counted(counts.dirs, "directory", "directories"),
                figures::counted(counts.symlinks, "symbolic link", "symbolic links"),
                figures::counted(counts.specials, "special", "specials"),
            ),
        ),
    ];
    if let Some(allocated) = counts.allocated_bytes {
        pairs.push(("allocated", format!("{} (reported)", figures::bytes(allocated))));
    }
    pairs.push((
        "of these",
        format!(
            "{} empty, {} sparse, {} share an inode (measured)",
            figures::count(counts.empty_files),
            figures::count(counts.sparse_files),
            figures::count(counts.hard_linked_names)
        ),
    ));
    if let Some(capacity) = &profile.capacity {
        pairs.push((
            "volume",
            format!(
                "{} of {} used, {} to be had",
                figures::observed_bytes(&capacity.used_bytes),
                figures::observed_bytes(&capacity.total_bytes),
                figures::observed_bytes(&capacity.available_bytes)
            ),
        ));
    }
    pairs.push(("read", wording::walk(profile)));
    sheet.pairs(&pairs);
}

/// Pairs of powers of two, so that a terabyte still fits on a screen; from the first to the last that holds a file.
fn sizes(sheet: &mut Sheet, buckets: &[SizeBucket]) {
    let mut rows: Vec<SizeBucket> = Vec::new();
    for bucket in buckets {
        let pair = |at: u64| at.checked_ilog2().map(|log| log / 2);
        match rows.last_mut().filter(|last| pair(last.from_bytes) == pair(bucket.from_bytes)) {
            Some(last) => {
                last.to_bytes = last.to_bytes.max(bucket.to_bytes);
                last.files += bucket.files;
                last.size_bytes = last.size_bytes.saturating_add(bucket.size_bytes);
            }
            None => rows.push(bucket.clone()),
        }
    }
    let (Some(first), Some(last)) =
        (rows.iter().position(|row| row.files > 0), rows.iter().rposition(|row| row.files > 0))
    else {
        return;
    };
    let shown: Vec<_> = rows[first..=last]
        .iter()
        .map(|row| {
            (
                format!("{} up to {}", figures::bound(row.from_bytes), figures::bound(row.to_bytes)),
                row.files,
                row.size_bytes,
            )
        })
        .map(|(label, files, bytes)| (if label.starts_with("0 B") { "empty".to_owned() } else { label }, files, bytes))
        .collect();
    histogram(sheet, "Size of files (measured)", "size", &shown);
}

fn ages(sheet: &mut Sheet, heading: &str, buckets: &[AgeBucket]) {
    let rows: Vec<_> =
        buckets.iter().map(|bucket| (visible::text(&bucket.label), bucket.files, bucket.size_bytes)).collect();
    histogram(sheet, heading, "age", &rows);
}

/// A row for each bucket, a bar for its files, the rest in figures.
fn histogram(sheet: &mut Sheet, heading: &str, label: &'static str, rows: &[(String, u64, u64)]) {
    let most = rows.iter().map(|row| row.1).max().unwrap_or(0);
    if most == 0 {
        return;
    }
    sheet.heading(heading);
    sheet.table(
        &[Column::Text(label), Column::Figure("files"), Column::Fixed(""), Column::Figure("bytes")],
        rows.iter().map(|(label, files, bytes)| {
            vec![label.clone(), figures::count(*files), Share::of(*files, most).blocks(BAR), figures::bytes(*bytes)]
        }),
    );
}

fn groups(sheet: &mut Sheet, heading: &str, label: &'static str, groups: &Groups) {
    let most = groups.top.iter().chain(&groups.other).map(|group| group.size_bytes).max().unwrap_or(0);
    if groups.top.is_empty() {
        return;
    }
    let hidden = groups.top.len().saturating_sub(ROWS);
    let exact = if groups.exact { "measured" } else { "estimated: too many groups to count each" };
    sheet.heading(&format!("{heading} ({exact})"));
    let other = groups.other.iter().map(|group| ("all others".to_owned(), group));
    let shown = groups.top.iter().take(ROWS).map(|group| (visible::text(&group.name), group));
    sheet.table(
        &[Column::Text(label), Column::Figure("files"), Column::Figure("bytes"), Column::Fixed("")],
        shown.chain(other).map(|(name, group)| {
            vec![
                name,
                figures::count(group.files),
                figures::bytes(group.size_bytes),
                Share::of(group.size_bytes, most).blocks(BAR),
            ]
        }),
    );
    more(sheet, hidden, "in profile.json");
}

fn directories(sheet: &mut Sheet, heading: &str, uses: &[DirectoryUse]) {
    if uses.is_empty() {
        return;
    }
    sheet.heading(&format!("{heading} (measured)"));
    sheet.table(
        &[Column::Figure("bytes"), Column::Figure("entries"), Column::Text("directory")],
        uses.iter().take(ROWS).map(|directory| {
            vec![
                figures::bytes(directory.size_bytes),
                figures::count(directory.entries),
                visible::path(&directory.path),
            ]
        }),
    );
    more(sheet, uses.len().saturating_sub(ROWS), "in profile.json");
}

fn largest_files(sheet: &mut Sheet, profile: &Profile) {
    if profile.largest_files.is_empty() {
        return;
    }
    sheet.heading("Largest files (measured)");
    sheet.table(
        &[Column::Figure("bytes"), Column::Text("file")],
        profile
            .largest_files
            .iter()
            .take(ROWS)
            .map(|file| vec![figures::bytes(file.size_bytes), visible::path(&file.path)]),
    );
    more(sheet, profile.largest_files.len().saturating_sub(ROWS), "in profile.json");
}

fn shape(sheet: &mut Sheet, shape: &Shape) {
    sheet.heading("Shape of the tree (measured)");
    let mut pairs = vec![
        ("deepest path", figures::counted(u64::from(shape.max_depth), "component", "components")),
        ("widest directory", figures::counted(shape.max_width, "entry", "entries")),
    ];
    if let Some(widest) = shape.widest.first() {
        pairs.push(("which is", visible::path(&widest.path)));
    }
    sheet.pairs(&pairs);
}

fn names(sheet: &mut Sheet, names: &NameFacts) {
    sheet.heading("Names (measured)");
    let mut pairs = vec![(
        "longest",
        format!(
            "path {}, name {}, link target {}",
            figures::counted(u64::from(names.longest_path_bytes), "byte", "bytes"),
            figures::counted(u64::from(names.longest_component_bytes), "byte", "bytes"),
            figures::counted(u64::from(names.longest_link_target_bytes), "byte", "bytes"),
        ),
    )];
    let counts = wording::name_counts(names);
    for (words, count, key) in &counts {
        let example = names.examples.get(*key).and_then(|paths| paths.first());
        let example = example.map(|path| format!("; for example {}", visible::path(path))).unwrap_or_default();
        pairs.push(("found", format!("{} {words}{example}", figures::count(*count))));
    }
    if counts.is_empty() {
        pairs.push(("found", "no name that another store would refuse".to_owned()));
    }
    sheet.pairs(&pairs);
}

fn latency(sheet: &mut Sheet, profile: &Profile) {
    if profile.latency.is_empty() {
        return;
    }
    sheet.heading("Latency of the server (measured by this host)");
    sheet.table(
        &[
            Column::Text("operation"),
            Column::Figure("count"),
            Column::Figure("errors"),
            Column::Figure("p50"),
            Column::Figure("p95"),
            Column::Figure("p99"),
            Column::Figure("max"),
        ],
        profile.latency.iter().map(|op| {
            vec![
                visible::text(&op.op),
                figures::count(op.count),
                figures::count(op.errors),
                figures::micros(op.p50_us),
                figures::micros(op.p95_us),
                figures::micros(op.p99_us),
                figures::micros(op.max_us),
            ]
        }),
    );
}

fn findings(sheet: &mut Sheet, profile: &Profile) {
    if !profile.second_counts.is_empty() {
        sheet.heading("Counted in a second way");
        for count in &profile.second_counts {
            sheet.item(if count.agrees { "  ok" } else { "   !" }, &wording::second_count(count));
        }
    }
    if profile.findings.is_empty() {
        return;
    }
    sheet.heading("Findings");
    let rows = profile.findings.iter().map(|finding| {
        vec![
            finding.weight.word().to_owned(),
            visible::text(&finding.kind),
            figures::count(finding.count),
            finding.size_bytes.map(figures::bytes).unwrap_or_default(),
        ]
    });
    let columns = [Column::Fixed("weight"), Column::Text("what"), Column::Figure("count"), Column::Figure("bytes")];
    sheet.table(&columns, rows);
    sheet.heading("What they mean, and what to do");
    for finding in &profile.findings {
        sheet.item("  -", &format!("{}: {}", visible::text(&finding.kind), visible::text(&finding.detail)));
        for path in finding.examples.iter().take(EXAMPLES) {
            sheet.verbatim(&format!("      {}", visible::path(path)));
        }
    }
}

fn unreadable(sheet: &mut Sheet, profile: &Profile) {
    if profile.unreadable_count == 0 {
        return;
    }
    sheet.heading(&format!("{} could not be read", figures::counted(profile.unreadable_count, "place", "places")));
    for problem in profile.unreadable.iter().take(PROBLEMS) {
        sheet.verbatim(&format!("  {}", visible::path(&problem.path)));
        sheet.item("   ", &format!("{}: {}", visible::text(&problem.kind), visible::text(&problem.detail)));
    }
    let shown = u64::try_from(profile.unreadable.len().min(PROBLEMS)).unwrap_or(u64::MAX);
    if profile.unreadable_count > shown {
        sheet
            .paragraph(&format!("  and {} more, in problems.ndjson", figures::count(profile.unreadable_count - shown)));
    }
}

/// Says what was left out and where it is.
pub(super) fn more(sheet: &mut Sheet, hidden: usize, place: &str) {
    if hidden > 0 {
        sheet.paragraph(&format!("and {} more, {place}", figures::count(u64::try_from(hidden).unwrap_or(u64::MAX))));
    }
}
