//! Every variant of every service: sized, priced, judged, ranked.

use crate::number::real;
use crate::price::{self, Ask};
use crate::rule::cite;
use crate::{Case, Error, Facts, Options, Quote, Subject, Unfit, Verdict, Workload, facts, rules};
use catalog::{Catalog, Service, Variant};
use inventory::Inventory;
use model::{ByteSize, Method, human_count};
use plan::{
    Candidate, Exclusion, Finding, RECOMMENDATION_SCHEMA, Reason, Recommendation, ServiceId, Severity, SystemAdvice,
};

/// Reads an inventory and gives advice for every system in it.
pub fn recommend_inventory(
    inventory: &Inventory,
    catalog: &Catalog,
    options: &Options,
) -> Result<Recommendation, Error> {
    let subjects = Subject::read_all(inventory)?;
    recommend(&subjects, &inventory.sha256()?, catalog, options)
}

/// Gives advice for every subject. Pure: the same input gives the same answer to the byte.
///
/// Ranked are first the exclusions away, then by cost over the horizon (each month's, and the move once) in
/// whole cents, then by points, then by service id; so the order is total.
pub fn recommend(
    subjects: &[Subject],
    inventory_sha256: &str,
    catalog: &Catalog,
    options: &Options,
) -> Result<Recommendation, Error> {
    options.check()?;
    catalog.check_region(&options.region)?;
    for word in options.only.iter().chain(&options.exclude) {
        check_word(catalog, word)?;
    }
    let systems = subjects.iter().map(|subject| advise(subject, catalog, options)).collect::<Result<_, _>>()?;
    Ok(Recommendation {
        schema: RECOMMENDATION_SCHEMA.to_owned(),
        region: options.region.clone(),
        catalog_as_of: catalog.as_of().to_owned(),
        inventory_sha256: inventory_sha256.to_owned(),
        systems,
    })
}

/// Refuses a service or class that the catalog does not have.
fn check_word(catalog: &Catalog, word: &str) -> Result<(), Error> {
    let families = || catalog.services().iter().map(|s| s.id.clone());
    let classes = catalog.services().iter().flat_map(|s| s.variants.iter().map(|v| format!("{}/{}", s.id, v.id)));
    let all: Vec<String> = families().chain(classes).collect();
    if all.iter().any(|known| known == word) {
        return Ok(());
    }
    Err(unknown(word, &all, families().collect()))
}

pub(crate) fn unknown(word: &str, all: &[String], known: Vec<String>) -> Error {
    /// A word further away than this is no typing error.
    const NEAR: f64 = 0.7;
    let likeness = |candidate: &String| strsim::normalized_damerau_levenshtein(word, candidate);
    let nearest = all.iter().filter(|c| likeness(c) >= NEAR).max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    Error::UnknownService { name: word.to_owned(), nearest: nearest.cloned(), known }
}

fn advise(subject: &Subject, catalog: &Catalog, options: &Options) -> Result<SystemAdvice, Error> {
    let facts = subject.facts();
    let workload = Workload::new(&facts, options);
    let (mut ranking, mut excluded) = (Vec::new(), Vec::new());
    for service in catalog.services() {
        for variant in &service.variants {
            let judged = Judged::new(&facts, &workload, options, catalog, service, variant)?;
            match judged.quote {
                Some(quote) if judged.exclusions.is_empty() => ranking.push(Candidate {
                    service: judged.service,
                    title: variant.title.clone(),
                    configuration: quote.configuration,
                    sizing: workload.sizing.clone(),
                    cost: quote.cost,
                    transfer_usd: quote.transfer_usd,
                    points: judged.reasons.iter().map(|r| r.points).sum(),
                    reasons: judged.reasons,
                    findings: judged.findings,
                }),
                _ => excluded.push(Exclusion {
                    service: judged.service,
                    title: variant.title.clone(),
                    reasons: judged.exclusions,
                }),
            }
        }
    }
    let months = f64::from(options.horizon_months);
    ranking.sort_by(|a, b| {
        let cents = |c: &Candidate| (100.0 * (c.cost.total_usd.0 * months + c.transfer_usd.0)).round();
        let by_cost = cents(a).total_cmp(&cents(b));
        by_cost.then(b.points.cmp(&a.points)).then_with(|| a.service.cmp(&b.service))
    });
    excluded.sort_by(|a, b| a.service.cmp(&b.service));
    Ok(SystemAdvice {
        location: facts.location.clone(),
        facts: facts.printable(),
        ranking,
        excluded,
        findings: findings(&facts, &workload),
    })
}

/// What the rules say of one variant.
struct Judged {
    service: ServiceId,
    quote: Option<Quote>,
    exclusions: Vec<Reason>,
    reasons: Vec<Reason>,
    findings: Vec<Finding>,
}

impl Judged {
    fn new(
        facts: &Facts,
        workload: &Workload,
        options: &Options,
        catalog: &Catalog,
        service: &Service,
        variant: &Variant,
    ) -> Result<Self, Error> {
        let mut exclusions = Vec::new();
        let mut exclude = |rule: &str, text: String, facts| {
            exclusions.push(Reason { rule: rule.to_owned(), text, points: 0, facts });
        };
        let region = options.region.as_str();
        let ask = Ask { catalog, region, service, variant, facts, workload };
        let quote = if catalog.offers(service, variant, region) {
            match price::quote(&ask) {
                Ok(quote) => Some(quote),
                Err(Unfit::TooSmall(text)) => {
                    exclude("limits/size", text, cite("bytes", ByteSize(workload.sizing.capacity_bytes)));
                    None
                }
                Err(Unfit::Price(error)) => return Err(error.into()),
            }
        } else {
            exclude("region/not-offered", format!("{region} does not offer it"), cite("region", region));
            None
        };
        let case = Case { facts, workload, options, service, variant, quote: quote.as_ref(), catalog };
        let (mut reasons, mut findings) = (Vec::new(), Vec::new());
        for rule in rules() {
            match rule.judge(&case) {
                Verdict::Silent => {}
                Verdict::Exclude(reason) => exclusions.push(reason),
                Verdict::Score(reason) => reasons.push(reason),
                Verdict::Find(finding) => findings.push(finding),
            }
        }
        findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.id.cmp(&b.id)));
        Ok(Self { service: ServiceId(case.id()), quote, exclusions, reasons, findings })
    }
}

/// What people must know whatever the target is.
fn findings(facts: &Facts, workload: &Workload) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut add = |id: &str, severity, text: String, remedy: &str| {
        all.push(Finding { id: id.to_owned(), severity, text, remedy: remedy.to_owned() });
    };
    if facts.unreadable > 0 {
        let text = format!(
            "{} directories or entries could not be read, so every figure is too low",
            human_count(facts.unreadable)
        );
        add("source/unreadable", Severity::Warning, text, "discover again with rights to read everything");
    }
    let held = facts.allocated_bytes.unwrap_or(facts.bytes);
    if let Some(used) = facts.volume_used_bytes.filter(|used| beyond(*used, held)) {
        let text = format!("the volume holds {}, {} of it were seen here", ByteSize(used), ByteSize(held));
        add("source/more-on-volume", Severity::Note, text, "look for snapshots and other exports of the volume");
    }
    if facts.method != Method::Measured {
        let text = format!("sizes, ages and requests by file are {} from histograms", facts::method_word(facts.method));
        add("source/no-entries", Severity::Note, text, "keep the entries of the inventory");
    }
    if !workload.sizing.basis.ends_with("as given") {
        let text = format!("what the target must carry was not measured: {}", workload.sizing.basis);
        add(
            "source/load-estimated",
            Severity::Note,
            text,
            "give the throughput and the operations per second if they are known",
        );
    }
    if facts.files == 0 {
        add("source/empty", Severity::Warning, "there are no files".to_owned(), "check the location");
    }
    all.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.id.cmp(&b.id)));
    all
}

/// Is there so much more on the volume that it is worth a word?
fn beyond(used: u64, held: u64) -> bool {
    real(used) > 1.2 * real(held) && used.saturating_sub(held) > 1 << 30
}
