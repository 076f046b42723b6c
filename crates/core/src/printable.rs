//! Texts that others wrote, as a terminal may have them: names, rules and messages may hold what it would obey.

/// A text with control characters escaped.
#[must_use]
pub fn harmless(text: &str) -> String {
    let escape =
        |letter: char| if is_obeyed(letter) { letter.escape_unicode().to_string() } else { letter.to_string() };
    text.chars().map(escape).collect()
}

/// A text of several lines, each after the first indented, so that none passes for one of ours.
#[must_use]
pub fn indented(text: &str) -> String {
    harmless_lines(text).join("\n  ")
}

/// A text on one line: what ends a line becomes a space.
#[must_use]
pub fn on_one_line(text: &str) -> String {
    harmless_lines(text).join(" ")
}

fn harmless_lines(text: &str) -> Vec<String> {
    text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).map(harmless).collect()
}

/// A JSON document with such characters as its escapes: they stand in strings only, so that it says the same.
#[must_use]
pub fn in_json(document: &str) -> String {
    let escape = |letter: char| match letter {
        '\n' => letter.to_string(),
        _ if is_obeyed(letter) => {
            letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
        }
        _ => letter.to_string(),
    };
    document.chars().map(escape).collect()
}

/// Whether a terminal obeys a character, or lets it reorder its neighbours, instead of printing it.
#[must_use]
pub fn is_obeyed(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(harmless("a\u{1b}[2Jb\u{9b}\u{202e}c\u{7f}é"), "a\\u{1b}[2Jb\\u{9b}\\u{202e}c\\u{7f}é");
        assert_eq!(indented("no:\nhint: a\n"), "no:\n  hint: a");
        assert_eq!(on_one_line("gone.\nRequestId:1\r\n\nTime:2\n"), "gone. RequestId:1 Time:2");
    }

    #[test]
    fn json_says_the_same_without_it() {
        let value = serde_json::json!({"a\u{202e}": ["\u{1b}\u{9b}\u{7f}", "é\n"]});
        let document = in_json(&format!("{value:#}"));
        assert!(!document.chars().any(|letter| letter != '\n' && is_obeyed(letter)), "{document}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&document).unwrap(), value);
    }
}
