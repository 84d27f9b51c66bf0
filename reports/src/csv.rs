//! CSV, one table at a time, for a spreadsheet or `duckdb`: RFC 4180, `,` and CRLF, one header line,
//! bytes and counts as plain numbers.
//!
//! A file name may begin with `=`, which a spreadsheet would run as a formula. Such a first character is
//! written as `\xNN`, like every other character that a path does not print as it is; `model::RelPath` reads
//! it back.

use crate::{Report, visible};
use inventory::{AgeBucket, DirectoryUse, Groups, Profile};
use std::{fmt, str::FromStr};

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Files by size.
    Sizes,
    /// Files by time since their last change.
    AgeModified,
    /// Files by time since they were last read.
    AgeAccessed,
    /// Files by extension.
    Extensions,
    /// Files by owner.
    Owners,
    /// Files by first component of their path.
    TopDirectories,
    /// Directories with the most bytes directly in them.
    LargestDirectories,
    /// Directories with the most entries.
    WidestDirectories,
    /// The largest files.
    LargestFiles,
    /// Latency of each operation of the server.
    Latency,
    /// What could not be read.
    Unreadable,
    /// Candidates in their order.
    Candidates,
    /// Monthly cost of each candidate by component.
    Costs,
    /// What discovery found that matters to a move, a line for each kind.
    SystemFindings,
    /// What was counted in a second way.
    SecondCounts,
    /// Excluded candidates, a line for each reason.
    Exclusions,
    /// Findings of systems and candidates.
    Findings,
    /// Every move of a run with its tally.
    Moves,
    /// Questions of preflight.
    Preflight,
    /// Items that failed or were skipped.
    Failures,
    /// Differences that verification found.
    Differences,
    /// Items that only the target has.
    Extra,
}

impl Table {
    /// Every table, in the order of the work.
    pub const ALL: [Self; 22] = [
        Self::Sizes,
        Self::AgeModified,
        Self::AgeAccessed,
        Self::Extensions,
        Self::Owners,
        Self::TopDirectories,
        Self::LargestDirectories,
        Self::WidestDirectories,
        Self::LargestFiles,
        Self::Latency,
        Self::Unreadable,
        Self::SystemFindings,
        Self::SecondCounts,
        Self::Candidates,
        Self::Costs,
        Self::Exclusions,
        Self::Findings,
        Self::Moves,
        Self::Preflight,
        Self::Failures,
        Self::Differences,
        Self::Extra,
    ];

    /// The name that a person types.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sizes => "sizes",
            Self::AgeModified => "age-modified",
            Self::AgeAccessed => "age-accessed",
            Self::Extensions => "extensions",
            Self::Owners => "owners",
            Self::TopDirectories => "top-directories",
            Self::LargestDirectories => "largest-directories",
            Self::WidestDirectories => "widest-directories",
            Self::LargestFiles => "largest-files",
            Self::Latency => "latency",
            Self::Unreadable => "unreadable",
            Self::SystemFindings => "system-findings",
            Self::SecondCounts => "second-counts",
            Self::Candidates => "candidates",
            Self::Costs => "costs",
            Self::Exclusions => "exclusions",
            Self::Findings => "findings",
            Self::Moves => "moves",
            Self::Preflight => "preflight",
            Self::Failures => "failures",
            Self::Differences => "differences",
            Self::Extra => "extra",
        }
    }

    const fn header(self) -> &'static str {
        match self {
            Self::Sizes => "system,from_bytes,to_bytes,files,size_bytes",
            Self::AgeModified | Self::AgeAccessed => "system,age,from_days,to_days,files,size_bytes",
            Self::Extensions | Self::Owners | Self::TopDirectories => "system,name,files,size_bytes,is_rest,exact",
            Self::LargestDirectories | Self::WidestDirectories => "system,path,entries,size_bytes",
            Self::LargestFiles => "system,path,size_bytes",
            Self::Latency => "system,operation,count,errors,p50_us,p95_us,p99_us,max_us",
            Self::Unreadable => "system,path,kind,detail",
            Self::SystemFindings => "system,kind,weight,count,size_bytes,detail,example",
            Self::SecondCounts => "system,method,files,dirs,size_bytes,agrees,difference",
            Self::Candidates => {
                "system,rank,service,title,usd_per_month,currency,region,prices_as_of,unverified,transfer_usd,points,\
                 capacity_bytes,throughput_mibps,iops,sizing_basis"
            }
            Self::Costs => "system,service,what,quantity,unit,unit_usd,usd_per_month,region,prices_as_of,source",
            Self::Exclusions => "system,service,title,rule,reason",
            Self::Findings => "system,service,severity,id,text,remedy",
            Self::Moves => {
                "move,from,to,service,outcome,found,copied,adopted,unchanged,skipped,failed,extra,found_bytes,\
                 copied_bytes,sent_bytes,elapsed_ms,compared,equal,different"
            }
            Self::Preflight => "move,question,answer,detail,hint",
            Self::Failures => "move,path,outcome,kind,detail,hint",
            Self::Differences => "move,path,what,detail",
            Self::Extra => "move,path",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A table that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no table `{name}`; there are {}", Table::ALL.map(Table::name).join(", "))]
pub struct UnknownTable {
    /// What was asked for.
    pub name: String,
}

impl FromStr for Table {
    type Err = UnknownTable;
    fn from_str(text: &str) -> Result<Self, UnknownTable> {
        let named = Self::ALL.into_iter().find(|table| table.name() == text);
        named.ok_or_else(|| UnknownTable { name: visible::text(text) })
    }
}

/// One table of the report: a header line, and no other line where the report has nothing for it.
pub fn render(report: &Report, table: Table) -> String {
    let mut lines = Lines { out: table.header().to_owned() + "\r\n" };
    match table {
        Table::Sizes
        | Table::AgeModified
        | Table::AgeAccessed
        | Table::Extensions
        | Table::Owners
        | Table::TopDirectories
        | Table::LargestDirectories
        | Table::WidestDirectories
        | Table::LargestFiles
        | Table::Latency
        | Table::Unreadable
        | Table::SystemFindings
        | Table::SecondCounts => report.profiles.iter().for_each(|profile| discovered(&mut lines, profile, table)),
        Table::Candidates | Table::Costs | Table::Exclusions | Table::Findings => advised(&mut lines, report, table),
        Table::Moves | Table::Preflight | Table::Failures | Table::Differences | Table::Extra => {
            done(&mut lines, report, table);
        }
    }
    lines.out
}

/// A field before it is quoted.
enum Field {
    /// From outside: may hold anything.
    Text(String),
    /// Ours: a figure or a word without a comma or a quote.
    Plain(String),
}

fn text(raw: &str) -> Field {
    Field::Text(visible::text(raw))
}
fn path(path: &model::RelPath) -> Field {
    Field::Text(path.to_string())
}
fn plain(value: impl fmt::Display) -> Field {
    Field::Plain(value.to_string())
}
fn maybe(value: Option<impl fmt::Display>) -> Field {
    Field::Plain(value.map(|value| value.to_string()).unwrap_or_default())
}

struct Lines {
    out: String,
}

impl Lines {
    fn add<const N: usize>(&mut self, fields: [Field; N]) {
        for (index, field) in fields.into_iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            match field {
                Field::Plain(value) => self.out.push_str(&value),
                Field::Text(value) => self.quoted(&value),
            }
        }
        self.out.push_str("\r\n");
    }

    fn quoted(&mut self, value: &str) {
        let (first, rest) = match value.chars().next() {
            Some(first @ ('=' | '+' | '-' | '@')) => (Some(first), &value[first.len_utf8()..]),
            _ => (None, value),
        };
        let quote = value.contains([',', '"']) || value.starts_with(' ') || value.ends_with(' ');
        if quote {
            self.out.push('"');
        }
        if let Some(first) = first {
            visible::push_escaped(&mut self.out, first);
        }
        self.out.push_str(&rest.replace('"', "\"\""));
        if quote {
            self.out.push('"');
        }
    }
}

fn discovered(lines: &mut Lines, profile: &Profile, table: Table) {
    let system = || text(&profile.location.to_string());
    match table {
        Table::Sizes => {
            for bucket in &profile.sizes {
                lines.add([
                    system(),
                    plain(bucket.from_bytes),
                    plain(bucket.to_bytes),
                    plain(bucket.files),
                    plain(bucket.size_bytes),
                ]);
            }
        }
        Table::AgeModified => ages(lines, profile, &profile.age_modified),
        Table::AgeAccessed => ages(lines, profile, &profile.age_accessed),
        Table::Extensions => groups(lines, profile, &profile.by_extension),
        Table::Owners => groups(lines, profile, &profile.by_owner),
        Table::TopDirectories => groups(lines, profile, &profile.by_top_directory),
        Table::LargestDirectories => directories(lines, profile, &profile.largest_directories),
        Table::WidestDirectories => directories(lines, profile, &profile.shape.widest),
        Table::LargestFiles => {
            for file in &profile.largest_files {
                lines.add([system(), path(&file.path), plain(file.size_bytes)]);
            }
        }
        Table::Latency => {
            for op in &profile.latency {
                lines.add([
                    system(),
                    text(&op.op),
                    plain(op.count),
                    plain(op.errors),
                    plain(op.p50_us),
                    plain(op.p95_us),
                    plain(op.p99_us),
                    plain(op.max_us),
                ]);
            }
        }
        Table::Unreadable => {
            for problem in &profile.unreadable {
                lines.add([system(), path(&problem.path), text(&problem.kind), text(&problem.detail)]);
            }
        }
        Table::SystemFindings => {
            for finding in &profile.findings {
                lines.add([
                    system(),
                    text(&finding.kind),
                    plain(finding.weight.word()),
                    plain(finding.count),
                    maybe(finding.size_bytes),
                    text(&finding.detail),
                    finding.examples.first().map_or_else(|| plain(""), path),
                ]);
            }
        }
        Table::SecondCounts => {
            for count in &profile.second_counts {
                lines.add([
                    system(),
                    text(&count.count.method),
                    maybe(count.count.files),
                    maybe(count.count.dirs),
                    maybe(count.count.size_bytes),
                    plain(count.agrees),
                    text(&count.difference),
                ]);
            }
        }
        Table::Candidates
        | Table::Costs
        | Table::Exclusions
        | Table::Findings
        | Table::Moves
        | Table::Preflight
        | Table::Failures
        | Table::Differences
        | Table::Extra => {}
    }
}

fn ages(lines: &mut Lines, profile: &Profile, buckets: &[AgeBucket]) {
    for bucket in buckets {
        lines.add([
            text(&profile.location.to_string()),
            text(&bucket.label),
            maybe(bucket.from_days),
            maybe(bucket.to_days),
            plain(bucket.files),
            plain(bucket.size_bytes),
        ]);
    }
}

fn groups(lines: &mut Lines, profile: &Profile, groups: &Groups) {
    let top = groups.top.iter().map(|group| (group, false));
    for (group, is_rest) in top.chain(groups.other.iter().map(|group| (group, true))) {
        lines.add([
            text(&profile.location.to_string()),
            text(&group.name),
            plain(group.files),
            plain(group.size_bytes),
            plain(is_rest),
            plain(groups.exact),
        ]);
    }
}

fn directories(lines: &mut Lines, profile: &Profile, uses: &[DirectoryUse]) {
    for directory in uses {
        lines.add([
            text(&profile.location.to_string()),
            path(&directory.path),
            plain(directory.entries),
            plain(directory.size_bytes),
        ]);
    }
}

fn advised(lines: &mut Lines, report: &Report, table: Table) {
    for advice in report.recommendation.iter().flat_map(|recommendation| &recommendation.systems) {
        let system = || text(&advice.location.to_string());
        if table == Table::Exclusions {
            for exclusion in &advice.excluded {
                for reason in &exclusion.reasons {
                    lines.add([
                        system(),
                        text(&exclusion.service.0),
                        text(&exclusion.title),
                        text(&reason.rule),
                        text(&reason.text),
                    ]);
                }
            }
        }
        if table == Table::Findings {
            findings(lines, &advice.location, "", &advice.findings);
        }
        for (index, candidate) in advice.ranking.iter().enumerate() {
            let cost = &candidate.cost;
            if table == Table::Findings {
                findings(lines, &advice.location, &candidate.service.0, &candidate.findings);
            }
            if table == Table::Candidates {
                lines.add([
                    system(),
                    plain(index + 1),
                    text(&candidate.service.0),
                    text(&candidate.title),
                    plain(cost.total_usd.0),
                    text(&cost.currency),
                    text(&cost.region),
                    text(&cost.as_of),
                    plain(cost.has_unverified),
                    plain(candidate.transfer_usd.0),
                    plain(candidate.points),
                    plain(candidate.sizing.capacity_bytes),
                    plain(candidate.sizing.throughput_mibps),
                    plain(candidate.sizing.iops),
                    text(&candidate.sizing.basis),
                ]);
            }
            if table == Table::Costs {
                for line in &cost.lines {
                    lines.add([
                        system(),
                        text(&candidate.service.0),
                        text(&line.what),
                        plain(line.quantity),
                        text(&line.unit),
                        plain(line.unit_usd),
                        plain(line.usd.0),
                        text(&cost.region),
                        text(&cost.as_of),
                        text(&line.source),
                    ]);
                }
            }
        }
    }
}

fn findings(lines: &mut Lines, system: &model::Location, service: &str, findings: &[plan::Finding]) {
    for finding in findings {
        lines.add([
            text(&system.to_string()),
            text(service),
            plain(crate::figures::severity(finding.severity)),
            text(&finding.id),
            text(&finding.text),
            text(&finding.remedy),
        ]);
    }
}

fn done(lines: &mut Lines, report: &Report, table: Table) {
    for result in report.run.iter().flat_map(|run| &run.moves) {
        let name = || text(&result.name);
        match table {
            Table::Moves => one_move(lines, result),
            Table::Preflight => {
                for check in &result.preflight {
                    lines.add([
                        name(),
                        text(&check.name),
                        plain(crate::figures::answer(check.answer)),
                        text(&check.detail),
                        text(check.hint.as_deref().unwrap_or_default()),
                    ]);
                }
            }
            Table::Failures => {
                for failure in &result.failures {
                    lines.add([
                        name(),
                        path(&failure.path),
                        text(&failure.outcome),
                        text(&failure.kind),
                        text(&failure.detail),
                        text(failure.hint.as_deref().unwrap_or_default()),
                    ]);
                }
            }
            Table::Differences => {
                for difference in result.verification.iter().flat_map(|found| &found.differences) {
                    lines.add([name(), path(&difference.path), text(&difference.what), text(&difference.detail)]);
                }
            }
            Table::Extra => result.extra.iter().for_each(|extra| lines.add([name(), path(extra)])),
            _ => {}
        }
    }
}

fn one_move(lines: &mut Lines, result: &journal::MoveResult) {
    let tally = &result.tally;
    let verified = result.verification.as_ref();
    lines.add([
        text(&result.name),
        text(&result.from.to_string()),
        text(&result.to.to_string()),
        text(&result.service),
        plain(crate::figures::outcome(result.outcome).0),
        plain(tally.found.items()),
        plain(tally.copied.items()),
        plain(tally.adopted.items()),
        plain(tally.unchanged.items()),
        plain(tally.skipped_items()),
        plain(tally.failed_items()),
        plain(tally.extra),
        plain(tally.found.bytes),
        plain(tally.copied.bytes),
        plain(result.sent_bytes),
        plain(result.elapsed_ms),
        maybe(verified.map(|found| found.compared)),
        maybe(verified.map(|found| found.equal)),
        maybe(verified.map(|found| found.different)),
    ]);
}
