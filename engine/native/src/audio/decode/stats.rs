//! What is known of a sound, before and while it is heard.

/// What is known when a file has been opened.
#[derive(Clone, Debug)]
pub struct AudioInfo {
    /// Sample rate, Hz.
    pub rate: usize,
    /// Channels in the file.
    pub channels: usize,
    /// Channels of [`AudioBlock::speakers`](super::AudioBlock::speakers): 1 or 2.
    pub speakers: usize,
    /// Length in frames, if the file says so. It may be wrong.
    pub frames: Option<u64>,
}

/// What has been noticed in the samples so far.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct AudioStats {
    /// Frames decoded.
    pub frames: u64,
    /// Samples that were NaN or infinite; they were taken as 0.
    pub not_finite: u64,
    /// Samples at or beyond full scale; those beyond were taken as ±1.
    pub clipped: u64,
    /// Blocks that could not be decoded; they were left out.
    pub damaged_blocks: u64,
    /// Whether the file ended before its header said.
    pub truncated: bool,
}

impl AudioStats {
    /// One sentence for each thing that the user may want to know.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.truncated {
            warnings.push(
                "the audio ends before its header says: the file is truncated, and what is there was used".into(),
            );
        }
        if self.damaged_blocks > 0 {
            warnings.push(format!("{} damaged blocks of audio were left out", self.damaged_blocks));
        }
        if self.not_finite > 0 {
            warnings.push(format!("{} samples are not finite numbers and were taken as silence", self.not_finite));
        }
        if self.clipped * 1000 > self.frames {
            warnings.push(format!("{} samples are clipped: record with less gain for better lips", self.clipped));
        }
        warnings
    }
}
