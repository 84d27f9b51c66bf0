//! SPNEGO ([MS-SPNG], RFC 4178): the envelope in which authentication travels.

use super::der;
use crate::wire::cursor::Malformed;

/// 1.3.6.1.5.5.2
const SPNEGO: &[u8] = b"\x2b\x06\x01\x05\x05\x02";
/// 1.3.6.1.4.1.311.2.2.10
const NTLM: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a";
/// 1.2.840.113554.1.2.2
const KERBEROS: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
/// 1.2.840.48018.1.2.2: the same with a bit lost, as Windows 2000 had it.
const KERBEROS_OF_OLD: &[u8] = b"\x2a\x86\x48\x82\xf7\x12\x01\x02\x02";

const OID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const APPLICATION_0: u8 = 0x60;
const CONTEXT_0: u8 = 0xA0;
const CONTEXT_1: u8 = 0xA1;
const CONTEXT_2: u8 = 0xA2;
const CONTEXT_3: u8 = 0xA3;

/// What is in the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    Ntlm,
    Kerberos,
}

/// Mechanisms that a server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offered {
    pub ntlm: bool,
    pub kerberos: bool,
}

/// What the token of NEGOTIATE offers; `None` where it does not say, which is allowed.
pub(crate) fn offered(token: &[u8]) -> Option<Offered> {
    let inside = der::expect(APPLICATION_0, token).ok()?;
    let (_, _, rest) = der::take(inside).ok()?;
    let init = der::expect(SEQUENCE, der::expect(CONTEXT_0, rest).ok()?).ok()?;
    let list = der::expect(SEQUENCE, der::expect(CONTEXT_0, init).ok()?).ok()?;
    let oids = der::each(list).ok()?;
    let has = |wanted: &[u8]| oids.iter().any(|(tag, oid)| *tag == OID && *oid == wanted);
    Some(Offered { ntlm: has(NTLM), kerberos: has(KERBEROS) || has(KERBEROS_OF_OLD) })
}

/// The list of the one mechanism we offer, as it is signed.
pub(crate) fn mechanisms(mechanism: Mechanism) -> Vec<u8> {
    let oids = match mechanism {
        Mechanism::Ntlm => der::value(OID, NTLM),
        Mechanism::Kerberos => [der::value(OID, KERBEROS), der::value(OID, KERBEROS_OF_OLD)].concat(),
    };
    der::value(SEQUENCE, &oids)
}

/// The first token: `NegTokenInit`.
pub(crate) fn first(mechanism: Mechanism, token: &[u8]) -> Vec<u8> {
    let list = der::value(CONTEXT_0, &mechanisms(mechanism));
    let token = der::value(CONTEXT_2, &der::value(OCTETS, token));
    let init = der::value(CONTEXT_0, &der::value(SEQUENCE, &[list, token].concat()));
    der::value(APPLICATION_0, &[der::value(OID, SPNEGO), init].concat())
}

/// A later token: `NegTokenResp`.
pub(crate) fn next(token: &[u8], mic: Option<&[u8]>) -> Vec<u8> {
    let mut content = der::value(CONTEXT_2, &der::value(OCTETS, token));
    if let Some(mic) = mic {
        content.extend(der::value(CONTEXT_3, &der::value(OCTETS, mic)));
    }
    der::value(CONTEXT_1, &der::value(SEQUENCE, &content))
}

/// What the server answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub token: Option<Vec<u8>>,
}

impl Reply {
    pub fn decode(raw: &[u8]) -> Result<Self, Malformed> {
        let fields = der::each(der::expect(SEQUENCE, der::expect(CONTEXT_1, raw)?)?)?;
        let mut reply = Self::default();
        for (tag, content) in fields {
            if tag == CONTEXT_2 {
                reply.token = Some(der::expect(OCTETS, content)?.to_vec());
            }
        }
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_offer_is_read_as_offered() {
        let found = |mechanism| offered(&first(mechanism, &[1; 300])).unwrap();
        assert_eq!(found(Mechanism::Ntlm), Offered { ntlm: true, kerberos: false });
        assert_eq!(found(Mechanism::Kerberos), Offered { ntlm: false, kerberos: true });
        assert_eq!(offered(b"NTLMSSP\0"), None);
        assert_eq!(Reply::decode(&next(b"token", Some(b"mic"))).unwrap().token.as_deref(), Some(&b"token"[..]));
    }
}
