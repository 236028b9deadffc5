// The example echo under TLS in a real browser, which trusts the key of this one certificate. `CHAT_URL` is the server's
// address, `TRUSTED_KEY` names the key, and `OTHER_URL` is the same server with another certificate.

import assert from "node:assert/strict";
import { chat, complaints, open, run, test } from "./harness.mjs";

/// Sends every message over a WebSocket of the page, and returns what comes back.
const echoed = (page, texts, url = "/") => page.evaluate(([all, path]) => new Promise((resolve, reject) => {
  const socket = new WebSocket(new URL(path, location.href.replace(/^http/, "ws")), ["echo"]);
  const back = [];
  socket.onopen = () => all.forEach((text) => socket.send(text));
  socket.onmessage = ({ data }) => { if (back.push(data) === all.length) socket.close(1000); };
  socket.onclose = ({ code, wasClean }) => resolve({ back, code, wasClean, protocol: socket.protocol, url: socket.url });
  socket.onerror = () => reject(new Error("no WebSocket"));
}), [texts, url]);

test("page_is_served_over_https", async () => {
  const page = await open();
  assert.match(await page.textContent("body"), /^This is a WebSocket echo server/);
  assert.ok(await page.evaluate(() => isSecureContext && location.protocol === "https:"));
  assert.deepEqual(complaints, []);
});

test("page_of_https_opens_wss_of_its_own_host", async () => {
  const page = await open();
  // The borders of a frame's length and of a record of TLS, and far more than one record.
  const texts = [0, 1, 125, 126, 16_383, 16_384, 16_385, 65_536, 1 << 20].map((size) => "x".repeat(size));
  const { back, code, wasClean, protocol, url } = await echoed(page, texts);
  assert.ok(url.startsWith("wss://"), url);
  assert.deepEqual(back.map(({ length }) => length), texts.map(({ length }) => length));
  assert.ok(back.every((text, place) => text === texts[place]));
  assert.deepEqual({ code, wasClean, protocol }, { code: 1000, wasClean: true, protocol: "echo" });
  assert.deepEqual(complaints, []);
});

test("page_posts_over_https", async () => {
  const page = await open();
  const same = await page.evaluate(async () => {
    const sent = new Uint8Array(300_000).map((_, place) => place);
    const answer = await fetch("/post", { method: "POST", body: sent });
    const back = new Uint8Array(await answer.arrayBuffer());
    return answer.status === 200 && back.length === sent.length && back.every((byte, place) => byte === sent[place]);
  });
  assert.ok(same);
});

test("page_of_another_origin_is_refused", async () => {
  const page = await open();
  // The name and the address are two hosts.
  await page.goto(chat.url.replace("localhost", "127.0.0.1"));
  await assert.rejects(echoed(page, ["x"], chat.url.replace(/^http/, "ws")), /no WebSocket/);
});

test("certificate_of_another_key_is_not_trusted", async () => {
  const page = await open("about:blank");
  await assert.rejects(page.goto(process.env.OTHER_URL), /ERR_CERT_AUTHORITY_INVALID/);
});

await run(process.argv.slice(2));
