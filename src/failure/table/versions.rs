//! Sources of versions: npm registries, git repositories, commands.

use super::{FailureClass, FailureKind, IMPOSSIBLE_STATUS, PASSING_STATUS, Rule};
use crate::failure::place::Place::{self, Command, GitRefs, NpmDocument, NpmTarball, Version};
use crate::failure::rule::Sign;
use crate::failure::trouble::Trouble;

const ALL: &[Place] = &[NpmDocument, NpmTarball, GitRefs, Command, Version];
const NPM: &[Place] = &[NpmDocument, NpmTarball];
const HTTP: &[Place] = &[NpmDocument, NpmTarball, GitRefs];

const MEND_REACH: &str =
    "see whether the source can be reached from here; `--set {name}=VERSION` does without it";
const MEND_GIT: &str = "git never asks here: set up a credential helper, an SSH key or a public address";
const MEND_CERTIFICATE: &str =
    "a certificate authority of your own is taken from the system's store or `SSL_CERT_FILE`";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "version-interrupted",
        at: ALL,
        signs: &[Sign::Trouble(&[Trouble::Interrupted])],
        kind: FailureKind::Cancelled,
        class: FailureClass::Permanent,
        mend: "",
    },
    // Seen: the dist-tag had moved on, the archive was still 404 two minutes later.
    Rule {
        name: "npm-archive-not-there-yet",
        at: &[NpmTarball],
        signs: &[Sign::Status(&[(404, 404), (410, 410)])],
        kind: FailureKind::Version,
        class: FailureClass::Transient,
        mend: "the registry has not caught up with itself: run again later, or name an exact version",
    },
    Rule {
        name: "npm-not-listed-yet",
        at: NPM,
        signs: &[Sign::Trouble(&[Trouble::Behind])],
        kind: FailureKind::Version,
        class: FailureClass::Transient,
        mend: "the registry has not caught up with itself: run again later, or name an exact version",
    },
    Rule {
        name: "npm-no-package",
        at: &[NpmDocument],
        signs: &[Sign::Status(&[(404, 404)])],
        kind: FailureKind::Version,
        class: FailureClass::Permanent,
        mend: "a private package may look like this to those who show no credentials",
    },
    Rule {
        name: "version-busy",
        at: HTTP,
        signs: &[Sign::Status(PASSING_STATUS)],
        kind: FailureKind::Version,
        class: FailureClass::Transient,
        mend: MEND_REACH,
    },
    Rule {
        name: "version-rate-limit",
        at: HTTP,
        signs: &[Sign::Status(&[(429, 429)])],
        kind: FailureKind::Version,
        class: FailureClass::Transient,
        mend: "the source limits the rate of requests: wait, or do without it: `--set {name}=VERSION`",
    },
    Rule {
        name: "git-denied-by-status",
        at: &[GitRefs],
        signs: &[Sign::Status(&[(401, 401), (403, 403)])],
        kind: FailureKind::Version,
        class: FailureClass::Permanent,
        mend: MEND_GIT,
    },
    Rule {
        name: "version-refused",
        at: HTTP,
        signs: &[Sign::Status(&[(400, 499)])],
        kind: FailureKind::Version,
        class: FailureClass::Permanent,
        mend: "",
    },
    Rule {
        name: "version-cannot",
        at: HTTP,
        signs: &[Sign::Status(IMPOSSIBLE_STATUS)],
        kind: FailureKind::Version,
        class: FailureClass::Permanent,
        mend: "",
    },
    Rule {
        name: "version-certificate",
        at: NPM,
        signs: &[Sign::Trouble(&[Trouble::Certificate])],
        kind: FailureKind::Version,
        class: FailureClass::Permanent,
        mend: MEND_CERTIFICATE,
    },
    Rule {
        name: "version-no-answer",
        at: HTTP,
        signs: &[Sign::Trouble(&[
            Trouble::Refused,
            Trouble::Reset,
            Trouble::Ended,
            Trouble::Unreached,
            Trouble::TimedOut,
            Trouble::Name,
            Trouble::Line,
        ])],
        kind: FailureKind::Version,
        class: FailureClass::Transient,
        mend: MEND_REACH,
    },
    Rule {
        name: "version-answer",
        at: ALL,
        signs: &[Sign::Trouble(&[
            Trouble::Garbled,
            Trouble::TooLarge,
            Trouble::Redirect,
            Trouble::NotSent,
            Trouble::Absent,
            Trouble::Meaningless,
        ])],
        kind: FailureKind::Version,
        class: FailureClass::Permanent,
        mend: "",
    },
    Rule {
        name: "git-not-installed",
        at: &[GitRefs],
        signs: &[Sign::Trouble(&[Trouble::NoProgram])],
        kind: FailureKind::Version,
        class: FailureClass::Permanent,
        mend: "install git",
    },
    Rule {
        name: "git-no-ref",
        at: &[GitRefs],
        signs: &[Sign::Exit(2)],
        kind: FailureKind::Version,
        class: FailureClass::Permanent,
        mend: "a branch, a tag, a full ref or a commit of 40 hex digits; short commits cannot be asked for",
    },
    Rule {
        name: "git-tls",
        at: &[GitRefs],
        signs: &[Sign::Says(&[
            "wrong version number",
            "ssl connect error",
            "unexpected tls packet",
        ])],
        kind: FailureKind::Version,
        class: FailureClass::Permanent,
        mend: "the server speaks no TLS that git understands: see whether the address should begin with `http`, or name another port",
    },
    Rule {
        name: "git-certificate",
        at: &[GitRefs],
        signs: &[Sign::Says(&["certificate", "ssl peer", "tls alert"])],
        kind: FailureKind::Version,
        class: FailureClass::Permanent,
        mend: "git does not trust the server's certificate: a certificate authority of your own is named by git's `http.sslCAInfo`",
    },
    Rule {
        name: "git-denied",
        at: &[GitRefs],
        signs: &[Sign::Says(&[
            "authentication failed",
            "could not read username",
            "could not read password",
            "permission denied",
            "terminal prompts disabled",
            "host key verification failed",
        ])],
        kind: FailureKind::Version,
        class: FailureClass::Permanent,
        mend: MEND_GIT,
    },
    Rule {
        name: "git-line",
        at: &[GitRefs],
        signs: &[Sign::Says(&[
            "could not resolve host",
            "temporary failure in name resolution",
            "failed to connect",
            "couldn't connect",
            "could not connect",
            "connection refused",
            "connection reset",
            "connection timed out",
            "operation timed out",
            "connection closed by",
            "empty reply from server",
            "transfer closed",
            "early eof",
            "rpc failed",
            "hung up unexpectedly",
            "unexpected disconnect",
        ])],
        kind: FailureKind::Version,
        class: FailureClass::Transient,
        mend: MEND_REACH,
    },
    Rule {
        name: "git-no-repository",
        at: &[GitRefs],
        signs: &[Sign::Says(&[
            "does not appear to be a git repository",
            "not found",
            "does not exist",
            "no such file or directory",
            "not valid: is this a git repository",
            "strange pathname",
            "strange hostname",
        ])],
        kind: FailureKind::Version,
        class: FailureClass::Permanent,
        mend: "see whether the address is right; a private repository may look like this to those who show no credentials",
    },
    // Only its author knows whether a command may be run again.
    Rule {
        name: "command-failed",
        at: &[Command],
        signs: &[],
        kind: FailureKind::Version,
        class: FailureClass::Permanent,
        mend: "",
    },
];
