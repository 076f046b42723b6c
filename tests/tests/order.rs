//! That every file uses only files above it: modules stand in the order of their use, and nowhere is a circle.
//!
//! The order is that of the `mod` lines, in a crate's root and in the file of each folder. A file may name modules that come
//! before it; a folder's file and what is in the folder may name each other in one direction only. What is under
//! `#[cfg(test)]` is free.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A module's names from the crate's root down; the root has none.
type Module = Vec<String>;

#[test]
fn files_of_the_core_use_only_files_above() {
    assert_eq!(backward("core"), [""; 0]);
}

#[test]
fn files_of_the_clouds_use_only_files_above() {
    for cloud in ["aws", "gcp", "azure", "auth0", "slack"] {
        assert_eq!(backward(cloud), [""; 0], "{cloud}");
    }
}

#[test]
fn files_of_the_command_line_use_only_files_above() {
    assert_eq!(backward("cli"), [""; 0]);
}

/// A crate as far as it matters here.
struct Sources {
    texts: BTreeMap<Module, String>,
    /// The modules of each, in the order of their `mod` lines.
    children: BTreeMap<Module, Vec<String>>,
    /// What the root re-exports, and from where.
    exports: BTreeMap<String, Module>,
}

#[test]
fn what_comes_later_and_every_circle_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in [
        ("lib.rs", "pub mod a;\npub mod b;\npub use b::Late;\n"),
        ("a.rs", "mod x;\nmod y;\nuse crate::{Late, b::{self, c}};\n#[cfg(test)]\nmod tests {\n    use crate::b;\n}\n"),
        ("a/x.rs", "use super::y;\n"),
        ("a/y.rs", "use super::Upper;\nuse super::x::X;\n"),
        ("b.rs", "mod z;\nfn f() -> crate::a::A { z::f() }\n"),
        ("b/z.rs", "// use super::y;\nuse super::g;\n"),
    ] {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    assert_eq!(backward_in(folder.path()), ["a names b", "a::x names a::y", "b::z names b"]);
}

/// What a crate's files name that does not come before them.
fn backward(name: &str) -> Vec<String> {
    backward_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates").join(name).join("src"))
}

fn backward_in(folder: &Path) -> Vec<String> {
    let sources = Sources::read(folder);
    let mut pairs = BTreeSet::new();
    for (module, text) in &sources.texts {
        pairs.extend(sources.named(module, text).into_iter().map(|named| (module.clone(), named)));
    }
    let circle = |from: &Module, to: &Module| pairs.contains(&(to.clone(), from.clone()));
    let wrong = pairs.iter().filter(|(from, to)| match sources.order(from, to) {
        Order::Before => false,
        Order::After => true,
        // The root names everything.
        Order::Outside => to.is_empty() || circle(from, to),
        Order::Inside => false,
    });
    wrong.map(|(from, to)| format!("{} names {}", shown(from), shown(to))).collect()
}

fn shown(module: &Module) -> String {
    if module.is_empty() { "the root".to_owned() } else { module.join("::") }
}

/// Where a module stands, seen from another one.
enum Order {
    Before,
    After,
    /// It is the folder of the other one.
    Outside,
    /// It is in the other one's folder.
    Inside,
}

impl Sources {
    fn read(folder: &Path) -> Self {
        let root = ["lib.rs", "main.rs"].map(|name| folder.join(name)).into_iter().find(|path| path.exists());
        let mut sources = Self { texts: BTreeMap::new(), children: BTreeMap::new(), exports: BTreeMap::new() };
        sources.add(Vec::new(), &root.expect("a crate has a root"), folder);
        let root = sources.texts.remove(&Vec::new()).unwrap_or_default();
        for path in uses(&root).into_iter().filter(|path| sources.children[&Vec::new()].contains(&path[0])) {
            let export = path.last().cloned().unwrap_or_default();
            sources.exports.insert(export, path[..1].to_vec());
        }
        sources
    }

    fn add(&mut self, module: Module, file: &PathBuf, folder: &Path) {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let text = without_tests(&text);
        let declared = |line: &str| Some(line.strip_suffix(';')?.rsplit_once("mod ")?.1.to_owned());
        let children: Vec<_> = text.lines().filter(|line| !line.starts_with(' ')).filter_map(declared).collect();
        for child in &children {
            let path = [module.clone(), vec![child.clone()]].concat();
            self.add(path, &folder.join(format!("{child}.rs")), &folder.join(child));
        }
        self.children.insert(module.clone(), children);
        self.texts.insert(module, text);
    }

    /// The modules that a text names.
    fn named(&self, module: &Module, text: &str) -> BTreeSet<Module> {
        let inner = &self.children[module];
        let paths = uses(text).into_iter().chain(paths(text));
        let named = paths.filter_map(|path| match path[0].as_str() {
            "crate" => Some(self.resolve(&path[1..])),
            "super" => {
                let up = path.iter().take_while(|name| *name == "super").count();
                let outer = &module[..module.len().checked_sub(up)?];
                Some(self.resolve(&[outer, &path[up..]].concat()))
            }
            first if inner.iter().any(|child| child == first) => Some(self.resolve(&[&module[..], &path].concat())),
            _ => None,
        });
        named.filter(|named| named != module).collect()
    }

    /// The innermost module on a path from the root.
    fn resolve(&self, path: &[String]) -> Module {
        if let Some(export) = path.first().and_then(|name| self.exports.get(name)) {
            return export.clone();
        }
        let inner = (0..=path.len()).rev().map(|length| path[..length].to_vec());
        inner.into_iter().find(|module| self.children.contains_key(module)).unwrap_or_default()
    }

    fn order(&self, from: &Module, to: &Module) -> Order {
        let common = from.iter().zip(to).take_while(|(one, other)| one == other).count();
        let (Some(own), Some(other)) = (from.get(common), to.get(common)) else {
            return if to.len() < from.len() { Order::Outside } else { Order::Inside };
        };
        let siblings = &self.children[&from[..common]];
        let index = |name: &String| siblings.iter().position(|sibling| sibling == name);
        if index(other) < index(own) { Order::Before } else { Order::After }
    }
}

/// The text without comments and without what is under `#[cfg(test)]`: the item that follows, up to the line that closes it.
fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept += &format!("{line}\n");
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let last = |line: &&str| [format!("{indent}}}"), format!("{indent}}};")].contains(&(*line).to_owned());
        let first = lines.next().unwrap_or_default();
        if !first.ends_with(';') {
            lines.by_ref().find(last);
        }
    }
    kept
}

/// Every path that a `use` names, with its braces taken apart.
fn uses(text: &str) -> Vec<Module> {
    let statements = text.split("use ").skip(1).filter_map(|rest| rest.split_once(';'));
    statements.flat_map(|(tree, _)| branches(&tree.split_whitespace().collect::<String>())).collect()
}

fn branches(tree: &str) -> Vec<Module> {
    let Some((stem, rest)) = tree.split_once('{') else {
        return vec![tree.split("::").map(str::to_owned).collect()];
    };
    let stem: Module = stem.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let (mut depth, mut items) = (0, vec![String::new()]);
    for letter in rest.trim_end_matches('}').chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        match (letter, items.last_mut()) {
            (',', _) if depth == 0 => items.push(String::new()),
            (letter, Some(item)) => item.push(letter),
            _ => {}
        }
    }
    let items = items.into_iter().filter(|item| !item.is_empty());
    items
        .flat_map(|item| branches(&item).into_iter().map(|branch| [stem.clone(), branch].concat()).collect::<Vec<_>>())
        .collect()
}

/// Every path anywhere else.
fn paths(text: &str) -> Vec<Module> {
    let words = text.split(|letter: char| !letter.is_alphanumeric() && !matches!(letter, '_' | ':'));
    let paths = words.filter(|word| word.contains("::")).map(|word| word.split("::").map(str::to_owned).collect());
    paths.filter(|path: &Module| path.iter().all(|name| !name.is_empty())).collect()
}
