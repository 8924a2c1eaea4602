//! A key in shares: any k of n people open the store together, and fewer than k learn nothing of the key.

use super::{KeySource, RawKey, digits};
use crate::crypto::{Active, Provider, equal};
use crate::error::{Code, Error, Found, Result};
use crate::id::Random;
use std::fmt;
use zeroize::Zeroizing;

/// A key that was split, or put together again: a way to open a store, named `shares K/N`.
pub struct SharedKey {
    key: RawKey,
    name: String,
}

/// One share: print it and give it to one person.
pub struct Share {
    needed: u8,
    of: u8,
    number: u8,
    /// Tells the sets apart, and whether what is put together is what was split.
    set: [u8; SET],
    value: Zeroizing<[u8; 32]>,
}

const SET: usize = 8;
/// `needed 1 || of 1 || number 1 || set 8 || value 32`.
const BYTES: usize = 3 + SET + 32;
const PURPOSE: &str = "ehrcore share";

impl SharedKey {
    /// Makes a random key and splits it into `of` shares, any `needed` of which give it again.
    ///
    /// `share_i = s + a_1 x_i + ... + a_(k-1) x_i^(k-1)` for each byte `s`, over GF(2^8) with the polynomial of AES, `x_i = i`, the
    /// coefficients random (Shamir, "How to share a secret", 1979).
    ///
    /// # Errors
    /// - `invalid-argument`: `needed` is below 2, or above `of`. `random-unavailable`.
    pub fn split(needed: u8, of: u8, random: &dyn Random) -> Result<(SharedKey, Vec<Share>)> {
        if needed < 2 || of < needed {
            return Err(Code::InvalidArgument.error().expected("at least 2 shares needed, of at least as many"));
        }
        let mut secret = Zeroizing::new([0_u8; 32]);
        random.fill(&mut *secret)?;
        let mut coefficients = Zeroizing::new(vec![[0_u8; 32]; usize::from(needed) - 1]);
        random.fill(coefficients.as_flattened_mut())?;
        let set = set_of(&secret, needed, of);
        let shares = (1..=of).map(|number| {
            let mut value = Zeroizing::new([0_u8; 32]);
            // Horner's rule, from the highest power down to the secret.
            for row in coefficients.iter().rev().chain(std::iter::once(&*secret)) {
                for (sum, coefficient) in value.iter_mut().zip(row) {
                    *sum = multiply(*sum, number) ^ coefficient;
                }
            }
            Share { needed, of, number, set, value }
        });
        Ok((SharedKey::of(&secret, needed, of), shares.collect()))
    }

    /// Puts shares together; more than are needed are fine.
    ///
    /// # Errors
    /// - `shares-too-few`: more are needed, the found number says how many there are.
    /// - `shares-mixed`: they are not of one set, or one was changed.
    pub fn join(shares: &[Share]) -> Result<SharedKey> {
        let first = shares.first().ok_or_else(|| too_few(0))?;
        let mixed = || Code::SharesMixed.error();
        if shares.iter().any(|share| (share.needed, share.of, share.set) != (first.needed, first.of, first.set)) {
            return Err(mixed());
        }
        let mut chosen: Vec<&Share> = Vec::with_capacity(first.needed.into());
        for share in shares {
            match chosen.iter().find(|known| known.number == share.number) {
                Some(known) if *known.value != *share.value => return Err(mixed()),
                Some(_) => {}
                None => chosen.push(share),
            }
        }
        if chosen.len() < first.needed.into() {
            return Err(too_few(chosen.len() as u64));
        }
        chosen.truncate(first.needed.into());
        let mut secret = Zeroizing::new([0_u8; 32]);
        for share in &chosen {
            // Lagrange's basis polynomial at zero: the product of x_j / (x_j - x_i).
            let mut basis = 1;
            for other in chosen.iter().filter(|other| other.number != share.number) {
                basis = multiply(basis, multiply(other.number, inverse(other.number ^ share.number)));
            }
            for (sum, byte) in secret.iter_mut().zip(&*share.value) {
                *sum ^= multiply(*byte, basis);
            }
        }
        if !equal(&set_of(&secret, first.needed, first.of), &first.set) {
            return Err(mixed());
        }
        Ok(SharedKey::of(&secret, first.needed, first.of))
    }

    fn of(secret: &[u8; 32], needed: u8, of: u8) -> SharedKey {
        SharedKey { key: RawKey::of(secret), name: format!("shares {needed}/{of}") }
    }
}

impl Share {
    /// Reads the text that [`Share::text`] gave; spaces, hyphens and small letters do not matter.
    ///
    /// # Errors
    /// - `share-form`: a digit is missing or wrong.
    pub fn parse(text: &str) -> Result<Share> {
        let wrong = || Code::ShareForm.error().expected("90 digits of 0 to 9 and A to F as they were shown");
        let bytes = digits::read::<BYTES>(PURPOSE, text).ok_or_else(wrong)?;
        let (head, value) = bytes.split_first_chunk::<{ 3 + SET }>().ok_or_else(wrong)?;
        let [needed, of, number, set @ ..] = *head;
        if needed < 2 || of < needed || number == 0 || number > of {
            return Err(wrong());
        }
        let mut share = Share { needed, of, number, set, value: Zeroizing::new([0; 32]) };
        share.value.copy_from_slice(value);
        Ok(share)
    }

    /// The text to print: 90 digits in groups, the last four a check of the others. No two shares of a set are alike.
    pub fn text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES));
        bytes.extend([self.needed, self.of, self.number]);
        bytes.extend(self.set);
        bytes.extend(*self.value);
        digits::write(PURPOSE, &bytes)
    }
    /// Its number in the set, from 1.
    pub fn number(&self) -> u8 {
        self.number
    }
    /// How many of the set open the store.
    pub fn needed(&self) -> u8 {
        self.needed
    }
    /// How many there are.
    pub fn of(&self) -> u8 {
        self.of
    }
}

/// The front of `SHA-256("ehrcore shares" || needed || of || secret)`: of 32 random bytes, which no one finds from a hash.
fn set_of(secret: &[u8; 32], needed: u8, of: u8) -> [u8; SET] {
    *Active::sha256(&[b"ehrcore shares", &[needed, of], secret]).first_chunk().expect("it is longer")
}

fn too_few(found: u64) -> Error {
    Code::SharesTooFew.error().found(Found::Count(found))
}

/// The product in GF(2^8) with `x^8 + x^4 + x^3 + x + 1`, in a time that does not depend on the factors: no table, no branch.
fn multiply(a: u8, b: u8) -> u8 {
    let (mut a, mut product) = (a, 0);
    for bit in 0..8 {
        product ^= a & (b >> bit & 1).wrapping_neg();
        a = a << 1 ^ 0x1b & (a >> 7).wrapping_neg();
    }
    product
}

/// `a^254`, the inverse of what is not zero.
fn inverse(a: u8) -> u8 {
    let mut power = a;
    for _ in 0..6 {
        power = multiply(multiply(power, power), a);
    }
    multiply(power, power)
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedKey({})", self.name)
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({} of {}/{})", self.number, self.needed, self.of)
    }
}

impl KeySource for SharedKey {
    fn name(&self) -> &str {
        &self.name
    }
    fn describe(&self) -> String {
        format!("a key in shares that people keep, {} together", self.name.trim_start_matches("shares "))
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
    use proptest::prelude::*;

    fn split(needed: u8, of: u8) -> (SharedKey, Vec<Share>) {
        SharedKey::split(needed, of, &SystemRandom::default()).expect("random bytes")
    }

    fn copy(share: &Share) -> Share {
        Share::parse(&share.text()).expect("as it was shown")
    }

    fn code(result: Result<SharedKey>) -> Code {
        result.map(|_| ()).expect_err("refused").code()
    }

    fn opens(key: &SharedKey, made: &SharedKey) -> bool {
        let wrapped = made.wrap(b"place", &[7; 32], &SystemRandom::default()).expect("it wraps");
        key.unwrap(b"place", &wrapped).is_ok_and(|root| *root == [7; 32])
    }

    #[test]
    fn the_field_is_that_of_aes() {
        // FIPS 197, section 4.2: {57} x {83} = {c1}, {57} x {13} = {fe}.
        assert_eq!((multiply(0x57, 0x83), multiply(0x57, 0x13)), (0xc1, 0xfe));
        for a in 1..=255 {
            assert_eq!(multiply(a, inverse(a)), 1, "{a}");
            assert_eq!((multiply(a, 1), multiply(a, 0)), (a, 0));
        }
    }

    #[test]
    fn any_three_of_five_open_and_any_two_do_not() {
        let (made, shares) = split(3, 5);
        for set in 0_u32..32 {
            let chosen: Vec<Share> = (0..5).filter(|at| set >> at & 1 == 1).map(|at| copy(&shares[at])).collect();
            match chosen.len() {
                0..3 => assert_eq!(code(SharedKey::join(&chosen)), Code::SharesTooFew),
                _ => assert!(opens(&SharedKey::join(&chosen).expect("enough"), &made), "{set:05b}"),
            }
        }
        assert_eq!(made.name(), "shares 3/5");
    }

    #[test]
    fn the_same_share_twice_counts_once() {
        let (_, shares) = split(2, 3);
        assert_eq!(code(SharedKey::join(&[copy(&shares[0]), copy(&shares[0])])), Code::SharesTooFew);
    }

    #[test]
    fn shares_of_two_sets_and_changed_shares_are_told_apart_from_too_few() {
        let ((_, mine), (_, others)) = (split(2, 3), split(2, 3));
        assert_eq!(code(SharedKey::join(&[copy(&mine[0]), copy(&others[1])])), Code::SharesMixed);
        let mut changed = copy(&mine[1]);
        changed.value[31] ^= 1;
        assert_eq!(code(SharedKey::join(&[copy(&mine[0]), changed])), Code::SharesMixed);
        let mut changed = copy(&mine[0]);
        changed.value[0] ^= 1;
        assert_eq!(code(SharedKey::join(&[copy(&mine[0]), changed, copy(&mine[1])])), Code::SharesMixed);
    }

    #[test]
    fn a_wrong_digit_and_a_share_that_cannot_be_are_refused() {
        let (_, shares) = split(2, 3);
        let text = shares[1].text().to_string();
        assert_eq!(text.chars().filter(char::is_ascii_hexdigit).count(), 90);
        assert_eq!(copy(&shares[1]).number(), 2);
        for at in (0..text.len()).filter(|at| text.as_bytes()[*at] != b'-') {
            let mut wrong = text.clone().into_bytes();
            wrong[at] = if wrong[at] == b'7' { b'8' } else { b'7' };
            let wrong = String::from_utf8(wrong).expect("ASCII");
            if wrong != text {
                assert!(Share::parse(&wrong).is_err(), "digit {at}");
            }
        }
        for (needed, of, number) in [(1, 3, 1), (3, 2, 1), (2, 3, 0), (2, 3, 4)] {
            let impossible = Share { needed, of, number, set: [0; SET], value: Zeroizing::new([0; 32]) };
            assert_eq!(Share::parse(&impossible.text()).map(|_| ()).expect_err("refused").code(), Code::ShareForm);
        }
        for (needed, of) in [(0, 3), (1, 3), (4, 3)] {
            let refused = SharedKey::split(needed, of, &SystemRandom::default());
            assert_eq!(refused.map(|_| ()).expect_err("refused").code(), Code::InvalidArgument);
        }
    }

    #[test]
    fn nothing_of_a_share_is_printed() {
        let (key, shares) = split(2, 3);
        assert_eq!(format!("{key:?} {:?}", shares[0]), "SharedKey(shares 2/3) Share(1 of 2/3)");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_choice_of_enough_shares_gives_the_key(needed in 2_u8..12, more in 0_u8..12, order in any::<prop::sample::Index>()) {
            let of = needed + more;
            let (made, mut shares) = split(needed, of);
            shares.rotate_left(order.index(of.into()));
            shares.truncate(needed.into());
            prop_assert!(opens(&SharedKey::join(&shares).expect("enough"), &made));
            shares.pop();
            prop_assert_eq!(code(SharedKey::join(&shares)), Code::SharesTooFew);
        }

        #[test]
        fn a_made_up_share_does_not_join(value in any::<[u8; 32]>()) {
            let (_, shares) = split(2, 2);
            let forged = Share { value: Zeroizing::new(value), ..copy(&shares[1]) };
            prop_assert_eq!(code(SharedKey::join(&[copy(&shares[0]), forged])), Code::SharesMixed);
        }
    }
}
