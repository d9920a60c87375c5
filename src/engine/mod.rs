//! The engine and the room that it and this machine have: whether it answers, where it keeps its images, how much is free there before and
//! while a plan runs, and what that says of a failure.

mod cause;
mod info;
mod room;
mod watch;

pub use cause::{Doing, Explained, Unexplained};
pub use info::{Answer, Client, Info, PATIENCE, Plugin, ask, last_line, with};
pub use room::{Free, Place, Verdict, elsewhere, free, local_root, verdict};
pub use watch::{Room, Seen};
