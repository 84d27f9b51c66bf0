//! Who we are, proved to the server: SPNEGO around NTLMv2 or Kerberos.

mod der;
mod ntlm;
mod spnego;
mod ticket;

use crate::{Credentials, failure::Failure};
pub(crate) use ntlm::TargetInfo;
use zeroize::Zeroizing;

/// An authentication in progress.
pub(crate) enum Exchange {
    Ntlm(Box<ntlm::Client>),
    Kerberos(ticket::Client),
}

impl Exchange {
    /// Begins. `offer` is the token of NEGOTIATE, which may name the mechanisms the server knows.
    pub async fn begin(credentials: &Credentials, host: &str, offer: &[u8]) -> Result<(Self, Vec<u8>), Failure> {
        let known = spnego::offered(offer);
        match credentials {
            Credentials::Kerberos { principal, keytab, ccache } => {
                if known.is_some_and(|known| !known.kerberos) {
                    return Err(Failure::NotOffered("Kerberos"));
                }
                let whose = kerberos::Credentials {
                    principal: principal.clone(),
                    keytab: keytab.clone(),
                    ccache: ccache.clone(),
                };
                let (client, token) = ticket::Client::begin(host, whose).await?;
                Ok((Self::Kerberos(client), spnego::first(spnego::Mechanism::Kerberos, &token)))
            }
            Credentials::Password { .. } | Credentials::Guest | Credentials::Anonymous => {
                if known.is_some_and(|known| !known.ntlm) {
                    return Err(Failure::NotOffered("NTLM"));
                }
                let (client, token) = ntlm::Client::begin(credentials, host);
                Ok((Self::Ntlm(Box::new(client)), spnego::first(spnego::Mechanism::Ntlm, &token)))
            }
        }
    }

    /// Answers a token of the server; nothing when there is nothing more to say.
    pub async fn answer(&mut self, token: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        let reply = spnego::Reply::decode(token)?;
        match self {
            Self::Ntlm(client) => {
                let proof = client.authenticate(&reply.token.unwrap_or_default())?;
                let mic = client.mic(&spnego::mechanisms(spnego::Mechanism::Ntlm));
                Ok(Some(spnego::next(&proof, mic.as_ref().map(|mic| &mic[..]))))
            }
            Self::Kerberos(client) => {
                let more = client.step(reply.token).await?;
                Ok(more.map(|token| spnego::next(&token, None)))
            }
        }
    }

    /// Takes the token that came with success. Kerberos proves the server by it.
    pub async fn finish(&mut self, token: &[u8]) -> Result<(), Failure> {
        if let Self::Kerberos(client) = self {
            let reply = if token.is_empty() { None } else { spnego::Reply::decode(token)?.token };
            client.finish(reply).await?;
        }
        Ok(())
    }

    /// The key that both sides have now; nothing for guests and nobody.
    pub fn session_key(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        match self {
            Self::Ntlm(client) => Ok(client.session_key()),
            Self::Kerberos(client) => client.session_key(),
        }
    }

    /// What the server said of itself while we authenticated.
    pub fn target(&self) -> Option<&TargetInfo> {
        match self {
            Self::Ntlm(client) => client.target(),
            Self::Kerberos(_) => None,
        }
    }
}

/// Tries every decoder of this module; how many bytes are kept.
#[cfg(test)]
pub(crate) fn decode_for_tests(raw: &[u8]) -> usize {
    let reply = spnego::Reply::decode(raw).unwrap_or_default().token.unwrap_or_default();
    let offered = spnego::offered(raw).is_some();
    let challenge = |raw: &[u8]| ntlm::Challenge::decode(raw).map_or(0, |challenge| challenge.size());
    usize::from(offered) + reply.len() + challenge(&reply) + challenge(raw)
}
