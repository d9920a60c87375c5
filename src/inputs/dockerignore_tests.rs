use super::*;
use proptest::prelude::*;

fn ignores(lines: &str, path: &str) -> bool {
    Dockerignore::parse(lines).unwrap().ignores(path)
}

#[test]
fn one_pattern() {
    // Pattern, path, whether it is kept out. Facts of moby's own table among them.
    for (pattern, path, expected) in [
        ("*", "file.go", true),
        ("*.go", "file.go", true),
        ("*.go", "dir/file.go", false),
        ("**/*.go", "dir/file.go", true),
        ("**/*.go", "file.go", true),
        ("**", "file", true),
        ("**/", "file", true),
        ("**", "dir/file", true),
        ("**/**", "dir/file", true),
        ("dir/**", "dir", false),
        ("dir/**", "dir/file", true),
        ("dir/**", "dir/dir2/file", true),
        ("dir", "dir/dir2/file", true),
        ("dir/", "dir/dir2/file", true),
        ("/dir/", "dir/dir2/file", true),
        ("./dir/../dir", "dir/file", true),
        ("/", "dir", false),
        (".", "dir", false),
        ("../dir", "dir", false),
        ("dir", "sub/dir", false),
        ("dir", "directory", false),
        ("**/dir", "dir/file", true),
        ("**/dir", "a/b/dir/file", true),
        ("**/dir2/*", "dir/dir2/file", true),
        ("**/dir2/**", "dir/dir2/dir3/file", true),
        ("**file", "dir/dir/file", true),
        ("**file", "myfile", true),
        ("**/file*", "dir/dir/file.txt", true),
        ("**/file*txt", "dir/dir/file.txt", true),
        ("**/**/*.txt2", "dir/dir/file.txt", false),
        ("a**/*.txt", "a/file.txt", true),
        ("a**/*.txt", "a/dir/dir/file.txt", true),
        ("a/*.txt", "a/dir/file.txt", false),
        ("a/*.txt**", "a/file.txt", true),
        ("a[b-d]e", "ae", false),
        ("a[b-d]e", "ace", true),
        ("a[b-d]e", "aae", false),
        ("a[^b-d]e", "aze", true),
        (".*", ".foo", true),
        (".*", "foo", false),
        ("abc.def", "abcdef", false),
        ("abc.def", "abcZdef", false),
        ("abc?def", "abcZdef", true),
        ("abc?def", "abcdef", false),
        ("a\\\\", "a\\", true),
        ("**/foo/bar", "foo/bar", true),
        ("**/foo/bar", "dir/dir2/foo/bar", true),
        ("**/.foo", ".foo", true),
        ("**/.foo", "bar.foo", false),
        ("a(b)c/def", "a(b)c/def", true),
        ("a(b)c/def", "a(b)c/xyz", false),
        ("a.|)$(}+{bc", "a.|)$(}+{bc", true),
        ("dist/*.whl", "dist/proxy-2.4.0rc3.dev36+g08-py3.whl", true),
        ("a\\*b", "a*b", true),
        ("a\\*b", "ab", false),
        ("a*", "ab/c", true),
        ("a*/b", "abc/b", true),
        ("a*/b", "a/c/b", false),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/f", true),
        ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false),
        ("a*b?c*x", "abxbbxdbxebxczzx", true),
        ("a*b?c*x", "abxbbxdbxebxczzy", false),
        ("a?b", "a☺b", true),
        ("a???b", "a☺b", false),
        ("a?b", "a/b", false),
        ("[a-ζ]*", "α", true),
        ("*[a-ζ]", "A", false),
        ("[\\]a]", "]", true),
        ("[x\\-]", "-", true),
        ("[\\-x]", "a", false),
        ("*x", "xxx", true),
        (" # not a comment", "# not a comment", true),
        ("  spaced  ", "spaced", true),
        ("with space", "with space", true),
        ("!file\n*.txt", "file", false),
        ("\u{feff}bom", "bom", true),
        ("crlf\r\nother\r", "crlf", true),
        ("#comment\nx", "#comment", false),
        ("\\#comment", "#comment", true),
        ("Foo", "foo", false),
        ("**/#*#", "a/#x#", true),
    ] {
        assert_eq!(ignores(pattern, path), expected, "{pattern:?} {path:?}");
    }
}

#[test]
fn exceptions() {
    for (lines, path, expected) in [
        ("!f.go\n*.go", "f.go", true),
        ("*.go\n!f.go", "f.go", false),
        ("docs\n!docs/README.md", "docs/README.md", false),
        ("docs\n!docs/README.md", "docs/other", true),
        ("docs/\n!docs/README.md", "docs/README.md", false),
        ("docs/*\n!docs/README.md", "docs/README.md", false),
        ("**\n!util/docker/web", "util/docker/web/foo", false),
        (
            "**\n!util/docker/web\nutil/docker/web/foo",
            "util/docker/web/foo",
            true,
        ),
        ("**\n!dist/*.whl", "dist/a-1+b.whl", false),
        ("*\n!rootfs", "rootfs/etc/motd", false),
        ("*\n!rootfs\nrootfs/secret", "rootfs/secret/key", true),
        ("*\n! /rootfs/", "rootfs/etc", false),
        ("a\n!a/b\na/b/c\n!a/b/c/d", "a/b/c/d/e", false),
        ("a\n!a/b\na/b/c\n!a/b/c/d", "a/b/c/x", true),
        // A rule that changed nothing for the folder is not inherited: BuildKit sends `a/c`.
        ("a\n!a/c\na", "a/c", false),
        ("**/*.md\n!README*.md\nREADME-secret.md", "README-x.md", false),
        ("**/*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true),
    ] {
        assert_eq!(ignores(lines, path), expected, "{lines:?} {path:?}");
    }
}

#[test]
fn malformed_lines_are_named() {
    for (text, line) in [
        ("!", 1),
        ("a\n\n! ", 3),
        ("[", 1),
        ("a[", 1),
        ("[]a]", 1),
        ("[-]", 1),
        ("[x-]", 1),
        ("[-x]", 1),
        ("[a-b-c]", 1),
        ("[^", 1),
        ("[^bc", 1),
        ("[b-a]", 1),
        ("ok\n\\", 2),
    ] {
        assert_eq!(Dockerignore::parse(text).unwrap_err().line, line, "{text:?}");
    }
}

#[test]
fn the_line_that_keeps_out_is_known() {
    let ignore = Dockerignore::parse("# x\n*.md\nrootfs\n").unwrap();
    assert_eq!(ignore.line_for("rootfs/etc"), Some(3));
    assert_eq!(ignore.line_for("src"), None);
}

proptest! {
    /// What is pruned (a folder that is kept out, and no exception reaches below it) holds nothing that would have been let through.
    #[test]
    fn pruning_loses_nothing(
        lines in prop::collection::vec("!?(\\*\\*/)?[ab*](/[ab*]){0,2}(/\\*\\*)?", 1..6),
        path in "[ab](/[ab]){1,3}",
    ) {
        let ignore = Dockerignore::parse(&lines.join("\n")).unwrap();
        for (at, _) in path.match_indices('/') {
            let folder = &path[..at];
            if ignore.ignores(folder) && !ignore.may_reinclude_below(folder) {
                prop_assert!(ignore.ignores(&path), "{lines:?} {path}");
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}", path in "[a-z*.]{1,5}(/[a-z]{1,3}){0,3}") {
        if let Ok(ignore) = Dockerignore::parse(&text) {
            let _ = ignore.ignores(&path);
        }
    }
}
