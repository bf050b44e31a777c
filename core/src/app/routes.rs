//! Which request means what, and the steps that each takes.

use alloc::sync::Arc;
use alloc::vec::Vec;

use percent_encoding::percent_encode;

use super::guestbook::{self, Entry};
use super::site_path::NOT_OF_A_QUERY;
use super::{Answer, App, Asset, Listing, NoAsset, SitePath, form};
use crate::http::accept::Form;
use crate::http::conditions::{self, Verdict};
use crate::http::encoding::Encodings;
use crate::http::fields::Field;
use crate::http::head::{Method, Request};
use crate::http::range::Wanted;
use crate::http::refusal::Refusal;
use crate::http::response::Status;
use crate::limits::PAGES;
use crate::moment::Moment;
use crate::store::{Query, Reply, StoreDown};

/// What is to be done for a request, once its body is in.
#[derive(Debug)]
pub(crate) enum Plan {
    /// Show a page of the guestbook; a GET counts its visitor, a HEAD does not.
    Visit { page: u32, counts: bool },
    /// Enter a remark.
    Sign,
    /// Show the page that thanks for it.
    Thanks,
    /// Serve a file, show a folder, or say which methods these answer.
    File { path: SitePath, method: Method },
    /// Show the site's own page for what is not there, if it has one.
    Missing,
    /// Say which methods a page, or the whole server, answers.
    Options(&'static str),
    /// Say why not.
    Refuse(Refusal),
}

/// What came of the last step.
#[derive(Debug)]
pub(crate) enum Outcome<A> {
    /// There was none.
    None,
    Opened(Result<A, NoAsset>),
    Listed(Result<Arc<Listing>, NoAsset>),
    Told(Result<Reply, StoreDown>),
}

/// What a plan needs next.
#[derive(Debug)]
pub(crate) enum Step<A> {
    Open(SitePath, Encodings),
    List(SitePath, u32),
    Ask(Query),
    Answer(Answer<A>),
}

const GUESTBOOK: &[u8] = b"guestbook";
const THANKS: &[u8] = b"guestbook/thanks";
const THANKS_LOCATION: &[u8] = b"/guestbook/thanks";

const FILE_METHODS: &str = "GET, HEAD, OPTIONS";
const GUESTBOOK_METHODS: &str = "GET, HEAD, POST, OPTIONS";

const UNKNOWN_METHOD: Refusal =
    Refusal::new(Status::NOT_IMPLEMENTED, "This server does not know that method.");
const CROSS_SITE: Refusal =
    Refusal::new(Status::FORBIDDEN, "The guestbook is signed on its own page only.");
const NOT_A_FORM: Refusal = Refusal::new(
    Status::UNSUPPORTED_MEDIA_TYPE,
    "The guestbook takes a form, application/x-www-form-urlencoded.",
);
const CODED: Refusal = Refusal::new(
    Status::UNSUPPORTED_MEDIA_TYPE,
    "The guestbook takes a form as it is, not compressed.",
)
.with("Accept-Encoding", "identity");
const STORE_DOWN: Refusal = Refusal::new(
    Status::SERVICE_UNAVAILABLE,
    "The guestbook is out of reach just now. Please try again in a moment.",
);

const BUSY: Refusal = Refusal::new(
    Status::SERVICE_UNAVAILABLE,
    "The server is too busy to open that file. Please try again in a moment.",
);
const UNREADABLE: Refusal =
    Refusal::closing(Status::INTERNAL_SERVER_ERROR, "The server could not read that file.");
const NO_SUCH_VERSION: Refusal = Refusal::new(
    Status::PRECONDITION_FAILED,
    "The page is made anew each time; there is no version of it to insist on.",
);
const CHANGED: Refusal = Refusal::new(
    Status::PRECONDITION_FAILED,
    "The file is not, or no longer, the one that the request is about.",
);

/// Decides what a request means. `head` is its text.
pub(crate) fn plan(app: &App, request: &Request, head: &[u8]) -> Plan {
    let path = request.target.path.of(head);
    match request.method {
        Method::Unknown => return Plan::Refuse(UNKNOWN_METHOD),
        Method::Options if path == b"*" => {
            let all = if app.guestbook { GUESTBOOK_METHODS } else { FILE_METHODS };
            return Plan::Options(all);
        }
        _ => {}
    }
    let Some(path) = SitePath::parse(path) else {
        return match request.method {
            Method::Get | Method::Head => Plan::Missing,
            _ => Plan::Refuse(Refusal::not_found()),
        };
    };
    match path.as_bytes() {
        _ if !app.guestbook => Plan::File { path, method: request.method },
        GUESTBOOK | THANKS if conditions::fail_without_tag(request, head) => {
            Plan::Refuse(NO_SUCH_VERSION)
        }
        GUESTBOOK => plan_guestbook(request, head),
        THANKS => match request.method {
            Method::Get | Method::Head => Plan::Thanks,
            Method::Options => Plan::Options(FILE_METHODS),
            _ => Plan::Refuse(Refusal::method(FILE_METHODS)),
        },
        _ => Plan::File { path, method: request.method },
    }
}

fn plan_guestbook(request: &Request, head: &[u8]) -> Plan {
    match request.method {
        Method::Options => Plan::Options(GUESTBOOK_METHODS),
        method @ (Method::Get | Method::Head) => {
            match form::page_number(query(request, head), PAGES) {
                Some(page) => Plan::Visit { page, counts: method == Method::Get },
                None => Plan::Missing,
            }
        }
        Method::Post if !is_same_site(request, head) => Plan::Refuse(CROSS_SITE),
        Method::Post if request.is_coded => Plan::Refuse(CODED),
        Method::Post if !is_form(request, head) => Plan::Refuse(NOT_A_FORM),
        Method::Post => Plan::Sign,
        _ => Plan::Refuse(Refusal::method(GUESTBOOK_METHODS)),
    }
}

fn query<'h>(request: &Request, head: &'h [u8]) -> &'h [u8] {
    request.target.query.map(|query| query.of(head)).unwrap_or_default()
}

/// Whether a browser sent this form from a page of ours. What is not a browser sends neither field
/// and needs no protection from itself.
fn is_same_site(request: &Request, head: &[u8]) -> bool {
    if let Some(site) = request.field(head, Field::SecFetchSite) {
        return site == b"same-origin" || site == b"none";
    }
    let Some(origin) = request.field(head, Field::Origin) else { return true };
    let host = request.field(head, Field::Host).unwrap_or_default();
    let schemes = [&b"http://"[..], b"https://"];
    schemes.iter().any(|scheme| {
        origin.strip_prefix(*scheme).is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    })
}

fn is_form(request: &Request, head: &[u8]) -> bool {
    let value = request.field(head, Field::ContentType).unwrap_or_default();
    let media_type = value.split(|&byte| byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

impl Plan {
    /// Whether the body of the request matters.
    pub(crate) fn wants_body(&self) -> bool {
        matches!(self, Plan::Sign)
    }

    /// The next step, given what came of the last one.
    pub(crate) fn step<A: Asset>(
        &mut self,
        app: &App,
        (request, head, body): (&Request, &[u8], &[u8]),
        outcome: Outcome<A>,
        now: Moment,
    ) -> Step<A> {
        if let Outcome::Told(Err(_)) = outcome {
            return Step::Answer(Answer::refusal(STORE_DOWN, app, now));
        }
        let outcome = match outcome {
            Outcome::Opened(Err(NoAsset::NoIndex)) => match self.list(app, request, head) {
                Some(step) => return step,
                None => Outcome::Opened(Err(NoAsset::Missing)),
            },
            // A folder that can't be shown is refused like a file that can't be.
            Outcome::Listed(Err(why)) => Outcome::Opened(Err(why)),
            outcome => outcome,
        };
        Step::Answer(match (self, outcome) {
            (Plan::Refuse(refusal), _) => Answer::refusal(*refusal, app, now),
            (Plan::Options(allow), _) => Answer::options(allow, now),
            (Plan::Thanks, _) => Answer::page(Status::OK, app.templates.thanks.fill(&[]), now),
            (Plan::Visit { .. }, Outcome::Told(Ok(Reply::Visited { number, remarks }))) => {
                Answer::visit(guestbook::Page::new(number, remarks), app, now)
            }
            (Plan::Visit { page, counts }, _) => {
                return Step::Ask(Query::Visit { page: *page, counts: *counts });
            }
            (Plan::Sign, Outcome::Told(_)) => {
                Answer::redirect(Status::SEE_OTHER, THANKS_LOCATION, now)
            }
            (Plan::Sign, _) => match Entry::parse(body) {
                Ok(entry) => return Step::Ask(Query::Sign(entry.into_item())),
                Err(refused) => {
                    let html = refused.page(&app.templates);
                    Answer::page(Status::BAD_REQUEST, html, now)
                }
            },
            (plan @ Plan::File { .. }, Outcome::Opened(Err(NoAsset::Missing)))
                if matches!(request.method, Method::Get | Method::Head) =>
            {
                *plan = Plan::Missing;
                return Step::Open(SitePath::not_found(), Encodings::default());
            }
            (Plan::Missing, Outcome::Opened(Ok(asset))) => Answer::missing(asset, now),
            (Plan::Missing, Outcome::Opened(Err(_))) => {
                Answer::refusal(Refusal::not_found(), app, now)
            }
            (Plan::Missing, _) => {
                return Step::Open(SitePath::not_found(), Encodings::default());
            }
            (Plan::File { path, method }, Outcome::Opened(found)) => {
                file(path, *method, (request, head), found, app, now)
            }
            (Plan::File { path, method }, Outcome::Listed(Ok(listing))) => {
                folder(path, *method, (request, head), &listing, app, now)
            }
            (Plan::File { path, .. }, _) => {
                return Step::Open(path.clone(), encodings(request, head));
            }
        })
    }

    /// Shows what is in a folder that has no index, if the operator wants that, and if there can be
    /// the page that was asked for.
    fn list<A>(&self, app: &App, request: &Request, head: &[u8]) -> Option<Step<A>> {
        let Plan::File { path, .. } = self else { return None };
        let page = form::page_number(query(request, head), u32::MAX)?;
        app.listing.then(|| Step::List(path.clone(), page))
    }
}

fn encodings(request: &Request, head: &[u8]) -> Encodings {
    if !request.names_encodings {
        return Encodings::default();
    }
    Encodings::parse(request.values(head, "Accept-Encoding"))
}

fn file<A: Asset>(
    path: &SitePath,
    method: Method,
    (request, head): (&Request, &[u8]),
    found: Result<A, NoAsset>,
    app: &App,
    now: Moment,
) -> Answer<A> {
    let refusal = match (method, found) {
        (Method::Get | Method::Head, Ok(asset)) => {
            return representation(method, (request, head), asset, app, now);
        }
        (Method::Get | Method::Head, Err(NoAsset::Folder)) => {
            let mut location = Vec::new();
            path.write_folder_target(&mut location);
            if let Some(query) = request.target.query {
                location.push(b'?');
                location
                    .extend(percent_encode(query.of(head), NOT_OF_A_QUERY).flat_map(str::bytes));
            }
            return Answer::redirect(Status::MOVED_PERMANENTLY, &location, now);
        }
        (Method::Options, Ok(_) | Err(NoAsset::Folder)) => {
            return Answer::options(FILE_METHODS, now);
        }
        (_, Ok(_) | Err(NoAsset::Folder)) => Refusal::method(FILE_METHODS),
        (_, Err(NoAsset::Missing | NoAsset::NoIndex)) => Refusal::not_found(),
        (_, Err(NoAsset::Busy)) => BUSY,
        (_, Err(NoAsset::Unreadable)) => UNREADABLE,
    };
    Answer::refusal(refusal, app, now)
}

/// A folder that has no index.
fn folder<A>(
    path: &SitePath,
    method: Method,
    (request, head): (&Request, &[u8]),
    listing: &Listing,
    app: &App,
    now: Moment,
) -> Answer<A> {
    match method {
        Method::Get | Method::Head if conditions::fail_without_tag(request, head) => {
            Answer::refusal(NO_SUCH_VERSION, app, now)
        }
        Method::Get | Method::Head => {
            let form = Form::preferred(request.values(head, "Accept"));
            Answer::listing(form, listing.show(form, path, app), now)
        }
        Method::Options => Answer::options(FILE_METHODS, now),
        _ => Answer::refusal(Refusal::method(FILE_METHODS), app, now),
    }
}

/// As much of a file as the request, by its conditions, gets.
fn representation<A: Asset>(
    method: Method,
    (request, head): (&Request, &[u8]),
    asset: A,
    app: &App,
    now: Moment,
) -> Answer<A> {
    if let Some(status) = asset.facts().report_status() {
        return match conditions::fail_without_tag(request, head) {
            true => Answer::refusal(NO_SUCH_VERSION, app, now),
            false => Answer::report(status, asset, now),
        };
    }
    if !request.is_conditional {
        return Answer::file(asset, now);
    }
    match conditions::weigh(request, head, asset.facts(), now) {
        Verdict::Failed => return Answer::refusal(CHANGED, app, now),
        Verdict::NotModified => return Answer::not_modified(&asset, now),
        Verdict::Proceed => {}
    }
    // Parts are defined for GET alone (RFC 9110 §14.2).
    match conditions::wanted(request, head, asset.facts(), now) {
        Wanted::Part(range) if method == Method::Get => Answer::part(asset, range, now),
        Wanted::Parts(ranges) if method == Method::Get => Answer::parts(asset, ranges, now),
        Wanted::Unsatisfiable if method == Method::Get => Answer::unsatisfiable(&asset, app, now),
        _ => Answer::file(asset, now),
    }
}
