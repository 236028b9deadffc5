//! A reactor in another loop: tokio on the reactor's own thread, calloop, and a reactor on a thread
//! of its own that a tokio program calls. Each of the three files is a template: copy it into your
//! program. The programs in `bin/` use them.

pub mod in_calloop;
pub mod in_tokio;
pub mod on_a_thread;
#[path = "../../common/output.rs"]
pub mod output;
pub mod program;
#[path = "../../common/signals.rs"]
pub mod signals;
