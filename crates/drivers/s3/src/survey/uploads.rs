//! Uploads that nobody finished: their parts are paid for, and no listing shows them.

use super::{DOING, SurveyLimits};
use crate::{
    call::Condition,
    encode::query,
    errors::Failure,
    listing::{answered, is_encoded, raw_key},
    store::Opened,
    xml,
};
use http::{Method, StatusCode};
use model::Timestamp;
use storage::{Error, ErrorKind, Result};

/// What ListMultipartUploads and ListParts told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenUploads {
    /// How many are open.
    pub uploads: u64,
    /// When the oldest was begun.
    pub oldest: Option<Timestamp>,
    /// Bytes of the parts of `sized` uploads.
    pub bytes: u64,
    /// Uploads whose parts were added up: fewer than `uploads` where the limit was reached.
    pub sized: u64,
    /// `true`: there are more uploads than were counted.
    pub partial: bool,
}

/// Is an upload open to any key that begins so?
pub(crate) async fn any_below(store: &Opened, prefix: &[u8], doing: &'static str) -> Result<bool> {
    let mut pairs: Vec<(&str, &[u8])> = vec![("uploads", b""), ("max-uploads", b"1"), ("prefix", prefix)];
    let call = store.bucket_call("ListMultipartUploads", doing, Method::GET, &mut pairs);
    let (_, body) = store.client.ask(&call).await.map_err(|why| why.into_error(doing, Condition::None))?;
    let page: xml::Uploads = answered(&body, "ListMultipartUploadsResult", doing)?;
    Ok(!page.open.is_empty())
}

/// Adds up as far as the limits allow.
pub(super) async fn count(store: &Opened, limits: &SurveyLimits) -> Result<OpenUploads> {
    let mut sum = OpenUploads { partial: limits.upload_pages == 0, ..OpenUploads::default() };
    let mut place: Option<(Vec<u8>, String)> = None;
    for number in 1..=limits.upload_pages {
        let mut pairs: Vec<(&str, &[u8])> = vec![
            ("uploads", b""),
            ("encoding-type", b"url"),
            ("max-uploads", b"1000"),
            ("prefix", &store.config.prefix),
        ];
        if let Some((key, id)) = &place {
            pairs.push(("key-marker", key));
            pairs.push(("upload-id-marker", id.as_bytes()));
        }
        let call = store.bucket_call("ListMultipartUploads", DOING, Method::GET, &mut pairs);
        let (_, body) = store.client.ask(&call).await.map_err(|why| why.into_error(DOING, Condition::None))?;
        let page: xml::Uploads = answered(&body, "ListMultipartUploadsResult", DOING)?;
        let encoded = is_encoded(page.encoding_type.as_deref());
        for open in &page.open {
            sum.uploads += 1;
            let begun = open.initiated.as_deref().and_then(xml::iso_date);
            sum.oldest = sum.oldest.into_iter().chain(begun).min();
            if sum.sized < u64::from(limits.uploads_sized)
                && let Some(bytes) = parts(store, &raw_key(&open.key, encoded), &open.upload_id).await?
            {
                sum.sized += 1;
                sum.bytes = sum.bytes.saturating_add(bytes);
            }
        }
        if !page.is_truncated {
            return Ok(sum);
        }
        let next =
            page.next_key_marker.map(|key| (raw_key(&key, encoded), page.next_upload_id_marker.unwrap_or_default()));
        if next.is_none() || next == place {
            return Err(Error::new(ErrorKind::Unexpected, DOING)
                .because("the server says there are more uploads, but not where to go on"));
        }
        place = next;
        sum.partial = number == limits.upload_pages;
    }
    Ok(sum)
}

/// The bytes that one upload holds; `None` when it has ended meanwhile.
async fn parts(store: &Opened, key: &[u8], id: &str) -> Result<Option<u64>> {
    let mut bytes = 0_u64;
    let mut marker = 0_u32;
    loop {
        let number = marker.to_string();
        let mut call = store.call("ListParts", DOING, Method::GET, key);
        call.query = query(&mut [("uploadId", id.as_bytes()), ("part-number-marker", number.as_bytes())]);
        let body = match store.client.ask(&call).await {
            Ok((_, body)) => body,
            Err(Failure::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => return Ok(None),
            Err(why) => return Err(why.into_error(DOING, Condition::None)),
        };
        let page: xml::Parts = answered(&body, "ListPartsResult", DOING)?;
        bytes = page.held.iter().fold(bytes, |sum, part| sum.saturating_add(part.size));
        match page.next_part_number_marker {
            Some(next) if page.is_truncated && next > marker => marker = next,
            _ => return Ok(Some(bytes)),
        }
    }
}
