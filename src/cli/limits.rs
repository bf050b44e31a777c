//! The options for limits and time-outs. Each default is a constant of the core.

use clap::Args;
use zerohttpd_core::{Limits, limits};

use crate::cli::headings;
use crate::cli::values::{ByteSize, Seconds, byte_size, positive_seconds, seconds, whole};

/// The lowest limit that is accepted for a request line and a header section. Every browser sends
/// more; a lower number was probably meant in KiB and lacks its k.
const LEAST_HEAD_BYTES: usize = 64;

/// The highest rate that is accepted. At this rate, bytes add hardly any time to a time-out.
const MOST_BYTES_PER_SECOND: usize = 1024 * 1024 * 1024;

/// The arguments for [`Limits`].
#[derive(Args)]
pub struct LimitArgs {
    #[command(flatten)]
    times: TimeoutArgs,
    #[command(flatten)]
    sizes: SizeArgs,
}

#[derive(Args)]
#[command(next_help_heading = headings::TIME_OUTS)]
struct TimeoutArgs {
    /// Allow S seconds for the first byte of a new client
    #[arg(long, value_name = "S", value_parser = positive_seconds,
        default_value_t = Seconds(limits::FIRST_BYTE_TIMEOUT_MS))]
    first_byte_timeout: Seconds,
    /// Allow S seconds for a request head, from its first byte; for the first head, from the accept
    #[arg(long, value_name = "S", value_parser = positive_seconds,
        default_value_t = Seconds(limits::HEADER_TIMEOUT_MS))]
    header_timeout: Seconds,
    /// Allow S seconds for a request body, plus what its bytes earn (--body-rate)
    #[arg(long, value_name = "S", value_parser = positive_seconds,
        default_value_t = Seconds(limits::BODY_TIMEOUT_MS))]
    body_timeout: Seconds,
    /// Allow another second for each BYTES of a request body that arrive
    #[arg(long, value_name = "BYTES", value_parser = byte_size(1..=MOST_BYTES_PER_SECOND),
        default_value_t = ByteSize(limits::BODY_BYTES_PER_SECOND as usize))]
    body_rate: ByteSize,
    /// Allow S seconds for a client to take a page, or 256 KiB of a file, plus what its bytes earn
    /// (--send-rate)
    #[arg(long, value_name = "S", value_parser = positive_seconds,
        default_value_t = Seconds(limits::SEND_TIMEOUT_MS))]
    send_timeout: Seconds,
    /// Allow another second for each BYTES that are sent
    #[arg(long, value_name = "BYTES", value_parser = byte_size(1..=MOST_BYTES_PER_SECOND),
        default_value_t = ByteSize(limits::SEND_BYTES_PER_SECOND as usize))]
    send_rate: ByteSize,
    /// Close a connection that is idle for S seconds; 0: one request per connection
    #[arg(long, value_name = "S", value_parser = seconds,
        default_value_t = Seconds(limits::KEEP_ALIVE_TIMEOUT_MS))]
    keep_alive_timeout: Seconds,
    /// Allow S seconds for a reply of the store; after that, the guestbook answers 503
    #[arg(long, value_name = "S", value_parser = positive_seconds,
        default_value_t = Seconds(limits::STORE_TIMEOUT_MS))]
    store_timeout: Seconds,
    /// After the last answer, read and discard for S seconds what the client still sends, so that
    /// no reset destroys the answer; 0: close at once
    #[arg(long, value_name = "S", value_parser = seconds,
        default_value_t = Seconds(limits::LINGER_TIMEOUT_MS))]
    linger_timeout: Seconds,
}

#[derive(Args)]
#[command(next_help_heading = headings::LIMITS)]
struct SizeArgs {
    /// Answer at most N requests on a connection
    #[arg(long, value_name = "N", value_parser = whole(1..=u32::MAX),
        default_value_t = limits::REQUESTS_PER_CONNECTION)]
    max_requests: u32,
    /// Refuse longer request lines with 414
    #[arg(long, value_name = "BYTES", default_value_t = ByteSize(limits::REQUEST_LINE_BYTES),
        value_parser = byte_size(LEAST_HEAD_BYTES..=limits::MOST_REQUEST_LINE_BYTES))]
    max_request_line: ByteSize,
    /// Refuse longer header sections with 431
    #[arg(long, value_name = "BYTES", default_value_t = ByteSize(limits::HEADER_SECTION_BYTES),
        value_parser = byte_size(LEAST_HEAD_BYTES..=limits::MOST_HEADER_SECTION_BYTES))]
    max_header: ByteSize,
    /// Refuse more header fields with 431
    #[arg(long, value_name = "N", default_value_t = limits::FIELDS as u64,
        value_parser = whole(1..=limits::MOST_FIELDS as u64))]
    max_fields: u64,
    /// Refuse larger request bodies with 413
    #[arg(long, value_name = "BYTES", default_value_t = ByteSize(limits::BODY_BYTES),
        value_parser = byte_size(1..=limits::MOST_BODY_BYTES))]
    max_body: ByteSize,
}

impl LimitArgs {
    /// The limits, as the core takes them.
    pub fn limits(&self) -> Limits {
        let LimitArgs { times, sizes } = self;
        Limits {
            first_byte_timeout_ms: times.first_byte_timeout.0,
            header_timeout_ms: times.header_timeout.0,
            body_timeout_ms: times.body_timeout.0,
            body_bytes_per_second: times.body_rate.0 as u64,
            send_timeout_ms: times.send_timeout.0,
            send_bytes_per_second: times.send_rate.0 as u64,
            keep_alive_timeout_ms: times.keep_alive_timeout.0,
            store_timeout_ms: times.store_timeout.0,
            linger_timeout_ms: times.linger_timeout.0,
            requests_per_connection: sizes.max_requests,
            request_line_bytes: sizes.max_request_line.0,
            header_section_bytes: sizes.max_header.0,
            fields: sizes.max_fields as usize,
            body_bytes: sizes.max_body.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        limits: LimitArgs,
    }

    fn limits_of(words: &[&str]) -> Result<Limits, String> {
        let typed = Typed::try_parse_from([&["z"], words].concat());
        typed.map(|typed| typed.limits.limits()).map_err(|error| error.to_string())
    }

    /// An option, a value for it, the core's field that it sets, and the number in that field.
    type Row = (&'static str, &'static str, fn(&Limits) -> u64, u64);

    const ROWS: [Row; 14] = [
        ("--first-byte-timeout", "1.5", |l| l.first_byte_timeout_ms, 1_500),
        ("--header-timeout", "2", |l| l.header_timeout_ms, 2_000),
        ("--body-timeout", "3", |l| l.body_timeout_ms, 3_000),
        ("--body-rate", "4k", |l| l.body_bytes_per_second, 4_096),
        ("--send-timeout", "5", |l| l.send_timeout_ms, 5_000),
        ("--send-rate", "6m", |l| l.send_bytes_per_second, 6 * 1024 * 1024),
        ("--keep-alive-timeout", "0", |l| l.keep_alive_timeout_ms, 0),
        ("--store-timeout", "0.001", |l| l.store_timeout_ms, 1),
        ("--linger-timeout", "0", |l| l.linger_timeout_ms, 0),
        ("--max-requests", "7", |l| l.requests_per_connection.into(), 7),
        ("--max-request-line", "64k", |l| l.request_line_bytes as u64, 65_536),
        ("--max-header", "256k", |l| l.header_section_bytes as u64, 262_144),
        ("--max-fields", "1000", |l| l.fields as u64, 1_000),
        ("--max-body", "16m", |l| l.body_bytes as u64, 16_777_216),
    ];

    #[test]
    fn the_defaults_are_those_of_the_core() {
        let limits = limits_of(&[]).unwrap();
        assert_eq!(format!("{limits:?}"), format!("{:?}", Limits::default()));
    }

    #[test]
    fn each_option_sets_its_own_limit_and_no_other() {
        for (option, value, _, _) in ROWS {
            let limits = limits_of(&[option, value]).unwrap();
            for (other, _, field, set) in ROWS {
                let expected = if other == option { set } else { field(&Limits::default()) };
                assert_eq!(field(&limits), expected, "{other} after {option} {value}");
            }
        }
    }

    #[test]
    fn an_error_names_the_option_the_value_and_the_range() {
        for (option, value, allowed) in [
            ("--max-request-line", "63", "from 64 to 64k"),
            ("--max-request-line", "65k", "from 64 to 64k"),
            ("--max-header", "8", "from 64 to 256k"),
            ("--max-header", "262145", "from 64 to 256k"),
            ("--max-fields", "0", "from 1 to 1000"),
            ("--max-fields", "1001", "from 1 to 1000"),
            ("--max-body", "0", "from 1 to 16m"),
            ("--max-body", "17m", "from 1 to 16m"),
            ("--max-requests", "0", "from 1 to 4294967295"),
            ("--body-rate", "0", "from 1 to 1024m"),
            ("--send-rate", "1025m", "from 1 to 1024m"),
            ("--first-byte-timeout", "0", "more than 0"),
            ("--store-timeout", "0", "more than 0"),
            ("--linger-timeout", "x", "a number of seconds"),
        ] {
            let wrong = limits_of(&[option, value]).expect_err(option);
            for part in [option, value, allowed] {
                assert!(wrong.contains(part), "no {part:?} in {wrong}");
            }
        }
    }
}
