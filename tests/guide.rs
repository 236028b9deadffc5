//! The manual names tests: each of them exists in the file that the manual names. Its chapters on
//! proxies and on deployment show each file of `examples/proxies` and of `examples/deploy`, which
//! `tests/proxies/run` and `tests/deploy/run` check, and its chapter on history the scripts that
//! `tests/history/run` runs.

use std::fs;

/// The words in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn manual_names_tests_that_exist() {
    let chapter = fs::read_to_string("src/guide/went_wrong_elsewhere.rs").unwrap();
    let text = chapter.replace("//!", "");
    let (mut file, mut source, mut found) = ("", String::new(), 0);
    for name in quoted(&text) {
        match fs::read_to_string(format!("tests/{name}.rs")) {
            Ok(read) => (file, source) = (name, read),
            Err(_) if name.starts_with("field_row_") || name.starts_with("client_judges_") => {
                assert!(source.contains(&format!("fn {name}(")), "tests/{file}.rs has no {name}");
                found += 1;
            }
            Err(_) => {}
        }
    }
    assert!(found >= 30, "{found} tests are named");
    for entry in 1..=29 {
        assert!(text.contains(&format!("**{entry}. ")), "entry {entry} is missing");
    }
}

/// Asserts that a chapter shows each file of a folder of the examples.
fn assert_shows_files(chapter: &str, folder: &str) {
    let text = fs::read_to_string(format!("src/guide/{chapter}.rs")).unwrap();
    let files =
        fs::read_dir(format!("examples/{folder}")).unwrap().map(|file| file.unwrap().file_name());
    let names: Vec<_> = files.map(|name| name.into_string().unwrap()).collect();
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        let line = format!("#![doc = include_str!(\"../../examples/{folder}/{name}\")]");
        assert!(text.contains(&line), "the chapter {chapter} does not show {name}");
    }
}

#[test]
fn manual_shows_each_script_that_follows_a_topic() {
    let page = fs::read_to_string("examples/history/page.js").unwrap();
    let chapter = fs::read_to_string("src/guide/history.rs").unwrap();
    let names: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_suffix("\";")?.split_once("from \"./"))
        .map(|(_, name)| name)
        .collect();
    assert_eq!(names.len(), 4, "{names:?}");
    for name in names {
        let line = format!("#![doc = include_str!(\"../../examples/history/{name}\")]");
        assert!(chapter.contains(&line), "the chapter history does not show {name}");
    }
}

#[test]
fn manual_shows_each_file_for_a_proxy() {
    assert_shows_files("behind_a_proxy", "proxies");
}

#[test]
fn manual_shows_each_file_for_a_deployment() {
    assert_shows_files("deployment", "deploy");
}
