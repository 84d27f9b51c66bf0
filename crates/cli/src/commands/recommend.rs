//! `longshore recommend INVENTORY -o PLAN`

use super::Shell;
use crate::{
    args::Recommend,
    exit::Exit,
    failure::{Code, Failure, Outcome},
    registry,
};
use analysis::{Access, Options};
use catalog::Catalog;
use inventory::Inventory;
use model::{ByteSize, Location};
use plan::Recommendation;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Ranks services for each system, and writes the plan.
pub fn run(typed: &Recommend, shell: &Shell) -> Outcome<Exit> {
    let options = options(typed, shell)?;
    let target = typed.to.as_ref().map(|uri| registry::location(uri)).transpose()?;
    let inventory = Inventory::open(&typed.inventory)?;
    let recommendation = analysis::recommend_inventory(&inventory, &Catalog::embedded()?, &options)?;
    if shell.out.json {
        shell.out.document(&recommendation)?;
    } else {
        shell.out.text(&reports::terminal::recommendation(&recommendation, shell.out.width))?;
    }
    if let Some(path) = &typed.output {
        write_plan(typed, &recommendation, target, path)?;
        shell.out.note(&format!("plan: {}", path.display()));
    }
    Ok(Exit::Done)
}

fn write_plan(typed: &Recommend, advice: &Recommendation, target: Option<Location>, path: &Path) -> Outcome<()> {
    let to: BTreeMap<String, Location> = target.map(|to| ("default".to_owned(), to)).into_iter().collect();
    let plan = analysis::to_plan(advice, typed.choose.as_deref(), &to)?;
    put(path, &plan.to_toml_with(advice))?;
    put(&advice_beside(path), &advice.to_json())
}

/// Writes a file in one step: whoever reads it sees the old content or the new.
fn put(path: &Path, text: &str) -> Outcome<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    fs::write(&draft, text)
        .and_then(|()| fs::rename(&draft, path))
        .map_err(|error| Failure::new(Code::File, format!("cannot write `{}`", path.display())).because(error))
}

fn options(typed: &Recommend, shell: &Shell) -> Outcome<Options> {
    let settings = &shell.settings;
    let usual = Options::default();
    let options = Options {
        region: settings.region.value.clone().unwrap_or(usual.region.clone()),
        growth_per_year: settings.growth.value.0,
        horizon_months: settings.horizon.value,
        throughput_mibps: typed.throughput.as_deref().map(rate).transpose()?,
        iops: typed.iops,
        access: access(&settings.access.value)?,
        ..usual
    };
    options.check()?;
    Ok(options)
}

fn access(word: &str) -> Outcome<Access> {
    match word {
        "any" => Ok(Access::Any),
        "file" => Ok(Access::File),
        "object" => Ok(Access::Object),
        "archive" => Ok(Access::Archive),
        _ => Err(Failure::new(Code::Usage, format!("the access cannot be `{word}`"))
            .hint("one of: any, file, object, archive")),
    }
}

/// `200MiB/s`, `2GB/s`, `10Gbit/s` in MiB/s.
fn rate(text: &str) -> Outcome<f64> {
    let wrong = || {
        Failure::new(Code::Usage, format!("cannot read the rate `{text}`"))
            .hint("write for example `200MiB/s` or `10Gbit/s`")
    };
    let amount = text.trim().strip_suffix("/s").ok_or_else(wrong)?;
    let (amount, bits) = match amount.strip_suffix("bit") {
        Some(bits) => (format!("{bits}B"), 8.0),
        None => (amount.to_owned(), 1.0),
    };
    let size: ByteSize = amount.parse().map_err(|_| wrong())?;
    #[allow(clippy::cast_precision_loss)] // a rate is far below 2^52
    let bytes = size.0 as f64;
    Ok(bytes / bits / f64::from(1 << 20))
}

/// What a plan was chosen from: `plan.toml` has it in `plan.recommendation.json`.
pub fn advice_beside(plan: &Path) -> PathBuf {
    plan.with_extension("recommendation.json")
}

/// Reads a recommendation.
pub fn load_advice(path: &Path) -> Outcome<Recommendation> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::new(Code::File, format!("cannot read `{}`", path.display())).because(error))?;
    Recommendation::from_json(&text).map_err(|error| {
        let mut failure = Failure::from(error);
        failure.from = Some(path.display().to_string());
        failure
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_read_in_bytes_and_bits() {
        for (text, mibps) in [("200MiB/s", 200.0), ("1GiB/s", 1024.0), ("8Mbit/s", 0.953_674_316_406_25)] {
            assert!((rate(text).unwrap() - mibps).abs() < 1e-9, "{text}");
        }
        for text in ["200", "200MiB", "fast/s", "bit/s"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
