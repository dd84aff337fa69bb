import Foundation

/// The inputs of one member's stages, put together from works.
struct Desk {
    private var inputs: [UInt8: [Data]] = [:]

    /// `work` with everything that went into its stage so far. Works are to be
    /// shown in the order in which they come; another run begins at its first input.
    mutating func whole(_ work: Work) -> Work {
        let history = inputs[work.stage, default: []].prefix(Int(work.first)) + work.inputs
        inputs[work.stage] = Array(history)
        return Work(
            ticket: work.ticket, run: work.run, stage: work.stage, cut: work.cut, position: work.position, first: 0,
            inputs: Array(history), sampling: work.sampling)
    }
}
