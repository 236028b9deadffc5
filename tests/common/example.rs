//! Builds examples for tests that run them as processes: `cargo test` alone does not build an
//! example that has tests of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds some examples as this test is built, and returns the folder of their executables.
pub fn build(names: &[&str]) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let profile = own.parent().and_then(Path::parent).expect("target/PROFILE/deps");
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--locked"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        names.iter().for_each(|name| _ = build.args(["--example", name]));
        let features = [("deflate", cfg!(feature = "deflate")), ("tls", cfg!(feature = "tls"))];
        for (feature, is_on) in features {
            if is_on {
                build.args(["--features", feature]);
            }
        }
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "the examples cannot be built");
    }
    profile.join("examples")
}
