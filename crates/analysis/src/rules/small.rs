//! Small files: minimum sizes, and requests that cost more than storage.

use crate::number::{gib, real, share};
use crate::rule::{Case, Check, Says, cite};
use catalog::Interface;
use model::ByteSize;
use plan::Severity;

/// Padding above this share of the data is worth a word.
const MUCH_PADDING: f64 = 0.2;

pub(super) const RULES: &[Check] =
    &[Check { id: "small/padding", judge: padding }, Check { id: "small/requests", judge: requests }];

fn padding(case: &Case<'_>) -> Says {
    let Some(quote) = case.quote else { return Says::Nothing };
    let stored = real(case.workload.sizing.capacity_bytes);
    if stored <= 0.0 || quote.padding_bytes / stored < MUCH_PADDING {
        return Says::Nothing;
    }
    let text = format!(
        "{:.0} % of the files are under 128 KiB: {:.1} GiB are billed on top of {:.1} GiB stored",
        100.0 * share(case.facts.small_files, case.facts.files),
        gib(quote.padding_bytes),
        gib(stored)
    );
    Says::Score(-15, text, cite("p50 size", ByteSize(case.facts.p50_bytes)))
}

fn requests(case: &Case<'_>) -> Says {
    let Some(quote) = case.quote else { return Says::Nothing };
    if case.service.interface != Interface::Object || quote.transfer_usd.0 < quote.cost.total_usd.0.max(1.0) {
        return Says::Nothing;
    }
    Says::Find(
        Severity::Note,
        format!(
            "uploading costs {:.2} USD in requests, more than a month there ({:.2} USD)",
            quote.transfer_usd.0, quote.cost.total_usd.0
        ),
        "pack small files that are only kept together, or choose a class with cheaper requests".to_owned(),
    )
}
