//! Names of buckets <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.

const PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const SUFFIXES: [&str; 6] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3", "-an"];

/// Whether a bucket may be called so. Names that end with `-an` belong to accounts, which are not served.
pub(super) fn is_valid(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = name.bytes().next().is_some_and(plain) && name.bytes().last().is_some_and(plain);
    (3..=63).contains(&name.len())
        && ends
        && name.bytes().all(|byte| plain(byte) || byte == b'-' || byte == b'.')
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        && !SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn names_are_as_the_service_takes_them() {
        for name in ["abc", "a.b-c", "0-9", "10.0.0.1.2", &"a".repeat(63)] {
            assert!(is_valid(name), "{name}");
        }
        let long = "a".repeat(64);
        for name in ["ab", "Abc", "a_b", "-ab", "ab-", "a..b", "10.0.0.1", "xn--abc", "abc-s3alias", "abc--x-s3", &long]
        {
            assert!(!is_valid(name), "{name}");
        }
    }
}
