//! A key source that is not waited for longer than was said.

use super::KeySource;
use crate::error::{Code, Result};
use crate::id::Random;
use crate::time::Timestamp;
use std::fmt;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

/// Asks another source and gives up with `key-unavailable` when it has not answered in time.
///
/// The call runs on a thread of its own. One that never comes back is left to itself, with its answer, which is wiped when it
/// does; so a source that hangs again and again costs a thread each time.
#[derive(Clone)]
pub struct Deadline {
    source: Arc<dyn KeySource>,
    limit: Duration,
}

impl Deadline {
    /// `source`, waited for at most `limit` each time.
    pub fn new(source: Arc<dyn KeySource>, limit: Duration) -> Self {
        Deadline { source, limit }
    }

    fn ask<T: Send + 'static>(&self, call: impl FnOnce(&dyn KeySource) -> Result<T> + Send + 'static) -> Result<T> {
        let (answer, answered) = sync_channel(1);
        let source = self.source.clone();
        let begun = std::thread::Builder::new().name("ehrcore key source".into()).spawn(move || {
            // Where nobody waits any more, the answer goes with the channel.
            let _ = answer.send(call(&*source));
        });
        begun.map_err(|_| Code::KeyUnavailable.error().expected("a thread to ask the key source on"))?;
        // A source that panics drops its end: the same as no answer.
        answered.recv_timeout(self.limit).unwrap_or_else(|_| Err(Code::KeyUnavailable.error()))
    }
}

impl KeySource for Deadline {
    fn name(&self) -> &str {
        self.source.name()
    }
    fn describe(&self) -> String {
        format!("{}, waited for at most {} ms", self.source.describe(), self.limit.as_millis())
    }
    fn wrap(&self, context: &[u8], root: &[u8; 32], random: &dyn Random) -> Result<Vec<u8>> {
        let (context, root) = (context.to_vec(), Zeroizing::new(*root));
        let mut drawn = Zeroizing::new(vec![0; DRAWN]);
        random.fill(&mut drawn)?;
        let drawn = Drawn(Mutex::new(drawn));
        self.ask(move |source| source.wrap(&context, &root, &drawn))
    }
    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
        let (context, wrapped) = (context.to_vec(), wrapped.to_vec());
        self.ask(move |source| source.unwrap(&context, &wrapped))
    }
    fn opened(&self, last_commit: Timestamp) -> Result<()> {
        self.source.opened(last_commit)
    }
}

/// Random bytes drawn before the call, because the caller's source of them stays on its thread. A salt takes 40.
const DRAWN: usize = 512;

struct Drawn(Mutex<Zeroizing<Vec<u8>>>);

impl Random for Drawn {
    fn fill(&self, out: &mut [u8]) -> Result<()> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from = left.len().checked_sub(out.len()).ok_or_else(|| Code::RandomUnavailable.error())?;
        out.copy_from_slice(&left[from..]);
        left.truncate(from);
        Ok(())
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deadline")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SystemRandom;
    use crate::keys::RawKey;
    use std::sync::mpsc::{Receiver, channel};

    const LONG: Duration = Duration::from_secs(3600);

    /// Answers when it is let.
    struct Held {
        gate: Mutex<Receiver<()>>,
        within: RawKey,
    }

    impl Held {
        fn wait(&self) {
            let _ = self.gate.lock().unwrap_or_else(PoisonError::into_inner).recv();
        }
    }

    impl KeySource for Held {
        fn name(&self) -> &str {
            "host"
        }
        fn wrap(&self, context: &[u8], root: &[u8; 32], random: &dyn Random) -> Result<Vec<u8>> {
            self.wait();
            self.within.wrap(context, root, random)
        }
        fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
            self.wait();
            self.within.unwrap(context, wrapped)
        }
    }

    #[test]
    fn a_source_that_does_not_answer_in_time_is_unavailable_and_one_that_does_is_as_it_is() {
        let (open, gate) = channel();
        let source = Arc::new(Held { gate: Mutex::new(gate), within: RawKey::new([1; 32]) });
        let (patient, hasty) = (Deadline::new(source.clone(), LONG), Deadline::new(source, Duration::ZERO));
        let random = SystemRandom::default();
        open.send(()).expect("somebody waits");
        let wrapped = patient.wrap(b"place", &[7; 32], &random).expect("it answers");
        assert_eq!(hasty.wrap(b"place", &[7; 32], &random).unwrap_err().code(), Code::KeyUnavailable);
        assert_eq!(hasty.unwrap(b"place", &wrapped).unwrap_err().code(), Code::KeyUnavailable);
        drop(open); // those that were left wake up and end
        assert_eq!(*patient.unwrap(b"place", &wrapped).expect("it answers"), [7; 32]);
        assert_eq!(patient.unwrap(b"elsewhere", &wrapped).unwrap_err().code(), Code::WrongKey);
        assert_eq!((patient.name(), patient.describe().as_str()), ("host", "host, waited for at most 3600000 ms"));
    }

    struct Broken;
    impl KeySource for Broken {
        fn name(&self) -> &str {
            "host"
        }
        fn wrap(&self, _: &[u8], _: &[u8; 32], random: &dyn Random) -> Result<Vec<u8>> {
            let mut much = vec![0; DRAWN + 1];
            random.fill(&mut much).map(|()| much)
        }
        fn unwrap(&self, _: &[u8], _: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
            std::panic::resume_unwind(Box::new(())) // without a word on standard error
        }
    }

    #[test]
    fn a_source_that_panics_or_asks_for_too_much_is_an_error() {
        let source = Deadline::new(Arc::new(Broken), LONG);
        assert_eq!(source.unwrap(b"", b"").unwrap_err().code(), Code::KeyUnavailable);
        let asked = source.wrap(b"", &[7; 32], &SystemRandom::default());
        assert_eq!(asked.unwrap_err().code(), Code::RandomUnavailable);
    }
}
