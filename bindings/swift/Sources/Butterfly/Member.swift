import Foundation

/// Carries messages between members. Loss, repetition and reordering are survived.
public protocol Network: Sendable {
    /// Sends a message to a member, or drops it.
    func send(_ message: Data, to member: UInt8) async
}

/// What a member has to say beside its messages.
public enum MemberEvent: Sendable {
    /// An epoch is decided.
    case committed(Commit)
    /// Somebody is proven faulty: ``Roster/verifyEvidence(_:)``.
    case blamed(accused: UInt8, fault: Fault, evidence: Data)
    /// The member left for a later view.
    case enteredView(epoch: UInt64, view: UInt32)
    /// Too few voters are heard of for a decision.
    case blocked(silent: Data, learners: Data)
    /// That is over.
    case resumed
    /// A stage threw; the member said nothing, and its fellows make up for it.
    case stageFailed(stage: UInt8, position: UInt16, error: any Error)
}

/// A node with its host: timers, stages that are Swift functions, a network.
///
/// It runs while somebody awaits ``run()``, and ends when that task is
/// cancelled, or its record cannot be kept.
public actor Member {
    /// What comes out of a stage.
    public typealias Stage = @Sendable (Work) async throws -> Data
    /// Makes a record durable before it returns.
    public typealias Persist = @Sendable (Data) async throws -> Void

    /// What it says. One task may listen.
    public nonisolated let events: AsyncStream<MemberEvent>

    private let node: Node
    private let network: any Network
    private let stage: Stage
    private let persist: Persist
    private let isLiar: Bool
    private let inbox: AsyncStream<Input>
    private nonisolated let inbound: AsyncStream<Input>.Continuation
    private let outbound: AsyncStream<MemberEvent>.Continuation
    private var timers: [Timer: Task<Void, Never>] = [:]
    private var works: [UInt64: Task<Void, Never>] = [:]

    /// A member that has not begun. `isLiar` makes it say wrong things about
    /// what it computed: for tests and teaching.
    public init(
        roster: Roster,
        keys: Keys,
        record: Data?,
        network: any Network,
        isLiar: Bool = false,
        persist: @escaping Persist,
        stage: @escaping Stage
    ) throws(ButterflyError) {
        node = try Node(roster: roster, keys: keys, record: record)
        self.network = network
        self.stage = stage
        self.persist = persist
        self.isLiar = isLiar
        // Messages may be lost, so the oldest go when there are too many.
        (inbox, inbound) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(4096))
        (events, outbound) = AsyncStream.makeStream()
    }

    /// A message arrived, from whomever.
    public nonisolated func receive(_ message: Data) {
        inbound.yield(.receive(message: message))
    }

    /// A client handed its signed request in: ``Roster/sign(_:with:)``.
    public nonisolated func submit(_ request: Data) {
        inbound.yield(.submit(request: request))
    }

    /// Where it is.
    public func status() throws(ButterflyError) -> Status { try node.status() }

    /// Runs it, until the task is cancelled.
    public func run() async throws {
        defer { end() }
        var random = SystemRandomNumberGenerator()
        let nonce = Nonce((0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) })
        try await perform(node.step(.start(nonce: nonce)))
        for await input in inbox {
            if case .computed(let ticket, _) = input { works[ticket] = nil }
            try await perform(node.step(input))
        }
    }

    private func end() {
        timers.values.forEach { $0.cancel() }
        works.values.forEach { $0.cancel() }
        inbound.finish()
        outbound.finish()
    }

    /// In their order: nothing behind a record before it is durable.
    private func perform(_ step: Step) async throws {
        for output in step.outputs {
            switch output {
            case .persist(let record): try await persist(record)
            case .send(let members, let message, _):
                let said = isLiar ? try node.falsified(message) : message
                for member in members { await network.send(said, to: member) }
            case .setTimer(let timer, let after): set(timer, after)
            case .compute(let work): compute(work)
            case .commit(let commit): outbound.yield(.committed(commit))
            case .evidence(let accused, let fault, let evidence):
                outbound.yield(.blamed(accused: accused, fault: fault, evidence: evidence))
            case .blocked(let silent, let learners): outbound.yield(.blocked(silent: silent, learners: learners))
            case .resumed: outbound.yield(.resumed)
            case .enterView(let epoch, let view): outbound.yield(.enteredView(epoch: epoch, view: view))
            }
        }
    }

    private func set(_ timer: Timer, _ after: UInt32) {
        timers[timer]?.cancel()
        timers[timer] = Task { [inbound] in
            guard (try? await Task.sleep(for: .milliseconds(Int(after)))) != nil else { return }
            inbound.yield(.timer(timer: timer))
        }
    }

    private func compute(_ work: Work) {
        works[work.ticket] = Task { [inbound, outbound, stage] in
            do {
                let output = try await stage(work)
                inbound.yield(.computed(ticket: work.ticket, output: output))
            } catch is CancellationError {
                // The member ends.
            } catch {
                outbound.yield(.stageFailed(stage: work.stage, position: work.position, error: error))
            }
        }
    }
}
