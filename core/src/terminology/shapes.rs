//! Codes that can be judged by themselves: their shape, and their check digit where they have one.
//!
//! What is found is a finding; nothing is repaired. What the check digits cannot see, counted in the tests below:
//!
//! | system | check digit | one digit wrong | two neighbours swapped |
//! |---|---|---|---|
//! | LOINC, NPI | Luhn | all seen | all but 09 and 90 |
//! | SNOMED CT | Verhoeff | all seen | all seen |
//! | DEA | weights 1 and 2 | all but a second, fourth or sixth digit that is off by 5 | all seen |
//! | CVX, NDC, RxCUI, OID, UUID | none | the shape only | the shape only |

use crate::error::Code;

/// Judges a code by its system URI (as FHIR writes it, or as `urn:oid:`).
///
/// None where the system is none of these, or where the code needs more than itself: an expression of SNOMED CT, a URI that is
/// neither `urn:oid:` nor `urn:uuid:`.
///
/// # Errors
///
/// - `code-shape`: the code does not have the shape of its system.
/// - `code-check-digit`: its check digit does not fit.
///
/// # Example
///
/// ```
/// use ehrcore::{error::Code, terminology::shapes::check};
/// assert_eq!(check("http://loinc.org", "8480-6"), Some(Ok(())));
/// assert_eq!(check("http://loinc.org", "8408-6"), Some(Err(Code::CodeCheckDigit)));
/// assert_eq!(check("http://example.org", "8480-6"), None);
/// ```
pub fn check(system: &str, code: &str) -> Option<Result<(), Code>> {
    Some(match system {
        "http://loinc.org" | "urn:oid:2.16.840.1.113883.6.1" => loinc(code),
        "http://snomed.info/sct" | "urn:oid:2.16.840.1.113883.6.96" => {
            if code.contains(EXPRESSION) {
                return None;
            }
            snomed(code)
        }
        "http://hl7.org/fhir/sid/us-npi" | "urn:oid:2.16.840.1.113883.4.6" => npi(code),
        "http://terminology.hl7.org/NamingSystem/USDEANumber" | "urn:oid:2.16.840.1.113883.4.814" => dea(code),
        "http://hl7.org/fhir/sid/ndc" | "urn:oid:2.16.840.1.113883.6.69" => ndc(code),
        "http://hl7.org/fhir/sid/cvx" | "urn:oid:2.16.840.1.113883.12.292" => cvx(code),
        "http://www.nlm.nih.gov/research/umls/rxnorm" | "urn:oid:2.16.840.1.113883.6.88" => rxcui(code),
        "urn:ietf:rfc:3986" => match (code.strip_prefix("urn:oid:"), code.strip_prefix("urn:uuid:")) {
            (Some(text), _) => oid(text),
            (_, Some(text)) => uuid(text),
            _ => return None,
        },
        _ => return None,
    })
}

/// A LOINC code: one to seven digits (after `LA`, `LG`, `LL` or `LP` for answers, groups, lists and parts), a hyphen, and a
/// check digit by Luhn in which a letter counts as its ASCII code less that of `0`.
///
/// # Errors
///
/// As [`check`].
pub fn loinc(code: &str) -> Result<(), Code> {
    let (body, check) = code.split_once('-').ok_or(Code::CodeShape)?;
    let number = ["LA", "LG", "LL", "LP"].iter().find_map(|letters| body.strip_prefix(letters)).unwrap_or(body);
    shape(is_number(number, 1..=7) && is_digits(check, 1..=1))?;
    fits(luhn(body.bytes().chain(check.bytes())) == 0)
}

/// An identifier of SNOMED CT: 6 to 18 digits, a partition that holds concepts, and a check digit by Verhoeff.
///
/// # Errors
///
/// As [`check`].
pub fn snomed(code: &str) -> Result<(), Code> {
    shape(is_number(code, 6..=18))?;
    let partition = &code[code.len() - 3..code.len() - 1];
    // The long form has a namespace of seven digits before the partition.
    shape(partition == "00" || partition == "10" && code.len() >= 11)?;
    fits(verhoeff(code.as_bytes()) == 0)
}

/// A National Provider Identifier: ten digits, the first 1 or 2, with a check digit by Luhn over `80840` and the number.
///
/// # Errors
///
/// As [`check`].
pub fn npi(code: &str) -> Result<(), Code> {
    shape(is_digits(code, 10..=10) && code.starts_with(['1', '2']))?;
    fits(luhn(b"80840".iter().copied().chain(code.bytes())) == 0)
}

/// A registration number of the Drug Enforcement Administration: a letter of its kind, a letter or 9, seven digits of which the
/// last is the last digit of a sum of the others.
///
/// # Errors
///
/// As [`check`].
pub fn dea(code: &str) -> Result<(), Code> {
    let &[kind, second, ref digits @ ..] = code.as_bytes() else { return Err(Code::CodeShape) };
    shape(b"ABCDEFGHJKLMPRSTUX".contains(&kind) && (second.is_ascii_uppercase() || second == b'9'))?;
    let &[a, b, c, d, e, f, check] = digits else { return Err(Code::CodeShape) };
    shape(digits.iter().all(u8::is_ascii_digit))?;
    let value = |digit: u8| u32::from(digit - b'0');
    let sum = value(a) + value(c) + value(e) + 2 * (value(b) + value(d) + value(f));
    fits(sum % 10 == value(check))
}

/// A National Drug Code of a package: ten digits in three groups (4-4-2, 5-3-2, 5-4-1), or eleven with or without hyphens
/// (5-4-2). Ten digits without hyphens could be any of three codes and are refused.
///
/// # Errors
///
/// `code-shape`.
pub fn ndc(code: &str) -> Result<(), Code> {
    let groups: Vec<&str> = code.splitn(4, '-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let known = matches!(lengths[..], [4, 4, 2] | [5, 3, 2] | [5, 4, 1] | [5, 4, 2] | [11]);
    shape(known && groups.iter().all(|group| is_digits(group, 1..=11)))
}

/// A vaccine code of the CDC: two digits, or three without a zero in front.
///
/// # Errors
///
/// `code-shape`.
pub fn cvx(code: &str) -> Result<(), Code> {
    shape(is_digits(code, 2..=2) && code != "00" || is_number(code, 3..=3))
}

/// A concept of RxNorm: one to eight digits without a zero in front.
///
/// # Errors
///
/// `code-shape`.
pub fn rxcui(code: &str) -> Result<(), Code> {
    shape(is_number(code, 1..=8))
}

/// An object identifier without `urn:oid:`: arcs of digits without zeros in front, the first 0 to 2, the second below 40
/// under 0 and 1.
///
/// # Errors
///
/// `code-shape`.
pub fn oid(text: &str) -> Result<(), Code> {
    let mut arcs = text.split('.');
    let (Some(root), Some(second)) = (arcs.next(), arcs.next()) else { return Err(Code::CodeShape) };
    let arc = |arc: &str| arc == "0" || is_number(arc, 1..=39);
    let below_40 = second.len() < 2 || second.len() == 2 && second < "40";
    shape(["0", "1", "2"].contains(&root) && arc(second) && (root == "2" || below_40) && arcs.all(arc))
}

/// A UUID without `urn:uuid:`: 8-4-4-4-12 hexadecimal digits in small letters, as FHIR asks.
///
/// # Errors
///
/// `code-shape`.
pub fn uuid(text: &str) -> Result<(), Code> {
    let fits_at = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
    };
    shape(text.len() == 36 && text.bytes().enumerate().all(fits_at))
}

/// What stands in an expression of SNOMED CT and in no identifier.
const EXPRESSION: [char; 9] = [':', '+', '=', '|', '{', '}', '(', ')', ','];

fn shape(right: bool) -> Result<(), Code> {
    if right { Ok(()) } else { Err(Code::CodeShape) }
}

fn fits(right: bool) -> Result<(), Code> {
    if right { Ok(()) } else { Err(Code::CodeCheckDigit) }
}

fn is_digits(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Digits without a zero in front.
fn is_number(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    is_digits(text, length) && !text.starts_with('0')
}

/// The Luhn sum modulo 10 of digits with their check digit at the end: 0 where it fits.
fn luhn(digits: impl DoubleEndedIterator<Item = u8>) -> u32 {
    let sum: u32 = digits
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit - b'0');
            // A doubled digit counts with the digits it has: less 9 from 5 on, and so on for letters.
            if place % 2 == 1 { 2 * value - value / 5 * 9 } else { value }
        })
        .sum();
    sum % 10
}

/// The checksum of Verhoeff over digits with their check digit at the end: 0 where it fits.
fn verhoeff(digits: &[u8]) -> u8 {
    digits.iter().rev().enumerate().fold(0, |sum, (place, digit)| {
        let mut moved = digit - b'0';
        for _ in 0..place % 8 {
            moved = PERMUTATION[usize::from(moved)];
        }
        dihedral(sum, moved)
    })
}

const PERMUTATION: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];

/// The product of two elements of the symmetries of a pentagon: 0 to 4 turn, 5 to 9 turn and flip.
fn dihedral(a: u8, b: u8) -> u8 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b) % 5 + 5,
        (false, true) => (a - b + 5) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: usize = 10_000;

    /// Numbers that look like chance and are the same every time.
    struct Made(u64);

    impl Made {
        fn number(&mut self, below: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % below
        }
        fn digits(&mut self, count: u64) -> String {
            (0..count).map(|place| char::from(b'0' + (self.number(9) + u64::from(place == 0)) as u8)).collect()
        }
    }

    /// The code that ends with the check digit that fits.
    fn completed(body: &str, check: fn(&str) -> Result<(), Code>) -> String {
        let fitting = |digit: &char| check(&format!("{body}{digit}")).is_ok();
        format!("{body}{}", ('0'..='9').find(fitting).expect("one of the ten digits fits"))
    }

    /// What 10,000 right codes with one digit changed, and with two neighbours swapped, are taken for.
    struct Seen {
        changed: usize,
        swapped: usize,
        /// A change that was not seen: the place from the front, what was there, what came.
        changes_missed: Vec<(usize, u8, u8)>,
        swaps_missed: Vec<(u8, u8)>,
    }

    fn damage(check: fn(&str) -> Result<(), Code>, mut make: impl FnMut(&mut Made) -> String) -> Seen {
        let mut made = Made(7);
        let mut seen = Seen { changed: 0, swapped: 0, changes_missed: Vec::new(), swaps_missed: Vec::new() };
        for _ in 0..CASES {
            let code = make(&mut made);
            assert_eq!(check(&code), Ok(()), "{code}");
            let right = code.as_bytes();
            let places: Vec<usize> = (0..right.len()).filter(|at| right[*at].is_ascii_digit()).collect();
            let reads = |bytes: &[u8]| check(std::str::from_utf8(bytes).expect("ASCII")).is_ok();
            for &at in &places {
                for other in (b'0'..=b'9').filter(|other| *other != right[at]) {
                    let mut wrong = right.to_vec();
                    wrong[at] = other;
                    seen.changed += 1;
                    if reads(&wrong) {
                        seen.changes_missed.push((at, right[at], other));
                    }
                }
            }
            for pair in places.windows(2).filter(|pair| right[pair[0]] != right[pair[1]]) {
                let mut wrong = right.to_vec();
                wrong.swap(pair[0], pair[1]);
                seen.swapped += 1;
                if reads(&wrong) {
                    seen.swaps_missed.push((right[pair[0]], right[pair[1]]));
                }
            }
        }
        seen
    }

    /// The one thing that Luhn does not see.
    fn only_zero_and_nine(seen: &Seen) {
        assert!(seen.changes_missed.is_empty());
        assert!(seen.swaps_missed.iter().all(|pair| [(b'0', b'9'), (b'9', b'0')].contains(pair)));
        assert!(seen.swaps_missed.len() * 20 < seen.swapped, "{} of {}", seen.swaps_missed.len(), seen.swapped);
    }

    #[test]
    fn loinc_sees_every_wrong_digit_and_every_swap_but_09() {
        let seen = damage(loinc, |made| {
            let letters = ["", "", "LA", "LG", "LL", "LP"][made.number(6) as usize];
            let length = 1 + made.number(7);
            completed(&format!("{letters}{}-", made.digits(length)), loinc)
        });
        only_zero_and_nine(&seen);
        for code in ["8480-6", "1-8", "85354-9", "LA30122-8", "LA6668-3", "LP29684-5"] {
            assert_eq!(loinc(code), Ok(()), "{code}");
        }
        for code in
            ["", "8480", "8480-", "-6", "08480-6", "12345678-0", "8480-66", "L8480-6", "LX1-8", "8480 -6", "٨480-6"]
        {
            assert_eq!(loinc(code), Err(Code::CodeShape), "{code}");
        }
    }

    #[test]
    fn snomed_sees_every_wrong_digit_and_every_swap() {
        let seen = damage(snomed, |made| {
            let body = if made.number(2) == 0 {
                let length = 3 + made.number(6);
                made.digits(length) + "00"
            } else {
                let length = 1 + made.number(8);
                made.digits(length + 7) + "10"
            };
            completed(&body, snomed)
        });
        assert!(seen.changes_missed.is_empty() && seen.swaps_missed.is_empty());
        for code in ["38341003", "73211009", "22298006", "138875005", "404684003", "999000011000000103"] {
            assert_eq!(snomed(code), Ok(()), "{code}");
        }
        // Too short, a zero in front, a description, a long form without its namespace, letters, too long.
        for code in ["10000", "038341003", "754786011", "1234100", "38341OO3", "1234567890123456100"] {
            assert_eq!(snomed(code), Err(Code::CodeShape), "{code}");
        }
        assert_eq!(check("http://snomed.info/sct", "73211009:363698007=113331007"), None, "an expression");
    }

    #[test]
    fn npi_sees_every_wrong_digit_and_every_swap_but_09() {
        let seen = damage(npi, |made| {
            let first = 1 + made.number(2);
            completed(&format!("{first}{}", made.digits(8)), npi)
        });
        only_zero_and_nine(&seen);
        assert_eq!(npi("1234567893"), Ok(()));
        for code in ["123456789", "3234567893", "12345678930", "123456789X"] {
            assert_eq!(npi(code), Err(Code::CodeShape), "{code}");
        }
    }

    /// A weight of 2 makes a digit that is off by 5 look right: the algorithm's own blind spot.
    #[test]
    fn dea_sees_every_swap_and_every_wrong_digit_that_is_not_off_by_five_at_an_even_place() {
        let seen = damage(dea, |made| {
            let letters = ["AB", "MX", "F9", "BZ"][made.number(4) as usize];
            completed(&format!("{letters}{}", made.digits(6)), dea)
        });
        assert!(seen.swaps_missed.is_empty());
        let blind = |(at, was, came): &(usize, u8, u8)| [3, 5, 7].contains(at) && was.abs_diff(*came) == 5;
        assert!(seen.changes_missed.iter().all(blind));
        assert_eq!(seen.changes_missed.len(), 3 * CASES, "one digit at each of three places");
        assert_eq!(dea("AB1234563"), Ok(()));
        for code in ["IB1234563", "A81234563", "AB123456", "AB12345633", "ab1234563", "ABl234563"] {
            assert_eq!(dea(code), Err(Code::CodeShape), "{code}");
        }
    }

    /// These have no check digit: 10,000 right ones are read, and each is refused with a letter or a digit too many.
    #[test]
    fn shapes_without_a_check_digit_see_what_breaks_the_shape() {
        type Make = fn(&mut Made) -> String;
        let systems: [(fn(&str) -> Result<(), Code>, Make); 5] = [
            (ndc, |made| {
                let (a, b, c) = [(4, 4, 2), (5, 3, 2), (5, 4, 1), (5, 4, 2)][made.number(4) as usize];
                format!("{}-{}-{}", made.digits(a), made.digits(b), made.digits(c))
            }),
            (cvx, |made| {
                let length = 2 + made.number(2);
                made.digits(length)
            }),
            (rxcui, |made| {
                let length = 1 + made.number(8);
                made.digits(length)
            }),
            (oid, |made| {
                let arcs: Vec<String> = (0..1 + made.number(8)).map(|_| made.number(1 << 30).to_string()).collect();
                format!("2.{}.{}", made.number(1_000), arcs.join("."))
            }),
            (uuid, |made| {
                let mut hex = |count: u64| format!("{:0>1$x}", made.number(1 << (4 * count).min(30)), count as usize);
                format!("{}-{}-{}-{}-{}{}", hex(8), hex(4), hex(4), hex(4), hex(6), hex(6))
            }),
        ];
        for (check, make) in systems {
            let mut made = Made(11);
            for _ in 0..CASES {
                let code = make(&mut made);
                assert_eq!(check(&code), Ok(()), "{code}");
                let at = made.number(code.len() as u64) as usize;
                for wrong in [format!("{}g{}", &code[..at], &code[at + 1..]), format!("{code}-"), format!("{code} ")] {
                    assert_eq!(check(&wrong), Err(Code::CodeShape), "{wrong}");
                }
            }
        }
        for code in ["00777310502", "0777-3105-02", "50580-449-05", "12345-6789-01"] {
            assert_eq!(ndc(code), Ok(()), "{code}");
        }
        for code in ["0777310502", "0777-3105", "077-3105-02", "0777-3105-02-1", "1-2-3"] {
            assert_eq!(ndc(code), Err(Code::CodeShape), "{code}");
        }
        for code in ["1", "00", "010", "1000"] {
            assert_eq!(cvx(code), Err(Code::CodeShape), "{code}");
        }
        for text in [
            "1",
            "3.1",
            "1.40",
            "0.41.1",
            "2.01",
            "2..1",
            "2.1.",
            "1.2.00",
            ".1",
            "2.999999999999999999999999999999999999999999",
        ] {
            assert_eq!(oid(text), Err(Code::CodeShape), "{text}");
        }
        for text in ["c757873d-ec9a-4326-a141-556f43239520", "C757873D-EC9A-4326-A141-556F43239520"] {
            assert_eq!(uuid(text).is_ok(), text.starts_with('c'));
        }
    }

    #[test]
    fn a_system_is_known_by_its_uri_and_by_its_oid() {
        for (system, right, wrong, code) in [
            ("http://loinc.org", "8480-6", "8480-5", Code::CodeCheckDigit),
            ("urn:oid:2.16.840.1.113883.6.1", "8480-6", "84806", Code::CodeShape),
            ("http://snomed.info/sct", "38341003", "38341004", Code::CodeCheckDigit),
            ("http://hl7.org/fhir/sid/us-npi", "1234567893", "1234567890", Code::CodeCheckDigit),
            ("urn:oid:2.16.840.1.113883.4.814", "AB1234563", "AB1234560", Code::CodeCheckDigit),
            ("http://hl7.org/fhir/sid/ndc", "0777-3105-02", "0777-3105", Code::CodeShape),
            ("http://hl7.org/fhir/sid/cvx", "08", "8", Code::CodeShape),
            ("http://www.nlm.nih.gov/research/umls/rxnorm", "313782", "RX313782", Code::CodeShape),
            ("urn:ietf:rfc:3986", "urn:oid:2.16.840", "urn:oid:2.16.", Code::CodeShape),
            ("urn:ietf:rfc:3986", "urn:uuid:c757873d-ec9a-4326-a141-556f43239520", "urn:uuid:1", Code::CodeShape),
        ] {
            assert_eq!(check(system, right), Some(Ok(())), "{system}");
            assert_eq!(check(system, wrong), Some(Err(code)), "{system}");
        }
        assert_eq!(check("urn:ietf:rfc:3986", "https://example.org"), None);
        assert_eq!(check("http://hl7.org/fhir/administrative-gender", "male"), None);
    }
}
