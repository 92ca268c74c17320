//! Weights by path and exact shape.
//!
//! A [`WeightReader`] opens a safetensors file, hands out each tensor once, converted to the type that was asked for, and at
//! the end [`WeightReader::finish`] fails if a tensor was left over. So a missing, mis-shaped, mistyped, non-finite *or unused*
//! tensor is an error that names the file, the tensor, what was expected and what was found.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, SafeTensors};
use thiserror::Error;

use crate::compute::PlanError;

/// Longest header that is parsed, bytes: it names every tensor, and the largest of ours has 14 KB. A header may claim a hundred times
/// as many tensors as it would take to fill the memory.
const HEADER_BYTES: u64 = 1 << 20;

/// Why a weights file could not be used. Every message but the last names the file.
#[derive(Debug, Error)]
pub enum WeightError {
    /// The bytes are not a whole safetensors file: cut short, or something else.
    #[error("{file} is not a complete safetensors file ({reason}); it may be truncated: copy it again")]
    Malformed {
        /// File as the user knows it.
        file: String,
        /// What the parser found.
        reason: String,
    },
    /// A tensor that the model needs is not in the file.
    #[error("{file} has no tensor `{tensor}` (expected shape {expected:?}); it belongs to another model or version")]
    Missing {
        /// File as the user knows it.
        file: String,
        /// Name of the tensor.
        tensor: String,
        /// Shape that was asked for.
        expected: Vec<usize>,
    },
    /// A tensor has another shape than the model.
    #[error("{file}: tensor `{tensor}` has shape {got:?}, expected {expected:?}")]
    Shape {
        /// File as the user knows it.
        file: String,
        /// Name of the tensor.
        tensor: String,
        /// Shape that was asked for.
        expected: Vec<usize>,
        /// Shape in the file.
        got: Vec<usize>,
    },
    /// A tensor has a type that cannot be converted to the one asked for.
    #[error("{file}: tensor `{tensor}` has type {got}, expected {expected}")]
    Type {
        /// File as the user knows it.
        file: String,
        /// Name of the tensor.
        tensor: String,
        /// Types that would have done.
        expected: &'static str,
        /// Type in the file.
        got: String,
    },
    /// A float tensor holds NaN or an infinity.
    #[error("{file}: tensor `{tensor}` holds a value that is not finite (element {index})")]
    NotFinite {
        /// File as the user knows it.
        file: String,
        /// Name of the tensor.
        tensor: String,
        /// Flat index of the first such element.
        index: usize,
    },
    /// Tensors that nothing asked for.
    #[error("{file} holds tensors that this model does not use: {}; it belongs to another model or version", .tensors.join(", "))]
    Unused {
        /// File as the user knows it.
        file: String,
        /// Their names, sorted.
        tensors: Vec<String>,
    },
    /// The file's metadata lacks a key or holds something unreadable under it.
    #[error("{file}: metadata `{key}`: {reason}")]
    Metadata {
        /// File as the user knows it.
        file: String,
        /// Key in the metadata.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A network that was read cannot be recorded: a mistake in its code, not in the file.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// A safetensors file whose tensors are taken one by one. See the module's text.
#[derive(Debug)]
pub struct WeightReader {
    file: String,
    bytes: Cow<'static, [u8]>,
    data_start: usize,
    header: Metadata,
    metadata: HashMap<String, String>,
    unused: BTreeSet<String>,
}

impl WeightReader {
    /// Parses the header of `bytes`. `file` is the name that errors show.
    ///
    /// # Errors
    /// [`WeightError::Malformed`] when the bytes are not one whole safetensors file.
    pub fn new(file: impl Into<String>, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, WeightError> {
        let (file, bytes) = (file.into(), bytes.into());
        let length = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
        if length > HEADER_BYTES {
            let reason = format!("its header claims {length} bytes, and at most {HEADER_BYTES} are read");
            return Err(WeightError::Malformed { file, reason });
        }
        let (header_len, header) = SafeTensors::read_metadata(&bytes)
            .map_err(|error| WeightError::Malformed { file: file.clone(), reason: error.to_string() })?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let unused = header.tensors().into_keys().collect();
        // The header starts with its own length as a u64.
        let data_start = header_len + size_of::<u64>();
        Ok(Self { file, bytes, data_start, header, metadata, unused })
    }

    /// Name of the file, as errors show it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Shape of a tensor, or `None` when the file has no such tensor. Does not count as use.
    pub fn shape(&self, tensor: &str) -> Option<&[usize]> {
        self.header.info(tensor).map(|info| info.shape.as_slice())
    }

    /// A string from the file's metadata.
    ///
    /// # Errors
    /// [`WeightError::Metadata`] when the key is missing.
    pub fn metadata(&self, key: &str) -> Result<&str, WeightError> {
        self.metadata.get(key).map(String::as_str).ok_or_else(|| self.metadata_error(key, "is missing"))
    }

    /// A metadata error for this file: for callers that parse what [`Self::metadata`] gave them.
    pub fn metadata_error(&self, key: &str, reason: impl Into<String>) -> WeightError {
        WeightError::Metadata { file: self.file.clone(), key: key.into(), reason: reason.into() }
    }

    /// Takes a float tensor (f16, bf16 or f32 in the file) of exactly this shape, row-major, as f32.
    ///
    /// # Errors
    /// Missing, mis-shaped, not of a float type, or not finite.
    pub fn take<const N: usize>(&mut self, tensor: &str, shape: [usize; N]) -> Result<Vec<f32>, WeightError> {
        self.take_shaped(tensor, &shape)
    }

    /// [`Self::take`] for a shape whose rank is not known when compiling.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn take_shaped(&mut self, tensor: &str, shape: &[usize]) -> Result<Vec<f32>, WeightError> {
        let (dtype, data) = self.raw(tensor, shape)?;
        let values: Vec<f32> = match dtype {
            Dtype::F32 => data.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
            Dtype::F16 => data.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
            Dtype::BF16 => data.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect(),
            other => return Err(self.type_error(tensor, "f32, f16 or bf16", other)),
        };
        if let Some(index) = values.iter().position(|v| !v.is_finite()) {
            return Err(WeightError::NotFinite { file: self.file.clone(), tensor: tensor.into(), index });
        }
        self.unused.remove(tensor);
        Ok(values)
    }

    /// Takes an i32 tensor of exactly this shape, row-major.
    ///
    /// # Errors
    /// Missing, mis-shaped or of another type.
    pub fn take_i32<const N: usize>(&mut self, tensor: &str, shape: [usize; N]) -> Result<Vec<i32>, WeightError> {
        let (dtype, data) = self.raw(tensor, &shape)?;
        if dtype != Dtype::I32 {
            return Err(self.type_error(tensor, "i32", dtype));
        }
        let values = data.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b)).collect();
        self.unused.remove(tensor);
        Ok(values)
    }

    /// Takes a u8 tensor of exactly this shape, row-major.
    ///
    /// # Errors
    /// Missing, mis-shaped or of another type.
    pub fn take_u8<const N: usize>(&mut self, tensor: &str, shape: [usize; N]) -> Result<Vec<u8>, WeightError> {
        let (dtype, data) = self.raw(tensor, &shape)?;
        if dtype != Dtype::U8 {
            return Err(self.type_error(tensor, "u8", dtype));
        }
        let values = data.to_vec();
        self.unused.remove(tensor);
        Ok(values)
    }

    /// Leaves a tensor out on purpose, so that [`Self::finish`] does not complain about it. Unknown names are fine.
    pub fn ignore(&mut self, tensor: &str) {
        self.unused.remove(tensor);
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`WeightError::Unused`] when the file holds tensors that nobody took.
    pub fn finish(self) -> Result<(), WeightError> {
        if self.unused.is_empty() {
            return Ok(());
        }
        Err(WeightError::Unused { file: self.file, tensors: self.unused.into_iter().collect() })
    }

    fn raw(&self, tensor: &str, shape: &[usize]) -> Result<(Dtype, &[u8]), WeightError> {
        let info = self.header.info(tensor).ok_or_else(|| WeightError::Missing {
            file: self.file.clone(),
            tensor: tensor.into(),
            expected: shape.to_vec(),
        })?;
        if info.shape != shape {
            return Err(WeightError::Shape {
                file: self.file.clone(),
                tensor: tensor.into(),
                expected: shape.to_vec(),
                got: info.shape.clone(),
            });
        }
        let (from, to) = info.data_offsets;
        // The parser has checked every offset against the file's length.
        Ok((info.dtype, &self.bytes[self.data_start + from..self.data_start + to]))
    }

    fn type_error(&self, tensor: &str, expected: &'static str, got: Dtype) -> WeightError {
        WeightError::Type { file: self.file.clone(), tensor: tensor.into(), expected, got: format!("{got:?}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use safetensors::tensor::TensorView;

    fn file() -> Vec<u8> {
        let a: Vec<u8> = [1.0f32, -2.5, 0.25, 4.0, 5.0, 6.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let h: Vec<u8> = [0.5f32, -1.0].iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect();
        let i: Vec<u8> = [7i32, -8].iter().flat_map(|v| v.to_le_bytes()).collect();
        let tensors = [
            ("a", TensorView::new(Dtype::F32, vec![2, 3], &a).unwrap()),
            ("h", TensorView::new(Dtype::F16, vec![2], &h).unwrap()),
            ("i", TensorView::new(Dtype::I32, vec![2], &i).unwrap()),
            ("u", TensorView::new(Dtype::U8, vec![3], &[1, 2, 3]).unwrap()),
        ];
        let metadata = HashMap::from([("name".to_owned(), "test".to_owned())]);
        safetensors::serialize(tensors, Some(metadata)).unwrap()
    }

    #[test]
    fn takes_every_type_and_finishes() {
        let mut reader = WeightReader::new("w", file()).unwrap();
        assert_eq!(reader.metadata("name").unwrap(), "test");
        assert_eq!(reader.shape("a"), Some(&[2, 3][..]));
        assert_eq!(reader.take("a", [2, 3]).unwrap(), [1.0, -2.5, 0.25, 4.0, 5.0, 6.0]);
        assert_eq!(reader.take("h", [2]).unwrap(), [0.5, -1.0]);
        assert_eq!(reader.take_i32("i", [2]).unwrap(), [7, -8]);
        assert_eq!(reader.take_u8("u", [3]).unwrap(), [1, 2, 3]);
        reader.finish().unwrap();
    }

    #[test]
    fn errors_name_tensor_expected_and_got() {
        let mut reader = WeightReader::new("w", file()).unwrap();
        let text = reader.take("a", [3, 2]).unwrap_err().to_string();
        assert!(text.contains("`a`") && text.contains("[3, 2]") && text.contains("[2, 3]"), "{text}");
        let text = reader.take("b", [1]).unwrap_err().to_string();
        assert!(text.contains("no tensor `b`"), "{text}");
        let text = reader.take("i", [2]).unwrap_err().to_string();
        assert!(text.contains("I32") && text.contains("f16"), "{text}");
        let text = reader.finish().unwrap_err().to_string();
        assert!(text.contains("a, h, i, u"), "{text}");
    }

    #[test]
    fn a_value_that_is_not_finite_is_an_error() {
        let nan = [1.0, f32::NAN].map(f32::to_le_bytes).concat();
        let bytes = safetensors::serialize([("n", TensorView::new(Dtype::F32, vec![2], &nan).unwrap())], None).unwrap();
        let mut reader = WeightReader::new("w", bytes).unwrap();
        assert!(matches!(reader.take("n", [2]), Err(WeightError::NotFinite { index: 1, .. })));
    }

    #[test]
    fn every_truncation_is_malformed() {
        let whole = file();
        for len in 0..whole.len() {
            let error = WeightReader::new("w", whole[..len].to_vec()).unwrap_err();
            assert!(matches!(error, WeightError::Malformed { .. }), "{len}: {error}");
        }
    }

    #[test]
    fn a_header_beyond_all_sense_is_not_parsed() {
        for length in [HEADER_BYTES + 1, u64::MAX] {
            let bytes = [&length.to_le_bytes()[..], &[b' '; 64]].concat();
            let text = WeightReader::new("w", bytes).unwrap_err().to_string();
            assert!(text.contains("at most 1048576 are read"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = WeightReader::new("w", bytes);
        }

        #[test]
        fn damaged_files_never_panic(at in 0usize..1000, value: u8, take: bool) {
            let mut bytes = file();
            let at = at % bytes.len();
            bytes[at] = value;
            if let Ok(mut reader) = WeightReader::new("w", bytes) {
                if take {
                    let _ = reader.take("a", [2, 3]);
                    let _ = reader.take("h", [2]);
                    let _ = reader.take_i32("i", [2]);
                    let _ = reader.take_u8("u", [3]);
                }
                let _ = reader.finish();
            }
        }
    }
}
