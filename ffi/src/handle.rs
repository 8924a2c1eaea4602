//! Handles: what a C program holds in place of a Rust object.
//!
//! A handle is a number dressed as a pointer: a slot and the generation of that slot. It is never dereferenced, so a stale,
//! doubled or invented handle is answered with `EHR_HANDLE_CLOSED` or `EHR_INVALID_ARGUMENT` and can do no harm.

use ehrcore_core::error::{Code, Error, Result};
use std::any::{Any, TypeId};
use std::sync::{Arc, PoisonError, RwLock};

/// What a handle may stand for: anything that several threads may look at.
pub(crate) type Object = Arc<dyn Any + Send + Sync>;

struct Slot {
    generation: usize,
    object: Option<Object>,
}

#[derive(Default)]
struct Table {
    slots: Vec<Slot>,
    free: Vec<usize>,
}

static TABLE: RwLock<Table> = RwLock::new(Table { slots: Vec::new(), free: Vec::new() });

/// Half of the bits number the slot, half its generation.
const HALF: u32 = usize::BITS / 2;
const MASK: usize = (1 << HALF) - 1;

/// Puts `object` behind a new handle.
pub(crate) fn give<H, T: Any + Send + Sync>(object: T) -> Result<*mut H> {
    keep(Arc::new(object)).map(std::ptr::without_provenance_mut)
}

/// Looks at the object behind a handle.
///
/// # Errors
/// - `null-pointer` for NULL, `handle-closed` for a handle that was released, `invalid-argument` for one of another kind.
pub(crate) fn look<H, T: Any + Send + Sync>(handle: *const H) -> Result<Arc<T>> {
    find(handle.addr())?.downcast().map_err(|_| another_kind())
}

/// Releases a handle. NULL and a handle that was released before are fine; a handle of another kind stays.
pub(crate) fn release<H, T: Any + Send + Sync>(handle: *mut H) {
    let object = take(handle.addr(), TypeId::of::<T>());
    drop(object); // outside the lock: closing a store may take a while
}

// What follows is not generic, so that the library has it once and not for every kind of handle.

fn keep(object: Object) -> Result<usize> {
    let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
    let slot = match table.free.pop() {
        Some(slot) => slot,
        None if table.slots.len() < MASK => {
            table.slots.push(Slot { generation: 1, object: None });
            table.slots.len() - 1
        }
        None => return Err(Code::LimitCount.error().expected("fewer open handles")),
    };
    let entry = &mut table.slots[slot];
    entry.object = Some(object);
    Ok((entry.generation << HALF) | (slot + 1))
}

fn find(handle: usize) -> Result<Object> {
    let (slot, generation) = split(handle)?;
    let table = TABLE.read().unwrap_or_else(PoisonError::into_inner);
    let entry = table.slots.get(slot).filter(|entry| entry.generation == generation);
    entry.and_then(|entry| entry.object.clone()).ok_or_else(|| Code::HandleClosed.error())
}

#[cold]
fn another_kind() -> Error {
    Code::InvalidArgument.error().expected("a handle of the kind this call takes")
}

fn take(handle: usize, kind: TypeId) -> Option<Object> {
    let (slot, generation) = split(handle).ok()?;
    let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
    let entry = table.slots.get_mut(slot).filter(|entry| entry.generation == generation)?;
    if entry.object.as_ref().is_none_or(|object| (**object).type_id() != kind) {
        return None;
    }
    let object = entry.object.take();
    entry.generation = (entry.generation + 1) & MASK;
    if entry.generation == 0 {
        entry.generation = 1;
    }
    table.free.push(slot);
    object
}

fn split(handle: usize) -> Result<(usize, usize)> {
    if handle == 0 {
        return Err(Code::NullPointer.error());
    }
    (handle & MASK).checked_sub(1).map(|slot| (slot, handle >> HALF)).ok_or_else(|| Code::HandleClosed.error())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Mark;

    #[test]
    fn a_released_handle_is_refused_even_when_its_slot_is_used_again() {
        let first: *mut Mark = give(7_u32).expect("there is room");
        assert_eq!(*look::<Mark, u32>(first).expect("it is open"), 7);
        release::<Mark, u32>(first);
        let second: *mut Mark = give(8_u32).expect("there is room");
        assert_eq!(look::<Mark, u32>(first).map(|_| ()).unwrap_err().code(), Code::HandleClosed);
        release::<Mark, u32>(first);
        assert_eq!(*look::<Mark, u32>(second).expect("it is open"), 8);
        release::<Mark, u32>(second);
    }

    #[test]
    fn null_another_kind_and_an_invented_handle_are_refused() {
        assert_eq!(look::<Mark, u32>(std::ptr::null()).map(|_| ()).unwrap_err().code(), Code::NullPointer);
        let text: *mut Mark = give(String::from("x")).expect("there is room");
        assert_eq!(look::<Mark, u32>(text).map(|_| ()).unwrap_err().code(), Code::InvalidArgument);
        release::<Mark, u32>(text);
        assert!(look::<Mark, String>(text).is_ok());
        release::<Mark, String>(text);
        for invented in [1, usize::MAX, 1 << HALF, 12345 << HALF | 9] {
            let handle: *const Mark = std::ptr::without_provenance(invented);
            assert_eq!(look::<Mark, u32>(handle).map(|_| ()).unwrap_err().code(), Code::HandleClosed);
        }
    }
}
