import ButterflyBindings
import Foundation

/// A file that proves a commit or a fault, with the roster that it is about.
public struct ProofDocument: Sendable {
    /// The cluster. Compare its id with the one that you know: a document shows
    /// what *a* cluster with this roster did.
    public let roster: Roster
    /// What was proven.
    public let statement: Statement

    /// Reads a proof or evidence file and checks everything in it: `butterfly submit --proof` writes one.
    public init(_ bytes: Data) throws(ButterflyError) {
        let document = try attempt { try readDocument(bytes: bytes) }
        roster = try Roster(document.roster)
        statement = document.statement
    }

    /// The file that states a proof of `roster`'s cluster.
    public static func file(of proof: Data, in roster: Roster) throws(ButterflyError) -> Data {
        try attempt { try writeProof(roster: roster.inner, proof: proof) }
    }

    /// The file that states evidence against a member of `roster`'s cluster.
    public static func file(ofEvidence evidence: Data, in roster: Roster) throws(ButterflyError) -> Data {
        try attempt { try writeEvidence(roster: roster.inner, evidence: evidence) }
    }
}
