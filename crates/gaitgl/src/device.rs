//! Where a network runs: on the CPU, or on a GPU that both this build and this machine support.

#[cfg(feature = "vulkan")]
mod vulkan_driver;

use std::fmt;
use std::panic;
use std::str::FromStr;

use burn::tensor::{Device, Tensor};

/// The processor.
pub fn cpu() -> Device {
    Device::flex()
}

/// Whether a device is the processor, with or without gradients.
pub(crate) fn is_cpu(device: &Device) -> bool {
    device.clone().without_autodiff() == cpu()
}

/// The choice of a device, written `auto`, `cpu`, `vulkan`, `vulkan:1`, `cuda` or `cuda:1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU that this build supports and that works, else the CPU.
    Auto,
    /// The processor.
    Cpu,
    /// A GPU by its number.
    Gpu(Api, usize),
}

/// The programming interface of a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// NVIDIA GPUs.
    Cuda,
    /// Any GPU with a Vulkan driver. Discrete GPUs come first, drivers that compute on the CPU last.
    Vulkan,
}

/// A device that cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DeviceError {
    /// A word that names no device.
    #[error("there is no device `{0}`; expected auto, cpu, vulkan[:N] or cuda[:N]")]
    Unknown(String),
    /// This build does not support it.
    #[error("this build does not support {}", .0.title())]
    NotBuilt(Api),
    /// This machine has none, or no driver for it.
    #[error("no {} device on this machine", .0.title())]
    Absent(Api),
    /// The number is too high.
    #[error("no {api}:{index} on this machine: its {api} devices are 0 to {last}")]
    Beyond {
        /// Its interface.
        api: Api,
        /// Its number.
        index: usize,
        /// The highest number that exists.
        last: usize,
    },
    /// It does not compute.
    #[error("{api}:{index} does not work")]
    Broken {
        /// Its interface.
        api: Api,
        /// Its number.
        index: usize,
        /// What went wrong.
        source: DeviceFault,
    },
}

/// Why a device does not compute.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DeviceFault {
    /// It computes other values than the CPU.
    #[error("it computes 1 + 1 = {0}")]
    WrongSum(f32),
    /// Its driver reports an error, in the driver's own words.
    #[error("{0}")]
    Driver(String),
    /// Its driver ends without a message.
    #[error("its driver cannot be started")]
    Silent,
    /// Its driver lacks an extension that Burn needs.
    #[error("its driver lacks {0}")]
    MissingExtension(&'static str),
}

impl DeviceChoice {
    /// The device, ready for use.
    ///
    /// # Errors
    /// A GPU that this build or this machine does not have, or that does not compute.
    pub fn open(self) -> Result<Device, DeviceError> {
        self.open_or_pass_over(|_| ())
    }

    /// [`DeviceChoice::open`] that reports the GPUs that `auto` skips because they do not compute.
    ///
    /// # Errors
    /// As [`DeviceChoice::open`].
    pub fn open_or_pass_over(
        self,
        mut report: impl FnMut(DeviceError),
    ) -> Result<Device, DeviceError> {
        match self {
            Self::Cpu => Ok(cpu()),
            Self::Gpu(api, index) => api.open(index),
            Self::Auto => {
                let gpus = Api::ALL.into_iter().filter(|api| api.has_hardware());
                let mut working = gpus.filter_map(|api| api.open(0).map_err(&mut report).ok());
                Ok(working.next().unwrap_or_else(cpu))
            }
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(word: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown(word.into());
        let (name, index) = match word.split_once(':') {
            Some((name, index)) => (name, Some(index.parse().map_err(|_| unknown())?)),
            None => (word, None),
        };
        let gpu = |api| Ok(Self::Gpu(api, index.unwrap_or(0)));
        match name {
            "auto" if index.is_none() => Ok(Self::Auto),
            "cpu" if index.is_none() => Ok(Self::Cpu),
            "cuda" => gpu(Api::Cuda),
            "vulkan" => gpu(Api::Vulkan),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu(api, index) => write!(f, "{api}:{index}"),
        }
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cuda => "cuda",
            Self::Vulkan => "vulkan",
        })
    }
}

impl Api {
    /// In the order in which `auto` tries them.
    const ALL: [Self; 2] = [Self::Cuda, Self::Vulkan];

    fn title(self) -> &'static str {
        match self {
            Self::Cuda => "CUDA",
            Self::Vulkan => "Vulkan",
        }
    }

    /// The devices of this machine; `None` if this build does not support them. Burn itself looks
    /// for the driver's library; without one it finds no devices.
    fn devices(self) -> Option<Vec<Device>> {
        match self {
            #[cfg(feature = "cuda")]
            Self::Cuda => Some(Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec()),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Some(Device::enumerate(burn::tensor::DeviceType::Vulkan).into_vec()),
            #[cfg(not(all(feature = "cuda", feature = "vulkan")))]
            _ => None,
        }
    }

    /// Whether the first device is more than the CPU under another name.
    fn has_hardware(self) -> bool {
        let first = self.devices().and_then(|devices| devices.into_iter().next());
        first.is_some_and(|device| !is_software(&device))
    }

    fn open(self, index: usize) -> Result<Device, DeviceError> {
        let devices = self.devices().ok_or(DeviceError::NotBuilt(self))?;
        let Some(last) = devices.len().checked_sub(1) else {
            return Err(DeviceError::Absent(self));
        };
        let beyond = DeviceError::Beyond { api: self, index, last };
        let device = devices.into_iter().nth(index).ok_or(beyond)?;
        match attempt(&device).and_then(|()| check_driver(self, &device)) {
            Ok(()) => Ok(device),
            Err(source) => Err(DeviceError::Broken { api: self, index, source }),
        }
    }
}

/// Checks that the driver has the extensions that Burn needs, which one addition does not show.
#[cfg(feature = "vulkan")]
fn check_driver(api: Api, device: &Device) -> Result<(), DeviceFault> {
    let name = device.identity().filter(|_| api == Api::Vulkan).map(|identity| identity.name);
    let missing = name.and_then(|name| vulkan_driver::missing_extension(&name));
    missing.map_or(Ok(()), |extension| Err(DeviceFault::MissingExtension(extension)))
}

#[cfg(not(feature = "vulkan"))]
fn check_driver(_: Api, _: &Device) -> Result<(), DeviceFault> {
    Ok(())
}

#[cfg(feature = "vulkan")]
fn is_software(device: &Device) -> bool {
    *device == Device::vulkan(burn::tensor::DeviceKind::Cpu)
}

#[cfg(not(feature = "vulkan"))]
fn is_software(_: &Device) -> bool {
    false
}

/// Adds two numbers on the device. Burn starts a device at its first use and panics if the driver
/// fails, so all panics are caught and kept quiet here, those of Burn's own threads too.
fn attempt(device: &Device) -> Result<(), DeviceFault> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let sum = panic::catch_unwind(|| {
        let one = Tensor::<1>::from_data([1.0f32], device);
        (one + 1.0).try_into_scalar::<f32>()
    });
    panic::set_hook(hook);
    match sum {
        Ok(Ok(2.0)) => Ok(()),
        Ok(Ok(sum)) => Err(DeviceFault::WrongSum(sum)),
        Ok(Err(error)) => Err(driver_fault(&error.to_string())),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            Err(text.map_or(DeviceFault::Silent, driver_fault))
        }
    }
}

/// The words of a driver on one line.
fn driver_fault(text: &str) -> DeviceFault {
    DeviceFault::Driver(text.lines().map(str::trim).collect::<Vec<_>>().join(" "))
}

/// The name that chooses a device, and the model: `vulkan:0 (NVIDIA H100 PCIe)`.
pub fn describe(device: &Device) -> String {
    for api in Api::ALL {
        let place = api.devices().and_then(|all| all.iter().position(|other| other == device));
        if let Some(index) = place {
            return format!("{api}:{index}{}", identity(device));
        }
    }
    "cpu".into()
}

#[cfg(any(feature = "vulkan", feature = "cuda"))]
fn identity(device: &Device) -> String {
    device.identity().map_or(String::new(), |identity| format!(" ({})", identity.name))
}

#[cfg(not(any(feature = "vulkan", feature = "cuda")))]
fn identity(_: &Device) -> String {
    String::new()
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests {
    use super::testing::test_device;
    use super::*;

    fn refusal(word: &str) -> String {
        word.parse().and_then(DeviceChoice::open).unwrap_err().to_string()
    }

    #[test]
    fn words_choose_devices() {
        let choice = |word: &str| word.parse::<DeviceChoice>().unwrap();
        assert_eq!(choice("auto"), DeviceChoice::Auto);
        assert_eq!(choice("vulkan"), DeviceChoice::Gpu(Api::Vulkan, 0));
        assert_eq!(choice("cuda:12"), DeviceChoice::Gpu(Api::Cuda, 12));
        for word in ["cpu", "auto", "vulkan:1", "cuda:0"] {
            assert_eq!(choice(word).to_string(), word);
        }
    }

    #[test]
    fn other_words_are_refused_with_the_ones_there_are() {
        for word in ["gpu", "", "cpu:0", "auto:1", "cuda:", "cuda:-1", "vulkan:x", "CUDA"] {
            let message = refusal(word);
            assert!(message.contains(&format!("`{word}`")), "{message}");
            assert!(message.contains("auto, cpu, vulkan[:N] or cuda[:N]"), "{message}");
        }
    }

    #[test]
    fn a_missing_device_says_whether_the_build_or_the_machine_lacks_it() {
        let built = [(Api::Cuda, cfg!(feature = "cuda")), (Api::Vulkan, cfg!(feature = "vulkan"))];
        for (api, built) in built {
            let message = refusal(&format!("{api}:999"));
            assert!(!message.contains('\n'), "{message}");
            assert_eq!(message.contains("this build"), !built, "{message}");
            assert_eq!(message.contains("on this machine"), built, "{message}");
        }
    }

    #[test]
    fn without_a_gpu_in_the_build_auto_is_the_cpu() {
        let device = DeviceChoice::Auto.open().unwrap();
        if !cfg!(any(feature = "vulkan", feature = "cuda")) {
            assert_eq!(device, cpu());
        }
        assert_eq!(describe(&cpu()), "cpu");
    }

    #[test]
    fn the_device_of_the_tests_computes() {
        let one = Tensor::<1>::from_data([1.0f32], &test_device());
        assert_eq!((one + 1.0).into_scalar::<f32>(), 2.0);
    }
}
