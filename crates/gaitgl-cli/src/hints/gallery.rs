//! Hints for galleries.

use gait_eval::RateError;
use gait_gallery::{ConsentError, GalleryError, KeyError, PortableProblem, Record, StoreProblem};

use super::eval::{embeddings, eval};
use super::{file, system};

const UPDATE: &str = "update this program";
const RESTORE: &str = "restore a backup; the damaged file is left as it is";

// A transparent variant hides its inner error from the chain, so each function asks the inner
// error's function itself.
pub(super) fn gallery(error: &GalleryError) -> Option<String> {
    let hint = match error {
        GalleryError::Store(error) => return store(&error.problem),
        GalleryError::Key(error) => return key(error),
        GalleryError::Consent(error) => return consent(error),
        GalleryError::Embeddings(error) => return embeddings(error),
        GalleryError::Compare(error) => return eval(error),
        GalleryError::Rate(error) => return rate(error),
        GalleryError::Portable(error) => return portable(&error.problem),
        GalleryError::UnknownSubject { nearest: None, .. } => {
            "`gaitgl gallery list` prints all names"
        }
        GalleryError::NameTaken { .. } => {
            "choose another name, or join two names of one person with `gaitgl gallery merge`"
        }
        GalleryError::InvalidName { .. } => {
            "choose a name with visible characters and no space at its ends"
        }
        GalleryError::SameSubject { .. } => "give two names of one person",
        GalleryError::NoConsent { .. } => {
            "give one with --consent \"who, when, purpose, until\", or one for everybody with \
             `gaitgl gallery policy`"
        }
        GalleryError::ConsentEnded { name, .. } => {
            return Some(format!(
                "renew it with `gaitgl gallery consent {name:?} \"who, when, purpose, until\"`"
            ));
        }
        GalleryError::OtherNetwork { .. } | GalleryError::OtherShape { .. } => {
            "give the gallery's network with --checkpoint; if its people were enrolled with \
             --keep-silhouettes, `gaitgl gallery rebuild` makes it one of this network; otherwise \
             enrol them again in a new gallery"
        }
        GalleryError::NoSilhouettes { .. } => {
            "enrol everybody again in a new gallery, with --keep-silhouettes if you want to rebuild it \
             later"
        }
        GalleryError::NoTemplates => "give a source in which one person walks",
        GalleryError::DamagedRecord { record: Record::SubjectKey(_) } => {
            "restore a backup of the subjects' keys"
        }
        GalleryError::DamagedRecord { .. } => RESTORE,
        GalleryError::NotErased(_) => {
            "run `gaitgl gallery purge` when no other program uses the gallery"
        }
        // The nearest name is in the message, and the system's reason is the next cause.
        _ => return None,
    };
    Some(hint.to_owned())
}

pub(super) fn store(problem: &StoreProblem) -> Option<String> {
    let hint = match problem {
        StoreProblem::Missing => {
            "check the path; `gaitgl enrol` and `gaitgl gallery import` make a new gallery"
        }
        StoreProblem::NotAGallery => "give the file of a gallery; this one is left as it is",
        StoreProblem::Damaged(_) => RESTORE,
        StoreProblem::Newer { .. } => UPDATE,
        StoreProblem::Locked => "wait until it has finished, then run the command again",
        StoreProblem::ReadOnly => "change the permissions of the file and of its folder",
        StoreProblem::Full => "free some space, then run the command again",
        // The cause is next.
        _ => return None,
    };
    Some(hint.to_owned())
}

pub(super) fn key(error: &KeyError) -> Option<String> {
    let hint = match error {
        KeyError::File(error) => return file(error),
        KeyError::NotAKey { .. } | KeyError::Wrong { .. } => {
            "give the key file with which the gallery was made"
        }
        KeyError::Needed => "give its key file with --key-file",
        KeyError::NotEncrypted => {
            "leave out --key-file; to encrypt its people, export them and import them into a new \
             gallery with --key-file"
        }
        KeyError::SubjectKeys { problem, .. } => return store(problem),
        KeyError::SubjectKeysMissing { .. } | KeyError::NotSubjectKeys { .. } => {
            "put those of this key file there, from their backup"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

pub(super) fn consent(error: &ConsentError) -> Option<String> {
    let hint = match error {
        ConsentError::Order { .. } => "correct one of the two",
        _ => "write it like \"signed form 12, 2026-11-02, door camera, 2027-11-01\"",
    };
    Some(hint.to_owned())
}

pub(super) fn portable(problem: &PortableProblem) -> Option<String> {
    let hint = match problem {
        PortableProblem::Io(error) => return system(error),
        PortableProblem::NotAGallery => "give a file that `gaitgl gallery export` wrote",
        PortableProblem::Newer { .. } => UPDATE,
        _ => "export the gallery again",
    };
    Some(hint.to_owned())
}

pub(super) fn rate(error: &RateError) -> Option<String> {
    let hint = match error {
        RateError::NotARate(_) => "give a fraction such as --far 0.01".to_owned(),
        RateError::NoPairs => {
            "enrol a second person, or measure on a prepared set with --data".to_owned()
        }
        RateError::TooFewPairs { rate, .. } => format!(
            "it needs {:.0} pairs: enrol more people, measure on a prepared set of more people with \
             --data, or give a larger --far",
            (3.0 / rate).ceil()
        ),
        _ => return None,
    };
    Some(hint)
}

#[cfg(test)]
mod tests {
    use gait_gallery::StoreError;

    use super::super::hint;
    use super::*;

    #[test]
    fn the_problem_of_a_store_is_advised_through_transparent_errors() {
        let locked = || StoreError { path: "people.db".into(), problem: StoreProblem::Locked };
        let expected = store(&StoreProblem::Locked);
        assert!(expected.is_some());
        assert_eq!(hint(&locked().into()), expected);
        assert_eq!(hint(&GalleryError::Store(locked()).into()), expected);
        let erased = hint(&GalleryError::NotErased(locked()).into());
        assert!(erased.is_some_and(|hint| hint.contains("gallery purge")));
    }

    #[test]
    fn a_rate_that_is_too_small_is_answered_with_what_it_needs() {
        let error = RateError::TooFewPairs { rate: 0.001, smallest: 3.0 / 90.0, pairs: 90 };
        let hint = hint(&GalleryError::Rate(error).into()).unwrap();
        assert!(hint.contains("3000 pairs") && hint.contains("--far"), "{hint}");
    }

    #[test]
    fn an_ended_consent_is_renewed_by_name() {
        let until = "2026-01-02T00:00:00Z".parse().unwrap();
        let error = GalleryError::ConsentEnded { name: "Ben B".to_owned(), until };
        assert!(gallery(&error).unwrap().contains("gallery consent \"Ben B\""));
    }
}
