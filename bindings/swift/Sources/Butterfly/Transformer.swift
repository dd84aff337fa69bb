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
}
