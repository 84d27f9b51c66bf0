//! What goes out and comes back over a connection.

use crate::{
    crypto::{Sealer, Signer},
    failure::Failure,
    wire::{
        header::{Command, FLAG_SIGNED, Header},
        status::Status,
    },
};
use bytes::Bytes;

/// One credit is worth so many bytes of a request or an answer.
pub(crate) const CREDIT: u32 = 65_536;

/// A request as the caller makes it.
#[derive(Debug)]
pub(crate) struct Request {
    pub command: Command,
    pub body: Vec<u8>,
    /// Most bytes that the answer may bring.
    pub brings: u32,
}

impl Request {
    /// A request with a small answer.
    pub fn new(command: Command, body: Vec<u8>) -> Self {
        Self { command, body, brings: 0 }
    }
    /// A request whose answer may bring so many bytes.
    pub fn bringing(command: Command, body: Vec<u8>, brings: u32) -> Self {
        Self { command, body, brings }
    }
}

/// What goes around a request: whose it is, and how it is protected.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Envelope<'a> {
    pub session_id: u64,
    pub tree_id: u32,
    /// Names are paths of DFS.
    pub dfs: bool,
    /// Sign, and demand that answers are signed.
    pub signer: Option<&'a Signer>,
    /// Encrypt, and demand that answers are encrypted.
    pub sealer: Option<&'a Sealer>,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub header: Header,
    /// The message, header first, its signature set to zeros.
    pub message: Bytes,
    /// It came encrypted.
    pub sealed: bool,
}

impl Reply {
    pub fn status(&self) -> Status {
        Status(self.header.status)
    }
    /// The message when the request succeeded.
    pub fn good(&self) -> Result<&Bytes, Failure> {
        if self.status() == Status::SUCCESS { Ok(&self.message) } else { Err(Failure::Status(self.status())) }
    }
    /// The message when the request succeeded, or brought as much as fits.
    pub fn good_or_cut(&self) -> Result<&Bytes, Failure> {
        if self.status() == Status::BUFFER_OVERFLOW { Ok(&self.message) } else { self.good() }
    }
}

/// Was the answer protected as the request was?
pub(crate) fn protected(envelope: &Envelope<'_>, reply: &Reply) -> Result<(), Failure> {
    if envelope.sealer.is_some() {
        if reply.sealed {
            return Ok(());
        }
        return Err(Failure::Tampered("an answer to an encrypted request is not encrypted"));
    }
    let Some(signer) = envelope.signer else { return Ok(()) };
    // A server that has lost the session has no key to sign with ([MS-SMB2] 3.2.5.1.3).
    if reply.sealed || reply.status().ends_session() {
        return Ok(());
    }
    if reply.header.flags & FLAG_SIGNED == 0 {
        return Err(Failure::Tampered("an answer is not signed, though it must be"));
    }
    if signer.fits(&reply.message, reply.header.message_id, &reply.header.signature) {
        Ok(())
    } else {
        Err(Failure::Tampered("the signature of an answer is wrong"))
    }
}

/// Credits that a request spends.
pub(crate) fn charge(request: &Request, large: bool) -> u32 {
    if !large {
        return 1;
    }
    let sends = u32::try_from(request.body.len()).unwrap_or(u32::MAX);
    request.brings.max(sends).div_ceil(CREDIT).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{
        header::{HEADER, MAGIC, SIGNATURE},
        negotiate::Signing,
    };

    /// An answer with these flags, signed by `signer` where there is one.
    fn answer(flags: u32, signer: Option<&Signer>) -> Reply {
        let mut raw = vec![0; HEADER + 20];
        raw[..4].copy_from_slice(&MAGIC);
        raw[4..6].copy_from_slice(&64_u16.to_le_bytes());
        raw[16..20].copy_from_slice(&flags.to_le_bytes());
        let mut header = Header::decode(&raw).unwrap();
        if let Some(signer) = signer {
            let mut signed = raw.clone();
            signer.sign(&mut signed, header.message_id);
            header.signature.copy_from_slice(&signed[SIGNATURE]);
        }
        Reply { header, message: raw.into(), sealed: false }
    }

    #[test]
    fn an_answer_that_is_not_protected_as_its_request_was_is_refused() {
        let (ours, others) = (Signer::new(Signing::HmacSha256, &[7; 16]), Signer::new(Signing::HmacSha256, &[8; 16]));
        let envelope = Envelope { signer: Some(&ours), ..Envelope::default() };
        let refused = |reply: &Reply| match protected(&envelope, reply) {
            Err(Failure::Tampered(why)) => why,
            other => panic!("{other:?}"),
        };
        let good = answer(FLAG_SIGNED, Some(&ours));
        assert!(protected(&envelope, &good).is_ok());
        assert!(refused(&answer(FLAG_SIGNED, Some(&others))).contains("is wrong"));
        assert!(refused(&answer(0, None)).contains("not signed"));
        // A signature that is there and not said to be is none.
        assert!(refused(&answer(0, Some(&ours))).contains("not signed"));
        let mut changed = good.message.to_vec();
        changed[HEADER + 5] ^= 1;
        assert!(refused(&Reply { message: changed.into(), ..good }).contains("is wrong"));
        let sealer = Sealer::new(crate::wire::negotiate::Cipher::Aes128Gcm, &[1; 16], 7);
        let sealed = Envelope { sealer: Some(&sealer), ..envelope };
        let plain = answer(FLAG_SIGNED, Some(&ours));
        assert!(matches!(protected(&sealed, &plain), Err(Failure::Tampered(_))), "what was asked in secret");
    }
}
