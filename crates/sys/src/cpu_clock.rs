//! clock_getcpuclockid(3): the processor time of another process in nanoseconds, which proc(5) has
//! only in ticks of 10 ms.

use std::mem::MaybeUninit;
use std::time::Duration;

/// The processor time of all threads of a process, including threads that have ended. `None` if the
/// process does not exist.
pub fn time_of_process(pid: u32) -> Option<Duration> {
    let mut clock = MaybeUninit::<libc::clockid_t>::zeroed();
    // SAFETY: the pointer is to memory of its type, which lives through the call.
    let error = unsafe { libc::clock_getcpuclockid(pid as libc::pid_t, clock.as_mut_ptr()) };
    if error != 0 {
        return None;
    }
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: zero is a valid clock, and so is what the call wrote; the pointer is valid.
    let result = unsafe { libc::clock_gettime(clock.assume_init(), time.as_mut_ptr()) };
    // SAFETY: all zeroes are a valid timespec, and so is what the kernel writes.
    let time = unsafe { time.assume_init() };
    (result == 0).then(|| Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_clock_of_a_process_advances_and_an_unused_pid_has_none() {
        let before = time_of_process(std::process::id()).expect("this process lives");
        let busy = (0..100_000_u64).fold(0, |sum: u64, n| sum.wrapping_mul(31).wrapping_add(n));
        let after = time_of_process(std::process::id()).expect("this process lives");
        assert!(after > before, "{busy}: {before:?}, then {after:?}");
        // Above the largest number that a process can have.
        assert_eq!(time_of_process(1 << 23), None);
    }
}
