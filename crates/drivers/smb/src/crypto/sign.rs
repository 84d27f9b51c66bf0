//! Signatures ([MS-SMB2] 3.1.4.1).

use crate::wire::{header::SIGNATURE, negotiate::Signing};
use aws_lc_rs::{
    aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    cmac, constant_time, hmac,
};
use std::fmt;

/// Signs and checks with one session's key.
pub(crate) enum Signer {
    Hmac(Box<hmac::Key>),
    Cmac(cmac::Key),
    Gmac(LessSafeKey),
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hmac(_) => "Hmac",
            Self::Cmac(_) => "Cmac",
            Self::Gmac(_) => "Gmac",
        })
    }
}

impl Signer {
    /// With a key of 16 bytes.
    pub fn new(kind: Signing, key: &[u8]) -> Self {
        const LENGTH: &str = "signing keys are derived with 16 bytes";
        match kind {
            Signing::HmacSha256 => Self::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, key))),
            Signing::AesCmac => Self::Cmac(cmac::Key::new(cmac::AES_128, key).expect(LENGTH)),
            Signing::AesGmac => Self::Gmac(LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key).expect(LENGTH))),
        }
    }

    /// Puts the signature into a message whose signature is all zeros.
    pub fn sign(&self, message: &mut [u8], id: u64) {
        let signature = self.signature(message, id, 0);
        message[SIGNATURE].copy_from_slice(&signature);
    }

    /// Does the signature fit an answer whose own place for it was set to zeros?
    pub fn fits(&self, message: &[u8], id: u64, signature: &[u8; 16]) -> bool {
        constant_time::verify_slices_are_equal(&self.signature(message, id, 1), signature).is_ok()
    }

    fn signature(&self, message: &[u8], id: u64, from_server: u8) -> [u8; 16] {
        let mut out = [0; 16];
        match self {
            Self::Hmac(key) => out.copy_from_slice(&hmac::sign(key, message).as_ref()[..16]),
            Self::Cmac(key) => {
                let tag = cmac::sign(key, message).expect("CMAC takes a message of any length");
                out.copy_from_slice(&tag.as_ref()[..16]);
            }
            Self::Gmac(key) => {
                // The ID of the message, then who sent it; cancelling, the other bit, is not done.
                let mut nonce = [0; 12];
                nonce[..8].copy_from_slice(&id.to_le_bytes());
                nonce[8] = from_server;
                let nonce = Nonce::assume_unique_for_key(nonce);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(message), &mut []);
                out.copy_from_slice(tag.expect("GMAC takes any message below 2^36 bytes").as_ref());
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_message_does_not_fit_its_signature() {
        for kind in [Signing::HmacSha256, Signing::AesCmac, Signing::AesGmac] {
            let signer = Signer::new(kind, &[7; 16]);
            let mut message = vec![1; 200];
            message[SIGNATURE].fill(0);
            let signature = signer.signature(&message, 9, 1);
            assert!(signer.fits(&message, 9, &signature));
            message[150] ^= 1;
            assert!(!signer.fits(&message, 9, &signature), "{kind:?}");
        }
    }
}
