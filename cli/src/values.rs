//! How arguments are read that several commands have: times, sizes, texts with escapes.

use std::time::Duration;

use purezmq::options::{Value, ValueKind};

/// Reads a time as options have it: `100 ms`, `2s`, `1min`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match Value::parse(ValueKind::Duration, text) {
        Some(Value::Duration(time)) => Ok(time),
        _ => Err("a time is a number with a unit: 100ms, 2s, 1min".to_owned()),
    }
}

/// Reads a number of bytes: `65536`, `64K`, `16M`, `1G`, in powers of 1,024.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit {
        "" => Some(0),
        "K" | "k" => Some(10),
        "M" => Some(20),
        "G" => Some(30),
        _ => None,
    };
    let number = number.parse::<usize>().ok();
    number
        .zip(shift)
        .and_then(|(number, shift)| number.checked_mul(1 << shift))
        .ok_or_else(|| "a size is a number of bytes, or with a unit: 64K, 16M, 1G".to_owned())
}

/// A text as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) Vec<u8>);

/// Reads a text in which `\t`, `\n`, `\r`, `\0`, `\\` and `\x00` to `\xff` stand for bytes.
pub(crate) fn escaped(text: &str) -> Result<Text, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        let (byte, used) = match escape.as_bytes().first() {
            Some(b't') => (b'\t', 1),
            Some(b'n') => (b'\n', 1),
            Some(b'r') => (b'\r', 1),
            Some(b'0') => (0, 1),
            Some(b'\\') => (b'\\', 1),
            Some(b'x') => match escape.get(1..3).map(|hex| u8::from_str_radix(hex, 16)) {
                Some(Ok(byte)) => (byte, 3),
                _ => return Err("\\x needs two hexadecimal digits".to_owned()),
            },
            _ => return Err("an escape is one of \\t \\n \\r \\0 \\\\ \\x00".to_owned()),
        };
        bytes.push(byte);
        rest = &escape[used..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(Text(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_do_not_overflow() {
        assert_eq!(size("65536"), Ok(65536));
        assert_eq!(size("16M"), Ok(16 << 20));
        for wrong in ["", "M", "1T", "-1", "99999999999999999999", "99999999999G"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn escapes_stand_for_bytes() {
        assert_eq!(escaped(r"a\tb\\\x00\0"), Ok(Text(b"a\tb\\\0\0".to_vec())));
        for wrong in ["\\", "\\q", "\\x0", "\\x0ü"] {
            assert!(escaped(wrong).is_err(), "{wrong}");
        }
    }
}
