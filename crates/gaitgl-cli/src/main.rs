//! gaitgl
fn main() {}
