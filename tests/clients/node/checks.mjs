// What the node clients share: a runner, and the messages that are worth sending. Knows neither client.

import assert from "node:assert/strict";

/// The borders of every length encoding, and the largest message that the server takes.
export const SIZES = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 16 << 20];
/// The largest body that the echo example takes.
export const MAX_BODY = 1 << 20;
const PATIENCE = 60_000;

export const [address, ...options] = process.argv.slice(2);
export const deflate = options.includes("deflate");
/// With the word `tls`, every connection is under TLS. `NODE_EXTRA_CA_CERTS` names a certificate that is trusted.
export const tls = options.includes("tls");
export const [WS, HTTP] = tls ? ["wss", "https"] : ["ws", "http"];

/// So many bytes of UTF-8, with characters of two bytes where there is room.
export const text = (size) => "é".repeat(size >> 1) + "x".repeat(size & 1);

export const binary = (size) => Buffer.alloc(size, Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)));

/// Compares without printing megabytes.
export function same(found, expected) {
  if (Buffer.isBuffer(found) && Buffer.isBuffer(expected)) {
    return assert.ok(found.equals(expected), `${found.length} bytes are not the ${expected.length} expected`);
  }
  if (typeof found === "string" && typeof expected === "string") {
    return assert.ok(found === expected, `"${found.slice(0, 100)}" is not "${expected.slice(0, 100)}"`);
  }
  assert.deepEqual(found, expected);
}

/// The arguments of the event's first occurrence; an error fails it.
export const event = (emitter, name) =>
  new Promise((resolve, reject) => {
    emitter.addEventListener(name, resolve, { once: true });
    if (name !== "error") emitter.addEventListener("error", (failure) => reject(failure.error ?? failure), { once: true });
  });

/// Runs every check; prints a line for each and `N passed, N failed`.
export async function run(checks) {
  let failed = 0;
  for (const check of checks) {
    let timer;
    const late = new Promise((_, reject) => { timer = setTimeout(reject, PATIENCE, new Error("not done in time")); });
    try {
      await Promise.race([check(), late]);
      console.log(`ok   ${check.name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${check.name}\n${String(error?.stack ?? error).replace(/^/gm, "     ")}`);
    }
    clearTimeout(timer);
  }
  console.log(`${checks.length - failed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}
