//! A page of Markdown: its fenced blocks, and how two outputs are compared.

use std::path::Path;

use super::root;

/// Something that differs from run to run: what stands before it, which characters it has, what stands behind it, and how a
/// page shows it.
type Volatile = (&'static str, fn(char) -> bool, &'static str, &'static str);

const VOLATILE: &[Volatile] = &[
    ("works. ", is_number, " s", "0.5"),
    (" failed. ", is_number, " s", "0.5"),
    (
        "provision-verify/",
        |character| character.is_ascii_alphanumeric() || character == '-',
        "",
        "a7aw2fkz3mmq-5a4db0c500000000",
    ),
    ("(", is_number, " s)", "0.1"),
    (" in ", is_number, " s:", "0.3"),
    ("` after ", is_number, " s", "0.1"),
    (" answers after ", is_number, " s", "0.1"),
    (" on linux ", |character| character.is_ascii_alphanumeric() || character == '_', "", "x86_64"),
    (" attempt, ", is_number, " s", "0.1"),
    (" attempts, ", is_number, " s", "0.1"),
    ("\"elapsed_ms\":", is_number, "", "12"),
    ("\"elapsed_ms\": ", is_number, "", "12"),
    ("\"time\":\"", |character| character != '"', "\"", "2026-11-26T12:00:00Z"),
    ("\"time\": \"", |character| character != '"', "\"", "2026-11-26T12:00:00Z"),
    ("127.0.0.1:", is_number, "", "41234"),
    ("localhost:", is_number, "", "41234"),
    ("request id ", char::is_alphanumeric, "", "5A4DB0C5A4DB0C00"),
];

fn is_number(character: char) -> bool {
    character.is_ascii_digit() || character == '.'
}

/// A page of the documentation.
pub(super) struct Page {
    /// Its place in the repository.
    pub(super) path: &'static str,
    /// What it says.
    pub(super) text: String,
}

/// A fenced block of a page.
pub(super) struct Block {
    /// What stands behind the fence.
    info: String,
    /// What is in it.
    pub(super) text: String,
    /// The line of the page at which it begins, from 1.
    pub(super) line: usize,
}

impl Page {
    pub(super) fn read(path: &'static str) -> Self {
        Self { path, text: std::fs::read_to_string(root().join(path)).unwrap() }
    }

    pub(super) fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut open = false;
        for (index, line) in self.text.lines().enumerate() {
            match line.strip_prefix("```") {
                Some(_) if open => open = false,
                Some(info) => {
                    blocks.push(Block { info: info.to_owned(), text: String::new(), line: index + 2 });
                    open = true;
                }
                None if open => blocks.last_mut().unwrap().text.push_str(&format!("{line}\n")),
                None => {}
            }
        }
        assert!(!open, "{}: a fence is open at the end", self.path);
        blocks
    }

    /// What is in no block.
    pub(super) fn prose(&self) -> String {
        let parts = self.text.split("\n```").enumerate().filter(|(index, _)| index % 2 == 0);
        parts.map(|(_, part)| part).collect::<Vec<_>>().join("\n")
    }

    /// Write blocks anew.
    pub(super) fn write<'b>(&self, new: impl Iterator<Item = (&'b Block, &'b str)>) {
        let mut lines: Vec<String> = self.text.lines().map(|line| format!("{line}\n")).collect();
        for (block, text) in new {
            let at = block.line - 1;
            lines[at..at + block.text.lines().count()].iter_mut().for_each(String::clear);
            lines[at].insert_str(0, text);
        }
        std::fs::write(root().join(self.path), lines.concat()).unwrap();
    }
}

impl Block {
    pub(super) fn language(&self) -> &str {
        self.info.split(' ').next().unwrap_or_default()
    }

    /// How many lines are shown of an output: at its beginning or its end.
    fn shown(&self, end: &str) -> Option<usize> {
        self.info.split(' ').find_map(|word| word.strip_prefix(end)?.strip_prefix('=')?.parse().ok())
    }

    /// The file that it is: its first line is a comment with nothing but a name.
    pub(super) fn file(&self) -> Option<&str> {
        let name = self.text.lines().next()?.strip_prefix("# ")?;
        let is_name = name.contains('.') && !name.contains([' ', '/', '\'']);
        (is_name && ["toml", "python", "yaml"].contains(&self.language())).then_some(name)
    }

    /// Its commands; a line that ends in `\` goes on in the next.
    pub(super) fn commands(&self) -> Vec<String> {
        let mut commands: Vec<String> = Vec::new();
        for line in self.text.lines() {
            match line.strip_prefix("$ ") {
                Some(command) => commands.push(command.to_owned()),
                None if commands.last().is_some_and(|command| command.ends_with('\\')) => {
                    commands.last_mut().unwrap().push_str(&format!("\n{line}"));
                }
                None => {}
            }
        }
        commands
    }

    /// The block as it would be with what its commands print.
    pub(super) fn with_outputs<'o>(&self, outputs: &mut impl Iterator<Item = &'o String>) -> String {
        let commands = self.commands().into_iter();
        commands.map(|command| format!("$ {command}\n{}", self.cut(outputs.next().unwrap()))).collect()
    }

    /// An output, or its beginning and its end. No cut goes through what is done at the same time, whose order nobody knows.
    fn cut(&self, output: &str) -> String {
        let lines: Vec<_> = output.lines().collect();
        let last = self.shown("last").unwrap_or(0);
        let mut shown = lines.clone();
        if let Some(first) = self.shown("first").filter(|first| lines.len() > first + last + 1) {
            let head = &lines[..first];
            let tail = lines[lines.len() - last..].iter().copied().skip_while(|line| is_progress(line));
            shown = head.iter().copied().filter(|line| !is_progress(line)).chain(["..."]).chain(tail).collect();
        }
        shown.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// An output with a fixed value for each volatile one.
pub(super) fn normal(output: &str, folder: &Path) -> String {
    let mut text = output.replace(&folder.display().to_string(), "/home/you/project");
    for (before, of, after, shown) in VOLATILE {
        let mut parts = text.split(before);
        let mut new = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let value: &str = &part[..part.find(|character| !of(character)).unwrap_or(part.len())];
            let rest = &part[value.len()..];
            let fits = !value.is_empty() && rest.starts_with(after);
            new.push_str(before);
            new.push_str(if fits { shown } else { value });
            new.push_str(rest);
        }
        text = new;
    }
    text
}

/// Whether two outputs are the same: what is done at the same time may be done in any order.
pub(super) fn is_same(expected: &str, printed: &str) -> bool {
    ordered(expected) == ordered(printed)
}

fn ordered(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.chunk_by_mut(|a, b| is_progress(a) && is_progress(b)).for_each(<[&str]>::sort_unstable);
    lines
}

/// A line that an operation of a run prints at its end.
fn is_progress(line: &str) -> bool {
    line.starts_with("  ") && line.ends_with(" s)") || line.starts_with("  FAIL ")
}
