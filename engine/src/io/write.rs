//! Writing the formats whose records carry their dimension.

use std::io::{self, Write};

/// Writes `.fvecs`: each row its dimension, then its f32 values. Rows may be of any length below
/// 2^31, though readers want them equal.
///
/// # Errors
/// A failing `out`; a row too long for the format.
pub fn write_fvecs<'a>(
    out: &mut impl Write,
    rows: impl IntoIterator<Item = &'a [f32]>,
) -> io::Result<()> {
    write_records(out, rows, |out, v: f32| out.extend_from_slice(&v.to_le_bytes()))
}

/// Writes `.ivecs`: each row its dimension, then its i32 values. Bounds as [`write_fvecs`].
///
/// # Errors
/// A failing `out`; a row too long for the format.
pub fn write_ivecs<'a>(
    out: &mut impl Write,
    rows: impl IntoIterator<Item = &'a [i32]>,
) -> io::Result<()> {
    write_records(out, rows, |out, v: i32| out.extend_from_slice(&v.to_le_bytes()))
}

/// Writes `.bvecs`: each row its dimension, then its bytes. Bounds as [`write_fvecs`].
///
/// # Errors
/// A failing `out`; a row too long for the format.
pub fn write_bvecs<'a>(
    out: &mut impl Write,
    rows: impl IntoIterator<Item = &'a [u8]>,
) -> io::Result<()> {
    write_records(out, rows, |out, v: u8| out.push(v))
}

fn write_records<'a, T: Copy + 'a>(
    out: &mut impl Write,
    rows: impl IntoIterator<Item = &'a [T]>,
    push: impl Fn(&mut Vec<u8>, T),
) -> io::Result<()> {
    let mut record = Vec::new();
    for row in rows {
        let dim = i32::try_from(row.len())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a row above 2^31 values"))?;
        record.clear();
        record.extend_from_slice(&dim.to_le_bytes());
        for &v in row {
            push(&mut record, v);
        }
        out.write_all(&record)?;
    }
    Ok(())
}
