//! All fuzz targets in one program, since what is instrumented takes long to build: `SPLITBASE_FUZZ` names the one that is run.
#![no_main]

use std::sync::LazyLock;

static TARGET: LazyLock<String> = LazyLock::new(|| std::env::var("SPLITBASE_FUZZ").unwrap_or_default());

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    assert!(
        splitbase::fuzzing::run(&TARGET, data),
        "`SPLITBASE_FUZZ` names none of {:?}",
        splitbase::fuzzing::TARGETS
    );
});
