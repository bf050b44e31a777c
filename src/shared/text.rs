//! A short text in shared memory. Any process can write it, but writes are rare. A reader sees one
//! whole text, unless the text is replaced again and again while it reads.

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use zerohttpd_sys::shared_memory::Shared;

/// The text is cut to this many bytes.
const BYTES: usize = 256;

/// A buffer has a word with the length, then words with the bytes.
const BUFFER_WORDS: usize = 1 + BYTES / 8;

/// Writers take the buffers in turn, so that no process waits for a writer that was killed.
const BUFFERS: usize = 4;

/// Two words come before the buffers: how many buffers were taken, and which one to read.
const WORDS: usize = 2 + BUFFERS * BUFFER_WORDS;

/// The text, empty at first.
#[derive(Clone, Copy)]
pub struct SharedText(&'static [AtomicU64]);

impl SharedText {
    /// An empty text for this process and its future children.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new() -> io::Result<SharedText> {
        Ok(SharedText(Shared::new(WORDS)?.leak()))
    }

    /// How many buffers were taken.
    fn taken(&self) -> &AtomicU64 {
        &self.0[0]
    }

    /// The number of the buffer to read.
    fn current(&self) -> &AtomicU64 {
        &self.0[1]
    }

    fn buffer(&self, number: u64) -> &[AtomicU64] {
        let at = 2 + (number as usize % BUFFERS) * BUFFER_WORDS;
        &self.0[at..at + BUFFER_WORDS]
    }

    /// Replaces the text, which is cut to 256 bytes.
    pub fn set(&self, text: &str) {
        let limit = text.len().min(BYTES);
        let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        let text = &text.as_bytes()[..end];
        let number = 1 + self.taken().fetch_add(1, SeqCst);
        let buffer = self.buffer(number);
        for (word, bytes) in buffer[1..].iter().zip(text.chunks(8)) {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_ne_bytes(whole), SeqCst);
        }
        buffer[0].store(text.len() as u64, SeqCst);
        self.current().store(number, SeqCst);
    }

    /// The text. If other processes replace it eight times during the call, it can be a mixture.
    pub fn get(&self) -> String {
        // After this many attempts, a mixture of texts is accepted.
        const ATTEMPTS: usize = 8;
        let mut bytes = Vec::new();
        for _ in 0..ATTEMPTS {
            let number = self.current().load(SeqCst);
            let buffer = self.buffer(number);
            let len = (buffer[0].load(SeqCst) as usize).min(BYTES);
            bytes = buffer[1..].iter().flat_map(|word| word.load(SeqCst).to_ne_bytes()).collect();
            bytes.truncate(len);
            // The fourth writer after this text's writer reuses the buffer.
            if self.taken().load(SeqCst) < number + BUFFERS as u64 {
                break;
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_the_end_of_a_character() {
        let text = SharedText::new().unwrap();
        assert_eq!(text.get(), "");
        for set in ["a", "", "a longer one", "é"] {
            text.set(set);
            assert_eq!(text.get(), set);
        }
        text.set(&format!("x{}", "é".repeat(BYTES)));
        assert_eq!(text.get(), format!("x{}", "é".repeat((BYTES - 1) / 2)));
    }

    #[test]
    fn a_text_can_be_read_while_it_is_replaced() {
        let text = SharedText::new().unwrap();
        text.set("");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for turn in 0..20_000 {
                    text.set(&["a", "b"][turn % 2].repeat(turn % 200));
                    if turn % 16 == 0 {
                        std::thread::yield_now();
                    }
                }
            });
            for _ in 0..2000 {
                // If this thread is delayed eight times in a row, the text can be a mixture.
                assert!(text.get().len() <= 200);
            }
        });
        assert_eq!(text.get(), "b".repeat(199));
    }
}
