//! The device and the tolerances of tests. The integration tests include this file too.

use std::sync::OnceLock;

use burn::tensor::Device;

use super::{DeviceChoice, cpu};

/// The CPU, or the device that `GAITGL_TEST_DEVICE` names.
pub fn test_device() -> Device {
    // Opened once: the check whether it computes replaces the panic hook, which all threads share.
    static DEVICE: OnceLock<Device> = OnceLock::new();
    let open = || {
        let name = std::env::var("GAITGL_TEST_DEVICE").unwrap_or_else(|_| "cpu".into());
        let device = name.parse().and_then(DeviceChoice::open);
        device.unwrap_or_else(|error| panic!("GAITGL_TEST_DEVICE: {error}"))
    };
    DEVICE.get_or_init(open).clone()
}

/// How far values may be from the expected ones, relative to the largest: `on_cpu` on the CPU. GPUs
/// may multiply f32 as TF32, which keeps 10 bits of the fraction, and sum in another order.
pub fn test_tolerance(on_cpu: f32) -> f32 {
    if test_device() == cpu() { on_cpu } else { on_cpu.max(5e-3) }
}
