//! What the simulation's messages say: who sent them, which one they are, and whether they are whole.
//!
//! ```text
//! first frame:  filling, name (8 bytes), checksum of all that is before it and of the other frames (8 bytes)
//! other frames: filling
//! ```

use std::hash::Hasher;

use purezmq::Message;
use rand::Rng;
use rand::rngs::SmallRng;
use rustc_hash::FxHasher;

/// Names a message: its sender's host, which of the host's sockets it was, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) host: u8,
    pub(crate) life: u8,
    pub(crate) number: u32,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.host, self.life, self.number)
    }
}

/// No message is longer.
const LONGEST: usize = 1 << 20;
const NAME: usize = 8;
const SUM: usize = 8;

/// A message of `sizes`, one for each frame.
pub(crate) fn write(name: Name, sizes: &[usize], rng: &mut SmallRng) -> Message {
    let mut frames: Vec<Vec<u8>> = Vec::with_capacity(sizes.len());
    for size in sizes {
        let fill = rng.random_range(b'a'..=b'z');
        frames.push(vec![fill; *size]);
    }
    let first = &mut frames[0];
    if first.is_empty() {
        // A frame that begins with 0 or 1 may be a subscription.
        first.push(b'-');
    }
    first.push(sizes.len() as u8);
    first.extend([name.host, name.life, 0]);
    first.extend(name.number.to_le_bytes());
    let sum = sum(frames.iter().map(Vec::as_slice));
    frames[0].extend(sum.to_le_bytes());
    Message::from(frames)
}

/// Where there are no messages: the length, and the message's one frame.
pub(crate) fn framed(letter: &Message) -> Message {
    let frame = letter.first().unwrap_or_default();
    let mut bytes = (frame.len() as u32).to_le_bytes().to_vec();
    bytes.extend(frame);
    Message::from(bytes)
}

/// Takes the first of such messages out of what has come, if it is whole. An error: there is none that long.
pub(crate) fn cut(bytes: &mut Vec<u8>) -> Result<Option<Message>, String> {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(*length) as usize;
    if length > LONGEST {
        return Err(format!("bytes that are no message's: {length} more"));
    }
    let Some(frame) = rest.get(..length) else {
        return Ok(None);
    };
    let letter = Message::from(frame);
    bytes.drain(..length + size_of::<u32>());
    Ok(Some(letter))
}

fn sum<'a>(frames: impl Iterator<Item = &'a [u8]>) -> u64 {
    let mut hasher = FxHasher::default();
    for frame in frames {
        hasher.write_usize(frame.len());
        hasher.write(frame);
    }
    hasher.finish()
}

/// Reads a message, if it is whole.
pub(crate) fn read(message: &Message) -> Result<Name, String> {
    let first = message.first().unwrap_or_default();
    let Some((rest, found)) = first.split_last_chunk::<SUM>() else {
        return Err(format!("a message of {} bytes in front", first.len()));
    };
    let frames = std::iter::once(rest).chain(message.iter().skip(1));
    if sum(frames) != u64::from_le_bytes(*found) {
        return Err(format!("{} frames that were not sent so", message.len()));
    }
    let Some((_, name)) = rest.split_last_chunk::<NAME>() else {
        return Err("a message without a name".to_owned());
    };
    let [frames, host, life, _, number @ ..] = *name;
    if usize::from(frames) != message.len() {
        return Err(format!("{} of {frames} frames", message.len()));
    }
    Ok(Name {
        host,
        life,
        number: u32::from_le_bytes(number),
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn whole_messages_are_told_from_others() {
        let mut rng = SmallRng::seed_from_u64(1);
        let name = Name {
            host: 3,
            life: 1,
            number: 70_000,
        };
        let message = write(name, &[10, 0, 5000], &mut rng);
        assert_eq!(read(&message), Ok(name));
        let mut short = message.clone();
        short.pop_back();
        assert!(read(&short).is_err());
        let mut longer = message;
        longer.push_back("");
        assert!(read(&longer).is_err());
    }

    #[test]
    fn messages_are_cut_out_of_bytes() {
        let mut rng = SmallRng::seed_from_u64(1);
        let names = [0, 1].map(|number| Name {
            host: 3,
            life: 1,
            number,
        });
        let mut bytes = Vec::new();
        let mut read_so = Vec::new();
        for name in names {
            for byte in &framed(&write(name, &[40], &mut rng))[0] {
                bytes.push(*byte);
                while let Some(letter) = cut(&mut bytes).unwrap() {
                    read_so.push(read(&letter).unwrap());
                }
            }
        }
        assert_eq!(read_so, names);
        assert!(cut(&mut vec![0xff; 8]).is_err());
    }
}
