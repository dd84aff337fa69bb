import ButterflyBindings
import Foundation

/// A cluster in virtual time: real nodes, keys and signatures, a network that
/// delays and loses. The same plan gives the same run.
public final class Simulation: Sendable {
    /// What comes out of a stage of a member: a pure function of all that went into it so far, from position 0.
    /// One that throws says nothing, and its fellows make up for it.
    public typealias Stages = @Sendable (_ member: UInt8, _ work: Work) throws -> Data

    private let inner: ButterflyBindings.Simulation
    /// The cluster's roster.
    public let roster: Roster

    /// A cluster that has just begun.
    public init(_ plan: Plan, stages: @escaping Stages) throws(ButterflyError) {
        let inner = try attempt { try ButterflyBindings.Simulation(plan: plan, stages: Closure(run: stages)) }
        self.inner = inner
        roster = try Roster(attempt { try inner.roster() })
    }

    /// The client hands in its next request. One must be finished before.
    public func submit(_ prompt: Data, tokens: UInt16, sampling: Sampling? = nil) throws(ButterflyError) {
        try attempt { try inner.submit(prompt: prompt, tokens: tokens, sampling: sampling) }
    }

    /// Lets time pass until the answer is complete at every member that is to
    /// be believed, or for so many milliseconds. Whether it is complete.
    @discardableResult
    public func run(for duration: Duration = .seconds(60)) throws(ButterflyError) -> Bool {
        try attempt { try inner.run(milliseconds: milliseconds(duration)) }
    }

    /// A member ends, in the middle of whatever it does.
    public func crash(_ member: UInt8) throws(ButterflyError) { try attempt { try inner.crash(member: member) } }

    /// A member that ended begins again, from what it was asked to persist.
    public func restart(_ member: UInt8) throws(ButterflyError) { try attempt { try inner.restart(member: member) } }

    /// What happened so far.
    public func report() throws(ButterflyError) -> Report { try attempt { try inner.report() } }
}

extension Plan {
    /// What is simulated: `members` that all vote, and of every 1000 messages `loss` are lost; others take a
    /// `delay` of so many microseconds. `liars` say wrong things about what they computed, `silent` members nothing.
    public init(
        members: UInt8, model: Model, seed: UInt64 = 0, loss: UInt16 = 0, delay: ClosedRange<UInt32> = 100...200,
        liars: Set<UInt8> = [], silent: Set<UInt8> = []
    ) {
        self.init(
            members: members, model: model, seed: seed, loss: loss, leastDelay: delay.lowerBound,
            mostDelay: delay.upperBound, liars: Data(liars.sorted()), silent: Data(silent.sorted()))
    }
}

/// A closure as the boundary wants it.
private final class Closure: StageFunctions {
    private let body: Simulation.Stages
    private let desks = Locked<[UInt8: Desk]>([:])

    init(run: @escaping Simulation.Stages) { body = run }

    func run(member: UInt8, work: Work) throws -> Data {
        let whole = desks.withLock { $0[member, default: Desk()].whole(work) }
        do {
            return try body(member, whole)
        } catch {
            throw ButterflyBindings.Error.Stage(reason: "\(error)")
        }
    }
}
