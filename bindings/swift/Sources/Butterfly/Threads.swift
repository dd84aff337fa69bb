import Foundation

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Ends what waits for the system. Once it is pulled it stays so.
final class Stop: Sendable {
    /// A pipe: what waits is woken when its other end is closed.
    private let (waiting, pulled): (Int32, Int32)
    private let state = Locked(false)

    init() throws(ButterflyError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw failure("no pipe") }
        (waiting, pulled) = (ends[0], ends[1])
        ends.forEach { _ = fcntl($0, F_SETFD, FD_CLOEXEC) }
    }

    deinit {
        close(waiting)
        pull()
    }

    func pull() {
        let isFirst = state.withLock { isPulled in
            defer { isPulled = true }
            return !isPulled
        }
        if isFirst { close(pulled) }
    }

    var isPulled: Bool { state.withLock { $0 } }

    /// Waits for an event of a descriptor. Whether it came before the deadline; an error if the stop was pulled.
    func wait(
        for event: Int32, of descriptor: Int32, until deadline: ContinuousClock.Instant?
    ) throws(ButterflyError) -> Bool {
        var asked = [
            pollfd(fd: waiting, events: Int16(POLLIN), revents: 0),
            pollfd(fd: descriptor, events: Int16(event), revents: 0),
        ]
        while true {
            let rest = deadline.map { Int32(clamping: milliseconds(max(.zero, $0 - .now))) }
            let count = poll(&asked, nfds_t(asked.count), rest ?? -1)
            if isPulled { throw ButterflyError(.system, "it was stopped") }
            if count == 0 { return false }
            if asked[1].revents != 0 { return true }
            guard count > 0 || errno == EINTR else { throw failure("cannot wait") }
        }
    }

    /// Lets time pass. An error if the stop was pulled.
    func pause(for time: Duration) throws(ButterflyError) {
        // A descriptor below zero has no events.
        _ = try wait(for: 0, of: -1, until: .now + time)
    }
}

/// Threads that are waited for together.
final class Threads: Sendable {
    private let running = DispatchGroup()

    func start(_ body: @escaping @Sendable () -> Void) {
        running.enter()
        Thread.detachNewThread { [running] in
            body()
            running.leave()
        }
    }

    /// Waits until all of them have ended.
    func ended() async {
        await withCheckedContinuation { waiting in running.notify(queue: .global()) { waiting.resume() } }
    }
}

/// Blocking work on a thread of its own, since tasks have few. The stop is
/// pulled when the task is cancelled.
func onThread<Outcome: Sendable>(_ body: @escaping @Sendable (Stop) throws -> Outcome) async throws -> Outcome {
    let stop = try Stop()
    return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { waiting in
            Thread.detachNewThread { waiting.resume(with: Result { try body(stop) }) }
        }
    } onCancel: {
        stop.pull()
    }
}

/// A value that one thread at a time reads or changes.
final class Locked<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value

    init(_ value: Value) { self.value = value }

    func withLock<Outcome>(_ body: (inout Value) throws -> Outcome) rethrows -> Outcome {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value)
    }
}

/// What the system says was wrong.
func failure(_ what: String, _ number: Int32 = errno) -> ButterflyError {
    ButterflyError(.system, "\(what): \(String(cString: strerror(number)))")
}
