//! Weights from and for other programs: [`import()`] reads PyTorch and safetensors files, [`export`]
//! writes safetensors, PyTorch and ONNX files. Nothing in a file is executed.

mod error;
mod export;
mod foreign;
mod import;
mod network;
mod onnx;
mod optimizer;
mod options;
mod recognise;
mod safetensors_file;
mod state_dict;
mod torch;

pub use error::{ConstantRate, ExchangeError, ExportFault, ImportFault, OptimizerFault};
pub use export::{ExportFormat, Exported, export};
pub use foreign::ForeignFormat;
pub use import::{Imported, import, import_bytes};
pub use options::ImportOptions;
pub use torch::{MemberFault, TensorFault, TorchFault};
