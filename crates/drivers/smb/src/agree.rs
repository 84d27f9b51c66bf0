//! Agreeing with a server on a version and on how messages are protected.

use crate::{
    Demand, SmbOptions,
    connection::{CREDIT, Connection, Request},
    crypto::{self, Preauth},
    failure::Failure,
    frame,
    names::utf16,
    wire::{
        cursor::Malformed,
        header::Command,
        negotiate::{
            CAP_DFS, CAP_ENCRYPTION, CAP_LARGE_MTU, Cipher, Dialect, Negotiated, Offer, SIGNING_ENABLED,
            SIGNING_REQUIRED, Signing,
        },
        status::Status,
    },
};

/// What both sides agreed on.
#[derive(Clone, Debug)]
pub(crate) struct Agreed {
    pub dialect: Dialect,
    pub answer: Negotiated,
    pub signing: Signing,
    pub cipher: Option<Cipher>,
    /// Largest READ, bytes.
    pub max_read: u32,
    /// Largest answer of anything else, bytes.
    pub max_transact: u32,
    /// What we had said, for the proof.
    pub offer: Offer,
}

/// What we say of ourselves.
pub(crate) fn offer(host: &str, options: &SmbOptions) -> Offer {
    let required = if options.signing == Demand::Required { SIGNING_REQUIRED } else { 0 };
    Offer {
        dialects: Dialect::ALL.to_vec(),
        security_mode: SIGNING_ENABLED | required,
        capabilities: CAP_DFS | CAP_LARGE_MTU | CAP_ENCRYPTION,
        client: crypto::random(),
        salt: crypto::random(),
        server_name: utf16(host),
    }
}

/// Sends NEGOTIATE and makes sense of the answer.
pub(crate) async fn negotiate(
    connection: &Connection,
    offer: &Offer,
    preauth: &mut Preauth,
) -> Result<Agreed, Failure> {
    let request = Request::new(Command::Negotiate, offer.request());
    let reply = match connection.handshake("NEGOTIATE", 0, request, preauth).await {
        // A server that speaks only SMB 1 hangs up.
        Err(Failure::Lost(why)) => {
            return Err(Failure::NotSmb(format!("{why}, in answer to the versions 2.1 to 3.1.1 of SMB")));
        }
        answer => answer?,
    };
    if reply.status() == Status::NOT_SUPPORTED {
        return Err(Failure::NotSmb("the server speaks none of the versions 2.1 to 3.1.1 of SMB".to_owned()));
    }
    let answer = Negotiated::decode(reply.good()?)?;
    let Some(dialect) = Dialect::from_number(answer.dialect) else {
        return Err(Failure::NotSmb(format!("the server speaks SMB {}, older than 2.1", version(answer.dialect))));
    };
    if dialect == Dialect::Smb311 && !answer.preauth {
        return Err(Failure::Malformed(Malformed("SMB 3.1.1 without the hash over what was negotiated")));
    }
    preauth.add(&reply.message);
    let large = answer.capabilities & CAP_LARGE_MTU != 0;
    let limit = |told: u32| if large { told.min(frame::MOST_CONTENT) } else { told.min(CREDIT) };
    let cipher = match dialect {
        Dialect::Smb210 => None,
        Dialect::Smb300 | Dialect::Smb302 => (answer.capabilities & CAP_ENCRYPTION != 0).then_some(Cipher::Aes128Ccm),
        Dialect::Smb311 => answer.cipher,
    };
    let signing = match dialect {
        Dialect::Smb210 => Signing::HmacSha256,
        Dialect::Smb300 | Dialect::Smb302 => Signing::AesCmac,
        Dialect::Smb311 => answer.signing.unwrap_or(Signing::AesCmac),
    };
    Ok(Agreed {
        dialect,
        signing,
        cipher,
        max_read: limit(answer.max_read).max(1),
        max_transact: limit(answer.max_transact).max(1024),
        offer: offer.clone(),
        answer,
    })
}

fn version(dialect: u16) -> String {
    match dialect {
        0x0202 => "2.0.2".to_owned(),
        0x02FF => "2.???".to_owned(),
        other => format!("0x{other:04X}"),
    }
}
