//! The site of the admin's server: reports that are made when they are asked for.

use std::borrow::Cow;

use zero_core::{Facts, Moment, NoAsset, SitePath};

use super::asset::{Asset, Source};
use super::file_name;
use crate::metrics::{self, About};
use crate::scoreboard::Scoreboard;

/// The reports.
pub struct Reports {
    /// What is reported on.
    pub about: About,
    /// Where that is known.
    pub board: Scoreboard,
}

const INDEX: &str = "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
    <title>ZeroHTTPd</title>\n<p><a href=\"/metrics\">metrics</a>, \
    <a href=\"/healthz\">health</a>\n</html>\n";

impl Reports {
    /// A report, as it is now.
    pub fn file(&self, path: &SitePath, now: Moment) -> Result<Asset, NoAsset> {
        match &*file_name(path) {
            b"metrics" => {
                let text = metrics::metrics(self.about, self.board);
                Ok(report(text, metrics::CONTENT_TYPE, true))
            }
            b"healthz" => {
                let health = metrics::health(self.board, now);
                let text = health.text.into_bytes();
                Ok(report(text, "text/plain; charset=utf-8", health.is_well))
            }
            b"index.html" => Ok(report(INDEX.into(), "text/html; charset=utf-8", true)),
            _ => Err(NoAsset::Missing),
        }
    }
}

fn report(text: Vec<u8>, content_type: &str, is_well: bool) -> Asset {
    let facts = Facts::report(text.len() as u64, content_type, is_well);
    Asset::new(facts, Source::Memory(Cow::Owned(text)))
}
