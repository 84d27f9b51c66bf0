//! What is not used, and whether that is known.

use crate::Protocol;
use crate::number::share;
use crate::rule::{Case, Check, Says, cite};
use plan::Severity;

/// From this share of bytes on, most of the data is cold.
const MOSTLY: f64 = 0.5;
/// Below this share of bytes, hardly any is.
const HARDLY: f64 = 0.1;

pub(super) const RULES: &[Check] = &[
    Check { id: "cold/mostly", judge: mostly },
    Check { id: "cold/reads-unknown", judge: reads_unknown },
    Check { id: "cold/settling", judge: settling },
];

/// Does the variant get cheaper for data that is not used?
fn tiers(case: &Case<'_>) -> bool {
    ["infrequent", "pool"].iter().any(|role| case.variant.price(role).is_some())
}
/// Does reading cost extra, so that only cold data belongs there?
fn charges_reads(case: &Case<'_>) -> bool {
    case.is("s3") && case.variant.price("retrieval").is_some() && case.variant.min_days.is_some()
}

fn mostly(case: &Case<'_>) -> Says {
    let cold = share(case.facts.unused[0].bytes, case.facts.bytes);
    let told = cite("not used for 30 days", format!("{:.0} %", 100.0 * cold));
    if cold >= MOSTLY && (tiers(case) || charges_reads(case)) {
        return Says::Score(10, "most of the data has not been used for 30 days".to_owned(), told);
    }
    if cold < HARDLY && charges_reads(case) {
        let text = "nearly all of the data was used within 30 days, and every read is charged";
        return Says::Score(-10, text.to_owned(), told);
    }
    Says::Nothing
}

fn reads_unknown(case: &Case<'_>) -> Says {
    if case.facts.knows_reads || case.facts.protocol == Protocol::Object {
        return Says::Nothing;
    }
    let told = || cite("times of reading", "not kept");
    if case.variant.tiering_min_bytes.is_some() {
        let text = "the source keeps no times of reading; this class finds out by itself what is cold";
        return Says::Score(10, text.to_owned(), told());
    }
    if charges_reads(case) {
        let text = "the source keeps no times of reading, and every read is charged";
        return Says::Score(-5, text.to_owned(), told());
    }
    Says::Nothing
}

fn settling(case: &Case<'_>) -> Says {
    if case.workload.unused[0].bytes == 0 || case.variant.price("infrequent").is_none() {
        return Says::Nothing;
    }
    let text = "the monthly cost is that after the tiers have settled; everything starts in the dearest tier and moves \
                after 30 (and 90) days without access";
    let remedy = "what that costs until then is counted once, with the move";
    Says::Find(Severity::Note, text.to_owned(), remedy.to_owned())
}
