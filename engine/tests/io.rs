//! Every format comes back as it was written; cut, flipped or lying files are errors or the same
//! data, never a panic.
#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use std::io::Cursor;
use std::path::Path;

use annvil::io::{Format, MAX_DIM, ReadFault, RowReader, write_bvecs, write_fvecs, write_ivecs};
use proptest::prelude::*;

/// A small file of each format and element, and what its rows are.
struct Sample {
    format: Format,
    bytes: Vec<u8>,
    rows: Vec<Vec<f32>>,
    /// Bytes before the first value whose flip changes data instead of structure.
    header: usize,
    /// Length of a record when the file may be cut between two, unnoticed.
    record: Option<usize>,
}

fn npy(version: u8, descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let flag = if fortran { "True" } else { "False" };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': {flag}, 'shape': {shape}, }}");
    let prefix = if version == 1 { 10 } else { 12 };
    while (prefix + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    if version == 1 {
        bytes.extend((text.len() as u16).to_le_bytes());
    } else {
        bytes.extend((text.len() as u32).to_le_bytes());
    }
    bytes.extend(text.bytes());
    bytes.extend(data);
    bytes
}

fn counted(rows: u32, dim: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = rows.to_le_bytes().to_vec();
    bytes.extend(dim.to_le_bytes());
    bytes.extend(data);
    bytes
}

fn samples() -> Vec<Sample> {
    let ints: [[i32; 5]; 3] = [[0, 1, 2, 3, 250], [5, 6, 7, 8, 9], [100, 101, 255, 103, 104]];
    let whole: Vec<Vec<f32>> = ints.iter().map(|r| r.iter().map(|&v| v as f32).collect()).collect();
    let halves: Vec<Vec<f32>> =
        whole.iter().map(|r| r.iter().map(|v| v * 0.5 - 3.25).collect()).collect();
    let f32s: Vec<u8> = halves.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
    let f64s: Vec<u8> = halves.iter().flatten().flat_map(|v| f64::from(*v).to_le_bytes()).collect();
    let i32s: Vec<u8> = ints.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
    let u8s: Vec<u8> = ints.iter().flatten().map(|&v| v as u8).collect();
    let (mut fvecs, mut ivecs, mut bvecs) = (Vec::new(), Vec::new(), Vec::new());
    write_fvecs(&mut fvecs, halves.iter().map(|r| &r[..])).unwrap();
    write_ivecs(&mut ivecs, ints.iter().map(|r| &r[..])).unwrap();
    write_bvecs(&mut bvecs, u8s.chunks(5)).unwrap();

    let sample = |format, bytes: Vec<u8>, rows: &Vec<Vec<f32>>, record: Option<usize>, data| {
        let header = bytes.len() - data;
        Sample { format, header: record.map_or(header, |_| 4), bytes, rows: rows.clone(), record }
    };
    let n = |version, descr, data: &[u8], rows| {
        sample(Format::Npy, npy(version, descr, false, "(3, 5)", data), rows, None, data.len())
    };
    vec![
        sample(Format::Fvecs, fvecs, &halves, Some(24), 0),
        sample(Format::Ivecs, ivecs, &whole, Some(24), 0),
        sample(Format::Bvecs, bvecs, &whole, Some(9), 0),
        sample(Format::Fbin, counted(3, 5, &f32s), &halves, None, 60),
        sample(Format::Ibin, counted(3, 5, &i32s), &whole, None, 60),
        sample(Format::U8bin, counted(3, 5, &u8s), &whole, None, 15),
        n(1, "<f4", &f32s, &halves),
        n(2, "<f8", &f64s, &halves),
        n(3, "<i4", &i32s, &whole),
        n(1, "|u1", &u8s, &whole),
    ]
}

fn load(format: Format, bytes: &[u8]) -> Result<Vec<Vec<f32>>, annvil::io::ReadError> {
    load_as_long(format, bytes, bytes.len() as u64)
}

fn load_as_long(
    format: Format,
    bytes: &[u8],
    len: u64,
) -> Result<Vec<Vec<f32>>, annvil::io::ReadError> {
    let rows = RowReader::new(Cursor::new(bytes), len, format, Path::new("some/file"))?.load()?;
    Ok((0..rows.len()).map(|i| rows.row(i).to_vec()).collect())
}

fn fault(format: Format, bytes: &[u8]) -> (u64, String) {
    let e = load(format, bytes).expect_err("a file that must be refused");
    assert_eq!(e.file(), Path::new("some/file"));
    assert!(e.to_string().starts_with(&format!("some/file: byte {}: ", e.offset())));
    (e.offset(), format!("{:?}", e.fault()))
}

#[test]
fn every_format_comes_back() {
    for s in samples() {
        assert_eq!(load(s.format, &s.bytes).unwrap(), s.rows, "{:?}", s.format);
        let path = format!("dir.x/base.{}", s.format.extension());
        assert_eq!(Format::from_path(Path::new(&path)), Some(s.format));
    }
    assert_eq!(Format::from_path(Path::new("base.csv")), None);
}

#[test]
fn integers_come_back_as_integers() {
    for s in samples() {
        let len = s.bytes.len() as u64;
        let r = RowReader::new(&s.bytes[..], len, s.format, Path::new("x")).unwrap();
        let integers = r.element() == annvil::io::Element::I32;
        match r.load_i32() {
            Ok(all) => {
                assert!(integers);
                let all: Vec<f32> = all.into_iter().map(|v| v as f32).collect();
                assert_eq!(all, s.rows.concat());
            }
            Err(e) => {
                assert!(!integers);
                assert!(matches!(e.fault(), ReadFault::WrongElement { .. }));
            }
        }
    }
}

#[test]
fn every_truncation_is_an_error_or_whole_rows() {
    for s in samples() {
        for len in 0..s.bytes.len() {
            match load(s.format, &s.bytes[..len]) {
                Err(_) => {}
                Ok(rows) => {
                    let record = s.record.expect("only framed rows can be cut unnoticed");
                    assert_eq!(len % record, 0);
                    assert_eq!(rows, s.rows[..len / record]);
                }
            }
            // The file shrinks after its length was asked for.
            assert!(load_as_long(s.format, &s.bytes[..len], s.bytes.len() as u64).is_err());
        }
    }
}

#[test]
fn every_flipped_header_bit_is_an_error_or_the_same_data() {
    for s in samples() {
        let starts: Vec<usize> = match s.record {
            Some(record) => (0..s.rows.len()).map(|i| i * record).collect(),
            None => vec![0],
        };
        for at in starts.into_iter().flat_map(|start| start..start + s.header) {
            for bit in 0..8 {
                let mut bytes = s.bytes.clone();
                bytes[at] ^= 1 << bit;
                if let Ok(rows) = load(s.format, &bytes) {
                    assert_eq!(rows, s.rows, "{:?} byte {at} bit {bit}", s.format);
                }
            }
        }
    }
}

#[test]
fn faults_say_where() {
    let mut fvecs = samples().remove(0).bytes;
    fvecs[24] = 6;
    let (at, what) = fault(Format::Fvecs, &fvecs);
    assert_eq!((at, &what[..]), (24, "DimChanged { row: 1, expected: 5, found: 6 }"));

    assert_eq!(fault(Format::Fvecs, &[]), (0, "Empty".into()));
    assert_eq!(fault(Format::Fvecs, &[0xff; 8]), (0, "DimNotPositive { found: -1 }".into()));
    let too_wide = (MAX_DIM as u32 + 1).to_le_bytes();
    assert!(fault(Format::Bvecs, &too_wide).1.starts_with("DimTooLarge"));
    assert!(fault(Format::Fvecs, &[2, 0, 0, 0, 0]).1.starts_with("PartialRecord"));
    assert!(fault(Format::Fbin, &[1, 0, 0, 0]).1.starts_with("ShortHeader"));
    assert!(fault(Format::Fbin, &counted(u32::MAX, 65_536, &[])).1.starts_with("SizeMismatch"));
    assert_eq!(fault(Format::Fbin, &counted(1, 0, &[])), (4, "DimNotPositive { found: 0 }".into()));
}

#[test]
fn numpy_arrays_of_other_kinds_are_refused_by_name() {
    let f = |bytes: Vec<u8>| fault(Format::Npy, &bytes).1;
    assert_eq!(f(npy(1, "<f4", true, "(1, 1)", &[0; 4])), "NpyFortran");
    assert!(f(npy(1, ">f4", false, "(1, 1)", &[0; 4])).contains("NpyDtype { found: \">f4\" }"));
    assert!(f(npy(1, "|O", false, "(1, 1)", &[0; 8])).contains("NpyDtype"));
    assert_eq!(f(npy(1, "<f4", false, "(1,)", &[0; 4])), "NpyShape { axes: 1 }");
    assert_eq!(f(npy(1, "<f4", false, "(1, 1, 1)", &[0; 4])), "NpyShape { axes: 3 }");
    assert_eq!(f(npy(1, "<f4", false, "()", &[0; 4])), "NpyShape { axes: 0 }");
    assert!(f(npy(1, "<f4", false, "(1, 99999999999999999999)", &[])).contains("NpySyntax"));
    assert!(f(npy(1, "<f4", false, "(18446744073709551615, 65536)", &[])).contains("TooLarge"));
    assert!(f(npy(1, "<f4", false, "(-1, 4)", &[])).contains("NpySyntax"));
    assert!(f(npy(1, "<f4', 'descr': '<f4", false, "(1, 1)", &[0; 4])).contains("NpySyntax"));
    assert_eq!(f(npy(4, "<f4", false, "(1, 1)", &[0; 4])), "NpyVersion { major: 4, minor: 0 }");
    assert!(f(b"not numpy".to_vec()).contains("NotNpy"));
    let mut long = npy(2, "<f4", false, "(1, 1)", &[0; 4]);
    long[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(f(long).contains("NpyHeaderTooLong"));
}

#[test]
fn values_that_f32_cannot_hold_are_refused() {
    let wide: Vec<u8> = [1.0f64, 1e300].iter().flat_map(|v| v.to_le_bytes()).collect();
    let file = npy(1, "<f8", false, "(1, 2)", &wide);
    let (at, what) = fault(Format::Npy, &file);
    assert_eq!(at, file.len() as u64 - 8);
    assert!(what.starts_with("NotF32 { row: 0, column: 1"));
    let mut ivecs = Vec::new();
    write_ivecs(&mut ivecs, [&[1 << 24, (1 << 24) + 1][..]]).unwrap();
    assert_eq!(fault(Format::Ivecs, &ivecs).0, 8);
    // NaN and infinity are values like others here.
    let odd: Vec<u8> = [f64::NAN, f64::INFINITY].iter().flat_map(|v| v.to_le_bytes()).collect();
    let rows = load(Format::Npy, &npy(1, "<f8", false, "(1, 2)", &odd)).unwrap();
    assert!(rows[0][0].is_nan() && rows[0][1] == f32::INFINITY);
}

#[test]
fn files_without_rows_are_empty_sets() {
    assert_eq!(load(Format::Fbin, &counted(0, 65_536, &[])).unwrap(), Vec::<Vec<f32>>::new());
    let none = npy(1, "<f4", false, "(0, 7)", &[]);
    let reader = RowReader::new(&none[..], none.len() as u64, Format::Npy, Path::new("x")).unwrap();
    assert_eq!((reader.rows(), reader.dim()), (0, 7));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in Format::ALL {
            let _ = load(format, &bytes);
        }
    }

    #[test]
    fn damaged_files_never_panic_and_never_grow(
        which in 0usize..10,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut s = samples().remove(which);
        for (at, byte) in edits {
            let at = at.index(s.bytes.len());
            s.bytes[at] = byte;
        }
        if let Ok(rows) = load(s.format, &s.bytes) {
            prop_assert!(rows.len() * rows.first().map_or(0, Vec::len) <= s.bytes.len());
        }
    }

    #[test]
    fn f32_rows_come_back_bit_for_bit(
        dim in 1usize..40,
        values in prop::collection::vec(any::<u32>(), 40..400),
    ) {
        let rows: Vec<Vec<f32>> = values
            .chunks_exact(dim)
            .map(|r| r.iter().map(|&b| f32::from_bits(b)).collect())
            .collect();
        let mut file = Vec::new();
        write_fvecs(&mut file, rows.iter().map(|r| &r[..])).unwrap();
        let back = load(Format::Fvecs, &file).unwrap();
        let bits = |rows: &[Vec<f32>]| -> Vec<u32> {
            rows.iter().flatten().map(|v| v.to_bits()).collect()
        };
        prop_assert_eq!(bits(&back), bits(&rows));
    }
}
