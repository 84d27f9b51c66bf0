//! Hard limits of a service against the largest of everything.

use crate::Facts;
use crate::rule::{Case, Rule, Verdict, cite};
use catalog::{Figure, Limits};
use model::{ByteSize, human_count};
use plan::{Finding, Reason, Severity};

/// A rule that compares one fact with one limit of the catalog; services without the limit pass.
pub(super) struct Limit {
    id: &'static str,
    /// Reads after a count of nothing: "the largest file has".
    what: &'static str,
    unit: Unit,
    fact: fn(&Facts) -> u64,
    most: fn(&Limits) -> Option<&Figure<u64>>,
    effect: Effect,
}

enum Unit {
    /// A size of data.
    Data,
    /// A count of something, named.
    Count(&'static str),
}

enum Effect {
    /// The data as a whole cannot live there.
    Exclude,
    /// Some of it cannot, or only after something is done.
    Find(Severity, &'static str),
}

const SHORTEN: &str = "move deep directories up or shorten names first; such items fail and are listed";

pub(super) const RULES: &[Limit] = &[
    Limit {
        id: "limits/file-size",
        what: "the largest file has",
        unit: Unit::Data,
        fact: |f| f.largest_bytes,
        most: |l| l.max_file_bytes.as_ref(),
        effect: Effect::Exclude,
    },
    Limit {
        id: "limits/default-file-size",
        what: "the largest file has",
        unit: Unit::Data,
        fact: |f| f.largest_bytes,
        most: |l| l.max_default_file_bytes.as_ref(),
        effect: Effect::Find(Severity::Warning, "switch on support for large files on the volume"),
    },
    Limit {
        id: "limits/hard-links",
        what: "one file has",
        unit: Unit::Count("names (hard links)"),
        fact: |f| f.max_links,
        most: |l| l.max_hard_links.as_ref(),
        effect: Effect::Exclude,
    },
    Limit {
        id: "limits/depth",
        what: "the deepest path has",
        unit: Unit::Count("components"),
        fact: |f| f.max_depth,
        most: |l| l.max_depth.as_ref(),
        effect: Effect::Exclude,
    },
    Limit {
        id: "limits/path-length",
        what: "the longest path has",
        unit: Unit::Count("bytes"),
        fact: |f| f.longest_path_bytes,
        most: |l| l.max_path_bytes.as_ref(),
        effect: Effect::Find(Severity::Blocking, SHORTEN),
    },
    Limit {
        id: "limits/name-length",
        what: "the longest name has",
        unit: Unit::Count("bytes"),
        fact: |f| f.longest_component_bytes,
        most: |l| l.max_name_bytes.as_ref(),
        effect: Effect::Find(Severity::Blocking, SHORTEN),
    },
    Limit {
        id: "limits/link-target",
        what: "the longest target of a symbolic link has",
        unit: Unit::Count("bytes"),
        fact: |f| f.longest_link_target_bytes,
        most: |l| l.max_link_target_bytes.as_ref(),
        effect: Effect::Find(Severity::Blocking, "make such links anew with a shorter target"),
    },
    Limit {
        id: "limits/inodes",
        what: "the volume needs inodes for",
        unit: Unit::Count("entries"),
        fact: |f| f.files + f.dirs + f.symlinks + f.specials,
        most: |l| l.default_inodes.as_ref(),
        effect: Effect::Find(Severity::Warning, "raise the number of files of the volume before the move"),
    },
];

impl Rule for Limit {
    fn id(&self) -> &'static str {
        self.id
    }
    fn judge(&self, case: &Case<'_>) -> Verdict {
        let Some(limit) = (self.most)(&case.service.limits) else { return Verdict::Silent };
        let has = (self.fact)(case.facts);
        if has <= limit.value {
            return Verdict::Silent;
        }
        let told = |n: u64| match self.unit {
            Unit::Data => ByteSize(n).to_string(),
            Unit::Count(of) => format!("{} {of}", human_count(n)),
        };
        let mut text = format!("{} {}, {} takes {}", self.what, told(has), case.service.title, told(limit.value));
        let longer = case.facts.over_1024_bytes;
        if self.id == "limits/path-length" && limit.value == 1024 && longer > 0 {
            text = format!("{text}; {} paths are longer", human_count(longer));
        }
        match self.effect {
            Effect::Exclude => Verdict::Exclude(Reason {
                rule: self.id.to_owned(),
                text,
                points: 0,
                facts: cite(self.what, told(has)),
            }),
            Effect::Find(severity, remedy) => {
                Verdict::Find(Finding { id: self.id.to_owned(), severity, text, remedy: remedy.to_owned() })
            }
        }
    }
}
