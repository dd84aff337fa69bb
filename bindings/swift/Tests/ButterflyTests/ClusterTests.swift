@testable import Butterfly
import Foundation
import Testing

/// Two stages: one passes on what came, one says the next letter.
func letters(_ member: UInt8, _ work: Work) throws -> Data {
    let input = work.inputs.last ?? Data()
    return work.stage == 0 ? input : Data([(input.first ?? 0) &+ 1])
}

let model = Model(
    manifest: Data(repeating: 7, count: 32), layers: 2, stages: 2, vocabulary: 128, context: 64, signal: 64,
    tokensPerEpoch: 4)

@Suite(.timeLimit(.minutes(2))) struct ClusterTests {
    @Test func fourMembersAgreeAndTheLiarIsBlamed() async throws {
        let cluster = try LocalCluster(model: model, liars: [2]) { try letters($0, $1) }
        await cluster.start()
        let answer = try await cluster.submit(Data("a".utf8), tokens: 12)
        #expect(String(decoding: answer.tokens, as: UTF8.self) == "bcdefghijklm")
        let proven = try cluster.roster.verifyProof(answer.proof)
        #expect(proven.tokens == answer.tokens && proven.prompt == Data("a".utf8) && proven.sequence == 1)
        let second = try await cluster.submit(Data("m".utf8), tokens: 4)
        #expect(String(decoding: second.tokens, as: UTF8.self) == "nopq")
        #expect(try cluster.roster.verifyProof(second.proof).firstEpoch > proven.lastEpoch)
        let blamed = await cluster.blamed
        #expect(Array(blamed.keys) == [2])
        #expect(try cluster.roster.verifyEvidence(blamed[2]!.evidence).accused == 2)
        await cluster.stop()
        // A file of it says which cluster it is about.
        let document = try ProofDocument(ProofDocument.file(of: answer.proof, in: cluster.roster))
        #expect(document.roster == cluster.roster)
        for place in stride(from: 0, to: answer.proof.count, by: 7) {
            var altered = answer.proof
            altered[place] ^= 1
            #expect(throws: ButterflyError.self) { try cluster.roster.verifyProof(altered) }
        }
        let other = try LocalCluster(model: model) { try letters($0, $1) }
        let error = refusal { try other.roster.verifyProof(answer.proof) }
        #expect(error?.kind == .unproven)
    }

    @Test func aStageThatThrowsIsMadeUpFor() async throws {
        struct Broken: Error {}
        let cluster = try LocalCluster(model: model) { member, work in
            if member == 1 { throw Broken() }
            return try letters(member, work)
        }
        await cluster.start()
        let answer = try await cluster.submit(Data("a".utf8), tokens: 8)
        #expect(String(decoding: answer.tokens, as: UTF8.self) == "bcdefghi")
        #expect(await cluster.blamed.isEmpty)
        await cluster.stop()
    }

    @Test func whoWaitsIsToldWhenItIsOver() async throws {
        let cluster = try LocalCluster(model: model) { _, _ in
            // Until it is cancelled.
            try await Task.sleep(for: .seconds(3600))
            return Data([0])
        }
        await #expect(throws: ButterflyError(.unanswered, "the cluster does not run: start it")) {
            try await cluster.submit(Data("a".utf8), tokens: 1)
        }
        await cluster.start()
        let cancelled = Task { try await cluster.submit(Data("a".utf8), tokens: 1) }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        let stopped = Task { try await cluster.submit(Data("a".utf8), tokens: 1) }
        while await !cluster.isWorking { try await Task.sleep(for: .milliseconds(1)) }
        await cluster.stop()
        await #expect(throws: ButterflyError(.unanswered, "the cluster was stopped")) { try await stopped.value }
        // It stays so.
        await cluster.start()
        await #expect(throws: ButterflyError(.unanswered, "the cluster was stopped")) {
            try await cluster.submit(Data("a".utf8), tokens: 1)
        }
    }

    @Test func aRequestThatWasCancelledIsFinishedBeforeTheNext() async throws {
        let later = DispatchSemaphore(value: 0)
        let cluster = try LocalCluster(model: model) { member, work in
            // In the third epoch: the first is decided.
            if work.position == 8 { later.signal() }
            return try letters(member, work)
        }
        await cluster.start()
        let first = Task { try await cluster.submit(Data("a".utf8), tokens: 24) }
        await wait(for: later)
        await #expect(throws: ButterflyError(.busy, "another request is under way")) {
            try await cluster.submit(Data("m".utf8), tokens: 4)
        }
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        let second = try await cluster.submit(Data("m".utf8), tokens: 4)
        #expect(String(decoding: second.tokens, as: UTF8.self) == "nopq")
        #expect(try cluster.roster.verifyProof(second.proof).firstEpoch == 7)
        await cluster.stop()
    }

    @Test func aDecisionWithoutItsCertificateIsNoBase() async throws {
        let cluster = try LocalCluster(model: model) { try letters($0, $1) }
        await cluster.start()
        // As of a member that caught up.
        await cluster.hear(.committed(Commit(
            epoch: 100, view: 0, path: .fast, tokens: Data(), notice: nil, decided: Data())))
        #expect(try await cluster.submit(Data("a".utf8), tokens: 1).tokens == Data("b".utf8))
        await cluster.stop()
    }

    @Test func aClusterThatNobodyHasIsFreed() async throws {
        final class Kept: Sendable {}
        for use in [{ _ in }, { await $0.stop(); await $0.start() }, { await $0.start() }] as [(LocalCluster) async -> Void] {
            weak var kept: Kept?
            func make() throws -> LocalCluster {
                let own = Kept()
                kept = own
                return try LocalCluster(model: model) { [own] member, work in
                    withExtendedLifetime(own) {}
                    return try letters(member, work)
                }
            }
            await use(try make())
            // Its members end at the next that comes to them.
            while kept != nil { try await Task.sleep(for: .milliseconds(1)) }
        }
    }

    @Test func whatIsOverIsNotGivenUpForWhatIsNot() async throws {
        let (begun, goOn) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let cluster = try LocalCluster(model: model) { member, work in
            if work.stage == 0 && work.inputs == [Data("m".utf8)] {
                begun.signal()
                await wait(for: goOn)
                goOn.signal()
            }
            return try letters(member, work)
        }
        await cluster.start()
        _ = try await cluster.submit(Data("a".utf8), tokens: 1)
        async let answer = cluster.submit(Data("m".utf8), tokens: 1)
        await wait(for: begun)
        // It was answered before its task could be cancelled.
        await cluster.giveUp(1)
        #expect(await cluster.isWorking)
        goOn.signal()
        #expect(try await answer.tokens == Data("n".utf8))
        await cluster.stop()
    }

    @Test func nobodyIsBlamedForWhatIsNotProven() async throws {
        let cluster = try LocalCluster(model: model) { try letters($0, $1) }
        await cluster.hear(.blamed(accused: 1, fault: .attestation, evidence: Data([1])))
        #expect(await cluster.blamed.isEmpty)
    }

    @Test func aRequestThatDoesNotFitIsRefused() async throws {
        let cluster = try LocalCluster(model: model) { try letters($0, $1) }
        await cluster.start()
        for (prompt, tokens) in [(Data(), 1), (Data("a".utf8), 0), (Data(count: 60), 10), (Data([200]), 1)] {
            let error = await refusal {
                try await cluster.submit(prompt, tokens: UInt16(tokens))
            }
            #expect(error?.kind == .malformed)
        }
        #expect(try await cluster.submit(Data("a".utf8), tokens: 1).tokens == Data("b".utf8))
        await cluster.stop()
    }
}

@Suite struct SimulationTests {
    @Test func theSamePlanGivesTheSameRun() throws {
        func run(_ seed: UInt64) throws -> Report {
            let plan = Plan(members: 4, model: model, seed: seed, loss: 100, liars: [3])
            let simulation = try Simulation(plan) { try letters($0, $1) }
            try simulation.submit(Data("a".utf8), tokens: 8)
            #expect(try simulation.run())
            let report = try simulation.report()
            #expect(String(decoding: report.tokens, as: UTF8.self) == "bcdefghi")
            #expect(report.blamed.allSatisfy { $0.accused == 3 })
            #expect(try simulation.roster.verifyProof(#require(report.proof)).tokens == report.tokens)
            return report
        }
        #expect(try run(1).sent == run(1).sent)
        #expect(try run(1).sent != run(2).sent)
    }

    @Test func aMemberComesBackFromItsRecord() throws {
        let simulation = try Simulation(Plan(members: 4, model: model)) { try letters($0, $1) }
        try simulation.submit(Data("a".utf8), tokens: 8)
        try simulation.crash(1)
        #expect(try simulation.run())
        try simulation.restart(1)
        try simulation.submit(Data("b".utf8), tokens: 4)
        #expect(try simulation.run())
        #expect(try simulation.report().decisions.contains { $0.member == 1 && $0.commit.epoch > 2 })
    }

    @Test func aStageThatThrowsIsReported() throws {
        struct Broken: Error {}
        let simulation = try Simulation(Plan(members: 4, model: model)) { member, work in
            if member == 2 { throw Broken() }
            return try letters(member, work)
        }
        try simulation.submit(Data("a".utf8), tokens: 8)
        #expect(try simulation.run())
        let report = try simulation.report()
        #expect(String(decoding: report.tokens, as: UTF8.self) == "bcdefghi")
        #expect(!report.failures.isEmpty && report.failures.allSatisfy { $0.contains("Broken") })
        #expect(report.blamed.isEmpty)
    }

    @Test func whoeverComesInBetweenIsTold() async throws {
        let (inside, told) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let simulation = try Simulation(Plan(members: 1, model: model)) { member, work in
            if work.position == 0 && work.stage == 0 {
                inside.signal()
                told.wait()
            }
            return try letters(member, work)
        }
        try simulation.submit(Data("a".utf8), tokens: 1)
        let finished = DispatchSemaphore(value: 0)
        let outcome = Outcome()
        Thread.detachNewThread {
            outcome.isComplete = (try? simulation.run()) == true
            finished.signal()
        }
        await wait(for: inside)
        #expect(refusal { try simulation.report() }?.kind == .busy)
        told.signal()
        await wait(for: finished)
        #expect(outcome.isComplete)
        #expect(try simulation.report().tokens == Data("b".utf8))
    }

    @Test func aStageThatCallsBackIsTold() throws {
        final class Box: @unchecked Sendable { var simulation: Simulation?; var error: ButterflyError? }
        let box = Box()
        box.simulation = try Simulation(Plan(members: 1, model: model)) { member, work in
            do throws(ButterflyError) { _ = try box.simulation!.report() } catch { box.error = error }
            return try letters(member, work)
        }
        try box.simulation!.submit(Data("a".utf8), tokens: 1)
        #expect(try box.simulation!.run())
        #expect(box.error?.kind == .busy)
        box.simulation = nil
    }
}

private final class Outcome: @unchecked Sendable { var isComplete = false }
