//! The site and the limits around the connection that is fuzzed.

use std::sync::OnceLock;

use zerohttpd_core::{App, Limits, limits};

use crate::world::{self, Site};

/// The site of the scripts, and a file that is sent in three pieces.
pub(crate) fn site() -> Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    let load = || {
        let mut site = Site::of_the_scripts();
        site.add("large", vec![b'l'; 2 * limits::PIECE_BYTES as usize + 1]);
        site
    };
    SITE.get_or_init(load).clone()
}

/// The application. The first byte of a script can choose limits. Listings are enabled, except with
/// 0xfd and 0xfe.
pub(crate) fn app(first: Option<&u8>) -> App {
    let limits = match first {
        Some(0xfd) => Limits { keep_alive_timeout_ms: 0, ..Limits::default() },
        Some(0xfe) => Limits { requests_per_connection: 2, ..Limits::default() },
        Some(0xfc) => small(),
        Some(0xfb) => Limits { fields: limits::MOST_FIELDS, ..small() },
        _ => Limits::default(),
    };
    App { listing: !matches!(first, Some(0xfd | 0xfe)), ..world::app(limits) }
}

/// Limits that a short script can reach.
fn small() -> Limits {
    Limits {
        first_byte_timeout_ms: 1_000,
        body_bytes_per_second: 1,
        send_bytes_per_second: 1,
        request_line_bytes: 64,
        header_section_bytes: 128,
        fields: 3,
        body_bytes: 50,
        ..Limits::default()
    }
}
