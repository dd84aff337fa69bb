// Four members in one process agree on what a Swift function computes; one of
// them lies. With the folder of a client, a running cluster is asked instead:
//
//     swift run butterfly-example [CLIENT-FOLDER]

import Butterfly
import Foundation

func show(_ answer: ProvenAnswer, of roster: Roster) throws {
    let proven = try roster.verifyProof(answer.proof)
    print("\(roster)")
    print("proven: \(proven.tokens.count) tokens, epochs \(proven.firstEpoch) to \(proven.lastEpoch), "
        + "signed by \(Array(proven.signers))")
}

if let folder = CommandLine.arguments.dropFirst().first {
    let client = try Client(folder: URL(fileURLWithPath: folder))
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
