//! Whether today's clients can go on.

use crate::rule::{Case, Check, Says, cite};
use crate::{Access, Protocol};
use plan::Severity;

pub(super) const RULES: &[Check] = &[
    Check { id: "protocol/no-smb", judge: no_smb },
    Check { id: "protocol/smb-only", judge: smb_only },
    Check { id: "protocol/native", judge: native },
    Check { id: "protocol/nfs-version", judge: nfs_version },
    Check { id: "protocol/lustre-client", judge: lustre_client },
    Check { id: "protocol/active-directory", judge: active_directory },
];

fn speaks(case: &Case<'_>, protocol: &str) -> bool {
    case.service.protocols.iter().any(|p| p.starts_with(protocol))
}

fn no_smb(case: &Case<'_>) -> Says {
    if case.facts.protocol != Protocol::Smb || speaks(case, "smb") || case.is("s3") {
        return Says::Nothing;
    }
    let text = format!("its clients use SMB, which {} does not speak", case.service.title);
    Says::Exclude(text, cite("protocol", &case.facts.protocol_word))
}

fn smb_only(case: &Case<'_>) -> Says {
    let smb = case.facts.protocol == Protocol::Smb;
    if smb || !case.service.protocols.iter().all(|p| p == "smb") {
        return Says::Nothing;
    }
    let text = format!(
        "it speaks SMB only; clients of {} would lose POSIX modes, owners and their protocol",
        case.facts.protocol.word()
    );
    Says::Exclude(text, cite("protocol", &case.facts.protocol_word))
}

fn native(case: &Case<'_>) -> Says {
    let wanted = match case.facts.protocol {
        Protocol::Nfs => "nfs",
        Protocol::Smb => "smb",
        // Hadoop reads and writes S3 with its own connector; a mounted file system is not what it uses.
        Protocol::Hdfs | Protocol::Object => "s3",
        Protocol::Local => return Says::Nothing,
    };
    if !speaks(case, wanted) {
        return Says::Nothing;
    }
    let text =
        format!("clients of {} can go on with the protocol or connector that they have", case.facts.protocol.word());
    Says::Score(20, text, cite("protocol", &case.facts.protocol_word))
}

fn nfs_version(case: &Case<'_>) -> Says {
    if case.facts.protocol_word != "nfs3" || speaks(case, "nfs3") || !speaks(case, "nfs4") {
        return Says::Nothing;
    }
    Says::Find(
        Severity::Note,
        "clients use NFSv3; this target takes NFSv4.0 and 4.1 only".to_owned(),
        "mount with `vers=4.1`; check programs that rely on NFSv3 locks".to_owned(),
    )
}

fn lustre_client(case: &Case<'_>) -> Says {
    if !case.is("fsx-lustre") || case.options.access == Access::Object {
        return Says::Nothing;
    }
    Says::Find(
        Severity::Note,
        "every client needs the Lustre client of Linux; there is no NFS and no SMB".to_owned(),
        "check the kernels of the clients".to_owned(),
    )
}

fn active_directory(case: &Case<'_>) -> Says {
    let needed = case.is("fsx-windows") || (case.is("fsx-ontap") && case.facts.protocol == Protocol::Smb);
    if !needed {
        return Says::Nothing;
    }
    Says::Find(
        Severity::Note,
        "it must join an Active Directory that knows the SIDs of the access control lists".to_owned(),
        "use the directory of today's server, or one that trusts it".to_owned(),
    )
}
