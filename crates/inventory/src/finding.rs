//! What was found that somebody should know of, and counts that were got in a second way.

use crate::Counts;
use model::{RelPath, human_count};
use serde::{Deserialize, Serialize};

/// Paths that one finding names at most.
pub const MOST_EXAMPLES: usize = 20;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Good to know.
    Note,
    /// Something is missing from the inventory, or would be lost or changed by a move, unless it is looked at.
    Warning,
}

impl Weight {
    /// `note` or `warning`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
        }
    }
}

/// Something about a system that matters to whoever moves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// A stable word in kebab case: `hidden-entries`, `offline-files`, ….
    pub kind: String,
    /// How much it matters.
    pub weight: Weight,
    /// How many entries (or directories, or groups) it is about; 0 where it is about the system as such.
    pub count: u64,
    /// Logical bytes of the files among them, where that says something.
    pub size_bytes: Option<u64>,
    /// A sentence or two: what it means, and what to do.
    pub detail: String,
    /// A few of the paths, at most [`MOST_EXAMPLES`]; those that sort first.
    pub examples: Vec<RelPath>,
}

impl Finding {
    /// Of the system as such: nothing counted, no examples.
    pub fn new(kind: &str, weight: Weight, detail: impl Into<String>) -> Self {
        let (kind, detail) = (kind.to_owned(), detail.into());
        Self { kind, weight, count: 0, size_bytes: None, detail, examples: Vec::new() }
    }

    /// How many it is about.
    #[must_use]
    pub fn counted(mut self, count: u64) -> Self {
        self.count = count;
        self
    }
    /// How many bytes it is about.
    #[must_use]
    pub fn sized(mut self, size_bytes: u64) -> Self {
        self.size_bytes = Some(size_bytes);
        self
    }
    /// Names paths; beyond [`MOST_EXAMPLES`] they are left out.
    #[must_use]
    pub fn with_examples(mut self, examples: impl IntoIterator<Item = RelPath>) -> Self {
        self.examples = examples.into_iter().take(MOST_EXAMPLES).collect();
        self
    }
}

/// The most important first, then by kind.
pub(crate) fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| (b.weight, &a.kind, b.count).cmp(&(a.weight, &b.kind, a.count)));
}

/// What a server, or another way of counting, says of the same location.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SecondCount {
    /// How it was counted: `getContentSummary`, `link counts`, ….
    pub method: String,
    /// Names of regular files.
    pub files: Option<u64>,
    /// Directories, the root not counted.
    pub dirs: Option<u64>,
    /// Logical bytes of the files, each name counted.
    pub size_bytes: Option<u64>,
}

/// A second count beside what the walk found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparedCount {
    /// The second count.
    #[serde(flatten)]
    pub count: SecondCount,
    /// Is every figure that it has the walk's?
    pub agrees: bool,
    /// Where they differ, in words; empty where they agree.
    pub difference: String,
}

impl SecondCount {
    /// Compares with what the walk found.
    pub fn compared(self, found: &Counts) -> ComparedCount {
        let mut words = Vec::new();
        let mut compare = |what: &str, theirs: Option<u64>, ours: u64| {
            let Some(theirs) = theirs.filter(|theirs| *theirs != ours) else { return };
            let (by, way) = if theirs > ours { (theirs - ours, "more") } else { (ours - theirs, "fewer") };
            let by = human_count(by);
            words.push(format!("{by} {what} {way} than the walk found ({theirs} against {ours})"));
        };
        compare("files", self.files, found.files);
        compare("directories", self.dirs, found.dirs);
        compare("bytes", self.size_bytes, found.size_bytes);
        ComparedCount { agrees: words.is_empty(), difference: words.join("; "), count: self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_count_agrees_or_says_where_not() {
        let found = Counts { files: 10, dirs: 3, size_bytes: 100, ..Counts::default() };
        let same = SecondCount { files: Some(10), dirs: None, size_bytes: Some(100), method: "x".into() };
        let compared = same.clone().compared(&found);
        assert_eq!((compared.agrees, compared.difference.as_str(), &compared.count), (true, "", &same));
        let other = SecondCount { files: Some(12), dirs: Some(2), ..same };
        let compared = other.compared(&found);
        assert!(!compared.agrees);
        assert_eq!(
            compared.difference,
            "2 files more than the walk found (12 against 10); 1 directories fewer than the walk found (2 against 3)"
        );
        let json = serde_json::to_value(&compared).unwrap();
        assert_eq!((json["method"].as_str(), json["agrees"].as_bool()), (Some("x"), Some(false)));
        assert_eq!(serde_json::from_value::<ComparedCount>(json).unwrap(), compared);
    }

    #[test]
    fn findings_are_sorted_with_warnings_first() {
        let mut findings = [
            Finding::new("b", Weight::Note, ""),
            Finding::new("z", Weight::Warning, ""),
            Finding::new("a", Weight::Note, "").with_examples((0..99).map(|_| "x".into())),
        ];
        sort(&mut findings);
        assert_eq!(findings.each_ref().map(|finding| finding.kind.as_str()), ["z", "a", "b"]);
        assert_eq!(findings[1].examples.len(), MOST_EXAMPLES);
        assert_eq!(serde_json::to_string(&Weight::Warning).unwrap(), "\"warning\"");
    }
}
