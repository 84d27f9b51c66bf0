//! Names that a target cannot hold, or would take for one.

use crate::rule::{Case, Check, Says};
use model::human_count;
use plan::Severity;

/// The finding that makes a plan escape names.
pub(crate) const ESCAPE: &str = "names/escape";

pub(super) const RULES: &[Check] = &[
    Check { id: ESCAPE, judge: escape },
    Check { id: "names/windows", judge: windows },
    Check { id: "names/case-twins", judge: case_twins },
    Check { id: "names/normal-form-twins", judge: normal_form_twins },
];

/// Names that must be quoted, because the target takes only UTF-8 (and XML cannot carry control characters).
fn escape(case: &Case<'_>) -> Says {
    let facts = case.facts;
    if !case.service.names.utf8_only || facts.not_utf8 + facts.control_characters == 0 {
        return Says::Nothing;
    }
    let count = |n: u64, what: &str| (n > 0).then(|| format!("{} {what}", human_count(n)));
    let parts = [
        count(facts.not_utf8, "names are not UTF-8"),
        count(facts.control_characters, "names hold control characters"),
    ];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    Says::Find(
        Severity::Warning,
        text,
        "the plan says `names = \"escape\"`: what the target cannot hold is written reversibly".to_owned(),
    )
}

fn windows(case: &Case<'_>) -> Says {
    let count = case.facts.not_windows;
    if count == 0 || !case.service.names.windows_reserved {
        return Says::Nothing;
    }
    Says::Find(
        Severity::Blocking,
        format!(
            "{} names hold what Windows refuses (< > : \" | ? *, a trailing dot or blank, CON, NUL, …)",
            human_count(count)
        ),
        "rename them first; such items fail and are listed".to_owned(),
    )
}

fn case_twins(case: &Case<'_>) -> Says {
    let count = case.facts.case_twins;
    if count == 0 {
        return Says::Nothing;
    }
    let sensitive = case.service.names.case_sensitive;
    let smb_too = case.service.protocols.iter().any(|p| p == "smb");
    let text = format!("{} names differ from a sibling only in case", human_count(count));
    match (sensitive, smb_too) {
        (false, _) => {
            let remedy = "rename one of each pair first: the target takes both for one file".to_owned();
            Says::Find(Severity::Blocking, text, remedy)
        }
        (true, true) => {
            let remedy = "over NFS both are there; SMB clients see only one of them".to_owned();
            Says::Find(Severity::Warning, text, remedy)
        }
        (true, false) => Says::Nothing,
    }
}

fn normal_form_twins(case: &Case<'_>) -> Says {
    let count = case.facts.normal_form_twins;
    if count == 0 {
        return Says::Nothing;
    }
    Says::Find(
        Severity::Note,
        format!("{} names differ from a sibling only in Unicode normal form, so they look alike", human_count(count)),
        "both arrive; people and macOS clients may take one for the other".to_owned(),
    )
}
