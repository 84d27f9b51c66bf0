//! Where it could go, and where it cannot.

use super::sheet::{Column, Sheet};
use crate::{figures, visible, wording};
use plan::{Candidate, Finding, Recommendation, SystemAdvice};

/// Writes the advice for every system.
pub(super) fn write(sheet: &mut Sheet, recommendation: &Recommendation) {
    for advice in &recommendation.systems {
        system(sheet, recommendation, advice);
    }
}

fn system(sheet: &mut Sheet, recommendation: &Recommendation, advice: &SystemAdvice) {
    sheet.title(&format!("Targets for {}", visible::text(&advice.location.to_string())));
    if advice.ranking.is_empty() {
        sheet.paragraph("No target of the catalog fits as it is. The exclusions say why.");
    } else {
        ranking(sheet, recommendation, &advice.ranking);
    }
    if let Some(first) = advice.ranking.first() {
        sheet.heading(&format!("Why {} comes first", visible::text(&first.title)));
        for reason in &first.reasons {
            sheet.item(&format!("{:>+4}", reason.points), &wording::reason(reason));
        }
        sheet.item("    ", &format!("sized for {}", wording::sizing(first)));
        write_cost(sheet, first);
    }
    if !advice.excluded.is_empty() {
        sheet.heading("Excluded");
        for exclusion in &advice.excluded {
            sheet.item("-", &wording::exclusion(exclusion));
        }
    }
    findings(sheet, advice);
}

fn ranking(sheet: &mut Sheet, recommendation: &Recommendation, ranking: &[Candidate]) {
    sheet.table(
        &[
            Column::Figure("#"),
            Column::Text("target"),
            Column::Figure("USD/month"),
            Column::Figure("USD once"),
            Column::Figure("points"),
        ],
        ranking.iter().enumerate().map(|(index, candidate)| {
            let doubt = if candidate.cost.has_unverified { "*" } else { "" };
            vec![
                format!("{}", index + 1),
                format!("{} ({})", visible::text(&candidate.title), visible::text(&candidate.service.0)),
                format!("{}{doubt}", figures::amount(candidate.cost.total_usd)),
                figures::amount(candidate.transfer_usd),
                format!("{:+}", candidate.points),
            ]
        }),
    );
    sheet.paragraph(&format!(
        "USD, {}, prices as of {} or later, estimated for 730 hours a month; \"once\" is what moving the data there costs.",
        visible::text(&recommendation.region),
        visible::text(&recommendation.catalog_as_of)
    ));
    if ranking.iter().any(|candidate| candidate.cost.has_unverified) {
        sheet.paragraph("* with a price that is not from a price list");
    }
}

/// The monthly cost of a candidate by component, and where the prices are from.
pub(super) fn write_cost(sheet: &mut Sheet, candidate: &Candidate) {
    let cost = &candidate.cost;
    sheet.heading(&format!("{}: {}", visible::text(&candidate.title), figures::monthly(cost)));
    let total = vec!["total".to_owned(), String::new(), String::new(), figures::amount(cost.total_usd)];
    sheet.table(
        &[Column::Text("what"), Column::Figure("quantity"), Column::Figure("USD each"), Column::Figure("USD/month")],
        cost.lines
            .iter()
            .map(|line| {
                vec![
                    visible::text(&line.what),
                    format!("{} {}", figures::quantity(line.quantity), visible::text(&line.unit)),
                    figures::unit_price(line.unit_usd),
                    figures::amount(line.usd),
                ]
            })
            .chain([total]),
    );
    let mut sources: Vec<_> = cost.lines.iter().map(|line| visible::text(&line.source)).collect();
    sources.sort();
    sources.dedup();
    for source in sources.iter().filter(|source| !source.is_empty()) {
        sheet.item("price:", source);
    }
}

fn findings(sheet: &mut Sheet, advice: &SystemAdvice) {
    let first = advice.ranking.first();
    let own = first.map(|candidate| candidate.findings.as_slice()).unwrap_or_default();
    if advice.findings.is_empty() && own.is_empty() {
        return;
    }
    sheet.heading("Findings");
    for finding in wording::by_severity(&advice.findings) {
        self::finding(sheet, finding, "");
    }
    if let Some(first) = first {
        for finding in wording::by_severity(own) {
            self::finding(sheet, finding, &format!("{}: ", visible::text(&first.title)));
        }
    }
}

fn finding(sheet: &mut Sheet, finding: &Finding, about: &str) {
    let remedy = if finding.remedy.is_empty() {
        String::new()
    } else {
        format!(" What can be done: {}", visible::text(&finding.remedy))
    };
    sheet.item(
        &format!("{:8}", figures::severity(finding.severity)),
        &format!("{about}{} [{}]{remedy}", visible::text(&finding.text), visible::text(&finding.id)),
    );
}
