import Foundation

/// Inputs that wait for a node, in the order in which they came.
final class Inbox: @unchecked Sendable {
    /// Is told why an input changed nothing, if it did not.
    typealias Judge = @Sendable (Refusal?) -> Void
    typealias Entry = (input: Input, judge: Judge?)

    /// Inputs that may wait before those of others have to, or are lost.
    static let limit = 1024

    private let news = NSCondition()
    private var waiting: [Entry] = []
    private var taker: CheckedContinuation<[Entry], Never>?
    private var isOver = false

    /// Adds an input. The node is told of its timers and its stages however much waits.
    func put(_ input: Input, judge: Judge? = nil) {
        news.withLock {
            if isOver {
                judge?(.full)
            } else {
                waiting.append((input, judge))
                serve()
            }
        }
    }

    /// Adds what somebody else brings, unless too much waits: the protocol survives loss.
    func offer(_ input: Input) {
        if news.withLock({ waiting.count < Self.limit }) { put(input) }
    }

    /// Blocks until not too much waits.
    func waitForRoom() {
        news.withLock { while waiting.count >= Self.limit { news.wait() } }
    }

    /// All that waits, as soon as something does; nothing when it is over, which
    /// it is for good when the task is cancelled.
    func take() async -> [Entry] {
        await withTaskCancellationHandler {
            await withCheckedContinuation { taker in
                news.withLock {
                    self.taker = taker
                    serve()
                }
            }
        } onCancel: {
            end()
        }
    }

    /// Nothing is taken any more: whoever waits is told that there is no room.
    func end() {
        let left = news.withLock {
            defer { waiting = [] }
            isOver = true
            serve()
            news.broadcast()
            return waiting
        }
        left.forEach { $0.judge?(.full) }
    }

    private func serve() {
        guard let taker, isOver || !waiting.isEmpty else { return }
        self.taker = nil
        if isOver { return taker.resume(returning: []) }
        taker.resume(returning: waiting)
        waiting = []
        news.broadcast()
    }
}
