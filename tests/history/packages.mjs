// The packages of the sibling folders, each with its own pins: ws of tests/clients, Chromium's driver of tests/browser.

import { createRequire } from "node:module";
import { onPath } from "../browser/on-path.mjs";

const from = (folder, name) => createRequire(new URL(`../${folder}/`, import.meta.url))(name);

const { WebSocket: Ws } = from("clients/node", "ws");
export const undici = from("clients/node", "undici");
const { chromium } = from("browser", "playwright-core");

/// ws as a browser's WebSocket: an error is followed by a close, and ends no program.
export class WebSocket extends Ws {
  constructor(...given) {
    super(...given);
    this.on("error", () => {});
  }
}

export const launch = () => chromium.launch({
  executablePath: onPath("chromium"),
  args: [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
});
