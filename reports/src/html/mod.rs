//! One HTML file that needs nothing else: no script, no font, no picture from anywhere; a policy in its head
//! forbids the browser to load or run anything, should a name ever get past the escaping.

mod advice;
mod discovered;
mod done;
mod markup;
mod parts;
mod pictures;
mod summary;

use crate::{Report, figures};
use markup::Page;

const HEAD: &str = concat!(
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n",
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n",
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n",
    "<meta name=\"color-scheme\" content=\"light dark\"/>\n",
    "<meta name=\"referrer\" content=\"no-referrer\"/>\n<style>\n",
    include_str!("style.css"),
    "</style>\n"
);

/// The whole report as one page, readable from 320 to 1600 CSS pixels, in light, in dark and on paper.
pub fn render(report: &Report) -> String {
    let mut page = Page::default();
    page.raw(HEAD);
    page.words("title", &[], &report.title);
    page.raw("\n</head>\n<body>\n").raw(pictures::PATTERNS);
    masthead(&mut page, report);
    page.element("main", &[], |page| {
        summary::write(page, report);
        sections(page, report);
    });
    page.raw(FOOTER).raw("</body>\n</html>\n");
    page.finish()
}

const FOOTER: &str = "<footer><h2>How to read the figures</h2>\n<dl class=\"facts\">\
<dt>measured</dt><dd>counted or timed by longshore</dd>\
<dt>reported</dt><dd>stated by the system itself</dd>\
<dt>estimated</dt><dd>derived from other figures; every monthly cost is an estimate from list prices</dd>\
<dt>KiB to EiB</dt><dd>powers of 1,024</dd>\
<dt>\\x0A, \\xFF</dt><dd>bytes of a name that cannot be shown, in hexadecimal; \\\\ is one backslash</dd>\
</dl></footer>\n";

fn masthead(page: &mut Page, report: &Report) {
    page.element("header", &[("class", "masthead")], |page| {
        page.raw("<p class=\"kind\">Storage report</p>\n");
        page.words("h1", &[], &report.title);
        page.words(
            "p",
            &[("class", "made")],
            format!("Made {} by longshore {}", figures::time(&report.generated_at), report.version),
        );
        contents(page, report);
    });
}

/// The sections of the page: where they are, what they are called, what they are about.
fn outline(report: &Report) -> Vec<(String, &'static str, String)> {
    let mut outline = Vec::new();
    for (number, profile) in (1..).zip(&report.profiles) {
        outline.push((format!("system-{number}"), "What is there", profile.location.to_string()));
    }
    for (number, advice) in (1..).zip(report.recommendation.iter().flat_map(|recommendation| &recommendation.systems)) {
        outline.push((format!("targets-{number}"), "Where it could go", advice.location.to_string()));
    }
    if report.plan.is_some() {
        outline.push(("plan".to_owned(), "The plan", String::new()));
    }
    for (number, result) in (1..).zip(report.run.iter().flat_map(|run| &run.moves)) {
        outline.push((format!("move-{number}"), "What was moved", result.name.clone()));
    }
    outline
}

fn contents(page: &mut Page, report: &Report) {
    let outline = outline(report);
    if outline.len() < 2 {
        return;
    }
    page.element("nav", &[("aria-label", "Contents")], |page| {
        page.element("ol", &[], |page| {
            for (id, heading, about) in &outline {
                page.element("li", &[], |page| {
                    page.element("a", &[("href", &format!("#{id}"))], |page| {
                        page.text(heading);
                    });
                    let alone = outline.iter().filter(|other| other.1 == *heading).count() == 1;
                    if !alone && !about.is_empty() {
                        page.raw(" ").path(summary::short(about));
                    }
                });
            }
        });
    });
}

fn sections(page: &mut Page, report: &Report) {
    for (number, profile) in (1..).zip(&report.profiles) {
        let id = format!("system-{number}");
        section(page, &id, "What is there", &profile.location.to_string(), |page| {
            discovered::write(page, &id, profile);
        });
    }
    if let Some(recommendation) = &report.recommendation {
        for (number, advice) in (1..).zip(&recommendation.systems) {
            section(page, &format!("targets-{number}"), "Where it could go", &advice.location.to_string(), |page| {
                advice::write(page, recommendation, advice);
            });
        }
    }
    if let Some(plan) = &report.plan {
        section(page, "plan", "The plan", "", |page| done::plan(page, plan));
    }
    if let Some(run) = &report.run {
        for (number, result) in (1..).zip(&run.moves) {
            section(page, &format!("move-{number}"), "What was moved", &result.name, |page| {
                done::one_move(page, run, result);
                page.words("p", &[("class", "rest")], run_times(run));
            });
        }
    }
}

fn run_times(run: &journal::RunResult) -> String {
    let times = format!("Run from {} to {}", figures::time(&run.started_at), figures::time(&run.finished_at));
    match run.peak_memory_bytes {
        Some(peak) => format!("{times}, with at most {} of memory (measured)", figures::bytes(peak)),
        None => times,
    }
}

fn section(page: &mut Page, id: &str, heading: &str, about: &str, content: impl FnOnce(&mut Page)) {
    page.element("section", &[("id", id), ("class", "part")], |page| {
        page.element("header", &[], |page| {
            page.words("h2", &[], heading);
            if !about.is_empty() {
                page.element("p", &[], |page| {
                    page.path(about);
                });
            }
        });
        page.element("div", &[("class", "body")], content);
    });
}
