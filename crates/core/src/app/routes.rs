//! Decides what requests mean, and takes their steps.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::asset_error::AssetError;
use super::config::App;
use super::intent::Intent;
use super::listing::Listing;
use super::methods::{FILE_METHODS, GUESTBOOK_METHODS, NO_SUCH_VERSION};
use super::operation::{Completion, Next, Operation};
use super::rendering::Rendering;
use super::site_path::SitePath;
use super::{form, pages, respond};
use crate::http::accept::Form;
use crate::http::conditions::{self, Precondition};
use crate::http::range::Ranges;
use crate::http::{
    Encodings, ErrorResponse, Method, Representation, Request, Response, Resume, Status, Step,
    Timeout, target,
};
use crate::limits;
use crate::now::Now;
use crate::store::{Query, StoreDown};

const UNKNOWN_METHOD: ErrorResponse =
    ErrorResponse::new(Status::NOT_IMPLEMENTED, "This server does not know that method.");
const BUSY: ErrorResponse = ErrorResponse::new(
    Status::SERVICE_UNAVAILABLE,
    "The server is too busy to open that file. Please try again in a moment.",
);
const UNREADABLE: ErrorResponse =
    ErrorResponse::closing(Status::INTERNAL_SERVER_ERROR, "The server could not read that file.");
const CHANGED: ErrorResponse = ErrorResponse::new(
    Status::PRECONDITION_FAILED,
    "The file is not, or no longer, the one that the request is about.",
);

/// Decides what a request means.
pub(super) fn plan(app: &App, request: Request<'_>) -> Result<Intent, ErrorResponse> {
    let method = request.method();
    match method {
        Method::Unknown => return Err(UNKNOWN_METHOD),
        Method::Options if request.path() == b"*" => {
            let all = if app.guestbook { GUESTBOOK_METHODS } else { FILE_METHODS };
            return Ok(Intent::Options(all));
        }
        _ => {}
    }
    let Some(path) = SitePath::parse(request.path()) else {
        return match method {
            Method::Get | Method::Head => Ok(Intent::Missing),
            _ => Err(ErrorResponse::not_found()),
        };
    };
    let page = if app.guestbook { pages::plan(&path, request) } else { None };
    page.unwrap_or(Ok(Intent::File { path, method }))
}

/// The next step, given the result of the last one.
pub(super) fn step<F: Representation>(
    intent: &mut Intent,
    app: &App,
    (request, body): (Request<'_>, &[u8]),
    resume: Resume<Completion<F>>,
    now: Now,
) -> Next<F> {
    let completion = match resume {
        Resume::Start => return Ok(start(intent, app, (request, body), now)),
        Resume::Completed(completion) => completion,
        Resume::TimedOut => too_late(intent),
    };
    match completion {
        Completion::Opened(Ok(asset)) => opened(intent, app, request, asset, now),
        Completion::Opened(Err(why)) => not_opened(intent, app, request, why, now),
        Completion::Listed(Ok(listing)) => folder(intent, app, request, listing, now),
        // A folder that can't be listed counts as missing: NoIndex would list the folder again.
        Completion::Listed(Err(AssetError::NoIndex)) => {
            not_opened(intent, app, request, AssetError::Missing, now)
        }
        Completion::Listed(Err(why)) => not_opened(intent, app, request, why, now),
        Completion::ListAgain => not_opened(intent, app, request, AssetError::NoIndex, now),
        Completion::Answered(reply) => pages::answered(intent, app, body, reply, now),
    }
}

/// The first step: most requests need a file or the store.
fn start<F>(
    intent: &Intent,
    app: &App,
    (request, body): (Request<'_>, &[u8]),
    now: Now,
) -> Step<F, Operation, Rendering> {
    match intent {
        Intent::File { path, .. } => file_step(Operation::Open(path.clone(), encodings(request))),
        Intent::Missing => file_step(Operation::Open(SitePath::not_found(), Encodings::default())),
        Intent::Visit { page, is_counted, .. } => {
            pages::ask(Query::Visit { page: *page, is_counted: *is_counted }, app)
        }
        Intent::Sign => pages::sign(body, app, now),
        Intent::Thanks => {
            let html = app.templates.thanks.fill(&[]);
            Step::Respond(respond::page(Status::OK, html, now))
        }
        Intent::Unmodified => Step::Respond(respond::page_not_modified(now)),
        Intent::Moved(page) => Step::Respond(moved(page.to_vec(), request, now)),
        Intent::Options(allow) => Step::Respond(Response::options(allow, now)),
    }
}

fn opened<F: Representation>(
    intent: &Intent,
    app: &App,
    request: Request<'_>,
    asset: F,
    now: Now,
) -> Next<F> {
    match intent {
        Intent::File { method: Method::Get | Method::Head, .. } => {
            representation(request, asset, app, now).map(Step::Respond)
        }
        Intent::File { method, .. } => without_content(*method, now),
        _ => Ok(Step::Respond(respond::missing(asset, now))),
    }
}

/// The step after a file could not be opened.
fn not_opened<F>(
    intent: &mut Intent,
    app: &App,
    request: Request<'_>,
    why: AssetError,
    now: Now,
) -> Next<F> {
    let Intent::File { path, method } = intent else { return Err(ErrorResponse::not_found()) };
    if why == AssetError::NoIndex
        && let Some(operation) = list(path, app, request)
    {
        return Ok(file_step(operation));
    }
    match (why, *method) {
        (AssetError::Missing | AssetError::NoIndex, Method::Get | Method::Head) => {
            *intent = Intent::Missing;
            Ok(start(intent, app, (request, &[]), now))
        }
        (AssetError::Missing | AssetError::NoIndex, _) => Err(ErrorResponse::not_found()),
        (AssetError::Busy, _) => Err(BUSY),
        (AssetError::Unreadable, _) => Err(UNREADABLE),
        (AssetError::Folder, Method::Get | Method::Head) => {
            let mut location = Vec::new();
            path.write_folder_target(&mut location);
            Ok(Step::Respond(moved(location, request, now)))
        }
        (AssetError::Folder, method) => without_content(method, now),
    }
}

/// The result of an operation that the driver could not complete in time.
fn too_late<F>(intent: &Intent) -> Completion<F> {
    match intent {
        Intent::Visit { .. } | Intent::Sign => Completion::Answered(Err(StoreDown::TimedOut)),
        _ => Completion::Opened(Err(AssetError::Busy)),
    }
}

fn file_step<F>(operation: Operation) -> Step<F, Operation, Rendering> {
    Step::Perform { operation, on: Timeout::File, within_ms: limits::FILE_TIMEOUT_MS }
}

/// The operation that lists a folder without an index, if listings are enabled and the query has a
/// valid page number.
fn list(path: &SitePath, app: &App, request: Request<'_>) -> Option<Operation> {
    let page = form::page_number(request.query().unwrap_or_default())?;
    app.listing.then(|| Operation::List(path.clone(), page))
}

fn encodings(request: Request<'_>) -> Encodings {
    if !request.has_accept_encoding() {
        return Encodings::default();
    }
    Encodings::parse(request.values("Accept-Encoding"))
}

/// The response to a method that gets no content of a file or folder.
fn without_content<F>(method: Method, now: Now) -> Next<F> {
    match method {
        Method::Options => Ok(Step::Respond(Response::options(FILE_METHODS, now))),
        _ => Err(ErrorResponse::method_not_allowed(FILE_METHODS)),
    }
}

/// Redirects to the right address, with the query unchanged.
fn moved<F>(mut location: Vec<u8>, request: Request<'_>, now: Now) -> Response<F, Rendering> {
    if let Some(query) = request.query() {
        target::write_query(&mut location, query);
    }
    Response::redirect(Status::MOVED_PERMANENTLY, &location, now)
}

/// The response with a listing.
fn folder<F>(
    intent: &Intent,
    app: &App,
    request: Request<'_>,
    listing: Arc<Listing>,
    now: Now,
) -> Next<F> {
    let (Intent::File { path, .. }, Method::Get | Method::Head) = (intent, request.method()) else {
        return without_content(request.method(), now);
    };
    match conditions::evaluate_without_validator(request) {
        Precondition::Failed => Err(NO_SUCH_VERSION),
        Precondition::NotModified => Ok(Step::Respond(respond::folder_not_modified(now))),
        Precondition::Proceed => {
            let form = Form::preferred(request.values("Accept"));
            Ok(Step::Respond(respond::folder(form, listing, path, app, now)))
        }
    }
}

/// The response with a file, with parts of the file, or with none of it: the request's conditions
/// and ranges decide.
fn representation<F: Representation>(
    request: Request<'_>,
    asset: F,
    app: &App,
    now: Now,
) -> Result<Response<F, Rendering>, ErrorResponse> {
    if let Some(status) = asset.metadata().report_status() {
        // Conditions are ignored if the response would be neither 2xx nor 412 (RFC 9110 §13.2.1).
        let conditions =
            (status == Status::OK).then(|| conditions::evaluate_without_validator(request));
        return match conditions {
            Some(Precondition::Failed) => Err(NO_SUCH_VERSION),
            Some(Precondition::NotModified) => Ok(respond::page_not_modified(now)),
            _ => Ok(respond::report(status, asset, now)),
        };
    }
    if !request.is_conditional() {
        return Ok(Response::file(asset, now));
    }
    match conditions::evaluate(request, asset.metadata(), now) {
        Precondition::Failed => return Err(CHANGED),
        Precondition::NotModified => return Ok(Response::not_modified(&asset, now)),
        Precondition::Proceed => {}
    }
    // Ranges are defined for GET only (RFC 9110 §14.2).
    Ok(match conditions::ranges(request, asset.metadata(), now) {
        Ranges::Part(range) if request.method() == Method::Get => Response::part(asset, range, now),
        Ranges::Parts(ranges) if request.method() == Method::Get => {
            Response::parts(asset, ranges, now)
        }
        Ranges::Unsatisfiable if request.method() == Method::Get => {
            respond::unsatisfiable(&asset, app, now)
        }
        _ => Response::file(asset, now),
    })
}
