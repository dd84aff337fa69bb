import ButterflyBindings
import Foundation

/// A node that does not answer for so long is taken to be away.
private let answerTime = Duration.seconds(5)

/// A client of a running cluster, as `butterfly init` made its folder. It
/// believes no node: every decision is checked.
public final class Client: Sendable {
    /// The cluster.
    public let roster: Roster

    private let keys: Keys
    private let party: Party
    private let number: UInt8
    private let nodes: [String]

    /// Reads the folder of a client.
    public init(folder: URL) throws(ButterflyError) {
        roster = try Roster(decoding: read(folder, "roster"))
        keys = try Keys(folder: folder)
        party = try Party(roster: roster, keys: keys, keyRecords: read(folder, "key-records"))
        guard let place = roster.facts.clients.firstIndex(of: keys.publicKey) else {
            throw ButterflyError(.keys, "the key in \(folder.path) is not that of a client of its roster")
        }
        number = try byte(place, "clients")
        nodes = try Settings(read(folder, "client.toml")).texts("nodes")
        guard nodes.count == roster.facts.members.count else {
            throw ButterflyError(.roster, "client.toml names \(nodes.count) nodes; the roster has "
                + "\(roster.facts.members.count)")
        }
    }

    /// How each node says that it stands; `nil` if it does not answer.
    public func standings() async -> [Standing?] {
        await withTaskGroup(of: (Int, Standing?).self) { group in
            for node in nodes.indices { group.addTask { (node, try? await self.standing(of: node)) } }
            return await group.reduce(into: Array(repeating: nil, count: nodes.count)) { $0[$1.0] = $1.1 }
        }
    }

    /// Hands a request in and waits for all of its answer; `show` is given
    /// tokens as they are committed. It goes to f + 1 nodes, and all voters are followed.
    public func submit(
        _ prompt: Data,
        tokens: UInt16,
        sampling: Sampling = .greedy,
        patience: Duration = .seconds(60),
        show: @escaping @Sendable (Data) -> Void = { _ in }
    ) async throws -> ProvenAnswer {
        let answered = await standings()
        let base = try newest(of: answered)
        let wish = Request(
            sequence: try roster.nextSequence(of: number, after: base), prompt: prompt, tokens: tokens,
            sampling: sampling)
        let request = try roster.sign(wish, with: keys)
        let ledger = try Ledger(roster: roster, request: request, base: base)
        return try await withThrowingTaskGroup(of: ProvenAnswer?.self) { group in
            var asked = 0
            for node in 0..<Int(roster.facts.voters) {
                let isAsked = asked <= Int(roster.facts.faults) && answered[node] != nil
                asked += isAsked ? 1 : 0
                // One that is lost is made up for by the others.
                group.addTask {
                    try? await self.follow(node, isAsked ? request : nil, ledger: ledger, show: show)
                }
            }
            group.addTask {
                try await Task.sleep(for: patience)
                throw ButterflyError(.unanswered, "the answer was not complete within \(patience)")
            }
            defer { group.cancelAll() }
            var lost = 0
            for try await answer in group {
                if let answer { return answer }
                lost += 1
                guard lost < Int(roster.facts.voters) else { break }
            }
            try Task.checkCancellation()
            throw ButterflyError(.unanswered, "every node was lost before the answer was complete")
        }
    }

    private func standing(of node: Int) async throws -> Standing? {
        try await onThread { [self] stop in
            let link = try dial(node, until: stop)
            defer { link.end() }
            try link.send([encodeAsk(ask: .standing)])
            guard let message = try link.receive(until: .now + answerTime),
                case .standing(let standing) = try decodeAnswer(bytes: message)
            else { return nil }
            return standing
        }
    }

    private func dial(_ node: Int, until stop: Stop) throws -> Link {
        try Link.dial(UInt8(node), at: nodes[node], as: party, until: stop)
    }

    /// The latest decision that anybody proves.
    private func newest(of answered: [Standing?]) throws -> Data? {
        let needed = Int(roster.facts.faults) + 1
        let count = answered.compactMap { $0 }.count
        guard count >= needed else {
            throw ButterflyError(.unanswered, "\(count) of \(nodes.count) nodes answer, and \(needed) are needed")
        }
        let proven = answered.compactMap { $0?.decided }.compactMap { decided in
            (try? roster.verifyDecision(decided)).map { (epoch: $0, decided: decided) }
        }
        return proven.max { $0.epoch < $1.epoch }?.decided
    }

    /// The answer, if this node is the one that completes it.
    private func follow(
        _ node: Int, _ request: Data?, ledger: Ledger, show: @escaping @Sendable (Data) -> Void
    ) async throws -> ProvenAnswer? {
        try await onThread { [self] stop in
            let link = try dial(node, until: stop)
            defer { link.end() }
            try link.send([encodeAsk(ask: .follow(epoch: ledger.nextEpoch()))])
            if let request { try link.send([encodeAsk(ask: .submit(request: request))]) }
            while let message = try link.receive() {
                guard case .told(let decided, let tokens) = try decodeAnswer(bytes: message) else { continue }
                let new = try ledger.add(decided: decided, tokens: tokens)
                if !new.isEmpty { show(new) }
                if try ledger.isComplete(), let proof = try ledger.proof() {
                    return ProvenAnswer(tokens: try ledger.tokens(), proof: proof)
                }
            }
            return nil
        }
    }
}
