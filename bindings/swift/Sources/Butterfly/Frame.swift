import ButterflyBindings
import Foundation

/// Lists of inputs and of steps in the kernel's own encoding, for ``Node/stepPacked(_:)``:
/// they can be kept, sent and compared as bytes.
public enum Frame {
    /// The frame of these inputs, for ``Node/stepPacked(_:)``.
    public static func packing(_ inputs: [Input]) throws(ButterflyError) -> Data {
        try attempt { try packInputs(inputs: inputs) }
    }

    /// The frame of these steps.
    public static func packing(_ steps: [Step]) throws(ButterflyError) -> Data {
        try attempt { try packSteps(steps: steps) }
    }

    /// The inputs of a frame.
    public static func inputs(in frame: Data) throws(ButterflyError) -> [Input] {
        try attempt { try unpackInputs(frame: frame) }
    }

    /// The steps in a frame that ``Node/stepPacked(_:)`` gave.
    public static func steps(in frame: Data) throws(ButterflyError) -> [Step] {
        try attempt { try unpackSteps(frame: frame) }
    }
}
