//! The library as a dependent program builds it: without the dependencies of its tests, whose
//! features Cargo turns on for every build that has tests or examples in it.

use std::process::Command;

#[test]
fn library_builds_without_the_dependencies_of_its_tests() {
    let outcome = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--lib", "--offline"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        // Another folder than that of the build that waits for this test.
        .args(["--target-dir", concat!(env!("CARGO_TARGET_TMPDIR"), "/alone")])
        .output()
        .expect("cargo");
    let told = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.status.success(), "{told}");
}
