//! What the kernel reports of this machine, its processes and its listening sockets.

pub mod cores;
pub mod descriptors;
pub mod listening;
pub mod machine;
pub mod proc;
pub mod ticks;
