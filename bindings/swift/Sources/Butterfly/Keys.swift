import ButterflyBindings
import Foundation

/// Both secrets of one party: the identity, which signs, and the exchange key,
/// which makes sessions. Erased when the object is freed; they cannot be printed.
public final class Keys: Sendable, CustomStringConvertible {
    let inner: ButterflyBindings.Keys
    /// What the roster names this party by.
    public let publicKey: Digest

    /// New keys, from the system's source of randomness.
    public static func generate() throws(ButterflyError) -> Keys {
        try Keys(attempt { try ButterflyBindings.Keys.generate() })
    }

    /// The keys with these secrets, as `secrets` gave them: 32 bytes each.
    public convenience init(identity: Data, exchange: Data) throws(ButterflyError) {
        try self.init(attempt {
            try ButterflyBindings.Keys.fromSecrets(secrets: Secrets(identity: identity, exchange: exchange))
        })
    }

    init(_ inner: ButterflyBindings.Keys) throws(ButterflyError) {
        self.inner = inner
        publicKey = try attempt { try inner.publicKey() }
    }

    /// The secrets, to be kept where nobody else can read.
    public func secrets() throws(ButterflyError) -> Secrets { try attempt { try inner.secrets() } }

    /// The identity's word that the exchange key is its own, in the cluster of
    /// `roster`: what others need to have sessions with this party.
    public func keyRecord(in roster: Roster) throws(ButterflyError) -> Data {
        try attempt { try inner.keyRecord(roster: roster.inner) }
    }

    public var description: String {
        "Keys(\(publicKey.prefix(4).map { String(format: "%02x", $0) }.joined())…)"
    }
}
