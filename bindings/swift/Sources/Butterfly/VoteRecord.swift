import ButterflyBindings
import Foundation

/// What a node must not forget, on a disk: two slots of two copies each. The
/// same file as a `butterfly` node has.
public final class VoteRecord: Sendable {
    private let inner: ButterflyBindings.VoteRecord

    /// Writes the first record of a member to a file that is not there yet.
    public static func provision(
        at path: String, for member: UInt8, of roster: Roster
    ) throws(ButterflyError) -> VoteRecord {
        let (owner, record) = (try roster.name(of: member), try roster.firstRecord(of: member))
        return try VoteRecord(attempt {
            try ButterflyBindings.VoteRecord.provision(path: path, owner: owner, record: record)
        })
    }

    /// Opens the record of a member.
    public static func open(at path: String, for member: UInt8, of roster: Roster) throws(ButterflyError) -> VoteRecord {
        let owner = try roster.name(of: member)
        return try VoteRecord(attempt { try ButterflyBindings.VoteRecord.open(path: path, owner: owner) })
    }

    private init(_ inner: ButterflyBindings.VoteRecord) { self.inner = inner }

    /// What was written last; none if no copy is readable: then the member has lost its record, and must say so.
    public func record() throws(ButterflyError) -> Data? { try attempt { try inner.record() } }

    /// Makes `record` durable: when this returns, it will be read back. The node must stop on any error.
    public func write(_ record: Data) throws(ButterflyError) { try attempt { try inner.write(record: record) } }

    /// Lets another process have it.
    public func close() throws(ButterflyError) { try attempt { try inner.close() } }
}
