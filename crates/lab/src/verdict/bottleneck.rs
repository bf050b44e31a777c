//! What limited a server under a load, or kept clients from it, as far as the load generator can
//! observe that.

use super::observations::Observations;
use super::thresholds::{BUSY, NO_DESCRIPTORS, QUEUED, SHARED};
use crate::failure::Failure;
use crate::finding::diagnosis::Diagnosis;
use crate::finding::{Finding, finding};
use crate::host::proc::MIN_OBSERVED_S;
use crate::text::numbers::{counted, of_cores};

/// If the clients' think time is this share of the time, the clients are the limit.
const THINKING: f64 = 0.5;

/// Findings about ports, descriptors and places in the accept queue that were lacking.
pub fn shortages(seen: &Observations) -> Vec<Finding<Diagnosis>> {
    let mut found = Vec::new();
    if seen.failures.of(Failure::NoPort) > 0 {
        let text = "The load generator ran out of ports. Widen the range with sysctl \
            net.ipv4.ip_local_port_range=\"1024 65535\", or keep connections alive.";
        found.push(finding(Diagnosis::PortsRanOut, text));
    }
    if seen.failures.of(Failure::NoDescriptor) > 0 {
        let text = "The load generator ran out of descriptors. Raise the limit with ulimit -Hn, or \
            use fewer clients.";
        found.push(finding(Diagnosis::DescriptorsRanOut, text));
    }
    if seen.overflows > 0 {
        let holds = seen.queue_limit.map(|max| format!(", which holds {max},"));
        let text = format!(
            "The server's accept queue{} was full: the kernel dropped {} (nstat -az \
             TcpExtListenOverflows), and clients had to try again after a second or more. Raise \
             the server's backlog, and net.core.somaxconn with it.",
            holds.unwrap_or_default(),
            counted(seen.overflows, "connection")
        );
        found.push(finding(Diagnosis::AcceptQueueOverflowed, text));
    }
    if seen.server_descriptors.is_some_and(|left| left <= NO_DESCRIPTORS) {
        let text = "The server ran out of descriptors and could accept no client. Raise its limit \
            with ulimit -n.";
        found.push(finding(Diagnosis::ServerDescriptorsRanOut, text));
    }
    found
}

/// Findings about processor time and workers that the server lacked.
pub fn server_limits(seen: &Observations) -> Vec<Finding<Diagnosis>> {
    let mut found = Vec::new();
    let starved = seen.server_thread.zip(seen.server_waited);
    let starved = starved.filter(|(busy, waited)| busy + waited >= BUSY && *waited >= SHARED);
    if let Some((used, allowed)) = seen.server_cores.filter(|_| seen.server_is_busy()) {
        let text = format!(
            "The server was the limit: it used {} that it may use, and {}.",
            of_cores(used, allowed),
            match seen.server_thread {
                Some(share) if share >= BUSY => {
                    format!("its busiest thread was busy {:.0} % of the time", share * 100.0)
                }
                _ => "had none to spare".to_owned(),
            }
        );
        found.push(finding(Diagnosis::ServerBusy, text));
    } else if let Some((used, allowed)) = seen.server_cores.filter(|_| uses_all_with_load(seen)) {
        let text = format!(
            "Server and load generator used up the cores that they share: of {} the server used \
             {used:.2} and the load generator {:.2}, and threads of the server waited for a core. \
             Give each its own cores with taskset -c.",
            counted(allowed as u64, "core"),
            seen.generator_cores
        );
        found.push(finding(Diagnosis::MachineBusy, text));
    } else if let Some((busy, waited)) = starved {
        let text = format!(
            "The server had to share its cores: its busiest thread ran {:.0} % of the time and \
             waited {:.0} % for a core that another thread had. Pin server and load generator to \
             different cores with taskset -c.",
            busy * 100.0,
            waited * 100.0
        );
        found.push(finding(Diagnosis::ServerStarved, text));
    }
    if seen.queue >= 1.0 && seen.queue >= QUEUED * seen.clients as f64 {
        let text = format!(
            "The server serves fewer clients at once than there are: {:.0} of {} waited to be \
             accepted, on average. All its workers had a client, or it accepts too slowly.",
            seen.queue, seen.clients
        );
        found.push(finding(Diagnosis::WorkersTaken, text));
    }
    found
}

/// Whether the server and the load generator together kept the server's cores busy, so that the
/// server's threads had to wait for a core.
fn uses_all_with_load(seen: &Observations) -> bool {
    let Some((used, allowed)) = seen.server_cores.filter(|_| seen.shares_cores) else {
        return false;
    };
    let all = BUSY * allowed as f64;
    seen.server_cores_busy.is_some_and(|share| share >= BUSY)
        && used + seen.generator_cores >= all
        && seen.server_waiting.is_some_and(|waiting| used + waiting >= all)
}

/// The finding that other processes kept the server's cores busy and threads waited for these. Then
/// the limit can't be determined.
pub fn disturbed(seen: &Observations) -> Option<Finding<Diagnosis>> {
    let (used, allowed) = seen.server_cores?;
    let busy = seen.server_cores_busy.filter(|share| *share >= BUSY)?;
    let waiting = seen.server_waiting.unwrap_or_default();
    if waiting < SHARED && (seen.generator_waited < SHARED || !seen.shares_cores) {
        return None;
    }
    let text = format!(
        "The limit can't be determined: the cores that the server can use were busy \
         {:.0} % of the time, though it used only {}, and {waiting:.1} of its threads waited for \
         a core on average. Give it cores that no other process uses, with taskset -c.",
        busy * 100.0,
        of_cores(used, allowed)
    );
    Some(finding(Diagnosis::Disturbed, text))
}

/// The finding if no limit was observed on this machine's processors.
pub fn nothing_limits(seen: &Observations) -> Finding<Diagnosis> {
    let share = seen.think_s / (seen.think_s + seen.latency_mean_s);
    if share >= THINKING {
        let text = format!(
            "The clients were the limit: they think for {:.0} % of the time. More clients can send \
             more requests.",
            share * 100.0
        );
        return finding(Diagnosis::ClientsPaused, text);
    }
    if seen.server_cores.is_none() {
        let why = if !seen.server_is_here {
            "the server is on another machine"
        } else if seen.elapsed_s < MIN_OBSERVED_S {
            "the load was over too soon to see anything"
        } else {
            "the server's processes could not be found"
        };
        let text = format!(
            "The load generator was not the limit, which can't be determined from here: {why}."
        );
        return finding(Diagnosis::OutOfSight, text);
    }
    // If threads can't be seen, one busy thread can't be told from several half busy ones.
    if let Some((used, allowed)) = seen.server_cores.filter(|(used, _)| *used >= BUSY)
        && seen.server_thread.is_none()
    {
        let text = format!(
            "The load generator was not the limit. The server used {} that it may use; whether one \
             of its threads was busy all the time can't be seen.",
            of_cores(used, allowed)
        );
        return finding(Diagnosis::OutOfSight, text);
    }
    let text = "Neither the server nor the load generator was busy: requests waited for a store, a \
        disk, a lock, or for their turn. More clients may make more requests.";
    finding(Diagnosis::NothingBusy, text)
}
