//! What metadata a target would lose.

use crate::rule::{Case, Check, Says, cite};
use crate::{Access, Protocol};
use model::human_count;
use plan::Severity;

pub(super) const RULES: &[Check] = &[
    Check { id: "efs/no-acls", judge: efs_no_acls },
    Check { id: "metadata/ntfs-acls", judge: ntfs_acls },
    Check { id: "metadata/posix-acls", judge: posix_acls },
    Check { id: "metadata/nfs4-acls", judge: nfs4_acls },
    Check { id: "metadata/xattrs", judge: xattrs },
    Check { id: "metadata/streams", judge: streams },
    Check { id: "metadata/hard-links", judge: hard_links },
    Check { id: "metadata/symlinks", judge: symlinks },
    Check { id: "metadata/specials", judge: specials },
    Check { id: "metadata/sparse", judge: sparse },
    Check { id: "metadata/owner-names", judge: owner_names },
];

/// Access control lists of any kind, none of which EFS keeps.
fn efs_no_acls(case: &Case<'_>) -> Says {
    let found: u64 = case.facts.acls.iter().flat_map(|kinds| kinds.values()).sum();
    if !case.is("efs") || (found == 0 && !case.facts.has_ntfs_acls()) {
        return Says::Nothing;
    }
    let text = if found == 0 {
        "a Windows share has access control lists, and EFS keeps none".to_owned()
    } else {
        format!("{} entries have access control lists, and EFS keeps none", human_count(found))
    };
    Says::Exclude(text, cite("access control lists", found))
}

fn ntfs_acls(case: &Case<'_>) -> Says {
    // EFS has a rule of its own.
    if !case.facts.has_ntfs_acls() || case.service.metadata.has("ntfs-sd") || case.is("efs") {
        return Says::Nothing;
    }
    let text = "NTFS access control lists would be lost";
    if case.is("s3") && matches!(case.options.access, Access::Object | Access::Archive) {
        return Says::Find(
            Severity::Blocking,
            format!("{text}: S3 decides access by bucket policy, not by file"),
            "keep a list of the permissions, or use FSx for Windows File Server or FSx for ONTAP".to_owned(),
        );
    }
    let known = if case.facts.acls.is_some() { "found" } else { "assumed of an SMB share" };
    Says::Exclude(format!("{text} ({known})"), cite("NTFS access control lists", case.facts.acls_of("ntfs")))
}

fn lost(case: &Case<'_>, count: u64, facet: &str, what: &str, remedy: &str) -> Says {
    if count == 0 || case.service.metadata.has(facet) || (case.is("efs") && facet.ends_with("acl")) {
        return Says::Nothing;
    }
    let text = format!("{} {what}, which {} does not keep", human_count(count), case.service.title);
    Says::Find(Severity::Warning, text, remedy.to_owned())
}

fn posix_acls(case: &Case<'_>) -> Says {
    let count = case.facts.acls_of("posix1e");
    let remedy = "check whether mode bits say enough; FSx for Lustre keeps POSIX access control lists";
    lost(case, count, "posix-acl", "entries have POSIX access control lists", remedy)
}

fn nfs4_acls(case: &Case<'_>) -> Says {
    let count = case.facts.acls_of("nfs4");
    let remedy = "check whether mode bits say enough; FSx for ONTAP keeps NFSv4 access control lists";
    lost(case, count, "nfs4-acl", "entries have NFSv4 access control lists", remedy)
}

fn xattrs(case: &Case<'_>) -> Says {
    let remedy = "find out which programs use them before the move";
    lost(case, case.facts.xattrs.unwrap_or(0), "xattr", "entries have extended attributes", remedy)
}

fn streams(case: &Case<'_>) -> Says {
    let remedy = "FSx for Windows File Server and FSx for ONTAP keep them";
    lost(case, case.facts.streams.unwrap_or(0), "streams", "files have alternate data streams", remedy)
}

fn hard_links(case: &Case<'_>) -> Says {
    let count = case.facts.hard_linked_names;
    if count == 0 || case.service.metadata.has("hard-links") {
        return Says::Nothing;
    }
    Says::Find(
        Severity::Warning,
        format!("{} names are hard links; each becomes a copy of its own and is paid for", human_count(count)),
        "check programs that rely on links; count on more space than is allocated today".to_owned(),
    )
}

fn symlinks(case: &Case<'_>) -> Says {
    let count = case.facts.symlinks;
    if count == 0 || case.service.metadata.symlinks {
        return Says::Nothing;
    }
    let (text, remedy) = if case.is("s3") {
        (
            "are kept as objects that hold their target; S3 does not follow them",
            "whoever reads the bucket must know them",
        )
    } else {
        ("cannot be held as such", "replace them by shortcuts or by copies")
    };
    Says::Find(Severity::Note, format!("{} symbolic links {text}", human_count(count)), remedy.to_owned())
}

fn specials(case: &Case<'_>) -> Says {
    let count = case.facts.specials;
    if count == 0 || case.service.metadata.devices {
        return Says::Nothing;
    }
    Says::Find(
        Severity::Warning,
        format!("{} pipes, sockets or device nodes cannot be held and are left behind", human_count(count)),
        "they hold no data; make them again where they are needed".to_owned(),
    )
}

fn sparse(case: &Case<'_>) -> Says {
    let facts = case.facts;
    let hollow = facts.bytes.saturating_sub(facts.allocated_bytes.unwrap_or(facts.bytes));
    if facts.sparse_files == 0 || hollow < (1 << 30) {
        return Says::Nothing;
    }
    Says::Find(
        Severity::Note,
        format!(
            "{} sparse files: {} are not allocated today, but are billed there",
            human_count(facts.sparse_files),
            model::ByteSize(hollow)
        ),
        "compress such files, or leave them out".to_owned(),
    )
}

fn owner_names(case: &Case<'_>) -> Says {
    if case.facts.protocol != Protocol::Hdfs || case.is("s3") {
        return Says::Nothing;
    }
    Says::Find(
        Severity::Warning,
        "owners and groups are names in HDFS; without a table of ids they become nobody (65534)".to_owned(),
        "make the same names and ids known to the clients of the target".to_owned(),
    )
}
