//! What people asked for: access, latency, zones, and which services at all.

use crate::rule::{Case, Check, Says, cite};
use crate::{Access, Protocol};
use catalog::{Copies, Interface};
use plan::Severity;

pub(super) const RULES: &[Check] = &[
    Check { id: "access/ruled-out", judge: ruled_out },
    Check { id: "access/not-a-file-system", judge: not_a_file_system },
    Check { id: "access/not-an-object-store", judge: not_an_object_store },
    Check { id: "access/object-source", judge: object_source },
    Check { id: "access/restore-hours", judge: restore_hours },
    Check { id: "access/latency", judge: latency },
    Check { id: "access/multi-az", judge: multi_az },
    Check { id: "access/only-copy", judge: only_copy },
    Check { id: "access/one-zone", judge: one_zone },
    Check { id: "access/applications-need-s3", judge: applications_need_s3 },
];

fn ruled_out(case: &Case<'_>) -> Says {
    match case.options.ruled_out(&case.service.id, &case.id()) {
        Some(text) => Says::Exclude(text, Vec::new()),
        None => Says::Nothing,
    }
}

fn not_a_file_system(case: &Case<'_>) -> Says {
    if case.options.access != Access::File || case.service.interface != Interface::Object {
        return Says::Nothing;
    }
    let text = "files were asked for; S3 has no rename, no locks and no POSIX permissions that it enforces \
                (Amazon S3 Files can show a bucket as NFS at extra cost, which is not priced here)";
    Says::Exclude(text.to_owned(), cite("access", "file"))
}

fn not_an_object_store(case: &Case<'_>) -> Says {
    let word = match case.options.access {
        Access::Object => "object",
        Access::Archive => "archive",
        Access::Any | Access::File => return Says::Nothing,
    };
    if case.service.interface == Interface::Object {
        return Says::Nothing;
    }
    Says::Exclude(format!("access by {word} was asked for; this is a file system"), cite("access", word))
}

fn object_source(case: &Case<'_>) -> Says {
    let object = case.facts.protocol == Protocol::Object;
    if !object || case.options.access == Access::File || case.service.interface == Interface::Object {
        return Says::Nothing;
    }
    let text = "the source is an object store; its keys need not make a tree of files, and its clients speak S3";
    Says::Exclude(text.to_owned(), cite("protocol", &case.facts.protocol_word))
}

fn restore_hours(case: &Case<'_>) -> Says {
    let Some(hours) = &case.variant.restore_hours else { return Says::Nothing };
    if case.options.access == Access::Archive {
        return Says::Find(
            Severity::Warning,
            format!("data must be restored before it can be read, which takes up to {} hours", hours.value),
            "verify with `digest`, not `read-back`; restore before the data is needed".to_owned(),
        );
    }
    let text = format!(
        "data must be restored before it can be read, which takes up to {} hours; ask for archive access to allow it",
        hours.value
    );
    Says::Exclude(text, cite("restore hours", hours.value))
}

fn latency(case: &Case<'_>) -> Says {
    let (Some(wanted), Some(has)) = (case.options.latency_ms, &case.variant.latency_ms) else { return Says::Nothing };
    if has.value <= wanted {
        return Says::Nothing;
    }
    let text = format!("a small operation takes about {} ms, at most {wanted} ms was asked for", has.value);
    Says::Exclude(text, cite("latency ms", wanted))
}

fn multi_az(case: &Case<'_>) -> Says {
    if !case.options.multi_az || case.variant.copies == Copies::Zones {
        return Says::Nothing;
    }
    let text = format!("it must survive the loss of a zone; this is {}", case.variant.availability.value);
    Says::Exclude(text, cite("multi-az", true))
}

/// Where the same service has a sibling that survives more, the weaker one is for data that can be made again.
fn only_copy(case: &Case<'_>) -> Says {
    let elsewhere_in_zones = matches!(case.service.id.as_str(), "s3" | "efs");
    let weak = match case.variant.copies {
        Copies::None => true,
        Copies::Zone => elsewhere_in_zones,
        Copies::Zones => false,
    };
    if !weak || case.options.reproducible {
        return Says::Nothing;
    }
    let text = format!("only for data that can be made again: {}", case.variant.availability.value);
    Says::Exclude(text, cite("reproducible", false))
}

fn one_zone(case: &Case<'_>) -> Says {
    match case.variant.copies {
        Copies::Zones => {
            let text = format!("survives the loss of a zone: {}", case.variant.availability.value);
            Says::Score(5, text, cite("zones", 2))
        }
        Copies::Zone | Copies::None => Says::Find(
            Severity::Warning,
            format!("lost with its availability zone: {}", case.variant.availability.value),
            "take backups to another zone, or ask for a multi-AZ target".to_owned(),
        ),
    }
}

fn applications_need_s3(case: &Case<'_>) -> Says {
    if case.service.interface != Interface::Object || matches!(case.facts.protocol, Protocol::Object) {
        return Says::Nothing;
    }
    Says::Find(
        Severity::Warning,
        format!(
            "applications that use {} today must speak S3: no rename, no append, no locks",
            case.facts.protocol.word()
        ),
        "change the applications, or ask for file access to leave S3 out".to_owned(),
    )
}
