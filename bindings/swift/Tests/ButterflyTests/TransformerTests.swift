import Butterfly
import Foundation
import Testing

/// Stages that keep what they took before.
@Suite struct TransformerTests {
    private let cut = Data([2, 4])
    private let seeded = Sampling.seeded(seed: 7, temperature: 256)

    @Test func whatIsKeptIsThatOfTheSameInputsOnly() throws {
        let stages = Transformer.Stages()
        for text in ["Return", "Return the ", "Reward", "R", "Return"] {
            let tokens = try Transformer.tokens(of: text).map { Data([$0]) }
            let signals = try alone(cut, 0, tokens, .greedy)
            #expect(try stages.run(work(0, cut, tokens)) == signals.last)
            for sampling in [.greedy, seeded] {
                let expected = try alone(cut, 1, signals, sampling).last
                #expect(try stages.run(work(1, cut, signals, sampling)) == expected)
            }
        }
    }

    @Test func anotherCutIsAnotherStage() throws {
        let stages = Transformer.Stages()
        let tokens = try Transformer.tokens(of: "Return").map { Data([$0]) }
        for cut in [cut, Data([1, 4]), Data([3, 4]), cut] {
            #expect(try stages.run(work(0, cut, tokens)) == alone(cut, 0, tokens, .greedy).last)
        }
    }

    @Test func whatItCannotTakeChangesNothing() throws {
        let stages = Transformer.Stages()
        let tokens = try Transformer.tokens(of: "Return").map { Data([$0]) }
        _ = try stages.run(work(0, cut, tokens))
        #expect(refusal { try stages.run(work(0, cut, tokens + [Data(count: 3)])) }?.kind == .stage)
        #expect(try stages.run(work(0, cut, tokens)) == alone(cut, 0, tokens, .greedy).last)
    }

    /// What a stage that took nothing before says to each of its inputs.
    private func alone(_ cut: Data, _ index: UInt8, _ inputs: [Data], _ sampling: Sampling) throws -> [Data] {
        let stage = try Transformer.Stage(cut: cut, index: index)
        return try inputs.map { try stage.advance($0, sampling: sampling) }
    }

    private func work(_ stage: UInt8, _ cut: Data, _ inputs: [Data], _ sampling: Sampling = .greedy) -> Work {
        Work(
            ticket: 0, run: Data(count: 32), stage: stage, cut: cut, position: UInt16(inputs.count - 1), first: 0,
            inputs: inputs, sampling: sampling)
    }
}
