//! Bodies on their way to the server: whole, in pieces, refused, and announced by `Expect`.

use std::sync::Arc;

use switchboard::Options;

use super::{both, start};
use crate::client::Client;
use crate::proxy::{Kind, Rig};
use crate::site::Site;

/// Just below the limit of nginx in its file.
const BIG: usize = (16 << 20) - 1;

fn uploads(client: &mut Client) {
    let body = vec![7; BIG];
    let answer = client.post("/upload", &body).unwrap();
    assert_eq!(answer.body, format!("{BIG} bytes, sum {}", 7 * BIG), "{answer:?}");
}

pub fn big_upload_arrives(rig: &Arc<Rig>, kind: Kind) {
    let (_site, proxy) = both(rig, kind, Options::new());
    let mut client = proxy.client().unwrap();
    uploads(&mut client);
    uploads(&mut client);
}

pub fn big_upload_arrives_in_whole(rig: &Arc<Rig>, kind: Kind) {
    let site = Site::start(Options::new());
    let proxy = start(rig.config(kind).without("proxy_request_buffering"), &site);
    uploads(&mut proxy.client().unwrap());
}

pub fn chunked_upload_arrives(rig: &Arc<Rig>, kind: Kind) {
    let (_site, proxy) = both(rig, kind, Options::new());
    let mut client = proxy.client().unwrap();
    uploads_in_chunks(&mut client);
    uploads(&mut client);
}

/// HTTP/1.0 has no chunks: nginx collects them.
pub fn chunked_upload_arrives_over_http_1_0(rig: &Arc<Rig>, kind: Kind) {
    let site = Site::start(Options::new());
    let proxy = start(rig.config(kind).without("proxy_http_version"), &site);
    uploads_in_chunks(&mut proxy.client().unwrap());
}

fn uploads_in_chunks(client: &mut Client) {
    let head = "POST /upload HTTP/1.1\r\nHost: chat.example\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.write(head).unwrap();
    for len in [1_usize, 100, 70_000] {
        let mut chunk = format!("{len:x}\r\n").into_bytes();
        chunk.extend(vec![1; len]);
        chunk.extend(b"\r\n");
        client.write(chunk).unwrap();
    }
    client.write("0\r\n\r\n").unwrap();
    let answer = client.answer().unwrap();
    assert_eq!(answer.body, "70101 bytes, sum 70101", "{answer:?}");
}

/// The server answers before the body has arrived, and the proxy must live to read that.
pub fn upload_that_is_refused_early_gets_its_413(rig: &Arc<Rig>, kind: Kind) {
    let (_site, proxy) = both(rig, kind, Options::new());
    for _ in 0..5 {
        let mut client = proxy.client().unwrap();
        let _cut = client.request("POST", "/small", "", &vec![7; BIG]);
        let answer = client.answer().unwrap();
        assert_eq!(answer.status, 413, "{answer:?}");
    }
    assert_eq!(proxy.get("/page").unwrap().status, 200);
}

pub fn client_that_waits_for_100_gets_it(rig: &Arc<Rig>, kind: Kind) {
    let (_site, proxy) = both(rig, kind, Options::new());
    let mut client = proxy.client().unwrap();
    for _ in 0..2 {
        let head = "POST /upload HTTP/1.1\r\nHost: chat.example\r\nContent-Length: 5\r\n\
                    Expect: 100-continue\r\n\r\n";
        client.write(head).unwrap();
        let (status, head) = client.head().unwrap();
        assert_eq!(status, 100, "{head}");
        client.write("\x01\x01\x01\x01\x01").unwrap();
        assert_eq!(client.answer().unwrap().body, "5 bytes, sum 5");
    }
}

pub fn without_the_limit_nginx_answers_413(rig: &Arc<Rig>, kind: Kind) {
    let site = Site::start(Options::new());
    let proxy = start(rig.config(kind).without("client_max_body_size"), &site);
    let mut client = proxy.client().unwrap();
    let _cut = client.request("POST", "/upload", "", &vec![7; 2 << 20]);
    let answer = client.answer().unwrap();
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(answer.body.contains("nginx"), "{answer:?}");
}
