//! Kept inputs: one file for each target, since a thousand small files are a
//! burden to a repository. An input stands there as the number of its bytes
//! (two of them, the lower one first), and then the bytes, in the order of the
//! inputs, so that the same inputs make the same file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Writes every file of `folder` into `packed`. Returns how many there are.
pub(super) fn pack(folder: &Path, packed: &Path) -> Result<usize> {
    let mut inputs = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        inputs.insert(fs::read(entry?.path())?);
    }
    let mut bytes = Vec::new();
    for input in &inputs {
        let length = u16::try_from(input.len()).context("an input is longer than any target takes")?;
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(input);
    }
    if let Some(parent) = packed.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(packed, bytes).with_context(|| format!("cannot write {}", packed.display()))?;
    Ok(inputs.len())
}

/// Writes every input in `packed` into a file of its own in `folder`. Nothing
/// is kept of a target yet if there is no `packed`.
pub(super) fn unpack(packed: &Path, folder: &Path) -> Result<()> {
    if !packed.exists() {
        return Ok(());
    }
    for (number, input) in read(packed)?.iter().enumerate() {
        fs::write(folder.join(number.to_string()), input)?;
    }
    Ok(())
}

/// How many inputs are kept in `folder`, and the bytes of all its files.
pub(super) fn size(folder: &Path) -> Result<(usize, u64)> {
    let mut total = (0, 0);
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        total = (total.0 + read(&path)?.len(), total.1 + path.metadata()?.len());
    }
    Ok(total)
}

fn read(packed: &Path) -> Result<Vec<Vec<u8>>> {
    let bytes = fs::read(packed).with_context(|| format!("cannot read {}", packed.display()))?;
    let mut inputs = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length));
        ensure!(length <= behind.len(), "{} ends inside an input", packed.display());
        let (input, behind) = behind.split_at(length);
        inputs.push(input.to_vec());
        rest = behind;
    }
    ensure!(rest.is_empty(), "{} ends inside a length", packed.display());
    Ok(inputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_and_what_is_cut_is_refused() {
        let place = std::env::temp_dir().join(format!("butterfly-corpus-{}", std::process::id()));
        let [from, to] = ["from", "to"].map(|name| place.join(name));
        for folder in [&from, &to] {
            fs::create_dir_all(folder).unwrap();
        }
        let inputs: [&[u8]; 3] = [b"", b"vote", &[0xff; 300]];
        for (number, input) in inputs.iter().enumerate() {
            fs::write(from.join(number.to_string()), input).unwrap();
        }
        let packed = place.join("packed");
        assert_eq!(pack(&from, &packed).unwrap(), 3);
        unpack(&packed, &to).unwrap();
        let mut back: Vec<Vec<u8>> =
            fs::read_dir(&to).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
        back.sort();
        let mut expected: Vec<Vec<u8>> = inputs.iter().map(|input| input.to_vec()).collect();
        expected.sort();
        assert_eq!(back, expected);
        let bytes = fs::read(&packed).unwrap();
        fs::write(&packed, &bytes[..bytes.len() - 1]).unwrap();
        assert!(unpack(&packed, &to).unwrap_err().to_string().contains("ends inside"));
        fs::remove_dir_all(&place).unwrap();
    }
}
