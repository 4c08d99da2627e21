//! `gaitgl info --machine`: what multiplies on this machine, and how fast.

use std::time::Duration;

use gait_kernels::bf16::Bf16Unit;
use gait_kernels::{Isa, peak};

use crate::commands::print_line;

/// How long each peak is measured.
const TIME: Duration = Duration::from_millis(100);

/// Prints the description.
pub fn print() {
    let threads = rayon::current_num_threads();
    let used = Isa::best();
    let unit = Bf16Unit::best();
    print_line(format!("processor  {}, {threads} threads", processor()));
    print_line(format!("f32        {used:?}"));
    let faster = if unit.pays() {
        "faster than f32: used for videos and galleries, unless --precision f32 is given"
    } else {
        "not faster than f32: used only if --precision bf16 is given"
    };
    print_line(format!("bf16       {unit:?}; {faster}"));
    print_line("");
    print_line(format!("{:24} {:>14} {:>14}", "TFLOP/s, measured", "one thread", "all threads"));
    for isa in Isa::available() {
        print_peak("f32", &format!("{isa:?}"), isa == used, || peak::measure_f32(isa, TIME));
    }
    for other in Bf16Unit::available() {
        let name = format!("{other:?}");
        print_peak("bf16", &name, other == unit, || peak::measure_bf16(other, TIME));
    }
}

/// Prints what one thread reaches, and all threads together.
fn print_peak(precision: &str, name: &str, is_used: bool, measure: impl Fn() -> f64 + Sync) {
    let one = measure();
    let all: f64 = rayon::broadcast(|_| measure()).into_iter().sum();
    let used = if is_used { "" } else { "   not used" };
    let name = format!("{precision:5}{name}");
    print_line(format!("{name:24} {:>14.3} {:>14.3}{used}", one / 1e12, all / 1e12));
}

/// The name of the processor, if the system tells it.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim());
    name.unwrap_or(std::env::consts::ARCH).to_owned()
}
