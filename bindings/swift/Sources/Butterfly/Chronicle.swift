import ButterflyBindings
import Foundation

/// What a member tells clients: how it stands, every epoch that it holds decided, and whom it can prove to be faulty.
final class Chronicle: @unchecked Sendable {
    /// A client that is told of every epoch, up to where it was told already; only the chronicle looks into it.
    final class Reader: @unchecked Sendable {
        fileprivate var next: UInt64?
        fileprivate var isGone = false
    }

    /// Epochs that a client which comes late can still be told of.
    private static let limit = 512

    private let news = NSCondition()
    private var told: [(epoch: UInt64, answer: Data)] = []
    private var decided: Data?
    private var blockedBy = Data()
    /// The first of each kind against each, in the order in which they were found.
    private var proofs: [(accused: UInt8, fault: Fault, evidence: Data)] = []

    func add(_ event: MemberEvent) throws(ButterflyError) {
        switch event {
        case .committed(let commit):
            let answer = try attempt { try encodeAnswer(answer: .told(decided: commit.decided, tokens: commit.tokens)) }
            news.withLock {
                told.append((commit.epoch, answer))
                if told.count > Self.limit { told.removeFirst() }
                decided = commit.decided
                news.broadcast()
            }
        case .blocked(let silent, let learners): news.withLock { blockedBy = silent + learners }
        case .resumed: news.withLock { blockedBy = Data() }
        case .blamed(let accused, let fault, let evidence):
            news.withLock {
                if proofs.contains(where: { $0.accused == accused && $0.fault == fault }) { return }
                proofs.append((accused, fault, evidence))
            }
        case .enteredView, .stageFailed: break
        }
    }

    /// Where `node` says that it is.
    func standing(of node: Node) throws(ButterflyError) -> Data {
        let status = try node.status()
        let isWorking = status.doing != .initializing && status.doing != .ready
        let (decided, blockedBy) = news.withLock { (self.decided, self.blockedBy) }
        return try attempt {
            try encodeAnswer(answer: .standing(standing: Standing(
                epoch: status.epoch, view: status.view, role: status.role, working: isWorking, blockedBy: blockedBy,
                decided: decided)))
        }
    }

    /// The proof with this number; none if there are not so many.
    func proof(_ number: UInt16) throws(ButterflyError) -> Data {
        let evidence = news.withLock { proofs.dropFirst(Int(number)).first?.evidence }
        return try attempt { try encodeAnswer(answer: .evidence(evidence: evidence)) }
    }

    /// From `epoch` on, whatever the reader was told before.
    func turn(_ reader: Reader, to epoch: UInt64) {
        news.withLock {
            reader.next = epoch
            news.broadcast()
        }
    }

    /// What is new to a reader. Blocks until there is something; nothing once the reader has left.
    func next(for reader: Reader) -> [Data]? {
        news.withLock {
            while !reader.isGone {
                let new = reader.next.map { next in told.filter { $0.epoch >= next } } ?? []
                if let last = new.last {
                    reader.next = last.epoch + 1
                    return new.map(\.answer)
                }
                news.wait()
            }
            return nil
        }
    }

    func leave(_ reader: Reader) {
        news.withLock {
            reader.isGone = true
            news.broadcast()
        }
    }
}
