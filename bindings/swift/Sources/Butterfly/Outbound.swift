import Foundation

/// The pause before a peer is dialled again; it doubles up to the longest.
private let (firstPause, longestPause) = (Duration.milliseconds(20), Duration.seconds(1))

/// The way to one peer.
final class Outbound: @unchecked Sendable {
    /// Messages that wait. The oldest makes room: the newest say most, and the
    /// protocol survives loss.
    private static let limit = 512

    private let (peer, address): (UInt8, String)
    private let filled = NSCondition()
    private var waiting: [Data] = []
    private var isOver = false

    init(to peer: UInt8, at address: String) { (self.peer, self.address) = (peer, address) }

    func put(_ message: Data) {
        filled.withLock {
            if waiting.count == Self.limit { waiting.removeFirst() }
            waiting.append(message)
            filled.signal()
        }
    }

    /// Nothing more will be put; what waits is still sent to a peer that is there.
    func end() {
        filled.withLock {
            isOver = true
            filled.signal()
        }
    }

    /// Dials, sends until that fails, and dials again. Blocks until it is over.
    func run(as party: Party, until stop: Stop) {
        var pause = firstPause
        while !stop.isPulled {
            if let link = try? Link.dial(peer, at: address, as: party, until: stop) {
                pause = firstPause
                // The peer is dialled again.
                try? forward(link)
                link.end()
            }
            guard (try? stop.pause(for: pause)) != nil else { return }
            pause = min(longestPause, pause * 2)
        }
    }

    private func forward(_ link: Link) throws {
        while waitForMessages() {
            // A peer says nothing here: what comes is the end.
            if link.hasNews { return }
            try link.send(take())
        }
    }

    /// Whether there are any; none once it is over.
    private func waitForMessages() -> Bool {
        filled.withLock {
            while waiting.isEmpty && !isOver { filled.wait() }
            return !waiting.isEmpty
        }
    }

    private func take() -> [Data] {
        filled.withLock {
            defer { waiting = [] }
            return waiting
        }
    }
}
