//! Keys, signatures and encryption of SMB.

mod keys;
mod seal;
mod sign;

pub(crate) use keys::{Keys, Preauth};
pub(crate) use seal::{Opener, Sealer};
pub(crate) use sign::Signer;

/// Random bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    aws_lc_rs::rand::fill(&mut out).expect("the operating system gives random bytes");
    out
}
