//! What every kind of output promises, on one report with everything in it.

mod sample;

use insta::{Settings, assert_snapshot};
use longshore_reports::{Report, csv, csv::Table, html, json, markdown, terminal};

/// Golden files lie in `tests/golden`, one for each kind of output.
fn golden(name: &str, output: &str) {
    let mut settings = Settings::clone_current();
    settings.set_snapshot_path("golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| assert_snapshot!(name, output));
}

/// Whatever could move a cursor, ring a bell, or turn the reading order round.
fn is_harmless(c: char) -> bool {
    matches!(c, '\n' | '\r') || !(c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'))
}

#[test]
fn the_terminal_shows_all_of_it() {
    golden("terminal", &terminal::report(&sample::report(), None));
}

#[test]
fn the_terminal_shows_a_clean_run() {
    golden("terminal-clean-run", &terminal::run(&sample::clean_run(), Some(100)));
}

#[test]
fn preflight_puts_what_stops_the_run_last() {
    golden("terminal-preflight", &terminal::preflight(&sample::preflight(), Some(72)));
}

#[test]
fn the_cost_of_one_candidate_stands_alone() {
    golden("terminal-cost", &terminal::cost(&sample::recommendation().systems[0].ranking[2], Some(100)));
}

#[test]
fn markdown_shows_all_of_it() {
    golden("markdown", &markdown::render(&sample::report()));
}

#[test]
fn csv_has_a_table_for_everything() {
    let report = sample::report();
    let tables = Table::ALL.map(|table| format!("[{table}]\n{}", csv::render(&report, table).replace("\r\n", "\n")));
    golden("csv", &tables.join("\n"));
}

#[test]
fn html_has_a_stable_body() {
    let page = html::render(&sample::report());
    let (_, body) = page.split_once("<body>").unwrap();
    golden("html-body", body);
}

#[test]
fn json_reads_back_as_the_same_value() {
    let report = sample::report();
    let text = json::render(&report);
    assert!(text.starts_with("{\n  \"schema\": \"longshore.report/v1\",\n"), "{}", &text[..80]);
    assert!(serde_json::from_str::<Report>(&text).unwrap() == report, "{text}");
}

#[test]
fn no_text_for_people_holds_a_raw_control_or_reordering_character() {
    let report = sample::report();
    let mut outputs = vec![
        terminal::report(&report, None),
        terminal::report(&report, Some(200)),
        markdown::render(&report),
        html::render(&report),
    ];
    outputs.extend(Table::ALL.map(|table| csv::render(&report, table)));
    for output in outputs {
        let bad: Vec<_> = output.chars().filter(|c| !is_harmless(*c)).collect();
        assert!(bad.is_empty(), "{bad:?}");
    }
}

#[test]
fn terminal_tables_keep_to_the_width() {
    for width in [60, 80, 120] {
        let text = terminal::report(&sample::report(), Some(width));
        let tabular = text.lines().filter(|line| line.starts_with('─') || line.starts_with('━'));
        for line in tabular {
            assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
        }
        // What is wider are names alone on their line, so that they can be copied.
        for line in text.lines().filter(|line| line.chars().count() > usize::from(width)) {
            assert!(line.contains("://") || line.starts_with("  "), "{width}: {line}");
        }
    }
}

#[test]
fn an_empty_report_says_so_in_every_format() {
    let report = sample::empty_report();
    assert_eq!(terminal::report(&report, None).lines().next(), Some("Nothing"));
    assert!(markdown::render(&report).starts_with("# Nothing\n"));
    assert!(html::render(&report).contains("There is nothing to report yet"));
    for table in Table::ALL {
        assert_eq!(csv::render(&report, table).lines().count(), 1, "{table}");
    }
}

#[test]
fn a_page_needs_nothing_else_and_runs_nothing() {
    let page = html::render(&sample::report());
    assert!(page.contains("default-src 'none'"));
    for forbidden in ["<script", "<img", "<link", "<iframe", "<i>", "<b>", "src=", "@import", "url(http", " style="] {
        let found = page.match_indices(forbidden).count();
        // The only `src=` is the text of a hostile name.
        let allowed = usize::from(forbidden == "src=");
        assert_eq!(found, allowed, "{forbidden}");
    }
    for (at, _) in page.match_indices("href=\"") {
        assert_eq!(&page[at + 6..=at + 6], "#");
    }
}

#[test]
fn every_element_of_a_page_is_closed_in_order_and_every_id_is_unique() {
    let page = html::render(&sample::report());
    let mut open = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").unwrap();
    while let Some(at) = rest.find('<') {
        let end = at + rest[at..].find('>').unwrap();
        let tag = &rest[at + 1..end];
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{}", &rest[..end.min(200)]);
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        rest = &rest[end + 1..];
        if name == "style" && !tag.starts_with('/') {
            rest = &rest[rest.find("</style>").unwrap()..];
        }
    }
    assert!(open.is_empty(), "{open:?}");
    let mut ids: Vec<_> = page.match_indices(" id=\"").map(|(at, _)| page[at + 5..].split('"').next()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[test]
fn a_name_in_csv_cannot_be_a_formula_and_reads_back() {
    let mut report = sample::report();
    report.profiles[0].largest_files[0].path = "=HYPERLINK(\"http://e.vil\"),x".into();
    let lines = csv::render(&report, Table::LargestFiles);
    assert!(lines.contains(",\"\\x3DHYPERLINK(\"\"http://e.vil\"\"),x\","), "{lines}");
    let back = model::RelPath::from_text("\\x3DHYPERLINK(\"http://e.vil\"),x").unwrap();
    assert_eq!(back, report.profiles[0].largest_files[0].path);
}

#[test]
fn an_unknown_table_is_refused_with_the_names_that_exist() {
    let refused = "size".parse::<Table>().unwrap_err().to_string();
    assert!(refused.starts_with("there is no table `size`; there are sizes, age-modified"), "{refused}");
    for table in Table::ALL {
        assert_eq!(table.to_string().parse(), Ok(table));
    }
}

#[test]
fn a_tally_that_does_not_add_up_is_not_hidden() {
    let mut report = sample::report();
    report.run.as_mut().unwrap().moves[0].tally.copied.files += 1;
    for output in [terminal::report(&report, None), markdown::render(&report), html::render(&report)] {
        assert!(output.contains("does NOT add up"));
    }
    assert!(html::render(&report).contains(">the tally does not add up</a>"));
}
