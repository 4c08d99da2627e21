-- Version 2. Silhouettes of templates, as the program encodes them; sealed in an encrypted gallery.

CREATE TABLE silhouettes (
    template INTEGER PRIMARY KEY REFERENCES template (id) ON DELETE CASCADE,
    frames   BLOB NOT NULL
);
