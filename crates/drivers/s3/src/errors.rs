//! What a store's words mean: the one table from its error codes to ours.

use crate::{call::Condition, connection::Broken, xml};
use http::{HeaderMap, StatusCode};
use std::time::{Duration, SystemTime};
use storage::{Error, ErrorKind, Reach, Retry};

/// Why there is no success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server said no.
    Refused(Box<Refusal>),
    /// There was no answer.
    Broken(Broken),
    /// There is nobody to say we are.
    Credentials(reqsign_core::Error),
    /// The encoded key does not fit into a request line.
    TooLong,
}

impl From<Broken> for Failure {
    fn from(why: Broken) -> Self {
        Self::Broken(why)
    }
}

/// An answer that is no success.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    /// The server's own word; empty where the answer had no body (HEAD).
    pub code: String,
    pub message: String,
    pub request_id: Option<String>,
    /// The bucket's region, where the answer tells.
    pub region: Option<String>,
    pub retry_after: Option<Duration>,
    /// How many seconds the server's clock is ahead of ours.
    pub clock_ahead: Option<i64>,
    /// The length of what is there, when a range was beyond it.
    pub actual_size: Option<u64>,
}

impl Refusal {
    /// Reads status, headers and the XML body.
    pub(crate) fn of(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let told = xml::error(body).unwrap_or_else(|| xml::ErrorBody { message: plain(body), ..Default::default() });
        // `Content-Range: bytes */1234`.
        let stated = text("content-range").and_then(|range| range.strip_prefix("bytes */")?.parse().ok());
        Self {
            status,
            code: told.code,
            message: told.message,
            request_id: text("x-amz-request-id").or(told.request_id),
            region: text("x-amz-bucket-region").or(told.region),
            retry_after: text("retry-after").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs),
            clock_ahead: text("date").and_then(|date| clock_ahead(&date)),
            actual_size: stated.or(told.actual_object_size),
        }
    }

    /// Would new credentials help? A HEAD has no body to say so; then a bare 400 may mean it, if they were
    /// temporary.
    pub(crate) fn is_expiry(&self, temporary: bool) -> bool {
        matches!(self.code.as_str(), "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired")
            || (temporary && self.code.is_empty() && self.status == StatusCode::BAD_REQUEST)
    }

    fn kind(&self, condition: Condition) -> ErrorKind {
        let precondition = || match condition {
            Condition::Absent => ErrorKind::AlreadyExists,
            Condition::Same | Condition::None => ErrorKind::Changed,
        };
        if matches!(self.code.as_str(), "PreconditionFailed" | "NotModified") {
            return precondition();
        }
        if let Some((_, kind)) = CODES.iter().find(|(code, _)| *code == self.code) {
            return *kind;
        }
        match self.status.as_u16() {
            301 | 307 | 400 | 411 | 413 | 416 => ErrorKind::Invalid,
            401 => ErrorKind::Unauthenticated,
            403 => ErrorKind::Denied,
            404 | 410 => ErrorKind::NotFound,
            408 => ErrorKind::Timeout,
            304 | 412 => precondition(),
            414 => ErrorKind::NameRefused,
            405 | 501 => ErrorKind::Unsupported,
            429 | 500 | 502 | 503 | 504 => ErrorKind::Throttled,
            507 => ErrorKind::NoSpace,
            _ => ErrorKind::Unexpected,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match (self.code.as_str(), self.status.as_u16()) {
            ("NoSuchBucket", _) => "create the bucket first, or check its name and the endpoint",
            ("InvalidAccessKeyId" | "XAdminUserNotFound", _) => {
                "the access key does not exist at this server: check AWS_ACCESS_KEY_ID or the profile"
            }
            ("SignatureDoesNotMatch", _) => "the secret key is wrong: check AWS_SECRET_ACCESS_KEY or the profile",
            ("ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired", _) => {
                "the session has ended: log in again (`aws sso login`) or get new credentials"
            }
            ("RequestTimeTooSkewed", _) => return Some(self.skew()),
            ("InvalidObjectState", _) => "the object is archived: restore it first",
            ("AccessDenied", _) => "check the policies of the user and of the bucket",
            ("XMinioObjectExistsAsDirectory" | "XMinioParentIsObject", _) => {
                "this store cannot hold an object and others below its name"
            }
            (_, 301 | 307 | 400) if self.region.is_some() => {
                let region = self.region.as_deref().unwrap_or_default();
                return Some(format!("the bucket is in {region}: add `?region={region}` to the location"));
            }
            // Go's servers and nginx answer so to plain HTTP on a port for TLS; others are no S3 servers.
            ("", 400) if !self.message.is_empty() => {
                "check the endpoint: is it an S3 server, and does it want `https://` instead of `http://`?"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }

    fn skew(&self) -> String {
        match self.clock_ahead {
            Some(seconds) if seconds > 0 => {
                format!("this machine's clock is {seconds} s behind the server's: set it (for example with chrony)")
            }
            Some(seconds) => {
                format!(
                    "this machine's clock is {} s ahead of the server's: set it (for example with chrony)",
                    -seconds
                )
            }
            None => "set this machine's clock (for example with chrony)".to_owned(),
        }
    }

    /// In the server's words, with what its operators need to find it.
    fn words(&self) -> String {
        let mut text = match (self.code.as_str(), self.message.as_str()) {
            ("", message) => message.to_owned(),
            (code, "") => code.to_owned(),
            (code, message) => format!("{code}: {message}"),
        };
        text.push_str(if text.is_empty() { "HTTP " } else { " (HTTP " });
        text.push_str(self.status.as_str());
        if let Some(id) = &self.request_id {
            text.push_str(", request ");
            text.push_str(id);
        }
        if text.contains('(') {
            text.push(')');
        }
        text
    }
}

/// The first line of an answer that is a short text, or the title of one that is a page, for a person to read.
fn plain(body: &[u8]) -> String {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let title = text.split_once("<title>").and_then(|(_, rest)| Some(rest.split_once("</title>")?.0));
    let line = title.unwrap_or(text).lines().next().unwrap_or_default().trim();
    let short = line.len() <= 200 && !line.starts_with('<') && !line.chars().any(char::is_control);
    if short { line.to_owned() } else { String::new() }
}

/// Seconds by which the server's `Date` is ahead of our clock.
fn clock_ahead(date: &str) -> Option<i64> {
    let server = xml::http_date(date)?;
    let ours = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    Some(server.secs - i64::try_from(ours).ok()?)
}

impl Failure {
    /// The same as the storage door states it. `doing` reads after "cannot".
    pub(crate) fn into_error(self, doing: &'static str, condition: Condition) -> Error {
        match self {
            Self::Refused(refusal) => {
                let kind = refusal.kind(condition);
                let mut error = Error::new(kind, doing).because(refusal.words());
                if let Some(hint) = refusal.hint() {
                    error = error.hint(hint);
                }
                let foreign = refusal.code.is_empty() && refusal.status == StatusCode::BAD_REQUEST;
                if LOCATION_WIDE.contains(&refusal.code.as_str())
                    || refusal.status.is_redirection()
                    || foreign && !refusal.message.is_empty()
                {
                    error = error.with_reach(Reach::Location);
                }
                if kind == ErrorKind::Throttled
                    && let Some(pause) = refusal.retry_after
                {
                    error = error.with_retry(Retry::After(pause));
                }
                if refusal.code == "IncompleteBody" {
                    error = error.with_retry(Retry::Backoff);
                }
                error
            }
            Self::Broken(why) => {
                let kind = match &why {
                    Broken::Quiet(_) => ErrorKind::Timeout,
                    Broken::Connect(_) | Broken::Tls(_) | Broken::Lost(_) | Broken::Stale | Broken::Crossed => {
                        ErrorKind::Disconnected
                    }
                };
                let mut error = Error::new(kind, doing);
                match &why {
                    // A certificate does not become good by waiting.
                    Broken::Tls(_) => {
                        error = error.with_retry(Retry::Never).with_reach(Reach::Location).hint(
                            "if the server has a certificate of its own, name its CA with `?ca=FILE` or AWS_CA_BUNDLE",
                        );
                    }
                    Broken::Connect(_) => error = error.hint("check the endpoint, the network and the firewall"),
                    Broken::Quiet(_) | Broken::Lost(_) | Broken::Stale | Broken::Crossed => {}
                }
                error.because(why.to_string())
            }
            Self::Credentials(why) => Error::new(ErrorKind::Unauthenticated, doing).because(why.to_string()).hint(
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or name one with `?profile=`; \
                 for a public bucket add `?anonymous=true`",
            ),
            Self::TooLong => Error::new(ErrorKind::NameRefused, doing).because("the key does not fit into a request"),
        }
    }

    /// What happened, as the storage door would state it.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(refusal) => refusal.kind(Condition::None),
            Self::Broken(Broken::Quiet(_)) => ErrorKind::Timeout,
            Self::Broken(_) => ErrorKind::Disconnected,
            Self::Credentials(_) => ErrorKind::Unauthenticated,
            Self::TooLong => ErrorKind::NameRefused,
        }
    }
}

/// Codes that are about the bucket or about us, not about one key.
const LOCATION_WIDE: [&str; 13] = [
    "XAdminUserNotFound",
    "NoSuchBucket",
    "InvalidBucketName",
    "AllAccessDisabled",
    "AccountProblem",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "RequestTimeTooSkewed",
    "AuthorizationHeaderMalformed",
    "PermanentRedirect",
    "IllegalLocationConstraintException",
    "NotSignedUp",
    "XMinioStorageFull",
];

/// Codes and what they mean. S3: "Error responses" of its API reference (read 2026-11); `XMinio…` and
/// `Slow…` as MinIO's `cmd/api-errors.go` has them, `XAdmin…`, `Existing…` and `ObjectParent…` as versitygw's `s3err` does. What is not here is judged by its status.
const CODES: &[(&str, ErrorKind)] = &[
    ("NoSuchKey", ErrorKind::NotFound),
    ("NoSuchBucket", ErrorKind::NotFound),
    ("NoSuchUpload", ErrorKind::NotFound),
    ("NoSuchVersion", ErrorKind::NotFound),
    ("AccessDenied", ErrorKind::Denied),
    ("AllAccessDisabled", ErrorKind::Denied),
    ("AccountProblem", ErrorKind::Denied),
    ("NotSignedUp", ErrorKind::Denied),
    ("ObjectLocked", ErrorKind::Denied),
    ("InvalidObjectState", ErrorKind::Unsupported),
    ("InvalidAccessKeyId", ErrorKind::Unauthenticated),
    ("XAdminUserNotFound", ErrorKind::Unauthenticated),
    ("SignatureDoesNotMatch", ErrorKind::Unauthenticated),
    ("ExpiredToken", ErrorKind::Unauthenticated),
    ("ExpiredTokenException", ErrorKind::Unauthenticated),
    ("TokenRefreshRequired", ErrorKind::Unauthenticated),
    ("InvalidToken", ErrorKind::Unauthenticated),
    ("InvalidSecurity", ErrorKind::Unauthenticated),
    ("MissingSecurityHeader", ErrorKind::Unauthenticated),
    ("RequestTimeTooSkewed", ErrorKind::Unauthenticated),
    ("RequestExpired", ErrorKind::Unauthenticated),
    ("SlowDown", ErrorKind::Throttled),
    ("SlowDownRead", ErrorKind::Throttled),
    ("SlowDownWrite", ErrorKind::Throttled),
    ("ServiceUnavailable", ErrorKind::Throttled),
    ("Busy", ErrorKind::Throttled),
    ("TooManyRequests", ErrorKind::Throttled),
    ("RequestLimitExceeded", ErrorKind::Throttled),
    ("BandwidthLimitExceeded", ErrorKind::Throttled),
    ("Throttling", ErrorKind::Throttled),
    ("ThrottlingException", ErrorKind::Throttled),
    ("InternalError", ErrorKind::Throttled),
    // Another conditional write or delete of the key is under way.
    ("OperationAborted", ErrorKind::Throttled),
    ("ConditionalRequestConflict", ErrorKind::Throttled),
    ("XMinioServerNotInitialized", ErrorKind::Throttled),
    // The server waited for our bytes.
    ("RequestTimeout", ErrorKind::Timeout),
    ("IncompleteBody", ErrorKind::Disconnected),
    ("XMinioStorageFull", ErrorKind::NoSpace),
    ("QuotaExceeded", ErrorKind::NoSpace),
    ("XMinioAdminBucketQuotaExceeded", ErrorKind::NoSpace),
    ("InsufficientCapacity", ErrorKind::NoSpace),
    ("InvalidObjectName", ErrorKind::NameRefused),
    ("XMinioInvalidObjectName", ErrorKind::NameRefused),
    ("XMinioInvalidResourceName", ErrorKind::NameRefused),
    ("KeyTooLongError", ErrorKind::NameRefused),
    ("KeyTooLong", ErrorKind::NameRefused),
    ("InvalidURI", ErrorKind::NameRefused),
    ("XMinioParentIsObject", ErrorKind::NameRefused),
    ("XMinioObjectExistsAsDirectory", ErrorKind::AlreadyExists),
    ("ExistingObjectIsDirectory", ErrorKind::AlreadyExists),
    ("ObjectParentIsFile", ErrorKind::NameRefused),
    ("BadDigest", ErrorKind::Corrupt),
    ("InvalidDigest", ErrorKind::Corrupt),
    ("XAmzContentChecksumMismatch", ErrorKind::Corrupt),
    ("XAmzContentSHA256Mismatch", ErrorKind::Corrupt),
    ("InvalidChecksum", ErrorKind::Corrupt),
    ("EntityTooLarge", ErrorKind::Invalid),
    ("EntityTooSmall", ErrorKind::Invalid),
    ("InvalidPart", ErrorKind::Invalid),
    ("InvalidPartOrder", ErrorKind::Invalid),
    ("InvalidArgument", ErrorKind::Invalid),
    ("InvalidRange", ErrorKind::Invalid),
    ("InvalidRequest", ErrorKind::Invalid),
    ("InvalidStorageClass", ErrorKind::Invalid),
    ("InvalidBucketName", ErrorKind::Invalid),
    ("MalformedXML", ErrorKind::Invalid),
    ("MetadataTooLarge", ErrorKind::Invalid),
    ("PermanentRedirect", ErrorKind::Invalid),
    ("TemporaryRedirect", ErrorKind::Invalid),
    ("Redirect", ErrorKind::Invalid),
    ("AuthorizationHeaderMalformed", ErrorKind::Invalid),
    ("IllegalLocationConstraintException", ErrorKind::Invalid),
    ("NotImplemented", ErrorKind::Unsupported),
    ("MethodNotAllowed", ErrorKind::Unsupported),
    ("BucketAlreadyExists", ErrorKind::AlreadyExists),
    ("BucketAlreadyOwnedByYou", ErrorKind::AlreadyExists),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, headers: &[(&'static str, &str)], code: &str, more: &str) -> Error {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let body = if code.is_empty() {
            String::new()
        } else {
            format!(
                "<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>Words &amp; more.</Message>{more}</Error>"
            )
        };
        let refusal = Refusal::of(StatusCode::from_u16(status).unwrap(), &map, body.as_bytes());
        Failure::Refused(Box::new(refusal)).into_error("write", Condition::Absent)
    }

    #[test]
    fn codes_become_kinds_with_the_servers_words_and_request() {
        let error = refused(400, &[("x-amz-request-id", "REQ1")], "BadDigest", "");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(error.cause().unwrap(), "BadDigest: Words & more. (HTTP 400, request REQ1)");
        assert_eq!(refused(412, &[], "PreconditionFailed", "").kind(), ErrorKind::AlreadyExists);
        assert_eq!(refused(507, &[], "XMinioStorageFull", "").reach(), Reach::Location);
        let slow = refused(503, &[("retry-after", "7")], "SlowDown", "");
        assert_eq!((slow.kind(), slow.retry()), (ErrorKind::Throttled, Retry::After(Duration::from_secs(7))));
        assert_eq!(refused(500, &[], "InternalError", "").retry(), Retry::Backoff);
    }

    #[test]
    fn an_answer_without_a_body_is_judged_by_its_status() {
        for (status, kind) in [
            (404, ErrorKind::NotFound),
            (403, ErrorKind::Denied),
            (503, ErrorKind::Throttled),
            (507, ErrorKind::NoSpace),
            (418, ErrorKind::Unexpected),
        ] {
            assert_eq!(refused(status, &[], "", "").kind(), kind, "{status}");
        }
        assert_eq!(refused(404, &[("x-amz-request-id", "R")], "", "").cause().unwrap(), "HTTP 404, request R");
    }

    #[test]
    fn another_region_and_a_wrong_clock_say_what_to_do() {
        let moved = refused(301, &[("x-amz-bucket-region", "eu-west-1")], "PermanentRedirect", "");
        assert_eq!(moved.reach(), Reach::Location);
        assert!(moved.hint_text().unwrap().contains("?region=eu-west-1"));
        let told = refused(400, &[], "AuthorizationHeaderMalformed", "<Region>eu-north-1</Region>");
        assert!(told.hint_text().unwrap().contains("eu-north-1"));
        let skewed = refused(403, &[("date", "Fri, 24 May 2013 00:00:00 GMT")], "RequestTimeTooSkewed", "");
        assert!(skewed.hint_text().unwrap().contains("s ahead of the server's"), "{:?}", skewed.hint_text());
    }
}
