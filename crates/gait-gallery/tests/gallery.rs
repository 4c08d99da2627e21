//! What may be done with a gallery, in every store.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{by, day, enrolment, me, names, network, template, until, windows};
use gait_eval::{Distance, OpenSetRule, RateError, Watch, open_set};
use gait_gallery::{
    AuditQuery, Calibration, Decision, Doubt, Event, Gallery, GalleryError, Measured, MemoryStore,
    Removal, SqliteStore, Store,
};

/// Runs a check with each store.
macro_rules! in_every_store {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        fn $name() {
            checks::$name(Gallery::open(MemoryStore::default(), None, &me()).unwrap());
            let folder = tempfile::tempdir().unwrap();
            let store = SqliteStore::open_or_create(&folder.path().join("people.db")).unwrap();
            checks::$name(Gallery::open(store, None, &me()).unwrap());
        }
    )*};
}

in_every_store!(
    subjects_keep_what_was_said_of_them,
    nobody_is_enrolled_without_a_consent_that_holds,
    other_networks_and_shapes_are_refused,
    names_are_changed_and_unique,
    merged_subjects_are_one_with_the_shorter_consent,
    removed_subjects_leave_a_number_in_the_audit,
    expired_subjects_are_no_candidates_and_are_purged,
    the_audit_is_found_by_time_and_subject,
    calibrations_are_kept_with_what_they_rest_on,
    a_failure_changes_nothing,
);

fn events<S: Store>(gallery: &Gallery<S>) -> Vec<Event> {
    let entries = gallery.audit(&AuditQuery::default()).unwrap();
    entries.into_iter().map(|entry| entry.event).collect()
}

mod checks {
    use super::*;

    pub fn subjects_keep_what_was_said_of_them<S: Store>(mut gallery: Gallery<S>) {
        let id = gallery.enrol("ben", &enrolment(1.0, 2), &me()).unwrap();
        assert_eq!(gallery.enrol("ben", &enrolment(1.0, 1), &by(day("02-01"))).unwrap(), id);
        let ben = gallery.subject("ben").unwrap();
        assert_eq!((ben.id, ben.created, ben.templates), (id, day("01-02"), 3));
        assert_eq!((ben.consent, ben.own_consent), (until("06-30"), true));
        let templates = gallery.templates("ben").unwrap();
        assert_eq!(templates.len(), 3);
        assert_eq!(templates[0].network, "aaaa");
        assert_eq!(templates[0].origin, template([0.0; 6]).origin);
        assert_eq!(gallery.network().unwrap(), Some(network()));
        let e = gallery.embeddings(day("02-01")).unwrap().unwrap();
        assert_eq!(e.row(1), enrolment(1.0, 2).templates[1].values);
        assert_eq!(e.name(1).to_string(), "ben/door.mp4/090");
        gallery.check().unwrap();
        let error = gallery.subject("bem").unwrap_err().to_string();
        assert_eq!(error, "nobody in the gallery is named `bem` (did you mean `ben`?)");
    }

    pub fn nobody_is_enrolled_without_a_consent_that_holds<S: Store>(mut gallery: Gallery<S>) {
        let mut without = enrolment(1.0, 1);
        without.consent = None;
        let error = gallery.enrol("ben", &without, &me()).unwrap_err();
        assert!(matches!(error, GalleryError::NoConsent { name } if name == "ben"));
        let late = by(day("07-01"));
        let error = gallery.enrol("ben", &enrolment(1.0, 1), &late).unwrap_err();
        assert!(matches!(error, GalleryError::ConsentEnded { .. }), "{error}");
        assert!(names(&gallery).is_empty());

        // The gallery's consent holds for those without one, and follows its changes.
        gallery.set_policy(&until("03-31"), &me()).unwrap();
        gallery.enrol("ben", &without, &me()).unwrap();
        let ben = gallery.subject("ben").unwrap();
        assert_eq!((ben.consent, ben.own_consent), (until("03-31"), false));
        gallery.enrol("cleo", &enrolment(2.0, 1), &me()).unwrap();
        gallery.set_policy(&until("12-31"), &me()).unwrap();
        assert_eq!(gallery.subject("ben").unwrap().consent, until("12-31"));
        assert_eq!(gallery.subject("cleo").unwrap().consent, until("06-30"));
        // One that has ended is renewed, alone or with new templates.
        assert!(gallery.enrol("cleo", &without, &late).is_err());
        gallery.set_consent("cleo", &until("11-30"), &late).unwrap();
        gallery.enrol("cleo", &without, &late).unwrap();
        assert_eq!(gallery.subject("cleo").unwrap().consent, until("11-30"));
    }

    pub fn other_networks_and_shapes_are_refused<S: Store>(mut gallery: Gallery<S>) {
        gallery.enrol("ben", &enrolment(1.0, 1), &me()).unwrap();
        let mut other = enrolment(1.0, 1);
        other.network.fingerprint = "bbbb".to_owned();
        let error = gallery.enrol("cleo", &other, &me()).unwrap_err();
        let expected =
            "the gallery holds embeddings of network aaaa, and these are of network bbbb";
        assert_eq!(error.to_string(), expected);
        let index = gallery.index(&other.network, Distance::Strips, day("01-02"));
        assert!(matches!(index, Err(GalleryError::OtherNetwork { .. })));
        let mut shape = enrolment(1.0, 1);
        shape.network.channels = 2;
        shape.network.strips = 3;
        let error = gallery.enrol("cleo", &shape, &me()).unwrap_err();
        assert!(matches!(error, GalleryError::OtherShape { gallery: [3, 2], given: [2, 3] }));

        for values in [vec![0.0; 5], vec![0.0; 12], vec![f32::NAN; 6]] {
            let mut wrong = enrolment(1.0, 2);
            wrong.templates[1].values = values;
            let error = gallery.enrol("cleo", &wrong, &me()).unwrap_err();
            assert!(matches!(error, GalleryError::Embeddings(_)), "{error}");
        }
        let none = enrolment(1.0, 0);
        let error = gallery.enrol("cleo", &none, &me()).unwrap_err();
        assert!(matches!(error, GalleryError::NoTemplates));
        assert_eq!(names(&gallery), ["ben"]);

        // An empty gallery takes any network.
        gallery.remove("ben", &me()).unwrap();
        gallery.enrol("cleo", &other, &me()).unwrap();
        assert_eq!(gallery.network().unwrap(), Some(other.network));
    }

    pub fn names_are_changed_and_unique<S: Store>(mut gallery: Gallery<S>) {
        let id = gallery.enrol("ben", &enrolment(1.0, 1), &me()).unwrap();
        gallery.enrol("cleo", &enrolment(2.0, 1), &me()).unwrap();
        let error = gallery.rename("ben", "cleo", &me()).unwrap_err();
        assert!(matches!(error, GalleryError::NameTaken { name } if name == "cleo"));
        gallery.rename("ben", "Бен", &me()).unwrap();
        assert_eq!(gallery.subject("Бен").unwrap().id, id);
        assert!(matches!(gallery.subject("ben"), Err(GalleryError::UnknownSubject { .. })));
        for wrong in ["", " ben", "ben\n", "a\tb"] {
            let error = gallery.rename("cleo", wrong, &me()).unwrap_err();
            assert!(matches!(error, GalleryError::InvalidName { .. }), "{wrong:?}");
        }
    }

    pub fn merged_subjects_are_one_with_the_shorter_consent<S: Store>(mut gallery: Gallery<S>) {
        let mut short = enrolment(1.0, 2);
        short.consent = Some(until("03-31"));
        let from = gallery.enrol("ben", &short, &me()).unwrap();
        let into = gallery.enrol("Ben B.", &enrolment(1.5, 1), &me()).unwrap();
        let error = gallery.merge("ben", "ben", &me()).unwrap_err();
        assert!(matches!(error, GalleryError::SameSubject { .. }));
        gallery.merge("ben", "Ben B.", &me()).unwrap();
        assert_eq!(names(&gallery), ["Ben B."]);
        let merged = gallery.subject("Ben B.").unwrap();
        assert_eq!((merged.id, merged.templates, merged.consent), (into, 3, until("03-31")));
        assert_eq!(events(&gallery).last().unwrap(), &Event::Merged { subject: into, from });
        let e = gallery.embeddings(day("02-01")).unwrap().unwrap();
        assert_eq!(e.row(2), short.templates[1].values);
        gallery.check().unwrap();
    }

    pub fn removed_subjects_leave_a_number_in_the_audit<S: Store>(mut gallery: Gallery<S>) {
        let id = gallery.enrol("ben", &enrolment(1.0, 2), &me()).unwrap();
        gallery.remove("ben", &me()).unwrap();
        assert!(names(&gallery).is_empty());
        assert_eq!(gallery.embeddings(day("01-02")).unwrap(), None);
        let removed = Event::Removed { subject: id, templates: 2, reason: Removal::Asked };
        let enrolled = Event::Enrolled { subject: id, templates: 2 };
        assert_eq!(events(&gallery), [Event::Created { encrypted: false }, enrolled, removed]);
        // Numbers are not used again: the audit would speak of somebody else.
        assert!(gallery.enrol("ben", &enrolment(1.0, 1), &me()).unwrap() > id);
        assert!(matches!(gallery.remove("cleo", &me()), Err(GalleryError::UnknownSubject { .. })));
    }

    pub fn expired_subjects_are_no_candidates_and_are_purged<S: Store>(mut gallery: Gallery<S>) {
        let mut short = enrolment(1.0, 1);
        short.consent = Some(until("03-31"));
        let ben = gallery.enrol("ben", &short, &me()).unwrap();
        gallery.enrol("cleo", &enrolment(3.0, 1), &me()).unwrap();
        let april = day("04-01");
        let named = |index: &gait_gallery::Index, now| -> Vec<String> {
            let candidates = index.rank(&windows(&[1.0]), now, 9).unwrap();
            candidates.into_iter().map(|candidate| candidate.subject).collect()
        };
        // Also if it ends while the index is in use.
        let old = gallery.index(&network(), Distance::Strips, day("02-01")).unwrap();
        assert_eq!(named(&old, day("02-01")), ["ben", "cleo"]);
        assert_eq!(named(&old, april), ["cleo"]);
        let new = gallery.index(&network(), Distance::Strips, april).unwrap();
        assert_eq!((new.subjects(), new.templates()), (1, 1));
        assert_eq!(named(&new, april), ["cleo"]);
        assert_eq!(gallery.embeddings(april).unwrap().unwrap().subjects(), ["cleo"]);

        assert!(gallery.expired(day("03-31")).unwrap().is_empty());
        assert_eq!(gallery.expired(april).unwrap()[0].name, "ben");
        assert!(gallery.purge(&by(day("03-31"))).unwrap().is_empty());
        assert_eq!(gallery.purge(&by(april)).unwrap(), [ben]);
        let removed = Event::Removed { subject: ben, templates: 1, reason: Removal::Expired };
        assert_eq!(events(&gallery).last(), Some(&removed));
        assert_eq!(names(&gallery), ["cleo"]);
        assert!(gallery.revision().unwrap() > old.revision());
        let late = gallery.index(&network(), Distance::Strips, day("12-01")).unwrap();
        let candidates = late.rank(&windows(&[1.0]), day("12-01"), 9).unwrap();
        let rule = OpenSetRule { threshold: 1.0, margin: 0.0 };
        assert_eq!(Decision::new(&candidates, rule), Decision::Unknown(Doubt::NobodyKnown));
    }

    pub fn the_audit_is_found_by_time_and_subject<S: Store>(mut gallery: Gallery<S>) {
        let ben = gallery.enrol("ben", &enrolment(1.0, 1), &by(day("02-01"))).unwrap();
        gallery.enrol("cleo", &enrolment(2.0, 1), &by(day("03-01"))).unwrap();
        let revision = gallery.revision().unwrap();
        let seen = Event::Identified {
            source: "door".to_owned(),
            subject: Some(ben),
            distance: Some(0.25),
        };
        gallery.record(&seen, &by(day("04-01"))).unwrap();
        assert_eq!(gallery.revision().unwrap(), revision, "nothing was changed");
        let count = |query: AuditQuery| gallery.audit(&query).unwrap().len();
        let [february, march] = [Some(day("02-01")), Some(day("03-01"))];
        assert_eq!(count(AuditQuery::default()), 4);
        assert_eq!(count(AuditQuery { from: february, to: march, subject: None }), 2);
        assert_eq!(count(AuditQuery { from: march, ..AuditQuery::default() }), 2);
        assert_eq!(count(AuditQuery { to: february, ..AuditQuery::default() }), 2);
        let about = AuditQuery { subject: Some(ben), ..AuditQuery::default() };
        let entries = gallery.audit(&about).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[1].event, seen);
        assert_eq!((&*entries[1].who, entries[1].at), ("anna@door", day("04-01")));
        assert!(entries[0].id < entries[1].id);
    }

    pub fn calibrations_are_kept_with_what_they_rest_on<S: Store>(mut gallery: Gallery<S>) {
        for (name, at) in [("ben", 1.0), ("cleo", 2.0), ("dora", 4.0)] {
            gallery.enrol(name, &enrolment(at, 2), &me()).unwrap();
        }
        let e = gallery.embeddings(day("01-02")).unwrap().unwrap();
        let scores = open_set(&e, Distance::Flat, &Watch::silent()).unwrap();
        let measured = || Measured {
            distance: Distance::Flat,
            network: "aaaa".to_owned(),
            source: "gallery".to_owned(),
        };
        // Six templates, two other people each.
        let few = Calibration::new(&scores, 0.01, 0.1, measured(), day("01-02")).unwrap_err();
        assert_eq!(few, RateError::TooFewPairs { rate: 0.01, smallest: 0.25, pairs: 12 });
        let made = Calibration::new(&scores, 0.25, 0.1, measured(), day("01-02")).unwrap();
        assert_eq!(made.pairs, 12);
        // Ben and Cleo are nearest: four pairs, of which three are allowed.
        let pairs = scores.pairs(made.rule.threshold);
        assert!(pairs.false_accept.unwrap() <= 0.25);
        assert_eq!(gallery.calibration().unwrap(), None);
        gallery.set_calibration(&made, &me()).unwrap();
        assert_eq!(gallery.calibration().unwrap(), Some(made.clone()));
        let threshold = made.rule.threshold;
        let expected = Event::Calibrated { threshold, false_accept_rate: 0.25, pairs: 12 };
        assert_eq!(events(&gallery).last(), Some(&expected));

        let other = Calibration { network: "bbbb".to_owned(), ..made };
        let error = gallery.set_calibration(&other, &me()).unwrap_err();
        assert!(matches!(error, GalleryError::OtherNetwork { .. }));
    }

    pub fn a_failure_changes_nothing<S: Store>(mut gallery: Gallery<S>) {
        gallery.enrol("ben", &enrolment(1.0, 1), &me()).unwrap();
        let before = (gallery.subjects().unwrap(), events(&gallery), gallery.revision().unwrap());
        let text = concat!(
            r#"{"gallery":{"version":1,"network":{"fingerprint":"aaaa","channels":3,"strips":2},"#,
            r#""policy":{"who":"w","when":"2026-01-01T00:00:00Z","purpose":"p","until":"#,
            r#""2026-12-31T00:00:00Z"},"calibration":null}}"#,
            "\n",
            r#"{"subject":{"name":"eve","created":"2026-01-01T00:00:00Z","consent":null}}"#,
            "\n",
        );
        // Without an end, after a policy and a subject were read.
        let error = gallery.import(&mut text.as_bytes(), &me()).unwrap_err();
        assert!(matches!(error, GalleryError::Portable(_)), "{error}");
        let after = (gallery.subjects().unwrap(), events(&gallery), gallery.revision().unwrap());
        assert_eq!(before, after);
        assert_eq!(gallery.policy().unwrap(), None);
    }
}
