import ButterflyBindings
import Foundation

/// The protocol kernel with what every host must keep for it. It does no I/O
/// and has no clock: it is told what happened, and says what is to be done.
///
/// One thread at a time: a call while another is under way waits for it.
public final class Node: Sendable, CustomStringConvertible {
    private let inner: ButterflyBindings.Node

    /// The member whose `keys` these are. `record` is what it persisted last,
    /// or ``Roster/firstRecord(of:)`` before its first start; `nil` if that is lost:
    /// it follows and computes then, and signs nothing until it is admitted again.
    public init(roster: Roster, keys: Keys, record: Data?) throws(ButterflyError) {
        inner = try attempt { try ButterflyBindings.Node(roster: roster.inner, keys: keys.inner, record: record) }
    }

    /// Takes one input. Its outputs are to be performed in their order,
    /// and nothing behind an `Output.persist` before its record is durable.
    public func step(_ input: Input) throws(ButterflyError) -> Step { try attempt { try inner.step(input: input) } }

    /// Takes a frame of inputs and gives the frame of their steps: the same as
    /// `step` for each, for a fraction of the cost. See ``Frame``.
    public func stepPacked(_ frame: Data) throws(ButterflyError) -> Data {
        try attempt { try inner.stepPacked(frame: frame) }
    }

    /// What must be durable, as it is now.
    public func record() throws(ButterflyError) -> Data { try attempt { try inner.record() } }

    /// Where the node is.
    public func status() throws(ButterflyError) -> Status { try attempt { try inner.status() } }

    /// What a lying member would send in place of `message`, signed with this node's key: a
    /// wrong output, and an attestation that stands by it. For tests and teaching.
    public func falsified(_ message: Data) throws(ButterflyError) -> Data {
        try attempt { try inner.falsify(message: message) }
    }

    public var description: String {
        guard let status = try? status() else { return "Node(broken)" }
        return "Node(\(status.me), epoch \(status.epoch), view \(status.view), \(status.role), \(status.doing))"
    }
}
