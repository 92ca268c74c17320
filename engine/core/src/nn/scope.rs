//! Weights by path.

use std::cell::RefCell;
use std::fmt::Display;

use crate::compute::Constant;
use crate::weights::{WeightError, WeightReader};

/// Gives a tensor of a name and a shape.
pub(crate) type Source<'a> = dyn FnMut(&str, &[usize]) -> Result<Vec<f32>, WeightError> + 'a;

/// A place among a network's tensors, `blocks.0.conv` say. Layers ask it for what they need under its path.
#[derive(Clone)]
pub(crate) struct Scope<'a> {
    source: &'a RefCell<Source<'a>>,
    path: String,
}

impl<'a> Scope<'a> {
    /// The place where paths begin.
    pub(crate) fn root(source: &'a RefCell<Source<'a>>) -> Self {
        Self { source, path: String::new() }
    }

    /// A place further down.
    pub(crate) fn pp(&self, name: impl Display) -> Self {
        let path = if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) };
        Self { source: self.source, path }
    }

    /// `blocks.0.conv`.
    pub(crate) fn path(&self) -> String {
        self.path.clone()
    }

    /// A tensor of exactly this shape, row by row.
    pub(crate) fn take<const N: usize>(&self, name: &str, shape: [usize; N]) -> Result<Vec<f32>, WeightError> {
        let mut source = self.source.borrow_mut();
        (*source)(&self.pp(name).path, &shape)
    }

    /// The same, resident.
    pub(crate) fn constant<const N: usize>(&self, name: &str, shape: [usize; N]) -> Result<Constant, WeightError> {
        Ok(Constant::new(shape, &self.take(name, shape)?))
    }
}

/// Builds a network from a file in which each tensor stands under `prefix` and its path.
pub(crate) fn read<T>(
    reader: &mut WeightReader,
    prefix: &str,
    build: impl FnOnce(&Scope<'_>) -> Result<T, WeightError>,
) -> Result<T, WeightError> {
    let source = RefCell::new(|name: &str, shape: &[usize]| reader.take_shaped(&format!("{prefix}{name}"), shape));
    build(&Scope::root(&source))
}
