//! SHA-256 of files, and lists of them as `sha256sum` writes and reads them.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::DataError;

/// The name of a checksum list.
pub(super) const LIST: &str = "SHA256SUMS";

/// The SHA-256 of a file's bytes, in 64 lower-case hexadecimal digits.
///
/// # Errors
/// A file that cannot be read.
pub fn sha256_file(path: &Path) -> Result<String, DataError> {
    let mut file = File::open(path).map_err(DataError::io(path))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(DataError::io(path))? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// One line of a list: the digits, and the path as it stands there.
type Line = (String, String);

/// The checksums that concern the files of `dir`: from the list in it, and from one in the folder
/// above whose paths start with the name of `dir`. Each with the path of its file.
pub(super) fn listed(dir: &Path) -> Result<Vec<(PathBuf, String)>, DataError> {
    let whole = fs::canonicalize(dir).map_err(DataError::io(dir))?;
    let mut all = Vec::new();
    for (sum, path) in read_list(&dir.join(LIST))? {
        all.push((dir.join(path), sum));
    }
    if let (Some(above), Some(name)) = (whole.parent(), whole.file_name().and_then(|n| n.to_str()))
    {
        for (sum, path) in read_list(&above.join(LIST))? {
            if let Some(file) = path.strip_prefix(name).and_then(|p| p.strip_prefix('/')) {
                all.push((dir.join(file), sum));
            }
        }
    }
    Ok(all)
}

/// The lines of a list; none if there is no such file.
fn read_list(path: &Path) -> Result<Vec<Line>, DataError> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(path).map_err(DataError::io(path))?;
    let bad = |line| DataError::BadChecksumLine { path: path.to_path_buf(), line };
    text.lines().enumerate().map(|(i, line)| parse_line(line).ok_or_else(|| bad(i + 1))).collect()
}

fn parse_line(line: &str) -> Option<Line> {
    let (sum, rest) = line.split_at_checked(64)?;
    // The second mark is '*' for files read as binary.
    let path = rest.strip_prefix("  ").or_else(|| rest.strip_prefix(" *"))?;
    // A list is not trusted: it may name files of its own folder only.
    let inside = !path.is_empty() && !path.starts_with('/') && path.split('/').all(|p| p != "..");
    let digits = sum.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (inside && digits).then(|| (sum.to_owned(), path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_list() {
        let sum = "0123456789abcdef".repeat(4);
        let good = Some((sum.clone(), "a/b.fvecs".to_owned()));
        assert_eq!(parse_line(&format!("{sum}  a/b.fvecs")), good);
        assert_eq!(parse_line(&format!("{sum} *a/b.fvecs")), good);
        for path in ["", "/etc/x", "../x", "a/../../x"] {
            assert_eq!(parse_line(&format!("{sum}  {path}")), None);
        }
        assert_eq!(parse_line(&sum), None);
        assert_eq!(parse_line(&format!("{}  x", sum.to_uppercase())), None);
    }
}
