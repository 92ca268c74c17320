//! What the kernel table says of each kernel.

use core::fmt;
use core::str::FromStr;

/// Device tiers, each a superset of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Core WebGPU, f32.
    Base,
    /// Subgroup operations and f16.
    Subgroup,
    /// Cooperative matrices.
    Matrix,
}

impl Tier {
    /// Every tier in ascending order.
    pub const ALL: [Self; 3] = [Self::Base, Self::Subgroup, Self::Matrix];
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base => "base",
            Self::Subgroup => "subgroup",
            Self::Matrix => "matrix",
        })
    }
}

impl FromStr for Tier {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|t| t.to_string() == s)
            .ok_or_else(|| format!("unknown tier `{s}`: use base, subgroup or matrix"))
    }
}

/// One WGSL file of a kernel.
#[derive(Debug)]
pub struct Variant {
    /// The lowest tier that can run it.
    pub tier: Tier,
    /// WGSL text; its entry point is `main`.
    pub source: &'static str,
    /// Its workgroup size.
    pub workgroup: [u32; 3],
}

/// What the elements of a binding or a tensor are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// `f32`.
    F32,
    /// `f16`, two a word. No kernel binds them yet.
    F16,
    /// `u32`, also four packed bytes.
    U32,
}

impl Element {
    /// Bytes of one.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 | Self::U32 => 4,
            Self::F16 => 2,
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::U32 => "u32",
        })
    }
}

/// A storage binding, in the order of the WGSL file (binding 1 is the first).
#[derive(Debug)]
pub struct Binding {
    /// Name of the WGSL variable.
    pub name: &'static str,
    /// What its array is made of.
    pub element: Element,
    /// How many elements an entry of the array has: 4 in `array<vec4<f32>>`.
    pub lanes: usize,
    /// Whether the kernel writes it (`read_write`).
    pub writes: bool,
}

/// A CPU twin behind its typed face: parameter bytes, the bindings that are read, the bindings that are written, both in binding order.
pub type Twin = fn(&[u8], &[&[u32]], &mut [&mut [u32]]);

/// A kernel: its WGSL for each tier, its interface as reflected by naga, and its CPU twin.
#[derive(Debug)]
pub struct Kernel {
    /// The name that the three files share.
    pub name: &'static str,
    /// From the base tier upwards.
    pub variants: &'static [Variant],
    /// Storage bindings.
    pub bindings: &'static [Binding],
    /// Bytes of the parameter struct (binding 0).
    pub params_size: usize,
    /// The CPU twin.
    pub twin: Twin,
}

impl Kernel {
    /// The best variant that a device of `tier` can run.
    pub fn variant(&self, tier: Tier) -> &'static Variant {
        self.variants.iter().rev().find(|v| v.tier <= tier).expect("the build script demands a base-tier file")
    }
}

/// A parameter struct, which knows its kernel.
pub trait KernelParams: bytemuck::Pod {
    /// The kernel whose binding 0 this is.
    const KERNEL: &'static Kernel;
}
