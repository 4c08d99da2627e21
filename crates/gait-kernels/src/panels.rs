//! Output channels in groups that one micro-kernel call produces.

use crate::Isa;
use crate::channel_last::padded;

/// A group of output channels that one micro-kernel call produces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panel {
    /// Its first channel.
    pub start: usize,
    /// Its vectors and its values.
    pub vectors: usize,
    pub width: usize,
}

/// All output channels, padded to whole vectors, in panels as wide as the registers allow.
pub(crate) fn panels(isa: Isa, outputs: usize) -> Vec<Panel> {
    let lanes = isa.lanes();
    let widest = isa.panel_vectors() * lanes;
    let stride = padded(outputs, lanes);
    (0..stride)
        .step_by(widest)
        .map(|start| {
            let width = widest.min(stride - start);
            Panel { start, vectors: width / lanes, width }
        })
        .collect()
}
