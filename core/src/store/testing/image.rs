//! An image of a file with a few slots changed: as cheap as what is changed.

use super::SLOT;
use std::collections::HashMap;
use std::io::{Error, ErrorKind, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A file in memory over an image that many share; what is written to it stays its own. Clones are the same file.
#[derive(Clone)]
pub struct Image(Arc<Mutex<View>>);

struct View {
    base: Arc<Vec<u8>>,
    /// Slots that differ from the base.
    own: HashMap<usize, Box<[u8]>>,
    length: usize,
}

impl Image {
    /// The image as it is.
    pub fn of(base: &Arc<Vec<u8>>) -> Image {
        Image(Arc::new(Mutex::new(View { base: base.clone(), own: HashMap::new(), length: base.len() })))
    }
    /// The image with one bit flipped.
    pub fn flipped(base: &Arc<Vec<u8>>, bit: usize) -> Image {
        let image = Image::of(base);
        image.view().slot(bit / 8 / SLOT)[bit / 8 % SLOT] ^= 1 << (bit % 8);
        image
    }
    /// Puts other bytes in the place of a slot.
    pub fn put(&self, slot: usize, bytes: &[u8]) {
        self.view().slot(slot)[..bytes.len()].copy_from_slice(bytes);
    }
    /// The content.
    pub fn bytes(&self) -> Vec<u8> {
        let view = self.view();
        let mut bytes = vec![0; view.length];
        view.read(0, &mut bytes);
        bytes
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    fn slot(&mut self, slot: usize) -> &mut [u8] {
        let base = &self.base;
        self.own.entry(slot).or_insert_with(|| {
            let mut bytes = vec![0; SLOT];
            let known = base.get(slot * SLOT..).map_or(&[][..], |rest| &rest[..rest.len().min(SLOT)]);
            bytes[..known.len()].copy_from_slice(known);
            bytes.into_boxed_slice()
        })
    }

    fn read(&self, start: usize, out: &mut [u8]) {
        let mut done = 0;
        while done < out.len() {
            let (slot, within) = ((start + done) / SLOT, (start + done) % SLOT);
            let count = (SLOT - within).min(out.len() - done);
            let part = &mut out[done..done + count];
            match self.own.get(&slot) {
                Some(bytes) => part.copy_from_slice(&bytes[within..within + count]),
                None => {
                    let known = self.base.get(start + done..).map_or(&[][..], |rest| &rest[..rest.len().min(count)]);
                    part[..known.len()].copy_from_slice(known);
                    part[known.len()..].fill(0);
                }
            }
            done += count;
        }
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Image")
    }
}

impl redb::StorageBackend for Image {
    fn len(&self) -> Result<u64> {
        Ok(self.view().length as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let view = self.view();
        let start = usize::try_from(offset).ok().filter(|start| start.saturating_add(out.len()) <= view.length);
        view.read(start.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?, out);
        Ok(())
    }
    fn set_len(&self, length: u64) -> Result<()> {
        let mut view = self.view();
        let length = length as usize;
        // What is cut off does not come back.
        for slot in length.div_ceil(SLOT)..view.length.div_ceil(SLOT) {
            view.slot(slot).fill(0);
        }
        view.length = length;
        Ok(())
    }
    fn sync_data(&self) -> Result<()> {
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        let mut view = self.view();
        let start = offset as usize;
        let mut done = 0;
        while done < data.len() {
            let within = (start + done) % SLOT;
            let count = (SLOT - within).min(data.len() - done);
            view.slot((start + done) / SLOT)[within..within + count].copy_from_slice(&data[done..done + count]);
            done += count;
        }
        view.length = view.length.max(start + data.len());
        Ok(())
    }
}
