//! Keys of a session ([MS-SMB2] 3.1.4.2, 3.2.5.3).

use crate::wire::negotiate::{Cipher, Dialect};
use aws_lc_rs::{digest, hmac};
use zeroize::{Zeroize as _, Zeroizing};

/// The running hash over what was said before there were keys ([MS-SMB2] 3.2.5.2, 3.2.5.3): whoever changed a word
/// of it ends up with other keys.
#[derive(Clone, Debug)]
pub(crate) struct Preauth([u8; 64]);

impl Preauth {
    pub fn new() -> Self {
        Self([0; 64])
    }
    pub fn add(&mut self, message: &[u8]) {
        let mut context = digest::Context::new(&digest::SHA512);
        context.update(&self.0);
        context.update(message);
        self.0.copy_from_slice(context.finish().as_ref());
    }
}

/// The keys of a session.
pub(crate) struct Keys {
    pub signing: Zeroizing<Vec<u8>>,
    /// For what we send.
    pub sealing: Zeroizing<Vec<u8>>,
    /// For what the server sends.
    pub opening: Zeroizing<Vec<u8>>,
}

impl Keys {
    /// From the key that authentication agreed on, of any length.
    pub fn derive(dialect: Dialect, cipher: Option<Cipher>, secret: &[u8], preauth: &Preauth) -> Self {
        // The session key proper is its first 16 bytes, filled up with zeros.
        let mut session = Zeroizing::new(vec![0; 16]);
        let len = secret.len().min(16);
        session[..len].copy_from_slice(&secret[..len]);
        let wide = matches!(cipher, Some(Cipher::Aes256Ccm | Cipher::Aes256Gcm));
        let derived = |label: &[u8], context: &[u8], bits: u32| {
            // 256-bit ciphers start from the whole key.
            let from = if bits == 256 && secret.len() > 16 { secret } else { &session };
            kdf(from, label, context, bits)
        };
        let seal_bits = if wide { 256 } else { 128 };
        match dialect {
            Dialect::Smb210 => Self { signing: session, sealing: Zeroizing::default(), opening: Zeroizing::default() },
            Dialect::Smb300 | Dialect::Smb302 => Self {
                signing: derived(b"SMB2AESCMAC\0", b"SmbSign\0", 128),
                sealing: derived(b"SMB2AESCCM\0", b"ServerIn \0", seal_bits),
                opening: derived(b"SMB2AESCCM\0", b"ServerOut\0", seal_bits),
            },
            Dialect::Smb311 => Self {
                signing: derived(b"SMBSigningKey\0", &preauth.0, 128),
                sealing: derived(b"SMBC2SCipherKey\0", &preauth.0, seal_bits),
                opening: derived(b"SMBS2CCipherKey\0", &preauth.0, seal_bits),
            },
        }
    }
}

/// SP 800-108 in counter mode with HMAC-SHA256, a counter and a length of 32 bits.
fn kdf(secret: &[u8], label: &[u8], context: &[u8], bits: u32) -> Zeroizing<Vec<u8>> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut mac = hmac::Context::with_key(&key);
    mac.update(&1_u32.to_be_bytes());
    mac.update(label);
    mac.update(&[0]);
    mac.update(context);
    mac.update(&bits.to_be_bytes());
    let mut block = [0; 32];
    block.copy_from_slice(mac.sign().as_ref());
    let out = Zeroizing::new(block[..if bits == 256 { 32 } else { 16 }].to_vec());
    block.zeroize();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    /// "SMB 2 and SMB 3 security in Windows 10: the anatomy of signing and cryptographic keys", the Microsoft Open
    /// Specifications blog: session keys and what is derived from them.
    #[test]
    fn keys_are_derived_as_microsoft_publishes_them() {
        let secret = hex("7CD451825D0450D235424E44BA6E78CC");
        let keys = Keys::derive(Dialect::Smb300, None, &secret, &Preauth::new());
        assert_eq!(keys.signing[..], hex("0B7E9C5CAC36C0F6EA9AB275298CEDCE"));
        let secret = hex("270E1BA896585EEB7AF3472D3B4C75A7");
        let preauth = hex(concat!(
            "0DD13628CC3ED218EF9DF9772D436D0887AB9814BFAE63A80AA845F36909DB79",
            "28622DDDAD522D9751640A459762C5A9D6BB084CBB3CE6BDADEF5D5BCE3C6C01"
        ));
        let preauth = Preauth(preauth.try_into().unwrap());
        let keys = Keys::derive(Dialect::Smb311, None, &secret, &preauth);
        assert_eq!(keys.signing[..], hex("73FE7A9A77BEF0BDE49C650D8CCB5F76"));
    }
}
