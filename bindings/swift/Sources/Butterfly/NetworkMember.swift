import ButterflyBindings
import Foundation

/// A member of a cluster of `butterfly` nodes, in the folder that `butterfly init` made for it.
///
/// It listens where the others expect it, dials them, and keeps its vote record in the same file: a `butterfly`
/// process could go on in its place. It answers clients, but no operators, and keeps no history beyond 512 epochs
/// in memory, and no checkpoints: after a restart it asks its fellows for what it lacks.
public final class NetworkMember: Sendable {
    /// The cluster.
    public let roster: Roster
    /// Which member it is.
    public let number: UInt8
    /// What it says, the newest 1024 that nobody heard. One task may listen.
    public let events: AsyncStream<MemberEvent>

    let record: VoteRecord
    let chronicle = Chronicle()

    private let listen: String
    private let party: Party
    private let member: Member
    private let outbound: [Outbound?]
    private let hasRun = Locked(false)
    private let said: AsyncStream<MemberEvent>.Continuation

    /// Reads the folder. `stage` runs what the cluster runs: the integer transformer, unless another is given.
    public init(folder: URL, stage: Member.Stage? = nil) throws(ButterflyError) {
        let settings = try Settings(read(folder, "node.toml"))
        let viewTimeout = try settings.number("view_timeout_ms").map { Duration.milliseconds($0) } ?? .seconds(2)
        roster = try Roster(decoding: read(folder, "roster"), viewTimeout: viewTimeout)
        let keys = try Keys(folder: folder)
        party = try Party(roster: roster, keys: keys, keyRecords: read(folder, "key-records"))
        guard let place = roster.facts.members.firstIndex(of: keys.publicKey) else {
            throw ButterflyError(.keys, "the key in \(folder.path) is not that of a member of its roster")
        }
        let number = try byte(place, "members")
        let peers = try settings.texts("peers")
        guard peers.count == roster.facts.members.count else {
            throw ButterflyError(.roster, "node.toml names \(peers.count) peers; the roster has "
                + "\(roster.facts.members.count) members")
        }
        listen = try settings.text("listen") ?? peers[place]
        let record = try VoteRecord.open(at: folder.appendingPathComponent("vote-record").path, for: number, of: roster)
        let outbound = peers.enumerated().map { peer, address in
            peer == place ? nil : Outbound(to: UInt8(peer), at: address)
        }
        let stages = Transformer.Stages()
        member = try Member(
            roster: roster, keys: keys, record: record.record(), network: Mesh(outbound: outbound),
            persist: { bytes in try await onThread { _ in try record.write(bytes) } },
            stage: stage ?? { try stages.run($0) })
        (self.number, self.record, self.outbound) = (number, record, outbound)
        (events, said) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1024))
    }

    /// Where it is.
    public func status() throws(ButterflyError) -> Status { try member.node.status() }

    /// Runs it, once, until the task is cancelled; then every session is ended, and another process may have the
    /// vote record. An error if it cannot listen, or if its record cannot be written: it says nothing more then.
    public func run() async throws {
        let isAgain = hasRun.withLock { hasRun in
            defer { hasRun = true }
            return hasRun
        }
        guard !isAgain else { throw ButterflyError(.busy, "a member runs once") }
        let (stop, threads) = (try Stop(), Threads())
        let listener = try Listener(at: listen, until: stop)
        let inbound = Inbound(party: party, node: member.node, inbox: member.inbox, chronicle: chronicle)
        threads.start { inbound.run(listener, on: threads) }
        for way in outbound.compactMap({ $0 }) {
            threads.start { [party] in way.run(as: party, until: stop) }
        }
        async let heard: Void = hear()
        let ran: Result<Void, any Swift.Error>
        do { ran = .success(try await member.run()) } catch { ran = .failure(error) }
        await heard
        await end(stop, threads)
        try ran.get()
    }

    private func hear() async {
        for await event in member.events {
            try? chronicle.add(event)
            said.yield(event)
        }
    }

    private func end(_ stop: Stop, _ threads: Threads) async {
        outbound.forEach { $0?.end() }
        stop.pull()
        await threads.ended()
        said.finish()
        try? record.close()
    }
}

/// The ways to the other members, by number.
private struct Mesh: Network {
    let outbound: [Outbound?]

    func send(_ message: Data, to member: UInt8) async {
        if outbound.indices.contains(Int(member)) { outbound[Int(member)]?.put(message) }
    }
}
