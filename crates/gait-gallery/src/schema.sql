-- Version 1. Details are JSON, embeddings are floats of 32 bits, little-endian; in an encrypted gallery
-- both are sealed.

CREATE TABLE setting (
    name  TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- AUTOINCREMENT: the audit and the keys refer to ids, which are therefore never used again.
CREATE TABLE subject (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    details BLOB NOT NULL
);

CREATE TABLE template (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    subject   INTEGER NOT NULL REFERENCES subject (id) ON DELETE CASCADE,
    details   BLOB NOT NULL,
    embedding BLOB NOT NULL
);
CREATE INDEX template_subject ON template (subject);

-- No reference to subjects: entries outlive them.
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,  -- milliseconds since 1970, UTC
    who     TEXT NOT NULL,
    event   TEXT NOT NULL,
    subject INTEGER,
    other   INTEGER
);
CREATE INDEX audit_at ON audit (at);

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

-- INSERT OR REPLACE deletes without a DELETE trigger.
CREATE TRIGGER audit_is_never_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;
