//! Memory that all processes share: what each server is to do, counters, and gauges.

pub mod counters;
pub mod gauges;
pub mod guard;
pub mod scoreboard;
pub mod store_condition;
pub mod text;
