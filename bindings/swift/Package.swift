// swift-tools-version:6.0
import PackageDescription

// The Rust library is found where `BUTTERFLY_LIBRARY` says, by default where
// `cargo xtask bindings test` leaves it.
let library = Context.environment["BUTTERFLY_LIBRARY"] ?? "\(Context.packageDirectory)/../../target/bindings/swift"

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
        .target(name: "Butterfly", dependencies: ["ButterflyBindings"]),
        .executableTarget(name: "butterfly-example", dependencies: ["Butterfly"], path: "Examples"),
        .testTarget(name: "ButterflyTests", dependencies: ["Butterfly"]),
    ]
)
