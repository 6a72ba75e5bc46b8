//! Z85: bytes as text that survives source code, shells and JSON (RFC 32). Four bytes are five characters.

use zeroize::Zeroizing;

const DIGITS: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// Writes `bytes` as text; `None` if their number is not a multiple of four.
///
/// ```
/// use purezmq_zmtp::mechanism::z85;
///
/// let bytes = [0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b];
/// assert_eq!(z85::encode(&bytes).unwrap(), "HelloWorld");
/// assert_eq!(z85::decode("HelloWorld").unwrap()[..], bytes);
/// ```
#[must_use]
pub fn encode(bytes: &[u8]) -> Option<String> {
    if !bytes.len().is_multiple_of(4) {
        return None;
    }
    // As long as it will be: a key's text is never moved and left behind in freed memory.
    let mut text = String::with_capacity(bytes.len() / 4 * 5);
    for four in bytes.chunks_exact(4) {
        let value = four
            .iter()
            .fold(0, |value, byte| value << 8 | u32::from(*byte));
        for power in [85 * 85 * 85 * 85, 85 * 85 * 85, 85 * 85, 85, 1] {
            text.push(char::from(DIGITS[(value / power % 85) as usize]));
        }
    }
    Some(text)
}

/// Reads the bytes that `text` stands for; `None` if it is not Z85. They are wiped from memory when they are dropped.
#[must_use]
pub fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = text.as_bytes();
    if !text.len().is_multiple_of(5) {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 5 * 4));
    for five in text.chunks_exact(5) {
        let value = five.iter().try_fold(0_u64, |value, digit| {
            let digit = DIGITS.iter().position(|candidate| candidate == digit)?;
            Some(value * 85 + digit as u64)
        })?;
        bytes.extend_from_slice(&u32::try_from(value).ok()?.to_be_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_values_round_trip() {
        for value in [
            0,
            1,
            84,
            85,
            0x7fff_ffff,
            0x8000_0000,
            u32::MAX - 1,
            u32::MAX,
        ] {
            let text = encode(&value.to_be_bytes()).unwrap();
            assert_eq!(decode(&text).unwrap()[..], value.to_be_bytes());
        }
        assert_eq!(encode(b"").unwrap(), "");
    }

    #[test]
    fn what_is_not_z85_is_refused() {
        // "%nSc0" is 2^32 - 1; the next one stands for more than four bytes hold.
        assert_eq!(decode("%nSc0").unwrap()[..], [0xff; 4]);
        for text in [
            "%nSc1", "#####", "Hell", "Hello!", "He lo", "Héll", "\"aaaa",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert_eq!(encode(b"123"), None);
    }
}
