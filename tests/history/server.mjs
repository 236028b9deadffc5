// The example `history` as a process of its own, and what it was asked to publish. Knows no client.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import http from "node:http";

export const PATIENCE = 15_000;
export const pause = (ms) => new Promise((wake) => setTimeout(wake, ms));

/// Asks again and again until the answer is `true`; fails with the last answer.
export async function eventually(ask, what, patience = PATIENCE) {
  const end = Date.now() + patience;
  for (;;) {
    const answer = await ask();
    if (answer === true) return;
    if (Date.now() > end) assert.fail(`${what}: ${JSON.stringify(answer)}`);
    await pause(20);
  }
}

export class Server {
  constructor(...options) {
    Object.assign(this, { options, listen: "127.0.0.1:0", published: [] });
  }

  /// Starts it, at the address of before if there was one.
  async start() {
    const given = ["--listen", this.listen, ...this.options];
    const child = this.child = spawn(process.env.HISTORY, given, { stdio: ["ignore", "pipe", "inherit"] });
    process.on("exit", () => child.kill("SIGKILL"));
    this.ended = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => resolve({ code, signal }));
    });
    let printed = "";
    child.stdout.setEncoding("utf8").on("data", (text) => { printed += text; });
    await eventually(() => {
      assert.equal(child.exitCode, null, "the server ended");
      this.url = /^open (http:\S+)$/m.exec(printed)?.[1];
      return this.url !== undefined;
    }, "the server prints its address");
    this.listen = new URL(this.url).host;
    // A connection of the process before is no good.
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    return this;
  }

  /// Ends it by a signal, and waits for the end.
  async stop(signal = "SIGTERM") {
    this.agent.destroy();
    this.child.kill(signal);
    return this.ended;
  }

  /// Publishes a text, and keeps what every follower must see.
  async say(text) {
    const request = http.request(new URL("say", this.url), { method: "POST", agent: this.agent });
    const answer = new Promise((resolve, reject) => request.on("response", resolve).on("error", reject));
    request.end(text);
    const response = await answer;
    const id = (await response.setEncoding("utf8").toArray()).join("").trim();
    assert.equal(response.statusCode, 200, id);
    assert.match(id, /^\d+-\d+$/);
    this.published.push([id, text]);
    return id;
  }
}
