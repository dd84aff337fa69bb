import ButterflyBindings
import Foundation

/// The members, the clients and the model, checked. Its digest is the cluster's
/// id, which every signature covers.
public final class Roster: Sendable, Equatable, CustomStringConvertible {
    let inner: ButterflyBindings.Roster
    /// What it says.
    public let facts: RosterFacts

    /// The roster of a new cluster, whose members are alike and take turns.
    ///
    /// The first `voters` of `members` vote, all of them unless it is said. `faults` of them may be faulty in any
    /// way, and `silent` may be silent without slowing a decision down: as many as the voters allow, unless it is said.
    public convenience init(
        members: [Digest],
        voters: Int? = nil,
        clients: [Digest],
        model: Model,
        faults: Int? = nil,
        silent: Int? = nil,
        viewTimeout: Duration = .seconds(2)
    ) throws(ButterflyError) {
        let voters = try byte(voters ?? members.count, "voters")
        let faults = try faults.map { count throws(ButterflyError) in try byte(count, "faults") }
        let silent = try silent.map { count throws(ButterflyError) in try byte(count, "silent members") }
        try self.init(attempt {
            try ButterflyBindings.Roster.found(
                members: members, voters: voters, clients: clients, model: model, faults: faults, silent: silent,
                viewTimeout: milliseconds(viewTimeout))
        })
    }

    /// The roster of which these bytes are the canonical encoding.
    public convenience init(decoding bytes: Data, viewTimeout: Duration = .seconds(2)) throws(ButterflyError) {
        try self.init(attempt {
            try ButterflyBindings.Roster.decode(bytes: bytes, viewTimeout: milliseconds(viewTimeout))
        })
    }

    init(_ inner: ButterflyBindings.Roster) throws(ButterflyError) {
        self.inner = inner
        facts = try attempt { try inner.facts() }
    }

    /// The cluster's id.
    public var id: Digest { facts.id }

    /// The canonical encoding.
    public func encoded() throws(ButterflyError) -> Data { try attempt { try inner.encode() } }

    /// The member whose turn `view` of `epoch` is.
    public func leader(epoch: UInt64, view: UInt32 = 0) throws(ButterflyError) -> UInt8 {
        try attempt { try inner.leader(epoch: epoch, view: view) }
    }

    /// What provisioning writes before a member's first start. A member must
    /// never be given it again: it cannot know any more what it signed.
    public func firstRecord(of member: UInt8) throws(ButterflyError) -> Data {
        try attempt { try inner.firstRecord(member: member) }
    }

    /// Names what is stored for a member of this cluster: nobody else's.
    public func name(of member: UInt8) throws(ButterflyError) -> Digest {
        try attempt { try inner.memberName(member: member) }
    }

    /// `request` signed by the client whose keys these are, for `Input.submit`.
    public func sign(_ request: Request, with keys: Keys) throws(ButterflyError) -> Data {
        try attempt { try inner.signRequest(keys: keys.inner, request: request) }
    }

    /// What a signed request asks for; an error when no client of the roster signed it.
    public func readRequest(_ request: Data) throws(ButterflyError) -> Request {
        try attempt { try inner.readRequest(request: request) }
    }

    /// The number of the next request of a client after a decision; none: before the first epoch.
    public func nextSequence(of client: UInt8, after decided: Data?) throws(ButterflyError) -> UInt64 {
        try attempt { try inner.nextSequence(decided: decided, client: client) }
    }

    /// Who says what, once every signature in a message was checked.
    public func verifyMessage(_ message: Data) throws(ButterflyError) -> MessageFacts {
        try attempt { try inner.verifyMessage(message: message) }
    }

    /// The epoch of a decision. An error when the decision is not genuine.
    public func verifyDecision(_ decided: Data) throws(ButterflyError) -> UInt64 {
        try attempt { try inner.verifyDecision(decided: decided) }
    }

    /// Whether this cluster committed what `proof` says, and what that is.
    public func verifyProof(_ proof: Data) throws(ButterflyError) -> CommitProof {
        try attempt { try inner.verifyProof(proof: proof) }
    }

    /// Whether a member of this cluster must be faulty, and which.
    public func verifyEvidence(_ evidence: Data) throws(ButterflyError) -> Evidence {
        try attempt { try inner.verifyEvidence(evidence: evidence) }
    }

    public static func == (one: Roster, other: Roster) -> Bool { one.id == other.id }

    public var description: String {
        let id = facts.id.prefix(4).map { String(format: "%02x", $0) }.joined()
        return "Roster(\(id)…, \(facts.voters) voters of \(facts.members.count) members, "
            + "f = \(facts.faults), p = \(facts.silent))"
    }
}

func byte(_ count: Int, _ what: String) throws(ButterflyError) -> UInt8 {
    guard let byte = UInt8(exactly: count) else { throw ButterflyError(.roster, "there cannot be \(count) \(what)") }
    return byte
}

func milliseconds(_ duration: Duration) -> UInt32 {
    // Of longer ones the number would not fit below.
    let (seconds, attoseconds) = min(max(.zero, duration), .milliseconds(UInt32.max)).components
    return UInt32(clamping: seconds * 1_000 + attoseconds / 1_000_000_000_000_000)
}
