//! The site of the admin server, generated for each request.

use std::borrow::Cow;

use zerohttpd_core::{AssetError, Metadata, Now};

use crate::files::asset::{Asset, FileBytes};
use crate::observe::metrics::{self, ServerInfo};
use crate::shared::scoreboard::Scoreboard;

/// Generates the reports.
pub struct AdminSite {
    /// The settings that the metrics name.
    pub info: ServerInfo,
    /// The scoreboard that the reports read.
    pub board: Scoreboard,
}

const INDEX: &str = "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
    <title>ZeroHTTPd</title>\n<p><a href=\"/metrics\">metrics</a>, \
    <a href=\"/healthz\">health</a>\n</html>\n";

impl AdminSite {
    /// Generates the file with this name.
    pub fn file(&self, name: &[u8], now: Now) -> Result<Asset, AssetError> {
        match name {
            b"metrics" => {
                let text = metrics::metrics(self.info, self.board);
                Ok(report(text, metrics::CONTENT_TYPE, true))
            }
            b"healthz" => {
                let health = metrics::health(self.info, self.board, now);
                let text = health.text.into_bytes();
                Ok(report(text, "text/plain; charset=utf-8", health.is_healthy))
            }
            b"index.html" => Ok(report(INDEX.into(), "text/html; charset=utf-8", true)),
            _ => Err(AssetError::Missing),
        }
    }
}

fn report(text: Vec<u8>, content_type: &str, is_healthy: bool) -> Asset {
    let metadata = Metadata::of_report(text.len() as u64, content_type, is_healthy);
    Asset::new(metadata, FileBytes::Memory(Cow::Owned(text)))
}
