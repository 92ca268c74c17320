//! The face model against what numpy computed (`train/goldens/face.py`) on every executor, both executors against each other, and the
//! rasteriser's promises: no cracks, ties to the lowest index, no harm from bad numbers.

mod common;

use common::{Tolerance, compare, executors, noise};
use safetensors::SafeTensors;
use vultus::compute::{Bindings, Compute, Executor, PlanBuilder};
use vultus::face::{self, FaceModel, FaceTensors, Light, MOTION, NONE, Placement};
use vultus::weights::WeightReader;

const GOLDEN: &[u8] = include_bytes!("golden/face.safetensors");
const MODEL: &[u8] = include_bytes!("../../../weights/face.safetensors");

fn model() -> FaceModel {
    FaceModel::read(WeightReader::new("face.safetensors", MODEL).unwrap()).unwrap()
}

fn golden(name: &str) -> Vec<f32> {
    let mut reader = WeightReader::new("face golden", GOLDEN).unwrap();
    let shape = reader.shape(name).unwrap_or_else(|| panic!("{name}")).to_vec();
    reader.take_shaped(name, &shape).unwrap()
}

fn golden_i32(name: &str, len: usize) -> Vec<i32> {
    let file = SafeTensors::deserialize(GOLDEN).unwrap();
    let values: Vec<i32> =
        file.tensor(name).unwrap().data().as_chunks().0.iter().map(|b| i32::from_le_bytes(*b)).collect();
    assert_eq!(values.len(), len, "{name}");
    values
}

fn golden_f64(name: &str) -> Vec<f64> {
    let file = SafeTensors::deserialize(GOLDEN).unwrap();
    file.tensor(name).unwrap().data().as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect()
}

/// A plan of the whole room, all of it readable.
fn room(
    compute: &Compute,
    model: &FaceModel,
    placement: &Placement,
    light: &Light,
    size: usize,
) -> (Executor, FaceTensors, face::Shading) {
    let mut plan = PlanBuilder::new("face test");
    let f = face::record(&mut plan, model, size);
    let shading = face::record_shading(&mut plan, &f);
    let mut bindings = Bindings::default();
    f.bind(&mut bindings, model, placement);
    shading.bind(&mut bindings, model, light);
    let outputs = [f.positions, f.screen, f.normals, f.triangle_id, f.barycentric, f.depth, shading.rendered];
    outputs.into_iter().for_each(|t| plan.output(t));
    (compute.program(plan.finish().unwrap()).executor(&bindings).unwrap(), f, shading)
}

fn motion(values: &[f32]) -> [f32; MOTION] {
    let mut motion = [0.0; MOTION];
    motion[..values.len()].copy_from_slice(values);
    motion
}

#[test]
fn vertices_normals_and_landmarks_equal_numpy() {
    let model = model();
    let [alpha, beta, moves, places] = ["alpha", "beta", "motion", "placement"].map(golden);
    let index = golden_i32("vertex.index", 240);
    let [position, normal, landmark] = ["vertex.position", "normal", "landmark"].map(golden);
    let (sum, square_sum) = (golden_f64("vertex.sum"), golden_f64("vertex.square_sum"));
    let cases = alpha.len() / 80;
    for compute in executors() {
        for case in 0..cases {
            let placement = Placement {
                alpha: alpha[case * 80..][..80].try_into().unwrap(),
                beta: [0.0; 64],
                pose: places[case * 6..][..6].try_into().unwrap(),
                camera: [2.9, 0.5, 0.5],
            };
            let mut plan = PlanBuilder::new("golden");
            let f = face::record(&mut plan, &model, 64);
            [f.positions, f.normals].into_iter().for_each(|t| plan.output(t));
            let mut bindings = Bindings::default();
            f.bind(&mut bindings, &model, &placement);
            let mut executor = compute.program(plan.finish().unwrap()).executor(&bindings).unwrap();
            executor.write(f.beta, &beta[case * 64..][..64]).unwrap();
            executor.write(f.motion, &motion(&moves[case * 6..][..6])).unwrap();
            executor.run().unwrap();
            let at = format!("{}, case {case}", compute.name());
            let positions: Vec<[f32; 3]> =
                executor.read::<[f32; 4]>(f.positions).unwrap().iter().map(|p| [p[0], p[1], p[2]]).collect();
            let normals = executor.read::<[f32; 4]>(f.normals).unwrap();
            let micrometres = Tolerance { absolute: 2e-6, relative: 0.0 };
            let got: Vec<f32> = index.iter().flat_map(|i| positions[*i as usize]).collect();
            compare(&position[case * 720..][..720], &got, micrometres).unwrap_or_else(|e| panic!("{at}: position {e}"));
            let got: Vec<f32> = index.iter().flat_map(|i| normals[*i as usize][..3].to_vec()).collect();
            // A vertex error of 2e-7 m against lid edges of 0.5 mm.
            compare(&normal[case * 720..][..720], &got, Tolerance { absolute: 2e-3, relative: 0.0 })
                .unwrap_or_else(|e| panic!("{at}: normal {e}"));
            compare(&landmark[case * 204..][..204], &model.landmarks_on(&positions).concat(), micrometres)
                .unwrap_or_else(|e| panic!("{at}: landmark {e}"));
            for axis in 0..3 {
                let values = || positions.iter().map(|p| f64::from(p[axis]));
                let (s, q) = (values().sum::<f64>(), values().map(|v| v * v).sum::<f64>());
                let v = positions.len() as f64;
                assert!((s - sum[case * 3 + axis]).abs() < 1e-6 * v, "{at}: sum {s} {}", sum[case * 3 + axis]);
                assert!((q - square_sum[case * 3 + axis]).abs() < 3e-6 * v, "{at}: squares {q}");
            }
        }
    }
    // On the host, in head space.
    let lip_gap = golden("lip_gap");
    for case in 0..cases {
        let head = model.shape(&alpha[case * 80..][..80], &beta[case * 64..][..64]);
        let gap = model.lip_gap_on(&head);
        assert!((gap - lip_gap[case].max(0.0)).abs() < 2e-4, "case {case}: {gap} {}", lip_gap[case]);
    }
}

#[test]
fn raster_and_colours_equal_numpy() {
    let model = model();
    let camera = golden("camera");
    let placement = Placement {
        alpha: [0.0; 80],
        beta: [0.0; 64],
        pose: golden("raster.placement").try_into().unwrap(),
        camera: camera.try_into().unwrap(),
    };
    let light = Light { delta: [0.0; 80], gamma: golden("gamma").try_into().unwrap() };
    let ids = golden_i32("raster.triangle", 64 * 64);
    let [weights, depth, color] = ["raster.barycentric", "raster.depth", "pixel.colour"].map(golden);
    let pixel = golden_i32("pixel.index", color.len() / 3);
    for compute in executors() {
        let (mut executor, f, shading) = room(&compute, &model, &placement, &light, 64);
        executor.write(f.beta, &[0.0f32; 64]).unwrap();
        executor.write(f.motion, &motion(&[])).unwrap();
        executor.run().unwrap();
        let at = compute.name();
        let got: Vec<i32> = executor.read::<u32>(f.triangle_id).unwrap().iter().map(|i| *i as i32).collect();
        let same: Vec<usize> = (0..ids.len()).filter(|i| got[*i] == ids[*i]).collect();
        // Others lie within rounding of an edge, or are backs of triangles without area.
        assert!(
            same.len() >= ids.len() - 4,
            "{at}: {} of {} pixels show another triangle",
            ids.len() - same.len(),
            ids.len()
        );
        for i in same.into_iter().filter(|i| ids[*i] >= 0) {
            let d = executor.read::<f32>(f.depth).unwrap()[i];
            assert!((d - depth[i]).abs() < 1e-5, "{at}: depth {d} {} at {i}", depth[i]);
            let b = executor.read::<[f32; 2]>(f.barycentric).unwrap()[i];
            // Screen positions round to 4e-6 pixels, triangles are seldom smaller than 0.01.
            let close = (0..2).all(|k| (b[k] - weights[3 * i + k]).abs() < 2e-3);
            assert!(close, "{at}: weights {b:?} {:?} at {i}", &weights[3 * i..3 * i + 3]);
        }
        let rendered = executor.read::<[f32; 4]>(shading.rendered).unwrap();
        let mut total = 0.0;
        for (i, c) in pixel.iter().zip(color.as_chunks::<3>().0) {
            for k in 0..3 {
                // Numpy lights each pixel; here vertices are lit and the light is interpolated.
                let off = (rendered[*i as usize][k] - c[k]).abs();
                assert!(off < 0.02, "{at}: colour {:?} {c:?} at {i}", rendered[*i as usize]);
                total += off / color.len() as f32;
            }
        }
        assert!(total < 1e-3, "{at}: colours differ by {total} in the mean");
    }
}

#[test]
fn executors_agree_on_a_talking_turning_head() {
    const SIZE: usize = 345;
    let model = model();
    let mut placement = Placement::mean();
    noise(5, 80).iter().zip(&mut placement.alpha).for_each(|(n, a)| *a = *n);
    placement.beta[model.expression_index("mouthSmileLeft").unwrap()] = 0.3;
    let mut beta = [0.0; 64];
    noise(6, 64).iter().zip(&mut beta).for_each(|(n, b)| *b = 0.3 * n.max(0.0));
    let frames = executors().into_iter().map(|compute| {
        let (mut executor, f, shading) = room(&compute, &model, &placement, &Light::mean(), SIZE);
        executor.write(f.beta, &beta).unwrap();
        executor.write(f.motion, &motion(&[0.1, -0.2, 0.05, 0.0, 0.01, 0.0])).unwrap();
        executor.run().unwrap();
        let rendered = executor.read::<[f32; 4]>(shading.rendered).unwrap().to_vec();
        (compute.name(), executor.read::<u32>(f.triangle_id).unwrap().to_vec(), rendered)
    });
    let frames: Vec<_> = frames.collect();
    let (_, ids, rendered) = &frames[0];
    let drawn = ids.iter().filter(|i| **i != NONE).count();
    assert!(drawn > SIZE * SIZE / 8, "{drawn} pixels");
    for (name, other_ids, other_rendered) in &frames[1..] {
        let odd = (0..ids.len()).filter(|i| ids[*i] != other_ids[*i]).count();
        assert!(odd < drawn / 2000, "{name}: {odd} of {drawn} pixels show another triangle");
        let bytes =
            |v: &[[f32; 4]]| -> Vec<u8> { v.iter().flatten().map(|c| (c.clamp(0.0, 1.0) * 255.0) as u8).collect() };
        let psnr = common::psnr(&bytes(rendered), &bytes(other_rendered));
        assert!(psnr > 50.0, "{name}: {psnr} dB");
    }
}

/// Rasterises given screens (lists of [x, y, depth, 1/depth] and triangles) on every executor.
fn raster(screen: &[[f32; 4]], triangles: &[[u32; 4]], size: usize) -> Vec<(String, Vec<u32>, Vec<f32>)> {
    let all = executors().into_iter().map(|compute| {
        let mut plan = PlanBuilder::new("raster");
        let triangles = plan.constant("triangles", [triangles.len(), 4], triangles);
        let screen = plan.constant("screen", [screen.len(), 4], screen);
        let r = face::record_raster(&mut plan, triangles, screen, size);
        [r.triangle_id, r.depth].into_iter().for_each(|t| plan.output(t));
        let mut executor = compute.executor(plan.finish().unwrap()).unwrap();
        executor.run().unwrap();
        (compute.name(), executor.read(r.triangle_id).unwrap().to_vec(), executor.read(r.depth).unwrap().to_vec())
    });
    all.collect()
}

#[test]
fn a_mesh_has_no_cracks() {
    // A crumpled grid over the whole picture: every pixel inside it must be covered, whatever the edges round to.
    const SIZE: usize = 257;
    const SIDE: usize = 60;
    for seed in 1..5 {
        let shift = noise(seed, SIDE * SIDE * 3);
        let screen: Vec<[f32; 4]> = (0..SIDE * SIDE)
            .map(|i| {
                let step = (SIZE as f32 + 40.0) / (SIDE - 1) as f32;
                let place = |v: usize, n: f32| (v as f32 + 0.3 * n) * step - 20.0;
                let depth = 1.0 + 0.1 * shift[3 * i + 2];
                [place(i % SIDE, shift[3 * i]), place(i / SIDE, shift[3 * i + 1]), depth, 1.0 / depth]
            })
            .collect();
        let mut triangles = Vec::new();
        for y in 0..SIDE - 1 {
            for x in 0..SIDE - 1 {
                let at = |dx: usize, dy: usize| ((y + dy) * SIDE + x + dx) as u32;
                triangles.push([at(0, 0), at(0, 1), at(1, 0), 0]);
                triangles.push([at(1, 0), at(0, 1), at(1, 1), 0]);
            }
        }
        for (name, ids, depth) in raster(&screen, &triangles, SIZE) {
            let holes = ids.iter().filter(|i| **i == NONE).count();
            assert_eq!(holes, 0, "{name}, seed {seed}");
            assert!(depth.iter().all(|d| (0.85..1.15).contains(d)), "{name}");
        }
    }
}

#[test]
fn ties_go_to_the_lowest_index_and_backs_are_not_drawn() {
    let screen = [[0.0, 0.0, 1.0, 1.0], [0.0, 64.0, 1.0, 1.0], [64.0, 0.0, 1.0, 1.0], [64.0, 64.0, 1.0, 1.0]];
    // A back, the same triangle twice, and its neighbour: pixels on the diagonal belong to both, so to the lower index.
    let triangles = [[0, 2, 1, 0], [0, 1, 2, 0], [1, 3, 2, 0], [0, 1, 2, 0]];
    for (name, ids, _) in raster(&screen, &triangles, 64) {
        for y in 0..64 {
            for x in 0..64 {
                assert_eq!(ids[y * 64 + x], if x + y < 64 { 1 } else { 2 }, "{name}: {x}, {y}");
            }
        }
    }
}

#[test]
fn bad_numbers_and_a_camera_inside_the_head_do_no_harm() {
    const SIZE: usize = 96;
    let model = model();
    let mut inside = Placement::mean();
    inside.pose[5] = -0.06; // the near plane cuts through the face
    let mut huge = [0.0f32; 64];
    huge[17] = 1e30;
    for compute in executors() {
        for placement in [&inside, &Placement::mean()] {
            let (mut executor, f, shading) = room(&compute, &model, placement, &Light::mean(), SIZE);
            for beta in [[0.0; 64], [f32::NAN; 64], [f32::INFINITY; 64], huge] {
                for moves in [motion(&[]), motion(&[f32::NAN; 6]), motion(&[1e9, -1e9, 1e9, 1e20, 0.0, -1e20])] {
                    executor.write(f.beta, &beta).unwrap();
                    executor.write(f.motion, &moves).unwrap();
                    executor.run().unwrap();
                    let ids: &[u32] = executor.read(f.triangle_id).unwrap();
                    let depth: &[f32] = executor.read(f.depth).unwrap();
                    for (id, d) in ids.iter().zip(depth) {
                        assert!(*id == NONE || (*id as usize) < model.triangles.len(), "{}: {id}", compute.name());
                        assert!(*d >= 0.049, "{}: depth {d}", compute.name());
                    }
                    let rendered = executor.read::<[f32; 4]>(shading.rendered).unwrap();
                    assert!(
                        rendered.iter().zip(ids).all(|(c, id)| *id != NONE || *c == [0.0; 4]),
                        "{}",
                        compute.name()
                    );
                    let still = beta == [0.0; 64] && moves == [0.0; MOTION];
                    if still && placement.pose[5] < -1.0 {
                        assert!(ids.iter().any(|i| *i != NONE), "the face is there after the bad frames");
                    }
                }
            }
        }
    }
}

#[test]
fn the_lip_gap_is_one_with_the_jaw_open() {
    let model = model();
    let mut beta = [0.0f32; 64];
    assert!(model.lip_gap(&beta) < 1e-3);
    beta[model.expression_index("jawOpen").unwrap()] = 1.0;
    assert!((model.lip_gap(&beta) - 1.0).abs() < 0.01, "{}", model.lip_gap(&beta));
    assert!((model.lip_gap_on(&model.shape(&[], &beta)) - model.lip_gap(&beta)).abs() < 1e-3);
}
