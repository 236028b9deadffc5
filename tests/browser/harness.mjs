// What the tests stand on: a runner, the chat as a process of its own, a browser, and pages in it. Knows nothing of
// what is tested.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { onPath } from "./on-path.mjs";

const PATIENCE = 15_000;

/// Where pictures go, with a slash at its end.
export const SCREENSHOTS = fileURLToPath(new URL("screenshots/", import.meta.url));
mkdirSync(SCREENSHOTS, { recursive: true });

const tests = [];
export const test = (name, body) => tests.push({ name, body });

/// Runs every test whose name contains one of the arguments (all without any), and ends the process.
export async function run(wanted) {
  const chosen = tests.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
  let failed = 0;
  for (const { name, body } of chosen) {
    try {
      await body();
      console.log(`ok   ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}\n${String(error?.stack ?? error).replace(/^/gm, "     ")}`);
    }
    await closePages();
  }
  await browser?.close();
  await chat?.stop();
  console.log(`${chosen.length - failed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && chosen.length > 0 ? 0 : 1;
}

/// Asks again and again until the answer is `true`; fails with the last answer.
export async function eventually(ask, what) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const answer = await ask();
    if (answer === true) return;
    if (Date.now() > end) assert.fail(`${what}: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// ---- the chat ----------------------------------------------------------------------------------------------------

/// The program with these arguments: `child`, what it printed so far, and the promise of its end.
export function program(...options) {
  const child = spawn(process.env.CHAT, options, { stdio: ["ignore", "pipe", "pipe"] });
  const started = { child, stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text) => { started.stdout += text; });
  child.stderr.setEncoding("utf8").on("data", (text) => { started.stderr += text; });
  const killIfLeft = () => child.kill("SIGKILL");
  process.on("exit", killIfLeft);
  started.ended = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => { process.off("exit", killIfLeft); resolve({ code, signal }); });
  });
  return started;
}

class Chat {
  constructor(started, url) { Object.assign(this, { started, url, running: true }); }

  static async start(address = "127.0.0.1:0") {
    const started = program("--listen", address);
    let over = null;
    started.ended.then((end) => { over = end; }, (error) => { over = error; });
    let url;
    await eventually(() => {
      url = /^open (http:\S+)$/m.exec(started.stdout)?.[1];
      assert.equal(over, null, `the chat ended: ${JSON.stringify(over)} ${started.stderr}`);
      return url !== undefined;
    }, "the chat prints its address");
    return new Chat(started, url);
  }

  /// As Ctrl-C does it.
  async stop() {
    if (!this.running) return { code: 0, signal: null };
    this.running = false;
    this.started.child.kill("SIGINT");
    return this.started.ended;
  }

  /// The same address again.
  async again() {
    Object.assign(this, await Chat.start(new URL(this.url).host));
  }

  /// The same address, and nothing of what the other tests left behind.
  async afresh() {
    await this.stop();
    await this.again();
  }
}

/// With `CHAT_URL`, a chat that runs already, such as one behind a proxy. It cannot be stopped.
const { CHAT_URL, TRUSTED_KEY } = process.env;
export const chat = CHAT_URL ? Object.assign(new Chat(null, CHAT_URL), { running: false }) : await Chat.start();

// ---- the browser -------------------------------------------------------------------------------------------------

const browser = await chromium.launch({
  executablePath: onPath("chromium"),
  args: [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    // A proxy's name, and its certificate of the moment. With `TRUSTED_KEY`, only the certificate of this key is trusted:
    // base64 of the SHA-256 of its SubjectPublicKeyInfo.
    ...(CHAT_URL ? ["--host-resolver-rules=MAP chat.example 127.0.0.1"] : []),
    ...(TRUSTED_KEY ? [`--ignore-certificate-errors-spki-list=${TRUSTED_KEY}`] : CHAT_URL ? ["--ignore-certificate-errors"] : []),
  ],
});

let contexts = [];
/// What went wrong in the pages of this test: errors of scripts, and of the policy.
export let complaints = [];

async function closePages() {
  await Promise.all(contexts.map((context) => context.close()));
  contexts = [];
  complaints = [];
}

/// A browser profile of its own with one page, at the chat's address plus `path`.
export async function open(path = "", options = {}) {
  const context = await browser.newContext({ viewport: { width: 1180, height: 760 }, locale: "en-GB", ...options });
  contexts.push(context);
  return openIn(context, path);
}

/// One more page in a profile.
export async function openIn(context, path = "") {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // A server that is not there is part of the tests.
    if (message.type() === "error" && !/net::ERR_|WebSocket connection/.test(message.text())) complaints.push(message.text());
  });
  page.on("dialog", (dialog) => { complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  if (path !== "about:blank") await page.goto(chat.url + path);
  return page;
}

/// A page whose user has come in.
export async function visitor(nick, { room = "lobby", ...options } = {}) {
  const page = await open(`#${room}`, options);
  await enter(page, nick);
  return page;
}

export async function enter(page, nick) {
  await page.getByLabel("Your nickname").fill(nick);
  await page.getByRole("button", { name: "Connect me" }).click();
  await page.locator("#door").waitFor({ state: "hidden" });
}

export async function say(page, text) {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

/// The texts of the messages that a page shows, those that are still being sent left out.
export const messages = (page) => page.locator(".said:not(.pending) .text").allTextContents();
export const systemLines = (page) => page.locator(".system").allTextContents();
export const people = (page) => page.locator("#people .nick").allTextContents();
export const sees = (page, text) => eventually(async () => (await messages(page)).includes(text) || (await messages(page)), `sees ${JSON.stringify(text)}`);
export const status = (page, word) => eventually(async () => (await page.locator("#status").textContent()) === word || (await page.locator("#status").textContent()), `status ${word}`);

/// A WebSocket without the page's script around it, held by a blank page of the chat's origin.
export async function bare() {
  const page = await open();
  await page.evaluate(() => new Promise((resolve, reject) => {
    const socket = window.bare = new WebSocket(location.origin.replace("http", "ws") + "/ws");
    socket.heard = [];
    socket.onmessage = ({ data }) => socket.heard.push(JSON.parse(data));
    socket.onclose = ({ code, wasClean }) => { socket.closed = { code, wasClean }; };
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("no WebSocket"));
  }));
  return {
    send: (message) => page.evaluate((text) => window.bare.send(text), typeof message === "string" ? message : JSON.stringify(message)),
    sendAll: (list) => page.evaluate((all) => all.forEach((one) => window.bare.send(JSON.stringify(one))), list),
    sendBinary: () => page.evaluate(() => window.bare.send(new Uint8Array([1, 2, 3]))),
    heard: (type) => page.evaluate((wanted) => window.bare.heard.filter(({ type }) => type === wanted), type),
    closed: () => page.evaluate(() => window.bare.closed ?? null),
  };
}
