//! Generates Swift from the built library: with names of modules, which the
//! general generator does not take.

fn main() {
    uniffi::uniffi_bindgen_swift();
}
