//! Pictures as SVG whose lengths are percentages: they follow the width of the page, and their text does not shrink.

use super::markup::Page;
use crate::figures::{self, Share};
use inventory::OperationLatency;

/// A picture with a name and a description for those who cannot see it, and a caption for everybody.
pub(super) struct Picture<'a> {
    /// Unique in the page.
    pub id: &'a str,
    /// What it shows.
    pub title: &'a str,
    /// What can be seen in it.
    pub description: &'a str,
    /// Height in CSS pixels.
    pub height: u32,
}

impl Picture<'_> {
    /// Writes the picture.
    pub(super) fn write(&self, page: &mut Page, content: impl FnOnce(&mut Page)) {
        let (title, description) = (format!("{}-title", self.id), format!("{}-description", self.id));
        let attributes = [
            ("class", "picture"),
            ("role", "img"),
            ("width", "100%"),
            ("height", &*self.height.to_string()),
            ("aria-labelledby", &*title),
            ("aria-describedby", &*description),
        ];
        page.element("svg", &attributes, |page| {
            page.words("title", &[("id", &*title)], self.title);
            page.words("desc", &[("id", &*description)], self.description);
            content(page);
        });
    }
}

/// One column of a column chart.
pub(super) struct Column {
    /// Its range, for the tooltip and for the axis.
    pub label: String,
    /// Written at the axis, at the left edge of the column.
    pub tick: Option<Tick>,
    /// Height of the part above the axis, and how it reads.
    pub above: (u64, String),
    /// Depth of the part below the axis, and how it reads; all columns have one, or none has.
    pub below: Option<(u64, String)>,
}

/// A label at the axis.
pub(super) struct Tick {
    text: String,
    /// Written to the left of the edge, because there is no room to its right.
    before: bool,
}

impl Tick {
    /// A label for the column at `index` of `columns`, if it is one of those that carry one: labels stay apart
    /// from each other and inside the picture down to 288 pixels, with texts of up to 46.
    pub(super) fn at(index: usize, columns: usize, text: String) -> Option<Self> {
        let step = match columns {
            0..=6 => 2,
            7..=12 => 3,
            13..=24 => 6,
            _ => 10,
        };
        let roomy = index * 100 <= columns * 80;
        // Only powers of 1,024 are this far apart; their texts are short enough to stand back to back.
        let before = !roomy && (25..=40).contains(&columns);
        (index.is_multiple_of(step) && (roomy || before)).then_some(Self { text, before })
    }
}

/// Height of the part above the axis, of the axis, and of the part below, in CSS pixels.
const ABOVE: u32 = 110;
const AXIS: u32 = 24;
const BELOW: u32 = 80;

/// Columns from left to right that share one axis.
pub(super) fn columns(page: &mut Page, id: &str, title: &str, description: &str, columns: &[Column]) {
    let number = u64::try_from(columns.len()).unwrap_or(u64::MAX);
    let has_below = columns.iter().any(|column| column.below.is_some());
    let most_above = columns.iter().map(|column| column.above.0).max().unwrap_or(0);
    let most_below = columns.iter().filter_map(|column| column.below.as_ref()).map(|below| below.0).max().unwrap_or(0);
    let height = ABOVE + AXIS + if has_below { BELOW } else { 0 };
    Picture { id, title, description, height }.write(page, |page| {
        let axis = ABOVE.to_string();
        page.empty("line", &[("class", "axis"), ("x1", "0"), ("x2", "100%"), ("y1", &axis), ("y2", &axis)]);
        for (index, column) in columns.iter().enumerate() {
            let at = u64::try_from(index).unwrap_or(u64::MAX);
            let (left, width) = (Share::of(at, number).css(), Share::of(1, number * 10 / 9 + 1).css());
            page.element("g", &[], |page| {
                let below = column.below.as_ref().map(|below| format!(", {}", below.1)).unwrap_or_default();
                page.words("title", &[], format!("{}: {}{below}", column.label, column.above.1));
                let tall = pixels(column.above.0, most_above, ABOVE - 4);
                let top = (ABOVE - tall).to_string();
                page.empty(
                    "rect",
                    &[("class", "fill"), ("x", &left), ("width", &width), ("y", &top), ("height", &tall.to_string())],
                );
                if let Some(below) = &column.below {
                    let deep = pixels(below.0, most_below, BELOW - 4).to_string();
                    let top = (ABOVE + AXIS).to_string();
                    page.empty(
                        "rect",
                        &[("class", "second"), ("x", &left), ("width", &width), ("y", &top), ("height", &deep)],
                    );
                }
            });
            if let Some(tick) = &column.tick {
                let (from, to) = (ABOVE.to_string(), (ABOVE + 5).to_string());
                page.empty("line", &[("class", "axis"), ("x1", &left), ("x2", &left), ("y1", &from), ("y2", &to)]);
                let base = (ABOVE + 17).to_string();
                let anchor = if tick.before { "end" } else { "start" };
                page.words("text", &[("x", &left), ("y", &base), ("text-anchor", anchor)], &tick.text);
            }
        }
    });
}

/// `part` of `most` in `of` pixels; what is not nothing has at least one.
fn pixels(part: u64, most: u64, of: u32) -> u32 {
    let exact = (u128::from(part) * u128::from(of)).checked_div(u128::from(most)).unwrap_or(0);
    u32::try_from(exact).unwrap_or(of).max(u32::from(part > 0))
}

/// Latency of each operation from the median to the 99th percentile, on one logarithmic axis.
pub(super) fn latency(page: &mut Page, id: &str, operations: &[OperationLatency]) {
    const ROW: u32 = 42;
    let times = operations.iter().flat_map(|op| [op.p50_us.max(1), op.p99_us.max(1)]);
    let (least, most) = (times.clone().min().unwrap_or(1), times.max().unwrap_or(1));
    let (from, to) = (least.ilog10(), most.ilog10() + 1);
    let rows = u32::try_from(operations.len()).unwrap_or(0);
    let described: Vec<_> = operations
        .iter()
        .map(|op| {
            let [p50, p95, p99] = [op.p50_us, op.p95_us, op.p99_us].map(figures::micros);
            format!("{}: p50 {p50}, p95 {p95}, p99 {p99}", op.op)
        })
        .collect();
    let picture = Picture {
        id,
        title: "Latency of each operation of the server",
        description: &described.join("; "),
        height: rows * ROW + 24,
    };
    picture.write(page, |page| {
        let bottom = (rows * ROW).to_string();
        let every = usize::from(to - from > 5) + 1;
        for power in (from..=to).step_by(every) {
            let at = position(10_u64.saturating_pow(power), from, to);
            page.empty("line", &[("class", "grid"), ("x1", &at), ("x2", &at), ("y1", "0"), ("y2", &bottom)]);
            if power < to {
                let base = (rows * ROW + 16).to_string();
                page.words("text", &[("x", &at), ("y", &base)], decade(power));
            }
        }
        let mut top = 0;
        for op in operations {
            page.words("text", &[("class", "name"), ("x", "0"), ("y", &(top + 14).to_string())], &op.op);
            one_latency(page, op, (from, to), top + 27);
            top += ROW;
        }
    });
}

/// A line from the median to the 99th percentile with a mark for each of the three.
fn one_latency(page: &mut Page, op: &OperationLatency, (from, to): (u32, u32), middle: u32) {
    let [p50, p95, p99] = [op.p50_us, op.p95_us, op.p99_us].map(|us| position(us, from, to));
    let y = middle.to_string();
    page.element("g", &[], |page| {
        page.words(
            "title",
            &[],
            format!(
                "{}: p50 {}, p95 {}, p99 {}, max {}",
                op.op,
                figures::micros(op.p50_us),
                figures::micros(op.p95_us),
                figures::micros(op.p99_us),
                figures::micros(op.max_us)
            ),
        );
        page.empty("line", &[("class", "range"), ("x1", &p50), ("x2", &p99), ("y1", &y), ("y2", &y)]);
        let (above, below) = ((middle - 7).to_string(), (middle + 7).to_string());
        page.empty("line", &[("class", "mark"), ("x1", &p95), ("x2", &p95), ("y1", &above), ("y2", &below)]);
        page.element("svg", &[("x", &p99), ("y", &y), ("overflow", "visible")], |page| {
            page.empty("path", &[("class", "open"), ("d", "M-6 0 0 -6 6 0 0 6z")]);
        });
        page.empty("circle", &[("class", "fill"), ("cx", &p50), ("cy", &y), ("r", "5")]);
    });
}

/// Where a time stands on the logarithmic axis, with room for a mark at both ends.
fn position(us: u64, from: u32, to: u32) -> String {
    let log = f64::from(u32::try_from(us.max(1)).unwrap_or(u32::MAX)).log10();
    let part = ((log - f64::from(from)) / f64::from(to - from)).clamp(0.0, 1.0);
    format!("{:.2}%", 2.0 + part * 95.0)
}

/// A power of ten in microseconds.
fn decade(power: u32) -> String {
    match power {
        0..=2 => format!("{} µs", 10_u32.pow(power)),
        3..=5 => format!("{} ms", 10_u32.pow(power - 3)),
        _ => format!("{} s", 10_u64.saturating_pow(power - 6)),
    }
}

/// A piece of a stacked bar.
pub(super) struct Piece {
    /// Its look, which the legend repeats: `tone-1` to `tone-6`.
    pub tone: &'static str,
    /// In words, with its figure.
    pub title: String,
    /// Where it begins, 0 to 1.
    pub from: f64,
    /// How long it is, 0 to 1.
    pub length: f64,
}

/// A stacked bar; what it shows stands in a table beside it.
pub(super) fn stack(page: &mut Page, height: &'static str, pieces: &[Piece]) {
    page.element(
        "svg",
        &[("class", "stack"), ("width", "100%"), ("height", height), ("aria-hidden", "true")],
        |page| {
            page.empty("rect", &[("class", "track"), ("width", "100%"), ("height", height)]);
            for piece in pieces.iter().filter(|piece| piece.length > 0.0) {
                let (x, width) = (percent(piece.from), percent(piece.length));
                page.element(
                    "rect",
                    &[("class", piece.tone), ("x", &x), ("width", &width), ("height", height)],
                    |page| {
                        page.words("title", &[], &piece.title);
                    },
                );
            }
        },
    );
}

fn percent(part: f64) -> String {
    format!("{:.2}%", part.clamp(0.0, 1.0) * 100.0)
}

/// A small square that looks like a piece of a stacked bar.
pub(super) fn swatch(page: &mut Page, tone: &'static str) {
    page.element("svg", &[("class", "swatch"), ("width", "14"), ("height", "14"), ("aria-hidden", "true")], |page| {
        page.empty("rect", &[("class", tone), ("width", "14"), ("height", "14")]);
    });
}

/// The patterns that the tones use, once in a page: a tone is told from its neighbours without its colour.
pub(super) const PATTERNS: &str = r#"<svg class="defs" width="0" height="0" aria-hidden="true"><defs>
<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="base" width="6" height="6"/><rect class="ink" width="2.5" height="6"/></pattern>
<pattern id="dots" width="6" height="6" patternUnits="userSpaceOnUse"><rect class="base" width="6" height="6"/><circle class="ink" cx="3" cy="3" r="1.5"/></pattern>
<pattern id="cross" width="5" height="5" patternUnits="userSpaceOnUse"><rect class="base" width="5" height="5"/><path class="stroke" d="M0 0 5 5M5 0 0 5"/></pattern>
<pattern id="alarm" width="5" height="5" patternUnits="userSpaceOnUse"><rect class="wrong" width="5" height="5"/><rect class="gap" width="5" height="1.2"/></pattern>
</defs></svg>
"#;
