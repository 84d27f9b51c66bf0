//! JSON: the whole value, for programs. Bytes are plain numbers, times RFC 3339, paths as `model::RelPath`
//! writes them (`{"text":…}` or, where they are not UTF-8, `{"bytes":"<base64>"}`).

use crate::Report;
use serde::Serialize;

/// Schema name of the document. Fields are only added within a version.
pub const REPORT_SCHEMA: &str = "longshore.report/v1";

/// The value under its schema name, which comes first.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    #[serde(flatten)]
    report: &'a Report,
}

/// The report as one indented JSON document that ends in a line break.
pub fn render(report: &Report) -> String {
    let document = Document { schema: REPORT_SCHEMA, report };
    let mut out = serde_json::to_string_pretty(&document).expect("every map of a report has text as its key");
    out.push('\n');
    out
}
