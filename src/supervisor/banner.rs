//! The banner at the start, and the summary at the end.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use zerohttpd_embedded as embedded;
use zerohttpd_sys::diagnostics::Terminal;
use zerohttpd_sys::say;
use zerohttpd_sys::wait::ResourceUsage;

use crate::arch::Workers;
use crate::observe::access_log::Format;
use crate::options::Options;
use crate::sandbox::{self, Sandbox};
use crate::shared::counters::Count;
use crate::shared::scoreboard::Scoreboard;
use crate::store::address::StoreChoice;
use crate::supervisor::privileges;
use crate::supervisor::state::Supervisor;

/// Prints which architecture serves, at which addresses, with which files, and how to stop it.
pub fn print(options: &Options, supervisor: &Supervisor<'_>, is_successor: bool) {
    let bold = |text: &str| match Terminal::of(&io::stderr()).takes_colour {
        true => format!("\x1b[1m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let folder = |folder: &Option<PathBuf>| match folder {
        Some(folder) => folder.display().to_string(),
        None => "compiled in".into(),
    };
    let workers = match (options.arch.workers, options.workers) {
        (Workers::None, _) => String::new(),
        (Workers::Pool, wanted) => {
            // The servers have fewer workers than wanted if descriptors are short. A successor can
            // have no servers yet.
            let server = supervisor.servers.first();
            format!(", {} workers", server.map_or(wanted, |server| server.workers))
        }
        (Workers::Processes, 1) => ", 1 process".into(),
        (Workers::Processes, count) => format!(", {count} processes"),
    };
    let took_over = if is_successor { " took over" } else { "" };
    say!("zerohttpd: {}{workers}{took_over}: {}", bold(options.arch.name), options.arch.idea);
    if is_successor && let Ok(file) = std::env::current_exe() {
        say!("  program    {}, version {}", file.display(), env!("CARGO_PKG_VERSION"));
    }
    let listeners = &supervisor.listeners;
    let addresses = listeners.iter().filter_map(|listener| listener.address().ok());
    let mut addresses: Vec<_> = addresses.collect();
    addresses.dedup();
    for mut address in addresses {
        let everywhere = address.ip().is_unspecified();
        if everywhere {
            address.set_ip(match address.ip().is_ipv4() {
                true => std::net::Ipv4Addr::LOCALHOST.into(),
                false => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let also = if everywhere { " (and all other addresses of this machine)" } else { "" };
        say!("  address    {}{also}", bold(&format!("http://{address}/")));
    }
    if let Some(Ok(address)) = supervisor.admin.as_ref().map(|admin| admin.listener.address()) {
        say!("  admin      http://{address}/metrics");
    }
    let resolution = supervisor.servers.first().and_then(|server| server.site.resolution());
    let how = resolution.map_or(String::new(), |how| format!(" (files are opened {how})"));
    say!("  site       {}{how}", folder(&options.root));
    say!("  templates  {}", folder(&options.templates));
    say!("  guestbook  {}", options.store);
    if let StoreChoice::Embedded(file) = &options.store {
        say!("             redis-cli -s {}", embedded::socket_path(file).display());
    }
    match (options.log_format, &options.log_file) {
        (Format::Off, _) => say!("  log        off"),
        (_, Some(file)) => say!("  log        {}", file.display()),
        (_, None) => say!("  log        standard output"),
    }
    match options.sandbox {
        Sandbox::Off => say!("  sandbox    off"),
        Sandbox::Auto | Sandbox::Always => {
            say!("  sandbox    {}", sandbox::available(options.has_guestbook()));
        }
    }
    if privileges::is_root() {
        say!("  user       root, without restrictions; --user NAME gives up root's rights");
    }
    say!("  Ctrl-C stops it");
}

/// Prints how much was served, and the CPU time and memory that were used, as the C programs did.
pub fn print_summary(options: &Options, scoreboard: Scoreboard, used: ResourceUsage) {
    let seconds = |time: Duration| time.as_secs_f64();
    let requests = scoreboard.counters.all_answers();
    let requests = match requests {
        1 => "1 request".to_owned(),
        many => format!("{many} requests"),
    };
    say!("\nzerohttpd: {}: {requests} served", options.arch.name);
    if options.arch.workers == Workers::Processes && options.workers > 1 {
        let accepted = |server| scoreboard.accepted_by(server).load(Relaxed);
        let accepted: Vec<_> = (0..options.workers).map(accepted).collect();
        say!("  clients    {}", by_process(&accepted));
    }
    say!(
        "  CPU time   {:.2} s user, {:.2} s system, including children, excluding the store",
        seconds(used.user),
        seconds(used.system)
    );
    say!("  memory     {:.1} MiB, the peak of the largest process", used.peak_kib as f64 / 1024.0);
    let lost = scoreboard.counters.get(Count::LogLinesLost);
    if lost > 0 {
        say!("  log        {lost} lines lost: their reader did not take them, or the disk is full");
    }
}

/// How many clients each process has accepted.
fn by_process(accepted: &[u64]) -> String {
    /// For more processes than this, only the smallest and the largest number are printed.
    const MAX_LISTED: usize = 8;
    match (accepted.iter().min(), accepted.iter().max()) {
        (Some(min), Some(max)) if accepted.len() > MAX_LISTED => {
            format!("from {min} to {max} per process")
        }
        _ => {
            let accepted: Vec<_> = accepted.iter().map(u64::to_string).collect();
            format!("{} per process", accepted.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_printed_by_process_or_as_a_range() {
        assert_eq!(by_process(&[7, 9]), "7, 9 per process");
        assert_eq!(by_process(&[3; 8]), "3, 3, 3, 3, 3, 3, 3, 3 per process");
        let many: Vec<_> = (5..20).collect();
        assert_eq!(by_process(&many), "from 5 to 19 per process");
    }
}
