//! Results as files.

use std::path::Path;

use anyhow::anyhow;

/// Writes a value as JSON, whole or not at all.
pub fn write_json(path: &Path, value: &serde_json::Value) -> anyhow::Result<()> {
    write(path, format!("{value:#}\n").as_bytes())
}

/// Writes bytes, whole or not at all.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    gaitgl::files::write_beside(path, bytes)
        .map_err(|e| anyhow!("cannot write {}: {}", path.display(), gait_data::io_reason(&e)))
}
