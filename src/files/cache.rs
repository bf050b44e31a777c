//! A cache of values by path, limited in bytes. It evicts the least recently used entries. The site
//! has one cache for files and one for listings of folders.

use lru::LruCache;
use zerohttpd_core::SitePath;

/// An entry is checked again when it is this old, so that a change shows within a second.
pub const FRESH_MS: u64 = 900;

/// Each entry counts as this many bytes more than its value. So the limit also holds for empty
/// files, and for large files, whose content is not kept.
const ENTRY_BYTES: u64 = 1024;

/// Values by path.
pub struct Cache<V> {
    entries: LruCache<SitePath, (V, u64)>,
    bytes: u64,
    max_bytes: u64,
    /// This many entries are never evicted.
    min_entries: usize,
}

impl<V> Cache<V> {
    /// An empty cache for at most `max_bytes`, but always for `min_entries` entries.
    pub fn new(max_bytes: u64, min_entries: usize) -> Cache<V> {
        Cache { entries: LruCache::unbounded(), bytes: 0, max_bytes, min_entries }
    }

    /// Changes the limit in bytes. The next [`put`](Cache::put) applies it.
    pub fn set_max_bytes(&mut self, max_bytes: u64) {
        self.max_bytes = max_bytes;
    }

    /// The value of a path, which becomes the most recently used.
    pub fn get(&mut self, path: &SitePath) -> Option<&V> {
        self.entries.get(path).map(|(value, _)| value)
    }

    /// The value of a path. Does not count as a use.
    pub fn peek(&self, path: &SitePath) -> Option<&V> {
        self.entries.peek(path).map(|(value, _)| value)
    }

    /// Removes the value of a path.
    pub fn take(&mut self, path: &SitePath) -> Option<V> {
        let (value, bytes) = self.entries.pop(path)?;
        self.bytes -= bytes;
        Some(value)
    }

    /// Adds a value that takes this many bytes, and evicts others if the limit is exceeded.
    pub fn put(&mut self, path: SitePath, value: V, bytes: u64) {
        self.take(&path);
        let bytes = ENTRY_BYTES + bytes;
        self.bytes += bytes;
        self.entries.put(path, (value, bytes));
        while self.bytes > self.max_bytes
            && self.entries.len() > self.min_entries
            && let Some((_, (_, oldest))) = self.entries.pop_lru()
        {
            self.bytes -= oldest;
        }
    }
}
