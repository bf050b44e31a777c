//! What is said at the start, and the account at the end.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::Supervisor;
use super::prepare::shown;
use super::privileges;
use crate::arch::Workers;
use crate::cli::Options;
use crate::log::Format;
use crate::sandbox::{self, Sandbox};
use crate::scoreboard::Scoreboard;
use crate::store::address::Choice;
use crate::store::embedded;
use crate::sys::wait::Used;
use crate::tally::Count;

/// Says what serves, where, and how to stop it.
pub fn announce(options: &Options, supervisor: &Supervisor<'_>, is_successor: bool) {
    let bold = |text: &str| match io::stderr().is_terminal() {
        true => format!("\x1b[1m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let folder = |folder: &Option<PathBuf>| match folder {
        Some(folder) => folder.display().to_string(),
        None => "compiled in".into(),
    };
    let workers = match (options.arch.workers, options.workers) {
        (Workers::None, _) => String::new(),
        (Workers::Pool, count) => format!(", {count} workers"),
        (Workers::Processes, 1) => ", 1 process".into(),
        (Workers::Processes, count) => format!(", {count} processes"),
    };
    let took_over = if is_successor { " took over" } else { "" };
    say!("zerohttpd: {}{workers}{took_over}: {}", bold(options.arch.name), options.arch.idea);
    let servers = &supervisor.servers;
    let mut addresses: Vec<_> =
        servers.iter().filter_map(|server| server.listener.address().ok()).collect();
    addresses.dedup();
    for mut address in addresses {
        let everywhere = address.ip().is_unspecified();
        if everywhere {
            address.set_ip(match address.ip().is_ipv4() {
                true => std::net::Ipv4Addr::LOCALHOST.into(),
                false => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let also = if everywhere { " (and every other address of this machine)" } else { "" };
        say!("  address    {}{also}", bold(&format!("http://{address}/")));
    }
    if let Some(Ok(address)) = supervisor.admin.as_ref().map(|admin| admin.listener.address()) {
        say!("  admin      http://{address}/metrics");
    }
    say!("  site       {}", folder(&options.root));
    say!("  templates  {}", folder(&options.templates));
    say!("  guestbook  {}", shown(&options.store));
    if let Choice::Embedded(file) = &options.store {
        say!("             redis-cli -s {}", embedded::socket_path(file).display());
    }
    match (options.log_format, &options.log_file) {
        (Format::Off, _) => say!("  log        off"),
        (_, Some(file)) => say!("  log        {}", file.display()),
        (_, None) => say!("  log        standard output"),
    }
    match options.sandbox {
        Sandbox::Off => say!("  sandbox    off"),
        Sandbox::Auto | Sandbox::Always => say!("  sandbox    {}", sandbox::available()),
    }
    if privileges::is_root() {
        say!("  user       root, who may do everything; --user NAME takes another");
    }
    say!("  Ctrl-C stops it");
}

/// Says what was served and what that cost, as the original did.
pub fn account(options: &Options, scoreboard: Scoreboard, used: Used) {
    let seconds = |time: Duration| time.as_secs_f64();
    let requests = scoreboard.tallies.all_answers();
    let requests = match requests {
        1 => "1 request".to_owned(),
        many => format!("{many} requests"),
    };
    say!("\nzerohttpd: {}: {requests} served", options.arch.name);
    if options.arch.workers == Workers::Processes && options.workers > 1 {
        let taken_on = (0..options.workers).map(|server| scoreboard.taken_on(server).load(Relaxed));
        say!("  clients    {}", by_process(&taken_on.collect::<Vec<_>>()));
    }
    say!(
        "  CPU time   {:.2} s user, {:.2} s system, children included; the store not",
        seconds(used.user),
        seconds(used.system)
    );
    say!("  memory     {:.1} MiB, the most of one process", used.peak_kib as f64 / 1024.0);
    let lost = scoreboard.tallies.get(Count::LogLinesLost);
    if lost > 0 {
        say!("  log        {lost} lines lost: nobody took them, or the disk is full");
    }
}

/// How many clients each of some processes has taken on.
fn by_process(taken_on: &[u64]) -> String {
    /// More are told by the least and the most.
    const FEW: usize = 8;
    let (least, most) = (taken_on.iter().min(), taken_on.iter().max());
    match (least, most) {
        (Some(least), Some(most)) if taken_on.len() > FEW => {
            format!("from {least} to {most} by process")
        }
        _ => {
            let taken_on: Vec<_> = taken_on.iter().map(u64::to_string).collect();
            format!("{} by process", taken_on.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_by_process_or_by_the_least_and_the_most() {
        assert_eq!(by_process(&[7, 9]), "7, 9 by process");
        assert_eq!(by_process(&[3; 8]), "3, 3, 3, 3, 3, 3, 3, 3 by process");
        let many: Vec<_> = (5..20).collect();
        assert_eq!(by_process(&many), "from 5 to 19 by process");
    }
}
