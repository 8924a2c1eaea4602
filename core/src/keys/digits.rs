//! Keys as text to print: hexadecimal digits in groups of eight, the last ones a check of the others.

use crate::crypto::{Active, Provider};
use zeroize::Zeroizing;

/// Digits of the check.
const CHECK: usize = 2;

/// `bytes` and the front of `SHA-256(purpose || bytes)`, in hexadecimal. The check finds what was copied wrongly, and tells an
/// attacker two bytes of a hash of 32 random ones.
pub(super) fn write(purpose: &str, bytes: &[u8]) -> Zeroizing<String> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = Zeroizing::new(String::with_capacity(3 * (bytes.len() + CHECK)));
    for (at, byte) in bytes.iter().chain(&check(purpose, bytes)).enumerate() {
        if at % 4 == 0 && at > 0 {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The inverse of [`write`] for `N` bytes; spaces, hyphens and small letters do not matter. None where a digit is missing or wrong.
pub(super) fn read<const N: usize>(purpose: &str, text: &str) -> Option<Zeroizing<[u8; N]>> {
    let (mut bytes, mut found) = (Zeroizing::new([0_u8; N]), [0_u8; CHECK]);
    let mut digits = 0;
    for c in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
        let digit = c.to_digit(16)? as u8;
        let at = digits / 2;
        let place = if at < N { &mut bytes[at] } else { found.get_mut(at - N)? };
        *place |= if digits % 2 == 0 { digit << 4 } else { digit };
        digits += 1;
    }
    (digits == 2 * (N + CHECK) && found == check(purpose, &*bytes)).then_some(bytes)
}

fn check(purpose: &str, bytes: &[u8]) -> [u8; CHECK] {
    *Active::sha256(&[purpose.as_bytes(), bytes]).first_chunk().expect("it is longer")
}
