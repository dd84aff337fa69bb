//! A medium where a copy goes down in one write: a file, or what behaves as one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::vec::Vec;

use crate::Medium;

/// A place for bytes that takes many at once.
pub trait Device {
    /// Why it cannot be used.
    type Error;

    /// Reads as many bytes as `bytes` has room for, from `at` on.
    ///
    /// # Errors
    /// When the device fails.
    fn read(&mut self, at: usize, bytes: &mut [u8]) -> Result<(), Self::Error>;

    /// Writes `bytes` from `at` on.
    ///
    /// # Errors
    /// When the device fails.
    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Makes everything durable that was written.
    ///
    /// # Errors
    /// When the device fails.
    fn flush(&mut self) -> Result<(), Self::Error>;
}

/// Gathers a copy, and writes it to each of its places when it is to be durable.
#[derive(Debug)]
pub struct Gathered<D> {
    device: D,
    places: [usize; 2],
    copy: Vec<u8>,
}

impl<D> Gathered<D> {
    /// On `device`, with nothing gathered.
    pub const fn new(device: D) -> Self {
        Gathered { device, places: [0; 2], copy: Vec::new() }
    }

    /// The device.
    pub const fn device(&self) -> &D {
        &self.device
    }
}

impl<D: Device> Medium for Gathered<D> {
    type Error = D::Error;

    fn read(&mut self, at: usize, bytes: &mut [u8]) -> Result<(), D::Error> {
        self.device.read(at, bytes)
    }

    fn begin(&mut self, places: [usize; 2], length: usize) -> Result<(), D::Error> {
        self.places = places;
        self.copy.clear();
        self.copy.reserve(length);
        Ok(())
    }

    fn put(&mut self, piece: &[u8]) -> Result<(), D::Error> {
        self.copy.extend_from_slice(piece);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), D::Error> {
        for at in self.places {
            self.device.write(at, &self.copy)?;
        }
        self.device.flush()
    }
}

impl Device for File {
    type Error = io::Error;

    fn read(&mut self, at: usize, bytes: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(bytes, offset(at)?)
    }

    fn write(&mut self, at: usize, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset(at)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

fn offset(at: usize) -> io::Result<u64> {
    u64::try_from(at).map_err(io::Error::other)
}
