//! A path in the first line, and an ignore file in the others.
#![no_main]

use splitbase::inputs::Dockerignore;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let (path, rest) = data.split_at(end);
    let (Ok(path), Ok(rules)) = (std::str::from_utf8(path), Dockerignore::parse(rest)) else {
        return;
    };
    let ignored = rules.ignores(path);
    assert_eq!(ignored, rules.line_for(path).is_some());
    assert!(ignored || !rules.ignores_all_of(path));
    assert!(!ignored || rules.empties(path).is_none());
});
