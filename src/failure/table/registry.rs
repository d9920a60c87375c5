//! Requests of this program to a registry, and to the server that gives it tokens.

use super::{FailureClass, FailureKind, IMPOSSIBLE_STATUS, PASSING_STATUS, Rule};
use crate::failure::place::Place::{self, RegistryRead, RegistryWrite};
use crate::failure::rule::Sign;
use crate::failure::trouble::Trouble;

const BOTH: &[Place] = &[RegistryRead, RegistryWrite];

pub(super) const RULES: &[Rule] = &[
    // Seen once, with docker-registry 2.8 shortly after a killed push: a child that had been acknowledged was not seen. Why is not known;
    // another attempt costs little, and a child that is really missing fails all of them.
    Rule {
        name: "registry-child-unseen",
        at: &[RegistryWrite],
        signs: &[Sign::Code(&["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"])],
        kind: FailureKind::Request,
        class: FailureClass::Transient,
        mend: "",
    },
    Rule {
        name: "registry-rate-limit",
        at: BOTH,
        signs: &[Sign::Status(&[(429, 429)])],
        kind: FailureKind::Request,
        class: FailureClass::Transient,
        mend: "{host} limits the rate of requests: log in with an account that has a higher limit, or wait",
    },
    Rule {
        name: "registry-busy",
        at: BOTH,
        signs: &[Sign::Status(PASSING_STATUS)],
        kind: FailureKind::Request,
        class: FailureClass::Transient,
        mend: "",
    },
    Rule {
        name: "registry-denied",
        at: BOTH,
        signs: &[Sign::Status(&[(401, 401), (403, 403)])],
        kind: FailureKind::Request,
        class: FailureClass::Permanent,
        mend: "`docker login {host}` with an account that may {may} `{repository}`",
    },
    Rule {
        name: "registry-too-large",
        at: BOTH,
        signs: &[Sign::Status(&[(413, 413)])],
        kind: FailureKind::Request,
        class: FailureClass::Permanent,
        mend: "{host}, or a proxy before it, limits the size of uploads",
    },
    Rule {
        name: "registry-refused",
        at: BOTH,
        signs: &[Sign::Status(&[(400, 499)])],
        kind: FailureKind::Request,
        class: FailureClass::Permanent,
        mend: "",
    },
    Rule {
        name: "registry-cannot",
        at: BOTH,
        signs: &[Sign::Status(IMPOSSIBLE_STATUS)],
        kind: FailureKind::Request,
        class: FailureClass::Permanent,
        mend: "",
    },
    Rule {
        name: "registry-certificate-date",
        at: BOTH,
        signs: &[
            Sign::Trouble(&[Trouble::Certificate]),
            Sign::Says(&["expired", "not valid yet", "not yet valid"]),
        ],
        kind: FailureKind::Request,
        class: FailureClass::Permanent,
        mend: "see whether this machine's clock is right: `date`; else the certificate of {host} has to be renewed",
    },
    Rule {
        name: "registry-certificate",
        at: BOTH,
        signs: &[Sign::Trouble(&[Trouble::Certificate])],
        kind: FailureKind::Request,
        class: FailureClass::Permanent,
        mend: "a company's own certificate authority belongs in the system's store, or in the file that SSL_CERT_FILE names",
    },
    Rule {
        name: "registry-no-request",
        at: BOTH,
        signs: &[Sign::Trouble(&[
            Trouble::NotSent,
            Trouble::Redirect,
            Trouble::TooLarge,
            Trouble::Garbled,
        ])],
        kind: FailureKind::Request,
        class: FailureClass::Permanent,
        mend: "",
    },
    Rule {
        name: "registry-not-there",
        at: BOTH,
        signs: &[Sign::Trouble(&[Trouble::Refused, Trouble::Unreached])],
        kind: FailureKind::Request,
        class: FailureClass::Transient,
        mend: "is the registry at {host} running?",
    },
    Rule {
        name: "registry-line",
        at: BOTH,
        signs: &[Sign::Trouble(&[
            Trouble::Reset,
            Trouble::Ended,
            Trouble::TimedOut,
            Trouble::Name,
            Trouble::Line,
        ])],
        kind: FailureKind::Request,
        class: FailureClass::Transient,
        mend: "",
    },
];
