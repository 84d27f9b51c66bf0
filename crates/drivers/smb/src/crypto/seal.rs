//! Encryption ([MS-SMB2] 2.2.41, 3.1.4.3): every message within a TRANSFORM_HEADER of 52 bytes.

use crate::wire::{
    cursor::{Malformed, Reader, Writer, len32},
    header::MAGIC_SEALED,
    negotiate::Cipher,
};
use aes::{Aes128, Aes256};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use bytes::BytesMut;
use ccm::{
    Ccm,
    aead::{AeadInOut as _, KeyInit as _},
    consts::{U11, U16},
};
use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

/// Bytes of the header before an encrypted message.
pub(crate) const TRANSFORM: usize = 52;

enum Key {
    Gcm(LessSafeKey),
    Ccm128(Box<Ccm<Aes128, U16, U11>>),
    Ccm256(Box<Ccm<Aes256, U16, U11>>),
}

impl Key {
    fn new(cipher: Cipher, key: &[u8]) -> Self {
        const LENGTH: &str = "keys are derived with the length of their cipher";
        match cipher {
            Cipher::Aes128Gcm => Self::Gcm(LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key).expect(LENGTH))),
            Cipher::Aes256Gcm => Self::Gcm(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect(LENGTH))),
            Cipher::Aes128Ccm => Self::Ccm128(Box::new(Ccm::new_from_slice(key).expect(LENGTH))),
            Cipher::Aes256Ccm => Self::Ccm256(Box::new(Ccm::new_from_slice(key).expect(LENGTH))),
        }
    }
}

/// Encrypts what we send.
pub(crate) struct Sealer {
    key: Key,
    session: u64,
    /// A nonce must never come twice under one key.
    next: AtomicU64,
}

/// Decrypts what the server sends.
pub(crate) struct Opener {
    key: Key,
    session: u64,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").finish_non_exhaustive()
    }
}
impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").finish_non_exhaustive()
    }
}

impl Sealer {
    pub fn new(cipher: Cipher, key: &[u8], session: u64) -> Self {
        Self { key: Key::new(cipher, key), session, next: AtomicU64::new(1) }
    }

    /// The message as it goes out, behind `room` free bytes.
    pub fn seal(&self, message: &[u8], room: usize) -> Vec<u8> {
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.next.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        let mut head = Writer::default();
        head.bytes(&MAGIC_SEALED).zeros(16).bytes(&nonce).u32(len32(message.len())).u16(0).u16(1).u64(self.session);
        let head = head.done();
        let mut out = vec![0; room];
        out.extend_from_slice(&head);
        out.extend_from_slice(message);
        let (before, content) = out.split_at_mut(room + TRANSFORM);
        let aad = &head[20..];
        let tag = match &self.key {
            Key::Gcm(key) => {
                let nonce = Nonce::try_assume_unique_for_key(&nonce[..12]).expect("it has 12 bytes");
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), content);
                tag.expect("GCM takes any message below 2^36 bytes").as_ref().to_vec()
            }
            Key::Ccm128(key) => {
                let tag = key.encrypt_inout_detached(&first_11(&nonce).into(), aad, content.into());
                tag.expect("CCM with this nonce takes messages below 2^32 bytes").to_vec()
            }
            Key::Ccm256(key) => {
                let tag = key.encrypt_inout_detached(&first_11(&nonce).into(), aad, content.into());
                tag.expect("CCM with this nonce takes messages below 2^32 bytes").to_vec()
            }
        };
        before[room + 4..room + 20].copy_from_slice(&tag);
        out
    }
}

impl Opener {
    pub fn new(cipher: Cipher, key: &[u8], session: u64) -> Self {
        Self { key: Key::new(cipher, key), session }
    }

    /// The message within an encrypted one.
    pub fn open(&self, mut sealed: BytesMut) -> Result<BytesMut, Malformed> {
        if sealed.len() < TRANSFORM {
            return Err(Malformed("an encrypted message ends too early"));
        }
        let mut content = sealed.split_off(TRANSFORM);
        let mut at = Reader::new(&sealed);
        at.skip(4)?;
        let tag: [u8; 16] = at.array()?;
        let nonce: [u8; 16] = at.array()?;
        let size = at.size()?;
        at.skip(4)?;
        if at.u64()? != self.session {
            return Err(Malformed("an encrypted message belongs to another session"));
        }
        if size != content.len() {
            return Err(Malformed("an encrypted message has another size than it says"));
        }
        let aad = &sealed[20..];
        let wrong = Malformed("an encrypted message does not fit its key: it was changed on the way");
        match &self.key {
            Key::Gcm(key) => {
                let nonce = Nonce::try_assume_unique_for_key(&nonce[..12]).expect("it has 12 bytes");
                // The tag lies before the content here, and behind it for the library.
                content.extend_from_slice(&tag);
                let len = key.open_in_place(nonce, Aad::from(aad), &mut content).map_err(|_| wrong)?.len();
                content.truncate(len);
            }
            Key::Ccm128(key) => key
                .decrypt_inout_detached(&first_11(&nonce).into(), aad, content.as_mut().into(), &tag.into())
                .map_err(|_| wrong)?,
            Key::Ccm256(key) => key
                .decrypt_inout_detached(&first_11(&nonce).into(), aad, content.as_mut().into(), &tag.into())
                .map_err(|_| wrong)?,
        }
        Ok(content)
    }
}

/// CCM takes the first 11 bytes of the 16.
fn first_11(nonce: &[u8; 16]) -> [u8; 11] {
    *nonce.first_chunk().expect("11 is less than 16")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_and_what_was_changed_does_not() {
        for (cipher, len) in
            [(Cipher::Aes128Ccm, 16), (Cipher::Aes128Gcm, 16), (Cipher::Aes256Ccm, 32), (Cipher::Aes256Gcm, 32)]
        {
            let key = vec![3; len];
            let (sealer, opener) = (Sealer::new(cipher, &key, 5), Opener::new(cipher, &key, 5));
            let sealed = sealer.seal(b"message", 4).split_off(4);
            assert!(!sealed.windows(7).any(|w| w == b"message"));
            assert_eq!(opener.open(sealed[..].into()).unwrap(), b"message"[..]);
            for at in [5, 25, 40, 60] {
                let mut changed = sealed.clone();
                if at < changed.len() {
                    changed[at] ^= 1;
                    assert!(opener.open(changed[..].into()).is_err(), "{cipher:?} {at}");
                }
            }
            assert!(opener.open(sealed[..51].into()).is_err());
        }
    }
}
