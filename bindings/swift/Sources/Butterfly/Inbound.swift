import ButterflyBindings
import Foundation

/// Handshakes at once. Whoever comes when there are more is turned away.
private let seats = 64
/// A client's sessions at once; a member has one. The newest count.
private let sessionsOfAClient = 8

/// Whoever dials a member: its fellows, which are listened to, and clients, which are answered.
final class Inbound: Sendable {
    /// Sessions of each party, the oldest first.
    private struct Guests {
        var atTheDoor = 0
        var sessions: [Who: [Link]] = [:]
    }

    private let party: Party
    private let node: Node
    private let inbox: Inbox
    private let chronicle: Chronicle
    private let guests = Locked(Guests())

    init(party: Party, node: Node, inbox: Inbox, chronicle: Chronicle) {
        (self.party, self.node, self.inbox, self.chronicle) = (party, node, inbox, chronicle)
    }

    /// Serves whoever connects, each on a thread. Blocks until the listener is stopped.
    func run(_ listener: Listener, on threads: Threads) {
        while let socket = try? listener.accept() {
            let hasSeat = guests.withLock { guests in
                guard guests.atTheDoor < seats else { return false }
                guests.atTheDoor += 1
                return true
            }
            // A connection ends with the first thing that is not as it must be.
            if hasSeat { threads.start { try? self.attend(socket, on: threads) } }
        }
    }

    private func attend(_ socket: Socket, on threads: Threads) throws {
        let answered = Result { try Link.accept(socket, as: party) }
        guests.withLock { $0.atTheDoor -= 1 }
        let (link, peer) = try answered.get()
        enter(link, peer)
        defer { leave(link, peer) }
        switch peer {
        case .member: try listen(to: link)
        case .client: try answer(link, on: threads)
        }
    }

    private func enter(_ link: Link, _ peer: Who) {
        guests.withLock { guests in
            guests.sessions[peer, default: []].append(link)
            let limit = if case .client = peer { sessionsOfAClient } else { 1 }
            if guests.sessions[peer, default: []].count > limit { guests.sessions[peer]?.removeFirst().cut() }
        }
    }

    private func leave(_ link: Link, _ peer: Who) {
        link.cut()
        guests.withLock { $0.sessions[peer]?.removeAll { $0 === link } }
    }

    private func listen(to member: Link) throws {
        while let message = try member.receive() {
            inbox.waitForRoom()
            inbox.put(.receive(message: message)) { refusal in
                if refusal?.isForgery == true { member.cut() }
            }
        }
    }

    private func answer(_ client: Link, on threads: Threads) throws {
        let reader = Chronicle.Reader()
        threads.start { [chronicle] in
            while let news = chronicle.next(for: reader) {
                do { try client.send(news) } catch { return client.cut() }
            }
        }
        defer { chronicle.leave(reader) }
        while let asked = try client.receive() {
            switch try decodeAsk(bytes: asked) {
            case .standing: try client.send([chronicle.standing(of: node)])
            case .submit(let request): try client.send([answer(to: request)])
            case .follow(let epoch): chronicle.turn(reader, to: epoch)
            case .evidence(let number): try client.send([chronicle.proof(number)])
            }
        }
        client.end()
    }

    private func answer(to request: Data) throws -> Data {
        let (judged, refusal) = (DispatchSemaphore(value: 0), Locked<Refusal?>(nil))
        inbox.waitForRoom()
        inbox.put(.submit(request: request)) { said in
            refusal.withLock { $0 = said }
            judged.signal()
        }
        judged.wait()
        let answer: Answer = switch refusal.withLock({ $0 }) {
        // One that is known is worked on.
        case nil, .duplicate: .taken
        case .stale: .refused(reason: .finished)
        case .full: .refused(reason: .full)
        default: .refused(reason: .invalid)
        }
        return try encodeAnswer(answer: answer)
    }
}

extension Refusal {
    /// No member says such a thing.
    fileprivate var isForgery: Bool {
        switch self {
        case .malformed, .trailingBytes, .notCanonical, .stranger, .signature, .certificate: true
        case .early, .stale, .duplicate, .unauthorised, .invalid, .otherRun, .full: false
        }
    }
}
