import Butterfly
import Foundation
import Testing

/// What nobody should do, and what comes of it: an error, never a crash.
@Suite struct AbuseTests {
    let keys: [Keys]
    let roster: Roster

    init() throws {
        keys = try (0..<4).map { _ in try Keys.generate() }
        roster = try Roster(members: keys.map(\.publicKey), clients: [Keys.generate().publicKey], model: model)
    }

    @Test func garbageIsRefused() throws {
        let node = try Node(roster: roster, keys: keys[0], record: roster.firstRecord(of: 0))
        var draws = SystemRandomNumberGenerator()
        for length in 0..<400 {
            let bytes = Data((0..<length).map { _ in UInt8.random(in: .min ... .max, using: &draws) })
            #expect(try node.step(.receive(message: bytes)).refusal != nil)
            #expect(try node.step(.submit(request: bytes)).refusal != nil)
            #expect(throws: ButterflyError.self) { try roster.verifyProof(bytes) }
            #expect(throws: ButterflyError.self) { try Roster(decoding: bytes) }
            #expect(throws: ButterflyError.self) { try ProofDocument(bytes) }
            if length > 1 { #expect(throws: ButterflyError.self) { try node.stepPacked(bytes) } }
        }
        #expect(try node.status().epoch == 1)
    }

    @Test func lengthsThatAreWrongAreRefused() throws {
        for length in [0, 31, 33] {
            let error = refusal {
                try Keys(identity: Data(count: length), exchange: Data(count: 32))
            }
            #expect(error?.kind == .malformed && error?.reason.contains("32") == true)
        }
        let node = try Node(roster: roster, keys: keys[0], record: roster.firstRecord(of: 0))
        #expect(throws: ButterflyError.self) { try node.step(.start(nonce: Data(count: 3))) }
        #expect(throws: ButterflyError.self) { try Roster(members: [], clients: [], model: model) }
        #expect(throws: ButterflyError.self) {
            try Roster(members: keys.map(\.publicKey), voters: 1_000, clients: [], model: model)
        }
    }

    @Test func strangersAreRefused() throws {
        let error = refusal {
            try Node(roster: roster, keys: Keys.generate(), record: nil)
        }
        #expect(error?.kind == .keys)
        #expect(error?.localizedDescription == error?.reason)
        #expect(throws: ButterflyError.self) {
            try roster.sign(Request(sequence: 1, prompt: Data([1]), tokens: 1, sampling: .greedy), with: keys[0])
        }
    }

    @Test func aSessionThatIsClosedStaysClosed() throws {
        let records = try keys.reduce(Data()) { try $0 + $1.keyRecord(in: roster) }
        let party = try Party(roster: roster, keys: keys[0], keyRecords: records)
        let session = try Session(party: party)
        #expect(throws: ButterflyError.self) { try session.seal(Data([1])) }
        let other = try Session(party: party)
        _ = try other.dial(1)
        #expect(throws: ButterflyError.self) { try other.receive(Data(repeating: 0xFF, count: 64)) }
        let error = refusal { try other.seal(Data([1])) }
        #expect(error?.kind == .session)
    }

    @Test func twoSessionsTalk() throws {
        let records = try keys.reduce(Data()) { try $0 + $1.keyRecord(in: roster) }
        let dialling = try Session(party: Party(roster: roster, keys: keys[0], keyRecords: records))
        let listening = try Session(party: Party(roster: roster, keys: keys[1], keyRecords: records))
        #expect(try listening.receive(dialling.dial(1)).events == [.knock])
        let (confirmation, opened) = try dialling.receive(listening.answer())
        #expect(opened == [.established(who: .member(number: 1))])
        #expect(try listening.receive(confirmation).events == [.established(who: .member(number: 0))])
        for length in [0, 1, 1_000, 16_000] {
            let message = Data(repeating: 5, count: length)
            #expect(try listening.receive(dialling.seal(message)).events == [.message(bytes: message)])
        }
        #expect(try listening.receive(dialling.sealEnd()).events == [.ended])
    }

    @Test func manyThreadsTakeTurns() async throws {
        let node = try Node(roster: roster, keys: keys[0], record: roster.firstRecord(of: 0))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<500 {
                        // Whoever comes in between is told, or waits; nothing else happens.
                        do throws(ButterflyError) { _ = try node.step(.receive(message: Data([1, 2, 3]))) }
                        catch { #expect(error.kind == .busy) }
                    }
                }
            }
        }
        #expect(try node.status().epoch == 1)
    }

    @Test func theRecordOfAnotherIsNone() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let record = try VoteRecord.provision(at: path, for: 0, of: roster)
        #expect(try record.record() == roster.firstRecord(of: 0))
        try record.write(Data([1, 2, 3]))
        #expect(throws: ButterflyError.self) { try VoteRecord.open(at: path, for: 0, of: roster) }
        try record.close()
        #expect(try VoteRecord.open(at: path, for: 0, of: roster).record() == Data([1, 2, 3]))
        #expect(throws: ButterflyError.self) { try VoteRecord.provision(at: path, for: 0, of: roster) }
        #expect(try VoteRecord.open(at: path, for: 1, of: roster).record() == nil)
    }

    @Test func nodesAreFreed() throws {
        let record = try roster.firstRecord(of: 0)
        func make(_ count: Int) throws {
            for _ in 0..<count { _ = try Node(roster: roster, keys: keys[0], record: record).status() }
        }
        try make(500)
        let before = try resident()
        try make(20_000)
        #expect(try resident() < before + 16 * 1024 * 1024, "20,000 nodes of 100 kB and more would be gigabytes")
    }
}

/// Bytes of this process that are in memory.
private func resident() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
    return 1024 * (try #require(Int(line.split(separator: " ").dropLast().last ?? "")))
}
