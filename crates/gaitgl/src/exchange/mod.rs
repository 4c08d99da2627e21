//! Weights from and for other programs: [`import()`] reads files of PyTorch, [`export`] writes
//! safetensors, PyTorch and ONNX. Nothing of a file is executed.

mod error;
mod export;
mod foreign;
mod import;
mod onnx;
mod optimizer;
mod recognise;
mod state_dict;
mod torch;

pub use error::ExchangeError;
pub use export::{Exported, Format, export};
pub use foreign::{ForeignFormat, foreign_format};
pub use import::{ImportOptions, Imported, import, import_bytes};
