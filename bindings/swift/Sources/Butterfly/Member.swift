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
    /// What comes out of a stage: a pure function of all that went into it so far, from position 0 to that of the
    /// work. All members must find the same, to the last bit.
    public typealias Stage = @Sendable (Work) async throws -> Data
    /// Makes a record durable before it returns.
    public typealias Persist = @Sendable (Data) async throws -> Void

    /// What it says, the newest 1024 that nobody heard. One task may listen.
    public nonisolated let events: AsyncStream<MemberEvent>

    nonisolated let node: Node
    nonisolated let inbox = Inbox()
    private let network: any Network
    private let stage: Stage
    private let persist: Persist
    private let isLiar: Bool
    private let said: AsyncStream<MemberEvent>.Continuation
    private var desk = Desk()
    private var hasRun = false
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
        (events, said) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1024))
    }

    /// A message arrived, from whomever. It is lost when too much waits.
    public nonisolated func receive(_ message: Data) { inbox.offer(.receive(message: message)) }

    /// A client handed its signed request in: ``Roster/sign(_:with:)``. It is lost when too much waits.
    public nonisolated func submit(_ request: Data) { inbox.offer(.submit(request: request)) }

    /// Where it is.
    public func status() throws(ButterflyError) -> Status { try node.status() }

    /// Runs it, once, until the task is cancelled. An error if its record cannot be kept: it says nothing more then.
    public func run() async throws {
        guard !hasRun else { throw ButterflyError(.busy, "a member runs once") }
        hasRun = true
        defer { end() }
        var random = SystemRandomNumberGenerator()
        inbox.put(.start(nonce: Nonce((0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) })))
        while case let entries = await inbox.take(), !entries.isEmpty {
            do {
                let steps = try entries.map { entry in try node.step(entry.input) }
                try await perform(steps.flatMap(\.outputs))
                for (entry, step) in zip(entries, steps) { entry.judge?(step.refusal) }
            } catch {
                entries.forEach { $0.judge?(.full) }
                throw error
            }
        }
    }

    private func end() {
        timers.values.forEach { $0.cancel() }
        works.values.forEach { $0.cancel() }
        inbox.end()
        said.finish()
    }

    /// The last record covers all that was signed in the steps before it: one
    /// write makes every output durable that stands behind any of them.
    private func perform(_ outputs: [Output]) async throws {
        let records = outputs.compactMap { if case .persist(let record) = $0 { record } else { nil } }
        if let last = records.last { try await persist(last) }
        for output in outputs { try await perform(output) }
    }

    private func perform(_ output: Output) async throws {
        switch output {
        case .persist: break
        case .send(let members, let message, _):
            let sent = isLiar ? try node.falsified(message) : message
            for member in members { await network.send(sent, to: member) }
        case .setTimer(let timer, let after): set(timer, after)
        case .compute(let work): compute(desk.whole(work))
        case .commit(let commit): said.yield(.committed(commit))
        case .evidence(let accused, let fault, let evidence):
            said.yield(.blamed(accused: accused, fault: fault, evidence: evidence))
        case .blocked(let silent, let learners): said.yield(.blocked(silent: silent, learners: learners))
        case .resumed: said.yield(.resumed)
        case .enterView(let epoch, let view): said.yield(.enteredView(epoch: epoch, view: view))
        }
    }

    private func set(_ timer: Timer, _ after: UInt32) {
        timers[timer]?.cancel()
        timers[timer] = Task {
            // Set again or ended meanwhile: then it is another's turn.
            guard (try? await Task.sleep(for: .milliseconds(Int(after)))) != nil, !Task.isCancelled else { return }
            timers[timer] = nil
            inbox.put(.timer(timer: timer))
        }
    }

    private func compute(_ work: Work) {
        works[work.ticket] = Task {
            defer { works[work.ticket] = nil }
            do {
                let output = try await stage(work)
                inbox.put(.computed(ticket: work.ticket, output: output))
            } catch {
                // Nobody is told when it was cancelled, since the member ends.
                said.yield(.stageFailed(stage: work.stage, position: work.position, error: error))
            }
        }
    }
}
