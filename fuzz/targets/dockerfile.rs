//! A Dockerfile, whatever it holds.
#![no_main]

use splitbase::inputs::dockerfile::Dockerfile;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = Dockerfile::parse(text);
});
