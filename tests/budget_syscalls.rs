//! System calls: an echo is one `epoll_wait`, one receive and one send, and nothing else after the
//! handshake. The test traces the server process itself, so it needs no tool; where tracing is not
//! allowed it counts sleeps, and prints that.
#![cfg(target_os = "linux")]

mod budget;

use std::io::{Read, Write};
use std::net::TcpStream;

use budget::EchoServer;

/// A masked text message of 20 B (RFC 6455 section 5.2), with a masking key of zero.
const REQUEST: &[u8; 26] = b"\x81\x94\0\0\0\0twenty bytes of text";

/// The echo of the message.
const REPLY: &[u8; 22] = b"\x81\x14twenty bytes of text";

const ECHOES: usize = 1000;

/// Checks of deadlines may fall between two echoes; each is one more `epoll_wait`.
const LOOKS: usize = ECHOES / 50;

/// One echo after the other over one connection.
fn exchange(stream: &mut TcpStream, echoes: usize) {
    let mut reply = [0; REPLY.len()];
    for _ in 0..echoes {
        stream.write_all(REQUEST).unwrap();
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, REPLY);
    }
}

#[test]
#[ignore = "the server process of the other tests"]
fn serve() {
    budget::serve();
}

#[test]
fn server_sleeps_at_most_once_per_echo() {
    let server = EchoServer::start();
    let mut stream = server.connect();
    exchange(&mut stream, 10);
    let before = sleeps(&server);
    exchange(&mut stream, ECHOES);
    let slept = sleeps(&server) - before;
    // The last sleep may or may not have begun; a message that is there already needs none. A
    // hand-over to another thread, or any other wait, needs more.
    assert!(slept <= ECHOES + 1 + LOOKS, "{slept} sleeps for {ECHOES} echoes");
}

/// The number of times that the server has gone to sleep by itself.
fn sleeps(server: &EchoServer) -> usize {
    let status = server.kernel_file("status");
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.unwrap().trim().parse().unwrap()
}

#[cfg(target_arch = "x86_64")]
mod traced {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use nix::errno::Errno;
    use nix::libc;
    use nix::sys::ptrace;
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    use nix::unistd::Pid;

    use super::*;

    /// Tells the tracer, even if the client panics, that the next end of file ends the trace.
    struct Finish<'a>(&'a AtomicBool);

    impl Drop for Finish<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }

    #[test]
    fn server_needs_one_wait_one_receive_one_send_per_echo() {
        let server = EchoServer::start();
        let mut stream = server.connect();
        exchange(&mut stream, 10);
        let thread = Pid::from_raw(server.thread() as i32);
        if let Err(error) = ptrace::seize(thread, ptrace::Options::PTRACE_O_TRACESYSGOOD) {
            assert_eq!(error, Errno::EPERM);
            budget::note(
                "tracing is not allowed here: system calls per echo were not counted, only sleeps",
            );
            return;
        }
        ptrace::interrupt(thread).unwrap();
        let finished = AtomicBool::new(false);
        let calls = thread::scope(|scope| {
            let finish = Finish(&finished);
            scope.spawn(move || {
                exchange(&mut stream, ECHOES);
                drop(finish);
                drop(stream);
            });
            trace(thread, &finished)
        });
        judge(&calls);
    }

    /// The numbers of the system calls that `thread` enters, in order, until one of them finds the
    /// trace ended.
    fn trace(thread: Pid, finished: &AtomicBool) -> Vec<i64> {
        let mut calls = Vec::new();
        loop {
            let signal = match waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap() {
                WaitStatus::PtraceSyscall(_) => {
                    let registers = ptrace::getregs(thread).unwrap();
                    // On entry the kernel has put this error where the result will stand.
                    if registers.rax as i64 == -i64::from(libc::ENOSYS) {
                        calls.push(registers.orig_rax as i64);
                    }
                    None
                }
                WaitStatus::PtraceEvent(..) => None,
                WaitStatus::Stopped(_, signal) => Some(signal),
                other => panic!("the server ended: {other:?}"),
            };
            if finished.load(Ordering::Acquire) {
                ptrace::detach(thread, None).unwrap();
                return calls;
            }
            ptrace::syscall(thread, signal).unwrap();
        }
    }

    /// The calls up to the last send belong to the echoes, the later ones to the end of the
    /// connection.
    fn judge(calls: &[i64]) {
        let last_send = calls.iter().rposition(|&call| is_send(call)).unwrap();
        let mut counts = BTreeMap::new();
        for &call in &calls[..=last_send] {
            *counts.entry(name(call)).or_insert(0) += 1;
        }
        let waits = counts.remove("wait").unwrap_or(0);
        assert_eq!(
            counts,
            BTreeMap::from([("receive", ECHOES), ("send", ECHOES)]),
            "and {waits} waits"
        );
        // The first wait may have begun before the trace did.
        assert!(
            (ECHOES - 1..=ECHOES + LOOKS).contains(&waits),
            "{waits} waits for {ECHOES} echoes"
        );
    }

    fn is_send(call: i64) -> bool {
        matches!(call, libc::SYS_sendto | libc::SYS_write | libc::SYS_writev | libc::SYS_sendmsg)
    }

    fn name(call: i64) -> &'static str {
        match call {
            libc::SYS_epoll_wait | libc::SYS_epoll_pwait | libc::SYS_epoll_pwait2 => "wait",
            libc::SYS_recvfrom | libc::SYS_read | libc::SYS_readv | libc::SYS_recvmsg => "receive",
            libc::SYS_epoll_ctl => "epoll_ctl",
            _ if is_send(call) => "send",
            _ => "another",
        }
    }
}
