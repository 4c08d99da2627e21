//! Where a network runs: on the CPU, or on a GPU that this build has and the machine too.

#[cfg(feature = "vulkan")]
mod vulkan_driver;

use std::fmt;
use std::panic;
use std::str::FromStr;
use std::sync::OnceLock;

use burn::tensor::{Device, Tensor};

/// The processor.
pub fn cpu() -> Device {
    Device::flex()
}

/// What a user may choose: `auto`, `cpu`, `vulkan`, `vulkan:1`, `cuda`, `cuda:1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU that is built in, present and at work, else the CPU.
    Auto,
    /// The processor.
    Cpu,
    /// A GPU by its number.
    Gpu(Api, usize),
}

/// How a GPU is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// NVIDIA's own way.
    Cuda,
    /// Any GPU with a Vulkan driver. Discrete ones count first; drivers that compute on the
    /// processor count last.
    Vulkan,
}

/// A device that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// A word that names no device.
    #[error("there is no device `{0}`; choose auto, cpu, vulkan[:N] or cuda[:N]")]
    Unknown(String),
    /// The feature was not built.
    #[error(
        "this build of gaitgl has no {}: build it with --features {api}, or use --device cpu",
        .0.title(),
        api = .0
    )]
    NotBuilt(Api),
    /// The machine has none.
    #[error(
        "no {} device on this machine: install {}, or use --device cpu", .0.title(), .0.driver()
    )]
    Absent(Api),
    /// The number is too high.
    #[error("no {api}:{index} on this machine: its {api} devices are 0 to {last}")]
    Beyond {
        /// How it was to be reached.
        api: Api,
        /// Its number.
        index: usize,
        /// The highest number that there is.
        last: usize,
    },
    /// It does not compute.
    #[error("{api}:{index} does not work: {problem}; update its driver, or use --device cpu")]
    Broken {
        /// How it is reached.
        api: Api,
        /// Its number.
        index: usize,
        /// What went wrong.
        problem: String,
    },
}

impl DeviceChoice {
    /// The device, ready for use.
    ///
    /// # Errors
    /// A GPU that this build or this machine does not have, or that does not compute.
    pub fn open(self) -> Result<Device, DeviceError> {
        self.open_or_pass_over(|_| ())
    }

    /// [`DeviceChoice::open`] that tells which GPUs `auto` passes over because they do not compute.
    ///
    /// # Errors
    /// As [`DeviceChoice::open`].
    pub fn open_or_pass_over(
        self,
        mut tell: impl FnMut(DeviceError),
    ) -> Result<Device, DeviceError> {
        match self {
            Self::Cpu => Ok(cpu()),
            Self::Gpu(api, index) => api.open(index),
            Self::Auto => {
                let gpus = Api::ALL.into_iter().filter(|api| api.has_hardware());
                let mut working = gpus.filter_map(|api| api.open(0).map_err(&mut tell).ok());
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
    /// In the order in which `auto` asks.
    const ALL: [Self; 2] = [Self::Cuda, Self::Vulkan];

    fn title(self) -> &'static str {
        match self {
            Self::Cuda => "CUDA",
            Self::Vulkan => "Vulkan",
        }
    }

    /// What a machine without such a device lacks.
    fn driver(self) -> &'static str {
        match self {
            Self::Cuda => "NVIDIA's driver",
            Self::Vulkan => "its driver and the Vulkan loader (libvulkan1)",
        }
    }

    /// The devices of this machine; `None` where the feature was not built. Burn looks for the
    /// driver's library itself and finds nothing where there is none.
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

    /// Whether the first device is more than the processor under another name.
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
        match attempt(&device).and_then(|()| suits(self, &device)) {
            Ok(()) => Ok(device),
            Err(problem) => Err(DeviceError::Broken { api: self, index, problem }),
        }
    }
}

/// Whether the driver has all that Burn needs, which one addition does not show.
#[cfg(feature = "vulkan")]
fn suits(api: Api, device: &Device) -> Result<(), String> {
    let name = device.identity().filter(|_| api == Api::Vulkan).map(|identity| identity.name);
    let missing = name.and_then(|name| vulkan_driver::missing_extension(&name));
    missing.map_or(Ok(()), |extension| Err(format!("its driver lacks {extension}")))
}

#[cfg(not(feature = "vulkan"))]
fn suits(_: Api, _: &Device) -> Result<(), String> {
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

/// Adds two numbers on the device. Burn starts a device at its first use and panics where the
/// driver refuses, so here all panics are caught and kept quiet, those of Burn's own threads too.
fn attempt(device: &Device) -> Result<(), String> {
    let report = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let sum = panic::catch_unwind(|| {
        let one = Tensor::<1>::from_data([1.0f32], device);
        (one + 1.0).try_into_scalar::<f32>()
    });
    panic::set_hook(report);
    let problem = match sum {
        Ok(Ok(2.0)) => return Ok(()),
        Ok(Ok(sum)) => format!("it computes 1 + 1 = {sum}"),
        Ok(Err(error)) => error.to_string(),
        Err(payload) => match (payload.downcast_ref::<String>(), payload.downcast_ref::<&str>()) {
            (Some(text), _) => text.clone(),
            (None, Some(text)) => (*text).to_string(),
            (None, None) => "its driver cannot be started".into(),
        },
    };
    Err(problem.lines().map(str::trim).collect::<Vec<_>>().join(" "))
}

/// A device by the name that chooses it, and what it is: `vulkan:0 (NVIDIA H100 PCIe)`.
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

/// The device of the tests: the CPU, or what `GAITGL_TEST_DEVICE` names.
#[doc(hidden)]
pub fn test_device() -> Device {
    // Opened once: whether it computes is tried under a panic hook, which all threads share.
    static DEVICE: OnceLock<Device> = OnceLock::new();
    let open = || {
        let chosen = std::env::var("GAITGL_TEST_DEVICE").unwrap_or_else(|_| "cpu".into());
        let device = chosen.parse().and_then(DeviceChoice::open);
        device.unwrap_or_else(|error| panic!("GAITGL_TEST_DEVICE: {error}"))
    };
    DEVICE.get_or_init(open).clone()
}

/// How far values may be from the wanted ones, relative to the largest: `on_cpu` on the CPU. GPUs
/// may multiply f32 as TF32, which keeps 10 bits of the fraction, and sum in another order.
#[doc(hidden)]
pub fn test_tolerance(on_cpu: f32) -> f32 {
    if test_device() == cpu() { on_cpu } else { on_cpu.max(5e-3) }
}

#[cfg(test)]
mod tests {
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
    fn a_device_that_is_not_there_says_how_to_get_it() {
        let built = [(Api::Cuda, cfg!(feature = "cuda")), (Api::Vulkan, cfg!(feature = "vulkan"))];
        for (api, built) in built {
            let message = refusal(&format!("{api}:999"));
            assert!(!message.contains('\n'), "{message}");
            assert_eq!(message.contains(&format!("--features {api}")), !built, "{message}");
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
