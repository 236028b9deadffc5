// Finds a program on the PATH, such as the Chromium of the system.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

export function onPath(name) {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch { /* the next one */ }
  }
  throw new Error(`no ${name} on the PATH`);
}
