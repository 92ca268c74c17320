//! Tracking: the networks against every layer of a reference (`train/goldens/track.py`), the way from a picture to points, and following through a film.

mod common;

use std::collections::HashMap;

use common::executors;
use image::RgbImage;
use vultus::compute::{Compute, Element::F32, Executor, PlanBuilder, Tensor};
use vultus::track::detector::Head;
use vultus::track::{
    Detector, Edge, Face, LEFT_EYE, LIPS, MATTE, Mesh, POINTS, Picture, Probes, RIGHT_EYE, Range, Roi, Segmenter,
    Tracker, View, detector, mesh, segmenter,
};
use vultus::weights::WeightReader;
use vultus_native::assets::Assets;

const GOLDEN: &[u8] = include_bytes!("golden/track.safetensors");

fn golden() -> WeightReader {
    WeightReader::new("track golden", GOLDEN).unwrap()
}

fn take(name: &str) -> Vec<f32> {
    let mut golden = golden();
    let shape = golden.shape(name).unwrap_or_else(|| panic!("{name} is not in the golden file")).to_vec();
    golden.take_shaped(name, &shape).unwrap()
}

fn weights(file: &str) -> WeightReader {
    Assets::embedded().weights(file).unwrap()
}

/// The picture of a network's golden.
fn picture(network: &str) -> RgbImage {
    let name = format!("{network}.input");
    let mut golden = golden();
    let len = golden.shape(&name).unwrap()[0];
    image::load_from_memory(&golden.take_u8(&name, [len]).unwrap()).unwrap().into_rgb8()
}

/// As the network takes it: planar, `range[0]` to `range[1]`.
fn planar(picture: &RgbImage, range: [f32; 2]) -> Vec<f32> {
    let value = |v: u8| range[0] + f32::from(v) * ((range[1] - range[0]) / 255.0);
    (0..3).flat_map(|c| picture.pixels().map(move |p| value(p.0[c]))).collect()
}

/// How far a value of size `scale` may be off behind so many layers: each adds rounding errors of its sums, which a network neither collects nor forgets.
/// The largest seen over all layers is 0.21 of it on the CPU and 0.36 on a software GPU.
fn limit(depth: usize, scale: f32) -> f32 {
    64.0 * f32::EPSILON * (1.0 + depth as f32).sqrt() * scale
}

/// A layer of the reference: path, kind, sources, shape (height, width, channels), what a padding adds, what a product has for a constant.
type Layer = (String, String, Vec<String>, Vec<usize>, Vec<[usize; 2]>, Vec<f32>);

/// What the reference has, and what was computed here.
struct Comparison {
    network: &'static str,
    layers: Vec<Layer>,
    index: HashMap<String, usize>,
    /// Channels, pixels, values, by path; planar.
    maps: HashMap<String, (usize, usize, Vec<f32>)>,
    weights: WeightReader,
}

impl Comparison {
    fn new(network: &'static str, file: &str, input: Vec<f32>, probes: &Probes, executor: &Executor) -> Self {
        let layers: Vec<Layer> = serde_json::from_str(golden().metadata(network).unwrap()).unwrap();
        let index = layers.iter().enumerate().map(|(k, layer)| (layer.0.clone(), k)).collect();
        let mut maps: HashMap<_, _> = (probes.iter())
            .map(|(path, channels, side, tensor)| {
                (path.clone(), (*channels, side * side, executor.read(*tensor).unwrap().to_vec()))
            })
            .collect();
        for path in maps.keys() {
            assert!(layers.iter().any(|layer| layer.0 == *path), "{network} has no layer {path}");
        }
        maps.insert("input".into(), (3, input.len() / 3, input));
        Self { network, layers, index, maps, weights: weights(file) }
    }

    fn layer(&self, path: &str) -> &Layer {
        &self.layers[self.index[path]]
    }

    /// Value `k` (height, width, channels) of a layer. None of one that is not computed by itself, but with the activation behind it.
    fn value(&self, path: &str, k: usize) -> Option<f32> {
        if let Some((channels, pixels, values)) = self.maps.get(path) {
            return Some(values[k % channels * pixels + k / channels]);
        }
        let (_, kind, sources, shape, pad, constant) = self.layer(path);
        let from = &sources[0];
        match kind.as_str() {
            "reshape" | "strided_slice" => self.value(from, k),
            "mul" if !constant.is_empty() => Some(self.value(from, k)? * constant[k % constant.len()]),
            "concatenation" => {
                let first: usize = self.layer(from).3.iter().product();
                if k < first { self.value(from, k) } else { self.value(&sources[1], k - first) }
            }
            "pad" => {
                let at = [k / (shape[1] * shape[2]), k / shape[2] % shape[1], k % shape[2]];
                let inside: Vec<usize> = (0..3).map(|d| shape[d] - pad[d][0] - pad[d][1]).collect();
                let at: Vec<usize> = (0..3).map(|d| at[d].wrapping_sub(pad[d][0])).collect();
                if (0..3).any(|d| at[d] >= inside[d]) {
                    return Some(0.0);
                }
                self.value(from, (at[0] * inside[1] + at[1]) * inside[2] + at[2])
            }
            "landmarks2transformmatrix" => {
                let which = ["lips", "left", "right"].iter().position(|part| path.starts_with(part)).unwrap();
                let matrices = &self.maps["matrices"].2[6 * which..];
                Some(match (k / 4, k % 4) {
                    (row @ 0..=1, 3) => matrices[3 * row + 2],
                    (row @ 0..=1, column @ 0..=1) => matrices[3 * row + column],
                    (row, column) => f32::from(u8::from(row == column)),
                })
            }
            "transformlandmarks" => {
                let (row, matrix) = (k % 2, &sources[1]);
                let [x, y] = [self.value(from, k - row)?, self.value(from, k - row + 1)?];
                let m = |column: usize| self.value(matrix, 4 * row + column);
                Some(m(0)? * x + m(1)? * y + m(3)?)
            }
            _ => None,
        }
    }

    /// What the activation at `path` makes of value `k` of the layer before it.
    fn activate(&mut self, path: &str, k: usize, v: f32) -> f32 {
        let layer = self.layer(path);
        match layer.1.as_str() {
            "relu" => v.max(0.0),
            "hard_swish" => v * (v + 3.0).clamp(0.0, 6.0) / 6.0,
            "logistic" => 1.0 / (1.0 + (-v).exp()),
            "prelu" => {
                let channels = layer.3[2];
                let slopes = self.weights.take(&format!("{path}.slope"), [channels]).unwrap();
                if v > 0.0 { v } else { v * slopes[k % channels] }
            }
            other => panic!("{path} is no activation but {other}"),
        }
    }

    /// Holds all layers to the reference.
    fn check(&mut self) {
        let (count, network) = (self.layers.len(), self.network);
        let mut golden = golden();
        let places = golden.take_i32(&format!("{network}.at"), [count, 16]).unwrap();
        let values = take(&format!("{network}.value"));
        let moments = take(&format!("{network}.moments"));
        let mut worst = (0.0f32, String::new());
        let mut hold = |path: &str, what: &str, depth: usize, scale: f32, expected: f32, got: f32| {
            // Where a layer is 0 everywhere, so must ours be.
            let ratio = (got - expected).abs() / limit(depth, scale.max(expected.abs())).max(f32::MIN_POSITIVE);
            // A NaN is worse than anything.
            let ratio = if ratio.is_nan() { f32::INFINITY } else { ratio };
            if ratio > worst.0 {
                worst = (ratio, format!("{path} {what}: expected {expected}, got {got}"));
            }
        };
        for k in 0..count {
            let (path, shape) = (self.layers[k].0.clone(), self.layers[k].3.clone());
            // Sums may be smaller than what is added up.
            let sources = self.layers[k].2.iter().filter_map(|source| self.index.get(source));
            let scale = sources.map(|source| moments[2 * source + 1]).fold(moments[2 * k + 1], f32::max);
            let after = self.layers.iter().find(|layer| layer.2 == [path.clone()]).map(|layer| layer.0.clone());
            for (at, value) in places[16 * k..][..16].iter().zip(&values[16 * k..][..16]) {
                let at = *at as usize;
                if let Some(got) = self.value(&path, at) {
                    hold(&path, "value", k, scale, *value, got);
                } else {
                    let after = after.as_ref().unwrap_or_else(|| panic!("nothing here makes {path}"));
                    let expected = self.activate(after, at, *value);
                    let got = self.value(after, at).unwrap_or_else(|| panic!("nothing here makes {path}"));
                    hold(&path, "activated", k, scale, expected, got);
                }
            }
            let whole: Option<Vec<f64>> =
                (0..shape.iter().product()).map(|at| self.value(&path, at).map(f64::from)).collect();
            if let Some(whole) = whole {
                let mean = whole.iter().sum::<f64>() / whole.len() as f64;
                let square = whole.iter().map(|v| v * v).sum::<f64>() / whole.len() as f64;
                hold(&path, "mean", k, scale, moments[2 * k], mean as f32);
                hold(&path, "root mean square", k, scale, moments[2 * k + 1], square.sqrt() as f32);
            }
        }
        eprintln!("{network}: {count} layers, at most {:.2} of the limit ({})", worst.0, worst.1);
        assert!(worst.0 <= 1.0, "{network} {}, {} of the limit", worst.1, worst.0);
    }
}

/// Records, runs twice (nothing may be left over from one picture to the next), and hands the executor on.
fn run<T>(
    compute: &Compute,
    input: &[f32],
    record: impl FnOnce(&mut PlanBuilder, Tensor) -> T,
    done: impl FnOnce(T, &Executor),
) {
    let mut plan = PlanBuilder::new("golden");
    let side = (input.len() / 3).isqrt();
    let picture = plan.input("picture", [1, 3, side, side], F32);
    let said = record(&mut plan, picture);
    let mut executor = compute.executor(plan.finish().unwrap()).unwrap();
    executor.write(picture, input).unwrap();
    executor.run().expect("the device is there");
    executor.run().expect("the device is there");
    done(said, &executor);
}

fn largest(expected: &[f32], got: &[f32]) -> f32 {
    assert_eq!(expected.len(), got.len());
    assert!(got.iter().all(|v| v.is_finite()));
    expected.iter().zip(got).map(|(e, g)| (e - g).abs()).fold(0.0, f32::max)
}

/// All rows of all heads, in the reference's order: heads, cells, anchors.
fn rows(heads: &[Head], words: usize, tensor: impl Fn(&Head) -> Vec<f32>) -> Vec<f32> {
    let mut rows = Vec::new();
    for head in heads {
        let (plane, values) = (head.cells * head.cells, tensor(head));
        assert_eq!(values.len(), plane * head.anchors * words);
        rows.extend((0..plane).flat_map(|at| values.iter().skip(at).step_by(plane).copied()));
    }
    rows
}

#[test]
fn detectors_equal_the_reference_layer_by_layer() {
    for (network, range) in [("short", Range::Short), ("full", Range::Full)] {
        let input = planar(&picture(network), [-1.0, 1.0]);
        let (boxes, scores) = (take(&format!("{network}.boxes")), take(&format!("{network}.scores")));
        for compute in executors() {
            for probe in [true, false] {
                let record = |plan: &mut PlanBuilder, picture| {
                    detector::record(plan, weights(range.file()), range, picture, probe).unwrap()
                };
                run(&compute, &input, record, |(heads, probes), executor| {
                    if probe {
                        Comparison::new(network, range.file(), input.clone(), &probes, executor).check();
                    }
                    let got = rows(&heads, 16, |head| executor.read(head.boxes).unwrap().to_vec());
                    let off = largest(&boxes, &got);
                    let got = rows(&heads, 1, |head| executor.read(head.scores).unwrap().to_vec());
                    let shares = |v: &[f32]| v.iter().map(|v| 1.0 / (1.0 + (-v).exp())).collect::<Vec<f32>>();
                    let unsure = largest(&shares(&scores), &shares(&got));
                    eprintln!("{} {network}: boxes {off:.1e} px, scores {unsure:.1e}", compute.name());
                    assert!(off <= 1e-3 && unsure <= 1e-4);
                });
            }
        }
    }
}

#[test]
fn the_mesh_equals_the_reference_layer_by_layer() {
    let input = planar(&picture("mesh"), [0.0, 1.0]);
    let expected = |name: &str| take(&format!("mesh.{name}"));
    for compute in executors() {
        for probe in [true, false] {
            let record =
                |plan: &mut PlanBuilder, picture| mesh::record(plan, weights(Mesh::FILE), picture, probe).unwrap();
            run(&compute, &input, record, |(said, probes), executor| {
                let matrices: &[f32] = executor.read(said.matrices).unwrap();
                if probe {
                    let mut all = Comparison::new("mesh", Mesh::FILE, input.clone(), &probes, executor);
                    all.maps.insert("matrices".into(), (1, 18, matrices.to_vec()));
                    all.check();
                }
                let whole: &[f32] = executor.read(said.mesh).unwrap();
                let points = mesh::points(whole, said.parts.map(|part| executor.read(part).unwrap()), matrices);
                assert_eq!(points.len(), POINTS);
                let mut off = largest(&expected("mesh"), whole);
                let irises = [468, 473].map(|first| (first..first + 5).collect::<Vec<u32>>());
                let parts = [&LIPS[..], &LEFT_EYE, &RIGHT_EYE, &irises[0], &irises[1]];
                for (name, which) in ["lips", "left_eye", "right_eye", "left_iris", "right_iris"].iter().zip(parts) {
                    let got: Vec<f32> = which.iter().flat_map(|k| points[*k as usize][..2].iter().copied()).collect();
                    off = off.max(largest(&expected(name), &got));
                }
                let flag = largest(&expected("flag"), executor.read(said.flag).unwrap());
                eprintln!("{} mesh: points {off:.1e} px, flag {flag:.1e}", compute.name());
                assert!(off <= 1e-3 && flag <= 1e-3);
            });
        }
    }
}

#[test]
fn the_segmenter_equals_the_reference_layer_by_layer() {
    let input = planar(&picture("segmenter"), [0.0, 1.0]);
    let matte = take("segmenter.matte");
    for compute in executors() {
        for probe in [true, false] {
            let record = |plan: &mut PlanBuilder, picture| {
                segmenter::record(plan, weights(Segmenter::FILE), picture, probe).unwrap()
            };
            run(&compute, &input, record, |(said, probes), executor| {
                if probe {
                    Comparison::new("segmenter", Segmenter::FILE, input.clone(), &probes, executor).check();
                }
                let off = largest(&matte, executor.read(said).unwrap());
                eprintln!("{} segmenter: matte {off:.1e}", compute.name());
                assert!(off <= 1e-4);
            });
        }
    }
}

/// The reference sampled 8-bit pictures through another library's warp, whose places are multiples of 1/32 and whose values are bytes.
/// Pixels of 512 in the mean; 0.03 were seen, and 0.14 at most.
const ANOTHER_WARP: f32 = 0.06;

struct Networks {
    short: Detector,
    full: Detector,
    mesh: Mesh,
}

fn networks() -> Networks {
    let detector = |range: Range| Detector::new(&Compute::Cpu, range, weights(range.file())).unwrap();
    Networks {
        short: detector(Range::Short),
        full: detector(Range::Full),
        mesh: Mesh::new(&Compute::Cpu, weights(Mesh::FILE)).unwrap(),
    }
}

fn portrait(name: &str) -> RgbImage {
    let portrait = Assets::embedded().avatar(name).unwrap().portrait;
    RgbImage::from_raw(portrait.side as u32, portrait.side as u32, portrait.rgb).unwrap()
}

fn seen(picture: &RgbImage) -> Picture<'_> {
    Picture::new(picture.as_raw(), picture.width() as usize, picture.height() as usize)
}

#[test]
fn the_way_from_a_picture_to_points_is_the_references() {
    let Networks { mut short, mut full, mut mesh } = networks();
    for name in ["priya", "jonas"] {
        let picture = portrait(name);
        let expected = take(&format!("{name}.detection"));
        let rois = take(&format!("{name}.roi"));
        let points = take(&format!("{name}.points"));
        let roi =
            |k: usize| Roi { centre: [rois[4 * k], rois[4 * k + 1]], side: rois[4 * k + 2], angle: rois[4 * k + 3] };
        let near = |what: &str, a: Roi, b: Roi, limit: f32| {
            let off = largest(&[a.centre[0], a.centre[1], a.side], &[b.centre[0], b.centre[1], b.side]);
            let turned = (a.angle - b.angle).abs() * 100.0;
            eprintln!("{name} {what}: {off:.2} px, {turned:.2} px at 100 px");
            assert!(off <= limit && turned <= limit, "{a:?} {b:?}");
        };

        let found = short.find(&seen(&picture)).unwrap();
        assert_eq!(found.len(), 1);
        let got: Vec<f32> = found[0].bounds.iter().chain(found[0].keys.as_flattened()).copied().collect();
        let off = largest(&expected[1..], &got);
        eprintln!("{name}: detection {off:.2} px, score {:.4}", (found[0].score - expected[0]).abs());
        // Four pixels of the picture are one of the network's.
        assert!(off <= 4.0 * ANOTHER_WARP && (found[0].score - expected[0]).abs() < 0.01);
        near("first region", roi(0), Roi::of_detection(&found[0]), 1.5 * 4.0 * ANOTHER_WARP);

        let first = mesh.look(&seen(&picture), roi(0)).unwrap();
        near("second region", roi(1), Roi::of_points(&first.points), 4.0 * ANOTHER_WARP);
        let face = mesh.look(&seen(&picture), roi(1)).unwrap();
        assert!(face.is_present() && face.presence > 0.99);
        let off: Vec<f32> = (face.points.iter().zip(points.as_chunks::<3>().0))
            .map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1]))
            .collect();
        let (mean, most) = (off.iter().sum::<f32>() / off.len() as f32, off.iter().copied().fold(0.0, f32::max));
        eprintln!("{name}: points {mean:.3} px, at most {most:.3}");
        assert!(mean <= ANOTHER_WARP && most <= 4.0 * ANOTHER_WARP);

        // The other detector finds the same face.
        let far = full.find(&seen(&picture)).unwrap();
        assert_eq!(far.len(), 1);
        assert!(largest(&far[0].bounds, &found[0].bounds) < 40.0, "{far:?} {found:?}");
    }
}

#[test]
fn a_mirrored_picture_has_mirrored_points() {
    let mut mesh = networks().mesh;
    let picture = portrait("priya");
    let mirrored = image::imageops::flip_horizontal(&picture);
    let roi = Roi { centre: [256.0, 256.0], side: 340.0, angle: 0.05 };
    let face = mesh.look(&seen(&picture), roi).unwrap();
    let other = mesh.look(&seen(&mirrored), Roi { angle: -0.05, ..roi }).unwrap();
    // The mouth's corners and the irises' middles; a network is only roughly symmetric.
    for [a, b] in [[61, 291], [291, 61], [468, 473], [473, 468]] {
        let off = (512.0 - face.points[a][0] - other.points[b][0]).hypot(face.points[a][1] - other.points[b][1]);
        assert!(off < 4.0, "{a}: {off}");
    }
}

/// The mean of all points.
fn middle(face: &Face) -> [f32; 2] {
    [0, 1].map(|c| face.points.iter().map(|point| point[c]).sum::<f32>() / POINTS as f32)
}

/// The portrait moved to the right and downwards on black.
fn moved(picture: &RgbImage, by: [i64; 2]) -> RgbImage {
    let mut frame = RgbImage::new(640, 480);
    image::imageops::replace(&mut frame, picture, by[0], by[1]);
    frame
}

#[test]
fn a_face_is_followed_lost_and_found_again() {
    let Networks { short, full, mut mesh } = networks();
    let picture = image::imageops::resize(&portrait("jonas"), 360, 360, image::imageops::FilterType::Triangle);
    let mut tracker = Tracker::new(vec![short, full], mesh.another().unwrap());
    let nothing = RgbImage::new(640, 480);
    assert_eq!(tracker.next(&seen(&nothing)).unwrap(), None);

    let mut last: Option<Face> = None;
    for k in 0..6 {
        let frame = moved(&picture, [40 + 12 * k, 30 + 6 * k]);
        let face = tracker.next(&seen(&frame)).unwrap().expect("a face");
        if let Some(last) = &last {
            // The mesh of the frame before says where to look, and nothing else does.
            assert_eq!(face, mesh.look(&seen(&frame), Roi::of_points(&last.points)).unwrap());
            let (from, to) = (middle(last), middle(&face));
            let by = [to[0] - from[0], to[1] - from[1]];
            eprintln!("moved by {by:?}, the nose by {:?}", [0, 1].map(|c| face.points[1][c] - last.points[1][c]));
            assert!((by[0] - 12.0).abs() < 2.0 && (by[1] - 6.0).abs() < 2.0, "{by:?}");
        }
        last = Some(face);
    }
    assert_eq!(tracker.next(&seen(&nothing)).unwrap(), None);
    // Elsewhere, so that only a detector can know.
    let frame = moved(&picture, [270, 100]);
    let face = tracker.next(&seen(&frame)).unwrap().expect("found again");
    assert!((face.points[1][0] - last.unwrap().points[1][0] - 170.0).abs() < 5.0);
    // What was forgotten is searched for: the same answer as that of a tracker that has seen nothing.
    tracker.reset();
    assert_eq!(tracker.next(&seen(&frame)).unwrap(), Some(face));
}

#[test]
fn a_small_face_in_a_large_picture_is_found_at_full_range() {
    let Networks { mut short, mut full, mesh } = networks();
    let small = image::imageops::resize(&portrait("priya"), 200, 200, image::imageops::FilterType::Triangle);
    let mut frame = RgbImage::from_pixel(1600, 1000, image::Rgb([90, 100, 110]));
    image::imageops::replace(&mut frame, &small, 1200, 600);
    assert!(short.find(&seen(&frame)).unwrap().is_empty());
    assert_eq!(full.find(&seen(&frame)).unwrap().len(), 1);
    let face = Tracker::new(vec![short, full], mesh).next(&seen(&frame)).unwrap().expect("a face");
    let [x, y, _] = face.points[1];
    assert!((1280.0..1320.0).contains(&x) && (680.0..730.0).contains(&y), "{x} {y}");
}

#[test]
fn several_faces_are_told_apart() {
    let mut short = networks().short;
    let mut frame = RgbImage::new(1024, 512);
    image::imageops::replace(&mut frame, &portrait("priya"), 0, 0);
    image::imageops::replace(&mut frame, &portrait("jonas"), 512, 0);
    let found = short.find(&seen(&frame)).unwrap();
    assert_eq!(found.len(), 2);
    let mut middles: Vec<f32> = found.iter().map(|d| d.keys[2][0]).collect();
    middles.sort_by(f32::total_cmp);
    assert!((middles[0] - 257.0).abs() < 10.0 && (middles[1] - 768.0).abs() < 12.0, "{middles:?}");
}

#[test]
fn pictures_without_a_face_have_none() {
    let Networks { short, full, mesh } = networks();
    let mut tracker = Tracker::new(vec![short, full], mesh);
    let noise =
        RgbImage::from_fn(160, 120, |x, y| image::Rgb([(x * 7919 + y * 104_729) as u8, (x * y) as u8, (x ^ y) as u8]));
    for picture in [noise, RgbImage::new(1, 1), RgbImage::from_pixel(3, 2000, image::Rgb([200, 10, 10]))] {
        assert_eq!(tracker.next(&seen(&picture)).unwrap(), None);
    }
}

#[test]
fn the_matte_of_a_view_is_the_references() {
    let mut segmenter = Segmenter::new(&Compute::Cpu, weights(Segmenter::FILE)).unwrap();
    let picture = picture("segmenter");
    let view = View([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
    let matte = segmenter.matte(&seen(&picture), &view).unwrap();
    assert_eq!(matte.len(), MATTE * MATTE);
    assert!(largest(&take("segmenter.matte"), matte) <= 1e-4);
    // Another one has the same weights, and nothing else.
    let again = segmenter.another().unwrap().matte(&seen(&picture), &view).unwrap().to_vec();
    assert_eq!(segmenter.matte(&seen(&picture), &view).unwrap(), again);
}

#[test]
fn a_view_of_the_networks_own_size_is_the_picture() {
    let picture = picture("mesh");
    let mut got = vec![0.0; 3 * 192 * 192];
    let roi = Roi { centre: [96.0, 96.0], side: 192.0, angle: 0.0 };
    seen(&picture).sample(&roi.view(192), 192, Edge::Repeat, [0.0, 1.0], &mut got);
    assert!(largest(&planar(&picture, [0.0, 1.0]), &got) < 1e-6);
}

#[test]
fn a_file_of_another_network_or_with_more_in_it_is_refused() {
    let read = |weights: WeightReader| {
        let mut plan = PlanBuilder::new("refused");
        let picture = plan.input("picture", [1, 3, MATTE, MATTE], F32);
        segmenter::record(&mut plan, weights, picture, false).map(drop).unwrap_err().to_string()
    };
    let why = read(weights(Mesh::FILE));
    assert!(why.contains("track_mesh") && why.contains("`net.00.conv.weight`"), "{why}");
    let why = read(weights(Range::Short.file()));
    assert!(why.contains("[24, 3, 5, 5]") && why.contains("[16, 3, 3, 3]"), "{why}");

    let bytes = Assets::embedded().read(Segmenter::FILE).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<_> = tensors.tensors();
    let (name, first) = (format!("{}.again", all[0].0), all[0].1.clone());
    all.push((name.clone(), first));
    let more = safetensors::serialize(all, None).unwrap();
    let why = read(WeightReader::new("more.safetensors", more).unwrap());
    assert!(why.contains("does not use") && why.contains(&name), "{why}");
}
