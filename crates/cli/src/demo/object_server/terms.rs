//! Conditions, names and numbers as the protocol has them.

use super::shelf::{Bucket, Multipart, Object, hex};
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    dto::{ETagCondition, EncodingType, Metadata},
    s3_error,
};
use std::{io, sync::Arc};

/// An unfinished upload by its id and key.
pub fn named<'a>(bucket: &'a Bucket, id: &str, key: &str) -> S3Result<&'a Multipart> {
    bucket.uploads.get(id).filter(|upload| upload.object.key == key).ok_or_else(|| s3_error!(NoSuchUpload))
}

/// Holds a condition of the request against what is there.
pub fn allowed(
    there: Option<&Arc<Object>>,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    let is = |condition: &ETagCondition| match (condition, there) {
        (_, None) => false,
        (ETagCondition::Any, Some(_)) => true,
        (ETagCondition::ETag(tag), Some(object)) => tag.value() == object.etag,
    };
    if if_match.is_some_and(|c| !is(c)) || if_none_match.is_some_and(is) {
        return Err(s3_error!(PreconditionFailed));
    }
    Ok(())
}

/// The user metadata of an object.
pub fn user_metadata(object: &Object) -> Metadata {
    object.metadata.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Keys may hold what XML cannot; clients ask for them in percent encoding.
pub fn encoded(text: &str, encoding: Option<&EncodingType>) -> String {
    if encoding.is_none_or(|e| e.as_str() != EncodingType::URL) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'*' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                out.push('%');
                out.push_str(&hex(&[byte]).to_ascii_uppercase());
            }
        }
    }
    out
}

/// A length as the protocol has it.
pub fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The disk said no.
pub fn internal(error: io::Error) -> S3Error {
    S3Error::with_source(S3ErrorCode::InternalError, Box::new(error))
}
