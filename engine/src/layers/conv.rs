//! A convolution's weights.

use crate::weights::WeightError;

/// Gives a tensor of a name and a shape.
pub(crate) type Tensors<'a> = dyn FnMut(&str, &[usize]) -> Result<Vec<f32>, WeightError> + 'a;

/// A convolution: weight (outputs, inputs, side, side), bias (outputs).
#[derive(Clone, Debug)]
pub(crate) struct Conv {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub inputs: usize,
    pub outputs: usize,
    pub side: usize,
}

impl Conv {
    pub(crate) fn take(
        t: &mut Tensors<'_>,
        path: &str,
        inputs: usize,
        outputs: usize,
        side: usize,
    ) -> Result<Self, WeightError> {
        Ok(Self {
            weight: t(&format!("{path}.weight"), &[outputs, inputs, side, side])?,
            bias: t(&format!("{path}.bias"), &[outputs])?,
            inputs,
            outputs,
            side,
        })
    }

    /// The layout of the kernel `conv2d`: (outputs / 4, inputs · side², 4), zeros where outputs end.
    pub(crate) fn packed(&self) -> Vec<[f32; 4]> {
        let taps = self.inputs * self.side * self.side;
        let mut out = vec![[0.0; 4]; self.outputs.div_ceil(4) * taps];
        for (o, row) in self.weight.chunks_exact(taps).enumerate() {
            for (word, v) in out[o / 4 * taps..].iter_mut().zip(row) {
                word[o % 4] = *v;
            }
        }
        out
    }

    /// Two layers of the same input as one: the outputs of `self`, then those of `other`.
    pub(crate) fn beside(mut self, other: &Self) -> Self {
        debug_assert_eq!((self.inputs, self.side), (other.inputs, other.side));
        self.weight.extend(&other.weight);
        self.bias.extend(&other.bias);
        self.outputs += other.outputs;
        self
    }
}
