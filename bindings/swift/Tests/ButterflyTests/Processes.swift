@testable import Butterfly
import Foundation
import Testing

/// As `butterfly submit` and `butterfly reference` do.
let sampling = Sampling.seeded(seed: 7, temperature: 128)
let prompt = "Return the "

/// A cluster's folder, and those of its nodes that are processes of `butterfly`.
actor Cluster {
    nonisolated let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    private let program: String
    private var nodes: [Int: Running] = [:]

    /// Whatever becomes of `body`, no process and no file is left.
    static func with(nodes: Int..., body: (Cluster) async throws -> Void) async throws {
        let program = ProcessInfo.processInfo.environment["BUTTERFLY_PROGRAM"]
        let cluster = Cluster(try #require(program, "it names the program `butterfly`"))
        let outcome: Result<Void, any Swift.Error>
        do {
            let port = try #require(freePorts(8))
            let ports = ["--base-port", "\(port)", "--admin-port", "\(port + 4)"]
            _ = try await cluster.run(["init", "--dir", cluster.folder.path] + ports)
            try await cluster.start(nodes)
            outcome = .success(try await body(cluster))
        } catch {
            outcome = .failure(error)
        }
        await cluster.end()
        try outcome.get()
    }

    private init(_ program: String) { self.program = program }

    nonisolated func client() throws -> Client { try Client(folder: folder.appendingPathComponent("client-0")) }

    nonisolated func member(_ number: Int) throws -> NetworkMember { try NetworkMember(folder: node(number)) }

    nonisolated func node(_ number: Int) -> URL { folder.appendingPathComponent("node-\(number)") }

    /// A session that whoever has this folder begins with a node. It ends with the process.
    nonisolated func dial(_ node: UInt8, as party: String) async throws -> Link {
        let own = folder.appendingPathComponent(party)
        let roster = try Roster(decoding: read(own, "roster"))
        let party = try Party(roster: roster, keys: Keys(folder: own), keyRecords: read(own, "key-records"))
        let address = try Settings(read(self.node(Int(node)), "node.toml")).texts("peers")[Int(node)]
        return try await onThread { _ in try Link.dial(node, at: address, as: party, until: Stop()) }
    }

    func start(_ numbers: [Int]) throws {
        for number in numbers {
            nodes[number] = try Running(program, ["start", "--dir", folder.path, "--node", "\(number)"])
        }
    }

    func kill(_ number: Int) async throws {
        let node = nodes.removeValue(forKey: number)
        node?.end(with: SIGKILL)
        _ = try await node?.finish()
    }

    private func end() async {
        for number in nodes.keys { try? await kill(number) }
        try? FileManager.default.removeItem(at: folder)
    }

    /// What the program prints, when it succeeds.
    nonisolated func run(_ arguments: [String]) async throws -> String {
        let (code, output) = try await Running(program, arguments).finish()
        try #require(code == 0, "\(arguments.joined(separator: " ")) printed \(output)")
        return output
    }

    /// What one machine says.
    nonisolated func reference(_ tokens: Int) async throws -> String {
        let printed = try await run(["reference", "--prompt", prompt, "--tokens", "\(tokens)"])
        return String(printed.dropLast())
    }
}

extension Client {
    /// Waits until so many nodes answer.
    func waits(for nodes: Int) async throws {
        while await standings().compactMap({ $0 }).count < nodes { try await Task.sleep(for: .milliseconds(20)) }
    }

    func ask(_ tokens: UInt16) async throws -> (text: String, proof: CommitProof) {
        let answer = try await submit(Transformer.tokens(of: prompt), tokens: tokens, sampling: sampling)
        return (try Transformer.text(of: answer.tokens), try roster.verifyProof(answer.proof))
    }
}

/// The first of so many ports in a row on which nobody listens now.
func freePorts(_ count: Int) -> Int? {
    let first = Int.random(in: 2_100...3_000) * 10
    return stride(from: first, to: 60_000, by: count).first { first in (first..<first + count).allSatisfy(isFree) }
}

private func isFree(_ port: Int) -> Bool {
    let descriptor = tcpSocket()
    defer { close(descriptor) }
    var address = loopback(port)
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
}

/// What whoever listens on a port answers to `content`, until it ends the connection.
func answer(of port: Int, to content: Data) -> Data {
    let descriptor = tcpSocket()
    defer { close(descriptor) }
    var address = loopback(port)
    let connected = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
    guard connected else { return Data("nobody listens".utf8) }
    _ = content.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    shutdown(descriptor, Int32(SHUT_WR))
    var answer = Data()
    var buffer = [UInt8](repeating: 0, count: 1024)
    while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 { answer += buffer[..<count] }
    return answer
}

private func tcpSocket() -> Int32 { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }

private func loopback(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}

/// A process whose output goes to a file. Threads of tasks block signals, and a
/// `Foundation.Process` that one of them begins inherits that: nothing would end it.
struct Running {
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

    func end(with signal: Int32 = SIGTERM) { kill(process, signal) }

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
