//! The pages of the guestbook: which request gets which page, and what a visitor reads when the
//! store does not answer.

use super::config::App;
use super::guestbook::{GuestbookPage, Remark};
use super::intent::Intent;
use super::methods::{FILE_METHODS, GUESTBOOK_METHODS, NO_SUCH_VERSION};
use super::operation::{Next, Operation};
use super::rendering::Rendering;
use super::site_path::SitePath;
use super::{form, respond};
use crate::http::authority::Authority;
use crate::http::conditions::{self, Precondition};
use crate::http::fields::Field;
use crate::http::{ErrorResponse, Method, Request, Response, Status, Step, Timeout};
use crate::limits::{PAGES, REMARKS_PER_PAGE};
use crate::now::Now;
use crate::store::{Query, Reply, StoreDown};

const GUESTBOOK: &[u8] = b"/guestbook";
pub(super) const THANKS: &[u8] = b"/guestbook/thanks";

const CROSS_SITE: ErrorResponse =
    ErrorResponse::new(Status::FORBIDDEN, "The guestbook is signed on its own page only.");
const NOT_A_FORM: ErrorResponse = ErrorResponse::new(
    Status::UNSUPPORTED_MEDIA_TYPE,
    "The guestbook takes a form, application/x-www-form-urlencoded.",
);
const CODED: ErrorResponse = ErrorResponse::new(
    Status::UNSUPPORTED_MEDIA_TYPE,
    "The guestbook takes a form as it is, not compressed.",
)
.with("Accept-Encoding", "identity");
const STORE_DOWN: ErrorResponse = ErrorResponse::new(
    Status::SERVICE_UNAVAILABLE,
    "The guestbook is out of reach just now. Please try again in a moment.",
);
const TOO_DEEP: ErrorResponse = ErrorResponse::new(
    Status::NOT_FOUND,
    "The guestbook shows its newest 10,000 remarks, on at most 500 pages. Older remarks are kept, \
     but no page shows them.",
);

// The sentence above names these numbers.
const _: () = assert!(PAGES == 500 && PAGES * REMARKS_PER_PAGE == 10_000);

/// The intent of a request, or its error response.
type Planned = Result<Intent, ErrorResponse>;

/// The intent of a request whose path is that of a page; none for other paths. A path with a slash
/// at its end is redirected.
pub(super) fn plan(path: &SitePath, request: Request<'_>) -> Option<Planned> {
    Some(match path.as_bytes() {
        b"guestbook" => plan_guestbook(request),
        b"guestbook/thanks" => plan_read_only(request, || plan_thanks(request)),
        b"guestbook/" => plan_read_only(request, || Ok(Intent::Moved(GUESTBOOK))),
        b"guestbook/thanks/" => plan_read_only(request, || Ok(Intent::Moved(THANKS))),
        _ => return None,
    })
}

/// The intent of a request for a page that accepts no form.
fn plan_read_only(request: Request<'_>, show: impl FnOnce() -> Planned) -> Planned {
    match request.method() {
        Method::Get | Method::Head => show(),
        Method::Options => Ok(Intent::Options(FILE_METHODS)),
        _ => Err(ErrorResponse::method_not_allowed(FILE_METHODS)),
    }
}

fn plan_thanks(request: Request<'_>) -> Planned {
    match conditions::evaluate_without_validator(request) {
        Precondition::Proceed => Ok(Intent::Thanks),
        Precondition::NotModified => Ok(Intent::Unmodified),
        Precondition::Failed => Err(NO_SUCH_VERSION),
    }
}

fn plan_guestbook(request: Request<'_>) -> Planned {
    match request.method() {
        Method::Options => Ok(Intent::Options(GUESTBOOK_METHODS)),
        Method::Get | Method::Head => plan_visit(request),
        Method::Post if !is_same_site(request) => Err(CROSS_SITE),
        Method::Post if request.has_content_coding() => Err(CODED),
        Method::Post if !is_form(request) => Err(NOT_A_FORM),
        // Conditions are evaluated after all other checks and before the action (RFC 9110 §13.2.1).
        Method::Post => match conditions::evaluate_without_validator(request) {
            Precondition::Proceed => Ok(Intent::Sign),
            _ => Err(NO_SUCH_VERSION),
        },
        _ => Err(ErrorResponse::method_not_allowed(GUESTBOOK_METHODS)),
    }
}

/// A GET counts its visitor unless a condition of the request rules the page out. Even a 304 needs
/// a reply of the store, since there is no page without a reply.
fn plan_visit(request: Request<'_>) -> Planned {
    let page = match form::page_number(request.query().unwrap_or_default()) {
        None => return Ok(Intent::Missing),
        Some(page) if page > PAGES => return Err(TOO_DEEP),
        Some(page) => page,
    };
    let precondition = conditions::evaluate_without_validator(request);
    let is_counted = request.method() == Method::Get && precondition == Precondition::Proceed;
    match precondition {
        Precondition::Failed => Err(NO_SUCH_VERSION),
        _ => {
            let is_unwanted = precondition == Precondition::NotModified;
            Ok(Intent::Visit { page, is_counted, is_unwanted })
        }
    }
}

/// False if the form comes from a page of another site. A browser names the page's site in
/// `Sec-Fetch-Site` or `Origin`. Other clients send neither field, and no site can make them send
/// this form.
fn is_same_site(request: Request<'_>) -> bool {
    if let Some(site) = request.field(Field::SecFetchSite) {
        return site == b"same-origin" || site == b"none";
    }
    let Some(origin) = request.field(Field::Origin) else { return true };
    let host = request.field(Field::Host).and_then(Authority::parse);
    // The server itself speaks no TLS, so the default port of Host follows from the scheme of
    // Origin, which can be `https` behind a proxy.
    [(&b"http://"[..], 80), (b"https://", 443)].into_iter().any(|(scheme, default_port)| {
        let origin = origin.strip_prefix(scheme).and_then(Authority::parse);
        origin.zip(host).is_some_and(|(origin, host)| origin.is_same(&host, default_port))
    })
}

fn is_form(request: Request<'_>) -> bool {
    let value = request.field(Field::ContentType).unwrap_or_default();
    let media_type = value.split(|&byte| byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

/// Asks the store.
pub(super) fn ask<F>(query: Query, app: &App) -> Step<F, Operation, Rendering> {
    let within_ms = app.limits.store_timeout_ms;
    Step::Perform { operation: Operation::Ask(query), on: Timeout::Store, within_ms }
}

/// Stores the remark of a form, or shows the form again.
pub(super) fn sign<F>(body: &[u8], app: &App, now: Now) -> Step<F, Operation, Rendering> {
    match Remark::parse(body) {
        Ok(remark) => ask(Query::Sign(remark.into_item()), app),
        Err(refused) => {
            let html = refused.page(&app.templates);
            Step::Respond(respond::page(Status::BAD_REQUEST, html, now))
        }
    }
}

/// The response after a reply of the store. If the store failed, the response to a form has the
/// form with the text that was entered, to be sent again.
pub(super) fn answered<F>(
    intent: &Intent,
    app: &App,
    body: &[u8],
    reply: Result<Reply, StoreDown>,
    now: Now,
) -> Next<F> {
    Ok(Step::Respond(match (intent, reply) {
        (Intent::Sign, Ok(_)) => Response::redirect(Status::SEE_OTHER, THANKS, now),
        (Intent::Visit { is_unwanted: true, .. }, Ok(_)) => respond::page_not_modified(now),
        (_, Ok(Reply::Visited { number, remarks })) => {
            respond::visit(GuestbookPage::new(number, remarks), app, now)
        }
        (Intent::Sign, Err(why)) => {
            let remark = Remark::parse(body).map_err(|_| STORE_DOWN)?;
            let html = remark.into_unconfirmed(&why).page(&app.templates);
            respond::page(STORE_DOWN.status, html, now)
        }
        // The reply does not fit this request, so the store is asked again.
        (Intent::Visit { page, is_counted, .. }, Ok(Reply::Signed)) => {
            return Ok(ask(Query::Visit { page: *page, is_counted: *is_counted }, app));
        }
        (_, Ok(Reply::Signed) | Err(_)) => return Err(STORE_DOWN),
    }))
}
