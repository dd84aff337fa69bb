//! Where a member keeps its vote record: in memory that never fails, or on a
//! disk that does, by the code of the daemon.

use std::cell::RefCell;
use std::rc::Rc;

use butterfly_record::{Device, Gathered, Store, StoreError};

use super::disk::{COPY, Disk, DiskError};

/// The vote record on a disk that outlives it.
pub(crate) type Shelf = Store<Gathered<Handle>, COPY>;

/// The disk stays where it is when the process that used it ends.
pub(crate) struct Handle(Rc<RefCell<Disk>>);

impl Device for Handle {
    type Error = DiskError;

    fn read(&mut self, at: usize, bytes: &mut [u8]) -> Result<(), DiskError> {
        self.0.borrow_mut().read(at, bytes);
        Ok(())
    }

    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), DiskError> {
        self.0.borrow_mut().write(at, bytes)
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        self.0.borrow_mut().flush()
    }
}

/// The disk, as a process that has the record open uses it.
fn used(disk: &Rc<RefCell<Disk>>) -> Gathered<Handle> {
    Gathered::new(Handle(Rc::clone(disk)))
}

/// Where a member keeps its vote record.
pub(crate) enum Storage {
    /// What was written last is there.
    Memory(Vec<u8>),
    Disk {
        owner: [u8; 32],
        disk: Rc<RefCell<Disk>>,
        /// None while no process has it open.
        shelf: Option<Shelf>,
    },
}

/// Why a member must stop.
pub(crate) type StorageError = StoreError<DiskError>;

impl Storage {
    /// Provisioned with `first`.
    pub(crate) fn new(on_disk: bool, owner: u8, first: &[u8]) -> Storage {
        if !on_disk {
            return Storage::Memory(first.to_vec());
        }
        let (owner, disk) = ([owner; 32], Rc::new(RefCell::new(Disk::new())));
        let written = Shelf::provision(used(&disk), owner, first);
        assert!(written.is_ok(), "nothing is wrong with a new disk");
        Storage::Disk { owner, disk, shelf: None }
    }

    /// Opens the record. None if it is lost.
    pub(crate) fn open(&mut self) -> Result<Option<Vec<u8>>, StorageError> {
        match self {
            Storage::Memory(record) => Ok(Some(record.clone())),
            Storage::Disk { owner, disk, shelf } => {
                let mut opened = Shelf::open(used(disk), *owner)?;
                let record = opened.record(&mut [0; Shelf::MAX_RECORD])?.map(<[u8]>::to_vec);
                *shelf = Some(opened);
                Ok(record)
            }
        }
    }

    /// Makes `record` durable.
    pub(crate) fn write(&mut self, record: &[u8]) -> Result<(), StorageError> {
        match self {
            Storage::Memory(held) => {
                held.clear();
                held.extend_from_slice(record);
                Ok(())
            }
            Storage::Disk { shelf, .. } => shelf.as_mut().expect("a running member has it open").write(record),
        }
    }

    /// The same on another disk, without the faults of this one.
    pub(crate) fn cloned(&self) -> Storage {
        match self {
            Storage::Memory(record) => Storage::Memory(record.clone()),
            Storage::Disk { owner, disk, .. } => {
                let mut copy = Disk::new();
                copy.put_back(disk.borrow().image());
                Storage::Disk { owner: *owner, disk: Rc::new(RefCell::new(copy)), shelf: None }
            }
        }
    }

    /// The process that had it open ends.
    pub(crate) fn close(&mut self) {
        if let Storage::Disk { shelf, .. } = self {
            *shelf = None;
        }
    }

    /// The disk, to do something to it.
    pub(crate) fn disk(&self) -> Option<std::cell::RefMut<'_, Disk>> {
        match self {
            Storage::Memory(_) => None,
            Storage::Disk { disk, .. } => Some(disk.borrow_mut()),
        }
    }
}
