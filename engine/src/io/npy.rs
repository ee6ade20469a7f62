//! The header of an `.npy` file: a Python dictionary literal, of which exactly three keys are read.
//!
//! ```text
//! \x93NUMPY  major minor  length (u16 in version 1, u32 in 2 and 3)  {'descr': '<f4', ...}\n
//! ```
//! Nothing is evaluated: the parser knows strings, booleans and tuples of integers, and refuses the
//! rest.

use std::io::Read;

use super::{Element, Head, MAX_NPY_HEADER, ReadError, ReadFault, Shape, Snippet};

const MAGIC: &[u8; 6] = b"\x93NUMPY";

pub(super) fn header<R: Read>(head: &mut Head<'_, R>) -> Result<Shape, ReadError> {
    let mut magic = [0; 6];
    head.take(&mut magic)?;
    if &magic != MAGIC {
        return Err(head.error(0, ReadFault::NotNpy { found: Snippet::new(&magic) }));
    }
    let mut version = [0; 2];
    head.take(&mut version)?;
    let [major, minor] = version;
    let at = head.at;
    let length = match (major, minor) {
        (1, 0) => {
            let mut b = [0; 2];
            head.take(&mut b)?;
            u64::from(u16::from_le_bytes(b))
        }
        (2 | 3, 0) => u64::from(head.u32()?),
        _ => return Err(head.error(6, ReadFault::NpyVersion { major, minor })),
    };
    if length > MAX_NPY_HEADER {
        return Err(head.error(at, ReadFault::NpyHeaderTooLong { found: length }));
    }
    if head.at + length > head.len {
        let needed = head.at + length;
        return Err(head.error(at, ReadFault::ShortHeader { needed, found: head.len }));
    }
    let start = head.at;
    let mut text = vec![0; length as usize];
    head.take(&mut text)?;
    let fail = |(pos, fault): Fault| head.error(start + pos as u64, fault);
    let entries = Parser { text: &text, pos: 0 }.dictionary().map_err(fail)?;

    let (descr_at, descr) = entries.descr;
    let element = match descr {
        b"<f4" => Element::F32,
        b"<f8" => Element::F64,
        b"<i4" => Element::I32,
        b"|u1" | b"<u1" => Element::U8,
        other => return Err(fail((descr_at, ReadFault::NpyDtype { found: Snippet::new(other) }))),
    };
    if entries.fortran.1 {
        return Err(fail((entries.fortran.0, ReadFault::NpyFortran)));
    }
    let (shape_at, axes, [rows, dim]) = entries.shape;
    if axes != 2 {
        return Err(fail((shape_at, ReadFault::NpyShape { axes })));
    }
    let at = start + shape_at as u64;
    let dim = head.dim(at, i64::try_from(dim).unwrap_or(i64::MAX))?;
    head.counted_shape(at, rows, dim, element)
}

/// A position in the header's text, and what is wrong there.
type Fault = (usize, ReadFault);

/// The three values with where they stand.
struct Entries<'a> {
    descr: (usize, &'a [u8]),
    fortran: (usize, bool),
    /// Position, number of axes, the first two.
    shape: (usize, usize, [u64; 2]),
}

struct Parser<'a> {
    text: &'a [u8],
    pos: usize,
}

impl<'a> Parser<'a> {
    fn dictionary(mut self) -> Result<Entries<'a>, Fault> {
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        self.expect(b'{', "'{'")?;
        while self.peek() != Some(b'}') {
            self.skip_spaces();
            let key_at = self.pos;
            let key = self.string()?;
            self.expect(b':', "':'")?;
            self.skip_spaces();
            let at = self.pos;
            let fresh = match key {
                b"descr" => descr.replace((at, self.string()?)).is_none(),
                b"fortran_order" => fortran.replace((at, self.boolean()?)).is_none(),
                b"shape" => {
                    let (axes, sizes) = self.tuple()?;
                    shape.replace((at, axes, sizes)).is_none()
                }
                _ => false,
            };
            if !fresh {
                self.pos = key_at;
                return Err(self.fault("each of 'descr', 'fortran_order' and 'shape' once"));
            }
            if self.peek() == Some(b',') {
                self.pos += 1;
            } else if self.peek() != Some(b'}') {
                return Err(self.fault("',' or '}'"));
            }
        }
        self.pos += 1;
        match (descr, fortran, shape) {
            (Some(descr), Some(fortran), Some(shape)) => {
                self.end()?;
                Ok(Entries { descr, fortran, shape })
            }
            _ => Err(self.fault("'descr', 'fortran_order' and 'shape' before the end")),
        }
    }

    /// Only blanks and line ends may follow.
    fn end(&mut self) -> Result<(), Fault> {
        while self.peek() == Some(b'\n') {
            self.pos += 1;
        }
        if self.pos < self.text.len() { Err(self.fault("the end of the header")) } else { Ok(()) }
    }

    fn fault(&self, expected: &'static str) -> Fault {
        let found = Snippet::new(self.text.get(self.pos..).unwrap_or_default());
        (self.pos, ReadFault::NpySyntax { expected, found })
    }

    fn skip_spaces(&mut self) {
        while self.text.get(self.pos) == Some(&b' ') {
            self.pos += 1;
        }
    }

    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        self.skip_spaces();
        self.text.get(self.pos).copied()
    }

    fn expect(&mut self, byte: u8, name: &'static str) -> Result<(), Fault> {
        if self.peek() == Some(byte) {
            self.pos += 1;
            Ok(())
        } else {
            Err(self.fault(name))
        }
    }

    /// A quoted string without escapes.
    fn string(&mut self) -> Result<&'a [u8], Fault> {
        let quote = match self.peek() {
            Some(q @ (b'\'' | b'"')) => q,
            _ => return Err(self.fault("a string")),
        };
        let rest = &self.text[self.pos + 1..];
        match rest.iter().position(|&b| b == quote || b == b'\\') {
            Some(n) if rest[n] == quote => {
                self.pos += n + 2;
                Ok(&rest[..n])
            }
            _ => Err(self.fault("a string without escapes")),
        }
    }

    fn boolean(&mut self) -> Result<bool, Fault> {
        let rest = &self.text[self.pos..];
        let (word, value): (&[u8], bool) =
            if rest.starts_with(b"True") { (b"True", true) } else { (b"False", false) };
        if !rest.starts_with(word) {
            return Err(self.fault("True or False"));
        }
        self.pos += word.len();
        Ok(value)
    }

    /// A tuple of sizes: how many, and the first two.
    fn tuple(&mut self) -> Result<(usize, [u64; 2]), Fault> {
        let (mut axes, mut sizes) = (0, [0; 2]);
        self.expect(b'(', "'('")?;
        while self.peek() != Some(b')') {
            let size = self.integer()?;
            if let Some(slot) = sizes.get_mut(axes) {
                *slot = size;
            }
            axes += 1;
            if self.peek() == Some(b',') {
                self.pos += 1;
            } else if self.peek() != Some(b')') {
                return Err(self.fault("',' or ')'"));
            }
        }
        self.pos += 1;
        Ok((axes, sizes))
    }

    fn integer(&mut self) -> Result<u64, Fault> {
        let rest = &self.text[self.pos..];
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let value = std::str::from_utf8(&rest[..digits]).ok().and_then(|s| s.parse().ok());
        match value {
            Some(value) => {
                self.pos += digits;
                Ok(value)
            }
            None => Err(self.fault("a size below 2^64")),
        }
    }
}
