import ButterflyBindings
import Foundation

/// The integer transformer that comes with Butterfly: the same bits on every device.
public enum Transformer {
    /// What a roster says of the transformer, cut into `stages`, 1 to 4.
    public static func model(stages: UInt8, tokensPerEpoch: UInt8 = 4) throws(ButterflyError) -> Model {
        try attempt { try transformerModel(stages: stages, tokensPerEpoch: tokensPerEpoch) }
    }

    /// The tokens of a text, which may have printable ASCII and newlines.
    public static func tokens(of text: String) throws(ButterflyError) -> Data {
        try attempt { try tokensOfText(text: text) }
    }

    /// The text of tokens.
    public static func text(of tokens: Data) throws(ButterflyError) -> String {
        try attempt { try textOfTokens(tokens: tokens) }
    }

    /// One stage of it with its memory of the positions before.
    public final class Stage: Sendable {
        private let inner: TransformerStage

        /// Stage `index` of the layers as `cut` has them.
        public init(cut: Data, index: UInt8) throws(ButterflyError) {
            inner = try attempt { try TransformerStage(cut: cut, index: index) }
        }

        /// Takes the next input and gives the output there.
        public func advance(_ input: Data, sampling: Sampling) throws(ButterflyError) -> Data {
            try attempt { try inner.advance(input: input, sampling: sampling) }
        }

        /// Goes back to a position, as if nothing had been taken since.
        public func truncate(to position: UInt16) throws(ButterflyError) {
            try attempt { try inner.truncate(position: position) }
        }
    }

    /// All of its stages, for the works of one ``Member``. What they took before is kept, so that a next
    /// input costs no more than itself.
    public final class Stages: Sendable {
        private struct Taken {
            let cut: Data
            let stage: Stage
            var inputs: [Data] = []
            var output = Data()
        }

        private let places = Locked<[UInt8: Locked<Taken>]>([:])

        public init() {}

        /// The output of a stage for the last of its inputs, which are to be all from position 0.
        public func run(_ work: Work) throws(ButterflyError) -> Data {
            let place = try place(of: work)
            return try attempt {
                try place.withLock { taken in
                    // The last is taken again in any case: a choice may have been made with another sampling.
                    let known = zip(taken.inputs, work.inputs.dropLast()).prefix { $0 == $1 }.count
                    try taken.stage.truncate(to: UInt16(clamping: known))
                    taken.inputs.removeLast(taken.inputs.count - known)
                    for input in work.inputs.dropFirst(known) {
                        taken.output = try taken.stage.advance(input, sampling: work.sampling)
                        taken.inputs.append(input)
                    }
                    return taken.output
                }
            }
        }

        private func place(of work: Work) throws(ButterflyError) -> Locked<Taken> {
            try attempt {
                try places.withLock { places in
                    if let place = places[work.stage], place.withLock({ $0.cut == work.cut }) { return place }
                    let place = Locked(Taken(cut: work.cut, stage: try Stage(cut: work.cut, index: work.stage)))
                    places[work.stage] = place
                    return place
                }
            }
        }
    }
}
