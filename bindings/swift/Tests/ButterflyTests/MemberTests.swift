@testable import Butterfly
import Foundation
import Testing

/// Single members whose host does not do as it should.
@Suite(.timeLimit(.minutes(2))) struct MemberTests {
    @Test func aMemberWhoseRecordCannotBeKeptSaysNothingMore() async throws {
        struct Full: Error {}
        let town = try Town(model: model)
        let silent = try town.member(3) { _ in throw Full() }
        let others = try (0..<3).map { try town.member(UInt8($0)) { _ in } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for member in others { group.addTask { try await member.run() } }
            // It votes in the first epoch, so it writes.
            group.addTask { await #expect(throws: Full.self) { try await silent.run() } }
            let request = try town.request("a", tokens: 8)
            town.all.forEach { $0.submit(request) }
            var epochs: Set<UInt64> = []
            for await event in others[0].events {
                if case .committed(let commit) = event { epochs.insert(commit.epoch) }
                if epochs.count == 2 { break }
            }
            group.cancelAll()
            try await group.waitForAll()
        }
        #expect(!town.kinds(of: 3).contains("vote"))
        #expect(town.kinds(of: 0).contains("vote"))
        // Whoever brought something was told what became of it, also when that was nothing.
        #expect(town.brought(to: 3) == town.judged(by: 3))
    }

    @Test func theLastRecordOfManyStepsIsKept() async throws {
        let town = try Town(model: model)
        let (goOn, kept) = (DispatchSemaphore(value: 0), Locked<(member: Member?, wrong: Int)>((nil, 0)))
        let slow = try town.member(3) { record in
            // The others go on meanwhile, and what they say comes all at once.
            await wait(for: goOn)
            goOn.signal()
            try kept.withLock { if try record != $0.member?.node.record() { $0.wrong += 1 } }
        }
        kept.withLock { $0.member = slow }
        let others = try (0..<3).map { try town.member(UInt8($0)) { _ in } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for member in others + [slow] { group.addTask { try await member.run() } }
            let request = try town.request("a", tokens: 24)
            town.all.forEach { $0.submit(request) }
            for (member, last) in [(others[0], 5), (slow, 6)] as [(Member, UInt64)] {
                for await case .committed(let commit) in member.events where commit.epoch >= last { break }
                goOn.signal()
            }
            group.cancelAll()
            try await group.waitForAll()
        }
        #expect(kept.withLock { $0.wrong } == 0)
        kept.withLock { $0.member = nil }
    }

    @Test func aStageThatThrowsIsSaid() async throws {
        struct Broken: Error {}
        let town = try Town(members: 1, model: model)
        let member = try town.member(0, stage: { _ in throw Broken() }) { _ in }
        let running = Task { try await member.run() }
        member.submit(try town.request("a", tokens: 1))
        var failed: (any Error)?
        for await case .stageFailed(_, _, let error) in member.events {
            failed = error
            break
        }
        #expect(failed is Broken)
        running.cancel()
        try await running.value
    }

    @Test func aStageIsCancelledWhenItsMemberEnds() async throws {
        let (begun, cancelled) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let town = try Town(members: 1, model: model)
        let member = try town.member(0, stage: { _ in
            begun.signal()
            defer { cancelled.signal() }
            try await Task.sleep(for: .seconds(3600))
            return Data()
        }) { _ in }
        let running = Task { try await member.run() }
        member.submit(try town.request("a", tokens: 1))
        await wait(for: begun)
        running.cancel()
        try await running.value
        await wait(for: cancelled)
        // It is nobody's fault.
        for await case .stageFailed in member.events { Issue.record("a stage that was cancelled has not failed") }
    }

    @Test func aMemberRunsOnce() async throws {
        let member = try Town(model: model).member(0) { _ in }
        let running = Task { try await member.run() }
        while try await member.status().doing == .initializing { await Task.yield() }
        await #expect(throws: ButterflyError(.busy, "a member runs once")) { try await member.run() }
        running.cancel()
        try await running.value
        await #expect(throws: ButterflyError(.busy, "a member runs once")) { try await member.run() }
        // What nobody takes any more is nobody's harm.
        member.receive(Data([1]))
        member.submit(Data([1]))
    }

    @Test func whatAStageSaysThatNoStageSaysIsMadeUpFor() async throws {
        for wrong in [Data(), Data(count: 65), Data(count: 1_000), Data([200])] {
            let cluster = try LocalCluster(model: model) { member, work in
                if member == 1 && (work.stage == 1 || wrong.count != 1) { return wrong }
                return try letters(member, work)
            }
            await cluster.start()
            let answer = try await cluster.submit(Data("a".utf8), tokens: 4)
            #expect(String(decoding: answer.tokens, as: UTF8.self) == "bcde")
            await cluster.stop()
        }
    }

    @Test func stagesAreGivenAllThatWentIn() async throws {
        // In whatever order works are run, since tasks are.
        let cluster = try LocalCluster(model: model) { _, work in
            #expect(work.first == 0 && work.inputs.count == Int(work.position) + 1)
            let sum = work.inputs.reduce(0) { ($0 + Int($1.first ?? 0)) % 128 }
            return Data([UInt8(sum)])
        }
        var text = Array("abc".utf8)
        for _ in 0..<8 {
            var signals = text.map { Int($0) }
            for _ in 0..<2 { signals = signals.indices.map { signals[...$0].reduce(0, +) % 128 } }
            text.append(UInt8(signals.last ?? 0))
        }
        await cluster.start()
        // Nothing of one request goes into the next.
        for _ in 0..<2 {
            let answer = try await cluster.submit(Data("abc".utf8), tokens: 8)
            #expect(answer.tokens == Data(text[3...]))
        }
        await cluster.stop()
    }
}

/// Members who hear each other, and what each of them said.
private final class Town: Network, @unchecked Sendable {
    private let lock = NSLock()
    private let keys: [Keys]
    private let client: Keys
    private let roster: Roster
    private var members: [UInt8: Member] = [:]
    private var said: [UInt8: Set<String>] = [:]
    private var messages: [UInt8: (brought: Int, judged: Int)] = [:]

    init(members: Int = 4, model: Model) throws {
        keys = try (0..<members).map { _ in try Keys.generate() }
        client = try Keys.generate()
        roster = try Roster(members: keys.map(\.publicKey), clients: [client.publicKey], model: model)
    }

    var all: [Member] { lock.withLock { Array(members.values) } }

    func member(
        _ number: UInt8, stage: Member.Stage? = nil, persist: @escaping Member.Persist
    ) throws -> Member {
        let member = try Member(
            roster: roster, keys: keys[Int(number)], record: roster.firstRecord(of: number), network: self,
            persist: persist, stage: stage ?? { try letters(number, $0) })
        lock.withLock { members[number] = member }
        return member
    }

    func request(_ text: String, tokens: UInt16) throws -> Data {
        try roster.sign(
            Request(sequence: 1, prompt: Data(text.utf8), tokens: tokens, sampling: .greedy), with: client)
    }

    func kinds(of member: UInt8) -> Set<String> { lock.withLock { said[member] ?? [] } }

    func brought(to member: UInt8) -> Int { lock.withLock { messages[member]?.brought ?? 0 } }

    func judged(by member: UInt8) -> Int { lock.withLock { messages[member]?.judged ?? 0 } }

    func send(_ message: Data, to member: UInt8) async {
        let facts = try? roster.verifyMessage(message)
        let receiver = lock.withLock {
            if let facts { said[facts.author, default: []].insert(facts.kind) }
            messages[member, default: (0, 0)].brought += 1
            return members[member]
        }
        receiver?.inbox.put(.receive(message: message)) { [self] _ in
            lock.withLock { messages[member, default: (0, 0)].judged += 1 }
        }
    }
}
