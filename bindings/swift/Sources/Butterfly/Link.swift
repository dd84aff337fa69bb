import Foundation

#if canImport(Glibc)
import Glibc
private let stream = Int32(SOCK_STREAM.rawValue)
#else
import Darwin
private let stream = SOCK_STREAM
#endif

/// A TCP connection with its session. What comes is read by a thread of its own.
final class Link: Sendable {
    /// What the peer says, until it ends or the connection fails.
    let messages: AsyncThrowingStream<Data, any Error>

    private let descriptor: Int32
    private let session: Session
    /// Bytes are sealed and written in one order.
    private let turn = NSLock()

    /// Connects to a member at `HOST:PORT`, and returns when it has shown its key.
    static func dial(_ address: String, member: UInt8, party: Party) async throws -> Link {
        try await withCheckedThrowingContinuation { opened in
            Thread.detachNewThread {
                do {
                    let link = try Link(openSocket(to: address), party: party, member: member)
                    opened.resume(returning: link)
                } catch {
                    opened.resume(throwing: error)
                }
            }
        }
    }

    private init(_ descriptor: Int32, party: Party, member: UInt8) throws {
        self.descriptor = descriptor
        let (messages, said) = AsyncThrowingStream<Data, any Error>.makeStream()
        self.messages = messages
        do {
            session = try Session(party: party)
            try Self.write(session.dial(member), to: descriptor)
            var early: [Data] = []
            var isOpen = false
            while !isOpen {
                let (reply, events) = try session.receive(Self.read(from: descriptor))
                try Self.write(reply, to: descriptor)
                for event in events {
                    switch event {
                    case .established: isOpen = true
                    case .message(let bytes): early.append(bytes)
                    case .knock, .ended: throw ButterflyError(.session, "the node ended the session")
                    }
                }
            }
            early.forEach { said.yield($0) }
        } catch {
            close(descriptor)
            throw error
        }
        Thread.detachNewThread { [self] in
            do {
                while try listen(said) {}
                said.finish()
            } catch {
                said.finish(throwing: error)
            }
        }
    }

    deinit { close(descriptor) }

    /// Sends one message.
    func send(_ message: Data) throws {
        try turn.withLock { try Self.write(session.seal(message), to: descriptor) }
    }

    /// Nothing more will be sent, or taken.
    func end() {
        turn.withLock {
            // The peer need not be there any more.
            if let bytes = try? session.sealEnd() { try? Self.write(bytes, to: descriptor) }
            shutdown(descriptor, Int32(SHUT_RDWR))
        }
    }

    /// Whether there may be more.
    private func listen(_ said: AsyncThrowingStream<Data, any Error>.Continuation) throws -> Bool {
        let bytes = try Self.read(from: descriptor)
        let (reply, events) = try session.receive(bytes)
        if !reply.isEmpty { try turn.withLock { try Self.write(reply, to: descriptor) } }
        for event in events {
            switch event {
            case .message(let message): said.yield(message)
            case .ended: return false
            case .knock, .established: throw ButterflyError(.session, "out of turn")
            }
        }
        return true
    }

    private static func read(from descriptor: Int32) throws -> Data {
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count >= 0 else { throw system("the connection failed") }
        guard count > 0 else { throw ButterflyError(.session, "the connection ended") }
        return Data(buffer[..<count])
    }

    private static func write(_ bytes: Data, to descriptor: Int32) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { transmit($0, to: descriptor) }
            guard count > 0 else { throw system("the connection failed") }
            rest = rest.dropFirst(count)
        }
    }
}

private func openSocket(to address: String) throws -> Int32 {
    guard let colon = address.lastIndex(of: ":") else {
        throw ButterflyError(.system, "\(address) is no address: HOST:PORT")
    }
    let (host, port) = (String(address[..<colon]), String(address[address.index(after: colon)...]))
    var hints = addrinfo()
    hints.ai_socktype = stream
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, port, &hints, &found) == 0, let first = found else {
        throw ButterflyError(.system, "\(address) cannot be found")
    }
    defer { freeaddrinfo(found) }
    let descriptor = socket(first.pointee.ai_family, stream, 0)
    guard descriptor >= 0 else { throw system("no socket") }
    // Whoever says nothing for so long is lost.
    var patience = timeval(tv_sec: 30, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    guard connect(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 else {
        let error = system("\(address) does not answer")
        close(descriptor)
        throw error
    }
    return descriptor
}

private func system(_ what: String) -> ButterflyError {
    ButterflyError(.system, "\(what): \(String(cString: strerror(errno)))")
}

/// A peer that is gone is an error, not a signal.
private func transmit(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int {
    #if canImport(Glibc)
    send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
    #else
    send(descriptor, bytes.baseAddress, bytes.count, 0)
    #endif
}
