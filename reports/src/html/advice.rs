//! Where it could go, what that costs, and where it cannot go.

use super::{
    markup::Page,
    parts::{self, Cell, Label, Table},
    pictures::{self, Piece},
};
use crate::{figures, wording};
use plan::{Candidate, CostLine, Finding, Reason, Recommendation, Severity, SystemAdvice};

/// What a line of a cost pays for, by the unit of its price.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Component {
    Capacity,
    Throughput,
    Iops,
    Traffic,
    Other,
}

impl Component {
    const ALL: [Self; 5] = [Self::Capacity, Self::Throughput, Self::Iops, Self::Traffic, Self::Other];

    fn of(line: &CostLine) -> Self {
        let unit = line.unit.to_ascii_lowercase();
        let has = |word: &str| unit.contains(word);
        if has("iops") {
            Self::Iops
        } else if has("bps") {
            Self::Throughput
        } else if has("gb-month") || has("gib-month") {
            Self::Capacity
        } else if has("request") || unit.ends_with("gb") || unit.ends_with("gib") {
            Self::Traffic
        } else {
            Self::Other
        }
    }
    const fn words(self) -> &'static str {
        match self {
            Self::Capacity => "capacity",
            Self::Throughput => "throughput",
            Self::Iops => "IOPS",
            Self::Traffic => "requests and data read or written",
            Self::Other => "other",
        }
    }
    const fn tone(self) -> &'static str {
        match self {
            Self::Capacity => "tone-1",
            Self::Throughput => "tone-2",
            Self::Iops => "tone-3",
            Self::Traffic => "tone-4",
            Self::Other => "tone-5",
        }
    }
}

/// Writes the body of the section about one system.
pub(super) fn write(page: &mut Page, recommendation: &Recommendation, advice: &SystemAdvice) {
    if advice.ranking.is_empty() {
        page.raw("<p class=\"lead\">No target of the catalog fits as it is. The exclusions say why.</p>\n");
    } else {
        ranking(page, recommendation, &advice.ranking);
    }
    findings(page, "Findings that hold for every target", &advice.findings);
    if let Some((first, others)) = advice.ranking.split_first() {
        parts::block(page, &format!("Why {} comes first", first.title), None, |page| candidate(page, first));
        if !others.is_empty() {
            parts::block(page, "The other candidates", None, |page| {
                for (rank, other) in (2_u64..).zip(others) {
                    page.element("details", &[], |page| {
                        page.element("summary", &[], |page| {
                            page.text(format!("{rank}. {}: ", other.title));
                            page.text(format!(
                                "{} {} per month",
                                figures::amount(other.cost.total_usd),
                                other.cost.currency
                            ));
                        });
                        candidate(page, other);
                    });
                }
            });
        }
    }
    exclusions(page, advice);
    if !advice.facts.is_empty() {
        parts::block(page, "Facts that the rules looked at", None, |page| {
            parts::facts(page, |facts| advice.facts.iter().for_each(|(name, value)| facts.words(name, value)));
        });
    }
}

fn ranking(page: &mut Page, recommendation: &Recommendation, ranking: &[Candidate]) {
    let most = ranking.iter().map(|candidate| candidate.cost.total_usd.0).fold(0.0, f64::max);
    let doubtful = ranking.iter().any(|candidate| candidate.cost.has_unverified);
    parts::block(page, "Candidates, best first", Some("estimated"), |page| {
        page.element("table", &[("class", "ranking")], |page| {
            page.element("caption", &[], |page| {
                page.text(format!(
                    "USD per month of 730 hours in {}, at prices as of {} or later. The bar is the monthly cost by \
                     component, all bars on one scale.",
                    recommendation.region, recommendation.catalog_as_of
                ));
            });
            page.raw(
                "<thead><tr><th scope=\"col\" class=\"n\">#</th><th scope=\"col\">target</th>\
                 <th scope=\"col\" class=\"n\">USD per month</th></tr></thead>\n",
            );
            page.element("tbody", &[], |page| {
                for (rank, candidate) in (1_u64..).zip(ranking) {
                    ranked(page, rank, candidate, most);
                }
            });
        });
        page.element("ul", &[("class", "legend")], |page| {
            let used = |component: Component| {
                ranking.iter().flat_map(|candidate| &candidate.cost.lines).any(|line| Component::of(line) == component)
            };
            for component in Component::ALL.into_iter().filter(|component| used(*component)) {
                page.element("li", &[], |page| {
                    pictures::swatch(page, component.tone());
                    page.text(component.words());
                });
            }
        });
        if doubtful {
            page.raw("<p class=\"rest\">* with a price that is not from a price list</p>\n");
        }
    });
}

fn ranked(page: &mut Page, rank: u64, candidate: &Candidate, most: f64) {
    let class = if rank == 1 { "best" } else { "next" };
    page.element("tr", &[("class", class)], |page| {
        page.words("td", &[("class", "n")], rank);
        page.element("th", &[("scope", "row")], |page| {
            page.words("span", &[("class", "target")], &candidate.title).raw(" ");
            page.words("span", &[("class", "id")], &candidate.service);
            pictures::stack(page, "14", &pieces(candidate, most));
            page.words(
                "span",
                &[("class", "aside")],
                format!(
                    "{:+} points; {} USD once to move the data there",
                    candidate.points,
                    figures::amount(candidate.transfer_usd)
                ),
            );
        });
        let doubt = if candidate.cost.has_unverified { "*" } else { "" };
        page.words("td", &[("class", "n price")], format!("{}{doubt}", figures::amount(candidate.cost.total_usd)));
    });
}

/// The cost of a candidate as a stacked bar, in the order of the legend.
fn pieces(candidate: &Candidate, most: f64) -> Vec<Piece> {
    let mut from = 0.0;
    let mut pieces = Vec::new();
    for component in Component::ALL {
        for line in candidate.cost.lines.iter().filter(|line| Component::of(line) == component) {
            let length = if most > 0.0 { (line.usd.0 / most).max(0.0) } else { 0.0 };
            let title = format!("{}: {} USD per month", line.what, figures::amount(line.usd));
            pieces.push(Piece { tone: component.tone(), title, from, length });
            from += length;
        }
    }
    pieces
}

/// Configuration, sizing, cost, reasons and findings of one candidate.
fn candidate(page: &mut Page, candidate: &Candidate) {
    reasons(page, &candidate.reasons);
    parts::facts(page, |facts| {
        facts.words("Service", &candidate.service.0);
        for (key, value) in &candidate.configuration {
            facts.words(key, value);
        }
        facts.words("Sized for", &wording::sizing(candidate));
        facts.words("Costs", &figures::monthly(&candidate.cost));
    });
    let headings = [
        ("what", false),
        ("USD per month", true),
        ("quantity", true),
        ("unit", false),
        ("USD each", true),
        ("source of the price", false),
    ];
    let rows = candidate.cost.lines.iter().map(|line| {
        vec![
            Cell::Row(Label::Words(line.what.clone())),
            Cell::Number(figures::amount(line.usd)),
            Cell::Number(figures::quantity(line.quantity)),
            Cell::Words(line.unit.clone()),
            Cell::Number(figures::unit_price(line.unit_usd)),
            Cell::Words(line.source.clone()),
        ]
    });
    let total = vec![
        Cell::Row(Label::Words("total".to_owned())),
        Cell::Number(figures::amount(candidate.cost.total_usd)),
        Cell::Number(String::new()),
        Cell::Words(String::new()),
        Cell::Number(String::new()),
        Cell::Words(String::new()),
    ];
    let caption = format!("Monthly cost of {} by component", candidate.title);
    Table { caption: &caption, headings: &headings, rows: rows.collect(), total: Some(total) }.write(page);
    if !candidate.findings.is_empty() {
        list_of_findings(page, &candidate.findings);
    }
}

fn reasons(page: &mut Page, reasons: &[Reason]) {
    if reasons.is_empty() {
        return;
    }
    page.element("ul", &[("class", "reasons")], |page| {
        for reason in reasons {
            page.element("li", &[], |page| {
                page.words("span", &[("class", "points")], format!("{:+}", reason.points)).raw(" ");
                page.element("span", &[("class", "what")], |page| one_reason(page, reason));
            });
        }
    });
}

fn one_reason(page: &mut Page, reason: &Reason) {
    page.text(&reason.text).raw(" ").words("span", &[("class", "id")], &reason.rule);
    for (name, value) in &reason.facts {
        page.raw(" ").words("span", &[("class", "id")], format!("{name} = {value}"));
    }
}

fn exclusions(page: &mut Page, advice: &SystemAdvice) {
    if advice.excluded.is_empty() {
        return;
    }
    parts::block(page, "Excluded, and why", None, |page| {
        page.element("ul", &[("class", "items")], |page| {
            for exclusion in &advice.excluded {
                page.element("li", &[], |page| {
                    page.words("strong", &[], &exclusion.title).raw(" ");
                    page.words("span", &[("class", "id")], &exclusion.service);
                    for reason in &exclusion.reasons {
                        page.element("div", &[("class", "example")], |page| one_reason(page, reason));
                    }
                });
            }
        });
    });
}

fn findings(page: &mut Page, heading: &str, findings: &[Finding]) {
    if !findings.is_empty() {
        parts::block(page, heading, None, |page| list_of_findings(page, findings));
    }
}

/// Findings, the worst first, each with its severity in words and in its shape.
pub(super) fn list_of_findings(page: &mut Page, findings: &[Finding]) {
    page.element("ul", &[("class", "findings")], |page| {
        for finding in wording::by_severity(findings) {
            let class = match finding.severity {
                Severity::Note => "note",
                Severity::Warning => "warning",
                Severity::Blocking => "blocking",
            };
            page.element("li", &[("class", class)], |page| {
                page.words("span", &[("class", "severity")], figures::severity(finding.severity)).raw(" ");
                page.text(&finding.text).raw(" ").words("span", &[("class", "id")], &finding.id);
                if !finding.remedy.is_empty() {
                    page.words("div", &[("class", "example")], format!("What can be done: {}", finding.remedy));
                }
            });
        }
    });
}
