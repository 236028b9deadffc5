//! Phase by event: every event happens in every phase of a connection's life. One row says what the
//! peer received, what its handler was called with and what became of the connection.

mod common;

use std::io::ErrorKind;

use common::http;
use common::{Bytes, Client, Log, Recorder, World, frames, seconds};
use switchboard::{CloseCode, Drain, EventStream, Options, Reply, Response, Stream, Upgrade};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    HeadIdle,
    HeadBegun,
    Body,
    Discarding,
    Waiting,
    Blocked,
    Streamed,
    Open,
    Closing,
    Streaming,
    Taken,
    Lingering,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// What belongs into the phase, or a request where nothing does.
    Input,
    /// What never belongs anywhere.
    Garbage,
    /// The end of file, found by reading.
    Eof,
    /// The end of file, announced.
    ReadClosed,
    Reset,
    Writable,
    /// Eleven seconds pass; every deadline but that of lingering (two) is ten.
    Deadline,
    Drain,
    /// The handler, from outside a callback.
    Close,
}

use Event::*;
use Phase::*;

const PHASES: [Phase; 12] = [
    HeadIdle, HeadBegun, Body, Discarding, Waiting, Blocked, Streamed, Open, Closing, Streaming,
    Taken, Lingering,
];
const EVENTS: [Event; 9] =
    [Input, Garbage, Eof, ReadClosed, Reset, Writable, Deadline, Drain, Close];

fn options() -> Options {
    let ten = seconds(10);
    let options = Options::new()
        .first_byte_timeout(ten)
        .keep_alive_timeout(ten)
        .head_timeout(ten)
        .body_timeout(ten);
    let options = options
        .answer_timeout(ten)
        .write_timeout(ten)
        .idle_timeout(ten)
        .pong_timeout(ten)
        .close_timeout(ten);
    options.event_stream_interval(ten).linger_timeout(seconds(2))
}

struct Stage {
    sim: World,
    client: Client,
    log: Log,
    id: switchboard::ConnId,
}

impl Stage {
    /// A connection in a phase. What led to it is forgotten.
    fn set(phase: Phase) -> Stage {
        let log = Log::new();
        let recorder = Recorder::new(&log)
            .request(|_, request| match request.path() {
                "/upload" => Reply::Body(100),
                "/later" => Reply::Later,
                "/big" => "x".repeat(1_000).into(),
                "/stream" => Stream::new(Response::new(200)).into(),
                "/ws" => Upgrade::new().into(),
                "/events" => EventStream::new().into(),
                "/take" => Reply::Takeover(Response::new(101).header("Upgrade", "own")),
                path => path.to_owned().into(),
            })
            .body(|_, _, body| body.len().to_string())
            .message(|conn, message| conn.send(message))
            .input(|conn, bytes| {
                conn.write(bytes);
                bytes.len()
            });
        let mut sim = World::serving(|server| server.options(options()));
        sim.server.zone("/", recorder);
        let client = sim.connect();
        if phase == Blocked {
            sim.peer(client).window(20);
        }
        sim.send(
            client,
            match phase {
                HeadIdle => http::get("/first"),
                HeadBegun => http::get("/first") + "GET /begun HT",
                Body => http::request("POST", "/upload", "Content-Length: 9\r\n", "half"),
                Discarding => http::request("POST", "/other", "Content-Length: 9\r\n", "half"),
                Waiting => http::get("/later"),
                Blocked => http::get("/big"),
                Streamed => http::get("/stream"),
                Open | Closing => http::handshake("/ws"),
                Streaming => http::get("/events"),
                Taken => http::get("/take"),
                Lingering => http::request("GET", "/last", "Connection: close\r\n", ""),
            },
        );
        let id = log.last_id();
        let mut stage = Stage { sim, client, log, id };
        if phase == Closing {
            stage.close();
        }
        stage.sim.receive(client);
        stage.log.take();
        stage
    }

    fn close(&mut self) {
        let now = self.sim.now;
        if let Some(mut conn) = self.sim.server.context(now).conn(self.id) {
            conn.close(CloseCode::NORMAL, "bye");
        }
        self.sim.settle();
    }

    fn happens(&mut self, phase: Phase, event: Event) {
        let (client, now) = (self.client, self.sim.now);
        match event {
            Input => {
                let input = match phase {
                    HeadBegun => b"TP/1.1\r\nHost: a\r\n\r\n".to_vec(),
                    Body | Discarding => b"-done".to_vec(),
                    Open | Closing => frames::text("hi"),
                    Taken => b"hi".to_vec(),
                    _ => http::get("/next").into_bytes(),
                };
                self.sim.send(client, input);
            }
            Garbage => self.sim.send(client, [0; 6]),
            Eof => self.sim.end_quietly(client),
            ReadClosed => self.sim.end(client),
            Reset => self.sim.fail(client, ErrorKind::ConnectionReset),
            Writable => self.sim.window(client, usize::MAX),
            Deadline => self.sim.advance(seconds(11)),
            Drain => {
                self.sim.server.context(now).drain(Drain::within(seconds(60))).unwrap();
                self.sim.settle();
            }
            Close => self.close(),
        }
    }

    /// What the peer received, what was called, and whether the connection is open, ended or gone.
    fn outcome(&mut self, phase: Phase) -> (String, String, &'static str) {
        let bytes = self.sim.receive(self.client);
        let saw = match phase {
            Open | Closing => format!("{:?}", frames::frames(&bytes)),
            Blocked if !bytes.is_empty() => format!("..{} bytes", bytes.len()),
            _ if bytes.starts_with(b"HTTP/") => {
                http::answers(&bytes).iter().map(shown).collect::<Vec<_>>().join(" ")
            }
            _ => bytes.escape_ascii().to_string(),
        };
        let state = match (self.sim.is_ended(self.client), self.sim.is_gone(self.client)) {
            (_, true) => "gone",
            (true, false) => "ended",
            (false, false) => "open",
        };
        (saw, self.log.take().join(", "), state)
    }
}

fn shown(answer: &http::Answer) -> String {
    format!("{}{}", answer.status, if answer.closes() { "!" } else { "" })
}

/// The phase, the event, what the peer received, what was called, and whether the connection is
/// open, ended by us or gone.
const ROWS: &[(Phase, Event, &str, &str, &str)] = &[
    (HeadIdle, Input, "200", "request GET /next", "open"),
    (HeadIdle, Garbage, "400!", "", "ended"),
    (HeadIdle, Eof, "", "", "gone"),
    (HeadIdle, ReadClosed, "", "", "gone"),
    (HeadIdle, Reset, "", "", "gone"),
    (HeadIdle, Writable, "", "", "open"),
    (HeadIdle, Deadline, "", "", "gone"),
    (HeadIdle, Drain, "", "", "gone"),
    (HeadIdle, Close, "", "", "open"),
    (HeadBegun, Input, "200", "request GET /begun", "open"),
    (HeadBegun, Garbage, "400!", "", "ended"),
    (HeadBegun, Eof, "", "", "gone"),
    (HeadBegun, ReadClosed, "", "", "gone"),
    (HeadBegun, Reset, "", "", "gone"),
    (HeadBegun, Writable, "", "", "open"),
    (HeadBegun, Deadline, "408!", "", "ended"),
    (HeadBegun, Drain, "", "", "open"),
    (HeadBegun, Close, "", "", "open"),
    (Body, Input, "200", "body half-done", "open"),
    (Body, Garbage, "200 400!", "body half\\x00\\x00\\x00\\x00\\x00", "ended"),
    (Body, Eof, "", "", "gone"),
    (Body, ReadClosed, "", "", "gone"),
    (Body, Reset, "", "", "gone"),
    (Body, Writable, "", "", "open"),
    (Body, Deadline, "408!", "", "ended"),
    (Body, Drain, "", "", "open"),
    (Body, Close, "", "", "open"),
    (Discarding, Input, "", "", "open"),
    (Discarding, Garbage, "400!", "", "ended"),
    (Discarding, Eof, "", "", "gone"),
    (Discarding, ReadClosed, "", "", "gone"),
    (Discarding, Reset, "", "", "gone"),
    (Discarding, Writable, "", "", "open"),
    (Discarding, Deadline, "", "", "gone"),
    (Discarding, Drain, "", "", "open"),
    (Discarding, Close, "", "", "open"),
    (Waiting, Input, "", "", "open"),
    (Waiting, Garbage, "", "", "open"),
    (Waiting, Eof, "", "", "open"),
    (Waiting, ReadClosed, "", "", "open"),
    (Waiting, Reset, "", "cancelled", "gone"),
    (Waiting, Writable, "", "", "open"),
    (Waiting, Deadline, "503!", "cancelled", "ended"),
    (Waiting, Drain, "", "", "open"),
    (Waiting, Close, "", "", "open"),
    (Blocked, Input, "", "", "open"),
    (Blocked, Garbage, "", "", "open"),
    (Blocked, Eof, "", "", "open"),
    (Blocked, ReadClosed, "", "", "open"),
    (Blocked, Reset, "", "", "gone"),
    (Blocked, Writable, "..1146 bytes", "", "open"),
    (Blocked, Deadline, "", "", "gone"),
    (Blocked, Drain, "", "", "open"),
    (Blocked, Close, "", "", "open"),
    (Streamed, Input, "", "", "open"),
    (Streamed, Garbage, "", "", "open"),
    (Streamed, Eof, "", "", "open"),
    (Streamed, ReadClosed, "", "", "open"),
    (Streamed, Reset, "", "cancelled", "gone"),
    (Streamed, Writable, "", "", "open"),
    (Streamed, Deadline, "", "", "open"),
    (Streamed, Drain, "", "", "open"),
    (Streamed, Close, "", "", "open"),
    (Open, Input, "[1:hi]", "text hi", "open"),
    (
        Open,
        Garbage,
        "[8:\\x03\\xeacontinuation without a message]",
        "close 1002 \"continuation without a message\"",
        "ended",
    ),
    (Open, Eof, "[]", "close 1006 \"\"", "gone"),
    (Open, ReadClosed, "[]", "close 1006 \"\"", "gone"),
    (Open, Reset, "[]", "close 1006 \"\"", "gone"),
    (Open, Writable, "[]", "", "open"),
    (Open, Deadline, "[9:]", "", "open"),
    (Open, Drain, "[8:\\x03\\xe9]", "", "open"),
    (Open, Close, "[8:\\x03\\xe8bye]", "", "open"),
    (Closing, Input, "[]", "", "open"),
    (Closing, Garbage, "[]", "close 1006 \"\"", "gone"),
    (Closing, Eof, "[]", "close 1006 \"\"", "gone"),
    (Closing, ReadClosed, "[]", "close 1006 \"\"", "gone"),
    (Closing, Reset, "[]", "close 1006 \"\"", "gone"),
    (Closing, Writable, "[]", "", "open"),
    (Closing, Deadline, "[]", "close 1006 \"\"", "gone"),
    (Closing, Drain, "[]", "", "open"),
    (Closing, Close, "[]", "", "open"),
    (Streaming, Input, "", "", "open"),
    (Streaming, Garbage, "", "", "open"),
    (Streaming, Eof, "", "close 1006 \"\"", "gone"),
    (Streaming, ReadClosed, "", "close 1006 \"\"", "gone"),
    (Streaming, Reset, "", "close 1006 \"\"", "gone"),
    (Streaming, Writable, "", "", "open"),
    (Streaming, Deadline, ":\\n\\n", "", "open"),
    (Streaming, Drain, "", "close 1001 \"\"", "ended"),
    (Streaming, Close, "", "close 1000 \"bye\"", "ended"),
    (Taken, Input, "hi", "input hi", "open"),
    (
        Taken,
        Garbage,
        "\\x00\\x00\\x00\\x00\\x00\\x00",
        "input \\x00\\x00\\x00\\x00\\x00\\x00",
        "open",
    ),
    (Taken, Eof, "", "close 1006 \"\"", "gone"),
    (Taken, ReadClosed, "", "close 1006 \"\"", "gone"),
    (Taken, Reset, "", "close 1006 \"\"", "gone"),
    (Taken, Writable, "", "", "open"),
    (Taken, Deadline, "", "", "open"),
    (Taken, Drain, "", "close 1001 \"\"", "ended"),
    (Taken, Close, "", "close 1000 \"bye\"", "ended"),
    (Lingering, Input, "", "", "ended"),
    (Lingering, Garbage, "", "", "ended"),
    (Lingering, Eof, "", "", "gone"),
    (Lingering, ReadClosed, "", "", "gone"),
    (Lingering, Reset, "", "", "gone"),
    (Lingering, Writable, "", "", "ended"),
    (Lingering, Deadline, "", "", "gone"),
    (Lingering, Drain, "", "", "ended"),
    (Lingering, Close, "", "", "ended"),
];

#[test]
fn connection_does_what_its_phase_says_about_every_event() {
    assert_eq!(ROWS.len(), PHASES.len() * EVENTS.len());
    for (row, (phase, event)) in ROWS
        .iter()
        .zip(PHASES.iter().flat_map(|phase| EVENTS.iter().map(move |event| (*phase, *event))))
    {
        let mut stage = Stage::set(phase);
        stage.happens(phase, event);
        let (saw, called, state) = stage.outcome(phase);
        assert_eq!((phase, event, &*saw, &*called, state), *row);
        let closed = usize::from(called.contains("close"));
        let opened = usize::from(matches!(phase, Open | Closing | Streaming | Taken));
        stage.sim.fail(stage.client, ErrorKind::ConnectionReset);
        let (_, called, state) = stage.outcome(Lingering);
        assert_eq!(state, "gone", "{phase:?} {event:?}");
        assert_eq!(
            closed + usize::from(called.contains("close")),
            opened,
            "one close for one open: {phase:?} {event:?}"
        );
        let stats = stage.sim.stats();
        assert_eq!(
            (stats.connections, stats.websockets, stats.event_streams, stats.takeovers),
            (0, 0, 0, 0)
        );
        stage.sim.advance(seconds(20));
        assert_eq!(
            stage.sim.server.poll_timeout(stage.sim.now),
            None,
            "nothing to wake for: {phase:?} {event:?}"
        );
    }
}
