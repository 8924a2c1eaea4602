//! A validator on disk: what it knows, ready for the next process.
//!
//! The file: `EHRVALID`, the form of the file (u16, now 1), the version of the library that wrote it (a byte of length, and
//! text), the SHA-256 of all that follows; then the length of the head when inflated and as it is (u32 each), the head
//! (zstd), and the blocks that the head's index lists (see `package::packed`). The head: the options, the profiles and
//! entries that are asked for, and the index.
//!
//! The hash finds what broke by accident. It is no seal: who can write the file can decide what is valid, as with the
//! packages themselves. Whatever the bytes are, reading them ends with a validator or an error, in bounded memory.

use super::validator::{Builder, Entry, Options, References, UnknownExtensions, Validator};
use crate::error::{Code, Result};
use crate::limits::Limits;
use crate::package::packed::{Reader, Writer, pack, unpack, unreadable};
use crate::report::Severity;
use crate::time::Timestamp;
use ring::digest::{SHA256, digest};
use std::path::Path;
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"EHRVALID";
const FORM: u16 = 1;
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// A head is no larger when inflated.
const LARGEST_HEAD: usize = 256 << 20;

impl Validator {
    /// Writes what the validator knows to a file, from which [`Validator::load`] has it back in milliseconds: the definitions
    /// of its packages, the profiles it asks for, its options. Sources of the host are not part of it.
    ///
    /// # Errors
    /// - `io`: the file cannot be written.
    ///
    /// # Durability
    /// The file is written beside its place and then renamed: it is the old one or the new one, whole. It is not synced; what a
    /// power failure takes can be made again from the packages.
    ///
    /// # Example
    /// ```
    /// # fn main() -> ehrcore::error::Result<()> {
    /// use ehrcore::validate::Validator;
    /// # let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("r4.validator");
    /// Validator::builder().build()?.save(&path)?;
    /// let validator = Validator::load(&path)?;
    /// assert!(!validator.validate(br#"{"resourceType":"Patient","gender":"F"}"#).is_valid());
    /// # Ok(())
    /// # }
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        std::fs::write(&beside, self.to_bytes()?)?;
        Ok(std::fs::rename(&beside, path)?)
    }

    /// The bytes that [`Validator::save`] writes.
    ///
    /// # Errors
    /// - `io`: they cannot be compressed.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let (definitions, profiles, entries, options) = self.parts();
        let mut head = Writer::default();
        write_options(&mut head, options);
        head.count(profiles.len());
        profiles.iter().for_each(|url| head.text(url));
        head.count(entries.len());
        for Entry { kind, number, profile } in entries {
            head.text(kind);
            head.wide(*number as u64);
            head.text(profile);
        }
        let (index, blocks) = pack(definitions.packages())?;
        head.0.extend_from_slice(&index);
        let packed = zstd::bulk::compress(&head.0, 12)?;
        let mut body = Writer::default();
        body.count(head.0.len());
        body.count(packed.len());
        body.0.extend_from_slice(&packed);
        body.0.extend_from_slice(&blocks);
        let mut file = MAGIC.to_vec();
        file.extend_from_slice(&FORM.to_le_bytes());
        file.push(VERSION.len() as u8);
        file.extend_from_slice(VERSION.as_bytes());
        file.extend_from_slice(digest(&SHA256, &body.0).as_ref());
        file.extend_from_slice(&body.0);
        Ok(file)
    }

    /// A validator from the file that [`Validator::save`] wrote.
    ///
    /// # Errors
    /// - as [`Builder::load`] and [`Builder::build`].
    pub fn load(path: impl AsRef<Path>) -> Result<Validator> {
        Validator::builder().load(path)?.build()
    }
}

impl Builder {
    /// Takes over what [`Validator::save`] wrote: the packages, profiles and options that a validator was built of. More can be
    /// added, such as the host's sources; the options are those of the file until [`Builder::options`] sets others.
    ///
    /// # Errors
    /// - `io`: the file cannot be read.
    /// - `compiled-unreadable`: it is no such file, or not whole.
    /// - `compiled-version`: another version of the library wrote it; make it again from the packages.
    ///
    /// # Privacy
    /// The file has definitions in it and nothing of any record.
    pub fn load(self, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if std::fs::metadata(path)?.len() > crate::package::PackageLimits::DEFAULT.total_bytes as u64 {
            return Err(unreadable());
        }
        self.load_bytes(std::fs::read(path)?)
    }

    /// As [`Builder::load`], from bytes.
    ///
    /// # Errors
    /// - as [`Builder::load`], save `io`.
    pub fn load_bytes(mut self, bytes: impl Into<Arc<[u8]>>) -> Result<Self> {
        let bytes: Arc<[u8]> = bytes.into();
        let mut at = Reader(&bytes);
        if at.0.strip_prefix(MAGIC).is_none() {
            return Err(unreadable());
        }
        at.0 = &at.0[MAGIC.len()..];
        let form = u16::from_le_bytes([at.byte()?, at.byte()?]);
        let length = usize::from(at.byte()?);
        let written = at.0.get(..length).ok_or_else(unreadable)?;
        if form != FORM || written != VERSION.as_bytes() {
            return Err(Code::CompiledVersion.error().expected("a file that this version of the library wrote"));
        }
        at.0 = &at.0[length..];
        let (hash, body) = at.0.split_at_checked(32).ok_or_else(unreadable)?;
        if digest(&SHA256, body).as_ref() != hash {
            return Err(unreadable());
        }
        at.0 = body;
        let (plain, packed) = (at.number()? as usize, at.number()? as usize);
        if plain > LARGEST_HEAD {
            return Err(unreadable());
        }
        let packed = at.0.get(..packed).ok_or_else(unreadable)?;
        let start = bytes.len() - at.0.len() + packed.len();
        let head = zstd::bulk::decompress(packed, plain).map_err(|_| unreadable())?;
        let mut head = Reader(&head);
        let options = read_options(&mut head)?;
        for _ in 0..head.count()? {
            self = self.profile(head.text()?);
        }
        for _ in 0..head.count()? {
            let (kind, number, profile) = (head.text()?, head.wide()?, head.text()?);
            self = self.entry_profile(kind, usize::try_from(number).map_err(|_| unreadable())?, profile);
        }
        let packages = unpack(&mut head, &bytes, start)?;
        if !head.0.is_empty() {
            return Err(unreadable());
        }
        for package in packages.all() {
            self = self.opened(package.clone());
        }
        Ok(self.options(options))
    }
}

fn write_options(out: &mut Writer, options: &Options) {
    let Options { limits, extension_domains, now, .. } = options;
    for limit in [limits.depth, limits.bytes, limits.nodes, limits.findings] {
        out.wide(limit as u64);
    }
    out.byte(match options.unknown_extensions {
        UnknownExtensions::Information => 0,
        UnknownExtensions::Error => 1,
    });
    out.byte(match options.references {
        References::Open => 0,
        References::MustConform => 1,
        References::MustExist => 2,
    });
    out.byte(match options.displays {
        Severity::Fatal => 0,
        Severity::Error => 1,
        Severity::Warning => 2,
        Severity::Information => 3,
    });
    let Options { trust_addresses, contained, html_in_markdown, must_support, unchecked_codes, .. } = options;
    for flag in [trust_addresses, contained, html_in_markdown, must_support, unchecked_codes] {
        out.byte(u8::from(*flag));
    }
    out.count(extension_domains.len());
    extension_domains.iter().for_each(|domain| out.text(domain));
    out.byte(u8::from(now.is_some()));
    now.iter().for_each(|now| out.wide(now.0 as u64));
}

fn read_options(head: &mut Reader<'_>) -> Result<Options> {
    let mut limit = || usize::try_from(head.wide()?).map_err(|_| unreadable());
    let limits = Limits { depth: limit()?, bytes: limit()?, nodes: limit()?, findings: limit()? };
    // Deeper than a reader of this library goes by default would be more than its stack is sure to hold.
    if limits.depth > 10 * Limits::DEFAULT.depth {
        return Err(unreadable());
    }
    Ok(Options {
        limits,
        unknown_extensions: match head.byte()? {
            0 => UnknownExtensions::Information,
            1 => UnknownExtensions::Error,
            _ => return Err(unreadable()),
        },
        references: match head.byte()? {
            0 => References::Open,
            1 => References::MustConform,
            2 => References::MustExist,
            _ => return Err(unreadable()),
        },
        displays: match head.byte()? {
            0 => Severity::Fatal,
            1 => Severity::Error,
            2 => Severity::Warning,
            3 => Severity::Information,
            _ => return Err(unreadable()),
        },
        trust_addresses: head.flag()?,
        contained: head.flag()?,
        html_in_markdown: head.flag()?,
        must_support: head.flag()?,
        unchecked_codes: head.flag()?,
        extension_domains: (0..head.count()?).map(|_| Ok(head.text()?.into())).collect::<Result<_>>()?,
        now: if head.flag()? { Some(Timestamp(head.wide()? as i64)) } else { None },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use proptest::prelude::*;

    const NAMED: &[u8] = br#"{"resourceType":"StructureDefinition","url":"http://example.org/named","version":"1","type":"Patient",
        "kind":"resource","abstract":false,"status":"active","name":"Named","derivation":"constraint","description":"prose",
        "baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","differential":{"element":[
        {"id":"Patient.name","path":"Patient.name","min":1,"short":"prose","constraint":[{"key":"x-1","severity":"error",
        "human":"prose","expression":"family.exists()"}]},{"id":"Patient.maritalStatus","path":"Patient.maritalStatus",
        "binding":{"strength":"required","description":"prose","valueSet":"http://example.org/set"}}]}}"#;
    const SET: &[u8] =
        br#"{"resourceType":"ValueSet","url":"http://example.org/set","status":"active","text":{"status":"empty"},
        "compose":{"include":[{"system":"http://example.org/codes","concept":[{"code":"a"}]}]}}"#;
    const RECORDS: [&[u8]; 3] = [
        br#"{"resourceType":"Patient","gender":"other"}"#,
        br#"{"resourceType":"Patient","name":[{"given":["A"]}]}"#,
        br#"{"resourceType":"Patient","name":[{"family":"A"}],"maritalStatus":{"coding":[{"system":"http://example.org/codes","code":"b"}]}}"#,
    ];

    fn validator() -> Validator {
        let read = |text: &[u8]| Record::parse(text).expect("a resource");
        let options = Options {
            must_support: true,
            displays: Severity::Error,
            references: References::MustExist,
            extension_domains: vec!["http://example.org".into()],
            now: Some(Timestamp(-5)),
            ..Options::default()
        };
        let builder = Validator::builder().definition(read(NAMED)).definition(read(SET)).options(options);
        builder
            .profile("http://example.org/named")
            .entry_profile("Patient", 1, "http://example.org/named")
            .build()
            .expect("it builds")
    }

    fn code(bytes: &[u8]) -> Option<Code> {
        Validator::builder().load_bytes(bytes).err().map(|error| error.code())
    }

    /// The file with a body of these bytes and the hash that goes with them.
    fn sealed(file: &[u8], body: &[u8]) -> Vec<u8> {
        let start = MAGIC.len() + 3 + VERSION.len();
        let mut made = file[..start].to_vec();
        made.extend_from_slice(digest(&SHA256, body).as_ref());
        made.extend_from_slice(body);
        made
    }

    #[test]
    fn a_validator_that_was_kept_says_what_the_first_one_said() {
        let first = validator();
        let file = first.to_bytes().expect("it can be written");
        let second = Validator::builder().load_bytes(file.clone()).and_then(Builder::build).expect("it can be read");
        for record in RECORDS {
            let report = first.validate(record);
            assert!(!report.issues().is_empty());
            assert_eq!(report, second.validate(record));
        }
        assert_eq!(second.to_bytes().expect("it can be written"), file, "and keeps everything");
        assert!(!file.windows(5).any(|word| word == b"prose"));
    }

    #[test]
    fn a_file_is_replaced_whole_and_no_other_file_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("kept");
        validator().save(&path).expect("written");
        validator().save(&path).expect("written again");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
        assert!(Validator::load(&path).is_ok());
        assert_eq!(Validator::load(folder.path().join("none")).map(drop).map_err(|error| error.code()), Err(Code::Io));
    }

    #[test]
    fn a_file_of_another_version_or_form_is_refused_by_name() {
        let mut file = validator().to_bytes().expect("it can be written");
        let version = MAGIC.len() + 3;
        file[version] ^= 1;
        assert_eq!(code(&file), Some(Code::CompiledVersion));
        file[version] ^= 1;
        file[MAGIC.len()] = 2;
        assert_eq!(code(&file), Some(Code::CompiledVersion));
    }

    #[test]
    fn every_byte_that_changes_and_every_cut_is_noticed() {
        let file = validator().to_bytes().expect("it can be written");
        assert_eq!(code(&file), None);
        for at in 0..file.len() {
            let mut broken = file.clone();
            broken[at] ^= 0x40;
            assert!(code(&broken).is_some(), "byte {at}");
            assert!(code(&file[..at]).is_some(), "cut at {at}");
        }
    }

    proptest! {
        /// Bytes whose hash is right, so that only the reader stands between them and us.
        #[test]
        fn no_body_makes_reading_or_validating_panic(changes in prop::collection::vec((any::<u16>(), any::<u8>()), 1..20), cut in any::<u16>()) {
            let file = validator().to_bytes().expect("it can be written");
            let start = MAGIC.len() + 3 + VERSION.len() + 32;
            let mut body = file[start..].to_vec();
            let length = body.len();
            for (at, byte) in &changes {
                body[usize::from(*at) % length] = *byte;
            }
            if cut % 4 == 0 {
                body.truncate(usize::from(cut) % length);
            }
            if let Ok(made) = Validator::builder().load_bytes(sealed(&file, &body)).and_then(Builder::build) {
                RECORDS.iter().for_each(|record| drop(made.validate(record)));
            }
        }

        /// The same below the compression of the head.
        #[test]
        fn no_head_makes_reading_panic(changes in prop::collection::vec((any::<u16>(), any::<u8>()), 1..8)) {
            let file = validator().to_bytes().expect("it can be written");
            let body = &file[MAGIC.len() + 3 + VERSION.len() + 32..];
            let number = |at: usize| u32::from_le_bytes(body[at..at + 4].try_into().expect("four bytes")) as usize;
            let mut head = zstd::bulk::decompress(&body[8..8 + number(4)], number(0)).expect("it inflates");
            let length = head.len();
            for (at, byte) in &changes {
                head[usize::from(*at) % length] = *byte;
            }
            let packed = zstd::bulk::compress(&head, 1).expect("memory takes it");
            let mut made = Writer::default();
            made.count(head.len());
            made.count(packed.len());
            made.0.extend_from_slice(&packed);
            made.0.extend_from_slice(&body[8 + number(4)..]);
            if let Ok(made) = Validator::builder().load_bytes(sealed(&file, &made.0)).and_then(Builder::build) {
                RECORDS.iter().for_each(|record| drop(made.validate(record)));
            }
        }
    }
}
