//! The manual names tests: each of them exists in the file that the manual names. Its chapter on
//! proxies shows each file of `examples/proxies`, which `tests/proxies/run` checks.

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

#[test]
fn manual_shows_each_file_for_a_proxy() {
    let chapter = fs::read_to_string("src/guide/behind_a_proxy.rs").unwrap();
    let files = fs::read_dir("examples/proxies").unwrap().map(|file| file.unwrap().file_name());
    let names: Vec<_> = files.map(|name| name.into_string().unwrap()).collect();
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        let line = format!("#![doc = include_str!(\"../../examples/proxies/{name}\")]");
        assert!(chapter.contains(&line), "the chapter does not show {name}");
    }
}
