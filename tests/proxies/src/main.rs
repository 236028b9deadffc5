//! Runs real proxies in front of a server, on loopback: `tests/proxies/run [PART OF A NAME]..`.
//!
//! Each check starts a server on a thread and a proxy as a process. It takes the file that people
//! copy out of `examples/proxies`. A check of a symptom leaves one line of that file out.

mod checks;
mod client;
mod proxy;
mod site;

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use checks::Check;
use proxy::Rig;

/// The time that all checks together may take.
const BOUND: Duration = Duration::from_secs(150);

/// Most checks wait for a proxy or for the clock.
const THREADS: usize = 6;

thread_local! {
    /// Where the last panic of this thread began.
    static PLACE: Cell<String> = const { Cell::new(String::new()) };
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let root = arguments.next().expect("the repository's root");
    let out = arguments.next().expect("a folder for the proxies' files");
    let parts: Vec<String> = arguments.collect();
    let rig = Rig::new(Path::new(&root), Path::new(&out)).expect("a folder for the proxies");
    std::panic::set_hook(Box::new(|info| {
        PLACE.set(info.location().map(ToString::to_string).unwrap_or_default());
    }));
    let mut checks = checks::all();
    checks.retain(|check| {
        parts.is_empty() || parts.iter().any(|part| check.name.contains(part.as_str()))
    });
    std::thread::spawn(|| {
        std::thread::sleep(BOUND);
        println!("FAIL the checks take more than {} s\n0 passed, 1 failed", BOUND.as_secs());
        std::process::exit(1);
    });
    let failed = run(&rig, &checks);
    println!("{} passed, {failed} failed", checks.len() - failed);
    match failed == 0 && !checks.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Runs all checks on some threads, and returns how many failed.
fn run(rig: &Arc<Rig>, checks: &[Check]) -> usize {
    let (next, failed, line) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(check) = checks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let start = Instant::now();
                    let outcome = catch_unwind(AssertUnwindSafe(|| (check.run)(rig)));
                    let took = start.elapsed().as_secs_f32();
                    let _whole_lines = line.lock();
                    match outcome {
                        Ok(()) => println!("ok   {} ({took:.1} s)", check.name),
                        Err(panic) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            println!("FAIL {} ({took:.1} s)\n     {}", check.name, why(&*panic));
                        }
                    }
                }
            });
        }
    });
    failed.into_inner()
}

fn why(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    let text = text.unwrap_or_default().replace('\n', "\n     ");
    format!("{text}\n     at {}", PLACE.take())
}
