//! How S3 writes moments.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use time::macros::format_description;

use crate::clock::date;

/// `2026-11-24T12:00:00.000Z`, in documents.
pub(super) fn document(ms: u64) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    date(ms).format(format).unwrap_or_default()
}

/// `Tue, 24 Nov 2026 12:00:00 GMT`, in headers.
pub(super) fn header(ms: u64) -> String {
    let format =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    date(ms).format(format).unwrap_or_default()
}

/// A moment of a header, in seconds.
pub(super) fn of_header(text: &str) -> Option<i64> {
    OffsetDateTime::parse(text, &Rfc2822).ok().map(|date| date.unix_timestamp())
}
