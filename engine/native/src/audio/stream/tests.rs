use proptest::prelude::*;

use super::*;

/// What came out: rates, and samples as 16-bit numbers.
type Heard = Vec<(u32, i32)>;

fn collect(heard: &mut Heard) -> impl FnMut(u32, &[f32]) {
    |rate, samples| heard.extend(samples.iter().map(|x| (rate, (x * 32768.0).round() as i32)))
}

/// Everything that a stream gives for these pieces and their end.
fn hear(promise: Promise, pieces: &[&[u8]]) -> Result<(Heard, StreamNotes), StreamError> {
    let (mut stream, mut heard) = (SoundStream::new(promise), Heard::new());
    for piece in pieces {
        stream.push(piece, collect(&mut heard))?;
        assert!(stream.held.len() <= 512, "{} bytes are held", stream.held.len());
    }
    let notes = stream.end(collect(&mut heard))?;
    Ok((heard, notes))
}

fn pcm(samples: impl IntoIterator<Item = i16>) -> Vec<u8> {
    samples.into_iter().flat_map(i16::to_le_bytes).collect()
}

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = [&name[..], &(body.len() as u32).to_le_bytes(), body].concat();
    out.resize(out.len().next_multiple_of(2), 0);
    out
}

fn fmt(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
    let block = channels * bits.div_ceil(8);
    let mut body = [tag, channels].map(u16::to_le_bytes).concat();
    body.extend([rate, rate * u32::from(block)].map(u32::to_le_bytes).concat());
    body.extend([block, bits].map(u16::to_le_bytes).concat());
    body
}

/// A WAV whose lengths are those.
fn wav_of(format: &[u8], before: &[u8], data: &[u8], length: u32, behind: &[u8]) -> Vec<u8> {
    let size = (4 + 8 + format.len() + before.len() + 8 + data.len() + behind.len()) as u32;
    let size = if length as usize == data.len() { size } else { length };
    let parts: [&[u8]; 9] = [
        b"RIFF",
        &size.to_le_bytes(),
        b"WAVE",
        &chunk(b"fmt ", format),
        before,
        b"data",
        &length.to_le_bytes(),
        data,
        behind,
    ];
    parts.concat()
}

fn wav(rate: u32, samples: &[i16]) -> Vec<u8> {
    let data = pcm(samples.iter().copied());
    wav_of(&fmt(1, 1, rate, 16), &[], &data, data.len() as u32, &[])
}

fn expect(rate: u32, samples: impl IntoIterator<Item = i16>) -> Heard {
    samples.into_iter().map(|x| (rate, x.into())).collect()
}

#[test]
fn odd_pieces_are_carried_over() {
    let bytes = pcm((0..20_000).map(|n| n as i16));
    let pieces: Vec<&[u8]> = bytes.chunks(4063).collect();
    let (heard, notes) = hear(Promise::default(), &pieces).unwrap();
    assert_eq!((heard, notes), (expect(24_000, 0..20_000), StreamNotes::default()));

    let floats: Vec<u8> = (0..999).flat_map(|n| (n as f32 / 32768.0).to_le_bytes()).collect();
    let promise = Promise { format: Some(SampleFormat::F32Le), rate: Some(48_000), channels: None };
    let (heard, notes) = hear(promise, &floats.chunks(13).collect::<Vec<_>>()).unwrap();
    assert_eq!((heard, notes), (expect(48_000, 0..999), StreamNotes::default()));
}

#[test]
fn a_rest_at_the_end_is_told_with_its_byte() {
    let (heard, notes) = hear(Promise::default(), &[&[1, 0, 2], &[0, 3]]).unwrap();
    assert_eq!((heard, notes.rest), (expect(24_000, [1, 2]), Some((4, 1, 2))));
    let promise = Promise { channels: Some(2), ..Promise::default() };
    assert_eq!(hear(promise, &[&[0; 11]]).unwrap().1.rest, Some((8, 3, 4)));
    let nan: Vec<u8> = [0.0, f32::NAN, f32::INFINITY].iter().flat_map(|x: &f32| x.to_le_bytes()).collect();
    let promise = Promise { format: Some(SampleFormat::F32Le), ..Promise::default() };
    assert_eq!(hear(promise, &[&nan]).unwrap().1.not_finite, Some((4, 2)));
}

#[test]
fn a_header_is_understood_wherever_it_is_cut() {
    let samples = [5, -6, 7, 300, -9];
    let list = chunk(b"LIST", b"INFOISFT\x05\0\0\0Lavf\0\0");
    let odd = chunk(b"junk", b"odd");
    let data = pcm(samples);
    let bytes = wav_of(&fmt(1, 1, 16_000, 16), &[list.clone(), odd].concat(), &data, data.len() as u32, &list);
    for at in 0..=bytes.len() {
        let (heard, notes) = hear(Promise::default(), &[&bytes[..at], &bytes[at..]]).unwrap();
        assert_eq!((heard, notes.rest), (expect(16_000, samples), None), "cut at {at}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(hear(Promise::default(), &single).unwrap().0, expect(16_000, samples));
}

#[test]
fn lengths_that_nobody_knew_are_those_of_the_sound() {
    let samples = [1, 2, 3, 4];
    for length in [0, u32::MAX, u32::MAX - 36, 0x7fff_ffff, 0x7fff_f000, 2_000_000_000] {
        let bytes = wav_of(&fmt(1, 1, 8_000, 16), &[], &pcm(samples), length, &[]);
        assert_eq!(hear(Promise::default(), &[&bytes]).unwrap().0, expect(8_000, samples), "{length:#x}");
    }
    // Less than there is: what follows is no chunk.
    let bytes = wav_of(&fmt(1, 1, 8_000, 16), &[], &pcm([700; 50]), 20, &[]);
    assert_eq!(hear(Promise::default(), &[&bytes]).unwrap().0, expect(8_000, [700; 50]));
    // More than there is.
    let bytes = wav_of(&fmt(1, 1, 8_000, 16), &[], &pcm(samples), 4000, &[]);
    assert_eq!(hear(Promise::default(), &[&bytes]).unwrap().0, expect(8_000, samples));
}

#[test]
fn one_file_after_the_other_is_one_sound() {
    // As agents do that send each sentence as a file: at a message's beginning, and in the middle of one; with lengths, and without.
    let (a, b) = (wav(24_000, &[1, 2, 3]), wav(48_000, &[4, 5]));
    let want = [expect(24_000, [1, 2, 3]), expect(48_000, [4, 5])].concat();
    let unknown = wav_of(&fmt(1, 1, 24_000, 16), &[], &pcm([1, 2, 3]), u32::MAX, &[]);
    for first in [&a, &unknown] {
        assert_eq!(hear(Promise::default(), &[first, &b]).unwrap().0, want);
        let joined = [&first[..], &b].concat();
        for at in 0..joined.len() {
            assert_eq!(hear(Promise::default(), &[&joined[..at], &joined[at..]]).unwrap().0, want, "cut at {at}");
        }
    }
    // Samples before the first one are as they were promised to be.
    let raw_first = [pcm([9, 8]), a].concat();
    let want = expect(24_000, [9, 8, 1, 2, 3]);
    assert_eq!(hear(Promise::default(), &[&raw_first]).unwrap().0, want);
}

#[test]
fn the_next_utterance_may_have_a_header_or_none() {
    let (mut stream, mut heard) = (SoundStream::new(Promise::default()), Heard::new());
    stream.push(&wav(16_000, &[1]), collect(&mut heard)).unwrap();
    stream.end(collect(&mut heard)).unwrap();
    stream.push(&pcm([2]), collect(&mut heard)).unwrap();
    stream.end(collect(&mut heard)).unwrap();
    stream.push(&wav(48_000, &[3]), collect(&mut heard)).unwrap();
    stream.push(&[1, 2, 3], collect(&mut heard)).unwrap();
    stream.forget();
    stream.push(&wav(8_000, &[4]), collect(&mut heard)).unwrap();
    let want = [(16_000, 1), (16_000, 2), (48_000, 3)];
    assert_eq!(heard[..3], want);
    assert_eq!(heard.last(), Some(&(8_000, 4)));
}

#[test]
fn every_encoding_of_a_wav_is_read() {
    let half = |format: SampleFormat| -> Vec<u8> {
        match format {
            SampleFormat::U8 => vec![192],
            SampleFormat::S24Le => vec![0, 0, 0x40],
            SampleFormat::S24In32Le => vec![1, 0, 0x40, 0],
            SampleFormat::S32Le => vec![0, 0, 0, 0x40],
            SampleFormat::F32Le => 0.5f32.to_le_bytes().to_vec(),
            SampleFormat::F64Le => 0.5f64.to_le_bytes().to_vec(),
            // The code next to a half: 0.4908 and 0.4922.
            SampleFormat::MuLaw => vec![0x8f],
            SampleFormat::ALaw => vec![0xba],
            _ => pcm([16_384]),
        }
    };
    let twenty_four = {
        let mut it = fmt(1, 1, 44_100, 24);
        it[12] = 4;
        it
    };
    for (format, header) in [
        (SampleFormat::U8, fmt(1, 1, 44_100, 8)),
        (SampleFormat::S16Le, fmt(1, 1, 44_100, 16)),
        (SampleFormat::S24Le, fmt(1, 1, 44_100, 24)),
        (SampleFormat::S24In32Le, twenty_four),
        (SampleFormat::S32Le, fmt(1, 1, 44_100, 32)),
        (SampleFormat::F32Le, fmt(3, 1, 44_100, 32)),
        (SampleFormat::F64Le, fmt(3, 1, 44_100, 64)),
        (SampleFormat::ALaw, fmt(6, 1, 44_100, 8)),
        (SampleFormat::MuLaw, fmt(7, 1, 44_100, 8)),
    ] {
        let data = half(format).repeat(4);
        let bytes = wav_of(&header, &[], &data, data.len() as u32, &[]);
        let (heard, notes) = hear(Promise::default(), &[&bytes]).unwrap();
        assert_eq!((heard.len(), notes), (4, StreamNotes::default()), "{format}");
        assert!(heard.iter().all(|(rate, x)| *rate == 44_100 && (16_000..17_000).contains(x)), "{format}: {heard:?}");
        // The same as WAVE_FORMAT_EXTENSIBLE.
        let mut long = header.clone();
        let tag = [long[0], long[1]];
        long[..2].copy_from_slice(&0xfffeu16.to_le_bytes());
        long.extend([22, 0, long[14], long[15], 4, 0, 0, 0]);
        long.extend([&tag[..], &[0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71]].concat());
        let bytes = wav_of(&long, &[], &data, data.len() as u32, &[]);
        assert_eq!(hear(Promise::default(), &[&bytes]).unwrap().0, heard, "{format}, extensible");
    }
}

#[test]
fn two_channels_are_one_voice() {
    let bytes = wav_of(&fmt(1, 2, 24_000, 16), &[], &pcm([1000, 3000].repeat(300)), 1200, &[]);
    let (heard, _) = hear(Promise::default(), &[&bytes]).unwrap();
    assert_eq!(heard, expect(24_000, [2000; 300]));
}

#[test]
fn a_voice_that_plain_mixing_loses_is_heard() {
    // In both channels, one of them upside down.
    let tone = (0..24_000).map(|n| (9000.0 * (n as f32 * 0.2).sin()) as i16);
    let data = pcm(tone.flat_map(|x| [x, -x]));
    let bytes = wav_of(&fmt(1, 2, 24_000, 16), &[], &data, data.len() as u32, &[]);
    let (heard, _) = hear(Promise::default(), &bytes.chunks(4063).collect::<Vec<_>>()).unwrap();
    let loudest = heard[12_000..].iter().map(|(_, x)| x.abs()).max();
    assert!(loudest > Some(4000), "{loudest:?} is left of 9000");
}

#[test]
fn what_contradicts_or_cannot_be_read_is_named_with_its_byte() {
    let promise = Promise { format: Some(SampleFormat::S16Le), rate: Some(24_000), channels: Some(1) };
    assert_eq!(hear(promise, &[&wav(24_000, &[1])]).unwrap().0, expect(24_000, [1]));
    let words = |promise, bytes: &[u8]| {
        let error = hear(promise, &[bytes]).unwrap_err();
        (error.to_string(), error.byte(), error.field())
    };
    let bytes = |header: &[u8]| wav_of(header, &[], &[0; 64], 64, &[]);
    for (promise, bytes, byte, field, said) in [
        (promise, wav(16_000, &[1]), 20, Some("rate"), "says rate 16000, but rate=24000"),
        (promise, bytes(&fmt(1, 2, 24_000, 16)), 20, Some("channels"), "channels 2, but channels=1"),
        (promise, bytes(&fmt(3, 1, 24_000, 32)), 20, Some("format"), "format f32le, but format=s16le"),
        (Promise::default(), bytes(&fmt(2, 1, 24_000, 4)), 20, None, "encoding 0x0002 with 4 bits"),
        (Promise::default(), bytes(&fmt(0x55, 1, 24_000, 0)), 20, None, "encoding 0x0055"),
        (Promise::default(), bytes(&fmt(1, 1, 4_000, 16)), 24, None, "4000 Hz"),
        (Promise::default(), bytes(&fmt(1, 0, 24_000, 16)), 22, None, "0 channels"),
        (Promise::default(), bytes(&fmt(1, 1, 24_000, 16)[..8]), 12, None, "less than 16 bytes"),
        (Promise::default(), b"RIFF\x24\0\0\0WAVEdata\x04\0\0\0abcd".to_vec(), 12, None, "before the chunk fmt"),
        (Promise::default(), b"RIFF\x24\0\0\0WAVE\x01\x02\x03\x04\x04\0\0\0abcd".to_vec(), 12, None, "four letters"),
        (Promise::default(), b"RIFF\x24\0\0\0WAVELIST\xff\xff\xff\x7f".to_vec(), 12, None, "longer than 1 MiB"),
        (Promise::default(), b"RIFF\x24\0\0\0WAVEfmt ".to_vec(), 16, None, "inside a WAV header"),
    ] {
        let (text, at, what) = words(promise, &bytes);
        assert!(
            text.contains(said) && at == byte && what == field,
            "{text}, byte {at}, {what:?}: asked {said}, {byte}"
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_are_as_in_one(
        bytes in prop::collection::vec(prop_oneof![
            4 => prop::collection::vec(any::<u8>(), 0..80),
            2 => prop::collection::vec(any::<i16>(), 0..40).prop_map(|samples| wav(16_000, &samples)),
            1 => Just(b"RIFF\0\0\0\0WAVE".to_vec()),
            1 => Just(chunk(b"fmt ", &fmt(1, 1, 24_000, 16))),
            1 => Just(chunk(b"fmt ", &fmt(3, 2, 48_000, 32))),
            1 => (any::<u32>(), any::<u8>()).prop_map(|(length, shift)| [&b"data"[..], &(length >> (shift % 32)).to_le_bytes()].concat()),
            1 => Just(chunk(b"LIST", b"words")),
            1 => prop::sample::select(vec![&b"RIF"[..], b"RIFFxxxxW", b"fmt ", b"ds64\x10\0\0\0"]).prop_map(<[u8]>::to_vec),
        ], 0..8).prop_map(|parts| parts.concat()),
        cuts in prop::collection::vec(1usize..60, 1..40),
    ) {
        let mut pieces = Vec::new();
        let (mut rest, mut cuts) = (&bytes[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, others) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
            pieces.push(piece);
            rest = others;
        }
        // Twenty-four bits in four bytes look at what they have to tell which end is filled; none of these is one.
        prop_assert_eq!(hear(Promise::default(), &pieces), hear(Promise::default(), &[&bytes]));
    }
}

#[test]
fn a_file_of_another_kind_is_refused_however_it_is_cut_and_the_next_utterance_is_heard() {
    for piece in [1, 3, 5000] {
        let mut stream = SoundStream::new(Promise::default());
        let file = [&b"OggS"[..], &[7; 4000]].concat();
        let refused = file.chunks(piece).find_map(|piece| stream.push(piece, |_, _| panic!("noise")).err());
        assert_eq!(refused, Some(StreamError::Foreign { kind: "an Ogg file" }), "pieces of {piece}");
        stream.forget();
        let mut heard = 0;
        stream.push(&[1; 4000], |_, sound| heard += sound.len()).unwrap();
        assert_eq!(heard, 2000);
    }
}
