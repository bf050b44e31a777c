//! A page of remarks, one after the other in one buffer.

use alloc::vec::Vec;

/// Remarks as the store keeps them: any bytes, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remarks {
    text: Vec<u8>,
    /// Where each remark ends in `text`.
    ends: Vec<usize>,
}

impl Remarks {
    /// Adds a remark that is newer than all before it.
    pub fn push(&mut self, remark: &[u8]) {
        self.text.extend_from_slice(remark);
        self.ends.push(self.text.len());
    }

    /// How many there are.
    #[allow(clippy::len_without_is_empty)] // Nobody asks.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The remarks, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ends.len()).rev().map(|index| {
            let start = if index == 0 { 0 } else { self.ends[index - 1] };
            &self.text[start..self.ends[index]]
        })
    }
}

impl<'a> FromIterator<&'a [u8]> for Remarks {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(remarks: I) -> Remarks {
        let mut all = Remarks::default();
        remarks.into_iter().for_each(|remark| all.push(remark));
        all
    }
}
