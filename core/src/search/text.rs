//! Text for search: normal form, hashes that stand in sealed indexes, references taken apart.

use crate::schema::ResourceType;

/// The form in which strings are compared: lower case, without accents, white space as one space.
pub fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    if text.is_ascii() {
        for byte in text.bytes() {
            push(&mut out, (byte as char).to_ascii_lowercase());
        }
    } else {
        for c in text.chars().flat_map(char::to_lowercase) {
            match fold(c) {
                Some(letters) => out.push_str(letters),
                None => push(&mut out, c),
            }
        }
    }
    out.truncate(out.trim_end().len());
    out
}

fn push(out: &mut String, c: char) {
    if !c.is_whitespace() {
        out.push(c);
    } else if !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

/// Latin letters without their marks; combining marks vanish.
fn fold(c: char) -> Option<&'static str> {
    Some(match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ǎ' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => "o",
        'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'þ' => "th",
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        '\u{300}'..='\u{36f}' => "",
        _ => return None,
    })
}

/// A hash of 64 bits, stable across versions: it is stored in sealed indexes. Not for secrecy.
pub(crate) fn hash64(parts: &[&[u8]]) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |a: u64, b: u64| {
        let wide = u128::from(a) * u128::from(b);
        (wide as u64) ^ (wide >> 64) as u64
    };
    let mut state = 0x243f_6a88_85a3_08d3_u64;
    for part in parts {
        state = fold(state ^ part.len() as u64, MULTIPLIER);
        for chunk in part.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            state = fold(state ^ u64::from_le_bytes(word), MULTIPLIER).rotate_left(23) ^ state.wrapping_mul(MULTIPLIER);
        }
    }
    fold(state, 0xd6e8_feb8_6659_fd93)
}

/// The first eight bytes as a number that sorts as they do: equal for a text and what it starts with, up to there.
pub(crate) fn prefix_key(text: &[u8]) -> u64 {
    let mut word = [0; 8];
    let length = text.len().min(8);
    word[..length].copy_from_slice(&text[..length]);
    u64::from_be_bytes(word)
}

/// Type and id of a reference of the form `Type/id`, `Type/id/_history/n` or an absolute URL that ends so.
pub fn parse_reference(text: &str) -> Option<(ResourceType, &str)> {
    // Looking for one byte first is cheaper, and there seldom is one.
    let versioned = memchr::memchr(b'_', text.as_bytes()).is_some();
    let text = if versioned { text.split("/_history/").next().unwrap_or(text) } else { text };
    let (rest, id) = text.rsplit_once('/')?;
    let kind = rest.rsplit('/').next()?;
    if !crate::record::is_id(id.as_bytes()) {
        return None;
    }
    Some((ResourceType::from_name(kind)?, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_and_spaces_do_not_matter() {
        assert_eq!(normalise("  Müller-LÜDENSCHEIDT \t Øre"), "muller-ludenscheidt ore");
        assert_eq!(normalise("Cafe\u{301}"), normalise("CAFÉ"));
        assert_eq!(normalise("Groß"), "gross");
        assert_eq!(normalise("山田"), "山田");
    }

    #[test]
    fn references_are_taken_apart() {
        let read = |text| parse_reference(text).map(|(kind, id)| (kind.name(), id));
        assert_eq!(read("Patient/1"), Some(("Patient", "1")));
        assert_eq!(read("http://x.example/fhir/Patient/1/_history/2"), Some(("Patient", "1")));
        assert_eq!(read("urn:uuid:1"), None);
        assert_eq!(read("Patients/1"), None);
        assert_eq!(read("Practitioner?identifier=a|b"), None);
    }

    #[test]
    fn the_hash_is_part_of_the_format() {
        assert_eq!(hash64(&[]), 0x02fe_35c7_4c84_f617);
        assert_ne!(hash64(&[b"ab", b"c"]), hash64(&[b"a", b"bc"]));
        assert_ne!(hash64(&[b"a"]), hash64(&[b"a\0"]));
    }
}
