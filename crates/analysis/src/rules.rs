//! All rules, by subject. Limits and prices lie in the catalog; the text of a reason lies beside its rule.

mod access;
mod cold;
mod floors;
mod limits;
mod metadata;
mod names;
mod protocol;
mod small;

use crate::Rule;

pub(crate) use names::ESCAPE;

/// Every rule, in the order in which reasons are told. The order changes no decision.
pub fn all() -> Vec<&'static dyn Rule> {
    fn dynamic<R: Rule>(rules: &'static [R]) -> impl Iterator<Item = &'static dyn Rule> {
        rules.iter().map(|rule| -> &'static dyn Rule { rule })
    }
    dynamic(access::RULES)
        .chain(dynamic(protocol::RULES))
        .chain(dynamic(metadata::RULES))
        .chain(dynamic(limits::RULES))
        .chain(dynamic(names::RULES))
        .chain(dynamic(floors::RULES))
        .chain(dynamic(cold::RULES))
        .chain(dynamic(small::RULES))
        .collect()
}

#[cfg(test)]
mod tests;
