//! The page as an answer: one file, and a policy under which nothing but that file's own script and style runs. Knows
//! nothing of the chat behind it.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use switchboard::Response;

const PAGE: &str = include_str!("page.html");

/// The page. Script and style are allowed by a nonce made for this answer alone; everything else, by default, is not:
/// no foreign host, no inline handler, no frame around the page, no string turned into markup by a script.
pub fn page() -> Response {
    let nonce = nonce();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    );
    Response::html(PAGE.replace("{{nonce}}", &nonce))
        .header("Content-Security-Policy", policy)
        .header("X-Content-Type-Options", "nosniff")
        .header("Referrer-Policy", "no-referrer")
        .header("Cache-Control", "no-store")
}

/// 128 bits that nobody can guess: the keys of a hasher come from the operating system's randomness.
fn nonce() -> String {
    let word = |n: u8| RandomState::new().hash_one(n);
    format!("{:016x}{:016x}", word(0), word(1))
}
