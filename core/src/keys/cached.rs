//! A root kept for work offline: for a stated time, sealed under a key of the device.

use super::KeySource;
use crate::crypto::{Active, Provider};
use crate::error::{Code, Result};
use crate::id::{PatientNumber, Random, StoreId};
use crate::time::{Clock, Timestamp};
use crate::vault::{self, Context, RowKind, SealKey};
use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;
use zeroize::Zeroizing;

/// Asks another source, and while that does not answer opens the store with what it answered last, for at most a stated time.
///
/// What is kept lies in a file, sealed under 32 bytes that the device keeps (its key chain, its TPM). It is thrown away when it
/// is older than it may be, and when the source answers that the key is no more: whoever is to be locked out is, at the next
/// contact or at the end of the time. A clock that was set back is refused: one that says less than when the file was used last, or
/// than the last commit of the store that it opens.
///
/// # Privacy
/// Whoever has the file, the device's key and a clock of his own can open the store for as long as he likes: the time limits the
/// honest program on a device whose key is out of reach, not a thief who has both. Without the device's key: whoever can put back
/// an earlier copy of this file, keep the source from answering and set the clock can have the honest program open the store after the time
/// is over, with a clock that stands still after the store's last commit; each write moves that on. Where that matters, keep the file where
/// users of the device cannot write, and give the program a clock that they cannot set.
pub struct CachedSource {
    source: Arc<dyn KeySource>,
    device: SealKey,
    file: PathBuf,
    lifetime: Duration,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// Whether what was given last had been kept.
    from_kept: AtomicBool,
}

impl CachedSource {
    /// `source`, with its last answer kept in `file` under the device's key for `lifetime`.
    pub fn new(
        source: Arc<dyn KeySource>,
        device: [u8; 32],
        file: impl Into<PathBuf>,
        lifetime: Duration,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let device = Zeroizing::new(device);
        let device = SealKey::made(0, |out| out.copy_from_slice(&*device));
        CachedSource { source, device, file: file.into(), lifetime, clock, random, from_kept: AtomicBool::new(false) }
    }

    /// Throws away what is kept.
    ///
    /// # Errors
    /// - `io`.
    pub fn forget(&self) -> Result<()> {
        match std::fs::remove_file(&self.file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// `seal[device key, place](since 8 || seen 8 || root 32)`, both times in microseconds; the place has row kind 32 and as labels
    /// `SHA-256(length of the name 1 || name || length of the context 4 || context || wrapped)`: another store, another root and
    /// another wrap have none.
    fn keep(&self, labels: &[u8], since: Timestamp, seen: Timestamp, root: &[u8; 32]) -> Result<()> {
        let mut plain = Zeroizing::new(Vec::with_capacity(48));
        plain.extend(since.0.to_be_bytes());
        plain.extend(seen.0.to_be_bytes());
        plain.extend(root);
        let sealed = vault::seal(&self.device, &place(labels), &plain, &*self.random)?;
        replace(&self.file, &sealed)
    }

    fn kept(&self, labels: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
        let file = std::fs::File::open(&self.file).map_err(|_| Code::KeyUnavailable.error())?;
        let mut sealed = Vec::new();
        // What is longer is not what was kept; cut off, it does not open.
        file.take(LONGEST).read_to_end(&mut sealed).map_err(|_| Code::KeyUnavailable.error())?;
        // One of another device, store or root is as good as none.
        let plain = vault::open(&self.device, &place(labels), &sealed).map_err(|_| Code::KeyUnavailable.error())?;
        let time = |at: usize| plain.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(i64::from_be_bytes);
        let (Some(since), Some(seen), Some(root)) = (time(0), time(8), plain.get(16..48)) else {
            return Err(Code::KeyUnavailable.error());
        };
        let now = self.clock.now();
        if now.0 < seen {
            return Err(Code::ClockSetBack.error());
        }
        if u128::from(now.0.abs_diff(since)) > self.lifetime.as_micros() {
            self.forget()?;
            return Err(Code::CachedKeyExpired.error());
        }
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(root);
        self.keep(labels, Timestamp(since), now, &bytes)?;
        Ok(bytes)
    }

    fn labels(&self, context: &[u8], wrapped: &[u8]) -> [u8; 32] {
        let name = self.source.name().as_bytes();
        Active::sha256(&[&[name.len() as u8], name, &(context.len() as u32).to_be_bytes(), context, wrapped])
    }
}

/// No file that was kept is as long.
const LONGEST: u64 = 4096;

fn place(labels: &[u8]) -> Context<'_> {
    Context { labels, ..Context::new(StoreId([0; 16]), PatientNumber::SHARED, RowKind::CachedRoot, 0, 0) }
}

/// Puts a file in place of another, readable by its owner only: whole or not at all.
fn replace(file: &Path, bytes: &[u8]) -> Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut made = options.open(&beside)?;
    made.write_all(bytes)?;
    made.sync_all()?;
    drop(made);
    Ok(std::fs::rename(&beside, file)?)
}

impl KeySource for CachedSource {
    fn name(&self) -> &str {
        self.source.name()
    }
    fn describe(&self) -> String {
        format!("{}, kept for work offline for {} s", self.source.describe(), self.lifetime.as_secs())
    }
    fn wrap(&self, context: &[u8], root: &[u8; 32], random: &dyn Random) -> Result<Vec<u8>> {
        self.source.wrap(context, root, random)
    }
    /// As the source does. What it gives is kept; where it does not answer, what was kept is given, unless it is too old
    /// (`cached-key-expired`) or the clock went back (`clock-set-back`); where it refuses, what was kept is thrown away.
    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
        let labels = self.labels(context, wrapped);
        self.from_kept.store(false, SeqCst);
        match self.source.unwrap(context, wrapped) {
            Ok(root) => {
                let now = self.clock.now();
                // A device whose disk is full works on while its source answers.
                let _ = self.keep(&labels, now, now, &root);
                Ok(root)
            }
            Err(error) if error.code() == Code::KeyUnavailable => {
                let root = self.kept(&labels)?;
                self.from_kept.store(true, SeqCst);
                Ok(root)
            }
            Err(error) => {
                self.forget()?;
                Err(error)
            }
        }
    }
    /// Refuses (`clock-set-back`) a clock that says less than the store's last commit, where the root had been kept.
    fn opened(&self, last_commit: Timestamp) -> Result<()> {
        self.source.opened(last_commit)?;
        if self.from_kept.load(SeqCst) && self.clock.now() < last_commit {
            return Err(Code::ClockSetBack.error());
        }
        Ok(())
    }
}

impl fmt::Debug for CachedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CachedSource")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SystemRandom;
    use crate::keys::RawKey;
    use crate::time::ManualClock;
    use std::sync::atomic::AtomicU16;

    const HOUR: i64 = 3_600_000_000;

    /// A key management that can be out of reach, or say no.
    struct Host {
        within: RawKey,
        fails: AtomicU16,
    }

    impl Host {
        fn answer(&self) -> Result<()> {
            let fails = self.fails.load(SeqCst);
            match Code::ALL.iter().find(|code| code.number() == fails) {
                Some(code) => Err(code.error()),
                None => Ok(()),
            }
        }
    }

    impl KeySource for Host {
        fn name(&self) -> &str {
            "host"
        }
        fn wrap(&self, context: &[u8], root: &[u8; 32], random: &dyn Random) -> Result<Vec<u8>> {
            self.within.wrap(context, root, random)
        }
        fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
            self.answer()?;
            self.within.unwrap(context, wrapped)
        }
    }

    struct Set {
        _folder: tempfile::TempDir,
        host: Arc<Host>,
        clock: Arc<ManualClock>,
        file: PathBuf,
        wrapped: Vec<u8>,
    }

    impl Set {
        fn new() -> Set {
            let folder = tempfile::tempdir().expect("a folder");
            let host = Arc::new(Host { within: RawKey::new([1; 32]), fails: AtomicU16::new(0) });
            let wrapped = host.wrap(b"place", &[7; 32], &SystemRandom::default()).expect("it wraps");
            let file = folder.path().join("kept");
            Set { _folder: folder, host, clock: Arc::new(ManualClock::new(Timestamp(HOUR))), file, wrapped }
        }
        fn source(&self, device: u8) -> CachedSource {
            let (clock, random) = (self.clock.clone(), Arc::new(SystemRandom::default()));
            let day = Duration::from_secs(24 * 3600);
            CachedSource::new(self.host.clone(), [device; 32], &self.file, day, clock, random)
        }
        fn fail(&self, code: Option<Code>) {
            self.host.fails.store(code.map_or(0, Code::number), SeqCst);
        }
        fn unwrap(&self) -> Result<()> {
            let root = self.source(9).unwrap(b"place", &self.wrapped)?;
            assert_eq!(*root, [7; 32]);
            Ok(())
        }
        fn code(&self) -> Code {
            self.unwrap().expect_err("refused").code()
        }
    }

    #[test]
    fn what_the_source_gave_opens_while_it_does_not_answer_and_no_longer_than_was_said() {
        let set = Set::new();
        set.fail(Some(Code::KeyUnavailable));
        assert_eq!(set.code(), Code::KeyUnavailable, "nothing is kept yet");
        set.fail(None);
        set.unwrap().expect("it answers");
        set.fail(Some(Code::KeyUnavailable));
        for _ in 0..23 {
            set.clock.advance(HOUR);
            set.unwrap().expect("it is kept");
        }
        set.clock.advance(HOUR + 1);
        assert_eq!(set.code(), Code::CachedKeyExpired, "using it does not make it younger");
        assert_eq!(set.code(), Code::KeyUnavailable, "it was thrown away");
        set.fail(None);
        set.unwrap().expect("it answers again");
        set.fail(Some(Code::KeyUnavailable));
        set.unwrap().expect("it is kept again");
    }

    #[test]
    fn a_clock_that_was_set_back_is_refused() {
        let set = Set::new();
        set.unwrap().expect("it answers");
        set.fail(Some(Code::KeyUnavailable));
        set.clock.advance(10 * HOUR);
        set.unwrap().expect("it is kept");
        set.clock.advance(-1);
        assert_eq!(set.code(), Code::ClockSetBack);
        set.clock.advance(1);
        set.unwrap().expect("it is kept still");
    }

    #[test]
    fn a_source_that_says_no_ends_what_was_kept() {
        let set = Set::new();
        set.unwrap().expect("it answers");
        set.fail(Some(Code::WrongKey));
        assert_eq!(set.code(), Code::WrongKey);
        set.fail(Some(Code::KeyUnavailable));
        assert_eq!(set.code(), Code::KeyUnavailable);
    }

    #[cfg(feature = "embedded")]
    #[test]
    fn an_earlier_kept_file_put_back_with_an_earlier_clock_does_not_open_a_store_that_was_written_to_since() {
        use crate::ehr::{Actor, Ehr, Options};
        let set = Set::new();
        let disk = crate::store::testing::FaultyFile::default();
        let options = || Options { clock: set.clock.clone(), cache_bytes: 1 << 20, ..Options::default() };
        let open = |bytes| {
            let disk = crate::store::testing::FaultyFile::with(bytes);
            let source: Box<dyn KeySource> = Box::new(set.source(9));
            Ehr::open_on(Box::new(disk), &source, options())
        };
        drop(Ehr::create_on(Box::new(disk.clone()), &set.source(9), options()).expect("a store in memory"));
        drop(open(disk.bytes()).expect("the source answers"));
        let earlier = std::fs::read(&set.file).expect("it was kept");
        set.fail(Some(Code::KeyUnavailable));
        set.clock.advance(30 * HOUR);
        assert_eq!(open(disk.bytes()).map(|_| ()).expect_err("refused").code(), Code::CachedKeyExpired);
        set.fail(None);
        let ehr = Ehr::open_on(Box::new(disk.clone()), &set.source(9), options()).expect("the source answers");
        let actor = Actor::new("dr-grey", crate::access::Role::Physician);
        let session = ehr.session(actor, crate::access::Purpose::Treatment).expect("a session");
        session.write(br#"{"resourceType":"Patient","id":"p"}"#).expect("valid");
        drop((session, ehr));
        let bytes = disk.bytes();
        set.fail(Some(Code::KeyUnavailable));
        std::fs::write(&set.file, &earlier).expect("writable");
        set.clock.set(Timestamp(20 * HOUR));
        assert_eq!(open(bytes.clone()).map(|_| ()).expect_err("refused").code(), Code::ClockSetBack);
        set.fail(None);
        open(bytes).expect("a source that answers is believed whatever the clock says");
    }

    #[test]
    fn what_is_kept_is_for_one_device_one_place_and_one_wrap_and_shows_nothing() {
        let set = Set::new();
        set.unwrap().expect("it answers");
        set.fail(Some(Code::KeyUnavailable));
        let code = |device: u8, context: &[u8], wrapped: &[u8]| {
            set.source(device).unwrap(context, wrapped).map(|_| ()).expect_err("refused").code()
        };
        assert_eq!(code(8, b"place", &set.wrapped), Code::KeyUnavailable);
        assert_eq!(code(9, b"elsewhere", &set.wrapped), Code::KeyUnavailable);
        let other = set.host.wrap(b"place", &[7; 32], &SystemRandom::default()).expect("it wraps");
        assert_eq!(code(9, b"place", &other), Code::KeyUnavailable, "after a rotation");
        let kept = std::fs::read(&set.file).expect("readable");
        assert!(!kept.windows(8).any(|window| window == [7; 8]));
        for bit in 0..kept.len() * 8 {
            let mut changed = kept.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&set.file, &changed).expect("writable");
            assert_eq!(set.code(), Code::KeyUnavailable, "bit {bit}");
        }
        std::fs::write(&set.file, &kept).expect("writable");
        set.unwrap().expect("it is kept");
        set.source(9).forget().expect("thrown away");
        assert_eq!(set.code(), Code::KeyUnavailable);
    }
}
