//! Messages described by recipes, and digests that compare them across languages.
//!
//! A recipe says what each frame holds; whoever sends makes the bytes and says their digest, whoever
//! receives says the digest of what came. So no two languages have to make the same random bytes.

use std::fmt;

use purezmq::Message;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// What one frame holds.
#[derive(Clone, Debug)]
pub enum FrameRecipe {
    Text(String),
    Random { size: usize, seed: u64 },
}

/// What one message holds, frame by frame.
pub type Recipe = Vec<FrameRecipe>;

/// A message of one text frame.
pub fn text(text: impl Into<String>) -> Recipe {
    vec![FrameRecipe::Text(text.into())]
}

/// The payload sizes at which framing changes: empty, inline, the one-byte size field's end, the
/// eight-byte size field's start, larger than one read, larger than every socket buffer.
pub const SIZES: [usize; 6] = [0, 1, 255, 256, 64 << 10, 10 << 20];

/// Every number of frames from 1 to 100, every size of [`SIZES`] alone, and sizes mixed in one
/// message with empty frames first, in the middle and last.
pub fn every_shape() -> Vec<Recipe> {
    let mut seed = 1;
    let mut random = |size| {
        seed += 1;
        FrameRecipe::Random { size, seed }
    };
    let mut recipes: Vec<Recipe> = Vec::new();
    for frames in 1..=100 {
        recipes.push(
            (0..frames)
                .map(|i| random(SIZES[(i + frames) % 4]))
                .collect(),
        );
    }
    for size in SIZES {
        recipes.push(vec![random(size)]);
    }
    recipes.push(
        [0, 10 << 20, 0, 64 << 10, 1, 64 << 10, 0]
            .map(&mut random)
            .to_vec(),
    );
    recipes
}

impl FrameRecipe {
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            FrameRecipe::Text(text) => text.as_bytes().to_vec(),
            FrameRecipe::Random { size, seed } => random_bytes(*size, *seed),
        }
    }

    pub fn to_json(&self) -> Value {
        match self {
            FrameRecipe::Text(text) => json!({ "text": text }),
            FrameRecipe::Random { size, seed } => json!({ "size": size, "seed": seed }),
        }
    }
}

/// The frames of a recipe.
pub fn frames(recipe: &Recipe) -> Vec<Vec<u8>> {
    recipe.iter().map(FrameRecipe::bytes).collect()
}

/// The message of a recipe.
pub fn message(recipe: &Recipe) -> Message {
    frames(recipe).into_iter().collect()
}

/// xorshift64*: reproducible, and no two offsets look alike.
fn random_bytes(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = vec![0; size];
    for chunk in bytes.chunks_mut(8) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let word = state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
    bytes
}

/// What a message looked like: enough to compare it, short enough to print.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest {
    frames: u64,
    bytes: u64,
    sha256: String,
}

impl Digest {
    pub fn of<T: AsRef<[u8]>>(frames: impl IntoIterator<Item = T>) -> Digest {
        let (mut count, mut bytes, mut sha) = (0, 0, Sha256::new());
        for frame in frames {
            let frame = frame.as_ref();
            count += 1;
            bytes += frame.len() as u64;
            sha.update((frame.len() as u64).to_be_bytes());
            sha.update(frame);
        }
        let sha256 = sha
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Digest {
            frames: count,
            bytes,
            sha256,
        }
    }

    pub fn of_message(message: &Message) -> Digest {
        Digest::of(message.iter())
    }

    pub fn from_json(value: &Value) -> Digest {
        Digest {
            frames: value[0].as_u64().expect("frame count"),
            bytes: value[1].as_u64().expect("byte count"),
            sha256: value[2].as_str().expect("hash").to_owned(),
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} frames, {} bytes, {}",
            self.frames,
            self.bytes,
            &self.sha256[..12]
        )
    }
}
