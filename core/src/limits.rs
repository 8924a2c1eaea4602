//! Limits: of everything that reads bytes from outside, and of how long a call may take and how much it may hold.

use crate::error::{Code, Found, Result};
use crate::time::{Clock, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What a reader accepts at most. Every parser takes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Depth of nested objects and arrays.
    pub depth: usize,
    /// Bytes of one record.
    pub bytes: usize,
    /// Values (objects, arrays and scalars) in one record.
    pub nodes: usize,
    /// Findings kept in a report; the rest are counted.
    pub findings: usize,
}

impl Limits {
    /// Depth 100, 256 MiB, 16 million values, 10,000 findings.
    pub const DEFAULT: Limits = Limits { depth: 100, bytes: 256 << 20, nodes: 16 << 20, findings: 10_000 };
}

impl Default for Limits {
    fn default() -> Self {
        Limits::DEFAULT
    }
}

/// Says "stop" from another thread to the calls that were given it. Clones are the same token.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// A token that nobody has cancelled.
    pub fn new() -> CancelToken {
        CancelToken::default()
    }
    /// Cancels the calls that have this token. They end with `cancelled`, having done all or nothing of what they do at once.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The moment until which a call may work, on a clock that the caller brings.
#[derive(Clone)]
pub struct Deadline {
    clock: Arc<dyn Clock>,
    at: Timestamp,
}

impl Deadline {
    /// So much time from now.
    pub fn after(clock: Arc<dyn Clock>, time: Duration) -> Deadline {
        let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let at = Timestamp(clock.now().0.saturating_add(micros));
        Deadline { clock, at }
    }
    /// Whether it has passed.
    pub fn has_passed(&self) -> bool {
        self.clock.now() > self.at
    }
}

impl std::fmt::Debug for Deadline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Deadline")
    }
}

/// How much a call may take of time and memory, and who may stop it. The default is without limits.
#[derive(Clone, Debug, Default)]
pub struct CallLimits {
    /// How long each call may take from its beginning.
    pub time: Option<Duration>,
    /// What stops calls from another thread.
    pub cancel: Option<CancelToken>,
    /// Bytes of records that a call may hold at once, beyond the caches of the store.
    pub memory: Option<usize>,
}

impl CallLimits {
    /// A call begins: its time runs from now.
    pub fn begin(&self, clock: &Arc<dyn Clock>) -> Watch {
        let deadline = self.time.map(|time| Deadline::after(clock.clone(), time));
        Watch { deadline, cancel: self.cancel.clone(), memory: self.memory }
    }
}

/// A call under way that looks now and then whether it may go on.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    deadline: Option<Deadline>,
    cancel: Option<CancelToken>,
    memory: Option<usize>,
}

impl Watch {
    /// Looks whether the call may go on.
    ///
    /// # Errors
    /// - `cancelled`, `deadline`.
    pub fn look(&self) -> Result<()> {
        if self.cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
            return Err(Code::Cancelled.error());
        }
        match &self.deadline {
            Some(deadline) if deadline.has_passed() => Err(Code::Deadline.error()),
            _ => Ok(()),
        }
    }
    /// Looks whether the call may hold so many bytes.
    ///
    /// # Errors
    /// - `limit-memory`.
    pub fn hold(&self, bytes: usize) -> Result<()> {
        match self.memory {
            Some(most) if bytes > most => Err(Code::LimitMemory.error().found(Found::Length(bytes as u64))),
            _ => Ok(()),
        }
    }
    /// Bytes the call may hold; without a limit, the most there are.
    pub fn memory(&self) -> usize {
        self.memory.unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::ManualClock;

    #[test]
    fn a_call_ends_when_its_time_is_over_or_it_is_cancelled_and_not_before() {
        let clock = Arc::new(ManualClock::new(Timestamp(5)));
        let token = CancelToken::new();
        let limits =
            CallLimits { time: Some(Duration::from_micros(10)), cancel: Some(token.clone()), memory: Some(100) };
        let watch = limits.begin(&(clock.clone() as Arc<dyn Clock>));
        assert!(watch.look().is_ok() && watch.hold(100).is_ok());
        assert_eq!(watch.hold(101).unwrap_err().code(), Code::LimitMemory);
        clock.advance(10);
        assert!(watch.look().is_ok());
        clock.advance(1);
        assert_eq!(watch.look().unwrap_err().code(), Code::Deadline);
        token.cancel();
        assert_eq!(watch.look().unwrap_err().code(), Code::Cancelled);
        assert!(Watch::default().look().is_ok() && Watch::default().hold(usize::MAX).is_ok());
    }
}
