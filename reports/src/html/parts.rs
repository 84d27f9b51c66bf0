//! The parts that pages are made of: blocks, facts, tables with bars.

use super::markup::Page;
use crate::figures::Share;

/// A heading and what belongs to it.
pub(super) fn block(page: &mut Page, heading: &str, how: Option<&str>, content: impl FnOnce(&mut Page)) {
    page.element("div", &[("class", "block")], |page| {
        page.element("h3", &[], |page| {
            page.text(heading);
            provenance(page, how);
        });
        content(page);
    });
}

/// How the figures nearby were got: measured, reported or estimated.
pub(super) fn provenance(page: &mut Page, how: Option<&str>) {
    if let Some(how) = how {
        page.raw(" ").words("span", &[("class", "how")], how);
    }
}

/// Labels and what they stand for.
pub(super) struct Facts<'a> {
    page: &'a mut Page,
}

/// A list of facts; empty labels are not written.
pub(super) fn facts(page: &mut Page, content: impl FnOnce(&mut Facts<'_>)) {
    page.element("dl", &[("class", "facts")], |page| content(&mut Facts { page }));
}

impl Facts<'_> {
    /// A fact in words.
    pub(super) fn words(&mut self, label: &str, text: &str) {
        self.page.words("dt", &[], label).words("dd", &[], text);
    }
    /// A fact that is a path, a location or another name that somebody may copy.
    pub(super) fn path(&mut self, label: &str, text: &str) {
        self.page.words("dt", &[], label).element("dd", &[], |page| {
            page.path(text);
        });
    }
}

/// What a row of a table is called.
pub(super) enum Label {
    /// In words.
    Words(String),
    /// A path.
    Path(String),
}

impl Label {
    /// Writes it.
    pub(super) fn write(&self, page: &mut Page) {
        match self {
            Self::Words(text) => page.text(text),
            Self::Path(text) => page.path(text),
        };
    }
}

/// A figure and how long its bar is.
pub(super) struct Figure {
    /// As it reads.
    pub text: String,
    /// Part of the largest figure in its column.
    pub share: Share,
}

/// A table whose figures are bars as well: legible as a table, and at a glance.
pub(super) struct Distribution<'a> {
    /// Heading of the table.
    pub caption: &'a str,
    /// How its figures were got.
    pub how: &'a str,
    /// Heading of the labels.
    pub label: &'static str,
    /// Headings of the figures.
    pub columns: &'a [&'static str],
    /// Labels and figures, one figure for each column.
    pub rows: Vec<(Label, Vec<Figure>)>,
    /// What was left out, in words.
    pub rest: Option<String>,
}

impl Distribution<'_> {
    /// Writes the table.
    pub(super) fn write(&self, page: &mut Page) {
        page.element("div", &[("class", "panel")], |page| {
            let paths = self.rows.iter().any(|row| matches!(row.0, Label::Path(_)));
            // On a narrow screen a path takes the whole width and its figures stand below it. The roles keep it a
            // table for a screen reader, whatever the style makes of the rows.
            let class = if paths { "bars paths" } else { "bars" };
            page.element("table", &[("class", class), ("role", "table")], |page| {
                page.element("caption", &[], |page| {
                    page.text(self.caption);
                    provenance(page, Some(self.how));
                });
                page.element("thead", &[("role", "rowgroup")], |page| {
                    page.element("tr", &[("role", "row")], |page| {
                        page.words("th", &[("scope", "col"), ("role", "columnheader")], self.label);
                        for column in self.columns {
                            page.words("th", &[("scope", "col"), ("role", "columnheader"), ("class", "n")], column);
                        }
                    });
                });
                page.element("tbody", &[("role", "rowgroup")], |page| {
                    self.rows.iter().for_each(|row| bar_row(page, row));
                });
            });
            if let Some(rest) = &self.rest {
                page.words("p", &[("class", "rest")], rest);
            }
        });
    }
}

fn bar_row(page: &mut Page, (label, figures): &(Label, Vec<Figure>)) {
    page.element("tr", &[("role", "row")], |page| {
        page.element("th", &[("scope", "row"), ("role", "rowheader")], |page| label.write(page));
        for figure in figures {
            page.element("td", &[("class", "n"), ("role", "cell")], |page| {
                page.text(&figure.text);
                bar(page, figure.share);
            });
        }
    });
}

/// A thin bar; the figure that it repeats stands beside it, so it is hidden from screen readers.
pub(super) fn bar(page: &mut Page, share: Share) {
    page.element("svg", &[("class", "bar"), ("width", "100%"), ("height", "5"), ("aria-hidden", "true")], |page| {
        page.empty("rect", &[("class", "track"), ("width", "100%"), ("height", "5")]);
        page.empty("rect", &[("class", "fill"), ("width", &share.bar()), ("height", "5")]);
    });
}

/// A cell of a plain table.
pub(super) enum Cell {
    /// Names the row.
    Row(Label),
    /// In words.
    Words(String),
    /// A figure: to the right, never broken.
    Number(String),
}

/// A column heading of a plain table: the words, and whether figures stand under it.
pub(super) type Heading = (&'static str, bool);

/// A table that may be wider than a phone: it scrolls in its own box, which can have the focus. Its caption
/// stands above the box and does not scroll away.
pub(super) struct Table<'a> {
    /// What it lists.
    pub caption: &'a str,
    /// Headings of the columns.
    pub headings: &'a [Heading],
    /// The rows, each as long as the headings.
    pub rows: Vec<Vec<Cell>>,
    /// The row that sums up.
    pub total: Option<Vec<Cell>>,
}

impl Table<'_> {
    /// Writes the table.
    pub(super) fn write(&self, page: &mut Page) {
        page.words("p", &[("class", "caption")], self.caption);
        scroller(page, self.caption, |page| {
            page.element("table", &[("class", "plain"), ("aria-label", self.caption)], |page| {
                page.element("thead", &[], |page| {
                    page.element("tr", &[], |page| {
                        for (words, figures) in self.headings {
                            let class = if *figures { "n" } else { "w" };
                            page.words("th", &[("scope", "col"), ("class", class)], words);
                        }
                    });
                });
                page.element("tbody", &[], |page| self.rows.iter().for_each(|row| plain_row(page, row)));
                if let Some(total) = &self.total {
                    page.element("tfoot", &[], |page| plain_row(page, total));
                }
            });
        });
    }
}

/// A box that scrolls sideways when what is in it is wider than the page.
pub(super) fn scroller(page: &mut Page, name: &str, content: impl FnOnce(&mut Page)) {
    let region = [("class", "scroll"), ("role", "region"), ("tabindex", "0"), ("aria-label", name)];
    page.element("div", &region, content);
}

fn plain_row(page: &mut Page, row: &[Cell]) {
    page.element("tr", &[], |page| row.iter().for_each(|cell| plain_cell(page, cell)));
}

fn plain_cell(page: &mut Page, cell: &Cell) {
    match cell {
        Cell::Row(label) => page.element("th", &[("scope", "row")], |page| label.write(page)),
        Cell::Words(text) => page.words("td", &[], text),
        Cell::Number(text) => page.words("td", &[("class", "n")], text),
    };
}
