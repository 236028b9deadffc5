// The page of the example chat in a real browser: by keyboard, by screen reader, on a phone, in light and dark. Leaves
// its screenshots in screenshots/.

import assert from "node:assert/strict";
import {
  SCREENSHOTS, bare, chat, complaints, eventually, messages, open, say, sees, test, visitor,
} from "./harness.mjs";

test("page_is_usable_by_keyboard_alone", async () => {
  await chat.afresh();
  const page = await open("#keys");
  await page.keyboard.type("Kim");
  await page.keyboard.press("Enter");
  await page.locator("#door").waitFor({ state: "hidden" });
  await page.keyboard.type("first line");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("second line");
  await page.keyboard.press("Enter");
  await sees(page, "first line\nsecond line");
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.dataset.room || document.activeElement.textContent);
  assert.equal(await focused(), "text");
  await page.keyboard.press("Shift+Tab");
  assert.equal(await focused(), "log", "the log can be scrolled by keys");
  for (let n = 0; n < 40 && (await focused()) !== "lobby"; n++) await page.keyboard.press("Shift+Tab");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineWidth);
  assert.ok(parseFloat(outline) >= 2, "the focus is visible");
  await page.keyboard.press("Enter");
  await eventually(async () => (await page.locator("h1").textContent()) === "lobby", "another room");
  for (let n = 0; n < 40 && (await focused()) !== "skip"; n++) await page.keyboard.press("Shift+Tab");
  assert.equal(await focused(), "skip", "the first stop skips the board");
  await page.keyboard.press("Enter");
  assert.equal(await focused(), "text");
});

test("page_names_its_parts_for_a_screen_reader", async () => {
  const [ada, bo] = [await visitor("Ada", { room: "reader" }), await visitor("Bo", { room: "reader" })];
  await say(bo, "one");
  await say(bo, "two");
  await sees(ada, "two");
  const log = ada.getByRole("log", { name: "Messages" });
  assert.equal(await log.getAttribute("aria-live"), "polite");
  assert.equal(await log.getAttribute("aria-busy"), null, "not busy when the past has been shown");
  for (const [role, name] of [
    ["main", undefined], ["complementary", "Rooms and people"], ["navigation", "Rooms"], ["heading", "reader"], ["status", undefined],
    ["textbox", "Message"], ["button", "Send"], ["link", /^reader/], ["textbox", "Name of another room"],
  ]) {
    assert.equal(await ada.getByRole(role, { name, exact: typeof name === "string" }).count(), 1, `one ${role} ${name ?? ""}`);
  }
  const tree = await log.ariaSnapshot();
  assert.equal(tree.match(/Bo/g).length >= 2, true, `every message names its author: ${tree}`);
  assert.equal(await ada.locator("#rooms [aria-current=page]").count(), 1);
  await ada.locator("#rename").click();
  await ada.getByRole("dialog", { name: "Who is calling?" }).waitFor();
  await ada.keyboard.press("Escape");
  await ada.getByRole("dialog").waitFor({ state: "hidden" });
});

test("page_fits_a_phone", async () => {
  const bo = await visitor("Bo", { room: "pocket" });
  const phone = await visitor("Ada", { room: "pocket", viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
  await say(bo, `a long word: ${"abcdefghij".repeat(20)}`);
  await eventually(async () => (await messages(phone)).length === 1, "the message");
  const overflow = await phone.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `nothing sticks out: ${overflow}`);
  const small = await phone.evaluate(() => [...document.querySelectorAll("button, input, textarea")]
    .filter((element) => element.checkVisibility() && element.getBoundingClientRect().height < 44).map(({ id }) => id));
  assert.deepEqual(small, [], "everything can be hit by a thumb");
  const composer = await phone.locator("#composer").boundingBox();
  assert.ok(composer.y + composer.height <= 780);
  assert.equal(await phone.locator("#board").isVisible(), false);
  await phone.locator("#menu").tap();
  await phone.locator("#board").waitFor();
  assert.equal(await phone.locator("#menu").getAttribute("aria-expanded"), "true");
  await phone.getByRole("link", { name: /^lobby/ }).tap();
  await eventually(async () => (await phone.locator("h1").textContent()) === "lobby", "another room");
  await phone.locator("#board").waitFor({ state: "hidden" });
  await phone.locator("#text").fill("one\ntwo\nthree");
  await phone.getByRole("button", { name: "Send" }).tap();
  await sees(phone, "one\ntwo\nthree");
});

test("reader_of_old_messages_is_not_moved", async () => {
  const talker = await bare();
  await talker.sendAll([{ type: "join", nick: "Talker", room: "scroll" }, ...Array.from({ length: 50 }, (_, n) => ({ type: "say", text: `line ${n}` }))]);
  const ada = await visitor("Ada", { room: "scroll" });
  await sees(ada, "line 49");
  await ada.locator("#log").hover();
  await ada.mouse.wheel(0, -900);
  const top = () => ada.locator("#log").evaluate(({ scrollTop, scrollHeight, clientHeight }) => (scrollHeight - scrollTop - clientHeight > 300 ? scrollTop : -1));
  await eventually(async () => (await top()) >= 0, "scrolled up");
  const before = await top();
  await talker.sendAll([{ type: "say", text: "news" }, { type: "say", text: "more news" }]);
  await ada.getByRole("button", { name: "2 new messages" }).waitFor();
  assert.equal(await top(), before);
  await ada.getByRole("button", { name: "2 new messages" }).click();
  await eventually(async () => (await top()) === -1, "at the end again");
  assert.equal(await ada.locator("#latest").isVisible(), false);
});

for (const scheme of ["light", "dark"]) {
  test(`page_is_legible_and_photographed_${scheme}`, async () => {
    await chat.afresh();
    const room = "workshop";
    const [ines, bo, mara] = [await bare(), await bare(), await bare()];
    await ines.send({ type: "join", nick: "Inês", room });
    await bo.send({ type: "join", nick: "Bo", room });
    const script = [
      [ines, "Good morning! Is the demo still at eleven?"], [ines, "I can move the review if it helps."],
      [bo, "Eleven is fine. Notes are at https://example.org/notes?tab=plan (thanks to Mara)."], [bo, "Bring coffee ☕"],
    ];
    for (const [who, text] of script) {
      await who.send({ type: "say", text });
      await eventually(async () => (await who.heard("said")).at(-1)?.text === text, "one after the other");
    }
    const options = { room, colorScheme: scheme };
    const door = await open(`#${room}`, options);
    await eventually(async () => (await door.locator("#choices").textContent()).includes("workshop2 here"), "the door knows the rooms");
    await door.screenshot({ path: `${SCREENSHOTS}door-${scheme}.png` });
    assert.deepEqual(await pale(door, "#door"), [], "contrast at the door");

    const ada = await visitor("Ada", options);
    const phone = await visitor("Noor", { ...options, viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
    await mara.send({ type: "join", nick: "Mara Okafor", room });
    await mara.send({ type: "say", text: "🎉🎉" });
    await mara.send({ type: "say", text: "<b>Markup</b> stays text.\nTwo lines do, too." });
    await say(ada, "I am bringing a whole pot.");
    await say(ada, "And biscuits.");
    for (const page of [ada, phone]) await sees(page, "And biscuits.");
    await bo.send({ type: "typing", on: true });
    await ines.send({ type: "typing", on: true });
    for (const page of [ada, phone]) await eventually(async () => (await page.locator("#typing").textContent()) === "Bo and Inês are typing", "typing");
    await ada.screenshot({ path: `${SCREENSHOTS}chat-${scheme}.png` });
    await phone.screenshot({ path: `${SCREENSHOTS}phone-${scheme}.png` });
    assert.deepEqual(await pale(ada, "body"), [], "contrast");
    await phone.locator("#menu").tap();
    await eventually(() => phone.locator("#board").evaluate((board) => board.getAnimations().length === 0 && board.getBoundingClientRect().left === 0), "the drawer");
    await phone.screenshot({ path: `${SCREENSHOTS}drawer-${scheme}.png` });
    assert.deepEqual(complaints, []);
  });
}

/// The texts within an element whose contrast to their ground is below 4.5 : 1 (WCAG 1.4.3).
const pale = (page, selector) => page.locator(selector).evaluate((root) => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const over = ([r, g, b, a], under) => [r, g, b].map((v, n) => (v * a + under[n] * (255 - a)) / 255).concat(255);
  const ground = (element) => (element ? over(rgba(getComputedStyle(element).backgroundColor), ground(element.parentElement)) : [255, 255, 255, 255]);
  return [...root.querySelectorAll("*")]
    .filter((element) => element.checkVisibility() && getComputedStyle(element).fontSize !== "0px" && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) && element.tagName !== "SCRIPT")
    .flatMap((element) => {
      const below = ground(element), [a, b] = [luminance(over(rgba(getComputedStyle(element).color), below)), luminance(below)];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      return contrast < 4.5 ? [`${contrast.toFixed(2)} ${element.className || element.tagName} ${element.textContent.slice(0, 30)}`] : [];
    });
});
