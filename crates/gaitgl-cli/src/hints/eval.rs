//! Hints for embeddings, protocols and tests.

use gait_embeddings::{ColumnError, DecodeError};
use gait_eval::{ComparisonError, EmbeddingsError, EvalError, Misfit, OutcomesError, RocCsvError};
use gaitgl::protocols::ProtocolChoiceError;

use super::file;

pub(super) fn eval(error: &EvalError) -> Option<String> {
    let hint = match error {
        EvalError::Protocol { .. } => {
            "`gaitgl info --protocol NAME` prints a built-in protocol to start from"
        }
        EvalError::Range { .. } => {
            "leave that sequence out if it is an outlier, or multiply all embeddings by one factor"
        }
        EvalError::Shape { .. } => "compare embeddings of one network",
        EvalError::Stopped(_) => "run the same command again",
        // The reason of a misfit is the next cause.
        _ => return None,
    };
    Some(hint.to_owned())
}

pub(super) fn misfit(error: &Misfit) -> Option<String> {
    let hint = match error {
        Misfit::NoPublicProbes => {
            "write its submission file instead, with `gaitgl test --submission FILE.csv`"
        }
        Misfit::NoSequences => {
            "prepare the data with a partition that names test subjects (TEST_SET)"
        }
        Misfit::NoList => {
            "give that file as --partition FILE.json, to `gaitgl prepare` for a prepared set or to \
             `gaitgl test` with --embeddings"
        }
        Misfit::NotFound { .. } => "use --protocol leave-one-out, which fits any data",
        Misfit::NoSubmission => {
            "use --protocol grew or --protocol hid, or a protocol file of your own with that table"
        }
        Misfit::RepeatedProbe { .. } => {
            "rename them: a folder in a tree, a column in a file of embeddings"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

pub(super) fn outcomes(_: &OutcomesError) -> Option<String> {
    Some("write it again with `gaitgl test --json FILE`".to_owned())
}

pub(super) fn comparison(error: &ComparisonError) -> Option<String> {
    match error {
        ComparisonError::Stopped(_) | ComparisonError::NoResult => None,
        _ => Some("test both networks on one prepared set with one --protocol".to_owned()),
    }
}

pub(super) fn roc_csv(_: &RocCsvError) -> Option<String> {
    Some("give a file that `gaitgl test --roc FILE.csv` wrote".to_owned())
}

pub(super) fn embeddings(error: &EmbeddingsError) -> Option<String> {
    match error {
        EmbeddingsError::NotFinite { .. } => {
            Some("check that the training of its network did not diverge".to_owned())
        }
        _ => None,
    }
}

/// How to write Parquet so that the file is not much smaller than its contents.
const UNPACKED: &str = "write it with compression=\"none\" and use_dictionary=False, or as .npz";

pub(super) fn decoded_embeddings(error: &DecodeError) -> Option<String> {
    matches!(error, DecodeError::Rows { .. }).then(|| UNPACKED.to_owned())
}

pub(super) fn column(error: &ColumnError) -> Option<String> {
    let hint = match error {
        ColumnError::Compressed => "write it with numpy.savez instead of savez_compressed",
        ColumnError::FortranOrder => "write numpy.ascontiguousarray of it",
        ColumnError::Pickled => "write its .astype(str)",
        ColumnError::Codec(_) => "write it with compression=\"zstd\" or \"snappy\"",
        ColumnError::DeltaEncoding => "write it with column_encoding=\"PLAIN\", or as .npz",
        ColumnError::Excess(_) => UNPACKED,
        _ => return None,
    };
    Some(hint.to_owned())
}

pub(super) fn protocol(error: &ProtocolChoiceError) -> Option<String> {
    match error {
        ProtocolChoiceError::File(error) => file(error),
        ProtocolChoiceError::Eval(error) => eval(error),
    }
}
