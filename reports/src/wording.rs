//! Sentences that every kind of output shares, so that a screen and a page say the same thing in the same words.

use crate::{figures, visible};
use inventory::{ComparedCount, NameFacts, Profile};
use journal::{Answer, Count, MoveResult, PreflightCheck, Tally, Verification};
use plan::{Candidate, Exclusion, Finding, Move, Reason};
use std::fmt::Write as _;

/// Protocol, product and version in one line.
pub(crate) fn system(profile: &Profile) -> String {
    let system = &profile.system;
    let mut words = vec![visible::text(&system.protocol)];
    words.extend(system.product.as_deref().map(visible::text));
    words.extend(system.version.as_deref().map(visible::text));
    words.join(" ")
}

/// When, how long and how fast it was read, and by which host.
pub(crate) fn walk(profile: &Profile) -> String {
    let walk = &profile.walk;
    let rate = &walk.entries_per_second;
    let mut text = format!(
        "{} to {}, in {}, {} entries/s ({}), {}",
        figures::time(&walk.started_at),
        figures::time(&walk.finished_at),
        figures::span(walk.elapsed_ms),
        figures::quantity(rate.value),
        figures::method(rate.method),
        figures::counted(u64::from(walk.concurrency), "listing in flight", "listings in flight"),
    );
    if walk.resumed > 0 {
        append(
            &mut text,
            format_args!(", taken up again {}", figures::counted(u64::from(walk.resumed), "time", "times")),
        );
    }
    if let Some(peak) = walk.peak_memory_bytes {
        append(&mut text, format_args!(", at most {} of memory", figures::bytes(peak)));
    }
    let host = &walk.host;
    if !host.name.is_empty() {
        append(
            &mut text,
            format_args!(
                "; by {} ({}, {}, {})",
                visible::text(&host.name),
                visible::text(&host.os),
                figures::counted(u64::from(host.cores), "core", "cores"),
                figures::bytes(host.memory_bytes)
            ),
        );
    }
    text
}

/// What was counted in a second way, in one line.
pub(crate) fn second_count(count: &ComparedCount) -> String {
    let method = visible::text(&count.count.method);
    if count.agrees {
        return format!("{method}: agrees with the walk");
    }
    format!("{method}: differs, {}", visible::text(&count.difference))
}

/// The counts about names that are not nothing, as (words, count, key of the examples).
pub(crate) fn name_counts(names: &NameFacts) -> Vec<(&'static str, u64, &'static str)> {
    let mut counts = vec![
        ("paths over 1,024 bytes (the longest key of S3)", names.over_1024_bytes, "over_1024_bytes"),
        ("names that are not UTF-8", names.not_utf8, "not_utf8"),
        ("names with control characters", names.control_characters, "control_characters"),
        ("names that Windows refuses", names.not_windows, "not_windows"),
        ("names that differ from a sibling only in case", names.case_twins, "case_twins"),
        ("names that differ from a sibling only in Unicode normal form", names.normal_form_twins, "normal_form_twins"),
    ];
    counts.retain(|(_, count, _)| *count > 0);
    counts
}

/// The worst first, otherwise in the order given.
pub(crate) fn by_severity(findings: &[Finding]) -> Vec<&Finding> {
    let mut sorted: Vec<_> = findings.iter().collect();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    sorted
}

/// What a candidate was sized for, in one line.
pub(crate) fn sizing(candidate: &Candidate) -> String {
    let sizing = &candidate.sizing;
    format!(
        "{} now, {} after {} months at {} % a year, {} MiB/s, {} operations/s ({})",
        figures::bytes(sizing.now_bytes),
        figures::bytes(sizing.capacity_bytes),
        sizing.horizon_months,
        figures::decimal(sizing.growth_per_year * 100.0, 1, 0),
        figures::quantity(sizing.throughput_mibps),
        figures::quantity(sizing.iops),
        visible::text(&sizing.basis)
    )
}

/// A reason with the rule and the facts it looked at.
pub(crate) fn reason(reason: &Reason) -> String {
    let facts: Vec<_> = reason
        .facts
        .iter()
        .map(|(name, value)| format!("{} = {}", visible::text(name), visible::text(value)))
        .collect();
    let facts = if facts.is_empty() { String::new() } else { format!("; {}", facts.join(", ")) };
    format!("{} [{}{facts}]", visible::text(&reason.text), visible::text(&reason.rule))
}

/// An exclusion in one line: what, and every reason.
pub(crate) fn exclusion(exclusion: &Exclusion) -> String {
    let reasons: Vec<_> = exclusion.reasons.iter().map(reason).collect();
    let reasons = if reasons.is_empty() { "no reason was recorded".to_owned() } else { reasons.join("; ") };
    format!("{} ({}): {reasons}", visible::text(&exclusion.title), visible::text(&exclusion.service.0))
}

/// Bytes sent, time and rate.
pub(crate) fn sent(result: &MoveResult) -> String {
    let rate = u128::from(result.sent_bytes) * 1000 / u128::from(result.elapsed_ms.max(1));
    format!(
        "{} in {}, {}/s (measured)",
        figures::bytes(result.sent_bytes),
        figures::span(result.elapsed_ms),
        figures::bytes(u64::try_from(rate).unwrap_or(u64::MAX))
    )
}

/// What became of the items of the source: words, items by kind where known, in the order of the sum.
pub(crate) fn tally_rows(tally: &Tally) -> Vec<(String, u64, Option<Count>)> {
    let mut rows = vec![
        ("copied".to_owned(), tally.copied.items(), Some(tally.copied)),
        ("adopted".to_owned(), tally.adopted.items(), Some(tally.adopted)),
        ("unchanged".to_owned(), tally.unchanged.items(), Some(tally.unchanged)),
    ];
    for (reason, items) in &tally.skipped {
        rows.push((format!("skipped: {}", visible::text(reason)), *items, None));
    }
    for (kind, items) in &tally.failed {
        rows.push((format!("failed: {}", visible::text(kind)), *items, None));
    }
    if tally.pending > 0 {
        rows.push(("not reached".to_owned(), tally.pending, None));
    }
    rows
}

/// What the words of the tally mean, where they were used.
pub(crate) fn tally_words(tally: &Tally) -> Option<&'static str> {
    match (tally.adopted.items() > 0, tally.unchanged.items() > 0) {
        (true, true) => {
            Some("adopted: found equal at the target without a record of ours; unchanged: there already by our record")
        }
        (true, false) => Some("adopted: found equal at the target without a record of ours"),
        (false, true) => Some("unchanged: there already by our record"),
        (false, false) => None,
    }
}

/// Says that the tally adds up, or that it does not.
pub(crate) fn sum(tally: &Tally) -> String {
    let settled = [
        tally.copied.items(),
        tally.adopted.items(),
        tally.unchanged.items(),
        tally.skipped_items(),
        tally.failed_items(),
    ];
    let pending = (tally.pending > 0).then_some(tally.pending);
    let parts = settled.into_iter().chain(pending).map(figures::count).collect::<Vec<_>>().join(" + ");
    if tally.adds_up() {
        format!("{parts} = {}: it adds up", figures::count(tally.found.items()))
    } else {
        format!("{parts} is not {}: it does NOT add up", figures::count(tally.found.items()))
    }
}

/// What verification found, in one line.
pub(crate) fn verification(found: &Verification) -> String {
    let verdict = if found.different == 0 { "no differences" } else { "DIFFERENCES" };
    let mut text = format!(
        "{verdict}: {} compared by {}, {} equal, {} different, {} only at the target; digests of {} compared, in {}",
        figures::counted(found.compared, "item", "items"),
        visible::text(&found.method),
        figures::count(found.equal),
        figures::count(found.different),
        figures::count(found.extra),
        figures::bytes(found.compared_bytes),
        figures::span(found.elapsed_ms)
    );
    if found.by_size_only > 0 {
        append(
            &mut text,
            format_args!(
                "; {} proved by size and entity tag only, because the target keeps no digest",
                figures::count(found.by_size_only)
            ),
        );
    }
    text
}

/// How many checks got this answer.
pub(crate) fn number(checks: &[PreflightCheck], answer: Answer) -> u64 {
    u64::try_from(checks.iter().filter(|check| check.answer == answer).count()).unwrap_or(u64::MAX)
}

/// The limits of a move in one line.
pub(crate) fn limits(step: &Move) -> String {
    let stop = match step.max_failures {
        0 => "never stops for failed items".to_owned(),
        n => format!("stops after {}", figures::counted(n, "failed item", "failed items")),
    };
    format!(
        "{stop}; {} of memory, {} in flight, parts of {}",
        step.memory,
        figures::counted(u64::from(step.concurrency), "item", "items"),
        step.part_size
    )
}

fn append(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("writing to a String cannot fail");
}
