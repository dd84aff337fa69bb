import ButterflyBindings
import Foundation

/// Why a call did nothing. Nothing has changed, unless the kind says so.
public struct ButterflyError: LocalizedError, Equatable, Sendable, CustomStringConvertible {
    /// What was wrong.
    public enum Kind: String, Equatable, Sendable {
        /// Bytes are not the canonical encoding of what they should be.
        case malformed
        /// A roster cannot be used, or a number asked of it is outside its bounds.
        case roster
        /// Keys cannot be used, or are not those of the roster.
        case keys
        /// A proof, evidence or decision does not hold for the cluster.
        case unproven
        /// A vote record cannot be used. A node must stop when its record cannot be written.
        case record
        /// A session is closed for good, or the call does not belong here.
        case session
        /// A stage cannot be run on what it was given.
        case stage
        /// The object is in use: by a stage that calls back, or by another thread.
        case busy
        /// A call before this one failed half-way: the object cannot be used any more.
        case broken
        /// A file or a connection failed.
        case system
        /// The cluster did not decide in time, or refused a request.
        case unanswered
    }

    public let kind: Kind
    /// The cause, for people.
    public let reason: String

    public init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }

    public var errorDescription: String? { reason }
    public var description: String { "\(kind.rawValue): \(reason)" }
}

extension ButterflyError {
    init(_ error: any Swift.Error) {
        if let known = error as? ButterflyError {
            self = known
            return
        }
        guard let said = error as? ButterflyBindings.Error else {
            // Nothing of ours panics; if it did, the object is of no more use.
            self.init(.broken, "\(error)")
            return
        }
        switch said {
        case .Malformed(let reason): self.init(.malformed, reason)
        case .Roster(let reason): self.init(.roster, reason)
        case .Keys(let reason): self.init(.keys, reason)
        case .Unproven(let reason): self.init(.unproven, reason)
        case .Record(let reason): self.init(.record, reason)
        case .Session(let reason): self.init(.session, reason)
        case .Stage(let reason): self.init(.stage, reason)
        case .Busy: self.init(.busy, "the object is in use")
        case .Broken: self.init(.broken, "the object failed in an earlier call and cannot be used any more")
        }
    }
}

/// `body`, and its error as one of ours.
func attempt<Result>(_ body: () throws -> Result) throws(ButterflyError) -> Result {
    do {
        return try body()
    } catch {
        throw ButterflyError(error)
    }
}
