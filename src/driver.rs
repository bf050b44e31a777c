//! The code that architectures share: it accepts clients and performs what their connections want.
//!
//! ```text
//!   blocking    waits for one client at a time       acceptor   accepts and admits clients
//!   reactor     one loop for all clients             retry      tries again to fork or spawn
//!     poller      reports which sockets are ready
//!     connections, timers
//! ```

pub mod acceptor;
pub mod blocking;
pub mod connections;
pub mod poller;
pub mod reactor;
pub mod retry;
pub mod timers;
