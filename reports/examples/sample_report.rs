//! Writes the sample report in one format to stdout: `html` (the default), `terminal`, `markdown`, `json`, or
//! the name of a CSV table. `--empty` as the second argument takes a report with nothing in it.

#[allow(dead_code)]
#[path = "../tests/sample/mod.rs"]
mod sample;

use longshore_reports::{csv, html, json, markdown, terminal};
use std::io::Write as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let format = std::env::args().nth(1).unwrap_or_else(|| "html".to_owned());
    let empty = std::env::args().nth(2).is_some_and(|flag| flag == "--empty");
    let report = if empty { sample::empty_report() } else { sample::report() };
    let out = match format.as_str() {
        "html" => html::render(&report),
        "terminal" => terminal::report(&report, None),
        "markdown" => markdown::render(&report),
        "json" => json::render(&report),
        table => csv::render(&report, table.parse()?),
    };
    std::io::stdout().write_all(out.as_bytes())?;
    Ok(())
}
