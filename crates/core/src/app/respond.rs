//! The responses of the application.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::config::App;
use super::guestbook::GuestbookPage;
use super::listing::{Listing, write_link};
use super::rendering::Rendering;
use super::site_path::SitePath;
use crate::http::accept::Form;
use crate::http::response::ResponseBody;
use crate::http::response_head::Head;
use crate::http::{ErrorResponse, Representation, Response, Status};
use crate::limits;
use crate::now::Now;
use crate::text;

const HTML: &[u8] = b"text/html; charset=utf-8";

/// Generated pages run no script, load nothing from elsewhere, can't be framed by another site, and
/// are not cached.
const FIELDS: &[u8] = b"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; \
    img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n\
    X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n";

/// A page that was generated for this response.
pub(super) fn page<F>(status: Status, html: Vec<u8>, now: Now) -> Response<F, Rendering> {
    let mut head = page_head(status, HTML, html.len() as u64, now);
    if status == Status::SERVICE_UNAVAILABLE {
        head.number("Retry-After", limits::RETRY_AFTER_S);
    }
    Response { status, head, body: ResponseBody::Bytes(html) }
}

/// A page of the guestbook.
pub(super) fn visit<F>(page: GuestbookPage, app: &App, now: Now) -> Response<F, Rendering> {
    let head = page_head(Status::OK, HTML, page.len(&app.templates) as u64, now);
    let body = ResponseBody::Rendering(Rendering::Guestbook(page));
    Response { status: Status::OK, head, body }
}

/// The listing of a folder, in the form that the client prefers.
pub(super) fn folder<F>(
    form: Form,
    listing: Arc<Listing>,
    path: &SitePath,
    app: &App,
    now: Now,
) -> Response<F, Rendering> {
    let content_type: &[u8] = match form {
        Form::Html => HTML,
        Form::Json => b"application/json",
    };
    let next = listing.next_page();
    let page = listing.into_rendering(form, path, &app.templates);
    let mut head = page_head(Status::OK, content_type, page.bytes_left(), now);
    head.field("Vary", b"Accept");
    if let Some(next) = next {
        let mut link = b"<".to_vec();
        write_link(&mut link, next);
        link.extend_from_slice(b">; rel=\"next\"");
        head.field("Link", &link);
    }
    let body = ResponseBody::Rendering(Rendering::Folder(Box::new(page)));
    Response { status: Status::OK, head, body }
}

/// 304 for a listing, to `If-None-Match: *`.
pub(super) fn folder_not_modified<F>(now: Now) -> Response<F, Rendering> {
    page_not_modified(now).with("Vary", b"Accept")
}

/// The response with a report that was generated for this request, such as the metrics.
pub(super) fn report<F: Representation>(
    status: Status,
    asset: F,
    now: Now,
) -> Response<F, Rendering> {
    let mut response = whole(status, asset, now)
        .with("Cache-Control", b"no-store")
        .with("X-Content-Type-Options", b"nosniff");
    if status == Status::SERVICE_UNAVAILABLE {
        response.head.number("Retry-After", limits::RETRY_AFTER_S);
    }
    response
}

/// 404 with the site's own page. That page does not represent the requested resource, so it has no
/// validator.
pub(super) fn missing<F: Representation>(asset: F, now: Now) -> Response<F, Rendering> {
    whole(Status::NOT_FOUND, asset, now)
}

/// A response with a whole file, but without validator, modification date and ranges.
fn whole<F: Representation>(status: Status, asset: F, now: Now) -> Response<F, Rendering> {
    let len = asset.metadata().len();
    let mut head = Head::new(status, now);
    head.field("Content-Type", asset.metadata().content_type());
    head.number("Content-Length", len);
    Response { status, head, body: ResponseBody::File(asset, 0..len) }
}

/// 304 for a generated page, to `If-None-Match: *` (RFC 9110 §13.1.2).
pub(super) fn page_not_modified<F>(now: Now) -> Response<F, Rendering> {
    let mut head = Head::new(Status::NOT_MODIFIED, now);
    head.field("Cache-Control", b"no-store");
    Response { status: Status::NOT_MODIFIED, head, body: ResponseBody::Empty }
}

/// 416: none of the requested ranges exists (RFC 9110 §15.5.17).
pub(super) fn unsatisfiable<F: Representation>(
    asset: &F,
    app: &App,
    now: Now,
) -> Response<F, Rendering> {
    const BEYOND: ErrorResponse = ErrorResponse::new(
        Status::RANGE_NOT_SATISFIABLE,
        "The file has nothing of the part that was asked for.",
    );
    let mut range = b"bytes */".to_vec();
    text::decimal(&mut range, asset.metadata().len());
    error_page(BEYOND, app, now).with("Content-Range", &range)
}

/// The page for an error.
pub(super) fn error_page<F>(error: ErrorResponse, app: &App, now: Now) -> Response<F, Rendering> {
    let status = error.status;
    let html = app.templates.error.fill(&[
        &|out| text::decimal(out, u64::from(status.code())),
        &|out| out.extend_from_slice(status.reason().as_bytes()),
        &|out| text::escape(out, error.why.as_bytes()),
    ]);
    let response = page(status, html, now);
    match error.field {
        Some((name, value)) => response.with(name, value.as_bytes()),
        None => response,
    }
}

/// The head of a page, with room after it for the page or its first piece.
fn page_head(status: Status, content_type: &[u8], len: u64, now: Now) -> Head {
    let room = len.min(limits::LISTING_PIECE_BYTES as u64) as usize;
    let mut head = Head::with_room(room, status, now);
    head.field("Content-Type", content_type);
    head.number("Content-Length", len);
    head.lines(FIELDS);
    head
}
