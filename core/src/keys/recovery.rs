//! A key on paper, for the day the other keys are lost.

use super::{KeySource, RawKey, digits};
use crate::error::{Code, Result};
use crate::id::Random;
use std::fmt;
use zeroize::Zeroizing;

/// 32 random bytes that somebody keeps on paper in a safe: a second way to open a store.
pub struct RecoveryKey {
    key: RawKey,
    text: Zeroizing<String>,
}

impl RecoveryKey {
    /// Makes one.
    ///
    /// # Errors
    /// - `random-unavailable`.
    pub fn new(random: &dyn Random) -> Result<Self> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        random.fill(&mut *bytes)?;
        Ok(Self::of(&bytes))
    }

    /// Reads the text that [`RecoveryKey::text`] gave; spaces, hyphens and small letters do not matter.
    ///
    /// # Errors
    /// - `recovery-key-form`: a digit is missing or wrong.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Code::RecoveryKeyForm.error().expected("68 digits of 0 to 9 and A to F as they were shown");
        digits::read::<32>(PURPOSE, text).map(|key| Self::of(&key)).ok_or_else(wrong)
    }

    /// The text to print and lock away: 68 digits in groups, the last four a check of the others.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn of(bytes: &[u8; 32]) -> Self {
        RecoveryKey { key: RawKey::of(bytes), text: digits::write(PURPOSE, bytes) }
    }
}

const PURPOSE: &str = "ehrcore recovery key";

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey")
    }
}

impl KeySource for RecoveryKey {
    fn name(&self) -> &str {
        "recovery"
    }
    fn describe(&self) -> String {
        "a recovery key on paper".into()
    }
    fn wrap(&self, context: &[u8], root: &[u8; 32], random: &dyn Random) -> Result<Vec<u8>> {
        self.key.wrap(context, root, random)
    }
    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
        self.key.unwrap(context, wrapped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SystemRandom;

    #[test]
    fn the_text_comes_back_as_the_key_and_a_wrong_digit_is_found() {
        let key = RecoveryKey::new(&SystemRandom::default()).expect("random bytes");
        let text = key.text().to_owned();
        assert_eq!(text.len(), 68 + 8);
        let again = RecoveryKey::parse(&format!(" {}\n", text.to_lowercase().replace('-', " "))).expect("the same");
        assert_eq!(again.text(), text);
        for wrong in [&text[1..], &format!("{text}0"), "", &text.replace('-', "_")] {
            assert_eq!(RecoveryKey::parse(wrong).expect_err("refused").code(), Code::RecoveryKeyForm);
        }
        let zeros = RecoveryKey::of(&[0; 32]).text().to_owned();
        for at in (0..zeros.len()).filter(|at| zeros.as_bytes()[*at] != b'-') {
            let mut wrong = zeros.clone().into_bytes();
            wrong[at] = if wrong[at] == b'7' { b'8' } else { b'7' };
            assert!(RecoveryKey::parse(std::str::from_utf8(&wrong).expect("ASCII")).is_err(), "digit {at}");
        }
        assert_eq!(format!("{key:?}"), "RecoveryKey");
    }
}
