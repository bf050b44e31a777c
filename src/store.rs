//! The store as drivers use it: a stream that speaks RESP2, to a Redis or to the embedded store.

pub mod address;
pub mod backoff;
pub mod blocking;
pub mod blocking_connection;
pub mod pipelined;
pub mod pool;
pub mod shared_pool;
