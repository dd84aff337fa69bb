import ButterflyBindings
import Foundation

/// A member or a client of a cluster, with what it needs for sessions.
public final class Party: Sendable {
    let inner: ButterflyBindings.Party

    /// The holder of `keys`, whom `roster` names, and the key records of all
    /// members, one behind the other.
    public init(roster: Roster, keys: Keys, keyRecords: Data) throws(ButterflyError) {
        inner = try attempt {
            try ButterflyBindings.Party(roster: roster.inner, keys: keys.inner, keyRecords: keyRecords)
        }
    }
}

/// One encrypted link, without I/O: bytes in, bytes out, events out. Whatever
/// goes wrong closes it for good.
public final class Session: Sendable {
    private let inner: ButterflyBindings.Session

    /// A session that has not begun.
    public init(party: Party) throws(ButterflyError) {
        inner = try attempt { try ButterflyBindings.Session(party: party.inner) }
    }

    /// Begins a session with a member, and gives the bytes to write to it.
    public func dial(_ member: UInt8) throws(ButterflyError) -> Data { try attempt { try inner.dial(member: member) } }

    /// Answers whoever knocked, and gives the bytes to write.
    public func answer() throws(ButterflyError) -> Data { try attempt { try inner.answer() } }

    /// Takes bytes that came from the peer, in whatever pieces. The reply is to be written first.
    public func receive(_ bytes: Data) throws(ButterflyError) -> (reply: Data, events: [SessionEvent]) {
        let received = try attempt { try inner.receive(bytes: bytes) }
        return (received.reply, received.events)
    }

    /// Seals a message, and gives the bytes to write.
    public func seal(_ message: Data) throws(ButterflyError) -> Data { try attempt { try inner.seal(message: message) } }

    /// Says that nothing more will come, and gives the bytes to write.
    public func sealEnd() throws(ButterflyError) -> Data { try attempt { try inner.sealEnd() } }

    /// To be called when the connection ends. An error, if the peer had not said that it would.
    public func endOfBytes() throws(ButterflyError) { try attempt { try inner.endOfBytes() } }

    /// To be called when a key has been in use for an hour.
    public func changeKey() throws(ButterflyError) { try attempt { try inner.changeKey() } }
}
