import Butterfly
import Foundation
import Testing

/// A cluster of `butterfly` nodes, each a process, that a client in Swift asks.
@Suite(.timeLimit(.minutes(2))) struct ClientTests {
    @Test func aRunningClusterAnswersAndTheAnswerIsProven() async throws {
        let environment = ProcessInfo.processInfo.environment
        let program = try #require(environment["BUTTERFLY_PROGRAM"], "it names the program `butterfly`")
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let port = String(21_000 + ProcessInfo.processInfo.processIdentifier % 8_000)
        #expect(try await run(program, ["init", "--dir", folder, "--base-port", port]).code == 0)
        let nodes = try Running(program, ["start", "--all", "--dir", folder])
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await ask(program, folder)) } catch { outcome = .failure(error) }
        nodes.terminate()
        _ = try await nodes.finish()
        try outcome.get()
    }

    private func ask(_ program: String, _ folder: String) async throws {
        let client = try Client(folder: URL(fileURLWithPath: "\(folder)/client-0"))
        while await client.standings().compactMap({ $0 }).count < 4 { try await Task.sleep(for: .milliseconds(20)) }
        let reference = try await run(program, ["reference", "--prompt", "Return the ", "--tokens", "40"]).output
        let shown = Shown()
        let answer = try await client.submit(
            // As `butterfly submit` and `butterfly reference` do.
            Transformer.tokens(of: "Return the "), tokens: 40, sampling: .seeded(seed: 7, temperature: 128)
        ) { shown.add($0) }
        #expect(try reference.contains(Transformer.text(of: answer.tokens)))
        #expect(shown.tokens == answer.tokens)
        #expect(try client.roster.verifyProof(answer.proof).tokens == answer.tokens)
        // What it writes, the program verifies.
        let file = "\(folder)/proof"
        try ProofDocument.file(of: answer.proof, in: client.roster).write(to: URL(fileURLWithPath: file))
        let verified = try await run(program, ["verify", file])
        #expect(verified.code == 0, "\(verified.output)")
    }

    @Test func aFolderThatIsNoneIsNamed() {
        let error = refusal { try Client(folder: URL(fileURLWithPath: "/nowhere")) }
        #expect(error?.kind == .system && error?.reason.contains("/nowhere") == true)
    }
}

private final class Shown: @unchecked Sendable {
    private let lock = NSLock()
    private var shown = Data()

    func add(_ tokens: Data) { lock.withLock { shown += tokens } }
    var tokens: Data { lock.withLock { shown } }
}

/// A process whose output goes to a file. Threads of tasks block signals, and a
/// `Foundation.Process` that one of them begins inherits that: nothing would end it.
private struct Running {
    private let process: pid_t
    private let output = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path

    init(_ program: String, _ arguments: [String]) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT, 0o600)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let words = ([program] + arguments).map { strdup($0) }
        defer { words.forEach { free($0) } }
        var process: pid_t = 0
        try #require(posix_spawn(&process, program, &actions, &attributes, words + [nil], environ) == 0)
        self.process = process
    }

    func terminate() { kill(process, SIGTERM) }

    /// Its exit code and what it printed.
    func finish() async throws -> (code: Int32, output: String) {
        let status = await withCheckedContinuation { ended in
            Thread.detachNewThread {
                var status: Int32 = 0
                while waitpid(process, &status, 0) < 0 && errno == EINTR {}
                ended.resume(returning: status)
            }
        }
        let printed = try String(contentsOfFile: output, encoding: .utf8)
        try FileManager.default.removeItem(atPath: output)
        return (status >> 8, printed)
    }
}

private func run(_ program: String, _ arguments: [String]) async throws -> (code: Int32, output: String) {
    try await Running(program, arguments).finish()
}
