//! A page under construction, in which only text that this crate wrote itself can become markup.

use crate::visible;
use std::fmt::{Display, Write as _};

/// HTML that grows. Markup is `&'static str`; everything else goes in through [`Page::text`] or as the
/// value of an attribute and is escaped there.
#[derive(Default)]
pub(super) struct Page {
    out: String,
}

/// Attributes: the names are ours, the values may come from anywhere.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

impl Page {
    /// The HTML.
    pub(super) fn finish(self) -> String {
        self.out
    }

    /// Markup, as it stands in the source of this crate.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.out.push_str(markup);
        self
    }

    /// Text from anywhere: control and reordering characters made visible, markup escaped.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        escape(&mut self.out, &visible::text(&text.to_string()));
        self
    }

    /// An element with content.
    pub(super) fn element(
        &mut self,
        name: &'static str,
        attributes: Attributes<'_>,
        content: impl FnOnce(&mut Self),
    ) -> &mut Self {
        self.start(name, attributes, ">");
        content(self);
        write!(self.out, "</{name}>").expect("writing to a String cannot fail");
        if is_block(name) {
            self.out.push('\n');
        }
        self
    }

    /// An element that holds one text.
    pub(super) fn words(&mut self, name: &'static str, attributes: Attributes<'_>, text: impl Display) -> &mut Self {
        self.element(name, attributes, |page| {
            page.text(text);
        })
    }

    /// An element without content.
    pub(super) fn empty(&mut self, name: &'static str, attributes: Attributes<'_>) -> &mut Self {
        self.start(name, attributes, "/>");
        self
    }

    /// A path or a location: left to right whatever its letters, wrapping anywhere, blanks kept.
    pub(super) fn path(&mut self, text: impl Display) -> &mut Self {
        self.words("code", &[("dir", "ltr")], text)
    }

    fn start(&mut self, name: &'static str, attributes: Attributes<'_>, end: &'static str) {
        self.out.push('<');
        self.out.push_str(name);
        for (key, value) in attributes {
            write!(self.out, " {key}=\"").expect("writing to a String cannot fail");
            escape(&mut self.out, &visible::text(value));
            self.out.push('"');
        }
        self.out.push_str(end);
    }
}

/// Elements that get a line of their own in the source, so that a report can be read and compared as text.
fn is_block(name: &str) -> bool {
    matches!(
        name,
        "div"
            | "p"
            | "section"
            | "header"
            | "footer"
            | "nav"
            | "table"
            | "thead"
            | "tbody"
            | "tfoot"
            | "tr"
            | "caption"
            | "ul"
            | "ol"
            | "li"
            | "dl"
            | "dt"
            | "dd"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "figure"
            | "figcaption"
            | "svg"
            | "details"
            | "summary"
            | "main"
    )
}

fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_element_or_its_attribute() {
        let mut page = Page::default();
        page.words("p", &[("title", "\"><script>")], "<script>'&\u{202e}");
        assert_eq!(
            page.finish(),
            "<p title=\"&quot;&gt;&lt;script&gt;\">&lt;script&gt;&#39;&amp;\\xE2\\x80\\xAE</p>\n"
        );
    }
}
