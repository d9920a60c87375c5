//! The table against itself, and against what is plain.

use super::*;
use std::collections::BTreeSet;

fn class(symptom: &Symptom<'_>) -> (&'static str, FailureClass) {
    let rule = classify(symptom);
    (rule.name, rule.class)
}

#[test]
fn each_rule_has_a_name_of_its_own_and_a_place() {
    let mut names = BTreeSet::new();
    for rule in rules() {
        assert!(names.insert(rule.name), "{}", rule.name);
        assert!(!rule.at.is_empty(), "{}", rule.name);
        let plain = |c: char| c.is_ascii_lowercase() || c == '-';
        assert!(rule.name.chars().all(plain), "{}", rule.name);
        for sign in rule.signs {
            if let Sign::Says(texts) | Sign::Logs(texts) = sign {
                // They are looked for in lower case.
                assert!(
                    texts
                        .iter()
                        .all(|text| !text.is_empty() && *text == text.to_lowercase()),
                    "{}",
                    rule.name
                );
            }
        }
    }
    assert!(names.len() > 80, "{}", names.len());
}

#[test]
fn no_rule_hides_behind_another() {
    // A rule without signs decides for all its places: what comes after it there is never asked.
    let mut closed: Vec<Place> = Vec::new();
    for rule in rules() {
        assert!(
            rule.at.iter().any(|place| !closed.contains(place)),
            "{} is never asked",
            rule.name
        );
        if rule.signs.is_empty() {
            closed.extend(rule.at);
        }
    }
}

#[test]
fn what_is_not_known_is_unknown_and_says_so() {
    for place in [
        Place::RegistryRead,
        Place::RegistryWrite,
        Place::Push,
        Place::Layout,
        Place::Base,
        Place::CacheExport,
        Place::Copy,
        Place::Run,
        Place::Step,
        Place::Buildx,
        Place::NpmDocument,
        Place::NpmTarball,
        Place::GitRefs,
        Place::Version,
    ] {
        let symptom = Symptom {
            text: "something that nobody has said before",
            exit_code: Some(1),
            ..Symptom::at(place)
        };
        assert_eq!(class(&symptom), ("unknown", FailureClass::Unknown), "{place:?}");
        assert!(classify(&symptom).mend(&[]).is_some());
    }
}

#[test]
fn a_status_is_of_the_same_class_wherever_it_comes() {
    let places = [
        Place::RegistryRead,
        Place::RegistryWrite,
        Place::Push,
        Place::Base,
        Place::NpmDocument,
        Place::GitRefs,
    ];
    for status in 100..600 {
        let expected = match status {
            408 | 425 | 429 | 499 | 500 | 502..=504 | 506..=599 => FailureClass::Transient,
            400..=499 | 501 | 505 => FailureClass::Permanent,
            _ => FailureClass::Unknown,
        };
        for place in places {
            let symptom = Symptom {
                status: Some(status),
                ..Symptom::at(place)
            };
            assert_eq!(classify(&symptom).class, expected, "{status} at {place:?}");
        }
    }
    // It is listed, so it comes.
    for status in [404, 410] {
        let symptom = Symptom {
            status: Some(status),
            ..Symptom::at(Place::NpmTarball)
        };
        assert_eq!(
            class(&symptom),
            ("npm-archive-not-there-yet", FailureClass::Transient)
        );
    }
}

#[test]
fn a_trouble_on_the_line_is_of_the_same_class_wherever_it_comes() {
    let all = [
        (Trouble::Refused, FailureClass::Transient),
        (Trouble::Reset, FailureClass::Transient),
        (Trouble::Ended, FailureClass::Transient),
        (Trouble::Unreached, FailureClass::Transient),
        (Trouble::TimedOut, FailureClass::Transient),
        (Trouble::Name, FailureClass::Transient),
        (Trouble::Line, FailureClass::Transient),
        (Trouble::Certificate, FailureClass::Permanent),
        (Trouble::NotSent, FailureClass::Permanent),
        (Trouble::Redirect, FailureClass::Permanent),
        (Trouble::TooLarge, FailureClass::Permanent),
        (Trouble::Garbled, FailureClass::Permanent),
    ];
    for place in [
        Place::RegistryRead,
        Place::RegistryWrite,
        Place::NpmDocument,
        Place::NpmTarball,
    ] {
        for (trouble, expected) in all {
            let symptom = Symptom {
                trouble: Some(trouble),
                ..Symptom::at(place)
            };
            assert_eq!(classify(&symptom).class, expected, "{trouble:?} at {place:?}");
        }
    }
}

#[test]
fn a_mend_names_what_it_is_about() {
    let symptom = Symptom {
        status: Some(403),
        ..Symptom::at(Place::RegistryWrite)
    };
    let rule = classify(&symptom);
    let values = [
        ("host", "r.example"),
        ("repository", "r.example/x"),
        ("may", "write to"),
    ];
    assert_eq!(
        rule.mend(&values).unwrap(),
        "`docker login r.example` with an account that may write to `r.example/x`"
    );
    assert_eq!(
        rule.mend(&[]).unwrap(),
        "`docker login HOST` with an account that may MAY `REPOSITORY`"
    );
}

#[test]
fn a_certificate_of_another_day_is_a_matter_of_the_clock() {
    let text = "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-11-21T08:00:00Z is before 2040-01-01T00:00:00Z";
    for place in [Place::Push, Place::Base] {
        let symptom = Symptom {
            text,
            ..Symptom::at(place)
        };
        let rule = classify(&symptom);
        assert_eq!(rule.class, FailureClass::Permanent);
        assert!(rule.mend.contains("clock"), "{}", rule.name);
    }
    let symptom = Symptom {
        text: "invalid peer certificate: certificate not valid yet",
        trouble: Some(Trouble::Certificate),
        ..Symptom::at(Place::RegistryRead)
    };
    assert_eq!(class(&symptom).0, "registry-certificate-date");
}
