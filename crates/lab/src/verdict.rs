//! Verdicts: what limited a measurement. They are pure functions of the observations, so that each
//! rule can be tested with observations whose right verdict is known.
//!
//! ```text
//!   a load ──► observations ──► load ──► bottleneck     of any server: findings with a Diagnosis
//!   a run of the bench ───────► run ───► processors     of a server that the bench starts: a Limit
//!                                        thresholds     of both: the limits that decide
//! ```

pub mod conditions;
pub mod load;
pub mod observations;
pub mod processors;
pub mod run;
pub mod thresholds;

mod bottleneck;
