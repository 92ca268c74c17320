//! Adapters, tiers and the device.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use vultus_shaders::{Kernel, Tier};

use super::error::ComputeError;
use super::store::Store;

/// What `vultus doctor` says of an adapter.
#[derive(Clone, Debug)]
pub struct AdapterReport {
    /// Its name.
    pub name: String,
    /// Graphics API and driver.
    pub driver: String,
    /// Whether it is software (lavapipe, WARP).
    pub software: bool,
    /// The highest tier it can run.
    pub tier: Tier,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device").field("name", &self.name).field("tier", &self.tier).finish_non_exhaustive()
    }
}

fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::PRIMARY,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    })
}

fn tier_of(adapter: &wgpu::Adapter) -> Tier {
    let features = adapter.features();
    if !features.contains(wgpu::Features::SUBGROUP) {
        Tier::Base
    } else if !features.contains(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX) {
        Tier::Subgroup
    } else {
        Tier::Matrix
    }
}

fn is_software(info: &wgpu::AdapterInfo) -> bool {
    info.device_type == wgpu::DeviceType::Cpu
}

/// Every adapter of this machine.
pub async fn adapters() -> Vec<AdapterReport> {
    let found = instance().enumerate_adapters(wgpu::Backends::PRIMARY).await;
    found
        .iter()
        .map(|a| {
            let info = a.get_info();
            AdapterReport {
                driver: format!("{} {} {}", info.backend, info.driver, info.driver_info),
                software: is_software(&info),
                tier: tier_of(a),
                name: info.name,
            }
        })
        .collect()
}

/// Waits until everything that was submitted to a device is done, or says why that will never be. Whoever opens a device knows whether a thread may wait here.
pub type Wait = fn(&wgpu::Device) -> Result<(), String>;

/// Told once of a device that it is lost, and why.
type LossHook = Box<dyn Fn(&str) + Send + Sync>;

/// An opened GPU with its compiled kernels, shared by executors.
///
/// A device can be lost at any time (its driver crashed or was updated, the machine slept, the card fell off the bus). Executors then go on with the
/// CPU; see [`super::Executor::run`].
pub struct Device {
    name: String,
    tier: Tier,
    software: bool,
    pub(super) wait: Option<Wait>,
    /// Why it was lost: the first reason that was given.
    lost: Arc<OnceLock<String>>,
    on_loss: Mutex<Option<LossHook>>,
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pipelines: Mutex<HashMap<&'static str, Arc<wgpu::ComputePipeline>>>,
    pub(super) store: Store,
}

impl Device {
    /// Opens the best adapter, hardware before software, software only where `allow_software`; `wanted` lowers its tier. Without a `wait` its
    /// executors are polled, and cannot [run](super::Executor::run).
    ///
    /// # Errors
    /// No adapter; `wanted` above what the adapter offers; the driver refuses.
    pub async fn open(allow_software: bool, wanted: Option<Tier>, wait: Option<Wait>) -> Result<Self, ComputeError> {
        let rank = |a: &wgpu::Adapter| match a.get_info().device_type {
            wgpu::DeviceType::DiscreteGpu => 0,
            wgpu::DeviceType::IntegratedGpu => 1,
            wgpu::DeviceType::VirtualGpu => 2,
            wgpu::DeviceType::Other => 3,
            wgpu::DeviceType::Cpu => 4,
        };
        let adapter = instance()
            .enumerate_adapters(wgpu::Backends::PRIMARY)
            .await
            .into_iter()
            .filter(|a| allow_software || !is_software(&a.get_info()))
            .min_by_key(rank)
            .ok_or(ComputeError::NoAdapter)?;
        let info = adapter.get_info();
        let fail = |why: String| ComputeError::Device { adapter: info.name.clone(), why };

        let mut tier = tier_of(&adapter);
        if let Some(expected) = wanted {
            if expected > tier {
                return Err(ComputeError::Tier { adapter: info.name, expected, got: tier });
            }
            tier = expected;
        }
        // The matrix tier has no kernel of its own yet, so that tier needs no more of the device than `subgroup` does.
        let features = if tier >= Tier::Subgroup { wgpu::Features::SUBGROUP } else { wgpu::Features::empty() };
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("vultus"),
                required_features: features,
                required_limits: adapter.limits(),
                ..Default::default()
            })
            .await
            .map_err(|e| fail(e.to_string()))?;
        // wgpu panics at errors that nobody listens to, and those of a lost device come from calls that return nothing.
        let lost = Arc::new(OnceLock::new());
        let (by_callback, by_error) = (Arc::clone(&lost), Arc::clone(&lost));
        device.set_device_lost_callback(move |_, why| drop(by_callback.set(why)));
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| drop(by_error.set(error.to_string()))));
        Ok(Self {
            software: is_software(&info),
            wait,
            name: info.name,
            tier,
            lost,
            on_loss: Mutex::default(),
            device,
            queue,
            pipelines: Mutex::default(),
            store: Store::default(),
        })
    }

    /// Why the device is lost, if it is. What was asked of it goes on with the CPU.
    pub fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }

    /// Who is told, once, when the device is lost. Called on the thread that noticed.
    pub fn on_loss(&self, hook: impl Fn(&str) + Send + Sync + 'static) {
        *self.on_loss.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(hook));
    }

    /// Gives the device up, for this reason where none was given before, and tells whom it concerns.
    pub(super) fn lose(&self, why: String) {
        let why = self.lost.get_or_init(|| why);
        let hook = self.on_loss.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(hook) = hook {
            hook(why);
        }
    }

    /// Takes the device away as a driver would, to try what happens then.
    #[doc(hidden)]
    pub fn destroy(&self) {
        self.device.destroy();
    }

    /// The adapter's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tier in use.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// Whether the adapter is software.
    pub fn is_software(&self) -> bool {
        self.software
    }

    /// The compiled pipeline of a kernel; compiled once a device.
    pub(super) fn pipeline(&self, kernel: &'static Kernel) -> Arc<wgpu::ComputePipeline> {
        let mut pipelines = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        let made = pipelines.entry(kernel.name).or_insert_with(|| {
            let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(kernel.name),
                source: wgpu::ShaderSource::Wgsl(kernel.variant(self.tier).source.into()),
            });
            Arc::new(self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(kernel.name),
                layout: None,
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            }))
        });
        Arc::clone(made)
    }
}
