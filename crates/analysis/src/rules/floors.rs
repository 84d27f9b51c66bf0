//! Paying for more than is used, because a service does not come smaller.

use crate::number::real;
use crate::rule::{Case, Check, Says, cite};
use model::human_count;

/// More than this times what is needed is worth a word.
const GENEROUS: f64 = 2.0;

pub(super) const RULES: &[Check] =
    &[Check { id: "floors/capacity", judge: capacity }, Check { id: "floors/throughput", judge: throughput }];

fn capacity(case: &Case<'_>) -> Says {
    let Some(quote) = case.quote else { return Says::Nothing };
    let Some(size) = quote.provisioned_gib.filter(|size| real(*size) > GENEROUS * quote.needed_gib) else {
        return Says::Nothing;
    };
    let text = format!("pays for {} GiB where {:.0} GiB are needed", human_count(size), quote.needed_gib.ceil());
    Says::Score(-10, text, cite("needed GiB", format!("{:.1}", quote.needed_gib)))
}

fn throughput(case: &Case<'_>) -> Says {
    let Some(quote) = case.quote else { return Says::Nothing };
    let Some(mbps) = quote.provisioned_mbps.filter(|mbps| real(*mbps) > GENEROUS * case.workload.mbps()) else {
        return Says::Nothing;
    };
    let paid = quote.cost.lines.iter().find(|line| line.what == "throughput capacity").map_or(0.0, |line| line.usd.0);
    let text = format!(
        "pays {paid:.2} USD a month for {} MB/s where {:.0} MB/s are needed",
        human_count(mbps),
        case.workload.mbps().ceil()
    );
    Says::Score(-10, text, cite("needed MB/s", format!("{:.1}", case.workload.mbps())))
}
