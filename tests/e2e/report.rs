//! The HTML report in a real browser, at the width of a phone and of a desk.

use anyhow::Result;
use longshore_tests::{Rig, expect, make_tree, run, tests_dir};
use std::{path::Path, process::Command};

pub fn layout(rig: &Rig) -> Result<()> {
    if !Path::new("/usr/bin/chromium").exists() {
        eprintln!("skipped: the layout was not checked, Chromium is not installed");
        return Ok(());
    }
    let (dir, from) = rig.export("report")?;
    make_tree("hostile", &dir, &[])?;
    let bucket = rig.bucket()?;
    let home = tempfile::tempdir()?;
    let at = home.path();
    expect(at, 0, &["discover", &from, "-o", "site.inv"])?;
    expect(at, 0, &["recommend", "site.inv", "--choose", "s3", "--to", &rig.uri(&bucket, "x"), "-o", "plan.toml"])?;
    expect(at, 3, &["migrate", "plan.toml"])?;
    expect(at, 0, &["report", "site.inv", "plan.toml", "plan.run", "-f", "html", "-o", "report.html"])?;
    run(Command::new("python3").arg(tests_dir().join("report-layout/check")).arg(at.join("report.html")))?;
    Ok(())
}
