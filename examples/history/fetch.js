// Follows a topic by fetch, which reads the event stream of an EventSource. It can send headers of
// its own, such as Authorization. The arguments are those of websocket.js.
export function follow(url, { message, gap, status = () => {}, after = "0-0", retry = 1000 }) {
  const stopped = new AbortController();
  const { signal } = stopped;

  // A block is the lines of one event. One without data tells an id and no more.
  function take(block) {
    let type = "message";
    const data = [];
    for (const line of block.split("\n")) {
      const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
      if (field === "id") after = value;
      if (field === "event") type = value;
      if (field === "data") data.push(value);
    }
    if (data.length === 0) return;
    if (type === "message") message(after, data.join("\n"));
    if (type === "switchboard.gap") gap();
  }

  async function read() {
    const headers = { "Last-Event-ID": after };
    const response = await fetch(url, { headers, cache: "no-store", signal });
    if (!response.ok) throw new Error(`status ${response.status}`);
    status(true);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ;) {
      const { value, done } = await reader.read();
      // What is left of a stream that ends is no whole event.
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      blocks.forEach(take);
    }
  }

  (async () => {
    while (!signal.aborted) {
      await read().catch(() => {});
      if (signal.aborted) return;
      status(false);
      await new Promise((wake) => setTimeout(wake, retry * (0.5 + Math.random())));
    }
  })();
  return () => stopped.abort();
}
