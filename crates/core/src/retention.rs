//! How long a queue keeps what nobody has read yet.

/// A queue that keeps messages for less is empty on Monday of what came on Friday evening.
const WEEKEND_S: u64 = 3 * 24 * 60 * 60;

/// What a plan file that keeps messages so briefly should be told. `queue` is named as on screens, `key` and `seconds` are the
/// plan file's; `None` where it has none, and for messages that never expire (below 0).
#[must_use]
pub fn warning(queue: &str, key: &str, seconds: Option<impl Into<i64>>) -> Option<String> {
    let seconds = seconds?.into();
    let kept = u64::try_from(seconds).ok().filter(|kept| *kept < WEEKEND_S)?;
    Some(format!(
        "{queue} keeps messages for less than a weekend (`{key} = {kept}`, {}): a server that is down for longer never \
         hears of those files",
        in_words(kept)
    ))
}

/// Roughly, in the unit that people would say it in.
fn in_words(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3600 => (seconds / 60, "min"),
        _ => (seconds / 3600, "h"),
    };
    format!("{count} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_a_weekend_is_told() {
        let told = |seconds: i32| warning("queue `q`", "retention_s", Some(seconds));
        assert!(told(3600).is_some_and(|text| text.contains("(`retention_s = 3600`, 1 h)")));
        assert!(
            told(59).is_some_and(|text| text.contains("59 s")) && told(61).is_some_and(|text| text.contains("1 min"))
        );
        assert!(told(259_199).is_some());
        assert_eq!((told(259_200), told(-1), warning("q", "k", None::<i32>)), (None, None, None));
    }
}
