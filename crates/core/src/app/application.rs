//! The application's implementation of the protocol's trait.

use alloc::vec::Vec;

use super::config::App;
use super::intent::Intent;
use super::operation::{Completion, Operation};
use super::rendering::Rendering;
use super::{respond, routes};
use crate::http::{Application, ErrorResponse, Representation, Request, Response, Resume, Step};
use crate::limits::Limits;
use crate::now::Now;

impl<F: Representation> Application<F> for App {
    type Plan = Intent;
    type Operation = Operation;
    type Completion = Completion<F>;
    type Rendering = Rendering;

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn plan(&self, request: Request<'_>) -> Result<Intent, ErrorResponse> {
        routes::plan(self, request)
    }

    fn wants_body(&self, plan: &Intent) -> bool {
        matches!(plan, Intent::Sign)
    }

    fn step(
        &self,
        plan: &mut Intent,
        request: Request<'_>,
        body: &[u8],
        resume: Resume<Completion<F>>,
        now: Now,
    ) -> Result<Step<F, Operation, Rendering>, ErrorResponse> {
        routes::step(plan, self, (request, body), resume, now)
    }

    fn error_page(&self, error: ErrorResponse, now: Now) -> Response<F, Rendering> {
        respond::error_page(error, self, now)
    }

    fn render(&self, rendering: &mut Rendering, out: &mut Vec<u8>) -> u64 {
        rendering.write(&self.templates, out)
    }
}
