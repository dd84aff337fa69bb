//! The same node behind plain PyO3 and behind plain C: what a call costs when
//! nothing is generated. For `benchmarks/costs.py` only.

use std::slice;
use std::sync::Arc;

use butterfly_ffi::keys::{Keys, Secrets};
use butterfly_ffi::node::Node;
use butterfly_ffi::roster::Roster;
use butterfly_ffi::surface::Digest;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Behind PyO3.
#[pyclass(frozen)]
struct PlainNode(Arc<Node>);

/// Where the node is.
#[pyclass(frozen, get_all)]
struct PlainStatus {
    me: u8,
    epoch: u64,
    view: u32,
    leader: u8,
    role: u8,
    doing: u8,
}

#[pymethods]
impl PlainNode {
    #[new]
    fn new(roster: &[u8], identity: [u8; 32], record: Vec<u8>) -> PyResult<PlainNode> {
        node(roster, identity, record).map(PlainNode).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    fn nothing(&self) {}

    fn status(&self) -> PyResult<PlainStatus> {
        let status = self.0.status().map_err(|error| PyValueError::new_err(error.to_string()))?;
        let (role, doing) = (status.role as u8, status.doing as u8);
        Ok(PlainStatus { me: status.me, epoch: status.epoch, view: status.view, leader: status.leader, role, doing })
    }

    fn step_packed<'py>(&self, python: Python<'py>, frame: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let steps = self.0.step_packed(frame).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(PyBytes::new(python, &steps))
    }
}

#[pymodule]
fn yardstick(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PlainNode>()?;
    module.add_class::<PlainStatus>()
}

fn node(roster: &[u8], identity: [u8; 32], record: Vec<u8>) -> Result<Arc<Node>, butterfly_ffi::Error> {
    let roster = Roster::decode(roster, 2_000)?;
    let keys = Keys::from_secrets(Secrets { identity: Digest(identity), exchange: Digest([0; 32]) })?;
    Node::new(roster, keys, Some(record))
}

/// As [`PlainStatus`].
#[repr(C)]
pub struct CStatus {
    epoch: u64,
    view: u32,
    me: u8,
    leader: u8,
    role: u8,
    doing: u8,
}

/// # Safety
/// Each pointer is to as many bytes as are said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn yard_new(
    roster: *const u8,
    roster_length: usize,
    identity: *const [u8; 32],
    record: *const u8,
    record_length: usize,
) -> *const Node {
    let (roster, record) =
        unsafe { (slice::from_raw_parts(roster, roster_length), slice::from_raw_parts(record, record_length)) };
    node(roster, unsafe { *identity }, record.to_vec()).map_or(std::ptr::null(), Arc::into_raw)
}

#[unsafe(no_mangle)]
pub extern "C" fn yard_nothing() {}

/// # Safety
/// The node is of `yard_new`, and there is room for a status.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn yard_status(node: *const Node, into: *mut CStatus) {
    if let Ok(status) = unsafe { &*node }.status() {
        let (role, doing) = (status.role as u8, status.doing as u8);
        let status = CStatus { epoch: status.epoch, view: status.view, me: status.me, leader: status.leader, role, doing };
        unsafe { into.write(status) };
    }
}

/// Gives the length of the answer; 0 if there is none or no room for it.
///
/// # Safety
/// The node is of `yard_new`, and each pointer is to as many bytes as are said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn yard_step_packed(
    node: *const Node,
    frame: *const u8,
    length: usize,
    into: *mut u8,
    room: usize,
) -> usize {
    let steps = unsafe { &*node }.step_packed(unsafe { slice::from_raw_parts(frame, length) });
    match steps {
        Ok(steps) if steps.len() <= room => {
            unsafe { slice::from_raw_parts_mut(into, steps.len()) }.copy_from_slice(&steps);
            steps.len()
        }
        _ => 0,
    }
}
