// Talks to the echo example through ws, and through the HTTP client that comes with node.

import { once } from "node:events";
import plain from "node:http";
import secure from "node:https";
import WebSocket from "ws";
import { HTTP, MAX_BODY, SIZES, WS, address, binary, deflate, run, same, text, tls } from "./checks.mjs";

const http = tls ? secure : plain;

async function open(protocols = [], options = {}) {
  const ws = new WebSocket(`${WS}://${address}/`, protocols, { perMessageDeflate: false, ...options });
  await once(ws, "open");
  return ws;
}

async function reply(ws) {
  const [data, isBinary] = await once(ws, "message");
  return isBinary ? data : data.toString();
}

async function client_gets_text_back() {
  const ws = await open([], { perMessageDeflate: true });
  for (const size of SIZES) {
    ws.send(text(size));
    same(await reply(ws), text(size));
  }
  ws.close();
}

async function client_gets_binary_back() {
  const ws = await open();
  for (const size of SIZES) {
    ws.send(binary(size));
    same(await reply(ws), binary(size));
  }
  ws.close();
}

async function client_gets_fragments_back_as_one_message() {
  const ws = await open();
  const pongs = [];
  ws.on("pong", (payload) => pongs.push(payload.toString()));
  ["", "One ", "é", "", "€"].forEach((fragment, place) => {
    ws.send(fragment, { fin: place === 4 });
    if (place < 4) ws.ping(`between ${place}`);
  });
  same(await reply(ws), "One é€");
  same(pongs.at(-1), "between 3");
  // A character that is cut in two.
  ws.send(Buffer.from([0xe2, 0x82]), { binary: false, fin: false });
  ws.send(Buffer.from([0xac]), { binary: false });
  same(await reply(ws), "€");
  ws.close();
}

async function client_hears_a_pong_for_its_ping() {
  const ws = await open();
  for (const payload of [Buffer.alloc(0), Buffer.from("payload"), Buffer.alloc(125)]) {
    ws.ping(payload);
    const [pong] = await once(ws, "pong");
    same(pong, payload);
  }
  ws.close();
}

async function client_is_given_the_subprotocol_it_asks_for() {
  const ws = await open(["other", "echo"]);
  same(ws.protocol, "echo");
  ws.close();
}

async function client_is_given_compression_only_where_there_is_some() {
  const ws = await open([], { perMessageDeflate: true });
  same(ws.extensions, deflate ? "permessage-deflate" : "");
  ws.close();
}

async function client_hears_its_close_code_back() {
  for (const [code, reason] of [[1000, ""], [1001, "é".repeat(61)], [3000, "bye"], [4999, "x"]]) {
    const ws = await open();
    ws.close(code, reason);
    const [heard] = await once(ws, "close");
    same(heard, code);
  }
  const ws = await open();
  ws.close();
  same((await once(ws, "close"))[0], 1005);
}

/// Sends these bytes as they are; the code of the Close frame that answers them.
async function code_after(...bytes) {
  const ws = await open();
  ws._socket.write(Buffer.from(bytes));
  return (await once(ws, "close"))[0];
}

async function client_hears_1002_for_what_is_no_frame() {
  same(await code_after(0x83, 0x80, 0, 0, 0, 0), 1002);
  same(await code_after(0x91, 0x80, 0, 0, 0, 0), 1002);
  same(await code_after(0x81, 0x00), 1002);
  same(await code_after(0x80, 0x80, 0, 0, 0, 0), 1002);
}

async function client_hears_1007_for_text_that_is_not_utf8() {
  const ws = await open();
  ws.send(Buffer.from([0xff]), { binary: false });
  same((await once(ws, "close"))[0], 1007);
}

async function client_hears_1009_for_a_message_too_big() {
  const ws = await open();
  ws.on("error", () => {}); // what is left to write has nowhere to go
  ws.send(Buffer.alloc((16 << 20) + 1));
  same((await once(ws, "close"))[0], 1009);
}

async function client_of_a_stranger_is_refused() {
  const ws = new WebSocket(`${WS}://${address}/`, { origin: "http://stranger.example" });
  const [, response] = await once(ws, "unexpected-response");
  same(response.statusCode, 403);
  response.destroy();
}

/// One HTTP exchange: status, body, the port that it left from. A body that is not asked for stays here.
async function ask(agent, method, body = [], headers = {}) {
  const request = http.request(`${HTTP}://${address}/`, { agent, method, headers });
  const answered = once(request, "response");
  let refused = false;
  if (headers.expect) {
    request.flushHeaders();
    refused = await Promise.race([once(request, "continue").then(() => false), answered.then(() => true)]);
  }
  if (!refused) {
    for (const chunk of body) request.write(chunk);
    request.end();
  }
  const [response] = await answered;
  const answer = { status: response.statusCode, body: Buffer.concat(await response.toArray()), port: request.socket.localPort };
  if (refused) request.destroy();
  return answer;
}

async function client_gets_pages_and_bodies_over_one_connection() {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set();
  const note = (answer) => { ports.add(answer.port); return answer; };
  same(note(await ask(agent, "GET")).status, 200);
  same(note(await ask(agent, "HEAD")).body, Buffer.alloc(0));
  const length = { "content-length": MAX_BODY };
  same(note(await ask(agent, "POST", [binary(MAX_BODY)], length)).body, binary(MAX_BODY));
  same(note(await ask(agent, "POST", [binary(1), binary(1000)])).body, Buffer.concat([binary(1), binary(1000)])); // chunked
  same(note(await ask(agent, "PUT")).status, 405);
  same(note(await ask(agent, "GET")).status, 200);
  same(ports.size, 1);
  agent.destroy();
}

async function client_sends_its_body_when_told_to_continue() {
  const expect = { expect: "100-continue", "content-length": 1000 };
  same((await ask(undefined, "POST", [binary(1000)], expect)).body, binary(1000));
  same((await ask(undefined, "POST", [binary(MAX_BODY + 1)], { ...expect, "content-length": MAX_BODY + 1 })).status, 413);
}

await run([
  client_gets_text_back,
  client_gets_binary_back,
  client_gets_fragments_back_as_one_message,
  client_hears_a_pong_for_its_ping,
  client_is_given_the_subprotocol_it_asks_for,
  client_is_given_compression_only_where_there_is_some,
  client_hears_its_close_code_back,
  client_hears_1002_for_what_is_no_frame,
  client_hears_1007_for_text_that_is_not_utf8,
  client_hears_1009_for_a_message_too_big,
  client_of_a_stranger_is_refused,
  client_gets_pages_and_bodies_over_one_connection,
  client_sends_its_body_when_told_to_continue,
]);
