//! `longshore explain CODE`

use super::Shell;
use crate::{
    args::Explain,
    exit::Exit,
    failure::{Code, Failure, Outcome},
    settings::file::nearest,
};

macro_rules! pages {
    ($($code:literal)*) => {
        /// Every code with its page.
        const PAGES: &[(&str, &str)] = &[$(($code, include_str!(concat!("../../errors/", $code, ".md")))),*];
    };
}

pages! {
    "E1001" "E1002" "E1003" "E1004" "E1005" "E1006" "E1007" "E1008" "E1009" "E1010" "E1011" "E1012" "E1013" "E1014" "E1015"
    "E1101" "E1102" "E1103" "E1104" "E1105" "E1106" "E1107" "E1108" "E1109"
    "E1201" "E1202" "E1203" "E1204" "E1205" "E1206" "E1207" "E1208"
    "E1301" "E1302" "E1303" "E1304" "E1305"
    "E1401" "E1402" "E1403" "E1404" "E1405" "E1406" "E1407" "E1408" "E1409" "E1410" "E1411" "E1412"
    "E1500" "E1501" "E1502" "E1503" "E1504" "E1505" "E1506"
    "E1601" "E1602" "E1603" "E1604" "E1605" "E1606" "E1607" "E1608"
    "E2101" "E2102" "E2103" "E2104" "E2105" "E2106" "E2107" "E2108" "E2109" "E2110" "E2111" "E2112" "E2113" "E2114"
}

/// Prints the page of a code, or the list of all codes.
pub fn run(typed: &Explain, shell: &Shell) -> Outcome<Exit> {
    let Some(code) = &typed.code else {
        let line = |(code, page): &(&str, &str)| format!("{code}  {}\n", title(page));
        shell.out.text(&PAGES.iter().map(line).collect::<String>())?;
        return Ok(Exit::Done);
    };
    let wanted = code.to_ascii_uppercase();
    let page = PAGES.iter().find(|(known, _)| *known == wanted).map(|(_, page)| *page).ok_or_else(|| {
        let failure = Failure::new(Code::UnknownCode, format!("there is no error code `{code}`"));
        match nearest(&wanted, PAGES.iter().map(|(known, _)| *known)) {
            Some(near) => failure.hint(format!("did you mean `{near}`? `longshore explain` lists all codes")),
            None => failure.hint("`longshore explain` lists all codes"),
        }
    })?;
    if shell.out.json {
        let body = serde_json::json!({"code": wanted, "title": title(page), "page": page});
        shell.out.named_document("longshore.explanation/v1", &body)?;
    } else {
        shell.out.text(page)?;
    }
    Ok(Exit::Done)
}

/// The first line of a page without its mark.
fn title(page: &str) -> &str {
    let first = page.lines().next().unwrap_or_default();
    first.split_once(": ").map_or(first, |(_, title)| title)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        collections::BTreeSet,
        fs,
        path::{Path, PathBuf},
    };

    /// Every `"E1234"` in the sources of the workspace.
    fn codes_in(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                codes_in(&path, found);
            } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("commands/explain.rs") {
                for piece in fs::read_to_string(&path).unwrap().split('"') {
                    let code = piece.strip_prefix('E').is_some_and(|n| n.len() == 4 && n.parse::<u16>().is_ok());
                    if code && piece != "E0000" {
                        found.insert(piece.to_owned());
                    }
                }
            }
        }
    }

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut codes: BTreeSet<String> = storage::ErrorKind::ALL.into_iter().map(storage::ErrorKind::code).collect();
        for folder in ["crates", "collectors", "reports"] {
            codes_in(&root.join(folder), &mut codes);
        }
        let pages: BTreeSet<String> = PAGES.iter().map(|(code, _)| (*code).to_owned()).collect();
        assert_eq!(codes.difference(&pages).collect::<Vec<_>>(), Vec::<&String>::new(), "codes without a page");
        assert_eq!(pages.difference(&codes).collect::<Vec<_>>(), Vec::<&String>::new(), "pages without a code");
        for (code, page) in PAGES {
            assert!(page.starts_with(&format!("# {code}: ")), "{code} begins with its own title");
        }
    }
}
