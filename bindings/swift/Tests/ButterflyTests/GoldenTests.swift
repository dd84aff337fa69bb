import Butterfly
import Foundation
import Testing

/// The vectors that every language runs: bytes are taken or refused with the same words.
@Suite struct GoldenTests {
    static var known: [String: Any] { Vectors.read("cluster") }
    static let roster = try! Roster(decoding: Data(hex: known["roster"] as! String))
    /// What is said for each verdict; of two kinds of statements it may be two things.
    static let reasons = Dictionary(grouping: Vectors.list("errors").map { vector in
        let kind = ButterflyError.Kind(rawValue: (vector["error"] as! String).lowercased())!
        return (verdict: vector["verdict"] as! String, error: ButterflyError(kind, vector["reason"] as! String))
    }) { $0.verdict }.mapValues { $0.map(\.error) }

    static func keys(of member: Int) throws(ButterflyError) -> Keys {
        let members = known["members"] as! [[String: Any]]
        return try Keys(identity: Data(hex: members[member]["seed"] as! String), exchange: Data(count: 32))
    }

    @Test func theClusterIsTheOneOfTheVectors() throws {
        #expect(Self.roster.id == Data(hex: Self.known["id"] as! String))
        #expect(try Self.roster.encoded() == Data(hex: Self.known["roster"] as! String))
        let members = (Self.known["members"] as! [[String: Any]]).map { Data(hex: $0["public"] as! String) }
        #expect(Self.roster.facts.members == members)
        for member in members.indices { #expect(try Self.keys(of: member).publicKey == members[member]) }
    }

    @Test(arguments: ["rosters", "requests", "messages", "records", "proofs", "evidence"])
    func bytesAreTakenOrRefused(_ file: String) throws {
        let vectors = Vectors.list(file)
        #expect(!vectors.isEmpty)
        defer { print("golden vectors: \(vectors.count)") }
        for vector in vectors {
            let name = Comment(rawValue: vector["name"] as! String)
            let bytes = Data(hex: vector["bytes"] as! String)
            let verdict = vector["verdict"] as! String
            do {
                try Self.check(vector["type"] as! String, bytes)
                #expect(verdict == "accepted", name)
            } catch {
                guard let expected = Self.reasons[verdict] else {
                    #expect(verdict == "placement" && error.kind == .roster, name)
                    continue
                }
                #expect(expected.contains(error), name)
            }
        }
    }

    static func check(_ type: String, _ bytes: Data) throws(ButterflyError) {
        switch type {
        case "envelope": _ = try roster.verifyMessage(bytes)
        case "signed_request": _ = try roster.readRequest(bytes)
        case "roster": _ = try Roster(decoding: bytes)
        // Records are of member 1, those of workers of member 4.
        case "record": _ = try Node(roster: roster, keys: keys(of: bytes.first == 2 ? 4 : 1), record: bytes)
        case "commit_proof": _ = try roster.verifyProof(bytes)
        case "evidence": _ = try roster.verifyEvidence(bytes)
        default: Issue.record("no check for \(type)")
        }
    }

    @Test func framesAreTheOnlyOnesOfWhatTheySay() throws {
        let vectors = Vectors.list("frames")
        defer { print("golden vectors: \(vectors.count)") }
        for vector in vectors {
            let name = Comment(rawValue: vector["name"] as! String)
            let frame = Data(hex: vector["bytes"] as! String)
            let verdict = vector["verdict"] as! String
            do throws(ButterflyError) {
                if vector["type"] as! String == "inputs" {
                    let inputs = try Frame.inputs(in: frame)
                    #expect(try Frame.packing(inputs) == frame, name)
                    let node = try Node(roster: Self.roster, keys: Self.keys(of: 0), record: nil)
                    #expect(try Frame.steps(in: node.stepPacked(frame)).count == inputs.count, name)
                } else {
                    #expect(try Frame.packing(Frame.steps(in: frame)) == frame, name)
                }
                #expect(verdict == "accepted", name)
            } catch {
                #expect(Self.reasons[verdict]?.contains(error) == true, name)
            }
        }
    }

    @Test func digestsAreThoseOfTheirPreimages() {
        let vectors = Vectors.list("digests")
        defer { print("golden vectors: \(vectors.count)") }
        for vector in vectors {
            let digest = sha256(Data(hex: vector["preimage"] as! String))
            #expect(digest == Data(hex: vector["digest"] as! String), Comment(rawValue: vector["name"] as! String))
        }
    }
}

enum Vectors {
    static func read(_ name: String) -> [String: Any] {
        let folder = ProcessInfo.processInfo.environment["BUTTERFLY_GOLDEN"]
            ?? "\(URL(fileURLWithPath: #filePath).deletingLastPathComponent().path)/../../../golden/vectors"
        let bytes = try! Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name).json"))
        return try! JSONSerialization.jsonObject(with: bytes) as! [String: Any]
    }

    static func list(_ name: String) -> [[String: Any]] { read(name)["vectors"] as! [[String: Any]] }
}

extension Data {
    init(hex: String) {
        let digits = Array(hex.utf8)
        let nibble = { (digit: UInt8) -> UInt8 in digit <= 57 ? digit - 48 : digit - 87 }
        self.init(stride(from: 0, to: digits.count, by: 2).map { nibble(digits[$0]) << 4 | nibble(digits[$0 + 1]) })
    }
}
