// Other people's clients follow one topic while their connections are cut at random, and each sees every message once and in
// order: ws, websockets for Python, long polling and a stream by node's fetch, EventSource in Chromium. All but Python's run
// the code of examples/history, which the manual shows.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { follow as polling } from "../../examples/history/polling.js";
import { follow as reading } from "../../examples/history/fetch.js";
import { Cutter, randomness } from "./cutter.mjs";
import { WebSocket, launch, undici } from "./packages.mjs";
import { Server, eventually, pause } from "./server.mjs";

/// Followers of each kind, and of Chromium, which opens six connections to one place at most.
const FOLLOWERS = 8;
const STREAMS = 4;
/// The most time that all cuts may take, in milliseconds.
const LIMIT = 60_000;
const LAST = "that was all";
/// Milliseconds before a client tries again, as the server tells an EventSource.
const RETRY = 20;
/// Reactors of the server. With several, a client goes on at another one than before.
const THREADS = process.env.THREADS ?? "1";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 32);
const random = randomness(seed);
console.log(`SEED=${seed} THREADS=${THREADS}`);

/// A follower of a page's code in this process: what it saw, and after how many messages each gap came.
function followed(follow, url) {
  const told = { seen: [], gaps: [] };
  return new Promise((resolve) => {
    const stop = follow(url, {
      retry: RETRY,
      gap: () => told.gaps.push(told.seen.length),
      message: (id, data) => {
        const { text } = JSON.parse(data);
        told.seen.push([id, text]);
        if (text === LAST) {
          stop();
          resolve(told);
        }
      },
    });
  });
}

const here = (follow, path, scheme = "http") => (host) =>
  Array.from({ length: FOLLOWERS }, () => followed(follow, `${scheme}://${host}/${path}`));

/// The code of a page, which finds the class of a package where a browser has its own.
async function given(file, name, theirs) {
  const key = `${file} ${Object.keys(globalThis).length}`;
  globalThis[key] = theirs;
  const source = await readFile(new URL(`../../examples/history/${file}`, import.meta.url), "utf8");
  const code = `const ${name} = globalThis[${JSON.stringify(key)}];\n${source}`;
  return (await import(`data:text/javascript,${encodeURIComponent(code)}`)).follow;
}

/// Python's followers, which print what they saw when all have come to the end.
function python(host) {
  const program = fileURLToPath(new URL("follow.py", import.meta.url));
  const child = spawn(process.env.PYTHON, [program, host, FOLLOWERS, LAST], { stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => child.kill("SIGKILL"));
  const lines = child.stdout.setEncoding("utf8").toArray().then((text) => text.join("").trim().split("\n").map(JSON.parse));
  return Array.from({ length: FOLLOWERS }, async (_, place) => (await lines)[place]);
}

/// Followers in a page of Chromium, which has loaded before anything is cut.
async function chromium(browser, host) {
  const page = await browser.newPage();
  await page.goto(`http://${host}/events.js`);
  await page.evaluate(async () => { globalThis.follow = (await import("/events.js")).follow; });
  const told = page.evaluate(({ followers, last, retry }) => {
    return Promise.all(Array.from({ length: followers }, () => new Promise((resolve) => {
      const seen = [], gaps = [];
      const stop = follow("/events", {
        retry,
        gap: () => gaps.push(seen.length),
        message: (id, data) => {
          const { text } = JSON.parse(data);
          seen.push([id, text]);
          if (text === last) {
            stop();
            resolve({ seen, gaps });
          }
        },
      });
    })));
  }, { followers: STREAMS, last: LAST, retry: RETRY });
  return Array.from({ length: STREAMS }, async (_, place) => (await told)[place]);
}

/// A text: mostly short, now and then several kilobytes, with characters that a cut can halve.
function text(number) {
  const size = random() < 0.02 ? 12_000 * random() : 150 * random();
  return `${number} ${"a line\nof ink, é€😀 ".repeat(size / 20)}`;
}

/// Publishes messages in bursts until all have been cut often enough, and the last one.
async function publish(server, cutters) {
  const end = Date.now() + LIMIT;
  for (let number = 1; !cutters.every(({ done }) => done) && Date.now() < end; number += 1) {
    await server.say(text(number));
    if (random() < 0.6) await pause(30 * random());
  }
  await server.say(LAST);
}

/// Fails unless a follower saw what was published, and met a gap at most before its first message: it began with the oldest.
function judge({ seen, gaps }, published) {
  assert.deepEqual(gaps.filter((place) => place > 0), [], "a gap, after so many messages");
  const wrong = published.findIndex(([id, text], place) => seen[place]?.[0] !== id || seen[place][1] !== text);
  if (wrong >= 0) {
    const [found, expected] = [seen[wrong], published[wrong]].map((one) => JSON.stringify(one)?.slice(0, 80));
    assert.fail(`message ${wrong + 1} is ${found} instead of ${expected}`);
  }
  assert.equal(seen.length, published.length);
}

const begin = Date.now();
const server = await new Server("--keep", "10000", "--retry", `${RETRY}`, "--threads", THREADS).start();
const browser = await launch();
const kinds = [
  ["ws", 1000, here(await given("websocket.js", "WebSocket", WebSocket), "websocket", "ws")],
  ["WebSocket of undici", 1000, here(await given("websocket.js", "WebSocket", undici.WebSocket), "websocket", "ws")],
  ["websockets for Python", 1000, python],
  ["long polling", 1000, here(polling, "poll")],
  ["a stream by fetch", 1000, here(reading, "events")],
  ["EventSource of undici", 200, here(await given("events.js", "EventSource", undici.EventSource), "events")],
  ["EventSource in Chromium", 200, (host) => chromium(browser, host)],
];
for (const kind of kinds) {
  const [, cuts, start] = kind;
  const cutter = await new Cutter(new URL(server.url).port, cuts, random).listen();
  kind.push(cutter, await start(cutter.host));
}
const cutters = kinds.map((kind) => kind[3]);
cutters.forEach((cutter) => cutter.start());

let failed = 0;
await publish(server, cutters);
console.log(`${server.published.length} messages in ${(Date.now() - begin) / 1000} s`);
for (const [name, , , cutter, followers] of kinds) {
  try {
    let left = followers.length;
    const told = Promise.all(followers.map((follower) => follower.finally(() => { left -= 1; })));
    told.catch(() => {}); // such as of a page that is closed before it has seen the end
    await eventually(() => left === 0 || `${left} followers have not seen the end`, name);
    for (const follower of await told) judge(follower, server.published);
    assert.ok(cutter.done, `only ${cutter.cuts} of ${cutter.wanted} cuts in ${LIMIT / 1000} s`);
    console.log(`ok   ${name}: ${cutter.cuts} cuts`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}: ${error.stack}`);
  }
}
await browser.close();
await server.stop("SIGKILL");
console.log(`${kinds.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
