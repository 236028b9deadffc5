// The example chat in a real browser: what it does. How it looks and feels is in look.test.mjs,
// what people write in words.test.mjs.

import assert from "node:assert/strict";
import { createServer, get, request as ask } from "node:http";
import { connect } from "node:net";
import "./look.test.mjs";
import "./words.test.mjs";
import {
  SCREENSHOTS, bare, chat, complaints, enter, eventually, messages, open, openIn, people, program, run, say, sees,
  status, systemLines, test, visitor,
} from "./harness.mjs";

test("page_talks_both_ways", async () => {
  const [ada, bo] = [await visitor("Ada"), await visitor("Bo")];
  await say(ada, "hello from Ada");
  await sees(bo, "hello from Ada");
  await say(bo, "hello from Bo");
  await sees(ada, "hello from Bo");
  assert.deepEqual(await messages(ada), ["hello from Ada", "hello from Bo"]);
  assert.deepEqual(await messages(bo), ["hello from Ada", "hello from Bo"]);
  assert.deepEqual(complaints, []);
});

test("page_shows_who_comes_and_goes", async () => {
  const ada = await visitor("Ada", { room: "presence" });
  const bo = await visitor("Bo", { room: "presence" });
  await eventually(async () => (await people(ada)).join() === "Ada,Bo", "both are in the list");
  await eventually(async () => (await systemLines(ada)).includes("Bo joined"), "a line for joining");
  assert.deepEqual(await people(bo), ["Bo", "Ada"], "oneself comes first");
  assert.equal(await ada.locator("#headcount").textContent(), "2 people here");
  await eventually(async () => (await ada.locator("#rooms [aria-current]").textContent()).includes("presence2"), "the list of rooms counts");
  await bo.context().close();
  await eventually(async () => (await people(ada)).join() === "Ada", "who left is gone");
  await eventually(async () => (await systemLines(ada)).includes("Bo left"), "a line for leaving");
  assert.deepEqual(complaints, []);
});

test("page_shows_who_is_typing_until_they_stop", async () => {
  const [ada, bo] = [await visitor("Ada", { room: "typing" }), await visitor("Bo", { room: "typing" })];
  const line = ada.locator("#typing");
  await bo.getByLabel("Message", { exact: true }).pressSequentially("well");
  await eventually(async () => (await line.textContent()) === "Bo is typing", "typing is shown");
  assert.match(await ada.locator("#people").textContent(), /Bois typing…/);
  assert.equal(await bo.locator("#typing").textContent(), "", "one's own typing is not news");
  await bo.keyboard.press("Enter");
  await sees(ada, "well");
  assert.equal(await line.textContent(), "", "a message ends it");
  await bo.keyboard.type("again");
  await eventually(async () => (await line.textContent()) === "Bo is typing", "typing is shown again");
  await bo.getByLabel("Message", { exact: true }).fill("");
  await eventually(async () => (await line.textContent()) === "", "an empty composer ends it");
});

test("server_ends_the_typing_of_a_page_that_says_no_more", async () => {
  const ada = await visitor("Ada", { room: "silence" });
  const silent = await bare();
  await silent.send({ type: "join", nick: "Silent", room: "silence" });
  await silent.send({ type: "typing", on: true });
  await eventually(async () => (await ada.locator("#typing").textContent()) === "Silent is typing", "typing is shown");
  await eventually(async () => (await ada.locator("#typing").textContent()) === "", "it expires");
});

test("late_joiner_gets_the_last_fifty_once", async () => {
  const talker = await bare();
  const all = Array.from({ length: 60 }, (_, n) => `message ${n}`);
  await talker.sendAll([{ type: "join", nick: "Talker", room: "history" }, ...all.map((text) => ({ type: "say", text }))]);
  await eventually(async () => (await talker.heard("said")).length === 60, "all is said");
  const late = await visitor("Late", { room: "history" });
  await talker.sendAll([{ type: "say", text: "live" }]);
  await sees(late, "live");
  assert.deepEqual(await messages(late), [...all.slice(10), "live"]);
  const log = await late.locator("#log").evaluate(({ scrollTop, clientHeight, scrollHeight }) => scrollHeight - scrollTop - clientHeight);
  assert.ok(log < 2, "the newest message is in sight");
});

test("rooms_are_apart", async () => {
  const [ada, bo] = [await visitor("Ada", { room: "north" }), await visitor("Bo", { room: "south" })];
  await say(ada, "only for the north");
  await sees(ada, "only for the north");
  await say(bo, "only for the south");
  await sees(bo, "only for the south");
  assert.deepEqual(await messages(bo), ["only for the south"]);
  await bo.getByLabel("Message", { exact: true }).fill("a draft for the south");
  await bo.getByRole("link", { name: /^north/ }).click();
  await sees(bo, "only for the north");
  assert.deepEqual(await messages(bo), ["only for the north"]);
  await eventually(async () => (await people(ada)).join() === "Ada,Bo", "the mover is seen in the new room");
  assert.equal(await bo.locator("#text").inputValue(), "", "a draft stays with its room");
  await bo.goBack();
  await sees(bo, "only for the south");
  assert.equal(await bo.locator("#text").inputValue(), "a draft for the south");
  await bo.getByLabel("Name of another room").fill("Über Leitung 7!");
  await bo.getByRole("button", { name: "Go" }).click();
  await eventually(async () => (await bo.locator("h1").textContent()) === "über-leitung-7", "a new room");
});

test("page_comes_back_after_a_server_restart", async () => {
  const [ada, bo] = [await visitor("Ada", { room: "restart" }), await visitor("Bo", { room: "restart" })];
  await say(ada, "before");
  await sees(bo, "before");
  await ada.getByLabel("Message", { exact: true }).fill("half a sent");
  assert.deepEqual(await chat.stop(), { code: 0, signal: null });
  await status(ada, "Reconnecting");
  await ada.locator("#bar").waitFor();
  await ada.screenshot({ path: `${SCREENSHOTS}reconnecting.png` });
  await ada.getByLabel("Message", { exact: true }).pressSequentially("ence");
  await ada.keyboard.press("Enter");
  assert.equal(await ada.locator("#text").inputValue(), "half a sentence", "nothing is sent into the void");
  await chat.again();
  await status(ada, "Connected");
  await status(bo, "Connected");
  await ada.locator("#bar").waitFor({ state: "hidden" });
  await eventually(async () => (await people(ada)).toSorted().join() === "Ada,Bo", "both are back under their names");
  assert.equal(await ada.locator("h1").textContent(), "restart");
  assert.equal(await ada.locator("#text").inputValue(), "half a sentence", "the composer kept its text");
  await ada.keyboard.press("Enter");
  await sees(bo, "half a sentence");
  assert.deepEqual(await messages(bo), ["before", "half a sentence"]);
  assert.ok((await systemLines(ada)).includes("the server was restarted"));
  assert.deepEqual(complaints, []);
});

/// A visitor whose line the test can cut: `window.line` is the page's newest WebSocket.
async function visitorOnALine(nick, room) {
  const page = await open("about:blank");
  await page.addInitScript(() => {
    window.WebSocket = class extends WebSocket { constructor(...all) { super(...all); window.line = this; } };
  });
  await page.goto(`${chat.url}#${room}`);
  await enter(page, nick);
  return page;
}

test("page_that_lost_its_line_catches_up_and_repeats_nothing", async () => {
  const [ada, bo] = [await visitorOnALine("Ada", "line"), await visitor("Bo", { room: "line" })];
  await say(bo, "before");
  await sees(ada, "before");
  await ada.evaluate(() => window.line.close());
  await say(bo, "meanwhile");
  await sees(ada, "meanwhile");
  await status(ada, "Connected");
  await say(bo, "after");
  await sees(ada, "after");
  assert.deepEqual(await messages(ada), ["before", "meanwhile", "after"]);
  assert.equal((await systemLines(ada)).includes("the server was restarted"), false);
});

test("page_says_once_what_it_said_into_a_breaking_line", async () => {
  const [ada, bo] = [await visitorOnALine("Ada", "broken"), await visitor("Bo", { room: "broken" })];
  await ada.evaluate(() => { window.line.send = (text) => JSON.parse(text).type === "say" && window.line.close(); });
  await say(ada, "never sent");
  await sees(bo, "never sent");
  await sees(ada, "never sent");
  await ada.evaluate(() => { window.line.onmessage = null; });
  await say(ada, "sent, but never heard back");
  await sees(bo, "sent, but never heard back");
  await ada.evaluate(() => window.line.close());
  await sees(ada, "sent, but never heard back");
  await say(ada, "and on");
  for (const page of [ada, bo]) {
    await sees(page, "and on");
    assert.deepEqual(await messages(page), ["never sent", "sent, but never heard back", "and on"]);
    assert.equal(await page.locator(".pending").count(), 0);
  }
});

test("page_does_not_ask_again_after_a_reload", async () => {
  const [ada, bo] = [await visitor("Ada", { room: "reload" }), await visitor("Bo", { room: "reload" })];
  await say(bo, "still here");
  await sees(ada, "still here");
  await ada.getByLabel("Message", { exact: true }).fill("a draft");
  await ada.reload();
  await sees(ada, "still here");
  assert.equal(await ada.locator("#door").isVisible(), false);
  assert.equal(await ada.locator("#text").inputValue(), "a draft");
});

/// A proxy that names the server itself as Host, as nginx does by default. `to` is the address it passes on to.
async function rewritingProxy(to) {
  const proxy = createServer(), sockets = new Set();
  const forward = ({ method, url, headers }) => {
    const { hostname, port, host } = new URL(proxy.to);
    return ask({ hostname, port, method, path: url, headers: { ...headers, host } });
  };
  proxy.to = to;
  proxy.on("connection", (socket) => { sockets.add(socket); socket.on("error", () => {}); });
  proxy.on("request", (request, response) => {
    const onward = forward(request).on("error", () => response.destroy());
    onward.on("response", (answer) => { response.writeHead(answer.statusCode, answer.headers); answer.pipe(response); });
    request.pipe(onward);
  });
  proxy.on("upgrade", (request, socket) => {
    if (proxy.isDeaf) return socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    const onward = forward(request).on("error", () => socket.destroy());
    const head = ({ statusCode, statusMessage, rawHeaders }) => {
      const lines = rawHeaders.map((part, at) => (at % 2 ? `${part}\r\n` : `${part}: `));
      return `HTTP/1.1 ${statusCode} ${statusMessage}\r\n${lines.join("")}\r\n`;
    };
    onward.on("response", (answer) => { socket.write(head(answer)); answer.pipe(socket); });
    onward.on("upgrade", (answer, server, first) => {
      server.on("error", () => socket.destroy());
      socket.write(head(answer));
      socket.write(first);
      server.pipe(socket).pipe(server);
    });
    onward.end();
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  proxy.url = `http://127.0.0.1:${proxy.address().port}/`;
  proxy.cut = () => sockets.forEach((socket) => socket.destroy());
  proxy.end = () => { proxy.cut(); proxy.close(); };
  return proxy;
}

test("page_shows_why_the_server_refuses_it_and_goes_on_trying", async () => {
  const proxy = await rewritingProxy(chat.url);
  const origin = new URL(proxy.url).origin;
  const page = await open("about:blank");
  await page.goto(proxy.url);
  await status(page, "Refused");
  const reason = await page.locator("#wrong").textContent();
  for (const part of [origin, new URL(chat.url).host, "--origin"]) assert.ok(reason.includes(part), `${part} in ${reason}`);
  assert.doesNotMatch(reason, /lost/);
  assert.match(await page.locator("#bar-text").textContent(), /^The server refuses this page: .* Trying again/);
  await page.screenshot({ path: `${SCREENSHOTS}refused.png` });
  const same = await fetch(`${chat.url}why`, { method: "POST", headers: { Origin: origin } });
  assert.equal(same.status, 403);
  assert.ok(reason.includes(await same.text()), "the words of the refusal");

  const helpful = program("--listen", "127.0.0.1:0", "--origin", origin, "--allow-host", "chat.example");
  await eventually(() => /^open (http:\S+)$/m.test(helpful.stdout), "the other chat listens");
  proxy.to = /^open (http:\S+)$/m.exec(helpful.stdout)[1];
  await enter(page, "Ada");
  await status(page, "Connected");
  await page.locator("#bar").waitFor({ state: "hidden" });
  await say(page, "through at last");
  await sees(page, "through at last");

  proxy.isDeaf = true;      // to upgrades alone: the server finds no reason
  proxy.cut();
  await status(page, "Refused");
  assert.match(await page.locator("#bar-text").textContent(), /^No WebSocket reaches the server.*Upgrade and Connection/);
  proxy.isDeaf = false;
  await page.getByRole("button", { name: "Try now" }).click();
  await status(page, "Connected");

  proxy.end();      // nobody answers the question why: the line is lost
  await status(page, "Reconnecting");
  await eventually(async () => (await page.locator("#bar-text").textContent()).startsWith("Connection lost."), "a loss is a loss");
  helpful.child.kill("SIGINT");
  await helpful.ended;
});

test("chat_serves_its_hosts_and_loopback_alone", async () => {
  const started = program("--listen", "127.0.0.1:0", "--allow-host", "chat.example", "--allow-host", "[fd00::1]:8080");
  await eventually(() => /^open (http:\S+)$/m.test(started.stdout), "the chat listens");
  const { hostname, port } = new URL(/^open (http:\S+)$/m.exec(started.stdout)[1]);
  const answered = (host, path = "/", method = "GET") => new Promise((resolve, reject) => {
    const request = ask({ hostname, port, path, method, headers: { host } }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text) => { body += text; });
      response.on("end", () => resolve({ status: response.statusCode, body }));
    });
    request.on("error", reject).end();
  });
  for (const host of ["chat.example", "CHAT.example.:99", "localhost", `localhost:${port}`, "127.0.0.1", "127.3.2.1:80", "[::1]:1", "[fd00::1]:8080"]) {
    assert.equal((await answered(host)).status, 200, host);
    assert.equal((await answered(host, "/why?room=lobby", "POST")).status, 204, host);
  }
  for (const host of ["evil.example", "chat.example.evil", "[fd00::1]", "192.0.2.1", "localhost.evil"]) {
    for (const [path, method] of [["/", "GET"], ["/why", "POST"], ["/ws", "GET"], ["/events/lobby", "GET"]]) {
      const { status, body } = await answered(host, path, method);
      assert.equal(status, 421, `${host} ${path}`);
      assert.ok(body.includes(`--allow-host "${host}"`), body);
    }
  }
  // What a proxy of HTTP/1.0 hides, in the words of the handshake.
  const old = (head, lines = "") => new Promise((resolve, reject) => {
    const socket = connect(port, hostname, () => socket.write(`${head} HTTP/1.0\r\nHost: localhost\r\n${lines}\r\n`));
    let heard = "";
    socket.setEncoding("utf8").on("data", (text) => { heard += text; }).on("end", () => resolve(heard.split("\r\n\r\n")[1])).on("error", reject);
  });
  assert.match(await old("POST /why"), /HTTP\/1\.0.*HTTP\/1\.1/);
  assert.equal(await old("POST /why"), await old("GET /ws", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
  assert.equal((await answered("localhost", "/why?room=no%20room", "POST")).status, 404);
  assert.equal((await answered("localhost", "/why")).status, 405);
  started.child.kill("SIGINT");
  await started.ended;
  assert.equal((await fetch(chat.url, { headers: { Host: "any.example" } })).status, 200);
});

test("second_tab_of_a_session_takes_over", async () => {
  const first = await visitor("Ada", { room: "tabs" });
  const bo = await visitor("Bo", { room: "tabs" });
  const stored = await first.evaluate(() => ({ ...sessionStorage }));
  await first.context().addInitScript((all) => Object.entries(all).forEach(([key, value]) => sessionStorage.setItem(key, value)), stored);
  const second = await openIn(first.context(), "#tabs");
  await status(second, "Connected");
  await status(first, "In another tab");
  assert.deepEqual(await people(bo), ["Bo", "Ada"]);
  assert.deepEqual((await systemLines(bo)).filter((line) => line.startsWith("Ada")), [], "nobody else notices");
  await say(second, "from the second tab");
  await sees(bo, "from the second tab");
});

test("nickname_of_somebody_else_is_refused", async () => {
  await visitor("Ada", { room: "names" });
  const other = await open("#names");
  await other.getByLabel("Your nickname").fill("aDA");
  await other.getByRole("button", { name: "Connect me" }).click();
  await eventually(async () => (await other.locator("#wrong").textContent()).includes("is here as “Ada” already"), "a reason is given");
  await enter(other, "Ada the Second");
  await status(other, "Connected");
});

test("event_source_hears_a_topic", async () => {
  const ada = await visitor("Ada", { room: "feed" });
  await say(ada, "before");
  await sees(ada, "before");
  const listener = await open();
  const listen = () => listener.evaluate(() => new Promise((resolve) => {
    window.events = [];
    const source = window.source = new EventSource("/events/feed");
    source.onmessage = ({ data, lastEventId }) => window.events.push({ ...JSON.parse(data), lastEventId });
    source.onopen = resolve;
  }));
  const heard = () => listener.evaluate(() => window.events.map(({ nick, text }) => `${nick}: ${text}`));
  await listen();
  await eventually(async () => (await heard()).join() === "Ada: before", "what the room remembers");
  await say(ada, "live, in\ntwo lines");
  await eventually(async () => (await heard()).length === 2, "what is said now");
  assert.deepEqual(await heard(), ["Ada: before", "Ada: live, in\ntwo lines"]);

  const last = await listener.evaluate(() => window.events.map(({ lastEventId }) => lastEventId));
  await listener.evaluate(() => window.source.close());
  const resumed = await firstEvent("events/feed", last[0]);
  assert.match(resumed.body, /two lines/);
  assert.doesNotMatch(resumed.body, /before/, "what was seen is not sent again");
  assert.match(resumed.headers["content-type"], /^text\/event-stream/);
  assert.equal((await fetch(`${chat.url}events/feed`, { method: "POST" })).status, 405);
  assert.equal((await fetch(`${chat.url}events/no%20room`)).status, 404);
  assert.deepEqual(complaints, []);
});

/// The head and the first event of a stream, asked for by somebody who saw `lastEventId`.
const firstEvent = (path, lastEventId) => new Promise((resolve, reject) => {
  const request = get(chat.url + path, { headers: { "Last-Event-ID": lastEventId } }, (response) => {
    let body = "";
    response.setEncoding("utf8").on("data", (text) => {
      body += text;
      if (!/^data:.*\n(.*\n)*?\n/m.test(body)) return;
      request.destroy();
      resolve({ headers: response.headers, body });
    });
  });
  request.on("error", reject);
});

test("markup_is_shown_and_never_run", async () => {
  const attack = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`;
  const [ada, bo] = [await visitor("Ada", { room: "attack" }), await visitor("<b onclick=hack()>", { room: "attack" })];
  await say(bo, attack);
  await sees(ada, attack);
  await say(bo, `javascript:alert(1) data:text/html,x https://example.org/a_(b)?q="><script>hack()</script> (http://example.org/z).`);
  await eventually(async () => (await ada.locator(".said a").count()) === 2, "two links");
  const links = await ada.locator(".said a").evaluateAll((all) => all.map(({ href, rel, target, textContent }) => ({ href, rel, target, textContent })));
  const rel = "noopener noreferrer nofollow ugc";
  assert.deepEqual(links, [
    { href: "https://example.org/a_(b)?q=", rel, target: "_blank", textContent: "https://example.org/a_(b)?q=" },
    { href: "http://example.org/z", rel, target: "_blank", textContent: "http://example.org/z" },
  ]);
  for (const page of [ada, bo]) {
    assert.equal(await page.locator("#log img, #log script, #people b, #log b b").count(), 0);
    assert.equal(await page.evaluate(() => window.hacked), undefined);
  }
  assert.ok((await people(ada)).includes("<b onclick=hack()>"));

  const lured = await open(`#${encodeURIComponent(attack)}`);
  await enter(lured, "Lured");
  assert.match(await lured.locator("h1").textContent(), /^[\p{L}\p{N}_-]{1,32}$/u);
  assert.equal(await lured.evaluate(() => window.hacked), undefined);

  const liar = await bare();
  await liar.send({ type: "join", nick: "liar", room: attack });
  await eventually(async () => (await liar.heard("error"))[0]?.code === "room", "such a room cannot be");
  assert.deepEqual(complaints, []);
});

test("page_policy_forbids_what_the_page_does_not_need", async () => {
  const page = await open();
  const response = await page.reload();
  const policy = response.headers()["content-security-policy"];
  for (const part of ["default-src 'none'", "connect-src 'self'", "base-uri 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]) {
    assert.ok(policy.includes(part), `${part} in ${policy}`);
  }
  assert.doesNotMatch(policy, /unsafe|\*/);
  const again = (await page.reload()).headers()["content-security-policy"];
  assert.notEqual(policy, again, "a nonce is used once");
  const thrown = await page.evaluate(() => { try { document.body.innerHTML = "<p>x"; return "nothing"; } catch (error) { return error.name; } });
  assert.equal(thrown, "TypeError", "markup from a string throws");
});

test("malformed_message_gets_an_error_and_costs_nothing_else", async () => {
  const liar = await bare();
  const wrong = [
    "", "{", "null", "[]", "\"join\"", "{}", `{"type":"fly"}`, `{"type":"join"}`, `{"type":"join","nick":7,"room":"x"}`, `{"type":"say","text":"a","text":"b"}`,
    `{"type":"typing","on":"yes"}`, "[".repeat(1000), `{"type":"join","nick":"a","room":"b","session":"${"s".repeat(65)}"}`,
  ];
  for (const text of wrong) await liar.send(text);
  await liar.sendBinary();
  await eventually(async () => (await liar.heard("error")).length === wrong.length + 1, "an answer to each");
  for (const { code, message } of await liar.heard("error")) {
    assert.equal(code, "malformed");
    assert.ok(message.length > 20 && message.length < 200, message);
  }
  await liar.send({ type: "say", text: "too early" });
  await eventually(async () => (await liar.heard("error")).at(-1).code === "not_joined", "not in a room yet");
  await liar.send({ type: "join", nick: "Reformed", room: "lobby" });
  await eventually(async () => (await liar.heard("welcome")).length === 1, "and still welcome");
  assert.equal(await liar.closed(), null);
});

test("names_and_texts_have_limits", async () => {
  const liar = await bare();
  const nick = (nick) => ({ type: "join", nick, room: "limits" });
  const refused = [
    [nick(""), "nick"], [nick("  "), "nick"], [nick("x".repeat(25)), "nick"], [nick("a\u202eb"), "nick"], [nick("a\nb"), "nick"],
    [{ type: "join", nick: "a", room: "" }, "room"], [{ type: "join", nick: "a", room: "x".repeat(33) }, "room"],
    [{ type: "join", nick: "a", room: "a/b" }, "room"], [{ type: "join", nick: "a", room: "a b" }, "room"],
  ];
  for (const [message, code] of refused) {
    const before = (await liar.heard("error")).length;
    await liar.send(message);
    await eventually(async () => (await liar.heard("error")).length === before + 1, "an error");
    assert.equal((await liar.heard("error")).at(-1).code, code, JSON.stringify(message));
  }
  await liar.send(nick(`  ${"é".repeat(24)}  `));
  await eventually(async () => (await liar.heard("welcome"))[0]?.nick === "é".repeat(24), "24 characters are welcome");
  await liar.sendAll([{ type: "say", text: "   " }, { type: "say", text: "x".repeat(2001), mark: "m" }, { type: "say", text: "😀".repeat(2000) }]);
  await eventually(async () => (await liar.heard("said")).length === 1, "2000 characters are said");
  assert.deepEqual((await liar.heard("error")).slice(-2).map(({ code, mark }) => [code, mark]), [["text", undefined], ["text", "m"]]);
});

test("rooms_are_limited_and_empty_ones_give_way", async () => {
  const wanderer = await bare();
  await wanderer.sendAll(Array.from({ length: 80 }, (_, n) => ({ type: "join", nick: "Wanderer", room: `room-${n}` })));
  await eventually(async () => (await wanderer.heard("welcome")).length === 80, "every room opens");
  await eventually(async () => (await wanderer.heard("rooms")).at(-1).rooms.length === 64, "no more than 64 are kept");
  const names = (await wanderer.heard("rooms")).at(-1).rooms.map(({ name }) => name);
  assert.ok(names.includes("lobby") && names.includes("room-79"));
});

test("ctrl_c_says_goodbye_to_everybody", async () => {
  const [one, two] = [await bare(), await bare()];
  await one.send({ type: "join", nick: "One", room: "lobby" });
  await eventually(async () => (await one.heard("welcome")).length === 1, "in");
  assert.deepEqual(await chat.stop(), { code: 0, signal: null });
  for (const socket of [one, two]) {
    await eventually(async () => (await socket.closed()) !== null, "closed");
    assert.deepEqual(await socket.closed(), { code: 1001, wasClean: true });
  }
  await chat.again();
});

test("bad_command_line_ends_with_one_line", async () => {
  const taken = new URL(chat.url).host;
  for (const [options, code, reason] of [
    [["--listen", taken], 1, /another port with --listen$/m], [["--listen", "nonsense"], 2, /HOST:PORT, such as 127\.0\.0\.1:\d+.*--help/], [["--listen"], 2, /--help/],
    [["--origin", "chat.example"], 2, /https:\/\/chat\.example.*--help/], [["--allow-host", "http://a"], 2, /chat\.example.*--help/],
    [["--allow-host"], 2, /--help/], [["--frobnicate"], 2, /--frobnicate.*--help/], [["stray"], 2, /stray.*--help/],
  ]) {
    const started = program(...options);
    assert.deepEqual(await started.ended, { code, signal: null }, options.join(" "));
    assert.match(started.stderr, reason);
    assert.equal(started.stderr.trimEnd().split("\n").length, 1, started.stderr);
    assert.equal(started.stdout, "");
  }
  const help = program("--help");
  assert.deepEqual(await help.ended, { code: 0, signal: null });
  assert.match(help.stdout, /--listen ADDR/);
});

await run(process.argv.slice(2));
