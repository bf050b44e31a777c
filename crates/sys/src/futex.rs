//! futex(2): waits until any process changes a number in shared memory.

use std::ptr;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Sleeps while the lower half of `number` is `expected`, at most for `time`. A signal can end the
/// sleep earlier.
pub fn wait(number: &AtomicU64, expected: u32, time: Duration) {
    let time = libc::timespec {
        tv_sec: time.as_secs() as libc::time_t,
        tv_nsec: time.subsec_nanos() as libc::c_long,
    };
    let futex = lower_half(number);
    // SAFETY: both pointers are valid through the call, and the kernel only reads from them.
    unsafe { libc::syscall(libc::SYS_futex, futex, libc::FUTEX_WAIT, expected, &raw const time) };
}

/// Wakes one process or thread that waits for `number` to change.
pub fn wake_one(number: &AtomicU64) {
    let futex = lower_half(number);
    // SAFETY: the kernel only compares the address with those that processes wait at.
    unsafe { libc::syscall(libc::SYS_futex, futex, libc::FUTEX_WAKE, 1) };
}

/// A futex has 32 bits on every machine, so this is the lower half of the number.
fn lower_half(number: &AtomicU64) -> *const u32 {
    let halves = ptr::from_ref(number).cast::<u32>();
    halves.wrapping_add(usize::from(cfg!(target_endian = "big")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::SeqCst;

    #[test]
    fn a_thread_that_waits_is_woken_once_the_number_has_changed() {
        let number = AtomicU64::new(7);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                while number.load(SeqCst) == 7 {
                    wait(&number, 7, Duration::from_secs(60));
                }
            });
            number.store(8, SeqCst);
            while !waiting.is_finished() {
                wake_one(&number);
            }
        });
        // If the number has changed already, this returns at once.
        wait(&number, 7, Duration::MAX);
    }
}
