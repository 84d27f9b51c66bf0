//! From advice to a plan: the best candidate of each system, or the one that was chosen.

use crate::recommend::unknown;
use crate::rules::ESCAPE;
use crate::{Error, Protocol};
use model::{Location, RelPath};
use plan::{Candidate, Exclusion, Move, NamePolicy, PLACEHOLDER, PLAN_SCHEMA, Plan, Recommendation, SystemAdvice};
use std::collections::BTreeMap;

/// The key of `to` that holds for every system without one of its own.
const DEFAULT: &str = "default";
/// Longest name of a move that is made up here.
const LONGEST_NAME: usize = 60;

/// A plan with one move for each system.
///
/// `choose` is a service (`s3`) or a class (`s3/standard`); without it each system gets its best candidate.
/// `to` says where: by the location of a system as text, or `default` for all (below it, by name, where there
/// are several systems). Without either a placeholder is written that must be filled in.
///
/// Errors: `Excluded` with the reasons when the choice does not fit a system, `NothingFits`,
/// `UnknownService`, and `Plan` when the result would not make sense (a target inside its source).
pub fn to_plan(
    recommendation: &Recommendation,
    choose: Option<&str>,
    to: &BTreeMap<String, Location>,
) -> Result<Plan, Error> {
    let mut moves: Vec<Move> = Vec::with_capacity(recommendation.systems.len());
    let several = recommendation.systems.len() > 1;
    for system in &recommendation.systems {
        let candidate = pick(system, choose)?;
        let taken = |name: &str| moves.iter().any(|m| m.name.eq_ignore_ascii_case(name));
        let name = free_name(&slug(&system.location), taken);
        let target = match (to.get(&system.location.to_string()), to.get(DEFAULT)) {
            (Some(own), _) => own.clone(),
            (None, Some(all)) if several => all.clone().below(&RelPath::from(name.as_str())),
            (None, Some(all)) => all.clone(),
            (None, None) => placeholder(candidate, system, &name),
        };
        let mut one = Move::new(&name, system.location.clone(), target);
        one.service = candidate.service.clone();
        one.configuration = candidate.configuration.clone();
        // Storage classes are AWS's own; a compatible store behind another endpoint refuses most of them.
        if one.to.param("endpoint").is_some_and(|endpoint| !endpoint.contains("amazonaws.com")) {
            one.configuration.remove("StorageClass");
        }
        if candidate.findings.iter().any(|f| f.id == ESCAPE) {
            one.names = NamePolicy::Escape;
        }
        moves.push(one);
    }
    let plan = Plan {
        schema: PLAN_SCHEMA.to_owned(),
        inventory_sha256: recommendation.inventory_sha256.clone(),
        catalog_as_of: recommendation.catalog_as_of.clone(),
        moves,
    };
    plan.check()?;
    Ok(plan)
}

/// The best candidate, of those that were chosen.
fn pick<'a>(system: &'a SystemAdvice, choose: Option<&str>) -> Result<&'a Candidate, Error> {
    let location = || system.location.to_string();
    let Some(choice) = choose else {
        return system.ranking.first().ok_or_else(|| Error::NothingFits { location: location() });
    };
    let is_choice = |id: &plan::ServiceId| id.0 == choice || id.family() == choice;
    if let Some(best) = system.ranking.iter().find(|c| is_choice(&c.service)) {
        return Ok(best);
    }
    let excluded: Vec<&Exclusion> = system.excluded.iter().filter(|e| is_choice(&e.service)).collect();
    if excluded.is_empty() {
        let ids = system.ranking.iter().map(|c| &c.service).chain(system.excluded.iter().map(|e| &e.service));
        let mut families: Vec<String> = ids.clone().map(|id| id.family().to_owned()).collect();
        families.sort_unstable();
        families.dedup();
        let all: Vec<String> = families.iter().cloned().chain(ids.map(|id| id.0.clone())).collect();
        return Err(unknown(choice, &all, families));
    }
    let mut reasons = Vec::new();
    for reason in excluded.iter().flat_map(|e| &e.reasons) {
        if !reasons.contains(reason) {
            reasons.push(reason.clone());
        }
    }
    Err(Error::Excluded { service: choice.to_owned(), location: location(), reasons })
}

/// What a person must fill in. S3 and mounted file systems can be written by this version; a share with NTFS
/// access control lists can not, and its placeholder says so by its scheme.
fn placeholder(candidate: &Candidate, system: &SystemAdvice, name: &str) -> Location {
    let below = RelPath::from(name);
    let smb = Protocol::from_word(system.location.scheme()) == Protocol::Smb;
    match candidate.service.family() {
        "s3" => Location::new("s3", &format!("{PLACEHOLDER}-BUCKET"), "").below(&below),
        "fsx-windows" => Location::new("smb", &format!("{PLACEHOLDER}-DNS-NAME"), "/share").below(&below),
        "fsx-ontap" if smb => Location::new("smb", &format!("{PLACEHOLDER}-DNS-NAME"), "/share").below(&below),
        _ => Location::file(format!("/{PLACEHOLDER}-MOUNT-POINT").as_bytes()).below(&below),
    }
}

/// Letters, digits and `-` out of the host and the last directories of a location.
fn slug(location: &Location) -> String {
    let prefix = location.prefix();
    let path = prefix.to_string();
    let text = format!("{}-{path}", location.host());
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    // The end of a path tells more than its beginning. Only ASCII is left, so every index is a boundary.
    let start = out.len().saturating_sub(LONGEST_NAME);
    let name = out[start..].trim_matches('-');
    if name.is_empty() { "data".to_owned() } else { name.to_owned() }
}

fn free_name(wanted: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|n| format!("{wanted}-{n}"));
    let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
    names.find(|name| !taken(name)).expect("there are more numbers than moves")
}

#[cfg(test)]
mod tests;
