//! A page of text of a given width: titles, paragraphs, label and value, tables, list items.

use comfy_table::{
    Cell, CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Row, Table, TableStyle, Width, presets,
};

/// Columns where nobody said how many.
const USUAL_WIDTH: u16 = 80;
/// Below this a table cannot be laid out in a way that is of use to anybody.
const LEAST_WIDTH: u16 = 40;
/// Columns that a text gets at least.
const LEAST_TEXT: u16 = 16;
/// A rule under the header and nothing else: what remains when it is pasted into a ticket is still a table.
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A column of a table.
#[derive(Clone, Copy)]
pub(super) enum Column {
    /// Text; takes the room that is left, and wraps.
    Text(&'static str),
    /// A figure or a word that must not be broken.
    Figure(&'static str),
    /// A bar or a word, at the left of its column, that must not be broken.
    Fixed(&'static str),
}

/// Is there room for every figure in one line beside the least that each text needs?
fn fits(contents: &[u16], columns: &[Column], width: u16) -> bool {
    let needed = contents.iter().zip(columns).map(|(content, column)| match column {
        // A blank on both sides, and one for the rule between columns that is not drawn.
        Column::Text(_) => (*content).min(LEAST_TEXT).saturating_add(3),
        Column::Figure(_) | Column::Fixed(_) => content.saturating_add(3),
    });
    needed.fold(0, u16::saturating_add).saturating_sub(2) <= width
}

/// Text that grows downwards.
pub(super) struct Sheet {
    out: String,
    width: u16,
}

impl Sheet {
    /// An empty sheet; `None` is 80 columns.
    pub(super) fn new(width: Option<u16>) -> Self {
        Self { out: String::new(), width: width.unwrap_or(USUAL_WIDTH).max(LEAST_WIDTH) }
    }

    /// The text, ending in one line break.
    pub(super) fn finish(self) -> String {
        let mut out = self.out.trim_start_matches('\n').to_owned();
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        out
    }

    /// The largest heading, underlined. Not wrapped: a location in it can be copied.
    pub(super) fn title(&mut self, text: &str) {
        self.gap();
        self.line(text);
        self.line(&"━".repeat(text.chars().count().min(usize::from(self.width))));
    }

    /// A heading within a title.
    pub(super) fn heading(&mut self, text: &str) {
        self.gap();
        self.wrap(&[("", text)]);
    }

    /// Wrapped prose.
    pub(super) fn paragraph(&mut self, text: &str) {
        self.wrap(&[("", text)]);
    }

    /// A mark and wrapped text that hangs from it.
    pub(super) fn item(&mut self, mark: &str, text: &str) {
        self.wrap(&[(mark, text)]);
    }

    /// A name that somebody may want to copy: never wrapped.
    pub(super) fn verbatim(&mut self, text: &str) {
        self.line(text);
    }

    /// Labels and values in two columns; the values wrap.
    pub(super) fn pairs(&mut self, pairs: &[(&str, String)]) {
        let rows: Vec<(&str, &str)> = pairs.iter().map(|(label, value)| (*label, value.as_str())).collect();
        self.wrap(&rows);
    }

    /// A table under its header.
    pub(super) fn table(&mut self, columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) {
        let mut table = Table::new();
        table.load_style(RULED).force_no_tty().set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(self.width);
        table.set_header(columns.iter().map(|column| {
            let (Column::Text(name) | Column::Figure(name) | Column::Fixed(name)) = *column;
            Cell::new(name)
        }));
        for row in rows {
            table.add_row(Row::from(row));
        }
        let contents = table.column_max_content_widths();
        let keep_figures = fits(&contents, columns, self.width);
        for ((index, column), content) in columns.iter().enumerate().zip(contents) {
            let Some(laid_out) = table.column_mut(index) else { continue };
            let padding = if index == 0 { (0, 1) } else { (1, 1) };
            laid_out.set_padding(padding);
            let least = Width::Fixed(content.min(LEAST_TEXT).saturating_add(padding.0 + padding.1));
            match column {
                Column::Text(_) => laid_out.set_constraint(ColumnConstraint::LowerBoundary(least)),
                Column::Figure(_) => {
                    laid_out.set_cell_alignment(CellAlignment::Right);
                    if keep_figures {
                        laid_out.set_constraint(ColumnConstraint::ContentWidth);
                    }
                    laid_out
                }
                Column::Fixed(_) => laid_out.set_constraint(ColumnConstraint::ContentWidth),
            };
        }
        self.line(&table.trim_fmt());
    }

    /// Lines of a label that stays and a text that wraps beside it.
    fn wrap(&mut self, rows: &[(&str, &str)]) {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).force_no_tty().set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(self.width);
        let labelled = rows.iter().any(|(label, _)| !label.is_empty());
        for (label, text) in rows {
            table.add_row(if labelled { vec![*label, *text] } else { vec![*text] });
        }
        if let Some(first) = table.column_mut(0) {
            first.set_padding((0, 0));
            if labelled {
                first.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        if let Some(second) = table.column_mut(1) {
            second.set_padding((2, 0));
        }
        self.line(&table.trim_fmt());
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// One empty line before what comes next, unless the sheet is empty.
    fn gap(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }
}
