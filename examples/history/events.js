// Follows a topic over an EventSource. The browser opens a broken stream again, and sends the last
// id in the header Last-Event-ID. The server says when, by `retry`. The arguments are those of
// websocket.js.
export function follow(url, { message, gap, status = () => {}, after = "0-0", retry = 1000 }) {
  let source, timer;

  function open() {
    // The header of a later attempt of the browser wins over this id.
    source = new EventSource(`${url}?last_event_id=${after}`);
    source.onmessage = ({ data, lastEventId }) => {
      after = lastEventId;
      message(after, data);
    };
    source.addEventListener("switchboard.resumed", () => status(true));
    source.addEventListener("switchboard.gap", ({ lastEventId }) => {
      after = lastEventId;
      status(true);
      gap();
    });
    source.onerror = () => {
      status(false);
      // A browser gives up for good after an answer that is no event stream, such as a proxy's 502.
      if (source.readyState === EventSource.CLOSED) {
        timer = setTimeout(open, retry * (0.5 + Math.random()));
      }
    };
  }

  open();
  return function stop() {
    clearTimeout(timer);
    source.close();
  };
}
