//! The store, as drivers meet it: a stream that speaks RESP2, be it Redis or the embedded store.

pub mod address;
pub mod asker;
pub mod embedded;
pub mod gate;
pub mod lender;
pub mod line;
pub mod link;
pub mod pool;
