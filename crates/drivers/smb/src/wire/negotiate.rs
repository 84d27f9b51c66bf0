//! NEGOTIATE ([MS-SMB2] 2.2.3, 2.2.4) and the proof that nobody changed it (2.2.31.4).

use super::{
    cursor::{Malformed, Reader, Writer, len16, len32, part},
    header::HEADER,
};
use std::fmt;

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// Windows 7, Server 2008 R2.
    Smb210,
    /// Windows 8, Server 2012.
    Smb300,
    /// Windows 8.1, Server 2012 R2.
    Smb302,
    /// Windows 10, Server 2016 and later.
    Smb311,
}

impl Dialect {
    /// All that are spoken, oldest first.
    pub const ALL: [Self; 4] = [Self::Smb210, Self::Smb300, Self::Smb302, Self::Smb311];

    /// Its number on the wire.
    pub const fn number(self) -> u16 {
        match self {
            Self::Smb210 => 0x0210,
            Self::Smb300 => 0x0300,
            Self::Smb302 => 0x0302,
            Self::Smb311 => 0x0311,
        }
    }
    pub(crate) fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.number() == number)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smb210 => "SMB 2.1",
            Self::Smb300 => "SMB 3.0",
            Self::Smb302 => "SMB 3.0.2",
            Self::Smb311 => "SMB 3.1.1",
        })
    }
}

/// How messages are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// HMAC-SHA256, SMB 2.1.
    HmacSha256,
    /// AES-128-CMAC, SMB 3.
    AesCmac,
    /// AES-128-GMAC, SMB 3.1.1 since 2021.
    AesGmac,
}

/// How messages are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cipher {
    /// AES-128-CCM, SMB 3.0 and 3.0.2.
    Aes128Ccm,
    /// AES-128-GCM.
    Aes128Gcm,
    /// AES-256-CCM.
    Aes256Ccm,
    /// AES-256-GCM.
    Aes256Gcm,
}

impl Cipher {
    /// In the order of our liking; each at least as safe as the ones after it, CCM being slow.
    const LIKED: [Self; 4] = [Self::Aes256Gcm, Self::Aes128Gcm, Self::Aes256Ccm, Self::Aes128Ccm];

    const fn number(self) -> u16 {
        match self {
            Self::Aes128Ccm => 1,
            Self::Aes128Gcm => 2,
            Self::Aes256Ccm => 3,
            Self::Aes256Gcm => 4,
        }
    }
    fn from_number(number: u16) -> Option<Self> {
        Self::LIKED.into_iter().find(|cipher| cipher.number() == number)
    }
}

impl Signing {
    const LIKED: [Self; 3] = [Self::AesGmac, Self::AesCmac, Self::HmacSha256];

    const fn number(self) -> u16 {
        match self {
            Self::HmacSha256 => 0,
            Self::AesCmac => 1,
            Self::AesGmac => 2,
        }
    }
    fn from_number(number: u16) -> Option<Self> {
        Self::LIKED.into_iter().find(|signing| signing.number() == number)
    }
}

/// Signing is possible.
pub(crate) const SIGNING_ENABLED: u16 = 1;
/// Signing is demanded.
pub(crate) const SIGNING_REQUIRED: u16 = 2;

/// The server knows DFS.
pub(crate) const CAP_DFS: u32 = 1;
/// Requests of more than 64 KiB.
pub(crate) const CAP_LARGE_MTU: u32 = 4;
/// Encryption; told by SMB 3.0 and 3.0.2 here, by 3.1.1 in a context.
pub(crate) const CAP_ENCRYPTION: u32 = 0x40;

const CONTEXT_PREAUTH: u16 = 1;
const CONTEXT_ENCRYPTION: u16 = 2;
const CONTEXT_NETNAME: u16 = 5;
const CONTEXT_SIGNING: u16 = 8;
const SHA512: u16 = 1;

/// What we say of ourselves; the same again in the proof.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub dialects: Vec<Dialect>,
    pub security_mode: u16,
    pub capabilities: u32,
    pub client: [u8; 16],
    pub salt: [u8; 32],
    /// 16-bit units of the server's name as we know it.
    pub server_name: Vec<u16>,
}

impl Offer {
    /// The body of NEGOTIATE.
    pub fn request(&self) -> Vec<u8> {
        let contexts = if self.dialects.contains(&Dialect::Smb311) { self.contexts() } else { Vec::new() };
        let mut out = Writer::default();
        out.u16(36).u16(len16(self.dialects.len())).u16(self.security_mode).u16(0).u32(self.capabilities);
        out.bytes(&self.client);
        let dialects_end = 36 + 2 * self.dialects.len();
        let at = (HEADER + dialects_end).next_multiple_of(8);
        if contexts.is_empty() {
            out.u64(0);
        } else {
            out.u32(len32(at)).u16(len16(contexts.len())).u16(0);
        }
        for dialect in &self.dialects {
            out.u16(dialect.number());
        }
        for (kind, content) in contexts {
            // Each starts at a multiple of 8 from the start of the message, and so of the body.
            out.align(8).u16(kind).u16(len16(content.len())).u32(0).bytes(&content);
        }
        out.done()
    }

    fn contexts(&self) -> Vec<(u16, Vec<u8>)> {
        let numbers = |list: &[u16]| {
            let mut out = Writer::default();
            out.u16(len16(list.len()));
            for number in list {
                out.u16(*number);
            }
            out.done()
        };
        let preauth = Writer::default().u16(1).u16(32).u16(SHA512).bytes(&self.salt).done();
        let mut contexts = vec![
            (CONTEXT_PREAUTH, preauth),
            (CONTEXT_ENCRYPTION, numbers(&Cipher::LIKED.map(Cipher::number))),
            (CONTEXT_SIGNING, numbers(&Signing::LIKED.map(Signing::number))),
        ];
        if !self.server_name.is_empty() {
            contexts.push((CONTEXT_NETNAME, crate::names::le_bytes(&self.server_name)));
        }
        contexts
    }

    /// What FSCTL_VALIDATE_NEGOTIATE_INFO asks the server to confirm.
    pub fn proof(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.u32(self.capabilities).bytes(&self.client).u16(self.security_mode).u16(len16(self.dialects.len()));
        for dialect in &self.dialects {
            out.u16(dialect.number());
        }
        out.done()
    }
}

/// What the server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Negotiated {
    pub dialect: u16,
    pub security_mode: u16,
    pub server: [u8; 16],
    pub capabilities: u32,
    pub max_transact: u32,
    pub max_read: u32,
    pub system_time: u64,
    pub token: Vec<u8>,
    pub cipher: Option<Cipher>,
    pub signing: Option<Signing>,
    pub preauth: bool,
}

impl Negotiated {
    /// From a whole message.
    pub fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut at = Reader::new(message);
        at.skip(HEADER)?;
        at.structure(65)?;
        let security_mode = at.u16()?;
        let dialect = at.u16()?;
        let contexts = at.u16()?;
        let server = at.array()?;
        let capabilities = at.u32()?;
        let max_transact = at.u32()?;
        let max_read = at.u32()?;
        at.skip(4)?; // largest write
        let system_time = at.u64()?;
        at.skip(8)?; // when it started
        let (token_at, token_len) = (at.u16()?, at.u16()?);
        let contexts_at = at.size()?;
        let token = part(message, token_at.into(), token_len.into())?.to_vec();
        let mut answer = Self {
            dialect,
            security_mode,
            server,
            capabilities,
            max_transact,
            max_read,
            system_time,
            token,
            cipher: None,
            signing: None,
            preauth: false,
        };
        if dialect == Dialect::Smb311.number() {
            let mut rest = Reader::new(message.get(contexts_at..).ok_or(Malformed("its contexts lie beyond its end"))?);
            for number in 0..contexts {
                if number > 0 {
                    let done = message.len() - rest.rest().len();
                    rest.skip(done.next_multiple_of(8) - done)?;
                }
                let kind = rest.u16()?;
                let len = rest.u16()?;
                rest.skip(4)?;
                answer.context(kind, rest.bytes(len.into())?)?;
            }
        }
        Ok(answer)
    }

    fn context(&mut self, kind: u16, content: &[u8]) -> Result<(), Malformed> {
        let mut at = Reader::new(content);
        match kind {
            CONTEXT_PREAUTH => {
                at.skip(4)?;
                self.preauth = at.u16()? == SHA512;
            }
            CONTEXT_ENCRYPTION => {
                at.skip(2)?;
                self.cipher = Cipher::from_number(at.u16()?);
            }
            CONTEXT_SIGNING => {
                at.skip(2)?;
                self.signing = Signing::from_number(at.u16()?);
            }
            _ => {}
        }
        Ok(())
    }

    /// Does the server confirm, in answer to our proof, what it said before?
    pub fn is_confirmed_by(&self, proof: &[u8]) -> bool {
        let mut said = Writer::default();
        said.u32(self.capabilities).bytes(&self.server).u16(self.security_mode).u16(self.dialect);
        proof == said.done()
    }
}
