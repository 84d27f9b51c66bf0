//! Markdown (GitHub's flavour: with tables), for a ticket, a pull request or a wiki.
//!
//! Paths stand in code spans; every other text from outside has its punctuation escaped, so that a name
//! cannot become a heading, a link, a picture or HTML.

mod document;

use crate::{Report, figures, visible, wording};
use document::{Document, code, prose};
use inventory::{AgeBucket, DirectoryUse, Groups, Profile};
use journal::{MoveResult, RunResult};
use plan::{Candidate, Finding, Plan, Recommendation, SystemAdvice};

/// Rows of a list of groups, directories or files.
const ROWS: usize = 10;
/// Failures, differences, extra items and unreadable places, named one by one.
const NAMED: usize = 20;

/// The report as one Markdown document.
pub fn render(report: &Report) -> String {
    let mut document = Document::default();
    document.heading(1, &prose(&report.title));
    document.paragraph(&format!(
        "Made {} by longshore {}.",
        figures::time(&report.generated_at),
        prose(&report.version)
    ));
    for profile in &report.profiles {
        discovered(&mut document, profile);
    }
    if let Some(recommendation) = &report.recommendation {
        for advice in &recommendation.systems {
            advised(&mut document, recommendation, advice);
        }
    }
    if let Some(plan) = &report.plan {
        planned(&mut document, plan);
    }
    if let Some(run) = &report.run {
        run.moves.iter().for_each(|result| moved(&mut document, run, result));
    }
    document.finish()
}

fn discovered(document: &mut Document, profile: &Profile) {
    let counts = &profile.counts;
    document.heading(2, &format!("What is there: {}", code(&profile.location.to_string())));
    document.item(&format!("System: {}", prose(&wording::system(profile))));
    document.item(&format!(
        "Holds {} in {}, {}, {}, {} (measured)",
        figures::bytes(counts.size_bytes),
        figures::counted(counts.files, "file", "files"),
        figures::counted(counts.dirs, "directory", "directories"),
        figures::counted(counts.symlinks, "symbolic link", "symbolic links"),
        figures::counted(counts.specials, "special file", "special files"),
    ));
    if let Some(allocated) = counts.allocated_bytes {
        document.item(&format!("Allocated: {} (reported)", figures::bytes(allocated)));
    }
    if let Some(capacity) = &profile.capacity {
        document.item(&format!(
            "Volume: {} of {} used, {} to be had",
            figures::observed_bytes(&capacity.used_bytes),
            figures::observed_bytes(&capacity.total_bytes),
            figures::observed_bytes(&capacity.available_bytes)
        ));
    }
    document.item(&format!("Read {}", prose(&wording::walk(profile))));
    for (words, count, key) in wording::name_counts(&profile.names) {
        let example = profile.names.examples.get(key).and_then(|paths| paths.first());
        let example = example.map(|path| format!(", for example {}", code(&visible::path(path)))).unwrap_or_default();
        document.item(&format!("{} {words}{example} (measured)", figures::count(count)));
    }
    if counts.files > 0 {
        let sizes = profile.sizes.iter().filter(|bucket| bucket.files > 0).map(|bucket| {
            let range = if bucket.from_bytes == 0 {
                "empty".to_owned()
            } else {
                format!("{} up to {}", figures::bound(bucket.from_bytes), figures::bound(bucket.to_bytes))
            };
            [range, figures::count(bucket.files), figures::bytes(bucket.size_bytes)]
        });
        document.table("Size of files (measured)", ["size", "files:", "bytes:"], sizes);
        ages(document, "Time since last change (reported)", &profile.age_modified);
        ages(document, "Time since last read (reported)", &profile.age_accessed);
        groups(document, "By top directory", &profile.by_top_directory);
        groups(document, "By extension", &profile.by_extension);
        groups(document, "By owner", &profile.by_owner);
        directories(document, "Directories with the most bytes directly in them", &profile.largest_directories);
        let files = profile.largest_files.iter().take(ROWS);
        let files = files.map(|file| [code(&visible::path(&file.path)), figures::bytes(file.size_bytes)]);
        document.table("Largest files (measured)", ["file", "bytes:"], files);
    }
    let latency = profile.latency.iter().map(|op| {
        let [p50, p95, p99, max] = [op.p50_us, op.p95_us, op.p99_us, op.max_us].map(figures::micros);
        [prose(&op.op), figures::count(op.count), figures::count(op.errors), p50, p95, p99, max]
    });
    document.table(
        "Latency of the server (measured by this host)",
        ["operation", "count:", "errors:", "p50:", "p95:", "p99:", "max:"],
        latency,
    );
    let counts = profile.second_counts.iter().map(|count| {
        let agrees = if count.agrees { "yes" } else { "no" };
        [prose(&count.count.method), agrees.to_owned(), prose(&count.difference)]
    });
    document.table("Counted in a second way", ["method", "agrees", "difference"], counts);
    let findings = profile.findings.iter().map(|finding| {
        let bytes = finding.size_bytes.map(figures::bytes).unwrap_or_default();
        let example = finding.examples.first().map(|path| code(&visible::path(path))).unwrap_or_default();
        let [kind, detail] = [&finding.kind, &finding.detail].map(|text| prose(text));
        [finding.weight.word().to_owned(), kind, figures::count(finding.count), bytes, detail, example]
    });
    document.table(
        "Findings",
        ["weight", "what", "count:", "bytes:", "what it means, and what to do", "example"],
        findings,
    );
    if profile.unreadable_count > 0 {
        let places = figures::counted(profile.unreadable_count, "place", "places");
        document.heading(3, &format!("{places} could not be read"));
        for problem in profile.unreadable.iter().take(NAMED) {
            let path = code(&visible::path(&problem.path));
            document.item(&format!("{path}: {}, {}", prose(&problem.kind), prose(&problem.detail)));
        }
        document.more(profile.unreadable_count, profile.unreadable.len().min(NAMED), "in `problems.ndjson`");
    }
}

fn ages(document: &mut Document, caption: &str, buckets: &[AgeBucket]) {
    let rows = buckets
        .iter()
        .map(|bucket| [prose(&bucket.label), figures::count(bucket.files), figures::bytes(bucket.size_bytes)]);
    document.table(caption, ["age", "files:", "bytes:"], rows);
}

fn groups(document: &mut Document, caption: &str, groups: &Groups) {
    let how = if groups.exact { "measured" } else { "estimated: too many groups to count each" };
    let top = groups.top.iter().take(ROWS).map(|group| (prose(&group.name), group));
    let rows = top.chain(groups.other.iter().map(|group| ("all others".to_owned(), group)));
    document.table(
        &format!("{caption} ({how})"),
        ["name", "files:", "bytes:"],
        rows.map(|(name, group)| [name, figures::count(group.files), figures::bytes(group.size_bytes)]),
    );
}

fn directories(document: &mut Document, caption: &str, uses: &[DirectoryUse]) {
    let rows = uses.iter().take(ROWS).map(|directory| {
        let path = code(&visible::path(&directory.path));
        [path, figures::count(directory.entries), figures::bytes(directory.size_bytes)]
    });
    document.table(&format!("{caption} (measured)"), ["directory", "entries:", "bytes:"], rows);
}

fn advised(document: &mut Document, recommendation: &Recommendation, advice: &SystemAdvice) {
    document.heading(2, &format!("Where it could go: {}", code(&advice.location.to_string())));
    if advice.ranking.is_empty() {
        document.paragraph("No target of the catalog fits as it is. The exclusions say why.");
    }
    let rows = (1_u64..).zip(&advice.ranking).map(|(rank, candidate)| {
        let doubt = if candidate.cost.has_unverified { " \\*" } else { "" };
        [
            rank.to_string(),
            format!("{} ({})", prose(&candidate.title), code(&candidate.service.0)),
            format!("{}{doubt}", figures::amount(candidate.cost.total_usd)),
            figures::amount(candidate.transfer_usd),
            format!("{:+}", candidate.points),
        ]
    });
    let caption = format!(
        "Candidates, best first (USD, {}, prices as of {} or later, estimated)",
        prose(&recommendation.region),
        prose(&recommendation.catalog_as_of)
    );
    document.table(&caption, ["#:", "target", "USD per month:", "USD once:", "points:"], rows);
    if advice.ranking.iter().any(|candidate| candidate.cost.has_unverified) {
        document.paragraph("\\* with a price that is not from a price list");
    }
    if let Some(first) = advice.ranking.first() {
        candidate(document, first);
    }
    if !advice.excluded.is_empty() {
        document.heading(3, "Excluded, and why");
        for exclusion in &advice.excluded {
            document.item(&prose(&wording::exclusion(exclusion)));
        }
    }
    let own = advice.ranking.first().map(|first| first.findings.as_slice()).unwrap_or_default();
    if !advice.findings.is_empty() || !own.is_empty() {
        document.heading(3, "Findings");
        findings(document, &advice.findings);
        findings(document, own);
    }
}

fn candidate(document: &mut Document, first: &Candidate) {
    document.heading(3, &format!("Why {} comes first", prose(&first.title)));
    for reason in &first.reasons {
        document.item(&format!("{:+}: {}", reason.points, prose(&wording::reason(reason))));
    }
    document.item(&format!("Sized for {}", prose(&wording::sizing(first))));
    let total =
        ["**total**".to_owned(), String::new(), String::new(), figures::amount(first.cost.total_usd), String::new()];
    let lines = first.cost.lines.iter().map(|line| {
        [
            prose(&line.what),
            format!("{} {}", figures::quantity(line.quantity), prose(&line.unit)),
            figures::unit_price(line.unit_usd),
            figures::amount(line.usd),
            prose(&line.source),
        ]
    });
    document.table(
        &format!("Monthly cost: {}", prose(&figures::monthly(&first.cost))),
        ["what", "quantity:", "USD each:", "USD per month:", "source of the price"],
        lines.chain([total]),
    );
}

fn findings(document: &mut Document, findings: &[Finding]) {
    for finding in wording::by_severity(findings) {
        let remedy = if finding.remedy.is_empty() {
            String::new()
        } else {
            format!(" What can be done: {}", prose(&finding.remedy))
        };
        document.item(&format!(
            "**{}**: {} ({}){remedy}",
            figures::severity(finding.severity),
            prose(&finding.text),
            code(&finding.id)
        ));
    }
}

fn planned(document: &mut Document, plan: &Plan) {
    document.heading(2, "The plan");
    for step in &plan.moves {
        let steps: Vec<_> = step.steps.iter().map(figures::step).collect();
        document.heading(3, &format!("Move {}", prose(&step.name)));
        document.item(&format!("From {} to {}", code(&step.from.to_string()), code(&step.to.to_string())));
        if !step.service.0.is_empty() {
            document.item(&format!("Service: {}", code(&step.service.0)));
        }
        for (key, value) in &step.configuration {
            document.item(&format!("{}: {}", prose(key), code(value)));
        }
        document.item(&format!("Steps: {}", steps.join(", ")));
        document.item(&format!("Names: {}", figures::name_policy(step.names)));
        document.item(&format!("Verify: {}", figures::verify_policy(step.verify)));
        document.item(&format!("Limits: {}", wording::limits(step)));
    }
}

fn moved(document: &mut Document, run: &RunResult, result: &MoveResult) {
    let (word, meaning) = figures::outcome(result.outcome);
    document.heading(2, &format!("What was moved: {}", prose(&result.name)));
    let dry = if run.dry_run { " This was a dry run: nothing was written." } else { "" };
    let because = result
        .stopped_because
        .iter()
        .map(|why| format!(" Stopped because: {}", prose(why)))
        .collect::<Vec<_>>()
        .concat();
    document.paragraph(&format!("**{word}**: {meaning}.{dry}{because}"));
    document.item(&format!("From {} to {}", code(&result.from.to_string()), code(&result.to.to_string())));
    document.item(&format!("Sent {}", wording::sent(result)));
    document.item(&format!("Run from {} to {}", figures::time(&run.started_at), figures::time(&run.finished_at)));
    for (facet, items) in &result.lost_facets {
        document.item(&format!("Not kept: {} of {}", prose(facet), figures::counted(*items, "item", "items")));
    }
    let found = ("**found**".to_owned(), result.tally.found.items(), Some(result.tally.found));
    let rows = wording::tally_rows(&result.tally).into_iter().map(|(name, items, count)| (prose(&name), items, count));
    document.table(
        "What became of every item (measured)",
        ["", "items:", "bytes:"],
        rows.chain([found]).map(|(name, items, count)| {
            [name, figures::count(items), count.map(|count| figures::bytes(count.bytes)).unwrap_or_default()]
        }),
    );
    document.paragraph(&wording::sum(&result.tally));
    if let Some(verification) = &result.verification {
        document.heading(3, "Verification");
        document.paragraph(&prose(&wording::verification(verification)));
        for difference in verification.differences.iter().take(NAMED) {
            let path = code(&visible::path(&difference.path));
            document.item(&format!("{path}: {}, {}", prose(&difference.what), prose(&difference.detail)));
        }
        document.more(
            verification.different,
            verification.differences.len().min(NAMED),
            "in `run.json`, at most 1,000",
        );
    }
    let problems = result.tally.failed_items() + result.tally.skipped_items();
    if problems > 0 {
        document.heading(3, &format!("{} failed or skipped", figures::counted(problems, "item", "items")));
        for failure in result.failures.iter().take(NAMED) {
            let hint = failure.hint.as_ref().map(|hint| format!(" Hint: {}", prose(hint))).unwrap_or_default();
            document.item(&format!(
                "{}: {}, {}, {}.{hint}",
                code(&visible::path(&failure.path)),
                prose(&failure.outcome),
                prose(&failure.kind),
                prose(&failure.detail)
            ));
        }
        document.more(problems, result.failures.len().min(NAMED), "in `failures.ndjson`");
    }
    if result.tally.extra > 0 {
        let items = figures::counted(result.tally.extra, "item is", "items are");
        document.heading(3, &format!("{items} only at the target, left alone"));
        for path in result.extra.iter().take(NAMED) {
            document.item(&code(&visible::path(path)));
        }
        document.more(result.tally.extra, result.extra.len().min(NAMED), "in `run.json`, at most 1,000");
    }
    let checks = result.preflight.iter().map(|check| {
        let hint = check.hint.as_ref().map(|hint| format!(" Hint: {}", prose(hint))).unwrap_or_default();
        [prose(&check.name), figures::answer(check.answer).to_owned(), format!("{}{hint}", prose(&check.detail))]
    });
    document.table("Preflight", ["question", "answer", "detail"], checks);
}
