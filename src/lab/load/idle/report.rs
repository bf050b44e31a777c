//! What a holder tells of its clients: numbers in a pipe, eight bytes each, so that those of
//! several processes never mix (pipe(7)).

use std::io;
use std::os::fd::OwnedFd;

use super::super::failure::Failure;

/// Something that happened to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// It had its first answer, and is held.
    In,
    /// It never had one.
    Failed(Failure),
    /// It was asked after, and answered after so many microseconds.
    Answered(u32),
    /// It was held, and is no more.
    Lost(Failure),
    /// It was asked after long ago, and had not been answered at the end.
    Unanswered,
}

const BYTES: usize = size_of::<u64>();

/// What a pipe takes in one piece (`PIPE_BUF`, pipe(7)).
const PIECE: usize = 4096;

impl Report {
    fn to_number(self) -> u64 {
        let (kind, value) = match self {
            Report::In => (0, 0),
            Report::Failed(failure) => (1, failure as u32),
            Report::Answered(us) => (2, us),
            Report::Lost(failure) => (3, failure as u32),
            Report::Unanswered => (4, 0),
        };
        kind << 32 | u64::from(value)
    }

    fn from_number(number: u64) -> Option<Report> {
        let value = number as u32;
        let failure = || Failure::ALL.get(value as usize).copied();
        Some(match number >> 32 {
            0 => Report::In,
            1 => Report::Failed(failure()?),
            2 => Report::Answered(value),
            3 => Report::Lost(failure()?),
            4 => Report::Unanswered,
            _ => return None,
        })
    }

    /// Reads what a pipe gave.
    pub fn read_all(bytes: &[u8], note: impl FnMut(Report)) {
        let numbers = bytes.as_chunks::<BYTES>().0.iter();
        numbers
            .filter_map(|number| Report::from_number(u64::from_ne_bytes(*number)))
            .for_each(note);
    }
}

/// The end of the pipe into which a holder writes.
pub struct Reports {
    pipe: OwnedFd,
    unsent: Vec<u8>,
}

impl Reports {
    /// Nothing was reported yet.
    pub fn new(pipe: OwnedFd) -> Reports {
        Reports { pipe, unsent: Vec::with_capacity(PIECE) }
    }

    /// Reports something, soon.
    pub fn tell(&mut self, report: Report) {
        self.unsent.extend_from_slice(&report.to_number().to_ne_bytes());
    }

    /// Writes what was reported.
    ///
    /// # Errors
    ///
    /// Nobody reads it any more.
    pub fn flush(&mut self) -> io::Result<()> {
        for piece in self.unsent.chunks(PIECE) {
            rustix::io::retry_on_intr(|| rustix::io::write(&self.pipe, piece))?;
        }
        self.unsent.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_heard() {
        let mut told = vec![Report::In, Report::Answered(0), Report::Answered(u32::MAX)];
        told.push(Report::Unanswered);
        told.extend(Failure::ALL.map(Report::Failed));
        told.extend(Failure::ALL.map(Report::Lost));
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let mut reports = Reports::new(writer);
        told.iter().for_each(|report| reports.tell(*report));
        reports.flush().unwrap();
        let mut bytes = [0; PIECE];
        let count = rustix::io::read(&reader, &mut bytes).unwrap();
        let mut heard = Vec::new();
        Report::read_all(&bytes[..count], |report| heard.push(report));
        assert_eq!(heard, told);
        assert_eq!(Report::from_number(5 << 32), None);
        assert_eq!(Report::from_number(1 << 32 | 99), None);
    }
}
