//! What preflight said and what a run did.

use super::{
    discovered::more,
    sheet::{Column, Sheet},
};
use crate::{figures, visible, wording};
use journal::{Answer, Count, MoveResult, PreflightCheck, RunResult, Tally, Verification};

/// Failures, differences and extra items that are named on a screen.
const NAMED: usize = 10;

/// Writes what every move of a run did.
pub(super) fn write(sheet: &mut Sheet, run: &RunResult) {
    let dry = if run.dry_run { ", dry run: nothing was written" } else { "" };
    for result in &run.moves {
        sheet.title(&format!("Move {}{dry}", visible::text(&result.name)));
        one_move(sheet, result);
    }
    sheet.heading(&format!("{} to {}", figures::time(&run.started_at), figures::time(&run.finished_at)));
    if let Some(peak) = run.peak_memory_bytes {
        sheet.paragraph(&format!("at most {} of memory (measured)", figures::bytes(peak)));
    }
}

fn one_move(sheet: &mut Sheet, result: &MoveResult) {
    let (word, meaning) = figures::outcome(result.outcome);
    let mut pairs = vec![
        ("from", visible::text(&result.from.to_string())),
        ("to", visible::text(&result.to.to_string())),
        ("outcome", format!("{word}: {meaning}")),
    ];
    pairs.extend(result.stopped_because.iter().map(|why| ("because", visible::text(why))));
    pairs.push(("sent", wording::sent(result)));
    if result.resumed_uploads + result.discarded_uploads > 0 {
        pairs.push((
            "uploads",
            format!(
                "{} of an earlier run resumed, {} discarded",
                figures::count(result.resumed_uploads),
                figures::count(result.discarded_uploads)
            ),
        ));
    }
    if result.mapped_names > 0 {
        pairs.push(("names", figures::counted(result.mapped_names, "name was escaped", "names were escaped")));
    }
    for (facet, items) in &result.lost_facets {
        pairs.push(("not kept", format!("{} of {}", visible::text(facet), figures::counted(*items, "item", "items"))));
    }
    sheet.pairs(&pairs);
    if result.preflight.iter().any(|check| check.answer != Answer::Yes) {
        write_preflight(sheet, &result.preflight);
    }
    tally(sheet, &result.tally);
    if let Some(verification) = &result.verification {
        verified(sheet, verification);
    }
    failures(sheet, result);
    extra(sheet, result);
}

fn tally(sheet: &mut Sheet, tally: &Tally) {
    sheet.heading("Tally (measured)");
    let counted = |name: String, items: u64, count: Option<Count>| {
        let kinds = |pick: fn(&Count) -> u64| count.as_ref().map(|c| figures::count(pick(c))).unwrap_or_default();
        vec![
            name,
            figures::count(items),
            kinds(|c| c.files),
            kinds(|c| c.dirs),
            kinds(|c| c.symlinks),
            kinds(|c| c.others),
            count.map(|c| figures::bytes(c.bytes)).unwrap_or_default(),
        ]
    };
    sheet.table(
        &[
            Column::Text(""),
            Column::Figure("items"),
            Column::Figure("files"),
            Column::Figure("dirs"),
            Column::Figure("links"),
            Column::Figure("others"),
            Column::Figure("bytes"),
        ],
        wording::tally_rows(tally)
            .into_iter()
            .chain([("found".to_owned(), tally.found.items(), Some(tally.found))])
            .map(|(name, items, count)| counted(name, items, count)),
    );
    sheet.paragraph(&wording::sum(tally));
    if let Some(words) = wording::tally_words(tally) {
        sheet.paragraph(words);
    }
}

fn verified(sheet: &mut Sheet, found: &Verification) {
    sheet.heading("Verification (measured)");
    sheet.paragraph(&wording::verification(found));
    for difference in found.differences.iter().take(NAMED) {
        sheet.verbatim(&format!("  {}", visible::path(&difference.path)));
        sheet.item("   ", &format!("{}: {}", visible::text(&difference.what), visible::text(&difference.detail)));
    }
    let shown = found.differences.len().min(NAMED);
    left_out(sheet, found.different, shown, "in run.json, at most 1,000");
}

fn failures(sheet: &mut Sheet, result: &MoveResult) {
    let all = result.tally.failed_items() + result.tally.skipped_items();
    if all == 0 && result.failures.is_empty() {
        return;
    }
    sheet.heading(&format!("{} failed or skipped", figures::counted(all, "item", "items")));
    for failure in result.failures.iter().take(NAMED) {
        sheet.verbatim(&format!("  {}", visible::path(&failure.path)));
        sheet.item(
            "   ",
            &format!(
                "{}, {}: {}",
                visible::text(&failure.outcome),
                visible::text(&failure.kind),
                visible::text(&failure.detail)
            ),
        );
        if let Some(hint) = &failure.hint {
            sheet.item("    hint:", &visible::text(hint));
        }
    }
    left_out(sheet, all, result.failures.len().min(NAMED), "in failures.ndjson");
}

fn extra(sheet: &mut Sheet, result: &MoveResult) {
    if result.tally.extra == 0 {
        return;
    }
    sheet.heading(&format!(
        "{} only at the target, left alone",
        figures::counted(result.tally.extra, "item is", "items are")
    ));
    for path in result.extra.iter().take(NAMED) {
        sheet.verbatim(&format!("  {}", visible::path(path)));
    }
    left_out(sheet, result.tally.extra, result.extra.len().min(NAMED), "in run.json, at most 1,000");
}

fn left_out(sheet: &mut Sheet, all: u64, shown: usize, place: &str) {
    let all = usize::try_from(all).unwrap_or(usize::MAX);
    more(sheet, all.saturating_sub(shown), place);
}

/// The questions of preflight; the answers that stop the run come last, next to the prompt.
pub(super) fn write_preflight(sheet: &mut Sheet, checks: &[PreflightCheck]) {
    sheet.heading("Preflight");
    let mut sorted: Vec<_> = checks.iter().collect();
    sorted.sort_by_key(|check| match check.answer {
        Answer::Yes => 0,
        Answer::Warn => 1,
        Answer::No => 2,
    });
    for check in sorted {
        sheet.item(
            &format!("{:4}", figures::answer(check.answer)),
            &format!("{}: {}", visible::text(&check.name), visible::text(&check.detail)),
        );
        if let Some(hint) = &check.hint {
            sheet.item("     hint:", &visible::text(hint));
        }
    }
    let (no, warn) = (wording::number(checks, Answer::No), wording::number(checks, Answer::Warn));
    sheet.paragraph(&match (no, warn) {
        (0, 0) => "Preflight: nothing stands in the way.".to_owned(),
        (0, warn) => format!("Preflight: go, with {}.", figures::counted(warn, "warning", "warnings")),
        (no, _) => {
            format!("Preflight said no to {}; nothing is written.", figures::counted(no, "question", "questions"))
        }
    });
}
