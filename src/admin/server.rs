//! The admin server: a process that reports on the other servers, at its own address.
//!
//! It runs the same core in the same sandbox, but has its own scoreboard and its own stop
//! descriptor. So its reports do not count its own clients, and it answers until the other servers
//! have stopped.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use zerohttpd_core::app::BadTemplate;
use zerohttpd_core::{App, Limits, Templates};

use crate::ablations::Ablations;
use crate::admin::site::AdminSite;
use crate::admission::{Admission, ClientLimits};
use crate::files::{Site, builtin_template};
use crate::net::listener::{Listener, Sharing};
use crate::net::pipe;
use crate::observe::access_log::{Format, Sink};
use crate::observe::metrics::ServerInfo;
use crate::server::Server;
use crate::shared::scoreboard::Scoreboard;
use crate::store::address::Address;

/// At most this many monitors are connected at a time.
const MAX_CLIENTS: usize = 64;

/// What the admin servers of all generations have in common.
pub struct Admin {
    pub listener: Arc<Listener>,
    info: ServerInfo,
    /// The scoreboard of the other servers, to report on.
    board: Scoreboard,
    /// The scoreboard of the admin servers themselves.
    own_board: Scoreboard,
    /// The reading end of the pipe that stops them.
    stop_reader: Arc<OwnedFd>,
    /// The writing end of that pipe.
    pub stop_writer: OwnedFd,
}

impl Admin {
    pub fn new(
        listener: Arc<Listener>,
        info: ServerInfo,
        board: Scoreboard,
    ) -> Result<Admin, String> {
        let own_board =
            Scoreboard::new(0).map_err(|error| format!("can't share memory: {error}"))?;
        let (stop_reader, stop_writer) = pipe()?;
        Ok(Admin {
            listener,
            info,
            board,
            own_board,
            stop_reader: Arc::new(stop_reader),
            stop_writer,
        })
    }

    /// Builds the admin server of a generation. The admin server never uses `store`.
    pub fn server(
        &self,
        generation: u64,
        store: Address,
        drain_reader: Arc<OwnedFd>,
    ) -> Result<Server, String> {
        let template = |name| Ok::<_, BadTemplate>(builtin_template(name).to_vec());
        let templates = Templates::load(template).map_err(|error| error.to_string())?;
        let app = App { templates, limits: Limits::default(), guestbook: false, listing: false };
        let site = AdminSite { info: self.info, board: self.board };
        let log =
            Sink::onto_output(None, Format::Off).map_err(|error| format!("can't log: {error}"))?;
        let admission = Admission::new(ClientLimits::default(), 1)
            .map_err(|error| format!("can't share memory: {error}"))?;
        Ok(Server {
            listener: self.listener.clone(),
            listeners: vec![self.listener.clone()],
            sharing: Sharing::Shared,
            app: Arc::new(app),
            site: Arc::new(Site::Generated(Box::new(move |name, now| site.file(name, now)))),
            store,
            log: Arc::new(log),
            ablations: Ablations::default(),
            scoreboard: self.own_board,
            generation,
            index: 0,
            admission: Arc::new(admission),
            stop_reader: self.stop_reader.clone(),
            drain_reader,
            workers: 1,
            max_clients: MAX_CLIENTS,
        })
    }

    /// The writing end of the pipe that stops the admin servers.
    pub fn into_stop_writer(self) -> OwnedFd {
        self.stop_writer
    }

    /// The [phase memory](Scoreboard::phase_memory) of the admin servers.
    pub fn phase_memory(&self) -> io::Result<(OwnedFd, usize)> {
        self.own_board.phase_memory()
    }

    /// Makes the admin servers of earlier generations drain.
    pub fn supersede(&self, generation: u64) {
        self.own_board.supersede(generation);
    }

    /// Makes all admin servers stop.
    pub fn stop(&self) {
        self.own_board.stop();
        let _ = rustix::io::write(&self.stop_writer, b"!");
    }
}
