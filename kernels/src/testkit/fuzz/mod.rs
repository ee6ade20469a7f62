//! Random cases from bytes: the bodies of the fuzz targets in `kernels/fuzz`, and of a seeded test
//! that needs no fuzzer.
//!
//! A target is a shape of the registry, read when it runs, so that a new shape has its target with
//! its first operation; or one of the fixed ones: `entries` (the resolved `f32` kernels under
//! lengths and ids that do not fit), `forced` (the text of a forced choice), `layout` (rows of any
//! length, dimension and stride). A body judges, and whatever it finds is a [`Crash`]: a value out
//! of its bound, a panic where none is documented, a call that did not refuse.

mod bytes;
mod entries;
mod forced;
mod layout;
mod shape;

use core::fmt;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use super::cases::Random;
use bytes::Choices;

/// What is fuzzed under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The name: a shape of the registry, or what [`FIXED`] lists.
    pub name: &'static str,
    /// Bytes beyond this many change nothing.
    pub max_len: usize,
}

/// The targets that are no shapes.
pub const FIXED: [&str; 3] = ["entries", "forced", "layout"];

/// Every target: each shape of the registry, then the fixed ones.
#[must_use]
pub fn targets() -> Vec<Target> {
    let mut all: Vec<Target> = Vec::new();
    for op in crate::ops() {
        if all.iter().all(|known| known.name != op.shape()) {
            all.push(Target { name: op.shape(), max_len: shape::BYTES });
        }
    }
    let len = |name: &str| match name {
        "forced" => forced::BYTES,
        "layout" => layout::BYTES,
        _ => entries::BYTES,
    };
    all.extend(FIXED.map(|name| Target { name, max_len: len(name) }));
    all
}

/// An input on which a body found something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// The target.
    pub target: String,
    /// The input.
    pub input: Vec<u8>,
    /// What was found.
    pub why: String,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}\n  case: {}",
            self.target,
            self.why,
            describe(&self.target, &self.input)
        )?;
        write!(f, "\n  input: {:02x?}", self.input)
    }
}

impl core::error::Error for Crash {}

/// What an input means, in words.
#[must_use]
pub fn describe(target: &str, input: &[u8]) -> String {
    let mut choices = Choices::new(input);
    match target {
        "entries" => format!("{:?}", entries::Case::read(&mut choices)),
        "forced" => format!("{:?}", String::from_utf8_lossy(input)),
        "layout" => format!("{:?}", layout::Case::read(&mut choices)),
        shape => shape::Case::read(shape, &mut choices)
            .map_or_else(|| format!("there is no target {shape}"), |case| format!("{case:?}")),
    }
}

/// Tries one input; returns how many values were judged.
///
/// # Errors
/// What was found.
pub fn run(target: &str, input: &[u8]) -> Result<u64, Crash> {
    let body = || {
        let mut choices = Choices::new(input);
        match target {
            "entries" => entries::check(&entries::Case::read(&mut choices)),
            "forced" => forced::check(&String::from_utf8_lossy(input)),
            "layout" => layout::check(&layout::Case::read(&mut choices)),
            shape => match shape::Case::read(shape, &mut choices) {
                Some(case) => shape::check(&case),
                None => Err(format!("there is no target {shape}")),
            },
        }
    };
    let end = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Err(format!("a panic: {}", text.unwrap_or("without a text")))
    });
    end.map_err(|why| Crash { target: target.to_owned(), input: input.to_vec(), why })
}

/// Tries `count` inputs drawn from a seed; returns how many values were judged.
///
/// # Errors
/// The first that was found.
pub fn run_random(target: &Target, seed: u64, count: usize) -> Result<u64, Crash> {
    let mut random = Random::new(seed);
    let seeds = seeds(target);
    let mut judged = 0;
    for i in 0..count {
        // Texts at random are refused at their first letter; so most of them are mutants.
        let mut input = match seeds.get(random.below(2 * seeds.len())) {
            Some(known) if target.name == "forced" => known.clone(),
            _ => draw(&mut random, target.max_len),
        };
        for _ in 0..random.below(4) {
            let at = random.below(input.len());
            if let Some(byte) = input.get_mut(at) {
                *byte = random.bits() as u8;
            }
        }
        judged += run(target.name, if i == 0 { &[] } else { &input })?;
    }
    Ok(judged)
}

/// Inputs to begin with.
#[must_use]
pub fn seeds(target: &Target) -> Vec<Vec<u8>> {
    if target.name == "forced" {
        return forced::SEEDS.iter().map(|text| text.as_bytes().to_vec()).collect();
    }
    let mut random = Random::new(1);
    (0..32).map(|_| draw(&mut random, target.max_len)).collect()
}

fn draw(random: &mut Random, len: usize) -> Vec<u8> {
    (0..len).map(|_| random.bits() as u8).collect()
}

thread_local! {
    static WANTED: Cell<bool> = const { Cell::new(false) };
}

/// Lets the panics that a body asks for pass in silence; others are reported as before.
pub fn silence_wanted_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !WANTED.with(Cell::get) {
                before(info);
            }
        }));
    });
}

/// Whether a call panics. Where a panic cannot be caught, a call that should is not made: ask
/// [`CAUGHT`] first.
fn panics(call: impl FnOnce()) -> bool {
    WANTED.with(|wanted| wanted.set(true));
    let end = catch_unwind(AssertUnwindSafe(call));
    WANTED.with(|wanted| wanted.set(false));
    end.is_err()
}

/// Whether panics can be caught; on WebAssembly they end the program.
const CAUGHT: bool = cfg!(panic = "unwind");

/// A call panics exactly when it has to.
fn refuses(what: &str, must: bool, call: impl FnOnce()) -> Result<(), String> {
    if must && !CAUGHT {
        return Ok(());
    }
    match (must, panics(call)) {
        (true, false) => Err(format!("{what} was not refused")),
        (false, true) => Err(format!("{what} panicked")),
        _ => Ok(()),
    }
}
