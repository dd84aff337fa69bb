//! The board's random source: the machine that QEMU runs on, asked through
//! semihosting.
//!
//! The board itself has none, and a device without one must not start. Whoever
//! starts QEMU says where random numbers are: `arg=random=/dev/urandom`.

use butterfly_runtime_embedded::board::{NoRandomness, RandomSource};
use cortex_m_semihosting::{nr, syscall};

/// Room for what the machine was started with.
const COMMAND_LINE: usize = 512;
const NAME: &[u8] = b"random=";
/// `rb`.
const READ_BINARY: usize = 1;

/// An open file of the machine that QEMU runs on.
pub(crate) struct Random(Option<usize>);

impl Random {
    /// The source that QEMU was told of, if there is one.
    pub(crate) fn find() -> Random {
        let mut line = [0; COMMAND_LINE];
        let length = command_line(&mut line);
        let words = line[..length].split(|byte| *byte == b' ' || *byte == 0);
        let path = words.into_iter().find_map(|word| word.strip_prefix(NAME));
        Random(path.filter(|path| !path.is_empty()).and_then(open))
    }
}

impl RandomSource for Random {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        let file = self.0.ok_or(NoRandomness)?;
        // SAFETY: the call writes that many bytes there, and nothing else. It
        // says how many it did not.
        let missing = unsafe { syscall!(READ, file, bytes.as_mut_ptr(), bytes.len()) };
        if missing == 0 { Ok(()) } else { Err(NoRandomness) }
    }
}

fn command_line(line: &mut [u8; COMMAND_LINE]) -> usize {
    let mut block = [line.as_mut_ptr() as usize, line.len()];
    // SAFETY: the block holds an address and how many bytes may be written there.
    let refused = unsafe { cortex_m_semihosting::syscall1(nr::GET_CMDLINE, block.as_mut_ptr() as usize) };
    if refused == 0 { block[1].min(line.len()) } else { 0 }
}

fn open(path: &[u8]) -> Option<usize> {
    let mut name = [0; COMMAND_LINE];
    name.get_mut(..path.len())?.copy_from_slice(path);
    // SAFETY: the name ends with a zero, since the path is shorter than the line it came from.
    let file = unsafe { syscall!(OPEN, name.as_ptr(), READ_BINARY, path.len()) };
    // Minus one if it cannot be opened.
    (file != usize::MAX).then_some(file)
}
