//! What `hdfs oiv` prints, taken apart.

use std::collections::{BTreeMap, HashMap};

/// A row of `oiv -p Delimited`, without the path.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub replication: String,
    /// Times of modification and access; it prints whole minutes.
    pub minutes: [i128; 2],
    pub block_size: String,
    pub blocks: String,
    pub size: String,
    pub quotas: [String; 2],
    pub permission: String,
    pub owner: [String; 2],
    /// Storage policy and erasure coding policy, where it was asked for them.
    pub policies: Option<[String; 2]>,
}

/// Hadoop 3 quotes a path as CSV does, with commas as delimiter whatever the delimiter is, and writes `%x0A` for a
/// line feed.
pub fn as_printed(path: &[u8]) -> Vec<u8> {
    let quoted = path.iter().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n'));
    let mut printed = Vec::new();
    printed.extend(quoted.then_some(b'"'));
    for byte in path {
        match byte {
            b'\n' => printed.extend_from_slice(b"%x0A"),
            b'"' if quoted => printed.extend_from_slice(b"\"\""),
            other => printed.push(*other),
        }
    }
    printed.extend(quoted.then_some(b'"'));
    printed
}

/// Rows by path. Columns are taken from the end, because a name may hold the delimiter.
pub fn delimited(raw: &[u8]) -> BTreeMap<Vec<u8>, Answer> {
    let mut rows = raw.split(|byte| *byte == b'\n').filter(|row| !row.is_empty());
    let head = rows.next().unwrap();
    let columns = head.split(|byte| *byte == 1).count();
    let mut answers = BTreeMap::new();
    let mut row = Vec::new();
    for line in rows {
        // Hadoop 2 writes a line feed of a name as it is.
        row.extend_from_slice(line);
        if row.split(|byte| *byte == 1).count() < columns {
            row.push(b'\n');
            continue;
        }
        let row = std::mem::take(&mut row);
        let mut cells: Vec<&[u8]> = row.rsplitn(columns, |byte| *byte == 1).collect();
        cells.reverse();
        let text = |at: usize| String::from_utf8(cells[at].to_vec()).unwrap();
        let answer = Answer {
            replication: text(1),
            minutes: [minutes(&text(2)), minutes(&text(3))],
            block_size: text(4),
            blocks: text(5),
            size: text(6),
            quotas: [7, 8].map(|at| quota(text(at))),
            permission: text(9),
            owner: [text(10), text(11)],
            policies: (columns > 13).then(|| [text(12), text(13)]),
        };
        assert!(answers.insert(cells[0].to_vec(), answer).is_none(), "twice: {}", String::from_utf8_lossy(cells[0]));
    }
    answers
}

/// The largest number means none, like -1: the root has it, and after a restart of the NameNode every directory
/// that has quotas for kinds of storage only.
fn quota(text: String) -> String {
    if text == "9223372036854775807" { "-1".to_owned() } else { text }
}

/// `2026-11-22 16:36` in minutes since 1970 (days from the civil calendar, after Hinnant).
fn minutes(text: &str) -> i128 {
    let parts: Vec<i128> = text.split(['-', ' ', ':']).map(|part| part.parse().unwrap()).collect();
    let [year, month, day, hour, minute] = parts[..] else { panic!("no time: {text}") };
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    (days * 24 + hour) * 60 + minute
}

/// An `<inode>` of `oiv -p XML`.
#[derive(Debug)]
pub struct XmlInode<'a>(&'a str);

/// The inodes of the `INodeSection` by id. Not a reader of XML: it knows how that program writes it.
pub fn xml_inodes(xml: &str) -> HashMap<u64, XmlInode<'_>> {
    let section = xml.split("<INodeSection>").nth(1).unwrap().split("</INodeSection>").next().unwrap();
    let inodes = section.split("<inode>").skip(1).map(|inode| XmlInode(inode.split("</inode>").next().unwrap()));
    inodes.map(|inode| (u64::try_from(inode.number("id")).unwrap(), inode)).collect()
}

impl XmlInode<'_> {
    pub fn all(&self, tag: &str) -> Vec<String> {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        self.0.split(&open).skip(1).map(|rest| unescaped(rest.split(&close).next().unwrap())).collect()
    }
    pub fn text(&self, tag: &str) -> String {
        self.all(tag).into_iter().next().unwrap_or_default()
    }
    pub fn number(&self, tag: &str) -> i128 {
        self.text(tag).parse().unwrap_or(0)
    }
    /// Attributes that clients see, with their values.
    pub fn xattrs(&self) -> Vec<(String, Vec<u8>)> {
        let all = self.0.split("<xattr>").skip(1).map(|rest| XmlInode(rest.split("</xattr>").next().unwrap()));
        let seen = all.filter(|xattr| !matches!(&*xattr.text("ns"), "SYSTEM" | "RAW"));
        seen.map(|xattr| {
            let name = format!("{}.{}", xattr.text("ns").to_lowercase(), xattr.text("name"));
            let hex = xattr.text("valHex");
            let value = if hex.is_empty() {
                xattr.text("val").into_bytes()
            } else {
                (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
            };
            (name, value)
        })
        .collect()
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'").replace("&amp;", "&")
}
