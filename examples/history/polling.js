// Follows a topic by long polling: each request is answered at once if there is something newer,
// else as soon as there is. The arguments are those of websocket.js.
export function follow(url, { message, gap, status = () => {}, after = "0-0", retry = 1000 }) {
  const stopped = new AbortController();
  const { signal } = stopped;

  async function ask() {
    const response = await fetch(`${url}?after=${after}`, { cache: "no-store", signal });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const answer = await response.json();
    status(true);
    if (answer.gap) gap();
    for (const { id, data } of answer.messages) {
      after = id;
      message(id, data);
    }
    after = answer.next;
  }

  (async () => {
    while (!signal.aborted) {
      // A request without an answer so far waits at the server: the line is fine.
      const waits = setTimeout(status, 500, true);
      const failed = await ask().then(() => false, () => true);
      clearTimeout(waits);
      if (!failed || signal.aborted) continue;
      status(false);
      await new Promise((wake) => setTimeout(wake, retry * (0.5 + Math.random())));
    }
  })();
  return () => stopped.abort();
}
