//! Builds servers: opens and checks everything that they need.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::OFlags;
use zerohttpd_core::app::BadTemplate;
use zerohttpd_core::{App, Templates};
use zerohttpd_sys::say;

use crate::admission::Admission;
use crate::arch::Workers;
use crate::files::{self, Denials, Site};
use crate::net::listener::Listener;
use crate::observe::access_log::{self, Format, Sink};
use crate::options::Options;
use crate::server::Server;
use crate::shared::scoreboard::Scoreboard;
use crate::store::address::Address;
use crate::supervisor::descriptors::Descriptors;
use crate::supervisor::sockets;

/// What the servers of a generation have in common.
pub struct Generation<'a> {
    /// Standard output, if the log goes there.
    pub output: Option<&'a OwnedFd>,
    /// The open log of the predecessor, used if the file can't be opened again.
    pub predecessor_log: Option<&'a OwnedFd>,
    pub scoreboard: Scoreboard,
    pub generation: u64,
    /// The reading end of the pipe that stops all servers of this program.
    pub stop_reader: Arc<OwnedFd>,
    /// The reading end of the pipe that makes this generation drain once the next one is started.
    pub drain_reader: Arc<OwnedFd>,
}

/// Builds a generation of servers, ready to accept.
pub fn servers(
    options: &Options,
    listeners: &[Arc<Listener>],
    store: Address,
    shared: Generation<'_>,
) -> Result<Vec<Server>, String> {
    let log = open_log(options, shared.output).or_else(|message| {
        let Some(open) = shared.predecessor_log else { return Err(message) };
        say!("zerohttpd: {message}; going on with the log that is open");
        let log = open.try_clone().and_then(|open| Sink::onto(open, options.log_format));
        log.map_err(|error| log_error(options, &error))
    })?;
    let files = open_files(options, log)?;
    for listener in listeners {
        listener
            .limit_delivery(&options.limits)
            .map_err(|error| format!("can't limit the time of delivery: {error}"))?;
    }
    let descriptors = Descriptors::raise_limit();
    let max_clients = descriptors
        .clients(options.arch, listeners.len())
        .min(options.clients.clients.unwrap_or(usize::MAX));
    let workers = match options.arch.workers {
        Workers::Pool => descriptors.workers(options.arch, options.workers),
        Workers::None | Workers::Processes => 1,
    };
    let count = sockets::server_count(options, listeners.len());
    files.site.share_among(count);
    if let Some(root) = options.root.clone() {
        files.site.report_denials_to(Denials { board: shared.scoreboard, root });
    }
    let admission = Admission::new(options.clients, count)
        .map_err(|error| format!("can't share memory: {error}"))?;
    let admission = Arc::new(admission);
    let server = |index: usize| Server {
        listener: listeners[index % listeners.len()].clone(),
        listeners: listeners.to_vec(),
        sharing: options.sharing,
        app: files.app.clone(),
        site: files.site.clone(),
        store: store.clone(),
        log: files.log.clone(),
        ablations: options.ablations,
        scoreboard: shared.scoreboard,
        generation: shared.generation,
        index,
        admission: admission.clone(),
        stop_reader: shared.stop_reader.clone(),
        drain_reader: shared.drain_reader.clone(),
        workers,
        max_clients,
    };
    Ok((0..count).map(server).collect())
}

/// The site, the templates (in `app`) and the log of a generation.
pub struct GenerationFiles {
    app: Arc<App>,
    site: Arc<Site>,
    log: Arc<Sink>,
}

/// Opens the site and the templates as they are now.
pub fn open_files(options: &Options, log: Sink) -> Result<GenerationFiles, String> {
    let site = match &options.root {
        None => Site::builtin(),
        Some(folder) => Site::open(folder, options.symlinks)
            .map_err(|error| folder_error("site", folder, &error))?,
    };
    let app = App {
        templates: templates(options)?,
        limits: options.limits.clone(),
        guestbook: options.has_guestbook(),
        listing: options.listing,
    };
    Ok(GenerationFiles { app: Arc::new(app), site: Arc::new(site), log: Arc::new(log) })
}

fn open_log(options: &Options, output: Option<&OwnedFd>) -> Result<Sink, String> {
    match &options.log_file {
        Some(file) => Sink::open(file, options.log_format),
        None => Sink::onto_output(output, options.log_format),
    }
    .map_err(|error| log_error(options, &error))
}

/// The message about a log that can't be written.
pub fn log_error(options: &Options, error: &io::Error) -> String {
    let file = options.log_file.as_deref().unwrap_or(Path::new("standard output"));
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "; make its folder, or name another file with --log-file",
        io::ErrorKind::IsADirectory => "; name a file in it with --log-file",
        _ => "",
    };
    format!("can't log to {}: {error}{advice}", file.display())
}

/// Standard output, if the log goes there. All generations of servers use this descriptor, because
/// it might not be possible to open standard output again without root's rights.
///
/// # Errors
///
/// A write to standard output could block.
pub fn open_output(options: &Options) -> Result<Option<OwnedFd>, String> {
    if options.log_file.is_some() || options.log_format == Format::Off {
        return Ok(None);
    }
    match access_log::standard_output() {
        Ok(output) => Ok(Some(output)),
        Err(errno) => {
            let error = log_error(options, &errno.into());
            Err(format!("{error}; name a file with --log-file"))
        }
    }
}

/// The message about a folder that can't be served.
pub fn folder_error(what: &str, folder: &Path, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "there is no such folder".to_owned(),
        io::ErrorKind::NotADirectory => "it is not a folder".to_owned(),
        io::ErrorKind::PermissionDenied => "this user is not allowed to read it".to_owned(),
        _ => error.to_string(),
    };
    let option = if what == "site" { "--root" } else { "--templates" };
    format!("can't serve the {what} in {}: {why}; name another with {option}", folder.display())
}

/// The templates of the folder. Templates that the folder lacks are the compiled-in ones.
fn templates(options: &Options) -> Result<Templates, String> {
    if let Some(folder) = &options.templates {
        std::fs::read_dir(folder).map_err(|error| folder_error("templates", folder, &error))?;
    }
    let load = |name: &str| -> Result<Vec<u8>, TemplateError> {
        let Some(folder) = &options.templates else {
            return Ok(files::builtin_template(name).into());
        };
        match read_regular(&folder.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(files::builtin_template(name).into())
            }
            read => read.map_err(|error| TemplateError(format!("{name}: {error}"))),
        }
    };
    Templates::load(load).map_err(|TemplateError(message)| match &options.templates {
        None => message,
        Some(folder) => format!("{message} (in {})", folder.display()),
    })
}

/// The content of a regular file. A named pipe is an error, and does not block.
fn read_regular(file: &Path) -> io::Result<Vec<u8>> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).custom_flags(OFlags::NONBLOCK.bits() as i32);
    let mut opened = options.open(file)?;
    if !opened.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut content = Vec::new();
    opened.read_to_end(&mut content)?;
    Ok(content)
}

struct TemplateError(String);

impl From<BadTemplate> for TemplateError {
    fn from(error: BadTemplate) -> TemplateError {
        TemplateError(error.to_string())
    }
}
