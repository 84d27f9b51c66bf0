//! The top of the page: what it is, how much, where it should go and for how much, what was moved, and what
//! needs somebody's attention.

use super::markup::Page;
use crate::{Report, figures};
use journal::{MoveResult, Outcome, RunResult};
use plan::{Recommendation, Severity};

/// A location without its parameters, where it is only to be recognised.
pub(super) fn short(location: &str) -> &str {
    location.split('?').next().unwrap_or(location)
}

/// Systems, targets or moves named one by one.
const NAMED: usize = 3;

/// Writes the summary; what the report does not have is left out.
pub(super) fn write(page: &mut Page, report: &Report) {
    let empty =
        report.profiles.is_empty() && report.recommendation.is_none() && report.plan.is_none() && report.run.is_none();
    if empty {
        page.raw(
            "<p class=\"lead\">There is nothing to report yet: no system was discovered and nothing was run.</p>\n",
        );
        return;
    }
    page.element("section", &[("class", "summary"), ("aria-label", "Summary")], |page| {
        if !report.profiles.is_empty() {
            what(page, report);
            how_much(page, report);
        }
        if let Some(recommendation) = &report.recommendation {
            best(page, recommendation);
        }
        if let Some(run) = &report.run {
            moved(page, run);
        }
    });
    attention(page, report);
}

fn card(page: &mut Page, heading: &str, content: impl FnOnce(&mut Page)) {
    page.element("div", &[("class", "cell")], |page| {
        page.words("h2", &[], heading);
        content(page);
    });
}

fn more(page: &mut Page, all: usize) {
    let hidden = u64::try_from(all.saturating_sub(NAMED)).unwrap_or(u64::MAX);
    if hidden > 0 {
        page.words("p", &[], format!("and {} more", figures::count(hidden)));
    }
}

fn what(page: &mut Page, report: &Report) {
    card(page, "What it is", |page| {
        let number = u64::try_from(report.profiles.len()).unwrap_or(u64::MAX);
        if let [profile] = report.profiles.as_slice() {
            page.words("p", &[("class", "figure")], crate::wording::system(profile));
        } else {
            page.words("p", &[("class", "figure")], figures::counted(number, "system", "systems"));
        }
        for profile in report.profiles.iter().take(NAMED) {
            page.element("p", &[], |page| {
                page.path(short(&profile.location.to_string()));
            });
        }
        more(page, report.profiles.len());
    });
}

fn how_much(page: &mut Page, report: &Report) {
    let total = |pick: fn(&inventory::Counts) -> u64| {
        report.profiles.iter().fold(0_u64, |sum, profile| sum.saturating_add(pick(&profile.counts)))
    };
    card(page, "How much", |page| {
        page.words("p", &[("class", "figure")], figures::bytes(total(|counts| counts.size_bytes)));
        page.words(
            "p",
            &[],
            format!(
                "{}, {}, {} (measured)",
                figures::counted(total(|counts| counts.files), "file", "files"),
                figures::counted(total(|counts| counts.dirs), "directory", "directories"),
                figures::counted(total(|counts| counts.symlinks), "symbolic link", "symbolic links"),
            ),
        );
    });
}

fn best(page: &mut Page, recommendation: &Recommendation) {
    card(page, "Best target", |page| {
        for advice in recommendation.systems.iter().take(NAMED) {
            if let Some(first) = advice.ranking.first() {
                page.words("p", &[("class", "figure")], format!("{} USD", figures::amount(first.cost.total_usd)));
                page.element("p", &[], |page| {
                    page.raw("per month for ").words("strong", &[], &first.title);
                    page.text(format!(" ({})", figures::priced(&first.cost)));
                });
            } else {
                page.words("p", &[], "No target fits as it is");
            }
            if recommendation.systems.len() > 1 {
                page.element("p", &[("class", "about")], |page| {
                    page.raw("for ").path(short(&advice.location.to_string()));
                });
            }
        }
        more(page, recommendation.systems.len());
    });
}

fn moved(page: &mut Page, run: &RunResult) {
    card(page, "Moved and verified", |page| {
        if run.dry_run {
            page.raw("<p><strong>Dry run:</strong> nothing was written</p>\n");
        }
        for result in run.moves.iter().take(NAMED) {
            page.words("p", &[("class", "figure word")], figures::outcome(result.outcome).0);
            page.words("p", &[], one_move(result));
            if run.moves.len() > 1 {
                page.element("p", &[("class", "about")], |page| {
                    page.raw("move ").text(&result.name);
                });
            }
        }
        more(page, run.moves.len());
    });
}

/// What a move brought over and what is proved of it.
fn one_move(result: &MoveResult) -> String {
    let tally = &result.tally;
    let there = tally.copied.items() + tally.adopted.items() + tally.unchanged.items();
    let proved = match &result.verification {
        None => "not verified".to_owned(),
        Some(found) if found.different == 0 => {
            format!("{} verified by {}, no differences", figures::count(found.equal), found.method)
        }
        Some(found) => format!(
            "{} verified by {}, {}",
            figures::count(found.equal),
            found.method,
            figures::counted(found.different, "DIFFERENCE", "DIFFERENCES")
        ),
    };
    format!(
        "{} of {} at the target, {} sent; {proved} (measured)",
        figures::count(there),
        figures::counted(tally.found.items(), "item", "items"),
        figures::bytes(result.sent_bytes)
    )
}

/// What somebody should look at, and where it stands in the page.
fn attention(page: &mut Page, report: &Report) {
    let mut points: Vec<(String, String)> = Vec::new();
    for (number, profile) in (1..).zip(&report.profiles) {
        if profile.unreadable_count > 0 {
            let places = figures::counted(profile.unreadable_count, "place", "places");
            points.push((format!("system-{number}"), format!("{places} could not be read")));
        }
    }
    let systems = report.recommendation.iter().flat_map(|recommendation| &recommendation.systems);
    for (number, advice) in (1..).zip(systems) {
        let own = advice.ranking.first().map(|first| first.findings.as_slice()).unwrap_or_default();
        let blocking = advice.findings.iter().chain(own).filter(|finding| finding.severity == Severity::Blocking);
        points.extend(blocking.map(|finding| (format!("targets-{number}"), format!("blocking: {}", finding.text))));
    }
    for (number, result) in (1..).zip(report.run.iter().flat_map(|run| &run.moves)) {
        let id = || format!("move-{number}");
        if matches!(result.outcome, Outcome::Refused | Outcome::Stopped | Outcome::Interrupted) {
            points.push((id(), format!("move {}: {}", result.name, figures::outcome(result.outcome).1)));
        }
        if result.tally.failed_items() > 0 {
            points.push((id(), format!("{} failed", figures::counted(result.tally.failed_items(), "item", "items"))));
        }
        let different = result.verification.as_ref().map_or(0, |found| found.different);
        if different > 0 {
            let items = figures::counted(different, "item differs", "items differ");
            points.push((id(), format!("{items} between source and target")));
        }
        if !result.tally.adds_up() {
            points.push((id(), "the tally does not add up".to_owned()));
        }
    }
    if points.is_empty() {
        return;
    }
    page.element("section", &[("class", "attention")], |page| {
        page.raw("<h2>Needs attention</h2>\n");
        page.element("ul", &[], |page| {
            for (id, words) in &points {
                page.element("li", &[], |page| {
                    page.words("a", &[("href", &format!("#{id}"))], words);
                });
            }
        });
    });
}
