@testable import Butterfly
import Foundation
import Testing

/// What waits for a member, or for whoever listens to it, takes no more room than it may.
@Suite(.timeLimit(.minutes(1))) struct BoundsTests {
    @Test func whatOthersBringIsLostWhenTooMuchWaits() async {
        let inbox = Inbox()
        for _ in 0..<2 * Inbox.limit { inbox.offer(.receive(message: Data())) }
        // Its own timers are never lost.
        inbox.put(.timer(timer: .retransmit))
        let taken = await inbox.take()
        #expect(taken.count == Inbox.limit + 1)
        #expect(taken.last?.input == .timer(timer: .retransmit))
    }

    @Test func whoWaitsForRoomHasItWhenSomethingIsTaken() async {
        let (inbox, order) = (Inbox(), Locked<[String]>([]))
        for _ in 0..<Inbox.limit { inbox.put(.timer(timer: .retransmit)) }
        let (begun, ended) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        Thread.detachNewThread {
            begun.signal()
            inbox.waitForRoom()
            order.withLock { $0.append("room") }
            ended.signal()
        }
        await wait(for: begun)
        order.withLock { $0.append("taken") }
        _ = await inbox.take()
        await wait(for: ended)
        #expect(order.withLock { $0 } == ["taken", "room"])
    }

    @Test func whatNobodyTakesAnyMoreIsSaidToBeTooMuch() async {
        let (inbox, judged) = (Inbox(), Locked<[Refusal?]>([]))
        let judge: Inbox.Judge = { refusal in judged.withLock { $0.append(refusal) } }
        inbox.put(.timer(timer: .retransmit), judge: judge)
        inbox.end()
        #expect(judged.withLock { $0 } == [.full])
        inbox.put(.timer(timer: .retransmit), judge: judge)
        #expect(judged.withLock { $0 } == [.full, .full])
        #expect(await inbox.take().isEmpty)
    }

    @Test func nobodyWaitsForRoomThatIsNotNeededAnyMore() async {
        let inbox = Inbox()
        for _ in 0..<Inbox.limit { inbox.put(.timer(timer: .retransmit)) }
        let (begun, ended) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        Thread.detachNewThread {
            begun.signal()
            inbox.waitForRoom()
            ended.signal()
        }
        await wait(for: begun)
        inbox.end()
        await wait(for: ended)
    }

    @Test func aFellowIsListenedToAsFastAsItIsUnderstood() async throws {
        let (village, inbox, threads) = (try Village(), Inbox(), Threads())
        let (stop, address) = (try Stop(), try village.address())
        let listener = try Listener(at: address, until: stop)
        let inbound = Inbound(
            party: village.parties[0], node: try village.node(0), inbox: inbox, chronicle: Chronicle())
        threads.start { inbound.run(listener, on: threads) }
        let fellow = try await onThread { _ in try Link.dial(0, at: address, as: village.parties[1], until: stop) }
        let count = 3 * Inbox.limit
        try await onThread { _ in try fellow.send(Array(repeating: Data([1]), count: count)) }
        // Others are heard meanwhile, and when these are all of them could be.
        for _ in 0..<20 {
            try await onThread { _ in try Link.dial(0, at: address, as: village.parties[2], until: stop).end() }
        }
        var taken = 0
        while taken < count {
            let some = await inbox.take().count
            #expect(some <= Inbox.limit)
            taken += some
        }
        stop.pull()
        await threads.ended()
    }

    @Test func theNewestWordsAreKeptForAPeerThatIsAway() async throws {
        let (village, threads) = (try Village(), Threads())
        let (stop, address) = (try Stop(), try village.address())
        let way = Outbound(to: 1, at: address)
        func put(_ numbers: Range<UInt16>) {
            for number in numbers { way.put(withUnsafeBytes(of: number.bigEndian) { Data($0) }) }
        }
        put(0..<600)
        threads.start { way.run(as: village.parties[0], until: stop) }
        let listener = try Listener(at: address, until: stop)
        for (numbers, heard) in [(600..<600, 88..<600), (600..<610, 600..<610)] as [(Range<UInt16>, Range<UInt16>)] {
            put(numbers)
            let peer = try await onThread { _ in try Link.accept(listener.accept(), as: village.parties[1]).link }
            let words = try await onThread { _ in try heard.map { _ in try #require(try peer.receive()) } }
            #expect(words.map { UInt16($0[0]) << 8 | UInt16($0[1]) } == Array(heard))
            // The peer is dialled again, for what is put then.
            peer.end()
        }
        way.end()
        stop.pull()
        await threads.ended()
    }

    @Test func theNewestEpochsAreToldOnceEach() throws {
        let simulation = try Simulation(Plan(members: 1, model: model)) { try letters($0, $1) }
        try simulation.submit(Data("a".utf8), tokens: 1)
        try simulation.run()
        let commit = try #require(simulation.report().decisions.first?.commit)
        let (chronicle, reader) = (Chronicle(), Chronicle.Reader())
        func add(_ epoch: UInt64) throws {
            try chronicle.add(.committed(Commit(
                epoch: epoch, view: commit.view, path: commit.path, tokens: commit.tokens, notice: commit.notice,
                decided: commit.decided)))
        }
        for epoch in UInt64(1)...600 { try add(epoch) }
        chronicle.turn(reader, to: 1)
        #expect(chronicle.next(for: reader)?.count == 512)
        chronicle.turn(reader, to: 600)
        #expect(chronicle.next(for: reader)?.count == 1)
        try add(601)
        #expect(chronicle.next(for: reader)?.count == 1)
        chronicle.leave(reader)
        #expect(chronicle.next(for: reader) == nil)
    }
}
