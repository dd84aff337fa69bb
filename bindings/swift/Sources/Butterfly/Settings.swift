import Foundation

/// A file of `butterfly`: of TOML what it writes, names with numbers, texts or lists of texts.
struct Settings {
    private var values: [String: String] = [:]

    init(_ file: Data) throws(ButterflyError) {
        var begun = ""
        for line in String(decoding: file, as: UTF8.self).split(separator: "\n") {
            begun += line.prefix { $0 != "#" }.trimmingCharacters(in: .whitespaces)
            // A list may go over lines.
            if begun.isEmpty || begun.count(where: { $0 == "[" }) > begun.count(where: { $0 == "]" }) { continue }
            guard let equals = begun.firstIndex(of: "=") else {
                throw ButterflyError(.malformed, "\(begun) is no setting: NAME = VALUE")
            }
            let value = begun[begun.index(after: equals)...].trimmingCharacters(in: .whitespaces)
            values[begun[..<equals].trimmingCharacters(in: .whitespaces)] = value
            begun = ""
        }
    }

    func number(_ name: String) throws(ButterflyError) -> UInt32? {
        guard let value = values[name] else { return nil }
        guard let number = UInt32(value) else { throw wrong(name, "a number") }
        return number
    }

    func text(_ name: String) throws(ButterflyError) -> String? {
        guard let value = values[name] else { return nil }
        guard let text = Self.unquoted(value) else { throw wrong(name, "a text") }
        return text
    }

    /// An error unless it is there.
    func texts(_ name: String) throws(ButterflyError) -> [String] {
        guard let value = values[name], value.hasPrefix("["), value.hasSuffix("]") else {
            throw wrong(name, "a list of texts")
        }
        var texts: [String] = []
        for item in value.dropFirst().dropLast().split(separator: ",") {
            let item = item.trimmingCharacters(in: .whitespaces)
            // A comma may stand behind the last.
            if item.isEmpty { continue }
            guard let text = Self.unquoted(item) else { throw wrong(name, "a list of texts") }
            texts.append(text)
        }
        return texts
    }

    private static func unquoted(_ value: String) -> String? {
        guard value.count >= 2, value.hasPrefix("\""), value.hasSuffix("\"") else { return nil }
        return String(value.dropFirst().dropLast())
    }

    private func wrong(_ name: String, _ what: String) -> ButterflyError {
        ButterflyError(.malformed, "`\(name)` should be \(what)")
    }
}

/// A file in the folder of a party.
func read(_ folder: URL, _ name: String) throws(ButterflyError) -> Data {
    do {
        return try Data(contentsOf: folder.appendingPathComponent(name))
    } catch {
        throw ButterflyError(.system, "cannot read \(name) in \(folder.path): \(error.localizedDescription)")
    }
}

extension Keys {
    /// The keys in the folder of a party.
    convenience init(folder: URL) throws(ButterflyError) {
        try self.init(identity: read(folder, "key"), exchange: read(folder, "exchange-key"))
    }
}
