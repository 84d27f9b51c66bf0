//! NTLMv2 ([MS-NLMP]), with the message integrity code.

use crate::{
    Credentials, crypto,
    failure::Failure,
    names::{self, le_bytes, utf16},
    wire::cursor::{Malformed, Reader, Writer, len16, part},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use md4::{Digest as _, Md4};
use md5::Md5;
use rc4::{Rc4, StreamCipher as _};
use std::time::{SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

mod flag {
    pub const UNICODE: u32 = 1;
    pub const REQUEST_TARGET: u32 = 4;
    pub const SIGN: u32 = 0x10;
    pub const SEAL: u32 = 0x20;
    pub const NTLM: u32 = 0x200;
    pub const ANONYMOUS: u32 = 0x800;
    pub const ALWAYS_SIGN: u32 = 0x8000;
    pub const EXTENDED_SECURITY: u32 = 0x8_0000;
    pub const TARGET_INFO: u32 = 0x80_0000;
    pub const VERSION: u32 = 0x200_0000;
    pub const KEY_128: u32 = 0x2000_0000;
    pub const KEY_EXCHANGE: u32 = 0x4000_0000;
    pub const KEY_56: u32 = 0x8000_0000;
}

const WANTED: u32 = flag::UNICODE
    | flag::REQUEST_TARGET
    | flag::SIGN
    | flag::SEAL
    | flag::NTLM
    | flag::ALWAYS_SIGN
    | flag::EXTENDED_SECURITY
    | flag::TARGET_INFO
    | flag::VERSION
    | flag::KEY_128
    | flag::KEY_EXCHANGE
    | flag::KEY_56;

/// Windows 10 in the form of [MS-NLMP] 2.2.2.10: servers only log it.
const VERSION: [u8; 8] = [10, 0, 0, 0, 0, 0, 0, 15];

/// Most bytes that a server says of itself: seven names and some numbers.
const MOST_INFO: u16 = 8 << 10;
/// Longest name of ours, in bytes: Windows has none longer than 256 characters, and a service has one of 253 in it.
const MOST_NAME: usize = 2 << 10;

/// What a server says of itself in a challenge ([MS-NLMP] 2.2.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TargetInfo {
    pub netbios_computer: Option<String>,
    pub netbios_domain: Option<String>,
    pub dns_computer: Option<String>,
    pub dns_domain: Option<String>,
    pub dns_tree: Option<String>,
    /// The server's clock, 100 ns since 1601.
    pub time: Option<u64>,
    /// Major, minor, build.
    pub version: Option<(u8, u8, u16)>,
}

/// The second message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub flags: u32,
    pub nonce: [u8; 8],
    /// Attributes as they came, without the last, which ends the list.
    pairs: Vec<(u16, Vec<u8>)>,
    pub target: TargetInfo,
}

impl Challenge {
    pub fn decode(raw: &[u8]) -> Result<Self, Malformed> {
        let mut at = Reader::new(raw);
        if at.array::<8>()? != *SIGNATURE || at.u32()? != 2 {
            return Err(Malformed("its authentication token is not a challenge of NTLM"));
        }
        at.skip(8)?; // target name
        let flags = at.u32()?;
        let nonce = at.array()?;
        at.skip(8)?;
        let len = at.u16()?;
        at.skip(2)?;
        let offset = at.size()?;
        if len > MOST_INFO {
            return Err(Malformed("what it says of itself in a challenge of NTLM is too long"));
        }
        let info = part(raw, offset, len.into())?;
        let mut pairs = Vec::new();
        let mut target = TargetInfo::default();
        if flags & flag::VERSION != 0
            && let Ok(version) = at.array::<8>()
        {
            target.version = Some((version[0], version[1], u16::from_le_bytes([version[2], version[3]])));
        }
        let mut info = Reader::new(info);
        while !info.rest().is_empty() {
            let kind = info.u16()?;
            let len = info.u16()?;
            let value = info.bytes(len.into())?;
            let text = || Some(names::text(value));
            match kind {
                0 => break,
                1 => target.netbios_computer = text(),
                2 => target.netbios_domain = text(),
                3 => target.dns_computer = text(),
                4 => target.dns_domain = text(),
                5 => target.dns_tree = text(),
                7 => target.time = Reader::new(value).u64().ok(),
                _ => {}
            }
            pairs.push((kind, value.to_vec()));
        }
        Ok(Self { flags, nonce, pairs, target })
    }

    /// Bytes of its attributes.
    #[cfg(test)]
    pub fn size(&self) -> usize {
        self.pairs.iter().map(|(_, value)| value.len()).sum()
    }

    /// The attributes as we send them back: with the promise of an integrity code and the server's name.
    fn answered(&self, service: &str) -> Vec<u8> {
        const FLAGS: u16 = 6;
        const TARGET_NAME: u16 = 9;
        const BINDINGS: u16 = 10;
        let mut out = Writer::default();
        let said = self.pairs.iter().find(|(kind, _)| *kind == FLAGS);
        let said = said.and_then(|(_, value)| Reader::new(value).u32().ok()).unwrap_or(0);
        for (kind, value) in self.pairs.iter().filter(|(kind, _)| ![FLAGS, TARGET_NAME, BINDINGS].contains(kind)) {
            out.u16(*kind).u16(len16(value.len())).bytes(value);
        }
        out.u16(FLAGS).u16(4).u32(said | 2);
        out.u16(BINDINGS).u16(16).zeros(16);
        let service = le_bytes(&utf16(service));
        out.u16(TARGET_NAME).u16(len16(service.len())).bytes(&service);
        out.u32(0);
        out.done()
    }
}

/// Who we say we are.
enum Who {
    User { name: String, domain: String, hash: Zeroizing<[u8; 16]> },
    Nobody,
}

/// Our side.
pub(crate) struct Client {
    who: Who,
    service: String,
    first: Vec<u8>,
    target: Option<TargetInfo>,
    key: Zeroizing<Vec<u8>>,
    exchanged: bool,
}

impl Client {
    /// Begins: the first message.
    pub fn begin(credentials: &Credentials, host: &str) -> (Self, Vec<u8>) {
        let user = |name: &str, domain: &str, password: &str| Who::User {
            name: name.to_owned(),
            domain: domain.to_owned(),
            hash: nt_hash(password),
        };
        let who = match credentials {
            Credentials::Password { user: name, domain, password } => user(name, domain, password.reveal()),
            Credentials::Guest => user("Guest", "", ""),
            Credentials::Anonymous | Credentials::Kerberos { .. } => Who::Nobody,
        };
        let mut out = Writer::default();
        out.bytes(SIGNATURE).u32(1).u32(WANTED).zeros(16).bytes(&VERSION);
        let first = out.done();
        let service = format!("cifs/{host}");
        let client =
            Self { who, service, first: first.clone(), target: None, key: Zeroizing::default(), exchanged: false };
        (client, first)
    }

    /// The third message, in answer to the second.
    pub fn authenticate(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Failure> {
        let asked = Challenge::decode(challenge)?;
        self.target = Some(asked.target.clone());
        let mut flags = WANTED & asked.flags;
        let needed = flag::UNICODE | flag::EXTENDED_SECURITY;
        if flags & needed != needed {
            return Err(Failure::Authentication("the server speaks only an NTLM older than version 2"));
        }
        let Who::User { name, domain, hash } = &self.who else {
            return Ok(self.anonymous(flags | flag::ANONYMOUS));
        };
        let longest = [name, domain, &self.service].map(|name| 2 * name.len()).into_iter().max();
        if longest > Some(MOST_NAME) {
            return Err(Failure::Authentication("the name of the user, the domain or the server is too long"));
        }
        if flags & flag::TARGET_INFO == 0 {
            return Err(Failure::Authentication("the server speaks only an NTLM older than version 2"));
        }
        flags |= flag::TARGET_INFO;
        let ours: [u8; 8] = crypto::random();
        let whose = le_bytes(&utf16(&format!("{}{domain}", name.to_uppercase())));
        let owf = hmac_md5(&hash[..], &[&whose]);
        let time = asked.target.time.unwrap_or_else(now);
        let mut blob = Writer::default();
        blob.u16(0x0101).zeros(6).u64(time).bytes(&ours).u32(0).bytes(&asked.answered(&self.service)).u32(0);
        let blob = blob.done();
        let proof = hmac_md5(&owf[..], &[&asked.nonce, &blob]);
        let base = hmac_md5(&owf[..], &[&proof[..]]);
        let response = [&proof[..], &blob].concat();
        // With the server's time the old response is left out ([MS-NLMP] 3.1.5.1.2).
        let old = if asked.target.time.is_some() {
            vec![0; 24]
        } else {
            [&hmac_md5(&owf[..], &[&asked.nonce, &ours])[..], &ours].concat()
        };
        self.exchanged = flags & flag::KEY_EXCHANGE != 0;
        let mut sent = Vec::new();
        if self.exchanged {
            let exported = Zeroizing::new(crypto::random::<16>());
            sent = exported.to_vec();
            rc4(&base[..], &mut sent);
            self.key = Zeroizing::new(exported.to_vec());
        } else {
            self.key = Zeroizing::new(base.to_vec());
        }
        let fields = [&old[..], &response, &le_bytes(&utf16(domain)), &le_bytes(&utf16(name)), &workstation(), &sent];
        let mut message = third(&fields, flags);
        let mic = hmac_md5(&self.key, &[&self.first, challenge, &message]);
        message[72..88].copy_from_slice(&mic[..]);
        Ok(message)
    }

    fn anonymous(&mut self, flags: u32) -> Vec<u8> {
        self.exchanged = flags & flag::KEY_EXCHANGE != 0;
        // The key is known to everybody: nothing is ever signed with it.
        self.key = Zeroizing::default();
        let mut sent = if self.exchanged { vec![0; 16] } else { Vec::new() };
        if self.exchanged {
            rc4(&[0; 16], &mut sent);
        }
        third(&[&[0], &[], &[], &[], &workstation(), &sent], flags)
    }

    /// The signature over the list of mechanisms ([MS-NLMP] 3.4.4.2); none for nobody.
    pub fn mic(&self, list: &[u8]) -> Option<[u8; 16]> {
        if self.key.is_empty() {
            return None;
        }
        let derived = |magic: &[u8]| Md5::new().chain_update(&self.key[..]).chain_update(magic).finalize();
        let signing = derived(b"session key to client-to-server signing key magic constant\0");
        let sealing = derived(b"session key to client-to-server sealing key magic constant\0");
        let mut sum = hmac_md5(&signing, &[&[0; 4], list])[..8].to_vec();
        if self.exchanged {
            rc4(&sealing, &mut sum);
        }
        let mut mic = [0; 16];
        mic[0] = 1;
        mic[4..12].copy_from_slice(&sum);
        Some(mic)
    }

    pub fn session_key(&self) -> Zeroizing<Vec<u8>> {
        self.key.clone()
    }

    pub fn target(&self) -> Option<&TargetInfo> {
        self.target.as_ref()
    }
}

/// AUTHENTICATE ([MS-NLMP] 2.2.1.3), its integrity code left empty.
fn third(fields: &[&[u8]; 6], flags: u32) -> Vec<u8> {
    let mut head = Writer::default();
    head.bytes(SIGNATURE).u32(3);
    let mut offset = 88_u32;
    for field in fields {
        let len = len16(field.len());
        head.u16(len).u16(len).u32(offset);
        offset += u32::from(len);
    }
    head.u32(flags).bytes(&VERSION).zeros(16);
    for field in fields {
        head.bytes(field);
    }
    head.done()
}

/// What the server's log calls this machine.
fn workstation() -> Vec<u8> {
    le_bytes(&utf16("LONGSHORE"))
}

/// MD4 of the password in UTF-16 ([MS-NLMP] 3.3.1).
fn nt_hash(password: &str) -> Zeroizing<[u8; 16]> {
    let units = Zeroizing::new(le_bytes(&utf16(password)));
    Zeroizing::new(Md4::digest(&units[..]).into())
}

fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 16]> {
    let mut mac = Hmac::<Md5>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn rc4(key: &[u8], data: &mut [u8]) {
    let mut cipher = Rc4::new_from_slice(key).expect("RC4 takes a key of 16 bytes");
    cipher.apply_keystream(data);
}

/// Now, in 100 ns since 1601.
fn now() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let ticks = since_1970.as_nanos() / 100 + 116_444_736_000_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [MS-NLMP] 4.2.1 and 4.2.4: user `User`, domain `Domain`, password `Password`.
    #[test]
    fn responses_are_those_of_the_specification() {
        let hash = nt_hash("Password");
        assert_eq!(hash[..], *b"\xa4\xf4\x9c\x40\x65\x10\xbd\xca\xb6\x82\x4e\xe7\xc3\x0f\xd8\x52");
        let owf = hmac_md5(&hash[..], &[&le_bytes(&utf16("USERDomain"))]);
        assert_eq!(owf[..], *b"\x0c\x86\x8a\x40\x3b\xfd\x7a\x93\xa3\x00\x1e\xf2\x2e\xf0\x2e\x3f");
        let mut blob = Writer::default();
        blob.u16(0x0101).zeros(6).u64(0).bytes(&[0xAA; 8]).u32(0);
        for (kind, text) in [(2, "Domain"), (1, "Server")] {
            blob.u16(kind).u16(12).bytes(&le_bytes(&utf16(text)));
        }
        let blob = blob.u32(0).u32(0).done();
        let challenge = b"\x01\x23\x45\x67\x89\xab\xcd\xef";
        let proof = hmac_md5(&owf[..], &[challenge, &blob]);
        assert_eq!(proof[..], *b"\x68\xcd\x0a\xb8\x51\xe5\x1c\x96\xaa\xbc\x92\x7b\xeb\xef\x6a\x1c");
        let base = hmac_md5(&owf[..], &[&proof[..]]);
        assert_eq!(base[..], *b"\x8d\xe4\x0c\xca\xdb\xc1\x4a\x82\xf1\x5c\xb0\xad\x0d\xe9\x5c\xa3");
        // The random session key of 16 times 0x55, exchanged.
        let mut sent = [0x55; 16];
        rc4(&base[..], &mut sent);
        assert_eq!(sent, *b"\xc5\xda\xd2\x54\x4f\xc9\x79\x90\x94\xce\x1c\xe9\x0b\xc9\xd0\x3e");
    }

    /// A challenge with one attribute of so many bytes.
    fn challenge(len: u16) -> Vec<u8> {
        let mut out = Writer::default();
        out.bytes(SIGNATURE).u32(2).u64(0).u32(WANTED).u64(7).u64(0);
        out.u16(len + 8).u16(len + 8).u32(56).bytes(&VERSION);
        out.u16(1).u16(len).zeros(len.into()).u32(0).done()
    }

    #[test]
    fn what_no_answer_can_say_is_refused() {
        let proof = |user: &str, len| {
            let password = crate::Secret::new("hush");
            let credentials = Credentials::Password { user: user.to_owned(), domain: String::new(), password };
            Client::begin(&credentials, "server").0.authenticate(&challenge(len))
        };
        assert!(proof("anna", 8000).is_ok());
        assert!(matches!(proof("anna", 65_300), Err(Failure::Malformed(_))));
        assert!(matches!(proof(&"a".repeat(40_000), 10), Err(Failure::Authentication(_))));
    }

    #[test]
    fn a_challenge_of_garbage_is_refused() {
        assert!(Challenge::decode(b"").is_err());
        assert!(Challenge::decode(b"NTLMSSP\0\x02\0\0\0").is_err());
    }
}
