//! Checks what Burn needs from a Vulkan driver but does not check itself.

use std::ffi::CStr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wgpu::hal::api::Vulkan;
use wgpu::{Backends, Instance, InstanceDescriptor};

/// If a driver lacks this extension, CubeCL 0.11.3 declares shared memory as a pointer to a pointer.
/// That is not valid SPIR-V, and Mesa's compiler aborts the process. Matrix products and sums are
/// such kernels; an addition is not.
const SHARED_MEMORY_LAYOUT: &CStr = c"VK_KHR_workgroup_memory_explicit_layout";

/// The required extension that the driver of the device called `name` lacks.
pub fn missing_extension(name: &str) -> Option<&'static str> {
    let instance = Instance::new(InstanceDescriptor {
        backends: Backends::VULKAN,
        ..InstanceDescriptor::new_without_display_handle()
    });
    // Ready at once except in a browser.
    let mut adapters = pin!(instance.enumerate_adapters(Backends::VULKAN));
    let Poll::Ready(adapters) = adapters.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    else {
        return None;
    };
    let mut adapters = adapters.iter().filter(|adapter| adapter.get_info().name == name);
    adapters
        .any(|adapter| !has_shared_memory_layout(adapter))
        .then(|| SHARED_MEMORY_LAYOUT.to_str().unwrap_or_default())
}

#[allow(unsafe_code)]
fn has_shared_memory_layout(adapter: &wgpu::Adapter) -> bool {
    // SAFETY: the handle is only read here, and neither kept, changed nor destroyed.
    let driver = unsafe { adapter.as_hal::<Vulkan>() };
    driver.is_none_or(|driver| {
        driver.physical_device_capabilities().supports_extension(SHARED_MEMORY_LAYOUT)
    })
}
