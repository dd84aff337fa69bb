import Foundation

/// SHA-256 of FIPS 180-4, so that digests are checked by somebody else than the library.
func sha256(_ message: Data) -> Data {
    let primes = (2...311).filter { number in !(2..<number).contains { number % $0 == 0 } }
    // The first bits behind the point of their square and cube roots.
    let fraction = { (root: Double) in UInt32((root - root.rounded(.down)) * 4_294_967_296) }
    var state = primes.prefix(8).map { fraction(Double($0).squareRoot()) }
    let constants = primes.prefix(64).map { fraction(cbrt(Double($0))) }
    var padded = [UInt8](message) + [0x80]
    padded += [UInt8](repeating: 0, count: (120 - padded.count % 64) % 64)
    padded += withUnsafeBytes(of: UInt64(message.count * 8).bigEndian, Array.init)
    let rotate = { (word: UInt32, by: UInt32) in word >> by | word << (32 - by) }
    for block in stride(from: 0, to: padded.count, by: 64) {
        var words = (0..<16).map { word in
            padded[block + 4 * word..<block + 4 * word + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
        for at in 16..<64 {
            let (early, late) = (words[at - 15], words[at - 2])
            let low = rotate(early, 7) ^ rotate(early, 18) ^ early >> 3
            let high = rotate(late, 17) ^ rotate(late, 19) ^ late >> 10
            words.append(words[at - 16] &+ low &+ words[at - 7] &+ high)
        }
        var (a, b, c, d, e, f, g, h) = (
            state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7]
        )
        for at in 0..<64 {
            let choice = (e & f) ^ (~e & g)
            let majority = (a & b) ^ (a & c) ^ (b & c)
            let first = h &+ (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) &+ choice &+ constants[at] &+ words[at]
            let second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) &+ majority
            (h, g, f, e, d, c, b, a) = (g, f, e, d &+ first, c, b, a, first &+ second)
        }
        for (place, word) in [a, b, c, d, e, f, g, h].enumerated() { state[place] &+= word }
    }
    return state.reduce(into: Data()) { $0 += withUnsafeBytes(of: $1.bigEndian, Array.init) }
}
