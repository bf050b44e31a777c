//! The interface between the protocol and the application that it serves.

use alloc::vec::Vec;

use super::deadline::Timeout;
use super::error_response::ErrorResponse;
use super::request::Request;
use super::response::Response;
use crate::limits::Limits;
use crate::now::Now;

/// What a [`Connection`](super::Connection) serves. `F` is the driver's handle to an open file.
///
/// The protocol reads requests and writes responses; the application decides what each request
/// means. It makes a [plan](Application::plan) of the head, and takes the plan's
/// [steps](Application::step) once the body is whole. A step either responds or names an operation
/// that only the driver can perform. The protocol bounds the operation in time and passes on its
/// result; it knows nothing else of operations.
///
/// ```text
///   head ─► plan ─► body ─► step(Start) ─► Perform ─► step(Completed or TimedOut) ─► Respond
///                             │                          │
///                             └── Err(ErrorResponse) ◄───┘─► error_page
/// ```
pub trait Application<F> {
    /// What a request means. Kept until its response is sent.
    type Plan;
    /// What only a driver can do, such as opening a file or asking a store.
    type Operation;
    /// The result of an operation.
    type Completion;
    /// A response body that is written as it is sent, after the head and in pieces.
    type Rendering;

    /// The bounds of the protocol.
    fn limits(&self) -> &Limits;

    /// Decides what a request means.
    ///
    /// # Errors
    ///
    /// The response to a request that is refused by its head alone.
    fn plan(&self, request: Request<'_>) -> Result<Self::Plan, ErrorResponse>;

    /// Whether the body of the request is needed. The protocol discards other bodies.
    fn wants_body(&self, plan: &Self::Plan) -> bool;

    /// The next step of a plan.
    ///
    /// # Errors
    ///
    /// The response to a request that can't be served.
    fn step(
        &self,
        plan: &mut Self::Plan,
        request: Request<'_>,
        body: &[u8],
        resume: Resume<Self::Completion>,
        now: Now,
    ) -> Result<Step<F, Self::Operation, Self::Rendering>, ErrorResponse>;

    /// The page for an error, including the protocol's own errors.
    fn error_page(&self, error: ErrorResponse, now: Now) -> Response<F, Self::Rendering>;

    /// Appends the next piece of a rendering. Returns how many bytes are still to come.
    fn render(&self, rendering: &mut Self::Rendering, out: &mut Vec<u8>) -> u64;
}

/// Why a plan takes a step.
#[derive(Debug)]
pub enum Resume<C> {
    /// The request is whole.
    Start,
    /// The result of the operation that the last step named.
    Completed(C),
    /// The operation was not completed in time.
    TimedOut,
}

/// What a plan needs next.
#[derive(Debug)]
pub enum Step<F, O, R> {
    /// An operation, to be completed before a deadline.
    Perform {
        /// The operation.
        operation: O,
        /// What the deadline bounds.
        on: Timeout,
        /// How long the operation can take, in milliseconds.
        within_ms: u64,
    },
    /// The request is answered.
    Respond(Response<F, R>),
}
