// swift-tools-version:6.0
import PackageDescription

// The Rust library is found where `BUTTERFLY_LIBRARY` says, by default where
// `cargo xtask bindings test` leaves it.
let library = Context.environment["BUTTERFLY_LIBRARY"] ?? "\(Context.packageDirectory)/../../target/bindings/swift"

// What is written by hand. The tests of the repository take no warning in it;
// whoever has a later compiler may be warned of more, and builds it all the same.
let byHand: [SwiftSetting] = [.swiftLanguageMode(.v6)]
    + (Context.environment["BUTTERFLY_STRICT"] == nil ? [] : [.unsafeFlags(["-warnings-as-errors"])])

let package = Package(
    name: "Butterfly",
    platforms: [.macOS(.v15), .iOS(.v18)],
    products: [.library(name: "Butterfly", targets: ["Butterfly"])],
    targets: [
        .systemLibrary(name: "ButterflyFFI"),
        .target(
            name: "ButterflyBindings",
            dependencies: ["ButterflyFFI"],
            // Generated for this language mode.
            swiftSettings: [.swiftLanguageMode(.v5)],
            linkerSettings: [.unsafeFlags(["-L\(library)"])]
        ),
        .target(name: "Butterfly", dependencies: ["ButterflyBindings"], swiftSettings: byHand),
        .executableTarget(
            name: "butterfly-example", dependencies: ["Butterfly"], path: "Examples", swiftSettings: byHand),
        .testTarget(name: "ButterflyTests", dependencies: ["Butterfly", "ButterflyBindings"], swiftSettings: byHand),
    ]
)
