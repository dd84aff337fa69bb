import Foundation

/// Whoever needs longer for a handshake, or to be reached, is not there.
private let openingTime = Duration.seconds(5)
/// A key is in use for this long at most.
private let keyTime = Duration.seconds(60 * 60)

/// A TCP connection with its session. Calls block, so they belong on threads:
/// any may send, one receives. One that fails ends it for good.
final class Link: @unchecked Sendable {
    private let socket: Socket
    private let session: Session
    /// Bytes are sealed and written in one order.
    private let turn = NSLock()
    private var keySince = ContinuousClock.now
    /// Only for whoever receives.
    private var heard: [SessionEvent] = []

    private init(_ socket: Socket, _ party: Party) throws(ButterflyError) {
        self.socket = socket
        session = try Session(party: party)
    }

    /// Connects to a member at `HOST:PORT`, and returns when it has shown its key.
    static func dial(_ member: UInt8, at address: String, as party: Party, until stop: Stop) throws -> Link {
        let link = try Link(Socket(connectingTo: address, within: openingTime, until: stop), party)
        try link.socket.write(link.session.dial(member))
        guard case .established = try link.next(until: .now + openingTime) else { throw outOfTurn() }
        return link
    }

    /// Answers a connection that somebody else dialled, and says who that is.
    static func accept(_ socket: Socket, as party: Party) throws -> (link: Link, peer: Who) {
        let (link, deadline) = (try Link(socket, party), ContinuousClock.now + openingTime)
        guard case .knock = try link.next(until: deadline) else { throw outOfTurn() }
        try socket.write(link.session.answer())
        guard case .established(let peer) = try link.next(until: deadline) else { throw outOfTurn() }
        return (link, peer)
    }

    /// Sends messages, and waits while the peer is slow.
    func send(_ messages: [Data]) throws {
        try turn.withLock {
            if .now - keySince > keyTime {
                try session.changeKey()
                keySince = .now
            }
            for message in messages { try socket.write(session.seal(message)) }
        }
    }

    /// The next message; none when the peer said that there will be no more.
    func receive(until deadline: ContinuousClock.Instant? = nil) throws -> Data? {
        switch try next(until: deadline) {
        case .message(let bytes): bytes
        case .ended: nil
        case .knock, .established: throw outOfTurn()
        }
    }

    /// Whether there is something to receive, the end included.
    var hasNews: Bool { socket.hasNews }

    /// Says that nothing more will come, and ends the connection.
    func end() {
        // The peer need not be there any more.
        turn.withLock { if let bytes = try? session.sealEnd() { try? socket.write(bytes) } }
        cut()
    }

    /// Ends the connection without a word.
    func cut() { socket.cut() }

    private func next(until deadline: ContinuousClock.Instant?) throws -> SessionEvent {
        while heard.isEmpty {
            let bytes = try socket.read(until: deadline)
            if bytes.isEmpty {
                try session.endOfBytes()
                throw ButterflyError(.session, "the connection ended")
            }
            let (reply, events) = try session.receive(bytes)
            if !reply.isEmpty { try turn.withLock { try socket.write(reply) } }
            heard = events
        }
        return heard.removeFirst()
    }
}

private func outOfTurn() -> ButterflyError {
    ButterflyError(.session, "a message of the handshake came out of turn")
}
