@testable import Butterfly
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
            #expect(throws: ButterflyError.self) { try roster.verifyEvidence(bytes) }
            #expect(throws: ButterflyError.self) { try roster.verifyDecision(bytes) }
            #expect(throws: ButterflyError.self) { try roster.verifyMessage(bytes) }
            #expect(throws: ButterflyError.self) { try roster.readRequest(bytes) }
            #expect(throws: ButterflyError.self) { try node.falsified(bytes) }
            #expect(throws: ButterflyError.self) { try Ledger(roster: roster, request: bytes) }
            #expect(throws: ButterflyError.self) { try Party(roster: roster, keys: keys[0], keyRecords: bytes) }
            #expect(throws: ButterflyError.self) { try Node(roster: roster, keys: keys[0], record: bytes) }
            // One byte may be the frame of nothing.
            if length > 1 {
                #expect(throws: ButterflyError.self) { try node.stepPacked(bytes) }
                #expect(throws: ButterflyError.self) { try Frame.inputs(in: bytes) }
                #expect(throws: ButterflyError.self) { try Frame.steps(in: bytes) }
            }
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
        #expect(throws: ButterflyError.self) { try Roster(members: [], clients: [keys[0].publicKey], model: model) }
        #expect(throws: ButterflyError.self) {
            try Roster(members: keys.map(\.publicKey), voters: 256 + 4, clients: roster.facts.clients, model: model)
        }
    }

    @Test func timesThatAreTooLongOrTooShortAreTheNearest() {
        let longest = UInt32.max
        for (time, number) in [
            (.milliseconds(1_500), 1_500), (.microseconds(999), 0), (.seconds(-1), 0), (.seconds(Int64.min), 0),
            (.seconds(4_294_968), longest), (.seconds(Int64.max / 1_000 + 1), longest), (.seconds(Int64.max), longest),
        ] as [(Duration, UInt32)] {
            #expect(milliseconds(time) == number)
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

    @Test func whatIsForgottenIsFreedInAnyOrder() throws {
        func make() throws -> Node {
            let keys = try Keys.generate()
            let roster = try Roster(members: [keys.publicKey], clients: [Keys.generate().publicKey], model: model)
            return try Node(roster: roster, keys: keys, record: roster.firstRecord(of: 0))
        }
        let node = try make()
        #expect(try node.step(.start(nonce: Nonce(count: 16))).refusal == nil)
    }

    @Test func anErrorIsTheSameInAnotherTask() async throws {
        let error = refusal { try roster.verifyProof(Data([1, 2])) }
        let other = await Task.detached { [roster] in refusal { try roster.verifyProof(Data([1, 2])) } }.value
        #expect(error != nil && error == other)
        #expect(error?.description == "malformed: \(error?.reason ?? "")")
    }

    @Test func aRecordThatIsClosedStaysClosed() async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let record = try VoteRecord.provision(at: path, for: 0, of: roster)
        #expect(refusal { try record.write(Data(count: 20_000)) }?.reason.contains("too long") == true)
        let (written, ended) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        for _ in 0..<4 {
            Thread.detachNewThread {
                // Until it is closed by whoever made it.
                do throws(ButterflyError) { while true { try record.write(Data([1])); written.signal() } }
                catch { #expect(error == ButterflyError(.record, "the vote record is closed")) }
                ended.signal()
            }
        }
        await wait(for: written)
        try record.close()
        for _ in 0..<4 { await wait(for: ended) }
        #expect(throws: ButterflyError.self) { try record.record() }
        try record.close()
        #expect(try VoteRecord.open(at: path, for: 0, of: roster).record() == Data([1]))
        // What is no record at all is a lost one.
        try Data((0..<5_000).map { UInt8(truncatingIfNeeded: $0) }).write(to: URL(fileURLWithPath: path))
        #expect(try VoteRecord.open(at: path, for: 0, of: roster).record() == nil)
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
}
