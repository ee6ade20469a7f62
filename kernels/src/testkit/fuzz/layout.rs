//! Rows of any length, dimension and stride: laid out or refused, and never past their memory.

use super::bytes::Choices;
use super::refuses;
use crate::layout::{AlignedRows, LayoutError, RowsRef};

/// What [`Case::read`] reads at most.
pub(super) const BYTES: usize = 72;

/// What the cases allocate at most.
const MEMORY: u128 = 1 << 20;

#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    elements: usize,
    dim: usize,
    stride: usize,
    from: usize,
    to: usize,
    len: usize,
}

impl Case {
    pub(super) fn read(choices: &mut Choices<'_>) -> Self {
        let dim = choices.extreme();
        let stride = if choices.byte() < 128 { choices.near(dim) } else { choices.extreme() };
        let elements = if choices.byte() < 128 {
            // A whole number of rows, or almost.
            let rows = choices.below(9);
            choices.near(rows.saturating_mul(stride).min(2000))
        } else {
            choices.below(700)
        };
        let rows = elements / stride.max(1);
        let (from, to) = (choices.below(12), choices.near(rows));
        Self { elements, dim, stride, from, to, len: choices.extreme() }
    }
}

pub(super) fn check(case: &Case) -> Result<u64, String> {
    let &Case { elements, dim, stride, .. } = case;
    let bytes: Vec<u8> = (0..elements).map(|i| i as u8).collect();
    borrowed(case, &bytes)?;
    let numbers: Vec<f32> = (0..elements).map(|i| i as f32).collect();
    borrowed(case, &numbers)?;
    // Of elements without a size, memory holds as many as a length can say.
    endless(dim, stride)?;
    packed(&numbers, dim)?;
    zeroed(case)?;
    Ok(1)
}

/// The layout that a reader of the documentation expects.
fn expected(elements: usize, dim: usize, stride: usize) -> Result<usize, LayoutError> {
    let (whole, rest) = match (elements.checked_div(stride), elements.checked_rem(stride)) {
        (Some(whole), Some(rest)) => (whole, rest),
        _ => return Err(LayoutError::ZeroDim),
    };
    match rest {
        _ if stride < dim => Err(LayoutError::StrideBelowDim { stride, dim }),
        0 => Ok(whole),
        rest if rest < dim => Err(LayoutError::RaggedData { elements, dim, stride }),
        _ => Ok(whole + 1),
    }
}

fn borrowed<T: Copy>(case: &Case, data: &[T]) -> Result<(), String> {
    let &Case { dim, stride, from, to, .. } = case;
    let rows = match (RowsRef::new(data, dim, stride), expected(data.len(), dim, stride)) {
        (Ok(rows), Ok(len)) if rows.len() == len => rows,
        (Err(found), Err(wanted)) if found == wanted => return Ok(()),
        (found, wanted) => return Err(format!("{found:?}, expected {wanted:?}")),
    };
    let len = rows.len();
    let at = |i: usize| &data[i * stride..i * stride + dim];
    for i in 0..len {
        if !core::ptr::eq(rows.row(i), at(i)) {
            return Err(format!("row {i} lies elsewhere"));
        }
    }
    for beyond in [len, len + 1, usize::MAX] {
        refuses("a row past the end", true, || drop(rows.row(beyond).to_vec()))?;
    }
    let fits = from <= to && to <= len;
    refuses("a part of the rows", !fits, || drop(format!("{:?}", rows.slice(from, to))))?;
    if fits {
        let part = rows.slice(from, to);
        if part.len() != to - from || part.is_empty() != (from == to) {
            return Err(format!("rows {from}..{to} are {part:?}"));
        }
        if let Some(i) = (0..part.len()).find(|&i| !core::ptr::eq(part.row(i), at(from + i))) {
            return Err(format!("row {i} of rows {from}..{to} lies elsewhere"));
        }
        refuses("a row past the end of a part", true, || drop(part.row(to - from).to_vec()))?;
    }
    Ok(())
}

fn endless(dim: usize, stride: usize) -> Result<(), String> {
    static ENDLESS: [(); usize::MAX] = [(); usize::MAX];
    let Ok(rows) = RowsRef::new(&ENDLESS, dim, stride) else { return Ok(()) };
    let len = rows.len();
    if rows.row(len - 1).len() != dim || rows.slice(len - 1, len).len() != 1 {
        return Err("the last of very many rows is another".to_owned());
    }
    refuses("no rows behind very many", false, || drop(format!("{:?}", rows.slice(len, len))))
}

fn packed(numbers: &[f32], dim: usize) -> Result<(), String> {
    let wanted = expected(numbers.len(), dim, dim);
    let mut rows = match (AlignedRows::from_packed(numbers, dim), wanted) {
        (Ok(rows), Ok(len)) if rows.len() == len => rows,
        (Err(found), Err(wanted)) if found == wanted => return Ok(()),
        // No row at all has no length that could be too large for memory, until it is stored.
        (Err(LayoutError::TooLarge { .. }), Ok(0)) if dim > isize::MAX as usize / 32 => {
            return Ok(());
        }
        (found, wanted) => return Err(format!("{found:?}, expected {wanted:?}")),
    };
    for (i, row) in numbers.chunks_exact(dim).enumerate() {
        if rows.row(i) != row || rows.row(i).as_ptr().align_offset(64) != 0 {
            return Err(format!("row {i} is not what was copied, on a line"));
        }
    }
    if !numbers.is_empty() {
        let len = rows.len();
        rows.row_mut(len - 1).fill(-1.0);
        rows.push(&numbers[..dim]).map_err(|why| why.to_string())?;
        let kept = rows.row(len - 1).iter().all(|&x| x == -1.0);
        if !kept || rows.row(len) != &numbers[..dim] {
            return Err("a row that was pushed is not the last".to_owned());
        }
        if rows.push(&numbers[..dim - 1]).is_ok() {
            return Err("a shorter row was pushed".to_owned());
        }
    }
    Ok(())
}

fn zeroed(case: &Case) -> Result<(), String> {
    let &Case { dim, len, .. } = case;
    let bytes = (len as u128 * dim.div_ceil(16) as u128).saturating_mul(64);
    if bytes > MEMORY && bytes <= isize::MAX as u128 && dim <= isize::MAX as usize / 32 {
        // It might even be granted.
        return Ok(());
    }
    let wanted = match dim {
        0 => Err(LayoutError::ZeroDim),
        dim if dim > isize::MAX as usize / 32 || bytes > isize::MAX as u128 => {
            Err(LayoutError::TooLarge { rows: len, dim })
        }
        _ => Ok(()),
    };
    let mut rows = match (AlignedRows::<f32>::zeroed(len, dim), wanted) {
        (Ok(rows), Ok(())) => rows,
        (Err(found), Err(wanted)) if found == wanted => return Ok(()),
        (found, wanted) => return Err(format!("{found:?}, expected {wanted:?}")),
    };
    if rows.len() != len || rows.dim() != dim || rows.bytes() as u128 != bytes {
        return Err(format!("{len} rows of {dim} zeros are {rows:?}"));
    }
    if rows.stride() < dim || rows.view().len() != len || rows.view().stride() != rows.stride() {
        return Err(format!("the view of {rows:?} is {:?}", rows.view()));
    }
    if (0..len).any(|i| rows.row(i).len() != dim || rows.row(i).iter().any(|&x| x != 0.0)) {
        return Err("a row is not of zeros".to_owned());
    }
    refuses("a row past the end", true, || drop(rows.row(len).to_vec()))?;
    refuses("a row to write, past the end", true, || rows.row_mut(len).fill(1.0))
}
