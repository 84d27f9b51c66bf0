//! For a terminal, a pipe or a log: plain text, no colour codes, readable from 60 columns up.
//!
//! Every function takes the width in columns; `None` means 80, which is what a pipe gets. Meaning is carried
//! by words alone.

mod advice;
mod discovered;
mod done;
mod sheet;

use crate::{Report, figures, visible, wording};
use inventory::Profile;
use journal::{PreflightCheck, RunResult};
use plan::{Candidate, Plan, Recommendation};
use sheet::Sheet;

/// What one system holds: counts, capacity, histograms of size and age, the largest groups, latency of the
/// server, what matters in names and metadata, and what could not be read.
pub fn discovery(profile: &Profile, width: Option<u16>) -> String {
    let mut sheet = Sheet::new(width);
    discovered::write(&mut sheet, profile);
    sheet.finish()
}

/// For each system the ranking, the reasons of the first, one line for every exclusion, and the findings.
pub fn recommendation(recommendation: &Recommendation, width: Option<u16>) -> String {
    let mut sheet = Sheet::new(width);
    advice::write(&mut sheet, recommendation);
    sheet.finish()
}

/// What one candidate costs each month, by component, with the source of each price.
pub fn cost(candidate: &Candidate, width: Option<u16>) -> String {
    let mut sheet = Sheet::new(width);
    advice::write_cost(&mut sheet, candidate);
    sheet.finish()
}

/// What a run did: the tally that adds up, verification, the first ten failures, items that only the target has.
pub fn run(run: &RunResult, width: Option<u16>) -> String {
    let mut sheet = Sheet::new(width);
    done::write(&mut sheet, run);
    sheet.finish()
}

/// The questions of preflight and their answers, those that stop the run last, next to the prompt.
pub fn preflight(checks: &[PreflightCheck], width: Option<u16>) -> String {
    let mut sheet = Sheet::new(width);
    done::write_preflight(&mut sheet, checks);
    sheet.finish()
}

/// Everything that the report has, in the order of the work.
pub fn report(report: &Report, width: Option<u16>) -> String {
    let mut sheet = Sheet::new(width);
    sheet.title(&visible::text(&report.title));
    sheet.paragraph(&format!(
        "Made {} by longshore {}.",
        figures::time(&report.generated_at),
        visible::text(&report.version)
    ));
    for profile in &report.profiles {
        discovered::write(&mut sheet, profile);
    }
    if let Some(recommendation) = &report.recommendation {
        advice::write(&mut sheet, recommendation);
    }
    if let Some(plan) = &report.plan {
        write_plan(&mut sheet, plan);
    }
    if let Some(run) = &report.run {
        done::write(&mut sheet, run);
    }
    sheet.finish()
}

/// What is to be moved where, and how it is proved.
fn write_plan(sheet: &mut Sheet, plan: &Plan) {
    sheet.title("Plan");
    for step in &plan.moves {
        sheet.heading(&format!("Move {}", visible::text(&step.name)));
        let steps: Vec<_> = step.steps.iter().map(figures::step).collect();
        let mut pairs =
            vec![("from", visible::text(&step.from.to_string())), ("to", visible::text(&step.to.to_string()))];
        if !step.service.0.is_empty() {
            pairs.push(("service", visible::text(&step.service.0)));
        }
        for (key, value) in &step.configuration {
            pairs.push(("configuration", format!("{} = {}", visible::text(key), visible::text(value))));
        }
        pairs.extend([
            ("steps", steps.join(", ")),
            ("names", figures::name_policy(step.names).to_owned()),
            ("verify", figures::verify_policy(step.verify).to_owned()),
            ("limits", wording::limits(step)),
        ]);
        sheet.pairs(&pairs);
    }
}
