//! Before a byte moves: can it work, what will not fit, how long, how much.

use crate::{compare::Work, ledger::Ledger, shop::Shop};
use bytes::Bytes;
use futures::StreamExt as _;
use journal::{Answer, PreflightCheck};
use model::{ByteSize, Facets, RelPath, human_count, human_duration};
use plan::{Move, NamePolicy};
use std::{sync::Arc, time::Duration};
use storage::{Capabilities, Error, ErrorKind, ListSpec, Source, Target, WriteSpec};

/// What a request that writes costs at the target.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestPrice {
    /// US dollars for 1,000 requests.
    pub usd_per_1k: f64,
    /// Region of the price.
    pub region: String,
    /// As-of date of the price, `YYYY-MM-DD`.
    pub as_of: String,
}

/// Rate assumed where nothing was measured: what one 1 Gbit/s link carries.
const ASSUMED_BYTES_PER_SECOND: u64 = 110 << 20;

pub(crate) fn yes(name: &str, detail: String) -> PreflightCheck {
    PreflightCheck { name: name.to_owned(), answer: Answer::Yes, detail, hint: None }
}
fn warn(name: &str, detail: String, hint: Option<String>) -> PreflightCheck {
    PreflightCheck { name: name.to_owned(), answer: Answer::Warn, detail, hint }
}
fn no(name: &str, detail: String, hint: Option<String>) -> PreflightCheck {
    PreflightCheck { name: name.to_owned(), answer: Answer::No, detail, hint }
}

fn refused(name: &str, error: &Error) -> PreflightCheck {
    no(name, crate::ledger::detail(error), error.hint_text().map(str::to_owned))
}

/// Can both sides be used at all? A target that is not there yet is fine: it is made.
///
/// Errors are returned as they are: a door that does not open is an error of the run, not a finding.
pub(crate) async fn doors(
    source: &Arc<dyn Source>,
    target: &Arc<dyn Target>,
    dry_run: bool,
    spec: &Move,
) -> Result<Vec<PreflightCheck>, crate::Error> {
    let location = |side, source| crate::Error::Location { side, source };
    let root = source.stat(&RelPath::ROOT, Facets::NONE).await.map_err(|error| location("source", error))?;
    if !root.kind.is_dir() {
        let what = format!("`{}` is a {}, not a directory", spec.from, root.kind.word());
        return Err(crate::Error::Impossible { what });
    }
    let mut checks = vec![yes("source can be read", format!("{} answers", spec.from))];
    // A listing, not a look: stores say in words why they refuse a listing, and only in a number why a look.
    match target.list(&RelPath::ROOT, ListSpec::default()).next().await {
        None | Some(Ok(_)) => {}
        Some(Err(error)) if error.kind() == ErrorKind::NotFound && error.reach() == storage::Reach::Item => {}
        Some(Err(error)) => return Err(location("target", error)),
    }
    if dry_run {
        checks.push(yes("target can be listed", format!("{} answers; writing was not tried", spec.to)));
    } else {
        checks.push(write_probe(target, spec).await);
    }
    Ok(checks)
}

/// Writes, reads and removes an item of our own: permission to write is known only by writing.
async fn write_probe(target: &Arc<dyn Target>, spec: &Move) -> PreflightCheck {
    const NAME: &str = "target can be written";
    let path = RelPath::from(".longshore-preflight");
    let data = Bytes::from_static(b"longshore writes this to see whether it may, and removes it at once\n");
    let storage_class = spec.configuration.get("StorageClass").cloned();
    let write = WriteSpec { size: Some(data.len() as u64), storage_class, ..WriteSpec::default() };
    if let Err(error) = target.put(&path, write, vec![data]).await {
        return refused(NAME, &error);
    }
    match target.remove(&path, None).await {
        Ok(()) => yes(NAME, format!("{} took and gave back a probe", spec.to)),
        Err(error) => warn(
            NAME,
            format!("a probe was written but not removed: {}", crate::ledger::detail(&error)),
            Some("remove `.longshore-preflight` at the target; deleting there is not allowed to us".to_owned()),
        ),
    }
}

/// What the comparison showed: space, names, sizes, metadata, time and cost.
pub(crate) async fn figures(
    shop: &Shop,
    work: Work,
    ledger: &Ledger,
    price: Option<&RequestPrice>,
) -> Result<Vec<PreflightCheck>, crate::Error> {
    let caps = shop.target.caps();
    let mut checks = vec![space(shop, work).await?];
    checks.push(names(ledger, shop.spec.names));
    checks.push(fidelity(shop));
    checks.extend(largest(caps, work, &shop.spec));
    checks.push(estimate(shop, work, price));
    Ok(checks)
}

async fn space(shop: &Shop, work: Work) -> Result<PreflightCheck, crate::Error> {
    const NAME: &str = "space at the target";
    let usage = shop.target.usage().await.map_err(|source| crate::Error::Location { side: "target", source })?;
    let need = ByteSize(work.count.bytes);
    Ok(match usage {
        None => yes(NAME, format!("{need} to write; the target has no fixed size")),
        Some(usage) if usage.available < work.count.bytes => no(
            NAME,
            format!("{need} to write, {} available", ByteSize(usage.available)),
            Some("free space at the target, choose another one, or move a part".to_owned()),
        ),
        Some(usage) => yes(NAME, format!("{need} to write, {} available", ByteSize(usage.available))),
    })
}

fn names(ledger: &Ledger, policy: NamePolicy) -> PreflightCheck {
    const NAME: &str = "names at the target";
    let books = ledger.books();
    let refused = books.tally.failed.get(ErrorKind::NameRefused.word()).copied().unwrap_or(0);
    if refused > 0 {
        let first = books.failures.iter().find(|item| item.kind == ErrorKind::NameRefused.word());
        let (example, hint) = first.map_or((String::new(), None), |item| {
            (format!(", for example `{}`: {}", item.path, item.detail), item.hint.clone())
        });
        return warn(NAME, format!("the target cannot hold {} of them{example}", human_count(refused)), hint);
    }
    if books.mapped_names > 0 && policy == NamePolicy::Restore {
        return yes(NAME, format!("{} escaped names get their own bytes back", human_count(books.mapped_names)));
    }
    if books.mapped_names > 0 {
        let detail = format!("{} will be stored under escaped names", human_count(books.mapped_names));
        return warn(
            NAME,
            detail,
            Some("`names = \"restore\"` gives the bytes back when copying from there".to_owned()),
        );
    }
    yes(NAME, "the target can hold all of them as they are".to_owned())
}

fn fidelity(shop: &Shop) -> PreflightCheck {
    const NAME: &str = "metadata at the target";
    let reads = shop.source.caps().reads.minus(Facets::DIGESTS);
    let lost = reads.minus(shop.target.caps().writes);
    let links = if shop.target.caps().nodes.hard_links { "" } else { "; hard links become files of their own" };
    if lost.is_empty() {
        return yes(NAME, format!("kept: {reads}{links}"));
    }
    warn(NAME, format!("kept: {}; not kept: {lost}{links}", shop.wanted), None)
}

fn largest(caps: &Capabilities, work: Work, spec: &Move) -> Option<PreflightCheck> {
    const NAME: &str = "largest file";
    let size = ByteSize(work.largest);
    if work.largest <= caps.put_max.min(spec.part_size.0) {
        return None;
    }
    Some(match caps.parts.part_size(work.largest, spec.part_size.0) {
        None => warn(NAME, format!("the target takes no object of {size}: it will fail"), None),
        Some(part) if part > spec.memory.0 => warn(
            NAME,
            format!("{size} needs parts of {}, more than `memory` ({}): it will fail", ByteSize(part), spec.memory),
            Some(format!("set `memory` to at least {}", ByteSize(part))),
        ),
        Some(part) => yes(NAME, format!("{size}, in {} parts of {}", work.largest.div_ceil(part), ByteSize(part))),
    })
}

fn estimate(shop: &Shop, work: Work, price: Option<&RequestPrice>) -> PreflightCheck {
    let caps = shop.target.caps();
    let whole = caps.put_max.min(shop.spec.part_size.0);
    // Items that are sent whole are one request; of the rest only the sum of sizes is known, so parts are
    // counted as if it were one file, plus the opening and closing of each.
    let requests = work.count.items() + if work.largest > whole { work.count.bytes / shop.spec.part_size.0 } else { 0 };
    // A request in about 20 ms for each place, or the link, whichever is slower.
    let by_items = work.count.items() * 20 / u64::from(shop.spec.concurrency.max(1));
    let by_bytes = work.count.bytes * 1000 / ASSUMED_BYTES_PER_SECOND;
    let time = human_duration(Duration::from_millis(by_items.max(by_bytes).max(1)));
    let mut detail = format!(
        "{} items with {}, about {time} at 110 MiB/s and 20 ms a request (estimated)",
        human_count(work.count.items()),
        ByteSize(work.count.bytes)
    );
    if let Some(price) = price {
        #[expect(clippy::cast_precision_loss, reason = "an estimate of money, shown with two digits")]
        let usd = requests as f64 / 1000.0 * price.usd_per_1k;
        let RequestPrice { region, as_of, .. } = price;
        let requests = human_count(requests);
        let cost = format!("; about {requests} write requests, {usd:.2} USD ({region}, prices of {as_of})");
        detail.push_str(&cost);
    }
    yes("time and cost", detail)
}
