//! Headings, paragraphs, list items and tables, each separated from what stands before it.

use crate::{figures, visible};

/// What the last block was; list items follow each other without an empty line.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Nothing,
    Item,
    Other,
}

/// Markdown that grows. What it is given is Markdown already: see [`prose`] and [`code`].
#[derive(Default)]
pub(super) struct Document {
    out: String,
    last: Last,
}

impl Document {
    /// The Markdown.
    pub(super) fn finish(self) -> String {
        self.out
    }

    /// A heading of a level from 1.
    pub(super) fn heading(&mut self, level: usize, text: &str) {
        self.block(&format!("{} {text}", "#".repeat(level)));
    }

    /// A paragraph.
    pub(super) fn paragraph(&mut self, text: &str) {
        self.block(text);
    }

    /// An item of a list.
    pub(super) fn item(&mut self, text: &str) {
        if self.last == Last::Other {
            self.out.push('\n');
        }
        self.out.push_str("- ");
        self.out.push_str(text);
        self.out.push('\n');
        self.last = Last::Item;
    }

    /// Says what a list left out.
    pub(super) fn more(&mut self, all: u64, shown: usize, place: &str) {
        let hidden = all.saturating_sub(u64::try_from(shown).unwrap_or(u64::MAX));
        if hidden > 0 {
            self.item(&format!("and {} more, {place}", figures::count(hidden)));
        }
    }

    /// A table under its caption; nothing at all where there is no row. A heading that ends in `:` stands
    /// over figures, which are aligned to the right.
    pub(super) fn table<const N: usize>(
        &mut self,
        caption: &str,
        headings: [&str; N],
        rows: impl Iterator<Item = [String; N]>,
    ) {
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            return;
        }
        self.heading(3, caption);
        let names = headings.map(|heading| heading.trim_end_matches(':'));
        let rules = headings.map(|heading| if heading.ends_with(':') { "---:" } else { "---" });
        let mut lines = vec![format!("| {} |", names.join(" | ")), format!("| {} |", rules.join(" | "))];
        lines.extend(rows.map(|row| format!("| {} |", row.join(" | "))));
        self.block(&lines.join("\n"));
    }

    fn block(&mut self, text: &str) {
        if self.last != Last::Nothing {
            self.out.push('\n');
        }
        self.out.push_str(text);
        self.out.push('\n');
        self.last = Last::Other;
    }
}

/// Text from outside, so escaped that it stays text.
pub(super) fn prose(raw: &str) -> String {
    let text = visible::text(raw);
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        // `://` and `www.` would become links by themselves.
        let links = (c == ':' && text[at..].starts_with("://")) || (c == '.' && text[..at].ends_with("www"));
        if links || r"\`*_[]<>|~&#!@$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A path, a location or an identifier as a code span, also within a table.
pub(super) fn code(raw: &str) -> String {
    let text = visible::text(raw).replace('|', "\\|");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') || text.starts_with(' ') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_text() {
        assert_eq!(prose("<b>*x* [a](https://e.vil) | y"), r"\<b\>\*x\* \[a\](https\://e.vil) \| y");
        assert_eq!(prose("www.e.vil"), r"www\.e.vil");
        assert_eq!(code("a`b``c|d"), "```a`b``c\\|d```");
        assert_eq!(code("`a`"), "`` `a` ``");
    }
}
