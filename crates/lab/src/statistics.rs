//! Statistics of benches: whether servers differ, by how much, and what a bench can detect.
//!
//! The unit is the run: a server in a fresh process, measured once. A round is a block: it holds
//! each server once. The logarithms of the runs' values are compared within the rounds, so a change
//! of the machine between rounds cancels out, and a difference is a ratio.
//!
//! **All pairs of a row are compared**, because a reader looks for the best server. The error rate
//! is that of the row: if all its servers are alike, some pair is found to differ in at most about
//! one row of twenty. The tests are those of the studentized range in randomised blocks: Tukey's
//! for intervals, and its step-down form by Ryan, Einot, Gabriel and Welsch to decide which servers
//! differ (Y. Hochberg and A. C. Tamhane, *Multiple Comparison Procedures*, Wiley 1987, chapters 2
//! and 4).
//!
//! **The variance** is the residual variance of the row, because few rounds say little about each
//! pair ([`noise`]). With more rounds the variance of each pair's own differences takes over. A
//! server that plainly varies more than the others is set aside: it is compared by its own
//! differences, and has no influence on the comparisons of the others.
//!
//! **Servers differ** if the difference is significant and its estimate is at least
//! [`thresholds::LEAST_RATIO`]: the placement of data in memory alone can cause less.
//!
//! The tests in `simulation` check these rates.

mod benches;
mod comparison;
mod noise;
mod studentized_range;
mod thresholds;

pub use benches::{Change, compare_benches};
pub use comparison::{Comparison, Estimate, Ratio};

#[cfg(test)]
mod simulation;
