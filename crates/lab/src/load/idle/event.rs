//! Reports of a holder, a process that holds idle clients, about these clients: numbers of eight
//! bytes in a pipe. Each write is atomic, so the numbers of several processes do not mix (pipe(7)).

use std::io;
use std::os::fd::OwnedFd;

use crate::failure::Failure;

/// An event of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// It had its first answer, and is held.
    FirstAnswer,
    /// It failed before its first answer.
    Failed(Failure),
    /// It was probed, and got its answer after this many microseconds.
    Answered(u32),
    /// It was held, and is lost.
    Lost(Failure),
    /// At the end, its probe had waited for longer than [`LATE_US`](super::outcome::LATE_US).
    Unanswered,
}

const BYTES: usize = size_of::<u64>();

/// The largest write to a pipe that is atomic (`PIPE_BUF`, pipe(7)).
const ATOMIC_WRITE: usize = 4096;

impl ClientEvent {
    fn to_number(self) -> u64 {
        let (kind, value) = match self {
            ClientEvent::FirstAnswer => (0, 0),
            ClientEvent::Failed(failure) => (1, failure as u32),
            ClientEvent::Answered(us) => (2, us),
            ClientEvent::Lost(failure) => (3, failure as u32),
            ClientEvent::Unanswered => (4, 0),
        };
        kind << 32 | u64::from(value)
    }

    fn from_number(number: u64) -> Option<ClientEvent> {
        let value = number as u32;
        let failure = || Failure::ALL.get(value as usize).copied();
        Some(match number >> 32 {
            0 => ClientEvent::FirstAnswer,
            1 => ClientEvent::Failed(failure()?),
            2 => ClientEvent::Answered(value),
            3 => ClientEvent::Lost(failure()?),
            4 => ClientEvent::Unanswered,
            _ => return None,
        })
    }

    /// Reads events from the pipe.
    pub fn read_all(bytes: &[u8], note: impl FnMut(ClientEvent)) {
        let numbers = bytes.as_chunks::<BYTES>().0.iter();
        numbers
            .filter_map(|number| ClientEvent::from_number(u64::from_ne_bytes(*number)))
            .for_each(note);
    }
}

/// The writing end of the pipe, in a holder.
pub struct EventPipe {
    pipe: OwnedFd,
    unsent: Vec<u8>,
}

impl EventPipe {
    /// A pipe without buffered events.
    pub fn new(pipe: OwnedFd) -> EventPipe {
        EventPipe { pipe, unsent: Vec::with_capacity(ATOMIC_WRITE) }
    }

    /// Buffers an event until the next [`EventPipe::flush`].
    pub fn buffer(&mut self, event: ClientEvent) {
        self.unsent.extend_from_slice(&event.to_number().to_ne_bytes());
    }

    /// Writes the buffered events.
    ///
    /// # Errors
    ///
    /// The reading end is closed.
    pub fn flush(&mut self) -> io::Result<()> {
        for chunk in self.unsent.chunks(ATOMIC_WRITE) {
            rustix::io::retry_on_intr(|| rustix::io::write(&self.pipe, chunk))?;
        }
        self.unsent.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_they_were_written() {
        let mut written = vec![
            ClientEvent::FirstAnswer,
            ClientEvent::Answered(0),
            ClientEvent::Answered(u32::MAX),
        ];
        written.push(ClientEvent::Unanswered);
        written.extend(Failure::ALL.map(ClientEvent::Failed));
        written.extend(Failure::ALL.map(ClientEvent::Lost));
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let mut events = EventPipe::new(writer);
        written.iter().for_each(|event| events.buffer(*event));
        events.flush().unwrap();
        let mut bytes = [0; ATOMIC_WRITE];
        let count = rustix::io::read(&reader, &mut bytes).unwrap();
        let mut read = Vec::new();
        ClientEvent::read_all(&bytes[..count], |event| read.push(event));
        assert_eq!(read, written);
        assert_eq!(ClientEvent::from_number(5 << 32), None);
        assert_eq!(ClientEvent::from_number(1 << 32 | 99), None);
    }
}
