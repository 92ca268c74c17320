//! The file of a person. Its format is told by train/hef/data.py.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use half::f16;
use half::slice::HalfFloatSliceExt;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use vultus::generator::hef::{DRIVEN, SOURCE, STYLE};
use vultus_native::media::AtomicFile;

/// Grows row by row.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    side: usize,
    source: Vec<f16>,
    driven: Vec<f16>,
    style: Vec<f32>,
    fit: Vec<i32>,
    truth: Vec<u8>,
    truth_matte: Vec<u8>,
    boxes: Vec<i32>,
    then: Vec<i32>,
    motion: Vec<f16>,
}

/// What a picture adds.
pub(crate) struct Row<'a> {
    /// (16, C, C)
    pub driven: &'a [f32],
    /// (258 at least)
    pub style: &'a [f32],
    /// (3, C, C)
    pub truth: &'a [u8],
    /// (C, C)
    pub matte: &'a [u8],
    /// Mouth, eyes.
    pub boxes: [[i32; 4]; 2],
    /// The row that shows the same person 40 ms before, and where everything lay there (2, C, C).
    pub then: Option<(usize, &'a [f32])>,
}

impl Shard {
    pub(crate) fn new(side: usize) -> Self {
        Self { side, ..Self::default() }
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> usize {
        self.fit.len()
    }

    /// A fit of the portrait; the rows that follow are of it.
    pub(crate) fn fit(&mut self, source: &[f32]) -> Result<()> {
        debug_assert_eq!(source.len(), SOURCE * self.side * self.side);
        append(&mut self.source, source, "source")
    }

    pub(crate) fn row(&mut self, row: &Row<'_>) -> Result<()> {
        append(&mut self.driven, row.driven, "driven")?;
        let style = &row.style[..STYLE];
        ensure!(style.iter().all(|v| v.is_finite()), "style holds a number that is not finite");
        self.style.extend(style);
        self.fit.push((self.source.len() / (SOURCE * self.side * self.side)) as i32 - 1);
        self.truth.extend(row.truth);
        self.truth_matte.extend(row.matte);
        self.boxes.extend(row.boxes.as_flattened());
        self.then.push(row.then.map_or(-1, |(k, _)| k as i32));
        match row.then {
            Some((_, motion)) => append(&mut self.motion, motion, "motion"),
            None => Ok(()),
        }
    }

    /// Writes the file, whole or not at all; gives its length. `about` is JSON that goes under `shard` into the metadata: one key, for several have no order.
    pub(crate) fn write(&self, file: &Path, about: String) -> Result<usize> {
        let (c, k) = (self.side, self.rows());
        let [source, driven, motion] = [&self.source, &self.driven, &self.motion].map(|v| bytes(v, f16::to_le_bytes));
        let style = bytes(&self.style, f32::to_le_bytes);
        let fits = self.source.len() / (SOURCE * c * c);
        let [fit, boxes, then] = [&self.fit, &self.boxes, &self.then].map(|v| bytes(v, i32::to_le_bytes));
        let tensors: [(&str, Dtype, Vec<usize>, &[u8]); 9] = [
            ("source", Dtype::F16, vec![fits, SOURCE, c, c], &source),
            ("driven", Dtype::F16, vec![k, DRIVEN, c, c], &driven),
            ("style", Dtype::F32, vec![k, STYLE], &style),
            ("fit", Dtype::I32, vec![k], &fit),
            ("truth", Dtype::U8, vec![k, 3, c, c], &self.truth),
            ("truth_matte", Dtype::U8, vec![k, 1, c, c], &self.truth_matte),
            ("boxes", Dtype::I32, vec![k, 2, 4], &boxes),
            ("then", Dtype::I32, vec![k], &then),
            ("motion", Dtype::F16, vec![self.motion.len() / (2 * c * c), 2, c, c], &motion),
        ];
        let views: Vec<(&str, TensorView<'_>)> = (tensors.into_iter())
            .map(|(name, kind, shape, bytes)| Ok((name, TensorView::new(kind, shape, bytes)?)))
            .collect::<Result<_>>()?;
        let metadata = HashMap::from([("shard".to_owned(), about)]);
        let content = safetensors::serialize(views, Some(metadata))?;
        let cannot = || format!("{} cannot be written", file.display());
        let mut to = AtomicFile::create(file).with_context(cannot)?;
        to.write_all(&content).with_context(cannot)?;
        to.commit().with_context(cannot)?;
        Ok(content.len())
    }
}

fn append(to: &mut Vec<f16>, from: &[f32], name: &str) -> Result<()> {
    let fits = |v: &f32| v.abs() <= f32::from(f16::MAX);
    ensure!(from.iter().all(fits), "{name} holds a number that is not finite or too large for half precision");
    let start = to.len();
    to.resize(start + from.len(), f16::ZERO);
    to[start..].convert_from_f32_slice(from);
    Ok(())
}

fn bytes<T: Copy, const N: usize>(values: &[T], of: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|v| of(*v)).collect()
}
