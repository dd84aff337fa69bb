import Foundation

#if canImport(Glibc)
import Glibc
private let stream = Int32(SOCK_STREAM.rawValue)
private let quietly = Int32(MSG_NOSIGNAL)
#else
import Darwin
private let stream = SOCK_STREAM
private let quietly: Int32 = 0
#endif

/// A peer that takes nothing for so long is gone.
private let stallTime = Duration.seconds(10)

/// A TCP connection. Calls block, so they belong on threads; all of them end
/// when the stop is pulled.
final class Socket: Sendable {
    private let descriptor: Int32
    private let stop: Stop

    /// Connects to `HOST:PORT`.
    init(connectingTo address: String, within time: Duration, until stop: Stop) throws(ButterflyError) {
        let found = try Address(address)
        descriptor = try found.open()
        self.stop = stop
        guard connect(descriptor, found.address, found.length) != 0 else { return }
        guard errno == EINPROGRESS else { throw failure("\(address) does not answer") }
        try waitFor(POLLOUT, until: .now + time)
        var outcome: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &outcome, &length)
        guard outcome == 0 else { throw failure("\(address) does not answer", outcome) }
    }

    fileprivate init(accepted descriptor: Int32, until stop: Stop) {
        self.descriptor = descriptor
        self.stop = stop
        prepare(descriptor)
    }

    deinit { close(descriptor) }

    /// What came, as soon as something did; nothing when nothing more will come.
    func read(until deadline: ContinuousClock.Instant?) throws(ButterflyError) -> Data {
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count >= 0 { return Data(buffer[..<count]) }
            guard isWaiting(errno) else { throw failure("the connection failed") }
            try waitFor(POLLIN, until: deadline)
        }
    }

    func write(_ bytes: Data) throws(ButterflyError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, quietly) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else {
                guard isWaiting(errno) else { throw failure("the connection failed") }
                try waitFor(POLLOUT, until: .now + stallTime)
            }
        }
    }

    /// Whether there is something to read, the end included.
    var hasNews: Bool {
        var asked = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&asked, 1, 0) > 0
    }

    /// Ends the connection, whoever reads or writes.
    func cut() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    private func waitFor(_ event: Int32, until deadline: ContinuousClock.Instant?) throws(ButterflyError) {
        guard try stop.wait(for: event, of: descriptor, until: deadline) else {
            throw ButterflyError(.system, "the peer took too long")
        }
    }
}

/// Where others connect to.
final class Listener: Sendable {
    private let descriptor: Int32
    private let stop: Stop

    /// Listens at `HOST:PORT`.
    init(at address: String, until stop: Stop) throws(ButterflyError) {
        let found = try Address(address)
        descriptor = try found.open()
        self.stop = stop
        var again: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &again, socklen_t(MemoryLayout<Int32>.size))
        guard bind(descriptor, found.address, found.length) == 0, listen(descriptor, 64) == 0 else {
            throw failure("cannot listen at \(address)")
        }
    }

    deinit { close(descriptor) }

    /// The next that connects. Blocks, and throws when the stop is pulled.
    func accept() throws(ButterflyError) -> Socket {
        while true {
            _ = try stop.wait(for: POLLIN, of: descriptor, until: nil)
            #if canImport(Glibc)
            let accepted = Glibc.accept(descriptor, nil, nil)
            #else
            let accepted = Darwin.accept(descriptor, nil, nil)
            #endif
            if accepted >= 0 { return Socket(accepted: accepted, until: stop) }
            // One that is gone already; or this process has too many files open, which passes.
            if !isWaiting(errno) { try stop.pause(for: .milliseconds(50)) }
        }
    }
}

/// What a name and a port are to the system.
private struct Address: ~Copyable {
    private let found: UnsafeMutablePointer<addrinfo>

    init(_ address: String) throws(ButterflyError) {
        guard let colon = address.lastIndex(of: ":") else {
            throw ButterflyError(.system, "\(address) is no address: HOST:PORT")
        }
        let host = address[..<colon].trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        var hints = addrinfo()
        hints.ai_socktype = stream
        var found: UnsafeMutablePointer<addrinfo>?
        let outcome = getaddrinfo(host, String(address[address.index(after: colon)...]), &hints, &found)
        guard outcome == 0, let found else { throw ButterflyError(.system, "\(address) cannot be found") }
        self.found = found
    }

    deinit { freeaddrinfo(found) }

    var address: UnsafeMutablePointer<sockaddr>? { found.pointee.ai_addr }
    var length: socklen_t { found.pointee.ai_addrlen }

    func open() throws(ButterflyError) -> Int32 {
        let descriptor = socket(found.pointee.ai_family, stream, 0)
        guard descriptor >= 0 else { throw failure("no socket") }
        prepare(descriptor)
        return descriptor
    }
}

/// No call on it blocks by itself, a peer that is gone is an error instead of a
/// signal, and no message waits for the next.
private func prepare(_ descriptor: Int32) {
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    var on: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    #if canImport(Darwin)
    setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &on, socklen_t(MemoryLayout<Int32>.size))
    #endif
}

private func isWaiting(_ error: Int32) -> Bool { error == EAGAIN || error == EWOULDBLOCK || error == EINTR }
