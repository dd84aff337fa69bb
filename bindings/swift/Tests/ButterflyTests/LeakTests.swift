import Butterfly
import Foundation
import Testing

/// What is dropped is freed.
@Suite(.serialized) struct LeakTests {
    /// Bytes that the process may grow by: what an allocator keeps, and less than one in a hundred that was used.
    private let allowed = 16 * 1024 * 1024
    private let keys: Keys
    private let roster: Roster

    init() throws {
        keys = try Keys.generate()
        roster = try Roster(members: [keys.publicKey], clients: [Keys.generate().publicKey], model: model)
    }

    @Test func aHundredThousandNodesLeaveNothing() throws {
        let record = try roster.firstRecord(of: 0)
        try leavesNothing(after: 2_000, times: 100_000) {
            _ = try Node(roster: roster, keys: keys, record: record).step(.timer(timer: .retransmit))
        }
    }

    @Test func framesAndErrorsLeaveNothing() throws {
        let node = try Node(roster: roster, keys: keys, record: roster.firstRecord(of: 0))
        let frame = try Frame.packing((0..<20).map { _ in Input.receive(message: Data(count: 1_000)) })
        try leavesNothing(after: 2_000, times: 20_000) {
            _ = try node.stepPacked(frame)
            _ = try? node.stepPacked(Data("garbage".utf8))
        }
    }

    /// After some runs of it, `body` takes no more memory.
    private func leavesNothing(after first: Int, times: Int, _ body: () throws -> Void) throws {
        for _ in 0..<first { try body() }
        let before = try resident()
        for _ in 0..<times { try body() }
        #expect(try resident() - before < allowed)
    }
}

/// Bytes of this process that are in memory.
private func resident() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
    return 1024 * (try #require(Int(line.split(separator: " ").dropLast().last ?? "")))
}
