//! AWS Signature Version 4, from a key that is derived once a day.
//!
//! The signing crate next to our credential chain builds some forty strings and derives the key anew for
//! each request, and cannot sign a path that is not UTF-8. This does the same with two buffers and five
//! SHA-256 blocks fewer.

use crate::{encode::push_hex, fields::Fields};
use aws_lc_rs::{digest, hmac};
use http::{HeaderName, HeaderValue};
use std::fmt;

/// Stands for the payload's digest where TLS and a checksum header guard it.
pub(crate) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// SHA-256 of nothing.
pub(crate) const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The date header.
pub(crate) const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
/// The payload's digest.
pub(crate) const AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
/// The token of temporary credentials.
pub(crate) const AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// When a request is signed, in the two forms that SigV4 needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SigningTime {
    /// `20130524T000000Z`.
    digits: [u8; 16],
}

impl SigningTime {
    /// From seconds since the epoch.
    pub(crate) fn at(seconds: i64) -> Self {
        let now = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let at = jiff::tz::TimeZone::UTC.to_datetime(now);
        let (century, year) = (at.year().div_euclid(100), at.year().rem_euclid(100));
        let mut digits = *b"YYYYMMDDTHHMMSSZ";
        for (place, number) in [
            (0, i8::try_from(century).unwrap_or_default()),
            (2, i8::try_from(year).unwrap_or_default()),
            (4, at.month()),
            (6, at.day()),
            (9, at.hour()),
            (11, at.minute()),
            (13, at.second()),
        ] {
            let number = number.unsigned_abs();
            digits[place] = b'0' + number / 10 % 10;
            digits[place + 1] = b'0' + number % 10;
        }
        Self { digits }
    }
    /// `20130524T000000Z`.
    fn text(&self) -> &str {
        std::str::from_utf8(&self.digits).expect("digits and two letters")
    }
    /// `20130524`.
    pub(crate) fn date(&self) -> &str {
        &self.text()[..8]
    }
}

/// Credentials with the key derived for one day, region and service. Prints nothing of them.
pub(crate) struct SigningKey {
    scope: String,
    /// `AWS4-HMAC-SHA256 Credential=AKID/scope, SignedHeaders=`.
    opening: String,
    key: hmac::Key,
    token: Option<HeaderValue>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.scope)
    }
}

/// What is signed of a request besides its headers.
pub(crate) struct Target<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, encoded as it is sent.
    pub path: &'a str,
    /// The query in canonical form, as it is sent.
    pub query: &'a str,
    /// Digest of the payload, or [`UNSIGNED`].
    pub payload: &'a str,
}

impl SigningKey {
    /// Derives the key of `date` (`20130524`).
    pub(crate) fn derive(access: &str, secret: &str, token: Option<&str>, date: &str, region: &str) -> Self {
        let secret = format!("AWS4{secret}");
        let mut key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        for step in [date, region, "s3", "aws4_request"] {
            key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, step.as_bytes()).as_ref());
        }
        let scope = format!("{date}/{region}/s3/aws4_request");
        let token = token.and_then(|text| HeaderValue::from_str(text).ok()).map(|mut value| {
            value.set_sensitive(true);
            value
        });
        Self { opening: format!("AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders="), scope, key, token }
    }

    /// Do the credentials run out?
    pub(crate) fn is_temporary(&self) -> bool {
        self.token.is_some()
    }

    /// The day this key is for.
    pub(crate) fn date(&self) -> &str {
        &self.scope[..8]
    }

    /// Adds date, payload digest, token and signature. Every header that is there already is signed, but
    /// for `user-agent` and `content-length`, which a proxy may touch. `host` must be among them.
    pub(crate) fn sign(&self, target: &Target<'_>, fields: &mut Fields, time: &SigningTime) {
        fields.add(AMZ_DATE, time.text());
        fields.add(AMZ_CONTENT_SHA256, target.payload);
        if let Some(token) = &self.token {
            fields.copy(AMZ_SECURITY_TOKEN, token);
        }
        let mut signed: Vec<(&str, &[u8])> = Vec::with_capacity(16);
        signed.extend(fields.iter().filter(|(name, _)| !matches!(*name, "user-agent" | "content-length")));
        signed.sort_unstable();

        let mut names = String::with_capacity(256);
        let mut canonical: Vec<u8> = Vec::with_capacity(1024);
        for part in [target.method, target.path, target.query] {
            canonical.extend_from_slice(part.as_bytes());
            canonical.push(b'\n');
        }
        for (name, value) in &signed {
            canonical.extend_from_slice(name.as_bytes());
            canonical.push(b':');
            push_folded(&mut canonical, value);
            canonical.push(b'\n');
            if !names.is_empty() {
                names.push(';');
            }
            names.push_str(name);
        }
        canonical.push(b'\n');
        canonical.extend_from_slice(names.as_bytes());
        canonical.push(b'\n');
        canonical.extend_from_slice(target.payload.as_bytes());

        let mut to_sign = String::with_capacity(160);
        to_sign.push_str("AWS4-HMAC-SHA256\n");
        to_sign.push_str(time.text());
        to_sign.push('\n');
        to_sign.push_str(&self.scope);
        to_sign.push('\n');
        push_hex(&mut to_sign, digest::digest(&digest::SHA256, &canonical).as_ref());

        let mut authorization = String::with_capacity(self.opening.len() + names.len() + 80);
        authorization.push_str(&self.opening);
        authorization.push_str(&names);
        authorization.push_str(", Signature=");
        push_hex(&mut authorization, hmac::sign(&self.key, to_sign.as_bytes()).as_ref());
        fields.add(http::header::AUTHORIZATION, &authorization);
    }
}

/// A header value with its outer spaces gone and inner runs of spaces folded to one, as SigV4 reads it.
fn push_folded(out: &mut Vec<u8>, value: &[u8]) {
    let value = value.trim_ascii();
    if !value.windows(2).any(|pair| pair == b"  ") {
        out.extend_from_slice(value);
        return;
    }
    let mut space = false;
    for byte in value {
        if *byte != b' ' || !space {
            out.push(*byte);
        }
        space = *byte == b' ';
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqsign_core::SignRequest as _;

    // The examples of "Authenticating Requests: Using the Authorization Header" in the S3 API reference.
    const ACCESS: &str = "AKIAIOSFODNN7EXAMPLE";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn signature(method: &str, path: &str, query: &str, payload: &str, extra: &[(&'static str, &str)]) -> String {
        let key = SigningKey::derive(ACCESS, SECRET, None, "20130524", "us-east-1");
        let mut fields = Fields::new();
        fields.add(http::header::HOST, "examplebucket.s3.amazonaws.com");
        for (name, text) in extra {
            fields.add(HeaderName::from_static(name), text);
        }
        let time = SigningTime::at(1_369_353_600);
        assert_eq!(time.date(), "20130524");
        key.sign(&Target { method, path, query, payload }, &mut fields, &time);
        let text = fields.into_map();
        let text = text["authorization"].to_str().unwrap();
        text.rsplit_once("Signature=").unwrap().1.to_owned()
    }

    #[test]
    fn a_get_with_a_range_signs_as_documented() {
        assert_eq!(
            signature("GET", "/test.txt", "", EMPTY, &[("range", "bytes=0-9")]),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
    }

    #[test]
    fn a_put_with_metadata_signs_as_documented() {
        assert_eq!(
            signature(
                "PUT",
                "/test%24file.text",
                "",
                "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
                &[("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")]
            ),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        );
    }

    #[test]
    fn a_bare_subresource_and_a_listing_sign_as_documented() {
        assert_eq!(
            signature("GET", "/", "lifecycle=", EMPTY, &[]),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        );
        assert_eq!(
            signature("GET", "/", "max-keys=2&prefix=J", EMPTY, &[]),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }

    #[tokio::test]
    async fn the_signing_crate_agrees_with_a_token_outer_spaces_and_an_odd_path() {
        let credential = reqsign_aws_v4::Credential {
            access_key_id: ACCESS.to_owned(),
            secret_access_key: SECRET.to_owned(),
            session_token: Some("to/ken+==".to_owned()),
            expires_in: None,
        };
        let mut theirs =
            http::Request::put("http://127.0.0.1:9000/b/a%20b%2F%2B~/%C3%A9//c?partNumber=1&uploadId=x%2Fy")
                .header("host", "127.0.0.1:9000")
                .header("x-amz-meta-note", " two spaces ")
                .header("x-amz-content-sha256", UNSIGNED)
                .body(())
                .unwrap()
                .into_parts()
                .0;
        reqsign_aws_v4::RequestSigner::new("s3", "eu-west-1")
            .sign_request(&reqsign_core::Context::new(), &mut theirs, Some(&credential), None)
            .await
            .unwrap();
        let time = SigningTime { digits: theirs.headers["x-amz-date"].as_bytes().try_into().unwrap() };
        let mut ours = Fields::new();
        ours.add(http::header::HOST, "127.0.0.1:9000");
        ours.add(HeaderName::from_static("x-amz-meta-note"), " two spaces ");
        let key = SigningKey::derive(ACCESS, SECRET, Some("to/ken+=="), time.date(), "eu-west-1");
        let target =
            Target { method: "PUT", path: theirs.uri.path(), query: theirs.uri.query().unwrap(), payload: UNSIGNED };
        key.sign(&target, &mut ours, &time);
        assert_eq!(ours.into_map()["authorization"], theirs.headers["authorization"]);
    }
}
