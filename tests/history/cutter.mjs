// A TCP proxy that cuts connections: after a random number of bytes, in the middle of a head or of a frame, or after a
// random time. Everything random comes from one seed. Knows no protocol.

import { connect, createServer } from "node:net";

/// Numbers from 0 to 1, the same for each seed (mulberry32).
export function randomness(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class Cutter {
  /// Cuts so many connections to `port`, from `start` on, and passes on what comes after those.
  constructor(port, cuts, random) {
    Object.assign(this, { port, wanted: cuts, random, cuts: 0, cutting: false, lines: new Set() });
    this.server = createServer({ allowHalfOpen: false }, (client) => this.pass(client));
  }

  async listen() {
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.host = `127.0.0.1:${this.server.address().port}`;
    return this;
  }

  get done() {
    return this.cuts >= this.wanted;
  }

  /// Begins to cut, the connections that are there already included.
  start() {
    this.cutting = true;
    for (const line of this.lines) line.arm();
  }

  pass(client) {
    const upstream = connect({ port: this.port, host: "127.0.0.1", noDelay: true });
    client.setNoDelay();
    const line = { left: Infinity, timer: null };
    this.lines.add(line);
    const close = () => {
      this.lines.delete(line);
      clearTimeout(line.timer);
      client.destroy();
      upstream.destroy();
    };
    const cut = () => {
      if (!this.lines.has(line) || this.done) return;
      this.cuts += 1;
      this.lines.delete(line);
      clearTimeout(line.timer);
      // Half of them in order, so that all bytes before the cut arrive; half by a reset, which may drop some of those.
      if (this.random() < 0.5) client.end(() => client.destroy());
      else client.resetAndDestroy();
      upstream.destroy();
    };
    line.arm = () => {
      // Each size is as likely as its double: half of the connections end before 512 bytes.
      line.left = Math.floor(2 ** (18 * this.random()));
      line.timer = setTimeout(cut, 5 + 150 * this.random() ** 2);
    };
    if (this.cutting && !this.done) line.arm();
    const forward = (from, to) => from.on("data", (bytes) => {
      if (!this.lines.has(line)) return;
      if (bytes.length <= line.left || this.done) {
        line.left -= bytes.length;
        to.write(bytes);
        return;
      }
      to.write(bytes.subarray(0, line.left));
      cut();
    });
    forward(client, upstream);
    forward(upstream, client);
    for (const socket of [client, upstream]) socket.on("error", () => {}).on("close", () => {
      if (this.lines.has(line)) close();
    });
  }

  close() {
    this.server.close();
  }
}
