//! The first words with a NameNode, by ourselves: is it one, and does it want Kerberos?
//!
//! `hdfs-native` believes the length that a server states, says nothing but "disconnected" when the server refuses
//! simple authentication, and waits for ever for one that is silent. So every NameNode is asked once, with limits,
//! before the crate gets to talk to it. The form: a preamble, then lengths in 4 bytes (big endian), then messages of
//! protocol buffers, each with its length (Hadoop's RpcHeader.proto, `org.apache.hadoop.ipc.Server`).

use crate::failure::Failure;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// "hrpc", version 9, service class 0, authentication by SASL (-33).
const PREAMBLE: [u8; 7] = [b'h', b'r', b'p', b'c', 9, 0, 0xDF];
/// RpcRequestHeaderProto {kind 2 (protocol buffers), operation 0, call -33, client "", retry -1}: fields 1 to 5; the
/// call and the retry are zigzag numbers. Then RpcSaslProto {state NEGOTIATE (1)}.
const NEGOTIATE: [u8; 18] = [0, 0, 0, 14, 10, 0x08, 2, 0x10, 0, 0x18, 0x41, 0x22, 0, 0x28, 1, 2, 0x10, 1];
/// The answer names mechanisms: some hundred bytes.
const LARGEST: usize = 64 << 10;

/// What a NameNode says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// Anybody may come in.
    Simple,
    /// These ways to prove who we are, such as `TOKEN` and `KERBEROS`, with the service's principal where told.
    Methods(Vec<(String, String)>),
}

impl Greeting {
    pub fn wants_kerberos(&self) -> bool {
        matches!(self, Self::Methods(methods) if !methods.iter().any(|(method, _)| method == "SIMPLE"))
    }
}

/// Asks the NameNode at `host:port`.
pub(crate) async fn greet(rpc: &str, connect: Duration, answer: Duration) -> Result<Greeting, Failure> {
    let broken = |error| Failure::Connect(rpc.to_owned(), error);
    let mut stream = match timeout(connect, TcpStream::connect(rpc)).await {
        Ok(stream) => stream.map_err(broken)?,
        Err(_) => return Err(Failure::Timeout(connect)),
    };
    let talk = async {
        stream.write_all(&[&PREAMBLE[..], &NEGOTIATE].concat()).await.map_err(broken)?;
        let mut len = [0; 4];
        stream.read_exact(&mut len).await.map_err(broken)?;
        let len = usize::try_from(u32::from_be_bytes(len)).unwrap_or(usize::MAX);
        if len > LARGEST {
            return Err(Failure::NotHdfs(rpc.to_owned(), format!("it announces an answer of {len} bytes")));
        }
        let mut body = vec![0; len];
        stream.read_exact(&mut body).await.map_err(broken)?;
        decode(&body).map_err(|why| Failure::NotHdfs(rpc.to_owned(), why.to_owned()))?
    };
    timeout(answer, talk).await.unwrap_or(Err(Failure::Timeout(answer)))
}

/// The answer: RpcResponseHeaderProto, then RpcSaslProto. The outer error is nonsense, the inner a refusal.
fn decode(body: &[u8]) -> Result<Result<Greeting, Failure>, &'static str> {
    let mut rest = body;
    let mut header = Fields(delimited(&mut rest).ok_or("its answer has no header")?);
    let (mut call, mut class, mut words, mut status) = (None, String::new(), String::new(), None);
    while let Some((number, value)) = header.next().ok_or("its header is no protocol buffer")? {
        match (number, value) {
            (1, Value::Number(n)) => call = Some(n),
            (2, Value::Number(n)) => status = Some(n),
            (4, Value::Bytes(text)) => class = String::from_utf8_lossy(text).into_owned(),
            (5, Value::Bytes(text)) => words = String::from_utf8_lossy(text).into_owned(),
            _ => {}
        }
    }
    match (call, status) {
        (Some(_), Some(0)) => {}
        (Some(_), Some(_)) => return Ok(Err(Failure::Remote(class, words))),
        _ => return Err("its header lacks what is required"),
    }
    let mut message = Fields(delimited(&mut rest).ok_or("its answer has no SASL message")?);
    let (mut state, mut methods) = (None, Vec::new());
    while let Some((number, value)) = message.next().ok_or("its SASL message is no protocol buffer")? {
        match (number, value) {
            (2, Value::Number(n)) => state = Some(n),
            (4, Value::Bytes(auth)) => methods.push(method(auth).ok_or("a SASL mechanism is no protocol buffer")?),
            _ => {}
        }
    }
    match state {
        Some(0) => Ok(Ok(Greeting::Simple)),
        Some(1) => Ok(Ok(Greeting::Methods(methods))),
        _ => Err("its SASL message has no state we know"),
    }
}

/// SaslAuth {method 1, mechanism 2, protocol 3, serverId 4}: the method, and `protocol/serverId`.
fn method(auth: &[u8]) -> Option<(String, String)> {
    let mut fields = Fields(auth);
    let (mut method, mut parts) = (String::new(), [String::new(), String::new()]);
    while let Some((number, value)) = fields.next()? {
        let Value::Bytes(text) = value else { continue };
        let text = String::from_utf8_lossy(text).into_owned();
        match number {
            1 => method = text,
            3 => parts[0] = text,
            4 => parts[1] = text,
            _ => {}
        }
    }
    Some((method, parts.join("/")))
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message of protocol buffers.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The next field; `Some(None)` at the end, `None` when it makes no sense.
    #[expect(clippy::option_option, reason = "nonsense and the end are two things, and this stays in here")]
    fn next(&mut self) -> Option<Option<(u64, Value<'a>)>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let key = number(&mut self.0)?;
        let value = match key & 7 {
            0 => Value::Number(number(&mut self.0)?),
            1 => Value::Bytes(self.0.split_off(..8)?),
            2 => Value::Bytes(delimited(&mut self.0)?),
            5 => Value::Bytes(self.0.split_off(..4)?),
            _ => return None,
        };
        Some(Some((key >> 3, value)))
    }
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *rest.split_off_first()?;
        value |= u64::from(byte & 0x7F).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn delimited<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(number(rest)?).ok()?;
    rest.split_off(..len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What Hadoop 3.4.3 sends: without Kerberos (SIMPLE is offered), and with it.
    fn answers() -> [Vec<u8>; 2] {
        let header = [0x08, 0xDF, 0xFF, 0xFF, 0xFF, 0x0F, 0x10, 0, 0x18, 9, 0x3A, 0, 0x40, 1];
        let auth = |method: &str, mechanism: &str| {
            let mut auth = Vec::new();
            for (number, text) in [(1_u8, method), (2, mechanism), (3, "nn"), (4, "localhost")] {
                auth.extend([number << 3 | 2, u8::try_from(text.len()).unwrap()]);
                auth.extend(text.as_bytes());
            }
            auth
        };
        [auth("SIMPLE", ""), auth("KERBEROS", "GSSAPI")].map(|auth| {
            let mut message = vec![0x08, 0, 0x10, 1, 0x22, u8::try_from(auth.len()).unwrap()];
            message.extend(auth);
            let mut all = vec![u8::try_from(header.len()).unwrap()];
            all.extend(header);
            all.push(u8::try_from(message.len()).unwrap());
            all.extend(message);
            all
        })
    }

    #[test]
    fn the_ways_to_come_in_are_read() {
        let [simple, kerberos] = answers().map(|answer| decode(&answer).unwrap().unwrap());
        assert!(!simple.wants_kerberos());
        assert_eq!(kerberos, Greeting::Methods(vec![("KERBEROS".into(), "nn/localhost".into())]));
        assert!(kerberos.wants_kerberos());
        assert!(decode(b"HTTP/1.1 400 Bad Request").is_err());
    }

    #[test]
    fn mutated_answers_do_no_harm() {
        crate::mutations::try_all("handshake", &answers(), |body| {
            let _whatever = decode(body);
        });
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(mut answer in prop::sample::select(answers().to_vec()), cut in 0_usize..90, places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)) {
            for (place, byte) in places {
                let at = place.index(answer.len());
                answer[at] = byte;
            }
            answer.truncate(cut);
            let _whatever = decode(&answer);
        }
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _whatever = decode(&bytes);
        }
    }
}
