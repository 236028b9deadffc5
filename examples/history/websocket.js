// Follows a topic over a WebSocket. A line that is lost is opened again, after the last id.
//
// message(id, data)  is called for each message, once and in order
// gap()              what came before is not kept any more: forget it, and show what comes now
// status(live)       true while the line is open
// after              the id to begin after; "0-0" begins with the oldest message that is kept
// retry              milliseconds between two attempts, half of them to one and a half
export function follow(url, { message, gap, status = () => {}, after = "0-0", retry = 1000 }) {
  let socket, timer;

  function open() {
    socket = new WebSocket(`${url}?after=${after}`);
    socket.onmessage = ({ data }) => {
      const { type, id } = JSON.parse(data);
      if (type === "resumed") return status(true);
      if (type === "gap") return status(true), gap();
      after = id;
      message(id, data);
    };
    socket.onclose = () => {
      status(false);
      timer = setTimeout(open, retry * (0.5 + Math.random()));
    };
  }

  open();
  return function stop() {
    clearTimeout(timer);
    socket.onmessage = socket.onclose = null;
    socket.close();
  };
}
