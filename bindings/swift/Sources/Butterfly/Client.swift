import ButterflyBindings
import Foundation

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
        keys = try Keys(identity: read(folder, "key"), exchange: read(folder, "exchange-key"))
        party = try Party(roster: roster, keys: keys, keyRecords: read(folder, "key-records"))
        guard let place = roster.facts.clients.firstIndex(of: keys.publicKey) else {
            throw ButterflyError(.keys, "the key in \(folder.path) is not that of a client of its roster")
        }
        number = try byte(place, "clients")
        nodes = try addresses(in: read(folder, "client.toml"))
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
            throw ButterflyError(.unanswered, "every node was lost before the answer was complete")
        }
    }

    private func standing(of node: Int) async throws -> Standing? {
        let link = try await Link.dial(nodes[node], member: UInt8(node), party: party)
        defer { link.end() }
        try link.send(encodeAsk(ask: .standing))
        for try await message in link.messages {
            if case .standing(let standing) = try decodeAnswer(bytes: message) { return standing }
        }
        return nil
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
        _ node: Int, _ request: Data?, ledger: Ledger, show: @Sendable (Data) -> Void
    ) async throws -> ProvenAnswer? {
        let link = try await Link.dial(nodes[node], member: UInt8(node), party: party)
        return try await withTaskCancellationHandler {
            defer { link.end() }
            try link.send(encodeAsk(ask: .follow(epoch: ledger.nextEpoch())))
            if let request { try link.send(encodeAsk(ask: .submit(request: request))) }
            for try await message in link.messages {
                guard case .told(let decided, let tokens) = try decodeAnswer(bytes: message) else { continue }
                let new = try ledger.add(decided: decided, tokens: tokens)
                if !new.isEmpty { show(new) }
                if try ledger.isComplete(), let proof = try ledger.proof() {
                    return ProvenAnswer(tokens: try ledger.tokens(), proof: proof)
                }
            }
            return nil
        } onCancel: {
            link.end()
        }
    }
}

private func read(_ folder: URL, _ name: String) throws(ButterflyError) -> Data {
    do {
        return try Data(contentsOf: folder.appendingPathComponent(name))
    } catch {
        throw ButterflyError(.system, "cannot read \(name) in \(folder.path): \(error.localizedDescription)")
    }
}

/// What `nodes = ["HOST:PORT", ...]` says; the file is `butterfly`'s own.
private func addresses(in file: Data) throws(ButterflyError) -> [String] {
    let text = String(decoding: file, as: UTF8.self)
    let lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }.joined()
    guard let list = lines.range(of: #"nodes\s*=\s*\[[^\]]*\]"#, options: .regularExpression) else {
        throw ButterflyError(.malformed, "client.toml names no nodes")
    }
    return lines[list].split(separator: "\"").enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) }
}
