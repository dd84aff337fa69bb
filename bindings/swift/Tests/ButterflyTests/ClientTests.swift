@testable import Butterfly
import func ButterflyBindings.decodeAsk
import func ButterflyBindings.encodeAnswer
import Foundation
import Testing

/// A client in Swift, of a cluster of `butterfly` nodes that are processes.
@Suite(.timeLimit(.minutes(2))) struct ClientTests {
    @Test func aRunningClusterAnswersAndTheAnswerIsProven() async throws {
        try await Cluster.with(nodes: 0, 1, 2, 3) { cluster in
            let client = try cluster.client()
            try await client.waits(for: 4)
            let shown = Shown()
            let answer = try await client.submit(
                Transformer.tokens(of: prompt), tokens: 40, sampling: sampling
            ) { shown.add($0) }
            #expect(try await cluster.reference(40) == Transformer.text(of: answer.tokens))
            #expect(shown.tokens == answer.tokens)
            #expect(try client.roster.verifyProof(answer.proof).tokens == answer.tokens)
            // What it writes, the program verifies.
            let file = cluster.folder.appendingPathComponent("proof")
            try ProofDocument.file(of: answer.proof, in: client.roster).write(to: file)
            _ = try await cluster.run(["verify", file.path])
        }
    }

    @Test func whoWaitsForTooFewNodesCanGiveUp() async throws {
        try await Cluster.with(nodes: 0, 1) { cluster in
            let client = try cluster.client()
            try await client.waits(for: 2)
            let words = try Transformer.tokens(of: prompt)
            let cancelled = Task { try await client.submit(words, tokens: 8) }
            while await client.standings().compactMap({ $0 }).allSatisfy({ !$0.working }) {
                try await Task.sleep(for: .milliseconds(5))
            }
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            let late = await refusal { try await client.submit(words, tokens: 8, patience: .milliseconds(100)) }
            #expect(late?.kind == .unanswered)
            try await cluster.kill(1)
            let few = await refusal { try await client.submit(words, tokens: 8) }
            #expect(few?.reason == "1 of 4 nodes answer, and 2 are needed")
        }
    }

    @Test func aNodeThatLiesIsNotBelieved() async throws {
        let simulation = try Simulation(Plan(members: 4, model: model)) { try letters($0, $1) }
        try simulation.submit(Data("a".utf8), tokens: 8)
        try simulation.run()
        // Genuine, but of another cluster.
        let lie = try #require(simulation.report().decisions.last?.commit)
        let standing = Standing(
            epoch: lie.epoch + 1, view: 0, role: .replica, working: false, blockedBy: Data(), decided: lie.decided)
        try await Cluster.with(nodes: 0, 1, 2) { cluster in
            let liar = try Impostor(3, of: cluster) { ask in
                switch ask {
                case .standing: .standing(standing: standing)
                case .submit: .taken
                case .follow: .told(decided: lie.decided, tokens: lie.tokens)
                case .evidence: .evidence(evidence: nil)
                }
            }
            let client = try cluster.client()
            try await client.waits(for: 4)
            #expect(try await client.ask(8).text == cluster.reference(8))
            await liar.end()
            // One that is there and says nothing does no harm either.
            let silent = try Impostor(3, of: cluster) { _ in nil }
            #expect(await client.standings().map { $0 == nil } == [false, false, false, true])
            await silent.end()
        }
    }

    @Test func whoIsLeftByAllIsToldSo() async throws {
        struct Leaves: Error {}
        try await Cluster.with { cluster in
            let standing = Standing(
                epoch: 1, view: 0, role: .replica, working: false, blockedBy: Data(), decided: nil)
            let nodes = try (0..<2).map { number in
                try Impostor(number, of: cluster) { ask in
                    guard case .standing = ask else { throw Leaves() }
                    return .standing(standing: standing)
                }
            }
            let client = try cluster.client()
            let words = try Transformer.tokens(of: prompt)
            let left = await refusal { try await client.submit(words, tokens: 8, patience: .seconds(100)) }
            #expect(left?.reason == "every node was lost before the answer was complete")
            for node in nodes { await node.end() }
        }
    }

    @Test func aFolderThatDoesNotFitIsRefused() async throws {
        try await Cluster.with { cluster in
            let folder = cluster.folder.appendingPathComponent("client-0")
            let settings = folder.appendingPathComponent("client.toml")
            let kept = try Data(contentsOf: settings)
            try Data("nodes = [\"127.0.0.1:1\"]".utf8).write(to: settings)
            #expect(refusal { try cluster.client() }?.kind == .roster)
            try kept.write(to: settings)
            _ = try cluster.client()
            for secret in ["key", "exchange-key"] {
                let member = cluster.node(0).appendingPathComponent(secret)
                try Data(contentsOf: member).write(to: folder.appendingPathComponent(secret))
            }
            #expect(refusal { try cluster.client() }?.kind == .keys)
        }
    }

    @Test func aFolderThatIsNoneIsNamed() {
        let error = refusal { try Client(folder: URL(fileURLWithPath: "/nowhere")) }
        #expect(error?.kind == .system && error?.reason.contains("/nowhere") == true)
    }
}

private final class Shown: @unchecked Sendable {
    private let lock = NSLock()
    private var shown = Data()

    func add(_ tokens: Data) { lock.withLock { shown += tokens } }
    var tokens: Data { lock.withLock { shown } }
}

/// Somebody who listens in a node's place, with its keys.
private final class Impostor: Sendable {
    /// What it answers; nothing: it is silent. An error ends the session.
    typealias Answers = @Sendable (Ask) throws -> Answer?

    private let stop: Stop
    private let threads = Threads()

    init(_ number: Int, of cluster: Cluster, answers: @escaping Answers) throws {
        let own = cluster.node(number)
        let roster = try Roster(decoding: read(own, "roster"))
        let party = try Party(roster: roster, keys: Keys(folder: own), keyRecords: read(own, "key-records"))
        let address = try Settings(read(own, "node.toml")).texts("peers")[number]
        stop = try Stop()
        let listener = try Listener(at: address, until: stop)
        threads.start { [threads] in
            while let socket = try? listener.accept() {
                threads.start { try? Self.attend(socket, as: party, answers) }
            }
        }
    }

    /// When this returns, another may listen there.
    func end() async {
        stop.pull()
        await threads.ended()
    }

    private static func attend(_ socket: Socket, as party: Party, _ answers: Answers) throws {
        let (link, peer) = try Link.accept(socket, as: party)
        defer { link.cut() }
        while let message = try link.receive() {
            // Fellows are not listened to.
            guard case .client = peer, let answer = try answers(decodeAsk(bytes: message)) else { continue }
            try link.send([encodeAnswer(answer: answer)])
        }
    }
}
