// Four members in one process agree on what a Swift function computes; one of
// them lies. With the folder of a client that `butterfly init` made, a running
// cluster is asked instead; with that of a node, its member is run:
//
//     swift run butterfly-example [FOLDER]

import Butterfly
import Foundation

func show(_ answer: ProvenAnswer, of roster: Roster) throws {
    let proven = try roster.verifyProof(answer.proof)
    print("\(roster)")
    print("proven: \(proven.tokens.count) tokens, epochs \(proven.firstEpoch) to \(proven.lastEpoch), "
        + "signed by \(Array(proven.signers))")
}

func run(_ member: NetworkMember) async throws {
    print("member \(member.number) of \(member.roster)")
    async let ended: Void = member.run()
    for await case .committed(let commit) in member.events { print("epoch \(commit.epoch) is decided: \(commit.path)") }
    try await ended
}

let folder = CommandLine.arguments.dropFirst().first.map { URL(fileURLWithPath: $0) }
if let folder, FileManager.default.fileExists(atPath: folder.appendingPathComponent("node.toml").path) {
    try await run(NetworkMember(folder: folder))
} else if let folder {
    let client = try Client(folder: folder)
    let prompt = try Transformer.tokens(of: "Return the ")
    let answer = try await client.submit(prompt, tokens: 40)
    print(try Transformer.text(of: answer.tokens))
    try show(answer, of: client.roster)
} else {
    let model = Model(
        manifest: Data(repeating: 7, count: 32), layers: 2, stages: 2, vocabulary: 128, context: 64, signal: 64,
        tokensPerEpoch: 4)
    // The first stage passes on what came; the last says the letter behind it.
    let cluster = try LocalCluster(model: model, liars: [2]) { _, work in
        let input = work.inputs.last ?? Data()
        return work.stage == 0 ? input : Data([(input.first ?? 0) &+ 1])
    }
    await cluster.start()
    let answer = try await cluster.submit(Data("a".utf8), tokens: 12)
    print(String(decoding: answer.tokens, as: UTF8.self))
    try show(answer, of: cluster.roster)
    for (member, proof) in await cluster.blamed { print("member \(member) is to blame: \(proof.fault)") }
    await cluster.stop()
}
