//! SQLite files that are ours: opened with care, never taken from others.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use gait_support::files;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, ffi};

use crate::store::StoreProblem;

/// How long to wait for other programs.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait for them at a time.
const PAUSE: Duration = Duration::from_millis(2);
/// Files up to this size are checked whole when they are opened, which takes a fraction of a second.
const CHECKED_AT_ONCE: u64 = 64 << 20;
/// The smallest page of SQLite, in bytes.
const SMALLEST_PAGE: u64 = 512;

/// Makes an empty file that only its owner may read, unless there is one.
pub fn create_if_missing(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    match files::create_private(path, &[]) {
        // Another program was first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Opens a file that is empty or marked by `application`, without changing it.
///
/// The file is not read before SQLite does: to close it would free the locks that SQLite holds for
/// other connections of this process.
pub fn connect(path: &Path, application: i64, steps: &[&str]) -> Result<Connection, StoreProblem> {
    let length = fs::metadata(path)?.len();
    // SQLite takes a file that is shorter than a page for an empty one.
    if (1..SMALLEST_PAGE).contains(&length) {
        return Err(StoreProblem::NotAGallery);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(wait_for_others))?;
    check_application(&connection, application, steps.len())?;
    if length <= CHECKED_AT_ONCE {
        check_integrity(&connection, "quick_check")?;
    }
    Ok(connection)
}

/// Waits for other programs, and says whether to try again.
///
/// SQLite's own handler soon sleeps for a tenth of a second. A program that writes without a pause
/// leaves gaps that are far shorter, so it would keep the others out until they give up.
fn wait_for_others(attempts: i32) -> bool {
    thread::sleep(PAUSE);
    u128::from(attempts.unsigned_abs()) < PATIENCE.as_millis() / PAUSE.as_millis()
}

fn check_application(
    connection: &Connection,
    application: i64,
    latest: usize,
) -> Result<(), StoreProblem> {
    let known = i64::try_from(latest).unwrap_or(i64::MAX);
    let found = pragma(connection, "user_version")?;
    let sql = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    match pragma(connection, "application_id")? {
        mark if mark == application && found > known => Err(StoreProblem::Newer { found, known }),
        mark if mark == application => Ok(()),
        0 if tables == 0 && found == 0 => Ok(()),
        _ => Err(StoreProblem::NotAGallery),
    }
}

/// Marks the file, and brings its tables to the latest version. Each step leads from the version that
/// is its place to the next one.
pub fn migrate(
    connection: &mut Connection,
    application: i64,
    steps: &[&str],
) -> Result<(), StoreProblem> {
    let version = |connection: &Connection| -> Result<usize, StoreProblem> {
        Ok(usize::try_from(pragma(connection, "user_version")?).unwrap_or(0))
    };
    if version(connection)? == steps.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another program may have been first.
    for step in steps.iter().skip(version(&transaction)?) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", application)?;
    transaction.execute_batch(&format!("PRAGMA user_version = {}", steps.len()))?;
    Ok(transaction.commit()?)
}

/// Runs `quick_check` or `integrity_check`.
pub fn check_integrity(connection: &Connection, check: &str) -> Result<(), StoreProblem> {
    let found: String = connection.pragma_query_value(None, check, |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(StoreProblem::Damaged(Some(found.into()))) }
}

/// The number that a setting of the file has.
pub fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

impl From<rusqlite::Error> for StoreProblem {
    fn from(error: rusqlite::Error) -> Self {
        let extended = error.sqlite_error().map(|error| error.extended_code);
        match error.sqlite_error_code() {
            // The file that programs share while they use the gallery could not grow.
            _ if extended == Some(ffi::SQLITE_IOERR_SHMSIZE) => Self::Full,
            Some(ErrorCode::NotADatabase) => Self::NotAGallery,
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged(Some(error.into())),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            Some(ErrorCode::DiskFull) => Self::Full,
            _ => Self::Other(error.into()),
        }
    }
}

impl From<io::Error> for StoreProblem {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull => Self::Full,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ => Self::Other(error.into()),
        }
    }
}
