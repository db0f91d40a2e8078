//! The sources of the workspace as the rules of the house read them: which lines are shipped, and what they name.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The top of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate stands in the workspace")
}

/// A source file.
pub(crate) struct Source {
    /// From the top of the repository.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
    /// The lines that are shipped, by number; none in a file of tests.
    pub(crate) production: Vec<(usize, String)>,
}

impl Source {
    /// The lines that are shipped, as one text.
    pub(crate) fn code(&self) -> String {
        self.production.iter().map(|(_, line)| format!("{line}\n")).collect()
    }
}

/// All .rs files of the workspace.
pub(crate) fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    for room in ["proto", "node", "cli", "tests"] {
        collect(&root().join(room), &mut paths);
    }
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a source is text");
        (path, text)
    };
    let texts: Vec<(PathBuf, String)> = paths.into_iter().map(read).collect();
    let tests: Vec<PathBuf> = texts.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    let source = |(path, text): (PathBuf, String)| {
        let name = path.strip_prefix(root()).expect("it is below the top").display().to_string();
        let is_test = name.starts_with("tests/")
            || name.contains("/tests/")
            || tests.iter().any(|test| path.starts_with(test) || path == test.with_extension("rs"));
        let production = if is_test { Vec::new() } else { production_lines(&text) };
        Source { path: name, text, production }
    };
    let sources: Vec<Source> = texts.into_iter().map(source).collect();
    assert!(sources.iter().filter(|source| !source.production.is_empty()).count() > 100, "the sources were not found");
    sources
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for item in fs::read_dir(folder).expect("a folder of the repository is readable") {
        let path = item.expect("an item of it too").path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target" && name != "node_modules") {
                collect(&path, into);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The modules that a file declares for tests alone, as paths without `.rs`.
fn test_modules(path: &Path, text: &str) -> Vec<PathBuf> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let own = path.parent().expect("a file stands in a folder");
    let folder = if ["mod", "lib", "main"].contains(&stem) { own.to_owned() } else { own.join(stem) };
    let lines: Vec<&str> = text.lines().collect();
    let declared = lines.windows(2).filter(|pair| pair[0].trim() == "#[cfg(test)]").filter_map(|pair| {
        let (_, name) = pair[1].split_once("mod ")?;
        name.strip_suffix(';').map(|name| folder.join(name))
    });
    declared.collect()
}

/// The lines that are shipped, numbered from 1: without comments, and without what stands under `#[cfg(test)]`.
fn production_lines(text: &str) -> Vec<(usize, String)> {
    let mut kept = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            // The item ends where its indentation comes back, with a brace or a semicolon.
            let indent = indent_of(line);
            for (_, inner) in lines.by_ref() {
                let ends = inner.ends_with(';') || inner.ends_with('}');
                if indent_of(inner) == indent && ends {
                    break;
                }
            }
        } else if !line.trim_start().starts_with("//") {
            let code = line.split_once(" // ").map_or(line, |(code, _)| code);
            kept.push((index + 1, code.trim_end().to_owned()));
        }
    }
    kept
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The names that stand directly behind `path` in the code: `crate::a`, `crate::{b, c::d}` give a, b, c.
pub(crate) fn names_behind(path: &str, code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(path) {
        let rest = &code[at + path.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            names.insert(identifier(rest));
            continue;
        };
        let (mut depth, mut fresh) = (0_usize, true);
        for (index, letter) in list.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => fresh = true,
                letter if fresh && letter.is_alphabetic() => {
                    names.insert(identifier(&list[index..]));
                    fresh = false;
                }
                _ => {}
            }
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

#[test]
fn names_are_found_in_every_form_of_a_path() {
    let found = names_behind("crate::", "use crate::{\n a::{self, x},\n b,\n};\nlet y = crate::c::d(crate::E);");
    assert_eq!(found, ["E", "a", "b", "c"].map(str::to_owned).into());
}

#[test]
fn code_of_tests_is_not_shipped() {
    let text = "//! Doc.\nfn a() {} // .unwrap()\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nfn c() {}\n";
    let lines = production_lines(text);
    assert_eq!(lines, [(2, "fn a() {}".to_owned()), (8, "fn c() {}".to_owned())]);
}
