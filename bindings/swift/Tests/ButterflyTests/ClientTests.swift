import Butterfly
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
