import ButterflyBindings
import Foundation

/// What a node must not forget, on a disk: two slots of two copies each. The
/// same file as a `butterfly` node has.
public final class VoteRecord: Sendable {
    private let inner: ButterflyBindings.VoteRecord

    /// Writes the first record of a member. Refused if there is a file.
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

    /// What was written last; `nil` if no copy is readable, and the member has forgotten what it signed.
    public func record() throws(ButterflyError) -> Data? { try attempt { try inner.record() } }

    /// Durable when this returns. The node must stop on any error.
    public func write(_ record: Data) throws(ButterflyError) { try attempt { try inner.write(record: record) } }

    /// Gives the file up to others.
    public func close() throws(ButterflyError) { try attempt { try inner.close() } }
}
