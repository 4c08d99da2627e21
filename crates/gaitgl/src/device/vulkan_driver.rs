//! What Burn needs of a Vulkan driver and does not ask for itself.

use std::ffi::CStr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wgpu::hal::api::Vulkan;
use wgpu::{Backends, Instance, InstanceDescriptor};

/// Where a driver lacks this, CubeCL 0.11.3 declares shared memory as a pointer to a pointer. That
/// is no valid SPIR-V, and Mesa's compiler ends the process at it. Matrix products and sums are
/// such kernels; an addition is not.
const SHARED_MEMORY_LAYOUT: &CStr = c"VK_KHR_workgroup_memory_explicit_layout";

/// The needed extension that the driver of the device called `name` lacks.
pub fn missing_extension(name: &str) -> Option<&'static str> {
    let instance = Instance::new(InstanceDescriptor {
        backends: Backends::VULKAN,
        ..InstanceDescriptor::new_without_display_handle()
    });
    // Ready at once but in a browser.
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
    // SAFETY: the adapter is asked, neither changed nor destroyed.
    let driver = unsafe { adapter.as_hal::<Vulkan>() };
    driver.is_none_or(|driver| {
        driver.physical_device_capabilities().supports_extension(SHARED_MEMORY_LAYOUT)
    })
}
