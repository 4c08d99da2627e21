//! What multiplies bf16 values on this machine.

use crate::Isa;
use std::fmt;
use std::sync::OnceLock;

/// A way to multiply bf16 values and sum the products in f32 that this machine has. Results of two
/// units agree within the rounding of their sums.
///
/// Only detection makes one ([`Bf16Unit::best`], [`Bf16Unit::available`]).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bf16Unit {
    kind: Kind,
}

/// The token of a unit. Each is made by its `detect` alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Tiles of 16 x 32 values: Intel AMX.
    #[cfg(target_arch = "x86_64")]
    Amx(Amx),
    /// Dot products of pairs: AVX-512 BF16.
    #[cfg(target_arch = "x86_64")]
    DotProducts(DotProducts),
    /// Widened to f32, with the vectors that there are.
    Widened(Isa),
}

impl Bf16Unit {
    /// The fastest unit of this machine; detected once.
    pub fn best() -> Self {
        static BEST: OnceLock<Bf16Unit> = OnceLock::new();
        *BEST.get_or_init(|| Self::available()[0])
    }

    /// Every unit of this machine, the one with the highest peak first.
    pub fn available() -> Vec<Self> {
        let detected = [
            #[cfg(target_arch = "x86_64")]
            Amx::detect().map(Kind::Amx),
            #[cfg(target_arch = "x86_64")]
            DotProducts::detect().filter(|unit| unit.pays()).map(Kind::DotProducts),
            Some(Kind::Widened(Isa::best())),
            #[cfg(target_arch = "x86_64")]
            DotProducts::detect().filter(|unit| !unit.pays()).map(Kind::DotProducts),
            Some(Kind::Widened(Isa::portable())),
        ];
        detected.into_iter().flatten().map(|kind| Self { kind }).collect()
    }

    /// Whether it is faster than f32 on this machine. Tiles are, by an order of magnitude.
    pub fn pays(self) -> bool {
        match self.kind {
            #[cfg(target_arch = "x86_64")]
            Kind::Amx(_) => true,
            #[cfg(target_arch = "x86_64")]
            Kind::DotProducts(unit) => unit.pays(),
            Kind::Widened(_) => false,
        }
    }

    /// Whether it is a unit for tiles, several times as fast as f32 vectors.
    pub fn is_tiled(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        if matches!(self.kind, Kind::Amx(_)) {
            return true;
        }
        false
    }

    /// The token, for the products.
    pub(crate) fn kind(self) -> Kind {
        self.kind
    }
}

impl fmt::Debug for Bf16Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            #[cfg(target_arch = "x86_64")]
            Kind::Amx(_) => f.write_str("Amx"),
            #[cfg(target_arch = "x86_64")]
            Kind::DotProducts(_) => f.write_str("Avx512Bf16"),
            Kind::Widened(isa) => write!(f, "{isa:?} f32"),
        }
    }
}

/// Proves that the machine has AMX tiles for bf16 and that the system lets this process use them.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amx(());

#[cfg(target_arch = "x86_64")]
impl Amx {
    /// Asks the processor, then the system, which grants tiles to a process for all its threads.
    pub fn detect() -> Option<Self> {
        static FOUND: OnceLock<bool> = OnceLock::new();
        FOUND.get_or_init(|| has_tiles() && is_permitted()).then_some(Self(()))
    }

    /// Configures this thread's tiles for as long as the result lives.
    pub fn tiles(self) -> Tiles {
        let mut config = TileConfig([0; 64]);
        // Palette 1 with eight tiles of 16 rows of 64 bytes.
        config.0[0] = 1;
        for tile in 0..8 {
            config.0[16 + 2 * tile] = 64;
            config.0[48 + tile] = 16;
        }
        // SAFETY: `self` proves that tiles exist and are permitted; the configuration is 64 valid
        // bytes.
        unsafe {
            std::arch::asm!("ldtilecfg [{}]", in(reg) &config, options(nostack, readonly));
        }
        Tiles { here: std::marker::PhantomData }
    }
}

#[cfg(target_arch = "x86_64")]
#[repr(C, align(64))]
struct TileConfig([u8; 64]);

/// This thread's tiles, configured; released when dropped.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Tiles {
    /// Tiles belong to one thread.
    here: std::marker::PhantomData<*const ()>,
}

#[cfg(target_arch = "x86_64")]
impl Drop for Tiles {
    fn drop(&mut self) {
        let _ = self.here;
        // SAFETY: a value of this type exists only where tiles do.
        unsafe { std::arch::asm!("tilerelease", options(nomem, nostack)) }
    }
}

/// Whether the processor has bf16 tiles and the system saves them on a switch of threads.
#[cfg(target_arch = "x86_64")]
fn has_tiles() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
    #[target_feature(enable = "xsave")]
    fn saved() -> u64 {
        // SAFETY: the caller has checked OSXSAVE, which enables the instruction.
        unsafe { _xgetbv(0) }
    }
    const OSXSAVE: u32 = 1 << 27;
    const AMX_BF16: u32 = 1 << 22;
    const AMX_TILE: u32 = 1 << 24;
    /// Tile configuration and tile data.
    const TILE_STATE: u64 = 3 << 17;
    if __cpuid(0).eax < 7 || __cpuid(1).ecx & OSXSAVE == 0 {
        return false;
    }
    let has = __cpuid_count(7, 0).edx & (AMX_BF16 | AMX_TILE) == AMX_BF16 | AMX_TILE;
    // SAFETY: OSXSAVE was checked, so the instruction exists and is enabled.
    has && unsafe { saved() } & TILE_STATE == TILE_STATE
}

/// Asks Linux for permission to use tiles, which it refuses where it cannot save them.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn is_permitted() -> bool {
    /// `ARCH_REQ_XCOMP_PERM` and the feature number of tile data.
    const REQUEST: libc::c_ulong = 0x1023;
    const TILE_DATA: libc::c_ulong = 18;
    // SAFETY: the call takes two numbers and touches no memory of the program.
    unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) == 0 }
}

/// Other systems have their own ways to grant tiles, which were not tried.
#[cfg(all(target_arch = "x86_64", not(target_os = "linux")))]
fn is_permitted() -> bool {
    false
}

/// Proves that the machine has AVX-512 BF16, and AVX-512 F.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct DotProducts(());

#[cfg(target_arch = "x86_64")]
impl DotProducts {
    pub fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512f");
        found.then_some(Self(()))
    }

    /// Whether dot products are faster than f32. Half as many instructions take the same work, but
    /// the measured Intel processor runs them at a quarter of the rate.
    fn pays(self) -> bool {
        let vendor = std::arch::x86_64::__cpuid(0);
        [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).concat() != b"GenuineIntel"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_can_widen_bf16() {
        let units = Bf16Unit::available();
        assert_eq!(units[0], Bf16Unit::best());
        let last = units[units.len() - 1];
        assert_eq!(format!("{last:?}"), "Portable f32");
        assert!(!last.pays());
    }
}
