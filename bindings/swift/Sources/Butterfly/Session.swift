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

    /// The first message to a member, on a connection that we dialled.
    public func dial(_ member: UInt8) throws(ButterflyError) -> Data { try attempt { try inner.dial(member: member) } }

    /// The answer to whoever knocked.
    public func answer() throws(ButterflyError) -> Data { try attempt { try inner.answer() } }

    /// Takes what came from the peer; what is to be written back comes first.
    public func receive(_ bytes: Data) throws(ButterflyError) -> (reply: Data, events: [SessionEvent]) {
        let received = try attempt { try inner.receive(bytes: bytes) }
        return (received.reply, received.events)
    }

    /// A message as bytes for the peer.
    public func seal(_ message: Data) throws(ButterflyError) -> Data { try attempt { try inner.seal(message: message) } }

    /// Tells the peer that nothing more will come.
    public func sealEnd() throws(ButterflyError) -> Data { try attempt { try inner.sealEnd() } }

    /// The connection ended. An error, if the peer had not said that it would.
    public func endOfBytes() throws(ButterflyError) { try attempt { try inner.endOfBytes() } }

    /// Messages from now on are sealed with another key: to be called every hour.
    public func changeKey() throws(ButterflyError) { try attempt { try inner.changeKey() } }
}
