//! The page as an answer: one file, and a policy under which only that file's own script and style
//! run. This file knows nothing of the chat.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use switchboard::Response;

const PAGE: &str = include_str!("page.html");

/// Makes the page. A nonce made for this answer alone allows script and style. Everything else is
/// forbidden: other hosts, inline handlers, frames around the page, strings that become markup.
pub fn page() -> Response {
    let nonce = nonce();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    );
    Response::html(PAGE.replace("{{nonce}}", &nonce))
        .header("Content-Security-Policy", policy)
        .header("X-Content-Type-Options", "nosniff")
        .header("Referrer-Policy", "no-referrer")
        .header("Cache-Control", "no-store")
}

/// Makes 128 bits that cannot be guessed: a hasher's keys come from the randomness of the system.
fn nonce() -> String {
    let word = |n: u8| RandomState::new().hash_one(n);
    format!("{:016x}{:016x}", word(0), word(1))
}
