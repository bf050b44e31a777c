//! Generations of servers. The supervisor starts the next generation to open the site, the
//! templates and the log anew. Then the previous generation drains.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use sd_notify::NotifyState;
use zerohttpd_sys::say;

use crate::clock;
use crate::net::pipe;
use crate::supervisor::build;
use crate::supervisor::child::{Child, Role};
use crate::supervisor::notify::tell_service_manager;
use crate::supervisor::root_watch::RootChange;
use crate::supervisor::state::{MOST_DRAINING, Supervisor};

impl Supervisor<'_> {
    /// Opens the site, the templates and the log anew. While too many generations drain, the reload
    /// is postponed.
    pub fn reload(&mut self) {
        self.lookup.is_due = true;
        let reloading = [NotifyState::Reloading]
            .into_iter()
            .chain(NotifyState::monotonic_usec_now())
            .collect::<Vec<_>>();
        tell_service_manager(&reloading);
        self.is_reload_due = !self.servers.is_empty() && self.draining() >= MOST_DRAINING;
        if self.is_reload_due {
            say!(
                "zerohttpd: {MOST_DRAINING} generations of servers are still draining; opening the \
                 site, the templates and the log anew once one of them has ended"
            );
            // `systemctl reload` must not wait for clients. The postponed reload notifies again.
            return tell_service_manager(&[NotifyState::Ready]);
        }
        match self.next_generation() {
            Ok(()) => say!("zerohttpd: the site, the templates and the log were opened anew"),
            Err(message) if self.servers.is_empty() => self.postpone_first_generation(&message),
            Err(message) => say!("zerohttpd: {message}; going on as before"),
        }
        tell_service_manager(&[NotifyState::Ready]);
    }

    /// Starts servers with the files, the templates and the log as they are now, and makes the
    /// previous generations drain.
    pub fn next_generation(&mut self) -> Result<(), String> {
        let store = self.store.clone();
        let stop_reader = self.stop_reader.clone().ok_or("the servers are being stopped")?;
        let (drain_reader, drain_writer) = pipe()?;
        let drain_reader = Arc::new(drain_reader);
        let generation = self.generation + 1;
        let admin_server = self
            .admin
            .as_ref()
            .map(|admin| admin.server(generation, store.clone(), drain_reader.clone()))
            .transpose()?;
        let servers = build::servers(
            self.options,
            &self.listeners,
            store,
            build::Generation {
                output: self.output.as_ref(),
                predecessor_log: self.predecessor.log.as_ref(),
                scoreboard: self.scoreboard,
                generation,
                stop_reader,
                drain_reader,
            },
        )?;
        // This closes the files of the previous generation. If the new servers inherited them, a
        // removed log file would keep its disk space as long as they run.
        self.servers = servers;
        self.admin_server = admin_server;
        self.generation = generation;
        // The pipe has to be stored before the forks: `drop_supervisor_fds` closes it in each
        // child.
        self.drain_writers.push(drain_writer);
        self.scoreboard.generation.store(generation, Relaxed);
        let roles = (0..self.servers.len()).map(|index| Role::Server { generation, index });
        let admin = self.admin.iter().map(|_| Role::Admin { generation });
        for role in roles.chain(admin).collect::<Vec<_>>() {
            if let Err(message) = self.start(role, 0) {
                if generation == 1 && !self.is_successor {
                    return Err(message);
                }
                say!("zerohttpd: {message}; trying again");
                self.children.push(Child::to_start_later(role, 0));
            }
        }
        let newest = self.drain_writers.split_off(self.drain_writers.len().saturating_sub(1));
        self.drain_before(generation);
        self.drain_writers = newest;
        // Children of earlier generations are not restarted.
        self.children.retain(|child| child.pid.is_some() || child.role.is_needed(generation));
        Ok(())
    }

    /// Makes all servers of earlier generations drain.
    fn drain_before(&mut self, generation: u64) {
        self.scoreboard.supersede(generation);
        self.predecessor.supersede(generation);
        self.admin.iter().for_each(|admin| admin.supersede(generation));
        for pipe in self.drain_writers.drain(..) {
            let _ = rustix::io::write(&pipe, b"!");
        }
    }

    /// How many earlier generations still have clients.
    pub fn draining(&self) -> usize {
        let generations = self.children.iter().filter_map(|child| child.role.generation());
        let mut old: Vec<u64> =
            generations.filter(|generation| *generation != self.generation).collect();
        old.sort_unstable();
        old.dedup();
        old.len()
    }

    /// When the supervisor next checks the site's path, if the site is a folder.
    pub fn next_root_check_ms(&self) -> Option<u64> {
        let server = self.servers.first()?;
        server.site.root().map(|_| self.root_watch.next_ms)
    }

    /// Checks the site's path if that is due, and reloads if it leads to another folder.
    pub fn watch_root(&mut self) {
        let site = self.servers.first().and_then(|server| server.site.root());
        let (Some(path), Some(served)) = (&self.options.root, site) else { return };
        let shown = path.display();
        match self.root_watch.check(path, served, clock::now().ms) {
            RootChange::None => return,
            RootChange::Back => say!("zerohttpd: the site {shown} is back"),
            RootChange::Gone(errno) => {
                say!("zerohttpd: the site {shown} is gone: {errno}; put a folder there");
            }
            // The postponed reload will open the other folder.
            RootChange::Other if self.is_reload_due => {}
            RootChange::Other => {
                say!("zerohttpd: {shown} leads to another folder now");
                let generation = self.generation;
                self.reload();
                self.root_watch.leads_elsewhere = self.generation == generation;
            }
        }
        self.scoreboard.site_gone.store(self.root_watch.leads_elsewhere.into(), Relaxed);
    }
}
