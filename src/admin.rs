//! The admin server, which answers with the metrics and the health of the servers.

pub mod server;
pub mod site;
