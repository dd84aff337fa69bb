import Foundation

/// Waits for what another thread does. A task must not block, so a thread waits for it.
func wait(for event: DispatchSemaphore) async {
    await withCheckedContinuation { waiting in
        Thread.detachNewThread {
            event.wait()
            waiting.resume()
        }
    }
}
