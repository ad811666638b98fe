//! What the documents say of the workspace is so: who may depend on whom, and which tests there are.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// A package may depend on those before it.
const LAYERS: &[&str] = &[
    "everpool-core",
    "everpool-engine",
    "everpool-session",
    "everpool-r2d2",
    "everpool-diesel",
    "everpool-sqlx",
];

#[test]
fn arrows_point_down_only() {
    let packages = packages();
    for (height, name) in LAYERS.iter().enumerate() {
        let above: Vec<_> = shipped(package(&packages, name))
            .iter()
            .filter_map(|dependency| dependency["name"].as_str())
            .filter(|on| packages.iter().any(|package| package["name"] == *on))
            .filter(|on| !LAYERS[..height].contains(on))
            .collect();
        assert!(above.is_empty(), "{name} depends on {above:?}");
    }
}

#[test]
fn the_core_without_features_has_no_dependency() {
    let packages = packages();
    let core = package(&packages, LAYERS[0]);
    let needed: Vec<_> = shipped(core)
        .into_iter()
        .filter(|dependency| dependency["optional"] != true && dependency["target"].is_null())
        .map(|dependency| &dependency["name"])
        .collect();
    assert!(needed.is_empty(), "{} needs {needed:?}", LAYERS[0]);
}

#[test]
fn every_test_that_parity_names_exists() {
    let (text, tests) = (document("PARITY.md"), tests_of_the_workspace());
    let mut problems = parity_problems(&text, &tests);
    problems.extend(lesson_problems(&text, &tests));
    assert!(problems.is_empty(), "PARITY.md:\n{}", problems.join("\n"));
}

#[test]
fn every_invariant_of_the_architecture_names_its_test() {
    let problems = invariant_problems(&document("ARCHITECTURE.md"), &tests_of_the_workspace());
    assert!(
        problems.is_empty(),
        "ARCHITECTURE.md:\n{}",
        problems.join("\n")
    );
}

#[test]
fn a_function_is_a_test_by_its_attribute_only() {
    let source = "#[test]\n#[should_panic]\nfn a() {\n    fn b() {}\n}\n\nfn c() {}\n// #[test]\nfn d() {}\n\
         #[tokio::test(flavor = \"x\")]\nasync fn e() {}";
    let mut tests = BTreeSet::new();
    add_tests(source, &mut tests);
    assert_eq!(tests, known(&["a", "e"]));
}

#[test]
fn the_tests_of_the_workspace_are_found() {
    let tests = tests_of_the_workspace();
    assert!(tests.contains("the_tests_of_the_workspace_are_found"));
    assert!(!tests.contains("tests_of_the_workspace"));
}

#[test]
fn a_right_table_of_parity_has_no_problem() {
    let text = "# Parity\n\n| number | verdict | test |\n|---:|---|---|\n\
                | 1 | same | `a` |\n\
                | 2-4 | differs: fair | `a`, `b` |\n\n## Next\n\n\
                | number | verdict | test |\n|---|---|---|\n\
                | 7 | n.a.: no asyncio | |\n\n| other | table |\n|---|---|\n| x | y |\n";
    assert_eq!(parity_problems(text, &known(&["a", "b"])), [""; 0]);
}

#[test]
fn a_wrong_row_of_parity_is_reported() {
    let table = [
        ("| 1 | same | `missing` |", "no test `missing`"),
        ("| 1 | same | `a`, `missing` |", "no test `missing`"),
        ("| 1 | n.a.: no | `missing` |", "no test `missing`"),
        ("| 1 | same | |", "names no test"),
        ("| 1 | differs: so | |", "names no test"),
        ("| 1 | same | a |", "is no test name in backticks"),
        ("| 1 | same | `a` `b` |", "is no test name in backticks"),
        ("| 1 | differs | `a` |", "verdict"),
        ("| 1 | perhaps | `a` |", "verdict"),
        ("| one | same | `a` |", "neither a number nor a range"),
        ("| 3-2 | same | `a` |", "neither a number nor a range"),
        ("| 1 | same |", "three cells"),
        ("| 1 | same | `a` | more |", "three cells"),
        ("| 1 | same | `a` |\n| 1 | same | `a` |", "after 1"),
        ("| 2-4 | same | `a` |\n| 4 | same | `a` |", "after 4"),
        ("| 2 | same | `a` |\n| 1 | same | `a` |", "after 2"),
        ("", "no row"),
    ];
    for (rows, expected) in table {
        let text = format!("| number | verdict | test |\n|---|---|---|\n{rows}\n");
        let problems = parity_problems(&text, &known(&["a", "b"]));
        assert_eq!(problems.len(), 1, "{rows}: {problems:?}");
        assert!(problems[0].contains(expected), "{rows}: {problems:?}");
    }
}

#[test]
fn a_wrong_invariant_is_reported() {
    let table = [
        ("| law | `file.rs` | `a`, `b` |", None),
        ("| a `x | y` law | here | `a` |", None),
        ("| law | here | `missing` |", Some("no test `missing`")),
        ("| law | here | |", Some("names no test")),
        (
            "| law | here | by thought |",
            Some("is no test name in backticks"),
        ),
        ("", Some("no row")),
        (
            "\n## Other\n\n| law | where | test |\n|---|---|---|\n| x | y | `a` |",
            Some("no row"),
        ),
    ];
    for (rows, expected) in table {
        let text =
            format!("# A\n\n## Invariants\n\n| law | where | test |\n|---|---|---|\n{rows}\n");
        let problems = invariant_problems(&text, &known(&["a", "b"]));
        match expected {
            None => assert_eq!(problems, [""; 0], "{rows}"),
            Some(expected) => {
                assert_eq!(problems.len(), 1, "{rows}: {problems:?}");
                assert!(problems[0].contains(expected), "{rows}: {problems:?}");
            }
        }
    }
}

fn known(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = tests.parent();
    root.expect("this package is a directory of the workspace")
        .to_owned()
}

fn document(name: &str) -> String {
    let text = fs::read_to_string(root().join(name));
    text.unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root())
        .output()
        .expect("the cargo that built this runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut metadata: Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    match metadata["packages"].take() {
        Value::Array(packages) => packages,
        other => panic!("cargo metadata has these packages: {other}"),
    }
}

fn package<'a>(packages: &'a [Value], name: &str) -> &'a Value {
    let found = packages.iter().find(|package| package["name"] == name);
    found.unwrap_or_else(|| panic!("the workspace has no package {name}"))
}

/// The dependencies that a user of the package gets: all but those of its tests.
fn shipped(package: &Value) -> Vec<&Value> {
    let dependencies = package["dependencies"].as_array();
    let dependencies = dependencies.expect("cargo metadata lists the dependencies");
    let for_tests = |dependency: &&Value| dependency["kind"] != "dev";
    dependencies.iter().filter(for_tests).collect()
}

fn tests_of_the_workspace() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    let mut directories = vec![root()];
    while let Some(directory) = directories.pop() {
        let entries = fs::read_dir(&directory).expect("a directory of the workspace can be read");
        for entry in entries {
            let path = entry.expect("an entry can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('.') || name == "target" {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else if name.ends_with(".rs") {
                let source = fs::read_to_string(&path).expect("a source is UTF-8");
                add_tests(&source, &mut tests);
            }
        }
    }
    tests
}

/// `#[test]` belongs to the next function, whatever other attributes are between.
fn add_tests(source: &str, tests: &mut BTreeSet<String>) {
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line == "#[test]" || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(function) = line.trim_start_matches("async ").strip_prefix("fn ") {
            let name = function.split_once('(').map(|(name, _)| name.to_owned());
            tests.extend(name.filter(|_| is_test));
            is_test = false;
        }
    }
}

fn parity_problems(text: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let rows = rows(text, "| number | verdict | test |");
    let mut problems = Vec::new();
    let mut last = 0;
    for row in &rows {
        let checked = parity_row(row, last, tests);
        match checked {
            Ok(number) => last = number,
            Err(problem) => problems.push(format!("{row}: {problem}")),
        }
    }
    if rows.is_empty() {
        problems.push("no row under | number | verdict | test |".to_owned());
    }
    problems
}

fn lesson_problems(text: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let rows = rows(text, "| issue | lesson | test |");
    let checked = rows.iter().filter_map(|row| {
        let names = cells(row).pop().unwrap_or_default();
        let problem = names_exist(names, tests).err()?;
        Some(format!("{row}: {problem}"))
    });
    let none = rows
        .is_empty()
        .then(|| "no row under | issue | lesson | test |".to_owned());
    checked.chain(none).collect()
}

/// The number of the row, or the last of its range.
fn parity_row(row: &str, last: u32, tests: &BTreeSet<String>) -> Result<u32, String> {
    let [number, verdict, names] = cells(row)[..] else {
        return Err("a row has three cells".to_owned());
    };
    let (first, end) = number.split_once('-').unwrap_or((number, number));
    let (first, end) = match (first.parse::<u32>(), end.parse::<u32>()) {
        (Ok(first), Ok(end)) if first <= end => (first, end),
        _ => return Err(format!("{number} is neither a number nor a range")),
    };
    if first <= last {
        return Err(format!("{number} stands after {last}"));
    }
    let without_test = verdict.starts_with("n.a.: ");
    if !without_test && !verdict.starts_with("differs: ") && !verdict.starts_with("same") {
        return Err(format!(
            "the verdict {verdict} is not `same`, `differs: …` or `n.a.: …`"
        ));
    }
    if !(without_test && names.is_empty()) {
        names_exist(names, tests)?;
    }
    Ok(end)
}

fn invariant_problems(text: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let section = text
        .split_once("\n## Invariants\n")
        .map_or("", |(_, section)| section);
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = rows(section, "| law | where | test |");
    let mut problems = Vec::new();
    for row in &rows {
        let names = cells(row).pop().unwrap_or_default();
        if let Err(problem) = names_exist(names, tests) {
            problems.push(format!("{row}: {problem}"));
        }
    }
    if rows.is_empty() {
        problems.push("no row under ## Invariants, | law | where | test |".to_owned());
    }
    problems
}

/// The rows of all tables with this header. The width of its columns is free.
fn rows<'a>(text: &'a str, header: &str) -> Vec<&'a str> {
    let mut rows = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if cells(line) == cells(header) {
            let table = lines.by_ref().take_while(|line| line.starts_with('|'));
            rows.extend(table.skip(1));
        }
    }
    rows
}

fn cells(row: &str) -> Vec<&str> {
    let row = row.strip_prefix('|').unwrap_or(row);
    let row = row.strip_suffix('|').unwrap_or(row);
    row.split('|').map(str::trim).collect()
}

fn names_exist(cell: &str, tests: &BTreeSet<String>) -> Result<(), String> {
    if cell.is_empty() {
        return Err("names no test".to_owned());
    }
    for quoted in cell.split(", ") {
        let name = quoted
            .strip_prefix('`')
            .and_then(|rest| rest.strip_suffix('`'))
            .filter(|name| !name.contains('`'))
            .ok_or_else(|| format!("{quoted} is no test name in backticks"))?;
        if !tests.contains(name) {
            return Err(format!("there is no test `{name}`"));
        }
    }
    Ok(())
}
