//! The targets without a fuzzer: their seeds, and a given number of inputs made of them by a generator that always makes
//! the same ones. Started by `scripts/fuzz`.
//!
//! ```text
//! smoke --list              the targets' names
//! smoke --seeds TARGET DIR  writes a target's seeds as files
//! smoke TARGET [CASES]      runs seeds and CASES mutations; the first failure ends it, and prints its input
//! smoke TARGET 1/PARTS      the same with the first of so many parts of the target's own number of cases
//! smoke TARGET FILE...      runs inputs of libFuzzer's
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use purezmq_fuzz::{TARGETS, Target, run, seeds, target};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["--list"] => TARGETS.iter().for_each(|(name, ..)| println!("{name}")),
        ["--seeds", name, folder] => write_seeds(name, Path::new(folder)),
        [name] if target(name).is_some() => return smoke(known(name), known(name).2),
        [name, count] if cases_of(count, known(name)).is_some() => {
            let cases = cases_of(count, known(name)).expect("a number");
            return smoke(known(name), cases);
        }
        [name, ref files @ ..] if !files.is_empty() => {
            for file in files {
                run(known(name), &std::fs::read(file).expect("a readable file"));
            }
        }
        _ => {
            eprintln!(
                "smoke --list | --seeds TARGET DIR | TARGET [CASES | 1/PARTS] | TARGET FILE..."
            );
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn known(name: &str) -> &'static Target {
    target(name).unwrap_or_else(|| panic!("no target {name}: see --list"))
}

/// A number of cases, or a part of the target's own. `None`: it is neither, so it is a file.
fn cases_of(text: &str, target: &Target) -> Option<u64> {
    match text.strip_prefix("1/") {
        Some(parts) => target.2.checked_div(parts.parse().ok()?),
        None => text.parse().ok(),
    }
}

fn write_seeds(name: &str, folder: &Path) {
    std::fs::create_dir_all(folder).expect("a folder");
    for (number, seed) in seeds::of(known(name).0).iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number:04}")), seed).expect("a seed");
    }
}

fn smoke(target: &Target, cases: u64) -> ExitCode {
    let seeds = seeds::of(target.0);
    assert!(!seeds.is_empty(), "{} has no seeds", target.0);
    let began = Instant::now();
    let mut generator = Generator(0x5eed);
    for case in 0..cases + seeds.len() as u64 {
        let input = match seeds.get(case as usize) {
            Some(seed) => seed.clone(),
            None => generator.mutated(&seeds),
        };
        if catch_unwind(AssertUnwindSafe(|| run(target, &input))).is_err() {
            eprintln!("{}: case {case} failed: {input:?}", target.0);
            return ExitCode::FAILURE;
        }
    }
    println!(
        "{}: {cases} cases, {} s",
        target.0,
        began.elapsed().as_secs()
    );
    ExitCode::SUCCESS
}

/// SplitMix64, and what a fuzzer does with inputs.
struct Generator(u64);

impl Generator {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn mutated(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        /// Bytes that mean something in many places: signs, lengths, flags, their borders.
        const TELLING: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 0x7f, 0x80, 0xfe, 0xff];
        let mut input = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(8) {
            let at = self.below(input.len() + 1);
            match self.below(7) {
                0 if at < input.len() => input[at] ^= 1 << self.below(8),
                1 if at < input.len() => input[at] = TELLING[self.below(TELLING.len())],
                2 => input.insert(at, self.next() as u8),
                3 => drop(input.drain(at..(at + self.below(9)).min(input.len()))),
                4 => {
                    let end = (at + self.below(40)).min(input.len());
                    input.extend_from_within(at..end);
                }
                5 => {
                    let other = &seeds[self.below(seeds.len())];
                    let from = self.below(other.len());
                    input.truncate(at);
                    input.extend_from_slice(&other[from..]);
                }
                _ => {
                    let word = self.next().to_be_bytes();
                    let len = self.below(9);
                    input.splice(at..at, word[..len].iter().copied());
                }
            }
        }
        input.truncate(4000);
        input
    }
}
