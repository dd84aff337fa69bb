import Butterfly
import Testing

/// The error with which `body` fails, as it should.
func refusal(_ body: () throws -> some Any) -> ButterflyError? {
    do {
        _ = try body()
        Issue.record("it did not fail")
        return nil
    } catch {
        return error as? ButterflyError
    }
}

func refusal(_ body: () async throws -> some Any) async -> ButterflyError? {
    do {
        _ = try await body()
        Issue.record("it did not fail")
        return nil
    } catch {
        return error as? ButterflyError
    }
}
