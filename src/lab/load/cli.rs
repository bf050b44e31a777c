//! `zerohttpd load`: what was typed, and what is shown.

use std::io::{self, Write};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use rustix::process::Signal;

use super::idle;
use super::live::Live;
use super::plan::{Length, Plan, useful_threads};
use super::run::{Progress, run};
use super::summary::summary;
use super::target::{Extras, Target};
use crate::sys::signal::Signals;

/// The code of one that was stopped by Ctrl-C, as a shell has it: 128 and the signal's number.
const INTERRUPTED: u8 = 130;

/// How long a load is that is not told.
const SECONDS: f64 = 10.0;

/// How to load a server.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    zerohttpd load http://127.0.0.1:8000/guestbook\n      \
        50 clients for 10 seconds, each asking as soon as it has its answer\n  \
    zerohttpd load :8000/ -c 1000 -n 100000 --no-keep-alive\n      \
        1000 clients, 100,000 requests, a new connection for each\n  \
    zerohttpd load :8000/guestbook --rate 2000 -d 30\n      \
        2000 requests a second, with latencies from when each was due\n  \
    zerohttpd load :8000/guestbook --post 'guest-name=Ann&guest-remarks=hello' -n 1\n  \
    zerohttpd load :8000/ --idle 1000000\n      \
        a million clients that are kept alive, asked after in turn, until Ctrl-C\n  \
    zerohttpd load :8000/ --json | jq .latency_p99_us\n\n\
    It ends with 0 if all requests succeeded, with 1 if any failed or none was made, and with 130 \
    after\nCtrl-C, which shows what was measured until then.")]
pub struct LoadArgs {
    /// What to ask for
    #[arg(help = "What to ask for, as http://HOST[:PORT]/PATH; :PORT/PATH is on this machine")]
    url: String,
    /// So many clients, each with one request at a time
    #[arg(short, long, value_name = "N", default_value_t = 50,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    clients: u32,
    /// Hold N clients that want nothing, from as many processes as that takes, and ask after them
    /// in turn; until Ctrl-C, unless -d tells for how long
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000),
        conflicts_with_all = ["clients", "requests", "rate", "no_keep_alive", "think", "post",
            "threads"])]
    idle: Option<u32>,
    /// Go on for S seconds, once all clients have had a first answer [default: 10]
    #[arg(short = 'd', long, value_name = "S", value_parser = seconds,
        conflicts_with = "requests")]
    seconds: Option<Duration>,
    /// Make N requests
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,
    /// Make R requests a second, each at its time, whether those before were answered or not
    #[arg(short, long, value_name = "R", value_parser = rate)]
    rate: Option<f64>,
    /// Open a connection for each request
    #[arg(long)]
    no_keep_alive: bool,
    /// Have each client wait MS milliseconds before it asks again
    #[arg(long, value_name = "MS", conflicts_with = "rate")]
    think: Option<u32>,
    /// POST this form instead of asking with GET; @FILE takes it from a file
    #[arg(long, value_name = "BODY")]
    post: Option<String>,
    /// Send this header field, in place of one of ours if it has the same name
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = field)]
    headers: Vec<(String, String)>,
    /// Give a request S seconds
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    timeout: Duration,
    /// Use N threads [default: as many as are of use]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Write the outcome as JSON, with units in the names
    #[arg(long)]
    json: bool,
    /// Say on standard error when what counts begins, for the bench
    #[arg(long, hide = true)]
    announce: bool,
}

/// What is said when what counts begins.
pub const BEGUN: &str = "begun";

fn seconds(text: &str) -> Result<Duration, String> {
    const LONGEST_S: f64 = 31_536_000.0;
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= LONGEST_S => {
            Ok(Duration::from_secs_f64(seconds))
        }
        _ => Err("it is a number of seconds, more than 0, such as 15 or 0.5".into()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    const HIGHEST: f64 = 1e8;
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= HIGHEST => Ok(rate),
        _ => Err("it is a number of requests a second, more than 0".into()),
    }
}

fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("it has no colon")?;
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) || value.contains(['\r', '\n', '\0']) {
        return Err("it is no header field".into());
    }
    Ok((name.to_owned(), value.trim().to_owned()))
}

/// Loads a server, and shows what came of it.
///
/// # Errors
///
/// The URL leads nowhere, a file can't be read, or the kernel has no room for us.
pub fn load(args: LoadArgs) -> Result<ExitCode, String> {
    let is_json = args.json;
    if let Some(clients) = args.idle {
        let time = args.seconds;
        let Plan { target, timeout, .. } = args.into_plan()?;
        return hold(&idle::Plan { target, clients, time, timeout }, is_json);
    }
    let mut is_to_announce = args.announce;
    let plan = args.into_plan()?;
    let signals = Signals::take(&[Signal::INT, Signal::TERM])
        .map_err(|error| format!("can't wait for signals: {error}"))?;
    let mut live = Live::new();
    let mut watch = |progress: Progress| {
        if is_to_announce && progress.elapsed_s.is_some() {
            say!("{BEGUN}");
            is_to_announce = false;
        }
        live.show(&progress);
    };
    let outcome = run(&plan, signals.as_fd(), &mut watch)
        .map_err(|error| format!("can't make a load: {error}"));
    live.clear();
    let outcome = outcome?;
    let text = match is_json {
        true => serde_json::to_string_pretty(&outcome).map_err(|error| error.to_string())? + "\n",
        false => summary(&outcome),
    };
    write(&text).map_err(|error| format!("can't write what was measured: {error}"))?;
    Ok(match (outcome.was_interrupted, outcome.is_good()) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}

/// Holds idle clients, and shows what came of it.
fn hold(plan: &idle::Plan, is_json: bool) -> Result<ExitCode, String> {
    let signals = Signals::take(&[Signal::INT, Signal::TERM])
        .map_err(|error| format!("can't wait for signals: {error}"))?;
    let mut live = Live::new();
    let mut was_said = false;
    let account = idle::hold(plan, signals.as_fd(), &mut |account| {
        live.tell(|| account.line());
        if account.are_all_in() && !std::mem::replace(&mut was_said, true) {
            live.clear();
            say!("{}", account.line());
        }
    })
    .map_err(|error| format!("can't hold {} clients: {error}", plan.clients));
    live.clear();
    let account = account?;
    let text = match is_json {
        true => serde_json::to_string_pretty(&account).map_err(|error| error.to_string())? + "\n",
        false => account.summary(),
    };
    write(&text).map_err(|error| format!("can't write what was measured: {error}"))?;
    // Without a time, to be stopped is how it ends.
    Ok(match (account.was_interrupted && plan.time.is_some(), account.is_good()) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}

fn write(text: &str) -> io::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Who reads the first lines only has what it wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

impl LoadArgs {
    fn into_plan(self) -> Result<Plan, String> {
        let body = match self.post.as_deref().map(|post| (post, post.strip_prefix('@'))) {
            None => None,
            Some((_, Some(file))) => {
                let read = std::fs::read(file);
                Some(read.map_err(|error| format!("--post: can't read {file}: {error}"))?)
            }
            Some((body, None)) => Some(body.as_bytes().to_vec()),
        };
        let extras = Extras { body, fields: self.headers, close: self.no_keep_alive };
        let url = match self.url.starts_with(':') {
            true => format!("http://127.0.0.1{}", self.url),
            false => self.url,
        };
        let target = Target::new(&url, &extras)?;
        let length = match self.requests {
            Some(requests) => Length::Requests(requests),
            None => Length::Time(self.seconds.unwrap_or(Duration::from_secs_f64(SECONDS))),
        };
        let clients = self.clients as usize;
        let threads = match self.threads {
            Some(threads) => usize::from(threads),
            None => {
                let cores = std::thread::available_parallelism().map_or(1, usize::from);
                useful_threads(clients, cores, is_loopback(target.address.ip()))
            }
        };
        // Each has something to do.
        let requests = match length {
            Length::Requests(requests) => usize::try_from(requests).unwrap_or(usize::MAX),
            Length::Time(_) => usize::MAX,
        };
        Ok(Plan {
            target,
            clients,
            threads: threads.min(clients).min(requests),
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

    fn plan(words: &str) -> Result<Plan, String> {
        let line = Line::try_parse_from(words.split(' ')).map_err(|error| error.to_string())?;
        line.load.into_plan()
    }

    #[test]
    fn what_is_not_told_is_sensible() {
        let plan = plan("load :8000/x").unwrap();
        assert_eq!(plan.target.address.to_string(), "127.0.0.1:8000");
        assert_eq!((plan.clients, plan.length), (50, Length::Time(Duration::from_secs(10))));
        assert!(plan.keep_alive && plan.rate_per_s.is_none() && plan.threads >= 1);
    }

    #[test]
    fn all_can_be_told() {
        let words = "load :1/ -c 3 -n 2 -r 0.5 --no-keep-alive --timeout 0.25 --threads 9 -H a:b";
        let told = plan(words).unwrap();
        assert_eq!((told.clients, told.length), (3, Length::Requests(2)));
        assert_eq!((told.rate_per_s, told.keep_alive), (Some(0.5), false));
        assert_eq!(told.timeout, Duration::from_millis(250));
        // No thread is without a request.
        assert_eq!(told.threads, 2);
        let request = String::from_utf8(told.target.request).unwrap();
        assert!(request.contains("Connection: close\r\n") && request.contains("a: b\r\n"));
        let post = plan("load :1/ --post a=b").unwrap().target;
        assert!(post.request.ends_with(b"\r\n\r\na=b") && !post.is_idempotent);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
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
            "load :1/ --post @/nowhere/at/all",
            "load https://127.0.0.1/",
        ] {
            assert!(plan(words).is_err(), "{words}");
        }
    }
}
