//! The admin's server: one that reports on the others, at an address of its own.
//!
//! It is a server like they are, with the same core in front and as confined, but it has a process,
//! a scoreboard and a stop of its own: it counts nothing, and answers until they have stopped.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use zero_core::app::BadTemplate;
use zero_core::{App, Limits, Templates};

use crate::crowd::{Bounds, Crowd};
use crate::habits::Habits;
use crate::listener::{Listener, Sharing};
use crate::log::{Format, Sink};
use crate::metrics::About;
use crate::scoreboard::Scoreboard;
use crate::server::Server;
use crate::site::{Reports, Site, builtin_template};
use crate::store::address::Address;

/// Monitors that may be connected at a time.
const CLIENTS: usize = 64;

/// What the admin's server is made of, in each generation.
pub struct Admin {
    pub listener: Arc<Listener>,
    about: About,
    /// That of the servers, to report on.
    board: Scoreboard,
    /// Its own.
    own_board: Scoreboard,
    stopped: Arc<OwnedFd>,
    /// A byte written there stops it.
    pub stop: OwnedFd,
}

impl Admin {
    pub fn new(listener: Arc<Listener>, about: About, board: Scoreboard) -> Result<Admin, String> {
        let own_board =
            Scoreboard::new(0).map_err(|error| format!("can't share memory: {error}"))?;
        let (stopped, stop) = super::pipe()?;
        Ok(Admin { listener, about, board, own_board, stopped: Arc::new(stopped), stop })
    }

    /// The server of a generation. It never asks the store.
    pub fn server(
        &self,
        generation: u64,
        store: Address,
        succeeded: Arc<OwnedFd>,
    ) -> Result<Server, String> {
        let template = |name| Ok::<_, BadTemplate>(builtin_template(name).to_vec());
        let templates = Templates::load(template).map_err(|error| error.to_string())?;
        let app = App { templates, limits: Limits::default(), guestbook: false, listing: false };
        let reports = Reports { about: self.about, board: self.board };
        let log =
            Sink::onto_output(None, Format::Off).map_err(|error| format!("can't log: {error}"))?;
        let crowd = Crowd::new(Bounds::default(), 1)
            .map_err(|error| format!("can't share memory: {error}"))?;
        Ok(Server {
            listener: self.listener.clone(),
            listeners: vec![self.listener.clone()],
            sharing: Sharing::Shared,
            app: Arc::new(app),
            site: Arc::new(Site::Reports(reports)),
            store,
            log: Arc::new(log),
            habits: Habits::default(),
            scoreboard: self.own_board,
            generation,
            index: 0,
            crowd: Arc::new(crowd),
            stop: self.stopped.clone(),
            succeeded,
            workers: 1,
            most_clients: CLIENTS,
            exhausted: AtomicBool::new(false),
        })
    }

    /// Has those of earlier generations wind down.
    pub fn supersede(&self, generation: u64) {
        self.own_board.supersede(generation);
    }

    /// Has all of them stop.
    pub fn stop(&self) {
        self.own_board.stop();
        let _ = rustix::io::write(&self.stop, b"!");
    }
}
