//! Heads of calls and replies (RFC 5531, section 9).

use super::RpcError;
use crate::xdr::{Decoded, Malformed, Reader, Writer};
use bytes::Bytes;
use std::fmt;

const CALL: u32 = 0;
const REPLY: u32 = 1;
const RPC_VERSION: u32 = 2;
/// Flavours of `opaque_auth` (RFC 5531, section 8.2).
const AUTH_NONE: u32 = 0;
const AUTH_SYS: u32 = 1;
/// A question for TLS and no credential (RFC 9289, section 4.1).
const AUTH_TLS: u32 = 7;
/// The verifier of a server that says yes to it.
const STARTTLS: &[u8] = b"STARTTLS";
/// Longest body of an `opaque_auth`.
const AUTH_MAX: usize = 400;
/// "Last fragment" in a record mark (RFC 5531, section 11).
pub(super) const LAST: u32 = 1 << 31;

/// A program that is called, and in which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub number: u32,
    pub version: u32,
}

/// Who we are in every call, as the wire has it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credential(Bytes);

/// What AUTH_SYS says of us (RFC 5531, appendix A). At most 16 `aux_gids` are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AuthSys {
    pub stamp: u32,
    /// Only ever logged by servers; cut at 255 bytes.
    pub machine: String,
    pub uid: u32,
    pub gid: u32,
    pub aux_gids: Vec<u32>,
}

impl Credential {
    /// Nobody (AUTH_NONE).
    pub fn none() -> Self {
        let mut out = Writer::default();
        out.u32(AUTH_NONE).u32(0);
        Self(out.into_bytes())
    }

    /// A user of this host (AUTH_SYS).
    pub fn sys(who: &AuthSys) -> Self {
        let mut body = Writer::default();
        let machine = who.machine.as_bytes();
        let gids = &who.aux_gids[..who.aux_gids.len().min(16)];
        body.u32(who.stamp).opaque(&machine[..machine.len().min(255)]).u32(who.uid).u32(who.gid);
        body.u32(u32::try_from(gids.len()).expect("at most 16"));
        for gid in gids {
            body.u32(*gid);
        }
        let mut out = Writer::default();
        out.u32(AUTH_SYS).opaque(&body.into_bytes());
        Self(out.into_bytes())
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential(flavor {})", self.0.get(3).copied().unwrap_or_default())
    }
}

/// One call, still without its number.
pub(super) struct Call<'a> {
    pub program: u32,
    pub version: u32,
    pub procedure: u32,
    pub credential: &'a Credential,
    pub body: &'a [u8],
}

impl Call<'_> {
    /// Bytes of the record.
    pub fn len(&self) -> usize {
        6 * 4 + self.credential.0.len() + 2 * 4 + self.body.len()
    }

    /// Appends the record with its mark.
    pub fn write(&self, xid: u32, out: &mut Vec<u8>) {
        out.reserve(4 + self.len());
        let mark = LAST | u32::try_from(self.len()).expect("checked against the longest record");
        for word in [mark, xid, CALL, RPC_VERSION, self.program, self.version, self.procedure] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.extend_from_slice(&self.credential.0);
        // The verifier: AUTH_NONE, empty.
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(self.body);
    }
}

/// The record that asks for TLS before `program` is called: its procedure NULL with AUTH_TLS.
pub(super) fn probe(program: Program, xid: u32) -> Vec<u8> {
    let mut flavor = Writer::default();
    flavor.u32(AUTH_TLS).u32(0);
    let credential = Credential(flavor.into_bytes());
    let Program { number, version } = program;
    let call = Call { program: number, version, procedure: 0, credential: &credential, body: &[] };
    let mut out = Vec::new();
    call.write(xid, &mut out);
    out
}

/// What the record `answer` to [`probe`] says: TLS may begin, or why not.
pub(super) fn tls_is_offered(answer: &Bytes, xid: u32) -> Result<Result<(), String>, RpcError> {
    if !matches!(incoming(answer)?, Incoming::Reply(number) if number == xid) {
        return Err(RpcError::Malformed("it answers another call"));
    }
    let mut verifier = Reader(answer.get(12..).unwrap_or_default());
    Ok(match results(answer) {
        Err(RpcError::Malformed(why)) => return Err(RpcError::Malformed(why)),
        Err(refusal) => Err(refusal.to_string()),
        Ok(_) if verifier.u32()? == AUTH_NONE && verifier.opaque(AUTH_MAX)? == STARTTLS => Ok(()),
        Ok(_) => Err("the call succeeded, without a word of TLS".to_owned()),
    })
}

/// What a record from the server is.
pub(super) enum Incoming {
    /// It calls us.
    Call,
    /// It answers the call of this number.
    Reply(u32),
}

/// What `record` is; an error when it is neither a call nor a reply.
pub(super) fn incoming(record: &[u8]) -> Decoded<Incoming> {
    let mut head = Reader(record);
    let xid = head.u32()?;
    match head.u32()? {
        CALL => Ok(Incoming::Call),
        REPLY => Ok(Incoming::Reply(xid)),
        _ => Err(Malformed("it is neither a call nor a reply")),
    }
}

/// The results in the record of a reply.
pub(super) fn results(record: &Bytes) -> Result<Bytes, RpcError> {
    let mut head = Reader(record);
    head.raw(8)?;
    match head.u32()? {
        0 => {
            // The verifier: AUTH_NONE from everybody who takes AUTH_SYS.
            head.u32()?;
            head.opaque(AUTH_MAX)?;
            match head.u32()? {
                0 => Ok(record.slice_ref(head.0)),
                1 => Err(RpcError::ProgUnavail),
                2 => Err(RpcError::ProgMismatch { low: head.u32()?, high: head.u32()? }),
                3 => Err(RpcError::ProcUnavail),
                4 => Err(RpcError::GarbageArgs),
                5 => Err(RpcError::SystemErr),
                _ => Err(RpcError::Malformed("an accept_stat that RFC 5531 does not know")),
            }
        }
        1 => match head.u32()? {
            0 => Err(RpcError::RpcMismatch { low: head.u32()?, high: head.u32()? }),
            1 => Err(RpcError::Auth(head.u32()?)),
            _ => Err(RpcError::Malformed("a reject_stat that RFC 5531 does not know")),
        },
        _ => Err(RpcError::Malformed("a reply_stat that RFC 5531 does not know")),
    }
}

/// The head of a successful reply to a call of the server: xid, accepted, AUTH_NONE, SUCCESS. The results follow.
pub(crate) fn reply_to(xid: u32) -> Writer {
    let mut out = Writer::default();
    out.u32(xid).u32(REPLY).u32(0).u32(AUTH_NONE).u32(0).u32(0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auth_sys_is_what_rfc_5531_says() {
        let who = AuthSys { stamp: 9, machine: "host".into(), uid: 1, gid: 2, aux_gids: (0..20).collect() };
        let mut flavor = Reader(&Credential::sys(&who).0.clone());
        assert_eq!(flavor.u32(), Ok(1));
        let mut body = Reader(flavor.opaque(AUTH_MAX).unwrap());
        assert_eq!((body.u32(), body.opaque(255)), (Ok(9), Ok(&b"host"[..])));
        assert_eq!((body.u32(), body.u32(), body.u32()), (Ok(1), Ok(2), Ok(16)));
        assert_eq!(body.0.len(), 64);
    }

    #[test]
    fn heads_of_replies() {
        use crate::mutations::{mutilated, pester};
        let accepted = [&reply_to(5).into_bytes()[..], b"results"].concat();
        let head = |raw: Vec<u8>| {
            incoming(&raw)?;
            results(&raw.into()).map(|results| results.len())
        };
        // What follows a head is not the head's to judge.
        pester("head of a reply", &accepted[..24], head);
        mutilated("head of a reply with results", &accepted, |raw| head(raw).unwrap_or(0));
        let denied = [5, 1, 1, 0, 2, 2_u32].map(u32::to_be_bytes).concat();
        mutilated("head of a refusal", &denied, |raw| head(raw).unwrap_or(0));
    }

    #[test]
    fn answer_to_the_question_for_tls() {
        let mut out = Writer::default();
        out.u32(5).u32(1).u32(0).u32(0).opaque(STARTTLS).u32(0);
        crate::mutations::pester("STARTTLS", &out.into_bytes(), |raw| {
            tls_is_offered(&raw.into(), 5).map(|told| told.map_or_else(|refusal| refusal.len(), |()| 0))
        });
    }

    #[test]
    fn only_the_word_starttls_in_the_verifier_starts_tls() {
        let told = |words: &[u32], verifier: &[u8]| {
            let mut out = Writer::default();
            for word in words {
                out.u32(*word);
            }
            if !verifier.is_empty() {
                out.u32(0).opaque(verifier).u32(0);
            }
            tls_is_offered(&out.into_bytes(), 5)
        };
        assert_eq!(told(&[5, 1, 0], STARTTLS).unwrap(), Ok(()));
        assert!(told(&[5, 1, 0], b"STARTTL").unwrap().is_err());
        assert!(told(&[5, 1, 0, 0, 0, 0], b"").unwrap().unwrap_err().contains("without a word of TLS"));
        assert!(told(&[5, 1, 1, 1, 2], b"").unwrap().unwrap_err().contains("AUTH_REJECTEDCRED"));
        assert!(matches!(told(&[6, 1, 0], STARTTLS), Err(RpcError::Malformed(_))));
        assert!(matches!(told(&[5, 0, 0], STARTTLS), Err(RpcError::Malformed(_))));
        let asked = probe(Program { number: 100_003, version: 3 }, 9);
        let words = [9, 0, 2, 100_003, 3, 0, 7, 0, 0, 0_u32].map(u32::to_be_bytes).concat();
        assert_eq!(asked, [&[0x80, 0, 0, 40][..], &words].concat());
    }

    #[test]
    fn a_reply_tells_its_results_or_why_there_are_none() {
        let told = |words: &[u32]| {
            let mut out = Writer::default();
            out.u32(5).u32(1);
            for word in words {
                out.u32(*word);
            }
            results(&out.into_bytes())
        };
        assert_eq!(told(&[0, 0, 0, 0, 77]).unwrap(), [0, 0, 0, 77][..]);
        assert_eq!(told(&[0, 6, 3, 0x6162_6300, 0, 77]).unwrap(), [0, 0, 0, 77][..]);
        assert!(matches!(told(&[0, 0, 0, 2, 3, 4]), Err(RpcError::ProgMismatch { low: 3, high: 4 })));
        assert!(matches!(told(&[0, 0, 0, 1]), Err(RpcError::ProgUnavail)));
        assert!(matches!(told(&[0, 0, 0, 3]), Err(RpcError::ProcUnavail)));
        assert!(matches!(told(&[0, 0, 0, 4]), Err(RpcError::GarbageArgs)));
        assert!(matches!(told(&[0, 0, 0, 5]), Err(RpcError::SystemErr)));
        assert!(matches!(told(&[1, 1, 5]), Err(RpcError::Auth(5))));
        assert!(matches!(told(&[1, 0, 3, 3]), Err(RpcError::RpcMismatch { low: 3, high: 3 })));
        for nonsense in [&[][..], &[2], &[0], &[0, 0, 401], &[0, 0, 8, 0], &[0, 0, 0, 6], &[1, 2], &[1, 1]] {
            assert!(matches!(told(nonsense), Err(RpcError::Malformed(_))), "{nonsense:?}");
        }
    }
}
