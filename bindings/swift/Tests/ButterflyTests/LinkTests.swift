@testable import Butterfly
import Foundation
import Testing

/// Two ends of a connection, and what one makes of what the other does.
@Suite(.timeLimit(.minutes(1))) struct LinkTests {
    private let village: Village

    init() throws { village = try Village() }

    @Test func whatManySendArrivesWhole() async throws {
        let (one, other) = try await village.link()
        async let heard = onThread { _ in try (0..<800).map { _ in try other.receive()?.prefix(2) } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for sender in UInt8(0)..<8 {
                group.addTask {
                    try await onThread { _ in
                        // So long that nobody can write all of it at once.
                        for number in UInt8(0)..<100 { try one.send([Data([sender, number]) + Data(count: 10_000)]) }
                    }
                }
            }
            try await group.waitForAll()
        }
        let words = try await heard.compactMap { $0 }
        for sender in UInt8(0)..<8 { #expect(words.filter { $0[0] == sender }.map { $0[1] } == Array(0..<100)) }
    }

    @Test func anEndIsSaid() async throws {
        let (one, other) = try await village.link()
        one.end()
        #expect(try await onThread { _ in try other.receive() } == nil)
        // A connection that somebody cut is no end.
        let (cut, listening) = try await village.link()
        cut.cut()
        let error = await refusal { try await onThread { _ in try listening.receive() } }
        #expect(error?.kind == .session)
    }

    @Test func whoSendsToOneThatIsGoneIsTold() async throws {
        let (one, other) = try await village.link()
        other.cut()
        let error = await refusal {
            try await onThread { _ in while true { try one.send([Data(count: 1_000)]) } }
        }
        #expect(error?.kind == .system)
    }

    @Test func whoSaysOrTakesNothingIsGivenUp() async throws {
        let (stop, mute, deaf) = (try Stop(), try village.address(), try village.address())
        let (unused, listener) = (try Listener(at: mute, until: stop), try Listener(at: deaf, until: stop))
        let silent = try Socket(connectingTo: deaf, within: .seconds(5), until: stop)
        let (one, other) = try await village.link()
        // All of them at the same time.
        async let dialled = refusal {
            try await onThread { [village] _ in try Link.dial(0, at: mute, as: village.parties[1], until: stop) }
        }
        async let accepted = refusal {
            try await onThread { [village] _ in try Link.accept(listener.accept(), as: village.parties[0]) }
        }
        async let sent = refusal {
            try await onThread { _ in while true { try one.send([Data(count: 10_000)]) } }
        }
        for error in await [dialled, accepted, sent] { #expect(error?.reason == "the peer took too long") }
        [silent.cut, other.cut].forEach { $0() }
        withExtendedLifetime(unused) {}
    }

    @Test func aStopIsPulledOnce() throws {
        let stop = try Stop()
        stop.pull()
        // What had its number before is somebody else's now.
        let others = (0..<16).map { _ in open("/dev/null", O_RDONLY) }
        stop.pull()
        for other in others {
            #expect(fcntl(other, F_GETFD) >= 0)
            close(other)
        }
        #expect(throws: ButterflyError(.system, "it was stopped")) { try stop.pause(for: .seconds(60)) }
    }
}

/// Four members who need no folders, and connections among them.
struct Village: Sendable {
    let roster: Roster
    let parties: [Party]
    private let keys: [Keys]

    init() throws {
        let keys = try (0..<4).map { _ in try Keys.generate() }
        let roster = try Roster(members: keys.map(\.publicKey), clients: [Keys.generate().publicKey], model: model)
        let records = try keys.reduce(Data()) { try $0 + $1.keyRecord(in: roster) }
        parties = try keys.map { try Party(roster: roster, keys: $0, keyRecords: records) }
        (self.roster, self.keys) = (roster, keys)
    }

    func node(_ member: UInt8) throws -> Node {
        try Node(roster: roster, keys: keys[Int(member)], record: roster.firstRecord(of: member))
    }

    /// Where nobody listens yet.
    func address() throws -> String { "127.0.0.1:\(try #require(freePorts(1)))" }

    /// A connection that member 1 dialled, and the end that member 0 has of it.
    func link() async throws -> (Link, Link) {
        let (stop, address) = (try Stop(), try address())
        let listener = try Listener(at: address, until: stop)
        async let dialled = onThread { _ in try Link.dial(0, at: address, as: parties[1], until: stop) }
        let accepted = try await onThread { _ in try Link.accept(listener.accept(), as: parties[0]).link }
        return (try await dialled, accepted)
    }
}
