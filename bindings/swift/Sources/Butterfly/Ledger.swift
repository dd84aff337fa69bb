import ButterflyBindings
import Foundation

/// What a client knows of the answer to one request: every decision that some
/// node showed it, checked. It believes nobody.
public final class Ledger: Sendable {
    private let inner: ButterflyBindings.Ledger

    /// For a signed request. `base` is the last decision when it was handed in.
    public init(roster: Roster, request: Data, base: Data? = nil) throws(ButterflyError) {
        inner = try attempt { try ButterflyBindings.Ledger(roster: roster.inner, request: request, base: base) }
    }

    /// Takes in a decision and the tokens that it is said to have added, and
    /// gives those that are new to the answer.
    public func add(decided: Data, tokens: Data) throws(ButterflyError) -> Data {
        try attempt { try inner.add(decided: decided, tokens: tokens) }
    }

    /// The tokens of the answer so far.
    public func tokens() throws(ButterflyError) -> Data { try attempt { try inner.tokens() } }

    /// Whether these are all that were asked for.
    public func isComplete() throws(ButterflyError) -> Bool { try attempt { try inner.isComplete() } }

    /// The first epoch that is missing.
    public func nextEpoch() throws(ButterflyError) -> UInt64 { try attempt { try inner.nextEpoch() } }

    /// The proof of the answer so far, without what was committed before the
    /// base: ``Roster/verifyProof(_:)``.
    public func proof() throws(ButterflyError) -> Data? { try attempt { try inner.proof() } }
}
