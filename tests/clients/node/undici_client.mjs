// Talks to the echo example through undici: its WebSocket, pipelined requests, fetch.

import { Readable } from "node:stream";
import { Client, WebSocket, fetch } from "undici";
import { HTTP, MAX_BODY, SIZES, WS, address, binary, deflate, event, run, same, text } from "./checks.mjs";

async function open(protocols = []) {
  const ws = new WebSocket(`${WS}://${address}/`, protocols);
  ws.binaryType = "arraybuffer";
  await event(ws, "open");
  return ws;
}

async function reply(ws) {
  const { data } = await event(ws, "message");
  return typeof data === "string" ? data : Buffer.from(data);
}

async function client_gets_text_back() {
  const ws = await open();
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

async function client_is_given_the_subprotocol_it_asks_for() {
  const ws = await open(["other", "echo"]);
  same(ws.protocol, "echo");
  ws.close();
}

async function client_is_given_compression_only_where_there_is_some() {
  const ws = await open();
  same(ws.extensions.startsWith("permessage-deflate"), deflate);
  ws.close();
}

async function client_hears_its_close_code_back() {
  for (const [code, reason] of [[1000, ""], [3000, "bye"], [4999, "é".repeat(61)]]) {
    const ws = await open();
    const closed = event(ws, "close");
    ws.close(code, reason);
    const { code: heard, wasClean } = await closed;
    same([heard, wasClean], [code, true]);
  }
}

async function client_hears_1009_for_a_message_too_big() {
  const ws = await open();
  const closed = new Promise((resolve) => ws.addEventListener("close", resolve));
  ws.send(Buffer.alloc((16 << 20) + 1));
  same((await closed).code, 1009);
}

async function client_gets_pipelined_answers_in_order() {
  const client = new Client(`${HTTP}://${address}`, { pipelining: 10 });
  const opened = [];
  client.on("connect", () => opened.push(1));
  // Requests with a body are not pipelined unless they are idempotent, so it is said that these are.
  const ask = async (number) => {
    const answer = await client.request({ path: "/", method: "POST", body: `number ${number}`, idempotent: true, blocking: false });
    return answer.body.text();
  };
  const numbers = Array.from({ length: 50 }, (_, number) => number);
  same(await Promise.all(numbers.map(ask)), numbers.map((number) => `number ${number}`));
  const pages = await Promise.all(numbers.map(() => client.request({ path: "/", method: "GET" })));
  for (const page of pages) {
    same([page.statusCode, (await page.body.text()).length], [200, Number(page.headers["content-length"])]);
  }
  same(opened.length, 1);
  await client.close();
}

async function client_gets_its_body_back() {
  for (const size of [...SIZES.filter((size) => size < MAX_BODY), MAX_BODY]) {
    const response = await fetch(`${HTTP}://${address}/`, { method: "POST", body: binary(size) });
    same([response.status, Buffer.from(await response.arrayBuffer())], [200, binary(size)]);
  }
}

async function client_gets_its_chunks_back() {
  const chunks = [1, 100, 10_000, 100_000].map(binary);
  const response = await fetch(`${HTTP}://${address}/`, { method: "POST", body: Readable.from(chunks), duplex: "half" });
  same(Buffer.from(await response.arrayBuffer()), Buffer.concat(chunks));
}

async function client_is_told_the_methods() {
  const response = await fetch(`${HTTP}://${address}/`, { method: "DELETE" });
  same([response.status, response.headers.get("allow")], [405, "GET, HEAD, POST"]);
}

await run([
  client_gets_text_back,
  client_gets_binary_back,
  client_is_given_the_subprotocol_it_asks_for,
  client_is_given_compression_only_where_there_is_some,
  client_hears_its_close_code_back,
  client_hears_1009_for_a_message_too_big,
  client_gets_pipelined_answers_in_order,
  client_gets_its_body_back,
  client_gets_its_chunks_back,
  client_is_told_the_methods,
]);
