//! Results as files.

use std::path::Path;

use anyhow::anyhow;

/// Writes a value as JSON, whole or not at all.
pub fn write_json(path: &Path, value: &serde_json::Value) -> anyhow::Result<()> {
    write(path, format!("{value:#}\n").as_bytes())
}

/// Writes bytes, whole or not at all.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    gait_support::files::write_atomic(path, bytes)
        .map_err(|e| anyhow!("cannot write {}: {}", path.display(), gait_support::io_reason(&e)))
}
