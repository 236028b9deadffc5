//! The text of `--help`.

pub const TEXT: &str = "\
usage: idle URL [OPTIONS]
       idle --compare A B

Opens very many WebSockets to any server, does with them what the mode says, and reports what they
cost the server, the kernel and the client itself.

  URL                      where to: ws://HOST:PORT/PATH; ws://127.0.0.1:9001-9050/ are 50 servers

  --connections N          connections to open, spread evenly over the servers (default 1000)
  --mode MODE              what they do (default hold):
                             hold       stay open and send nothing; memory of each, and its CPU
                                        time in a second
                             ping       each is pinged in its turn; how many answer, and how soon
                             echo       messages that the server sends back, at an even rate
                                        whatever comes back (open loop)
                             broadcast  one sends to all others (with --serve: URLs
                                        that end in /broadcast)
                             churn      the oldest is closed, another opened, --rate times a second
                             half-open  peers that fall silent without a Close frame
                             slow       peers that ask for more and more and never read; what
                                        server and kernel then hold for each, as it grows
  --duration SECONDS       how long the mode lasts once all are open (default 10)
  --messages-per-second X  of all connections together: pings (default: each once in the duration),
                           messages (echo: 1000; slow: one for each connection),
                           rounds (broadcast: 1)
  --size BYTES             of a message (default 20; slow: 16384)
  --active SHARE           echo: the share of the connections that send, 0.1 or 10% (default 1)

  --rate X                 connections to open a second, of all workers together (default 5000)
  --in-flight N            attempts under way at most, of all workers together (default 256)
  --timeout SECONDS        how long a handshake may take (default 10)
  --source ADDR,..         addresses of this machine to connect from (default: the kernel's
                           choice; to loopback targets as many of 127.0.x.y as ports require)
  --header \"NAME: VALUE\"   a header of every handshake, such as Cookie; may be repeated
  --subprotocol NAME,..    subprotocols to ask for, best first
  --origin ORIGIN          the origin to name, such as https://a.example
  --workers N              worker processes (default: as many as the descriptor limit requires)

  --serve N                start N echo servers of this crate, one at each port of the URL, and
                           end them
  --serve-idle SECONDS     silence after which they ping a peer (default 120)
  --serve-descriptors N    descriptor limit of each of them (default: as high as allowed)
  --pid PID,..             the server's processes (default: those that listen at the ports, on
                           loopback)

  --json FILE              write all figures as JSON (\"schema\": 1)
  --report FILE            write an HTML page with plots, which needs nothing else
  --compare A B            print two files of --json beside each other
  -h, --help               this text

Memory of a connection is a slope: what grows between a tenth of the connections and all of them.
With --connections 10000 memory counts from connection 1,001 on; what the first ones and the process
itself take is no part of it. 256 connections in each process are the least that shows, and 5,000
make a figure. Measure memory once on a fresh server process: one that had connections before keeps
memory, and serves the next ones from it.

A run is INVALID if a figure cannot be the server's: if its memory did not grow, or fell; if other
clients are connected to it; if more came back than was sent; if the client was the bottleneck.
Reasons that the server gives are counted: close codes with their texts, HTTP statuses with the
headers that say what to do, errors. A name is looked up once. A refusal that the next attempt would
get too, such as 401 or 404, ends the opening.

The harness never pings or closes by itself; it answers the server's pings, except with half-open
and slow. Latencies count from the time at which something was due, not from when it was sent.
Connections are dropped at the end, not closed. Ctrl-C ends a run early and reports what there is; a
second one does not wait for that.

Exit code: 0 valid and complete, 2 wrong arguments, 3 incomplete or invalid, 130 Ctrl-C.
";
