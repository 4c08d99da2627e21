//! The store in a SQLite file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::database::{self, PATIENCE};
use crate::store::{Records, Store, StoreError, StoreProblem, TemplateRecord, Visit};
use crate::{AuditEntry, AuditQuery, By, Event, GalleryError};

/// Marks the file as a gallery: "GAIT".
const APPLICATION: i64 = 0x4741_4954;
/// Each step leads from the version that is its place to the next one.
const MIGRATIONS: [&str; 2] = [include_str!("schema.sql"), include_str!("schema_2.sql")];
/// SQLite's number for files that give back empty pages when they are asked to.
const INCREMENTAL_VACUUM: i64 = 2;

/// A gallery's records in a SQLite file.
///
/// Several programs may use one file at the same time. Beside the file, SQLite keeps `-wal` (changes
/// that are not in the file yet) and `-shm` while it is in use.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    path: PathBuf,
}

impl SqliteStore {
    /// Opens a gallery.
    ///
    /// # Errors
    /// A file that is missing, damaged, locked, or not a gallery. It is never changed then.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |problem| StoreError { path: path.to_owned(), problem };
        if !path.exists() {
            return Err(failed(StoreProblem::Missing));
        }
        Self::connect(path).map_err(failed)
    }

    /// Opens a gallery, or makes an empty one where there is no file. Only the owner may read it.
    ///
    /// # Errors
    /// As [`SqliteStore::open`], and a place where no file can be made.
    pub fn open_or_create(path: &Path) -> Result<Self, StoreError> {
        let failed = |problem| StoreError { path: path.to_owned(), problem };
        database::create_if_missing(path).map_err(|e| failed(e.into()))?;
        Self::connect(path).map_err(failed)
    }

    fn connect(path: &Path) -> Result<Self, StoreProblem> {
        let mut connection = database::connect(path, APPLICATION, &MIGRATIONS)?;
        // Set before the first table is made, and never again: it would write to the file, for which
        // programs that only read would have to wait.
        if database::pragma(&connection, "auto_vacuum")? != INCREMENTAL_VACUUM {
            connection.pragma_update(None, "auto_vacuum", INCREMENTAL_VACUUM)?;
        }
        switch_to_wal(&connection)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "secure_delete", true)?;
        database::migrate(&mut connection, APPLICATION, &MIGRATIONS)?;
        Ok(Self { connection, path: path.to_owned() })
    }

    fn failed(&self, problem: impl Into<StoreProblem>) -> StoreError {
        StoreError { path: self.path.clone(), problem: problem.into() }
    }

    /// Gives back the pages that nothing is in. Each step of the statement gives back one.
    fn shrink(&self) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare("PRAGMA incremental_vacuum")?;
        let mut steps = statement.query([])?;
        while steps.next()?.is_some() {}
        Ok(())
    }
}

/// Waits for other programs that do the same: SQLite itself does not wait for this change.
fn switch_to_wal(connection: &Connection) -> Result<(), StoreProblem> {
    let began = Instant::now();
    loop {
        let changed = connection.pragma_update(None, "journal_mode", "WAL");
        match changed.map_err(StoreProblem::from) {
            Err(StoreProblem::Locked) if began.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

impl Store for SqliteStore {
    fn read<T>(
        &self,
        work: impl FnOnce(&dyn Records) -> Result<T, GalleryError>,
    ) -> Result<T, GalleryError> {
        let transaction = self.connection.unchecked_transaction().map_err(|e| self.failed(e))?;
        // Ends with the transaction that is dropped, of which nothing has to be kept.
        work(&Rows { connection: &transaction, path: &self.path })
    }

    fn write<T>(
        &mut self,
        work: impl FnOnce(&dyn Records) -> Result<T, GalleryError>,
    ) -> Result<T, GalleryError> {
        let path = self.path.clone();
        let failed = |e: rusqlite::Error| StoreError { path: path.clone(), problem: e.into() };
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior).map_err(failed)?;
        let result = work(&Rows { connection: &transaction, path: &path })?;
        transaction.commit().map_err(failed)?;
        Ok(result)
    }

    /// `secure_delete` has overwritten the records with zeros. Here the file gives back their pages,
    /// and the former states of all pages disappear from the `-wal` file. No `VACUUM`: it would write
    /// a copy of all other people's records to a temporary file.
    fn erase(&mut self) -> Result<(), StoreError> {
        self.shrink().map_err(|e| self.failed(e))?;
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        let busy = self.connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        match busy.map_err(|e| self.failed(e))? {
            0 => Ok(()),
            _ => Err(self.failed(StoreProblem::Locked)),
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        database::check_integrity(&self.connection, "integrity_check")
            .map_err(|e| self.failed(e))?;
        let orphans = self.connection.query_row("PRAGMA foreign_key_check", [], |_| Ok(()));
        match orphans.optional().map_err(|e| self.failed(e))? {
            None => Ok(()),
            Some(()) => Err(self.failed(StoreProblem::Damaged(None))),
        }
    }
}

/// The records, within a transaction.
struct Rows<'a> {
    connection: &'a Connection,
    path: &'a Path,
}

impl Rows<'_> {
    fn failed(&self, problem: impl Into<StoreProblem>) -> StoreError {
        StoreError { path: self.path.to_owned(), problem: problem.into() }
    }

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| self.failed(e))?;
        statement.execute(values).map_err(|e| self.failed(e))?;
        Ok(())
    }

    fn all<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare(sql).map_err(|e| self.failed(e))?;
        let rows = statement.query_map(values, row).map_err(|e| self.failed(e))?;
        rows.collect::<Result<_, _>>().map_err(|e| self.failed(e))
    }
}

impl Records for Rows<'_> {
    fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT value FROM setting WHERE name = ?1";
        let value = self.connection.query_row(sql, [name], |row| row.get(0));
        value.optional().map_err(|e| self.failed(e))
    }

    fn set_setting(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        let sql = "INSERT INTO setting (name, value) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.execute(sql, params![name, value])
    }

    fn subjects(&self) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let sql = "SELECT id, details FROM subject ORDER BY id";
        self.all(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn add_subject(&self) -> Result<i64, StoreError> {
        self.execute("INSERT INTO subject (details) VALUES (x'')", [])?;
        Ok(self.connection.last_insert_rowid())
    }

    fn set_subject(&self, id: i64, details: &[u8]) -> Result<(), StoreError> {
        self.execute("UPDATE subject SET details = ?2 WHERE id = ?1", params![id, details])
    }

    fn remove_subject(&self, id: i64) -> Result<(), StoreError> {
        self.execute("DELETE FROM subject WHERE id = ?1", [id])
    }

    fn add_template(
        &self,
        subject: i64,
        details: &[u8],
        embedding: &[u8],
    ) -> Result<i64, StoreError> {
        let sql = "INSERT INTO template (subject, details, embedding) VALUES (?1, ?2, ?3)";
        self.execute(sql, params![subject, details, embedding])?;
        Ok(self.connection.last_insert_rowid())
    }

    fn set_template(&self, id: i64, details: &[u8], embedding: &[u8]) -> Result<(), StoreError> {
        let sql = "UPDATE template SET details = ?2, embedding = ?3 WHERE id = ?1";
        self.execute(sql, params![id, details, embedding])
    }

    fn add_silhouettes(&self, template: i64, frames: &[u8]) -> Result<(), StoreError> {
        let sql = "INSERT INTO silhouettes (template, frames) VALUES (?1, ?2)";
        self.execute(sql, params![template, frames])
    }

    fn silhouettes(&self, template: i64) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT frames FROM silhouettes WHERE template = ?1";
        let frames = self.connection.query_row(sql, [template], |row| row.get(0));
        frames.optional().map_err(|e| self.failed(e))
    }

    fn templates(&self, subject: Option<i64>, visit: Visit) -> Result<(), GalleryError> {
        let chosen = if subject.is_some() { "subject = ?1" } else { "?1 IS NULL" };
        let sql = format!(
            "SELECT id, subject, details, embedding FROM template WHERE {chosen} ORDER BY id"
        );
        let mut statement = self.connection.prepare(&sql).map_err(|e| self.failed(e))?;
        let rows = statement.query_map([subject], |row| {
            Ok(TemplateRecord {
                id: row.get(0)?,
                subject: row.get(1)?,
                details: row.get(2)?,
                embedding: row.get(3)?,
            })
        });
        for row in rows.map_err(|e| self.failed(e))? {
            visit(row.map_err(|e| self.failed(e))?)?;
        }
        Ok(())
    }

    fn template_counts(&self) -> Result<BTreeMap<i64, u64>, StoreError> {
        let sql = "SELECT subject, count(*) FROM template GROUP BY subject";
        let counts = self.all(sql, [], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
        Ok(counts.into_iter().map(|(subject, count)| (subject, count.unsigned_abs())).collect())
    }

    fn append_audit(&self, by: &By, event: &Event) -> Result<(), StoreError> {
        let sql = "INSERT INTO audit (at, who, event, subject, other) VALUES (?1, ?2, ?3, ?4, ?5)";
        let text = serde_json::to_string(event).map_err(|e| self.failed(damaged(e)))?;
        let [subject, other] = event.subjects();
        self.execute(sql, params![by.at.as_millisecond(), by.who, text, subject, other])
    }

    fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        let sql = "SELECT id, at, who, event FROM audit
                   WHERE at BETWEEN ifnull(?1, at) AND ifnull(?2, at)
                     AND (?3 IS NULL OR subject = ?3 OR other = ?3)
                   ORDER BY id";
        let [from, to] = [query.from, query.to].map(|at| at.map(Timestamp::as_millisecond));
        let read = |row: &rusqlite::Row<'_>| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?))
        };
        let rows: Vec<(i64, i64, String, String)> =
            self.all(sql, params![from, to, query.subject], read)?;
        let entry = |(id, at, who, event): (i64, i64, String, String)| {
            let at = Timestamp::from_millisecond(at).map_err(|e| self.failed(damaged(e)))?;
            let event = serde_json::from_str(&event).map_err(|e| self.failed(damaged(e)))?;
            Ok(AuditEntry { id, at, who, event })
        };
        rows.into_iter().map(entry).collect()
    }
}

fn damaged(cause: impl std::error::Error + Send + Sync + 'static) -> StoreProblem {
    StoreProblem::Damaged(Some(cause.into()))
}
