@testable import Butterfly
import Foundation
import Testing

/// Members in Swift over TCP, beside processes of `butterfly` and among themselves.
@Suite(.timeLimit(.minutes(3))) struct NetworkTests {
    @Test func aMemberInSwiftIsTheFourthVoter() async throws {
        try await Cluster.with(nodes: 0, 1, 2) { cluster in
            let client = try cluster.client()
            var member = try cluster.member(3)
            var running = Task { [member] in try await member.run() }
            try await client.waits(for: 4)
            #expect(try await client.ask(16).text == cluster.reference(16))

            // Without one of the others nothing is decided unless this member votes.
            try await cluster.kill(2)
            let (text, proof) = try await client.ask(12)
            #expect(try await text == cluster.reference(12))
            #expect(proof.signers.contains(3))
            // The program sees it stand as its own nodes do.
            let status = try await cluster.run(["status", "--dir", cluster.folder.path, "--json"])
            let parsed = try JSONSerialization.jsonObject(with: Data(status.utf8)) as? [String: Any]
            let members = try #require(parsed?["members"] as? [[String: Any]])
            #expect(members.map { $0["state"] as? String } == ["replica", "replica", "unreachable", "replica"])

            running.cancel()
            try await running.value
            let before = try member.status().epoch
            var blamed = false
            for await event in member.events { if case .blamed = event { blamed = true } }
            #expect(!blamed)

            // It goes on from its vote record.
            member = try cluster.member(3)
            #expect(try member.status().epoch == before && member.status().role == .replica)
            running = Task { [member] in try await member.run() }
            #expect(try await client.ask(8).proof.signers.contains(3))
            running.cancel()
            try await running.value

            // So could a process of `butterfly`.
            try await cluster.start([3])
            #expect(try await client.ask(4).proof.signers.contains(3))
        }
    }

    @Test func fourMembersInSwiftAnswerAClient() async throws {
        try await Cluster.with { cluster in
            let client = try cluster.client()
            let members = try (0..<4).map { try cluster.member($0) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for member in members { group.addTask { try await member.run() } }
                try await client.waits(for: 4)
                #expect(try await client.ask(8).text == cluster.reference(8))
                // Its request is finished, and numbers are used once.
                let old = try client.roster.sign(
                    Request(sequence: 1, prompt: Data([1]), tokens: 1, sampling: .greedy),
                    with: Keys(folder: cluster.folder.appendingPathComponent("client-0")))
                let link = try await cluster.dial(0, as: "client-0")
                let answer = try await onThread { _ in try link.answer(to: .submit(request: old)) }
                #expect(answer == .refused(reason: .finished))
                #expect(try await client.ask(4).proof.sequence == 2)
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }

    @Test func strangersAndTheirBytesEndNoMember() async throws {
        try await Cluster.with { cluster in
            let member = try cluster.member(3)
            let running = Task { try await member.run() }
            let port = try listening(cluster.node(3))
            while answer(of: port, to: Data()) != Data() { try await Task.sleep(for: .milliseconds(5)) }
            let first = Data([0xDC, 0, 1, 1] + [UInt8](repeating: 0, count: 220))
            for content in [Data(repeating: 0xFF, count: 400), first, Data("GET / HTTP/1.1\r\n\r\n".utf8)] {
                #expect(answer(of: port, to: content) == Data())
            }
            #expect(try member.status().epoch == 1)
            let twice = refusal { try cluster.member(3) }
            #expect(twice?.kind == .record && twice?.reason.contains("must not run twice") == true)
            await #expect(throws: ButterflyError(.busy, "a member runs once")) { try await member.run() }
            running.cancel()
            try await running.value
            // Its record is free again, and its port.
            _ = try cluster.member(3)
            #expect(answer(of: port, to: Data()) == Data("nobody listens".utf8))
        }
    }

    @Test func aDiskThatFailsStopsTheMember() async throws {
        try await Cluster.with(nodes: 0, 1, 2) { cluster in
            let client = try cluster.client()
            let member = try cluster.member(3)
            let running = Task { try await member.run() }
            try await client.waits(for: 4)
            // Nothing can be written to it any more.
            try member.record.close()
            let (text, proof) = try await client.ask(8)
            #expect(try await text == cluster.reference(8))
            #expect(!proof.signers.contains(3))
            await #expect(throws: ButterflyError(.record, "the vote record is closed")) { try await running.value }
        }
    }

    @Test func aFolderThatDoesNotFitIsRefused() async throws {
        try await Cluster.with { cluster in
            let settings = cluster.node(3).appendingPathComponent("node.toml")
            let kept = try String(contentsOf: settings, encoding: .utf8)
            for (wrong, kind) in [
                (kept + "listen = 7", ButterflyError.Kind.malformed), (kept + "listen", .malformed),
                (kept + "view_timeout_ms = -1", .malformed), (kept + "view_timeout_ms = 5000000000", .malformed),
                (kept + "view_timeout_ms = \"soon\"", .malformed), ("peers = [7]", .malformed),
                ("peers = [\"127.0.0.1:1\"]", .roster), ("peers = 7", .malformed),
                ("peers", .malformed), ("", .malformed),
            ] {
                try wrong.write(to: settings, atomically: true, encoding: .utf8)
                #expect(refusal { try cluster.member(3) }?.kind == kind)
            }
            try kept.write(to: settings, atomically: true, encoding: .utf8)
            let client = cluster.folder.appendingPathComponent("client-0/key")
            try Data(contentsOf: client).write(to: cluster.node(3).appendingPathComponent("key"))
            let stranger = refusal { try cluster.member(3) }
            #expect(stranger?.kind == .keys && stranger?.reason.contains(cluster.node(3).path) == true)
        }
    }

    /// The port in the last of its peers' addresses.
    private func listening(_ node: URL) throws -> Int {
        let settings = try String(contentsOf: node.appendingPathComponent("node.toml"), encoding: .utf8)
        let peers = try #require(settings.split(separator: "\n").first { $0.hasPrefix("peers") })
        return try #require(Int(peers.split(separator: ":").last?.prefix { $0.isNumber } ?? ""))
    }
}
