//! A `variants.toml`, whatever it holds; its errors are told as well.
#![no_main]

use camino::Utf8Path;
use splitbase::config::{Overrides, parse};
use splitbase::environment::Environment;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let file = Utf8Path::new("variants.toml");
    if let Err(errors) = parse(text, file, &Environment::default(), &Overrides::default()) {
        let _ = errors.to_string();
    }
});
