import enum ButterflyBindings.Sampling
import Foundation

/// The answer to a request, with what proves it.
public struct ProvenAnswer: Sendable, Equatable {
    /// The tokens that were added.
    public let tokens: Data
    /// ``Roster/verifyProof(_:)``, or ``ProofDocument/file(of:in:)`` for a file.
    public let proof: Data
}

/// A whole cluster in one process, for tests and teaching: members with keys,
/// signatures and stages that are Swift functions.
public actor LocalCluster {
    /// The cluster's roster.
    public nonisolated let roster: Roster
    /// Who was proven faulty, with the proof.
    public private(set) var blamed: [UInt8: (fault: Fault, evidence: Data)] = [:]

    private let client: Keys
    private let members: [Member]
    private var running: [Task<Void, any Error>] = []
    private var listening: [Task<Void, Never>] = []
    private var isOver = false
    private var sequence: UInt64 = 0
    /// The newest decision of any member.
    private var last: (epoch: UInt64, decided: Data)?
    private var asked: (ledger: Ledger, answer: CheckedContinuation<ProvenAnswer, any Error>)?

    /// A cluster that has not begun; each stage of each member is run by `stage`, a pure function: ``Member/Stage``.
    public init(
        members count: Int = 4,
        model: Model,
        liars: Set<UInt8> = [],
        viewTimeout: Duration = .seconds(2),
        stage: @escaping @Sendable (_ member: UInt8, _ work: Work) async throws -> Data
    ) throws(ButterflyError) {
        var keys: [Keys] = []
        for _ in 0..<count { keys.append(try Keys.generate()) }
        client = try Keys.generate()
        roster = try Roster(
            members: keys.map(\.publicKey), clients: [client.publicKey], model: model, viewTimeout: viewTimeout)
        let switchboard = Switchboard()
        var members: [Member] = []
        for (number, keys) in zip(UInt8(0)..., keys) {
            members.append(try Member(
                roster: roster, keys: keys, record: roster.firstRecord(of: number), network: switchboard,
                isLiar: liars.contains(number), persist: { _ in }, stage: { try await stage(number, $0) }))
        }
        self.members = members
        switchboard.connect(members)
    }

    deinit {
        running.forEach { $0.cancel() }
        listening.forEach { $0.cancel() }
    }

    /// Whether a request is under way.
    public var isWorking: Bool { asked != nil }

    /// Begins. Nothing happens when it runs already, or was stopped: a cluster runs once.
    public func start() {
        guard running.isEmpty, !isOver else { return }
        for member in members {
            running.append(Task { try await member.run() })
            listening.append(Task { [weak self] in
                for await event in member.events { await self?.hear(event) }
            })
        }
    }

    /// Ends every member. Whoever waits for an answer is told so.
    public func stop() {
        running.forEach { $0.cancel() }
        listening.forEach { $0.cancel() }
        (running, listening, isOver) = ([], [], true)
        asked?.answer.resume(throwing: ButterflyError(.unanswered, "the cluster was stopped"))
        asked = nil
    }

    /// Hands a request to every member and waits for all of the answer. One at
    /// a time. A task that is cancelled waits no longer; the cluster goes on with
    /// the request, and finishes it before the next.
    public func submit(
        _ prompt: Data, tokens: UInt16, sampling: Sampling = .greedy
    ) async throws -> ProvenAnswer {
        guard asked == nil else { throw ButterflyError(.busy, "another request is under way") }
        guard !isOver else { throw ButterflyError(.unanswered, "the cluster was stopped") }
        guard !running.isEmpty else { throw ButterflyError(.unanswered, "the cluster does not run: start it") }
        let wish = Request(sequence: sequence + 1, prompt: prompt, tokens: tokens, sampling: sampling)
        let request = try roster.sign(wish, with: client)
        sequence += 1
        let own = sequence
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { answer in
                do {
                    // From here on it is shown every decision.
                    asked = (try Ledger(roster: roster, request: request, base: last?.decided), answer)
                } catch {
                    return answer.resume(throwing: error)
                }
                members.forEach { $0.submit(request) }
            }
        } onCancel: {
            Task { await self.giveUp(own) }
        }
    }

    func giveUp(_ request: UInt64) {
        guard request == sequence else { return }
        asked?.answer.resume(throwing: CancellationError())
        asked = nil
    }

    func hear(_ event: MemberEvent) {
        switch event {
        case .committed(let commit): add(commit)
        case .blamed(let accused, let fault, let evidence):
            // Whoever says so, it must be proven.
            if blamed[accused] == nil, (try? roster.verifyEvidence(evidence)) != nil {
                blamed[accused] = (fault, evidence)
            }
        default: break
        }
    }

    private func add(_ commit: Commit) {
        // One that was caught up with may come without its certificate.
        if commit.epoch > last?.epoch ?? 0, !commit.decided.isEmpty { last = (commit.epoch, commit.decided) }
        guard let (ledger, answer) = asked else { return }
        do {
            _ = try ledger.add(decided: commit.decided, tokens: commit.tokens)
            guard try ledger.isComplete(), let proof = try ledger.proof() else { return }
            asked = nil
            answer.resume(returning: ProvenAnswer(tokens: try ledger.tokens(), proof: proof))
        } catch {
            // What a liar tells is not believed; another tells the truth.
        }
    }
}

/// Hands messages from member to member.
private final class Switchboard: Network, @unchecked Sendable {
    /// Members have the switchboard, and not the other way round: nobody would be freed.
    private struct Line {
        weak var member: Member?
    }

    /// Written once, before any member runs.
    private var lines: [Line] = []

    func connect(_ members: [Member]) { lines = members.map { Line(member: $0) } }

    func send(_ message: Data, to member: UInt8) async {
        if lines.indices.contains(Int(member)) { lines[Int(member)].member?.receive(message) }
    }
}
