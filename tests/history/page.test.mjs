// The page of the example `history` in Chromium: what it shows when the line or the server is lost. Leaves pictures in
// tests/browser/screenshots.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { launch } from "./packages.mjs";
import { Server, eventually } from "./server.mjs";

const SCREENSHOTS = fileURLToPath(new URL("../browser/screenshots/", import.meta.url));
mkdirSync(SCREENSHOTS, { recursive: true });
const PHONE = { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const DESK = { viewport: { width: 1100, height: 700 } };
const WAYS = ["WebSocket", "EventSource", "fetch", "Long polling"];
const LOST = "Some messages are lost. The server still has these:";

const server = await new Server("--retry", "200").start();
const browser = await launch();
const complaints = [];

async function open(way = "WebSocket", options = DESK) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // A server that is not there is part of the tests.
    if (message.type() === "error" && !/net::ERR_|WebSocket connection/.test(message.text())) complaints.push(message.text());
  });
  await page.goto(server.url);
  await page.getByText(way, { exact: true }).click();
  await page.getByText("Live", { exact: true }).waitFor();
  return page;
}

const lines = (page) => page.locator("#log li > :first-child").allTextContents();
const shows = (page, expected) => eventually(async () => {
  const found = await lines(page);
  return JSON.stringify(found) === JSON.stringify(expected) || found;
}, `shows ${JSON.stringify(expected)}`);

async function page_sends_and_shows_what_was_said_before() {
  const ada = await open();
  await ada.getByLabel("Message", { exact: true }).fill("hello <b>all</b>");
  await ada.getByRole("button", { name: "Send" }).click();
  await shows(ada, ["hello <b>all</b>"]);
  for (const way of WAYS) await shows(await open(way), ["hello <b>all</b>"]);
}

async function page_misses_nothing_while_it_is_unplugged() {
  const pages = await Promise.all(WAYS.map((way) => open(way)));
  const before = await Promise.all(pages.map(lines));
  await Promise.all(pages.map((page) => page.getByRole("button", { name: "Unplug" }).click()));
  // A choice of another way plugs nothing in.
  for (const [place, page] of pages.entries()) {
    for (const way of [WAYS[(place + 1) % 4], WAYS[place]]) await page.getByText(way, { exact: true }).click();
  }
  await server.say("one");
  await server.say("two");
  for (const [place, page] of pages.entries()) {
    await shows(page, [...before[place], "unplugged", "plugged in again, and missed:", "one", "two"]);
  }
  await server.say("three");
  for (const page of pages) await eventually(async () => (await lines(page)).at(-1) === "three", "live again");
}

async function page_shows_a_gap_and_renders_anew_when_the_server_was_killed() {
  const pages = await Promise.all(WAYS.map((way) => open(way)));
  for (const page of pages) await eventually(async () => (await lines(page)).at(-1) === "three", "what was said before");
  for (const kill of [1, 2]) {
    assert.equal((await server.stop("SIGKILL")).signal, "SIGKILL");
    for (const page of pages) await page.getByText("Trying again").waitFor();
    await server.start();
    await server.say(`the first after kill ${kill}`);
    await server.say("the second");
    for (const page of pages) await shows(page, [LOST, `the first after kill ${kill}`, "the second"]);
    await server.say("live");
    for (const page of pages) await shows(page, [LOST, `the first after kill ${kill}`, "the second", "live"]);
  }
}

async function page_is_whole_on_a_desk_and_on_a_phone() {
  const looks = ["light", "dark"].flatMap((colorScheme) => [["desk", DESK], ["phone", PHONE]].map(([name, options]) => ({ name, colorScheme, options })));
  const pages = await Promise.all(looks.map(({ colorScheme, options }) => open("WebSocket", { ...options, colorScheme })));
  await server.say("This is gone when the server is killed");
  for (const page of pages) await eventually(async () => (await lines(page)).length > 1, "messages");
  await server.stop("SIGKILL");
  for (const page of pages) await page.getByText("Trying again").waitFor();
  await server.start();
  await server.say("Good morning from the new server");
  await server.say(`A longer message, ${"which goes over more than one line, ".repeat(6)}and ${"x".repeat(80)}`);
  await server.say("مرحبا");
  for (const [place, page] of pages.entries()) {
    await eventually(async () => (await lines(page))[0] === LOST && (await lines(page)).length === 4, "rendered anew");
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(wide, 0, "the page scrolls sideways");
    await page.screenshot({ path: `${SCREENSHOTS}history-${looks[place].name}-${looks[place].colorScheme}.png` });
  }
}

const tests = [
  page_sends_and_shows_what_was_said_before,
  page_misses_nothing_while_it_is_unplugged,
  page_shows_a_gap_and_renders_anew_when_the_server_was_killed,
  page_is_whole_on_a_desk_and_on_a_phone,
];
let failed = 0;
for (const test of tests) {
  try {
    await test();
    assert.deepEqual(complaints, []);
    console.log(`ok   ${test.name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${test.name}\n${String(error?.stack ?? error)}`);
  }
  await Promise.all(browser.contexts().map((context) => context.close()));
}
await browser.close();
await server.stop("SIGKILL");
console.log(`${tests.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
