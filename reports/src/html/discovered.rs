//! What one system holds.

use super::{
    markup::Page,
    parts::{self, Cell, Distribution, Figure, Label, Table},
    pictures::{self, Column, Tick},
};
use crate::{
    figures::{self, Share},
    visible, wording,
};
use inventory::{AgeBucket, DirectoryUse, Groups, Profile, SizeBucket};

/// Rows of a list of groups, directories or files.
const ROWS: usize = 12;
/// Things that could not be read, named one by one.
const PROBLEMS: usize = 50;
/// Paths that show what a finding is about.
const EXAMPLES: usize = 3;

/// Writes the body of the section about one system; `id` is unique in the page.
pub(super) fn write(page: &mut Page, id: &str, profile: &Profile) {
    overview(page, profile);
    if profile.counts.files > 0 {
        sizes(page, id, &profile.sizes);
        page.element("div", &[("class", "pair block")], |page| {
            ages(page, "Time since last change", "reported by the server", &profile.age_modified);
            ages(page, "Time since last read", "reported, as good as the server\u{2019}s atime", &profile.age_accessed);
        });
        page.element("div", &[("class", "pair block")], |page| {
            groups(page, "By top directory", "directory", &profile.by_top_directory);
            groups(page, "By extension", "extension", &profile.by_extension);
            groups(page, "By owner", "owner", &profile.by_owner);
        });
        largest_files(page, profile);
        directories(page, &profile.largest_directories);
        shape(page, id, profile);
    }
    names(page, profile);
    latency(page, id, profile);
    findings(page, profile);
    unreadable(page, profile);
}

fn overview(page: &mut Page, profile: &Profile) {
    let counts = &profile.counts;
    parts::facts(page, |facts| {
        facts.words("System", &wording::system(profile));
        facts.words(
            "Holds",
            &format!(
                "{} in {}, {}, {}, {} (measured)",
                figures::bytes(counts.size_bytes),
                figures::counted(counts.files, "file", "files"),
                figures::counted(counts.dirs, "directory", "directories"),
                figures::counted(counts.symlinks, "symbolic link", "symbolic links"),
                figures::counted(counts.specials, "special file", "special files"),
            ),
        );
        if let Some(allocated) = counts.allocated_bytes {
            facts.words("Allocated", &format!("{} (reported)", figures::bytes(allocated)));
        }
        facts.words(
            "Of these",
            &format!(
                "{} empty, {} sparse, {} share an inode with another name (measured)",
                figures::count(counts.empty_files),
                figures::count(counts.sparse_files),
                figures::count(counts.hard_linked_names)
            ),
        );
        facts.words("Read", &wording::walk(profile));
        let details: Vec<_> = profile.system.details.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        if !details.is_empty() {
            facts.words("Server states", &format!("{} (reported)", details.join(", ")));
        }
    });
    if let Some(capacity) = &profile.capacity {
        page.element("div", &[("class", "volume")], |page| {
            page.element("p", &[], |page| {
                page.text(format!(
                    "Volume: {} of {} used, {} to be had",
                    figures::observed_bytes(&capacity.used_bytes),
                    figures::observed_bytes(&capacity.total_bytes),
                    figures::observed_bytes(&capacity.available_bytes)
                ));
            });
            parts::bar(page, Share::of(capacity.used_bytes.value, capacity.total_bytes.value));
        });
    }
}

fn sizes(page: &mut Page, id: &str, buckets: &[SizeBucket]) {
    let Some(last) = buckets.iter().rposition(|bucket| bucket.files > 0) else { return };
    let shown = &buckets[..=last];
    let range = |bucket: &SizeBucket| {
        if bucket.from_bytes == 0 {
            "empty".to_owned()
        } else {
            format!("{} up to {}", figures::bound(bucket.from_bytes), figures::bound(bucket.to_bytes))
        }
    };
    // The column of empty files comes first and has no power of two: labels count from the column of 1 byte.
    let first = usize::from(shown.first().is_some_and(|bucket| bucket.from_bytes == 0));
    let columns: Vec<_> = shown
        .iter()
        .enumerate()
        .map(|(index, bucket)| Column {
            label: range(bucket),
            tick: index.checked_sub(first).and_then(|at| Tick::at(at, shown.len(), figures::bound(bucket.from_bytes))),
            above: (bucket.files, figures::counted(bucket.files, "file", "files")),
            below: Some((bucket.size_bytes, figures::bytes(bucket.size_bytes))),
        })
        .collect();
    let most = |by: fn(&SizeBucket) -> u64| shown.iter().max_by_key(|bucket| by(bucket)).map(range).unwrap_or_default();
    let (files, bytes) = (most(|bucket| bucket.files), most(|bucket| bucket.size_bytes));
    let seen = format!("Most files: {files}. Most bytes: {bytes}.");
    parts::block(page, "Size of files", Some("measured"), |page| {
        page.element("figure", &[], |page| {
            pictures::columns(page, &format!("{id}-sizes"), "Files and bytes by size of file", &seen, &columns);
            page.element("figcaption", &[], |page| {
                page.raw("Upwards: files. Downwards: their bytes. Each column is a power of two of the size. ");
                page.text(&seen);
            });
        });
        page.element("details", &[], |page| {
            page.words("summary", &[], "The figures");
            let headings = [("size", false), ("files", true), ("bytes", true)];
            let rows = shown.iter().map(|bucket| {
                vec![
                    Cell::Row(Label::Words(range(bucket))),
                    Cell::Number(figures::count(bucket.files)),
                    Cell::Number(figures::bytes(bucket.size_bytes)),
                ]
            });
            Table { caption: "Files by size", headings: &headings, rows: rows.collect(), total: None }.write(page);
        });
    });
}

/// Rows of files and bytes, each bar relative to the largest of its column.
fn files_and_bytes(rows: Vec<(Label, u64, u64)>) -> Vec<(Label, Vec<Figure>)> {
    let most_files = rows.iter().map(|row| row.1).max().unwrap_or(0);
    let most_bytes = rows.iter().map(|row| row.2).max().unwrap_or(0);
    rows.into_iter()
        .map(|(label, files, bytes)| {
            let files = Figure { text: figures::count(files), share: Share::of(files, most_files) };
            let bytes = Figure { text: figures::bytes(bytes), share: Share::of(bytes, most_bytes) };
            (label, vec![files, bytes])
        })
        .collect()
}

fn ages(page: &mut Page, caption: &str, how: &str, buckets: &[AgeBucket]) {
    if buckets.iter().all(|bucket| bucket.files == 0) {
        return;
    }
    let rows =
        buckets.iter().map(|bucket| (Label::Words(bucket.label.clone()), bucket.files, bucket.size_bytes)).collect();
    Distribution { caption, how, label: "age", columns: &["files", "bytes"], rows: files_and_bytes(rows), rest: None }
        .write(page);
}

fn groups(page: &mut Page, caption: &str, label: &'static str, groups: &Groups) {
    if groups.top.is_empty() {
        return;
    }
    let top = groups.top.iter().take(ROWS).map(|group| (Label::Words(group.name.clone()), group));
    let other = groups.other.iter().map(|group| (Label::Words("all others".to_owned()), group));
    let rows = top.chain(other).map(|(label, group)| (label, group.files, group.size_bytes)).collect();
    Distribution {
        caption,
        how: if groups.exact { "measured" } else { "estimated: too many groups to count each" },
        label,
        columns: &["files", "bytes"],
        rows: files_and_bytes(rows),
        rest: rest(groups.top.len(), "in profile.json"),
    }
    .write(page);
}

fn largest_files(page: &mut Page, profile: &Profile) {
    let files = &profile.largest_files;
    if files.is_empty() {
        return;
    }
    let most = files.iter().map(|file| file.size_bytes).max().unwrap_or(0);
    let rows = files.iter().take(ROWS).map(|file| {
        let figure = Figure { text: figures::bytes(file.size_bytes), share: Share::of(file.size_bytes, most) };
        (Label::Path(visible::path(&file.path)), vec![figure])
    });
    page.element("div", &[("class", "block")], |page| {
        Distribution {
            caption: "Largest files",
            how: "measured",
            label: "file",
            columns: &["bytes"],
            rows: rows.collect(),
            rest: rest(files.len(), "in profile.json"),
        }
        .write(page);
    });
}

fn directories(page: &mut Page, uses: &[DirectoryUse]) {
    if uses.is_empty() {
        return;
    }
    let most_entries = uses.iter().map(|directory| directory.entries).max().unwrap_or(0);
    let most_bytes = uses.iter().map(|directory| directory.size_bytes).max().unwrap_or(0);
    let rows = uses.iter().take(ROWS).map(|directory| {
        let entries =
            Figure { text: figures::count(directory.entries), share: Share::of(directory.entries, most_entries) };
        let bytes =
            Figure { text: figures::bytes(directory.size_bytes), share: Share::of(directory.size_bytes, most_bytes) };
        (Label::Path(visible::path(&directory.path)), vec![entries, bytes])
    });
    page.element("div", &[("class", "block")], |page| {
        Distribution {
            caption: "Directories with the most bytes directly in them",
            how: "measured",
            label: "directory",
            columns: &["entries", "bytes"],
            rows: rows.collect(),
            rest: rest(uses.len(), "in profile.json"),
        }
        .write(page);
    });
}

fn shape(page: &mut Page, id: &str, profile: &Profile) {
    let shape = &profile.shape;
    let total = shape.entries_by_depth.len();
    let depth: Vec<_> = (1_u64..)
        .zip(&shape.entries_by_depth)
        .enumerate()
        .map(|(index, (depth, entries))| Column {
            label: format!("depth {depth}"),
            tick: Tick::at(index, total, depth.to_string()),
            above: (*entries, figures::counted(*entries, "entry", "entries")),
            below: None,
        })
        .collect();
    let total = shape.directories_by_width.len();
    let width: Vec<_> = shape
        .directories_by_width
        .iter()
        .enumerate()
        .map(|(index, directories)| {
            // Index 0 is empty directories, index n those with 2^(n-1) to 2^n - 1 entries.
            let from = u32::try_from(index).ok().and_then(|n| 1_u64.checked_shl(n)).unwrap_or(u64::MAX) / 2;
            let label = if index == 0 {
                "empty".to_owned()
            } else {
                format!("{} to {} entries", figures::count(from), figures::count(from.saturating_mul(2) - 1))
            };
            Column {
                label,
                tick: Tick::at(index, total, figures::count(from)),
                above: (*directories, figures::counted(*directories, "directory", "directories")),
                below: None,
            }
        })
        .collect();
    if depth.is_empty() && width.is_empty() {
        return;
    }
    parts::block(page, "Shape of the tree", Some("measured"), |page| {
        page.element("div", &[("class", "pair")], |page| {
            if !depth.is_empty() {
                let seen = format!("The deepest path has {}.", components(shape.max_depth));
                small(page, &format!("{id}-depth"), "Entries by depth", &seen, &depth);
            }
            if !width.is_empty() {
                let seen =
                    format!("The widest directory has {}.", figures::counted(shape.max_width, "entry", "entries"));
                small(page, &format!("{id}-width"), "Directories by number of entries", &seen, &width);
            }
        });
        if let Some(widest) = shape.widest.first() {
            page.element("p", &[("class", "rest")], |page| {
                page.raw("The widest directory is ").path(visible::path(&widest.path));
            });
        }
    });
}

fn components(depth: u32) -> String {
    figures::counted(u64::from(depth), "component", "components")
}

fn small(page: &mut Page, id: &str, title: &str, seen: &str, columns: &[Column]) {
    page.element("figure", &[], |page| {
        page.words("figcaption", &[("class", "over")], title);
        pictures::columns(page, id, title, seen, columns);
        page.words("figcaption", &[], seen);
    });
}

fn names(page: &mut Page, profile: &Profile) {
    let (names, metadata) = (&profile.names, &profile.metadata);
    parts::block(page, "Names and metadata", Some("measured"), |page| {
        parts::facts(page, |facts| {
            facts.words(
                "Longest",
                &format!(
                    "path {}, name {}, link target {}",
                    figures::counted(u64::from(names.longest_path_bytes), "byte", "bytes"),
                    figures::counted(u64::from(names.longest_component_bytes), "byte", "bytes"),
                    figures::counted(u64::from(names.longest_link_target_bytes), "byte", "bytes"),
                ),
            );
            if !metadata.facets_read.is_empty() {
                facts.words("Metadata told", &metadata.facets_read.join(", "));
            }
            for (label, count) in [
                ("Owners", metadata.owners),
                ("Setuid or setgid", metadata.setuid_or_setgid),
                ("Others may write", metadata.world_writable),
                ("Doubtful times", metadata.doubtful_times),
                ("Most names of an inode", u64::from(metadata.max_links)),
            ] {
                if count > 0 {
                    facts.words(label, &figures::count(count));
                }
            }
            for (kind, count) in metadata.acls.iter().flatten() {
                facts.words("Access control lists", &format!("{} of kind {kind}", figures::count(*count)));
            }
            for (label, count) in [("Extended attributes", metadata.xattrs), ("Alternate streams", metadata.streams)] {
                if let Some(count) = count {
                    facts.words(label, &figures::counted(count, "entry", "entries"));
                }
            }
            let silent: Vec<_> = [
                ("access control lists", metadata.acls.is_none()),
                ("extended attributes", metadata.xattrs.is_none()),
                ("alternate streams", metadata.streams.is_none()),
            ]
            .into_iter()
            .filter_map(|(what, silent)| silent.then_some(what))
            .collect();
            if !silent.is_empty() {
                facts.words("The source cannot tell", &silent.join(", "));
            }
        });
        let counts = wording::name_counts(names);
        if counts.is_empty() {
            page.raw("<p>No name was found that another store would refuse.</p>\n");
            return;
        }
        page.element("ul", &[("class", "items")], |page| {
            for (words, count, key) in counts {
                page.element("li", &[], |page| {
                    page.words("strong", &[], figures::count(count)).raw(" ").text(words);
                    if let Some(example) = names.examples.get(key).and_then(|paths| paths.first()) {
                        page.element("div", &[("class", "example")], |page| {
                            page.raw("for example ").path(visible::path(example));
                        });
                    }
                });
            }
        });
    });
}

fn latency(page: &mut Page, id: &str, profile: &Profile) {
    if profile.latency.is_empty() {
        return;
    }
    parts::block(page, "Latency of the server", Some("measured by this host"), |page| {
        page.element("figure", &[], |page| {
            pictures::latency(page, &format!("{id}-latency"), &profile.latency);
            page.raw(
                "<figcaption>Dot: median. Upright stroke: 95th percentile. Open diamond: 99th percentile. \
                 Each step to the right is ten times longer.</figcaption>\n",
            );
        });
        let headings = [
            ("operation", false),
            ("p50", true),
            ("p95", true),
            ("p99", true),
            ("max", true),
            ("count", true),
            ("errors", true),
        ];
        let rows = profile.latency.iter().map(|op| {
            let times = [op.p50_us, op.p95_us, op.p99_us, op.max_us].map(|us| Cell::Number(figures::micros(us)));
            let counts = [op.count, op.errors].map(|n| Cell::Number(figures::count(n)));
            std::iter::once(Cell::Row(Label::Words(op.op.clone()))).chain(times).chain(counts).collect()
        });
        Table { caption: "Latency by operation", headings: &headings, rows: rows.collect(), total: None }.write(page);
    });
}

fn findings(page: &mut Page, profile: &Profile) {
    if !profile.second_counts.is_empty() {
        parts::block(page, "Counted in a second way", None, |page| {
            page.element("ul", &[("class", "items")], |page| {
                for count in &profile.second_counts {
                    page.words("li", &[], wording::second_count(count));
                }
            });
        });
    }
    if profile.findings.is_empty() {
        return;
    }
    parts::block(page, "Findings", None, |page| {
        let headings = [
            ("what", false),
            ("weight", false),
            ("count", true),
            ("bytes", true),
            ("what it means, and what to do", false),
        ];
        let rows = profile.findings.iter().map(|finding| {
            let examples = finding.examples.iter().take(EXAMPLES).map(visible::path).collect::<Vec<_>>().join(", ");
            let detail = match examples.as_str() {
                "" => finding.detail.clone(),
                examples => format!("{} (for example {examples})", finding.detail),
            };
            vec![
                Cell::Row(Label::Words(finding.kind.clone())),
                Cell::Words(finding.weight.word().to_owned()),
                Cell::Number(figures::count(finding.count)),
                Cell::Number(finding.size_bytes.map(figures::bytes).unwrap_or_default()),
                Cell::Words(detail),
            ]
        });
        let table =
            Table { caption: "Findings of this system", headings: &headings, rows: rows.collect(), total: None };
        table.write(page);
    });
}

fn unreadable(page: &mut Page, profile: &Profile) {
    if profile.unreadable_count == 0 {
        return;
    }
    let heading = format!("{} could not be read", figures::counted(profile.unreadable_count, "place", "places"));
    parts::block(page, &heading, None, |page| {
        page.element("ul", &[("class", "items")], |page| {
            for problem in profile.unreadable.iter().take(PROBLEMS) {
                page.element("li", &[], |page| {
                    page.path(visible::path(&problem.path));
                    page.words("div", &[("class", "example")], format!("{}: {}", problem.kind, problem.detail));
                });
            }
        });
        let shown = u64::try_from(profile.unreadable.len().min(PROBLEMS)).unwrap_or(u64::MAX);
        if profile.unreadable_count > shown {
            let more = figures::count(profile.unreadable_count - shown);
            page.words("p", &[("class", "rest")], format!("and {more} more, in problems.ndjson"));
        }
    });
}

/// What a list of at most [`ROWS`] left out.
fn rest(all: usize, place: &str) -> Option<String> {
    let hidden = all.saturating_sub(ROWS);
    (hidden > 0).then(|| format!("and {} more, {place}", figures::count(u64::try_from(hidden).unwrap_or(u64::MAX))))
}
