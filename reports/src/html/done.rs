//! What is to be done, and what was done.

use super::{
    markup::Page,
    parts::{self, Cell, Label, Table},
    pictures::{self, Piece},
};
use crate::{figures, visible, wording};
use journal::{Answer, Count, MoveResult, PreflightCheck, RunResult, Tally, Verification};
use model::RelPath;
use plan::Plan;

/// Failures, differences and extra items, named one by one.
const NAMED: usize = 100;

/// Writes the body of the section about the plan.
pub(super) fn plan(page: &mut Page, plan: &Plan) {
    for step in &plan.moves {
        parts::block(page, &format!("Move {}", step.name), None, |page| {
            parts::facts(page, |facts| {
                facts.path("From", &step.from.to_string());
                facts.path("To", &step.to.to_string());
                if !step.service.0.is_empty() {
                    facts.words("Service", &step.service.0);
                }
                for (key, value) in &step.configuration {
                    facts.words(key, value);
                }
                let steps: Vec<_> = step.steps.iter().map(figures::step).collect();
                facts.words("Steps", &steps.join(", then "));
                facts.words("Names", figures::name_policy(step.names));
                facts.words("Verify", figures::verify_policy(step.verify));
                facts.words("Limits", &wording::limits(step));
            });
        });
    }
    if !plan.inventory_sha256.is_empty() {
        page.element("p", &[("class", "rest")], |page| {
            page.raw("Made from the inventory with SHA-256 ").path(&plan.inventory_sha256);
            if !plan.catalog_as_of.is_empty() {
                page.text(format!(", with the catalog as of {}", plan.catalog_as_of));
            }
        });
    }
}

/// Writes the body of the section about one move of a run.
pub(super) fn one_move(page: &mut Page, run: &RunResult, result: &MoveResult) {
    let (word, meaning) = figures::outcome(result.outcome);
    page.element("p", &[("class", "lead")], |page| {
        page.words("strong", &[], word).text(format!(": {meaning}."));
        if run.dry_run {
            page.raw(" This was a dry run: nothing was written.");
        }
    });
    parts::facts(page, |facts| {
        if let Some(why) = &result.stopped_because {
            facts.words("Stopped because", why);
        }
        facts.path("From", &result.from.to_string());
        facts.path("To", &result.to.to_string());
        if !result.service.is_empty() {
            facts.words("Service", &result.service);
        }
        facts.words("Sent", &wording::sent(result));
        if result.resumed_uploads + result.discarded_uploads > 0 {
            facts.words(
                "Uploads in parts",
                &format!(
                    "{} of an earlier run resumed, {} discarded",
                    figures::count(result.resumed_uploads),
                    figures::count(result.discarded_uploads)
                ),
            );
        }
        if result.mapped_names > 0 {
            facts.words("Names", &figures::counted(result.mapped_names, "name was escaped", "names were escaped"));
        }
        for (facet, items) in &result.lost_facets {
            facts.words("Not kept", &format!("{facet} of {}", figures::counted(*items, "item", "items")));
        }
    });
    tally(page, &result.tally);
    if let Some(verification) = &result.verification {
        verified(page, verification);
    }
    failures(page, result);
    extra(page, result);
    preflight(page, &result.preflight);
}

/// The look of a row of the tally.
fn tone(row: &str) -> &'static str {
    match row.split(':').next().unwrap_or_default() {
        "copied" => "tone-1",
        "adopted" => "tone-2",
        "unchanged" => "tone-5",
        "skipped" => "tone-4",
        _ => "tone-6",
    }
}

fn tally(page: &mut Page, tally: &Tally) {
    let rows = wording::tally_rows(tally);
    let all: u64 = rows.iter().map(|row| row.1).sum();
    parts::block(page, "What became of every item", Some("measured"), |page| {
        let lengths: Vec<f64> = rows.iter().map(|(_, items, _)| part(*items, all)).collect();
        // What is not nothing is drawn wide enough to be seen; the rest gives way, so that the bar stays whole.
        let whole = lengths.iter().sum::<f64>().max(1.0);
        let mut from = 0.0;
        let mut pieces = Vec::with_capacity(rows.len());
        for ((name, items, _), length) in rows.iter().zip(lengths) {
            let length = length / whole;
            pieces.push(Piece { tone: tone(name), title: format!("{name}: {}", figures::count(*items)), from, length });
            from += length;
        }
        pictures::stack(page, "22", &pieces);
        parts::scroller(page, "Tally", |page| {
            page.element("table", &[("class", "plain")], |page| {
                page.raw(
                    "<thead><tr><th scope=\"col\">items of the source</th><th scope=\"col\" class=\"n\">items</th>\
                     <th scope=\"col\" class=\"n\">bytes</th><th scope=\"col\" class=\"n\">files</th>\
                     <th scope=\"col\" class=\"n\">directories</th><th scope=\"col\" class=\"n\">links</th>\
                     <th scope=\"col\" class=\"n\">others</th></tr></thead>\n",
                );
                page.element("tbody", &[], |page| {
                    for (name, items, count) in &rows {
                        tally_row(page, Some(tone(name)), name, *items, count.as_ref());
                    }
                });
                page.element("tfoot", &[], |page| {
                    tally_row(page, None, "found", tally.found.items(), Some(&tally.found));
                });
            });
        });
        page.words("p", &[("class", if tally.adds_up() { "sum" } else { "sum wrong" })], wording::sum(tally));
        if let Some(words) = wording::tally_words(tally) {
            page.words("p", &[("class", "rest")], words);
        }
    });
}

fn tally_row(page: &mut Page, tone: Option<&'static str>, name: &str, items: u64, count: Option<&Count>) {
    page.element("tr", &[], |page| {
        page.element("th", &[("scope", "row")], |page| {
            if let Some(tone) = tone {
                pictures::swatch(page, tone);
            }
            page.text(name);
        });
        page.words("td", &[("class", "n")], figures::count(items));
        let figures = match count {
            Some(count) => [
                figures::bytes(count.bytes),
                figures::count(count.files),
                figures::count(count.dirs),
                figures::count(count.symlinks),
                figures::count(count.others),
            ],
            None => Default::default(),
        };
        for figure in figures {
            page.words("td", &[("class", "n")], figure);
        }
    });
}

/// `part` of `whole` between 0 and 1, exact to a hundredth of a percent; at least 0.004 of what is not nothing.
fn part(part: u64, whole: u64) -> f64 {
    let hundredths = (u128::from(part) * 10_000).checked_div(u128::from(whole)).unwrap_or(0);
    f64::from(u32::try_from(hundredths).unwrap_or(10_000).max(if part > 0 { 40 } else { 0 })) / 10_000.0
}

fn verified(page: &mut Page, found: &Verification) {
    parts::block(page, "Verification", Some("measured"), |page| {
        page.words("p", &[("class", "lead")], wording::verification(found));
        let named = found.differences.iter().take(NAMED);
        items(
            page,
            named.map(|difference| (&difference.path, format!("{}: {}", difference.what, difference.detail), None)),
        );
        left_out(page, found.different, found.differences.len(), "in run.json, at most 1,000");
    });
}

fn failures(page: &mut Page, result: &MoveResult) {
    let all = result.tally.failed_items() + result.tally.skipped_items();
    if all == 0 && result.failures.is_empty() {
        return;
    }
    let heading = format!("{} failed or skipped", figures::counted(all, "item", "items"));
    parts::block(page, &heading, None, |page| {
        items(
            page,
            result.failures.iter().take(NAMED).map(|failure| {
                let why = format!("{}, {}: {}", failure.outcome, failure.kind, failure.detail);
                (&failure.path, why, failure.hint.as_deref())
            }),
        );
        left_out(page, all, result.failures.len(), "in failures.ndjson");
    });
}

fn extra(page: &mut Page, result: &MoveResult) {
    if result.tally.extra == 0 {
        return;
    }
    let heading =
        format!("{} only at the target, left alone", figures::counted(result.tally.extra, "item is", "items are"));
    parts::block(page, &heading, None, |page| {
        items(page, result.extra.iter().take(NAMED).map(|path| (path, String::new(), None)));
        left_out(page, result.tally.extra, result.extra.len(), "in run.json, at most 1,000");
    });
}

/// Paths, what is said of each, and what can be done.
fn items<'a>(page: &mut Page, items: impl Iterator<Item = (&'a RelPath, String, Option<&'a str>)>) {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return;
    }
    page.element("ul", &[("class", "items")], |page| {
        for (path, why, hint) in items {
            page.element("li", &[], |page| {
                page.path(visible::path(path));
                if !why.is_empty() {
                    page.words("div", &[("class", "example")], why);
                }
                if let Some(hint) = hint {
                    page.words("div", &[("class", "example")], format!("Hint: {hint}"));
                }
            });
        }
    });
}

fn left_out(page: &mut Page, all: u64, listed: usize, place: &str) {
    let hidden = all.saturating_sub(u64::try_from(listed.min(NAMED)).unwrap_or(u64::MAX));
    if hidden > 0 {
        page.words("p", &[("class", "rest")], format!("and {} more, {place}", figures::count(hidden)));
    }
}

fn preflight(page: &mut Page, checks: &[PreflightCheck]) {
    if checks.is_empty() {
        return;
    }
    parts::block(page, "Preflight", None, |page| {
        let headings = [("question", false), ("answer", false), ("detail", false)];
        let rows = checks.iter().map(|check| {
            let answer = match check.answer {
                Answer::Yes => "yes",
                Answer::Warn => "\u{25b2} warn",
                Answer::No => "\u{25a0} no",
            };
            let hint = check.hint.as_ref().map(|hint| format!(" Hint: {hint}")).unwrap_or_default();
            vec![
                Cell::Row(Label::Words(check.name.clone())),
                Cell::Words(answer.to_owned()),
                Cell::Words(format!("{}{hint}", check.detail)),
            ]
        });
        let caption = "Questions asked before anything was written";
        Table { caption, headings: &headings, rows: rows.collect(), total: None }.write(page);
    });
}
