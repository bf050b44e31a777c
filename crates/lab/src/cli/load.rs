//! `zerohttpd load`: turns the arguments into a plan.

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::values::whole;
use crate::load::command::{hold, load};
use crate::load::idle::plan::IdlePlan;
use crate::load::plan::{Length, LoadPlan, useful_threads};
use crate::load::target::{LoadTarget, RequestOptions};

/// The default duration of a load.
const SECONDS: f64 = 10.0;

/// The arguments.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    zerohttpd load http://127.0.0.1:8000/guestbook\n      \
        50 clients for 10 seconds; each sends its next request as soon as it has its answer\n  \
    zerohttpd load :8000/ -c 1000 -n 100000 --no-keep-alive\n      \
        1000 clients, 100,000 requests, a new connection for each request\n  \
    zerohttpd load :8000/guestbook --rate 2000 -d 30\n      \
        2000 requests a second; latency counts from the time at which each was due\n  \
    zerohttpd load :8000/guestbook --post 'guest-name=Ann&guest-remarks=hello' -n 1\n  \
    zerohttpd load :8000/ --idle 1000000\n      \
        a million idle clients, each sent a request now and then, until Ctrl-C\n  \
    zerohttpd load :8000/ --json | jq .latency_p99_us\n\n\
    Exit status: 0 if all requests succeeded, 1 if any failed or none was made, 130 after \
    Ctrl-C, which\nprints the results so far.")]
pub struct LoadArgs {
    /// What to request
    #[arg(help = "What to request: http://HOST[:PORT]/PATH, or :PORT/PATH on this machine")]
    url: String,
    /// Number of clients, each with one request at a time
    #[arg(short, long, value_name = "N", default_value_t = 50,
        value_parser = whole(1..=1_000_000_u32))]
    clients: u32,
    /// Hold N idle clients, in as many processes as needed, and probe them in turn with a request,
    /// until Ctrl-C or for -d seconds
    #[arg(long, value_name = "N", value_parser = whole(1..=10_000_000_u32),
        conflicts_with_all = ["clients", "requests", "rate", "no_keep_alive", "think", "post",
            "threads"])]
    idle: Option<u32>,
    /// Measure for S seconds, once every client has had a first answer [default: 10]
    #[arg(short = 'd', long, value_name = "S", value_parser = seconds,
        conflicts_with = "requests")]
    seconds: Option<Duration>,
    /// Make exactly N requests
    #[arg(short = 'n', long, value_name = "N", value_parser = whole(1..=1_000_000_000_000_u64))]
    requests: Option<u64>,
    /// Make R requests a second, each at its time, whether or not earlier ones are answered
    #[arg(short, long, value_name = "R", value_parser = rate)]
    rate: Option<f64>,
    /// Open a new connection for each request
    #[arg(long)]
    no_keep_alive: bool,
    /// Let each client wait MS milliseconds between an answer and its next request
    #[arg(long, value_name = "MS", conflicts_with = "rate",
        value_parser = whole(0..=86_400_000_u32))]
    think: Option<u32>,
    /// Send a POST with this form instead of a GET; @FILE reads the form from a file
    #[arg(long, value_name = "BODY")]
    post: Option<String>,
    /// Send this header field; it replaces a default field of the same name
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = field)]
    headers: Vec<(String, String)>,
    /// Allow S seconds for a request
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    timeout: Duration,
    /// Use N threads [default: as many as are useful]
    #[arg(long, value_name = "N", value_parser = whole(1..=1024_u16))]
    threads: Option<u16>,
    /// Print the results as JSON, with the unit in each name
    #[arg(long)]
    json: bool,
    /// Say on standard error when the measured time begins, for the bench
    #[arg(long, hide = true)]
    announce: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    const MIN_S: f64 = 0.000_001;
    const MAX_S: f64 = 31_536_000.0;
    match text.parse::<f64>() {
        Ok(seconds) if (MIN_S..=MAX_S).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!(
            "it must be a number of seconds from {MIN_S} to {MAX_S}, such as 10 or 0.5"
        )),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    const MIN: f64 = 0.001;
    const MAX: f64 = 1e8;
    match text.parse::<f64>() {
        Ok(rate) if (MIN..=MAX).contains(&rate) => Ok(rate),
        _ => Err(format!("it must be a number of requests a second from {MIN} to {MAX}")),
    }
}

fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("it has no colon; write NAME: VALUE")?;
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        return Err("the part before the colon is not the name of a header field".into());
    }
    // Of all control characters, a field can contain only tabs (RFC 9110 §5.5).
    if value.chars().any(|c| c.is_ascii_control() && c != '\t') {
        return Err("its value has a control character".into());
    }
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

/// Puts load on a server, or holds idle clients.
///
/// # Errors
///
/// The URL is invalid or its host has no address, a file can't be read, or the kernel lacks
/// resources.
pub fn run(args: LoadArgs) -> Result<ExitCode, String> {
    let (is_json, announces) = (args.json, args.announce);
    match args.idle {
        None => load(&args.into_plan()?, is_json, announces),
        Some(clients) => {
            let time = args.seconds;
            let LoadPlan { target, timeout, .. } = args.into_plan()?;
            hold(&IdlePlan { target, clients, time, timeout }, is_json)
        }
    }
}

impl LoadArgs {
    fn into_plan(self) -> Result<LoadPlan, String> {
        let body =
            match self.post.as_deref().map(|post| (post, post.strip_prefix('@'))) {
                None => None,
                Some((_, Some(file))) => {
                    let read = std::fs::read(file);
                    Some(read.map_err(|error| {
                        format!("--post: can't read the form from {file}: {error}")
                    })?)
                }
                Some((body, None)) => Some(body.as_bytes().to_vec()),
            };
        let options = RequestOptions { body, fields: self.headers, close: self.no_keep_alive };
        let host = self.url.split('/').next().unwrap_or_default();
        let is_port = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_digit());
        let url = match self.url.strip_prefix(':') {
            None if is_port => format!("http://127.0.0.1:{}", self.url),
            None => self.url,
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => {
                format!("http://127.0.0.1:{rest}")
            }
            Some(_) => return Err(format!("{}: a port has to follow the colon", self.url)),
        };
        let target = LoadTarget::new(&url, &options)?;
        let length = match self.requests {
            Some(requests) => Length::Requests(requests),
            None => Length::Time(self.seconds.unwrap_or(Duration::from_secs_f64(SECONDS))),
        };
        let clients = self.clients as usize;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let is_server_here = is_loopback(target.address.ip());
        let threads = match self.threads {
            Some(threads) => usize::from(threads),
            None => useful_threads(clients, cores, is_server_here),
        };
        // Each thread has at least one client.
        let requests = match length {
            Length::Requests(requests) => usize::try_from(requests).unwrap_or(usize::MAX),
            Length::Time(_) => usize::MAX,
        };
        let threads = threads.min(clients).min(requests);
        Ok(LoadPlan {
            target,
            clients,
            threads,
            // A server on this machine needs a core too.
            may_spin: threads + usize::from(is_server_here) <= cores,
            length,
            rate_per_s: self.rate,
            keep_alive: !self.no_keep_alive,
            think: Duration::from_millis(u64::from(self.think.unwrap_or(0))),
            timeout: self.timeout,
        })
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        load: LoadArgs,
    }

    fn plan(words: &str) -> Result<LoadPlan, String> {
        let line = Line::try_parse_from(words.split(' ')).map_err(|error| error.to_string())?;
        line.load.into_plan()
    }

    #[test]
    fn defaults_are_sensible() {
        let plan = plan("load :8000/x").unwrap();
        assert_eq!(plan.target.address.to_string(), "127.0.0.1:8000");
        assert_eq!((plan.clients, plan.length), (50, Length::Time(Duration::from_secs(10))));
        assert!(plan.keep_alive && plan.rate_per_s.is_none() && plan.threads >= 1);
    }

    #[test]
    fn every_option_is_read() {
        let words = "load :1/ -c 3 -n 2 -r 0.5 --no-keep-alive --timeout 0.25 --threads 9 -H a:b";
        let read = plan(words).unwrap();
        assert_eq!((read.clients, read.length), (3, Length::Requests(2)));
        assert_eq!((read.rate_per_s, read.keep_alive), (Some(0.5), false));
        assert_eq!(read.timeout, Duration::from_millis(250));
        // Each thread has at least one request.
        assert_eq!(read.threads, 2);
        let request = String::from_utf8(read.target.request).unwrap();
        assert!(request.contains("Connection: close\r\n") && request.contains("a: b\r\n"));
        let post = plan("load :1/ --post a=b").unwrap().target;
        assert!(post.request.ends_with(b"\r\n\r\na=b") && !post.is_idempotent);
    }

    #[test]
    fn nonsense_is_refused() {
        for words in [
            "load",
            "load :1/ -c 0",
            "load :1/ -d 0",
            "load :1/ -d 1 -n 1",
            "load :1/ -n 0",
            "load :1/ --rate 0",
            "load :1/ --rate 5 --think 5",
            "load :1/ --header nonsense",
            "load :1/ --header a\r\nb:c",
            "load :1/ --timeout -1",
            "load :1/ --timeout 1e-9",
            "load :1/ --rate nan",
            "load :1/ --rate 1e9",
            "load :1/ --rate 1e-300",
            "load :+80/",
            "load ::1:80/",
            "load :/",
            "load :1/ -H Content-Length:7",
            "load :1/ -H Connection:close",
            "load :1/ -H a:\u{7f}",
            "load :1/ --post @/nowhere/at/all",
            "load https://127.0.0.1/",
        ] {
            assert!(plan(words).is_err(), "{words}");
        }
    }
}
