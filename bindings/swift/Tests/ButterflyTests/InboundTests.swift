@testable import Butterfly
import func ButterflyBindings.decodeAnswer
import func ButterflyBindings.encodeAsk
import Foundation
import Testing

/// Whoever dials a member in Swift, and takes more than is given.
@Suite(.timeLimit(.minutes(2))) struct InboundTests {
    @Test func aFellowThatForgesIsCutOff() async throws {
        try await Dialled.with { dialled in
            let link = try await dialled.dial(as: "node-2")
            let isCutOff = try await onThread { _ in
                try link.send([Data([1, 2, 3])])
                return link.isCutOff
            }
            #expect(isCutOff)
        }
    }

    @Test func theNewestSessionsCount() async throws {
        try await Dialled.with { dialled in
            // One of a member, eight of a client.
            for (party, limit) in [("node-2", 1), ("client-0", 8)] {
                var links: [Link] = []
                for _ in 0...limit { links.append(try await dialled.dial(as: party)) }
                let (oldest, others) = (links[0], links[1...])
                #expect(try await onThread { _ in oldest.isCutOff })
                #expect(others.allSatisfy { !$0.hasNews })
                links.forEach { $0.end() }
            }
        }
    }

    @Test func whoeverOnlyKnocksTakesASeatAndNoMore() async throws {
        try await Dialled.with { dialled in
            let silent = try await onThread { stop in
                try (0..<64).map { _ in
                    try Socket(connectingTo: dialled.address, within: .seconds(5), until: stop)
                }
            }
            await #expect(throws: ButterflyError.self) { try await dialled.dial(as: "client-0") }
            silent.forEach { $0.cut() }
            // Until their threads have noticed.
            while (try? await dialled.dial(as: "client-0")) == nil { try await Task.sleep(for: .milliseconds(5)) }
        }
    }

    @Test func requestsAreAnsweredByWhatTheyAre() async throws {
        try await Dialled.with { dialled in
            let link = try await dialled.dial(as: "client-0")
            let request = try dialled.request(of: "client-0")
            var forged = request
            forged[forged.count - 1] ^= 1
            let asked = [
                (forged, Answer.refused(reason: .invalid)), (request, .taken), (request, .taken),
                // Not many are ahead of what was decided.
                (try dialled.request(of: "client-0", sequence: 100), .refused(reason: .full)),
            ]
            #expect(throws: ButterflyError.self) { try dialled.roster.readRequest(forged) }
            for (request, answer) in asked {
                #expect(try await onThread { _ in try link.answer(to: .submit(request: request)) } == answer)
            }
            // What is no question ends the session.
            let isCutOff = try await onThread { _ in
                try link.send([Data([9])])
                return link.isCutOff
            }
            #expect(isCutOff)
        }
    }

    @Test func whoIsProvenToBeFaultyIsSaid() async throws {
        let simulation = try Simulation(Plan(members: 4, model: model, liars: [2])) { try letters($0, $1) }
        try simulation.submit(Data("a".utf8), tokens: 4)
        try simulation.run()
        let blame = try #require(simulation.report().blamed.first)
        try await Dialled.with { dialled in
            let link = try await dialled.dial(as: "client-0")
            let chronicle = dialled.member.chronicle
            func proofs(_ numbers: Range<UInt16>) async throws -> [Answer] {
                try await onThread { _ in try numbers.map { try link.answer(to: .evidence(number: $0)) } }
            }
            #expect(try await proofs(0..<1) == [.evidence(evidence: nil)])
            // The second says no more than the first.
            for _ in 0..<2 {
                try chronicle.add(.blamed(accused: blame.accused, fault: blame.fault, evidence: blame.evidence))
            }
            #expect(try await proofs(0..<2) == [.evidence(evidence: blame.evidence), .evidence(evidence: nil)])
            // The session goes on.
            guard case .standing = try await onThread({ _ in try link.answer(to: .standing) }) else {
                Issue.record("a question was not answered")
                return
            }
        }
    }
}

extension Link {
    /// Whether nothing comes but the end, within a minute.
    fileprivate var isCutOff: Bool {
        do {
            _ = try receive(until: .now + .seconds(60))
            return false
        } catch {
            return (error as? ButterflyError)?.reason != "the peer took too long"
        }
    }

    /// What a member answers to a client's question.
    func answer(to ask: Ask) throws -> Answer {
        try send([encodeAsk(ask: ask)])
        return try decodeAnswer(bytes: receive() ?? Data())
    }
}

/// A member in Swift, alone of its cluster, and how it is dialled.
private struct Dialled: Sendable {
    let member: NetworkMember
    let address: String
    let cluster: Cluster
    var roster: Roster { member.roster }

    static func with(_ body: @escaping @Sendable (Dialled) async throws -> Void) async throws {
        try await Cluster.with { cluster in
            let member = try cluster.member(3)
            let running = Task { try await member.run() }
            let address = try Settings(read(cluster.node(3), "node.toml")).texts("peers")[3]
            let dialled = Dialled(member: member, address: address, cluster: cluster)
            // As soon as it listens.
            while (try? await dialled.dial(as: "node-2").end()) == nil { try await Task.sleep(for: .milliseconds(5)) }
            let outcome: Result<Void, any Swift.Error>
            do { outcome = .success(try await body(dialled)) } catch { outcome = .failure(error) }
            running.cancel()
            try await running.value
            try outcome.get()
        }
    }

    func dial(as party: String) async throws -> Link { try await cluster.dial(3, as: party) }

    func request(of client: String, sequence: UInt64 = 1) throws -> Data {
        let wish = Request(sequence: sequence, prompt: Data([1]), tokens: 1, sampling: .greedy)
        return try roster.sign(wish, with: Keys(folder: cluster.folder.appendingPathComponent(client)))
    }
}
