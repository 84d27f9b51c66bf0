//! Text that nobody vouches for, made safe to look at.

use model::RelPath;
use std::fmt::Write as _;

/// Prose from outside (a server's message, a product name, an owner): line breaks and tabs become spaces,
/// every other control or reordering character becomes `\xNN`, one for each of its UTF-8 bytes.
pub(crate) fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if is_hidden(c) => push_escaped(&mut out, c),
            c => out.push(c),
        }
    }
    out
}

/// A path as `RelPath` prints it. The root is `(root)`; a path that begins or ends with a space is quoted,
/// because the space could not be seen otherwise.
pub(crate) fn path(path: &RelPath) -> String {
    let shown = path.to_string();
    if shown.is_empty() {
        return "(root)".to_owned();
    }
    if shown.starts_with(' ') || shown.ends_with(' ') { format!("\"{shown}\"") } else { shown }
}

/// Appends `c` as `\xNN`, one for each byte.
pub(crate) fn push_escaped(out: &mut String, c: char) {
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        write!(out, "\\x{byte:02X}").expect("writing to a String cannot fail");
    }
}

/// Control characters, and those that reorder or hide text (bidirectional controls, zero width, BOM).
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_the_cursor_or_the_reading_order_survives() {
        assert_eq!(text("a\u{1b}[31mb\u{202e}c\nd"), r"a\x1B[31mb\xE2\x80\xAEc d");
        assert_eq!(path(&RelPath::from("a\u{1b}[2J")), r"a\x1B[2J");
    }

    #[test]
    fn a_space_at_an_end_of_a_path_can_be_seen() {
        assert_eq!(path(&RelPath::from("dir/report ")), "\"dir/report \"");
        assert_eq!(path(&RelPath::ROOT), "(root)");
    }
}
