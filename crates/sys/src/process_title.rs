//! Process titles, which ps(1) shows in place of the command line. They are written over the memory
//! from which the kernel reads the arguments (`arg_start` in proc_pid_stat(5)), as in nginx and
//! PostgreSQL.

use std::ffi::{CStr, CString, c_char};
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::fork::require_one_thread;

/// The prefix of each title.
const PREFIX: &str = "zerohttpd: ";

/// The size of a title in bytes, with the NUL at its end. If the arguments take less, titles also
/// use the beginning of the environment, which follows the arguments in memory.
const ROOM: usize = 96;

// SAFETY: the C library has a variable of this type and name.
unsafe extern "C" {
    /// The variables of the environment (environ(7)).
    static environ: *mut *mut c_char;
}

/// The memory in which titles are written.
static AREA: OnceLock<&'static [AtomicU8]> = OnceLock::new();

/// Makes room for titles, if the process has one thread: copies the arguments and the environment
/// to other memory, and makes the program read them there. If /proc does not show their addresses,
/// ps(1) continues to show the command line.
pub fn make_room() {
    if AREA.get().is_none()
        && require_one_thread().is_ok()
        && let Some(area) = clear_area()
    {
        let _ = AREA.set(area);
    }
}

/// Makes ps(1) show this title after the name of the program. A title that is too long is cut. No
/// system call is made, so a child that serves one client can afford it. Children inherit the room
/// for titles.
pub fn set(title: &str) {
    let Some(area) = AREA.get() else { return };
    let text = PREFIX.bytes().chain(title.bytes()).take(area.len().saturating_sub(1));
    for (byte, new) in area.iter().zip(text.chain(std::iter::repeat(0))) {
        byte.store(new, Relaxed);
    }
}

fn clear_area() -> Option<&'static [AtomicU8]> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    // The first of `fields` is the third field of the file: the state, which follows the name.
    let field = |number: usize| fields.get(number - 3)?.parse::<usize>().ok();
    let (stack, arguments) = (field(28)?, field(48)?..field(49)?);
    let environment = field(50)?..field(51)?;
    let is_expected = stack != 0
        && !arguments.is_empty()
        && arguments.end == environment.start
        && environment.start <= environment.end;
    if !is_expected {
        return None;
    }
    let room = ROOM.min(environment.end - arguments.start);
    let area = arguments.start..arguments.end.max(arguments.start + room);
    let count = std::ptr::with_exposed_provenance::<usize>(stack);
    let list = std::ptr::with_exposed_provenance_mut::<*mut c_char>(stack + size_of::<usize>());
    // SAFETY: a program starts with its stack pointing at the number of its arguments, and the list
    // of them behind that (the ABI's process initialization; `start_stack` in proc_pid_stat(5)).
    // Nothing else reads or writes either list meanwhile, because there is one thread. The area is
    // memory of this process that stays mapped, and nothing but titles is in it from here on.
    unsafe {
        if *count != std::env::args_os().len() || (*list).addr() != arguments.start {
            return None;
        }
        move_away(list, &area);
        move_away(environ, &area);
        Some(std::slice::from_raw_parts(std::ptr::with_exposed_provenance(area.start), room))
    }
}

/// Copies each string that begins within an area to other memory, and clears the original.
///
/// # Safety
///
/// `list` has pointers to C strings and a null pointer at its end. Nothing else uses the list or
/// the area.
unsafe fn move_away(list: *mut *mut c_char, area: &Range<usize>) {
    let mut entry = list;
    // SAFETY: as the caller promises.
    unsafe {
        while !entry.is_null() && !(*entry).is_null() {
            if area.contains(&(*entry).addr()) {
                let (old, text) = (*entry, CString::from(CStr::from_ptr(*entry)));
                std::ptr::write_bytes(old, 0, text.as_bytes().len());
                *entry = text.into_raw();
            }
            entry = entry.add(1);
        }
    }
}
