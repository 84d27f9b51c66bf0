//! `longshore report INVENTORY | PLAN | RUN …`

use super::{Shell, discover, migrate, recommend, run as runs};
use crate::{
    args::{Format, Report as Typed},
    clock,
    exit::Exit,
    failure::{Code, Failure, Outcome},
};
use inventory::Inventory;
use reports::{Report, csv};
use std::path::{Path, PathBuf};

/// Gathers what was named and renders it.
pub fn run(typed: &Typed, shell: &Shell) -> Outcome<Exit> {
    let report = gather(&typed.inputs, typed.title.as_deref())?;
    let format = if shell.out.json { Format::Json } else { typed.format };
    let text = match format {
        Format::Human => reports::terminal::report(&report, shell.out.width),
        Format::Html => reports::html::render(&report),
        Format::Json => reports::json::render(&report),
        Format::Md => reports::markdown::render(&report),
        Format::Csv => csv::render(&report, table(typed.table.as_deref())?),
    };
    match &typed.output {
        None => shell.out.text(&text)?,
        Some(path) => {
            std::fs::write(path, &text).map_err(|error| {
                Failure::new(Code::File, format!("cannot write the report `{}`", path.display())).because(error)
            })?;
            shell.out.note(&format!("report: {}", path.display()));
        }
    }
    Ok(Exit::Done)
}

fn table(name: Option<&str>) -> Outcome<csv::Table> {
    name.unwrap_or_default().parse().map_err(|error: csv::UnknownTable| Failure::new(Code::Usage, error.to_string()))
}

/// Reads everything that was named; each thing says by itself what it is.
fn gather(inputs: &[PathBuf], title: Option<&str>) -> Outcome<Report> {
    let mut report = Report {
        title: String::new(),
        generated_at: clock::now_text(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        profiles: Vec::new(),
        recommendation: None,
        plan: None,
        run: None,
    };
    for path in inputs {
        add(path, &mut report)?;
    }
    report.title = title.map_or_else(|| headline(&report), str::to_owned);
    Ok(report)
}

fn add(path: &Path, report: &mut Report) -> Outcome<()> {
    if discover::is_inventory(path) {
        let inventory = Inventory::open(path)?;
        for member in inventory.systems() {
            report.profiles.push(inventory.profile(&member.name)?);
        }
    } else if path.join(super::moves::RUN_FILE).is_file() || named(path, super::moves::RUN_FILE) {
        let again = runs::load(path)?;
        if report.run.replace(again).is_some() {
            return Err(twice(path, "run"));
        }
    } else if path.is_file() {
        if report.plan.replace(migrate::load(path)?).is_some() {
            return Err(twice(path, "plan"));
        }
        // What the plan was chosen from lies beside it, where `recommend` made it.
        let advice = recommend::advice_beside(path);
        if advice.is_file() {
            report.recommendation = Some(recommend::load_advice(&advice)?);
        }
    } else {
        return Err(Failure::new(
            Code::NotAReport,
            format!("`{}` is neither an inventory, nor a plan, nor the folder of a run", path.display()),
        )
        .hint("give what `discover -o`, `recommend -o` or `migrate` wrote: site.inv, plan.toml, plan.run"));
    }
    Ok(())
}

fn named(path: &Path, name: &str) -> bool {
    path.file_name().is_some_and(|file| file == name)
}

fn twice(path: &Path, what: &str) -> Failure {
    Failure::new(Code::NotAReport, format!("`{}` is a second {what}; a report shows one", path.display()))
        .hint(format!("make one report for each {what}"))
}

fn headline(report: &Report) -> String {
    let places: Vec<String> = if report.profiles.is_empty() {
        let plan = report.plan.iter().flat_map(|plan| plan.moves.iter().map(|m| m.from.to_string()));
        let run = report.run.iter().flat_map(|run| run.moves.iter().map(|m| m.from.to_string()));
        if report.plan.is_some() { plan.collect() } else { run.collect() }
    } else {
        report.profiles.iter().map(|profile| profile.location.to_string()).collect()
    };
    match places.as_slice() {
        [] => "Storage report".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}
