// The example chat in a real browser: what people write, in names, rooms and messages. Every script, and every trick.

import assert from "node:assert/strict";
import {
  SCREENSHOTS, bare, chat, complaints, enter, eventually, messages, open, openIn, people, say, sees, status, systemLines,
  test, visitor,
} from "./harness.mjs";

const composer = (page) => page.getByLabel("Message", { exact: true });
const failed = (page) => page.locator(".said.failed");

test("page_shows_a_refused_message_as_failed_and_keeps_its_text", async () => {
  const phone = { viewport: { width: 390, height: 780 }, isMobile: true, colorScheme: "dark" };
  const [ada, bo] = [await visitor("Ada", { room: "refused", ...phone }), await visitor("Bo", { room: "refused" })];
  await say(ada, "\u3164 \u2800");
  await failed(ada).waitFor();
  assert.match(await failed(ada).textContent(), /Not sent\. A message has at least one character that can be seen\./);
  await say(ada, "next");
  await sees(bo, "next");
  await sees(ada, "next");
  await ada.screenshot({ path: `${SCREENSHOTS}failed.png` });
  await composer(ada).fill("a draft");
  await failed(ada).getByRole("button", { name: "Edit" }).click();
  assert.equal(await composer(ada).inputValue(), "\u3164 \u2800\na draft");
  assert.equal(await failed(ada).count(), 0);
  await say(ada, "\u00ad");
  await failed(ada).waitFor();
  await failed(ada).getByRole("button", { name: "Remove" }).click();
  assert.equal(await ada.locator(".pending").count(), 0);
  assert.deepEqual(await messages(bo), ["next"]);
  assert.deepEqual(complaints, []);
});

test("page_shows_a_message_that_was_none_as_failed", async () => {
  const page = await open("about:blank");
  await page.addInitScript(() => {
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (text) { return send.call(this, text.replace("break me", "\\ud83d")); };
  });
  await page.goto(`${chat.url}#malformed`);
  await enter(page, "Ada");
  await say(page, "please break me");
  await failed(page).waitFor();
  assert.match(await failed(page).textContent(), /Not a message of this chat/);
  assert.equal(await failed(page).getByText("sending").count(), 0);
  await say(page, "and on");
  await sees(page, "and on");
});

test("half_an_emoji_is_sent_as_a_replacement_character", async () => {
  const bo = await visitor("Bo", { room: "halves" });
  const page = await open("about:blank");
  await page.addInitScript(() => { delete String.prototype.toWellFormed; });
  await page.goto(`${chat.url}#halves`);
  await page.getByLabel("Your nickname").evaluate((input) => { input.value = "Ada \ud83d"; });
  await page.getByRole("button", { name: "Connect me" }).click();
  await page.locator("#door").waitFor({ state: "hidden" });
  assert.deepEqual(await people(page), ["Ada \ufffd", "Bo"]);
  await composer(page).evaluate((input) => { input.value = "half \ud83d, whole 😀, \ude00 half"; });
  await page.getByRole("button", { name: "Send" }).click();
  await sees(bo, "half \ufffd, whole 😀, \ufffd half");
  await eventually(async () => (await page.locator(".pending").count()) === 0, "sent");
  await page.goto(`${chat.url}#%ED%A0%BD`);
  assert.deepEqual(complaints, []);
});

test("names_that_hide_something_are_refused_with_a_reason", async () => {
  await visitor("Ada", { room: "twins" });
  const page = await open("#twins");
  const wrong = page.locator("#wrong");
  for (const [nick, reason] of [
    ["\u3164", /can be seen/], ["Ada\u00ad", /can be seen/], ["Ａｄａ", /is here as “Ada” already/], ["Аԁа", /is here as “Ada” already/],
    ["x".repeat(25), /1 to 24 characters/],
  ]) {
    await page.getByLabel("Your nickname").fill(nick);
    assert.equal(await page.getByLabel("Your nickname").inputValue(), nick, "nothing is cut without a word");
    await page.getByRole("button", { name: "Connect me" }).click();
    await eventually(async () => reason.test(await wrong.textContent()) || (await wrong.textContent()), JSON.stringify(nick));
  }
  await enter(page, "Ine\u0302s");
  assert.deepEqual(await people(page), ["Inês", "Ada"]);
});

test("names_of_mixed_scripts_are_marked", async () => {
  const ada = await visitor("Ada", { room: "mixed" });
  const twin = await bare();
  await twin.send({ type: "join", nick: "Аdamа", room: "mixed" });
  await twin.send({ type: "say", text: "trust me" });
  await sees(ada, "trust me");
  for (const place of ["#people .mixed", ".said .mixed", ".system .mixed"]) {
    assert.equal(await ada.locator(place).textContent(), "Cyrillic and Latin letters", place);
    assert.match(await ada.locator(place).getAttribute("title"), /may imitate another name/);
    assert.ok(await ada.locator(place).isVisible());
  }
  await say(ada, "no");
  await sees(ada, "no");
  assert.equal(await ada.locator(".mixed").count(), 3, "Ada's own name is not marked");
  assert.deepEqual(await people(ada), ["Ada", "Аdamа"]);
  await ada.screenshot({ path: `${SCREENSHOTS}mixed.png` });
});

test("rooms_keep_the_marks_of_their_script", async () => {
  for (const [asked, name] of [
    ["हिन्दी", "हिन्दी"], ["ไทยนี้", "ไทยนี้"], ["مُحَمَّد", "مُحَمَّد"], ["U\u0308ber", "über"], ["ｌｏｕｎｇｅ", "lounge"], ["می\u200cخواهم", "میخواهم"],
  ]) {
    const page = await visitor("Ada", { room: asked });
    assert.equal(await page.locator("h1").textContent(), name);
    assert.equal(decodeURIComponent(new URL(page.url()).hash), `#${name}`);
    const stream = new AbortController();
    assert.equal((await fetch(`${chat.url}events/${encodeURIComponent(asked)}`, { signal: stream.signal })).status, 200, asked);
    stream.abort();
    await page.getByLabel("Name of another room").fill("सभा कक्ष");
    await page.getByRole("button", { name: "Go" }).click();
    await eventually(async () => (await page.locator("h1").textContent()) === "सभा-कक्ष", "a room with a space");
    await page.getByRole("link", { name: new RegExp(`^${name}`) }).click();
    await eventually(async () => (await page.locator("h1").textContent()) === name, "back by its link");
    await page.context().close();
  }
  const page = await visitor("Bo");
  const long = "a-rather-long-name-for-a-room-of-this-chat";
  await page.getByLabel("Name of another room").fill(long);
  await page.getByRole("button", { name: "Go" }).click();
  await page.getByText("A room name has at most 32 characters.").waitFor();
  assert.equal(await page.getByLabel("Name of another room").inputValue(), long, "the name is kept");
  assert.deepEqual(complaints, []);
});

test("reader_beyond_five_hundred_lines_is_not_moved", async () => {
  const talker = await bare();
  const ada = await visitor("Ada", { room: "long" });
  const lines = (from, to) => Array.from({ length: to - from }, (_, n) => ({ type: "say", text: `line ${from + n}` }));
  await talker.sendAll([{ type: "join", nick: "Talker", room: "long" }, ...lines(0, 495)]);
  await sees(ada, "line 494");
  const place = (text) => ada.locator(".said", { hasText: new RegExp(`${text}$`) }).evaluate((line) => line.getBoundingClientRect().top);
  let last = 495;
  for (const [top, text] of [[3000, "line 130"], [0, "line 0"]]) {
    await ada.locator("#log").evaluate((log, top) => new Promise((done) => {
      log.addEventListener("scroll", () => requestAnimationFrame(done), { once: true });
      log.scrollTop = top;
    }), top);
    const before = await place(text);
    await talker.sendAll(lines(last, last + 60));
    last += 60;
    await sees(ada, `line ${last - 1}`);
    assert.ok(Math.abs((await place(text)) - before) < 2, `${text} stays: ${before} and ${await place(text)}`);
  }
  // Who reads on keeps their place even where the past is cut at last.
  await ada.locator("#log").evaluate((log) => { log.scrollTop = log.scrollHeight / 2; });
  await ada.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const middle = await ada.locator("#log").evaluate((log) => {
    const ground = log.getBoundingClientRect();
    return document.elementFromPoint(ground.left + 100, ground.top + ground.height / 2).closest(".said").querySelector(".text").textContent;
  });
  const before = await place(middle);
  await talker.sendAll(lines(last, 2010));
  await sees(ada, "line 2009");
  assert.ok(Math.abs((await place(middle)) - before) < 2, `${middle} stays: ${before} and ${await place(middle)}`);
  assert.ok((await ada.locator("#log > *").count()) <= 2000, "the log is bounded for its reader, too");
  await ada.locator("#latest").click();
  await talker.sendAll(lines(2010, 2011));
  await sees(ada, "line 2010");
  assert.ok((await ada.locator("#log > *").count()) <= 500);
});

test("arabic_reads_from_the_right", async () => {
  const [ada, noor] = [await visitor("Ada", { room: "عربي" }), await visitor("نور!", { room: "عربي" })];
  await say(noor, "مرحبا Ada!\nand in English.");
  await say(noor, "Hello, Ada.");
  await sees(ada, "Hello, Ada.");
  const direction = (selector) => ada.locator(selector).first().evaluate((element) => getComputedStyle(element).direction);
  for (const place of [".said .text", ".said b bdi", ".system bdi", "h1", "#rooms [aria-current] .name"]) {
    assert.equal(await direction(place), "rtl", place);
  }
  assert.equal(await direction(".said.next .text"), "ltr");
  assert.equal(await ada.locator("#people .nick").last().evaluate((nick) => getComputedStyle(nick).direction), "rtl");
  assert.equal((await systemLines(ada)).at(0), "نور! joined");
  const edges = await ada.locator(".said .text").first().evaluate((text) => {
    const range = document.createRange();
    const at = (from, to) => { range.setStart(text.firstChild, from); range.setEnd(text.firstChild, to); return range.getBoundingClientRect(); };
    const { left, right } = text.getBoundingClientRect(), end = text.firstChild.length;
    return [right - at(0, 1).right, at(end - 15, end - 14).left - left];
  });
  assert.ok(edges[0] < 4 && edges[1] < 4, `each line begins on its own side: ${edges}`);
  await composer(noor).fill("مرحبا");
  assert.equal(await composer(noor).evaluate((input) => getComputedStyle(input).direction), "rtl");
  await ada.screenshot({ path: `${SCREENSHOTS}arabic.png` });
});

test("tall_messages_are_folded", async () => {
  const bo = await visitor("Bo", { room: "tall" });
  const phone = await visitor("Ada", { room: "tall", viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true });
  const tall = { breaks: `a${"\n".repeat(1900)}b`, separators: `c${"\u2028".repeat(1900)}d`, words: "word ".repeat(189) + "words", tabs: `e${"\t".repeat(1900)}f` };
  for (const [what, text] of Object.entries(tall)) {
    await say(bo, text);
    for (const page of [bo, phone]) {
      await sees(page, text);
      const line = page.locator(".said").last();
      const height = (await line.boundingBox()).height;
      assert.ok(height < 480, `${what}: ${height}`);
      if (what === "breaks" || (what === "words" && page === phone)) await line.getByRole("button", { name: "Show all" }).waitFor();
    }
  }
  const line = phone.locator(".said").first(), key = line.locator("button");
  assert.equal(await key.getAttribute("aria-expanded"), "false");
  await phone.screenshot({ path: `${SCREENSHOTS}folded.png` });
  await key.click();
  assert.equal(await key.textContent(), "Show less");
  assert.equal(await key.getAttribute("aria-expanded"), "true");
  assert.ok((await line.boundingBox()).height > 20_000);
  await key.click();
  assert.ok((await line.boundingBox()).height < 480);
  await say(bo, "short");
  await sees(phone, "short");
  assert.equal(await phone.locator(".said").last().getByRole("button").count(), 0);
  const words = bo.locator(".said", { hasText: "words" });
  assert.equal(await words.getByRole("button").count(), 0);
  await bo.setViewportSize({ width: 390, height: 780 });
  await words.getByRole("button", { name: "Show all" }).waitFor();
  assert.deepEqual(complaints, []);
});

test("stacked_marks_stay_in_their_line", async () => {
  const ada = await visitor("Ada", { room: "stack" });
  await say(ada, "above");
  await sees(ada, "above");
  const tower = "\u0301\u0323".repeat(300);
  const line = ada.locator(".said").first();
  const picture = async () => (await line.screenshot()).toString("base64");
  await ada.mouse.move(5, 5);
  const before = await picture();
  const stranger = await bare();
  await stranger.send({ type: "join", nick: `Z${"\u0301\u0323".repeat(11)}`, room: "stack" });
  await stranger.send({ type: "say", text: `T${tower}` });
  await sees(ada, `T${tower}`);
  await stranger.send({ type: "typing", on: true });
  assert.equal(await picture(), before, "the line above is untouched");
  for (const place of [".said .text", ".said .by b", ".said .jack", ".system", "#people .nick", "#people .jack", "#typing"]) {
    const overflow = await ada.locator(place).last().evaluate((element) => getComputedStyle(element).overflowY);
    assert.match(overflow, /clip|hidden/, place);
  }
  await ada.screenshot({ path: `${SCREENSHOTS}stacked.png` });
});

test("too_long_a_message_is_kept_and_told", async () => {
  const [ada, bo] = [await visitor("Ada", { room: "paste" }), await visitor("Bo", { room: "paste" })];
  const long = `begin ${"x".repeat(2332)} end 😀😀`;
  await composer(ada).fill(long);
  assert.equal(await composer(ada).inputValue(), long, "nothing is cut");
  await ada.getByText("345 characters too many: a message has at most 2,000.").waitFor();
  await ada.screenshot({ path: `${SCREENSHOTS}too-long.png` });
  assert.equal(await ada.getByRole("button", { name: "Send" }).getAttribute("aria-disabled"), "true");
  await composer(ada).press("Enter");
  assert.equal(await composer(ada).inputValue(), long, "and nothing is sent");
  const fits = "😀".repeat(2000);
  await composer(ada).fill(fits);
  await ada.locator("#over").waitFor({ state: "hidden" });
  await composer(ada).press("Enter");
  await sees(bo, fits);
  assert.deepEqual(await messages(bo), [fits]);
});

test("page_lives_without_a_segmenter", async () => {
  const page = await open("about:blank");
  await page.addInitScript(() => { delete Intl.Segmenter; });
  await page.goto(`${chat.url}#old`);
  await enter(page, "e\u0301va");
  for (const [text, big] of [["🇩🇪 👩‍🚀👍🏽", true], ["1️⃣", true], ["hello 😀", false]]) {
    await say(page, text);
    await sees(page, text);
    assert.equal(await page.locator(".said .text").last().evaluate((element) => element.classList.contains("big")), big, text);
  }
  assert.equal(await page.locator(".said .jack").first().textContent(), "É");
  assert.deepEqual(complaints, []);
});

test("page_without_scripts_says_so", async () => {
  for (const colorScheme of ["light", "dark"]) {
    const page = await open("", { javaScriptEnabled: false, colorScheme });
    await page.locator(".noscript", { hasText: "This chat needs JavaScript" }).waitFor();
    assert.equal(await page.locator("#house").isVisible(), false, "nothing waits for what never comes");
    await page.screenshot({ path: `${SCREENSHOTS}noscript-${colorScheme}.png` });
  }
  assert.deepEqual(complaints, []);
});

test("nickname_is_back_at_once_after_a_lost_line", async () => {
  const first = await visitor("Ada", { room: "back" });
  const bo = await visitor("Bo", { room: "back" });
  const nosy = await bare();
  await nosy.send({ type: "join", nick: "Nosy", room: "back" });
  // The tab is gone, but its line still stands for the server: a new tab of the same browser.
  const second = await openIn(first.context(), "#back");
  await enter(second, "Ada");
  await status(second, "Connected");
  await status(first, "In another tab");
  assert.deepEqual(await people(bo), ["Bo", "Ada", "Nosy"]);
  assert.deepEqual((await systemLines(bo)).filter((line) => line.startsWith("Ada")), [], "nobody else notices");
  await say(second, "back again");
  await sees(bo, "back again");
  await nosy.send({ type: "join", nick: "Nosy", room: "kitchen" });
  await nosy.send({ type: "join", nick: "Nosy", room: "back" });
  await eventually(async () => (await nosy.heard("welcome")).length === 3, "and again");
  const secret = await first.evaluate(() => localStorage.getItem("secret"));
  assert.match(secret, /^\w{20,64}$/);
  for (const type of ["welcome", "said", "joined", "left"]) {
    assert.ok(!JSON.stringify(await nosy.heard(type)).includes(secret), `${type} keeps the secret`);
  }
  const thief = await open("#back");
  await thief.getByLabel("Your nickname").fill("Ada");
  await thief.getByRole("button", { name: "Connect me" }).click();
  await eventually(async () => (await thief.locator("#wrong").textContent()).includes("already"), "another browser is refused");
});
