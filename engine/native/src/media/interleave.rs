//! Which bytes of a film follow which.
//!
//! Each track is cut into chunks of about half a second by the times of its samples, and chunk n of the video is followed by
//! chunk n of the sound. The order in which the two tracks arrive, which threads decide, has no part in it: a chunk waits in
//! memory until its turn comes, and the same samples always give the same file.

use std::collections::VecDeque;
use std::io::Write;

/// Samples whose bytes lie side by side.
#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    samples: u32,
}

/// One track's index and the samples that wait for their turn.
#[derive(Debug)]
pub(super) struct Track {
    /// Bytes of each sample so far.
    pub(super) sizes: Vec<u32>,
    /// Of each written chunk, its offset in the file and its number of samples.
    pub(super) chunks: Vec<(u64, u32)>,
    /// From the first chunk that is not written yet.
    waiting: VecDeque<Chunk>,
    /// Duration of a sample and of a chunk in the same unit.
    sample: u64,
    chunk: u64,
}

impl Track {
    /// A track of equally long samples.
    pub(super) fn new(sample: u64, chunk: u64) -> Self {
        Self { sizes: Vec::new(), chunks: Vec::new(), waiting: VecDeque::new(), sample, chunk }
    }

    pub(super) fn append(&mut self, sample: &[u8]) -> std::io::Result<()> {
        let size = u32::try_from(sample.len()).map_err(|_| std::io::ErrorKind::FileTooLarge)?;
        while (self.chunks.len() + self.waiting.len()) as u64 <= self.next_chunk() {
            self.waiting.push_back(Chunk::default());
        }
        self.sizes.push(size);
        if let Some(chunk) = self.waiting.back_mut() {
            chunk.bytes.extend_from_slice(sample);
            chunk.samples += 1;
        }
        Ok(())
    }

    /// Everything written so far lies `by` bytes farther back now.
    pub(super) fn moved(&mut self, by: u64) {
        self.chunks.iter_mut().for_each(|chunk| chunk.0 += by);
    }

    /// Number of the chunk that the next sample belongs to.
    fn next_chunk(&self) -> u64 {
        self.sizes.len() as u64 * self.sample / self.chunk
    }

    /// Whether no further sample belongs to the first chunk that waits.
    fn has_complete(&self) -> bool {
        (self.chunks.len() as u64) < self.next_chunk()
    }

    /// Writes the first chunk that waits, if there is one.
    fn write_one(&mut self, out: &mut impl Write, position: &mut u64) -> std::io::Result<()> {
        if let Some(chunk) = self.waiting.pop_front() {
            out.write_all(&chunk.bytes)?;
            self.chunks.push((*position, chunk.samples));
            *position += chunk.bytes.len() as u64;
        }
        Ok(())
    }
}

/// Writes every chunk whose turn has come; with `all`, those that wait for company too.
pub(super) fn write_chunks(
    video: &mut Track,
    audio: &mut Track,
    out: &mut impl Write,
    position: &mut u64,
    all: bool,
) -> std::io::Result<()> {
    loop {
        let (next, other) = if video.chunks.len() <= audio.chunks.len() {
            (&mut *video, &mut *audio)
        } else {
            (&mut *audio, &mut *video)
        };
        if next.has_complete() || (all && !next.waiting.is_empty()) {
            next.write_one(out, position)?;
        } else if all && !other.waiting.is_empty() {
            other.write_one(out, position)?;
        } else {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offset and number of samples of each chunk.
    type Chunks = Vec<(u64, u32)>;

    /// What two tracks give, sample by sample in the order of `arrivals` (whether it is video): the bytes, the chunks of video
    /// and sound, and how many chunks waited at most.
    fn written(arrivals: impl IntoIterator<Item = bool>) -> (Vec<u8>, [Chunks; 2], usize) {
        let (mut video, mut audio) = (Track::new(40, 520), Track::new(20, 520));
        let (mut out, mut position, mut most) = (Vec::new(), 0, 0);
        for is_video in arrivals {
            let (track, kind) = if is_video { (&mut video, 128) } else { (&mut audio, 0) };
            let number = track.sizes.len() as u8;
            track.append(&[kind | (number & 127), number]).unwrap();
            write_chunks(&mut video, &mut audio, &mut out, &mut position, false).unwrap();
            most = most.max(video.waiting.len() + audio.waiting.len());
        }
        write_chunks(&mut video, &mut audio, &mut out, &mut position, true).unwrap();
        assert_eq!(position, out.len() as u64);
        (out, [video.chunks, audio.chunks], most)
    }

    #[test]
    fn arrival_has_no_part_in_the_order() {
        // 100 pictures of 40 ms and 201 packets of 20 ms: in step, in bursts, one track after the other.
        let step = written((0..301).map(|i| i % 3 == 1));
        let bursts = written((0..10).flat_map(|_| [vec![false; 20], vec![true; 10]].concat()).chain([false]));
        let video_first = written([vec![true; 100], vec![false; 201]].concat());
        let audio_first = written([vec![false; 201], vec![true; 100]].concat());
        for other in [&bursts, &video_first, &audio_first] {
            assert_eq!((&step.0, &step.1), (&other.0, &other.1));
        }
        // 13 pictures and 26 packets are 0.52 s; in step, no more than the two chunks under way wait.
        let [video, audio] = &step.1;
        assert_eq!(video[..2], [(0, 13), ((13 + 26) * 2, 13)]);
        assert_eq!(audio[..2], [(13 * 2, 26), ((13 + 26 + 13) * 2, 26)]);
        assert_eq!(video.iter().map(|chunk| chunk.1).sum::<u32>(), 100);
        assert_eq!(audio.iter().map(|chunk| chunk.1).sum::<u32>(), 201);
        assert!(step.2 <= 3, "{} chunks waited", step.2);
    }

    #[test]
    fn a_track_alone_is_written_at_the_end() {
        let (out, [video, audio], _) = written([true; 30]);
        assert_eq!((out.len(), video.len(), audio.len()), (60, 3, 0));
    }
}
