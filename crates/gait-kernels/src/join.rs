//! The two branches of a global-local layer, and how they become one map.

/// How the two branches of a global-local layer become one map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// Eqn. 2: the sum.
    Sum,
    /// Eqn. 3: global rows above local rows.
    Stack,
}

impl Join {
    /// Frames of one branch that fit into a frame of the joined map: 1 for a sum, 2 for a stack.
    pub fn maps(self) -> usize {
        match self {
            Self::Sum => 1,
            Self::Stack => 2,
        }
    }

    /// Where a branch starts in a joined frame, in frames of one branch: 0 global, 1 local.
    pub(crate) fn place(self, branch: usize) -> usize {
        match self {
            Self::Sum => 0,
            Self::Stack => branch,
        }
    }
}

/// One convolution of a layer.
#[derive(Clone, Copy)]
pub(crate) struct Branch<W> {
    /// `[co, ci, kt, kh, kw]`.
    pub weight: W,
    /// Whether the regions of the problem restrict it.
    pub restricted: bool,
}

impl<W> Branch<W> {
    /// The global branch and the local one, which alone is restricted.
    pub fn both([global, local]: [W; 2]) -> [Self; 2] {
        [Self { weight: global, restricted: false }, Self { weight: local, restricted: true }]
    }
}
