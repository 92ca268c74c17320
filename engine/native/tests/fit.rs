//! Fits: against a reference (`train/goldens/fit.py`), and all the way from pictures of people whose geometry is known.

use vultus::avatar::AvatarFile;
use vultus::compute::Compute;
use vultus::face::{FaceModel, Placement, Points};
use vultus::fit::{self, Fitter};
use vultus::track::{Detector, Mesh, POINTS, Picture, Range, Tracker};
use vultus::weights::WeightReader;
use vultus_native::assets::{self, Assets};

const GOLDEN: &[u8] = include_bytes!("golden/fit.safetensors");

fn model() -> FaceModel {
    FaceModel::read(Assets::embedded().weights(assets::FACE).unwrap()).unwrap()
}

fn fitter(model: &FaceModel) -> Fitter {
    Fitter::new(model, Assets::embedded().weights(Fitter::FILE).unwrap()).unwrap()
}

/// Largest and mean distance of the landmarks, pixels of 512².
fn apart(model: &FaceModel, a: &Placement, b: &Placement) -> (f64, f64) {
    let landmarks = Points::landmarks(model);
    let far: Vec<f64> = (landmarks.project(a).iter().zip(landmarks.project(b)))
        .map(|(p, q)| 512.0 * (p[0] - q[0]).hypot(p[1] - q[1]))
        .collect();
    (far.iter().copied().fold(0.0, f64::max), far.iter().sum::<f64>() / far.len() as f64)
}

#[test]
fn fits_are_the_references() {
    let model = model();
    let mut golden = WeightReader::new("fit golden", GOLDEN).unwrap();
    let mut faces = Vec::new();
    for name in ["priya", "jonas"] {
        let mut take = |what: &str, shape: &[usize]| golden.take_shaped(&format!("{name}.{what}"), shape).unwrap();
        let points: Vec<[f64; 2]> =
            take("points", &[POINTS, 2]).as_chunks::<2>().0.iter().map(|p| p.map(f64::from)).collect();
        let (alpha, beta) = (take("alpha", &[80]), take("beta", &[64]));
        let (pose, camera) = (take("pose", &[6]), take("camera", &[3]));
        let expected = Placement {
            alpha: std::array::from_fn(|k| alpha[k]),
            beta: std::array::from_fn(|k| beta[k]),
            pose: std::array::from_fn(|k| pose[k]),
            camera: std::array::from_fn(|k| camera[k]),
        };
        faces.push((points, expected));
    }
    // What is left in the file are its correspondences.
    let fitter = Fitter::new(&model, golden).unwrap();
    for (points, expected) in faces {
        let fit = fitter.fit(&points).unwrap();
        let (most, mean) = apart(&model, &fit.placement(), &expected);
        let off = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let (alpha, beta) = (off(&fit.alpha, &expected.alpha), off(&fit.beta, &expected.beta));
        eprintln!(
            "landmarks {mean:.3} px, at most {most:.3}; α {alpha:.4}, β {beta:.4}; {:?} {:?}",
            fit.pose, fit.camera
        );
        eprintln!("{:?} {:?}", expected.pose, expected.camera);
        assert!(most < 0.25 && alpha < 0.03 && beta < 0.05, "{most} {alpha} {beta}");
        assert!(off(&fit.pose, &expected.pose) < 3e-3 && off(&fit.camera, &expected.camera) < 0.01);
    }
}

#[test]
fn a_portrait_is_fitted_and_lit_from_its_picture_alone() {
    let (model, assets) = (model(), Assets::embedded());
    let fitter = fitter(&model);
    let detector = Detector::new(&Compute::Cpu, Range::Short, assets.weights(Range::Short.file()).unwrap()).unwrap();
    let mesh = Mesh::new(&Compute::Cpu, assets.weights(Mesh::FILE).unwrap()).unwrap();
    let mut tracker = Tracker::new(vec![detector], mesh);
    for name in ["priya", "george", "lea"] {
        let avatar: AvatarFile = assets.avatar(name).unwrap();
        let side = avatar.portrait.side;
        tracker.reset();
        let face = tracker.next(&Picture::new(&avatar.portrait.rgb, side, side)).unwrap().expect("a face");
        let points: Vec<[f64; 2]> =
            face.points.iter().map(|p| [p[0], p[1]].map(|v| f64::from(v) / side as f64)).collect();
        let fit = fitter.fit(&points).unwrap();
        let (most, mean) = apart(&model, &fit.placement(), &Placement::of(&avatar));
        eprintln!("{name}: landmarks {mean:.2} px of 512, at most {most:.2}; residual {:.2} %", 100.0 * fit.residual);
        assert!(mean < 3.5 && fit.residual < 0.02, "{name}: {mean} {}", fit.residual);
        assert!((fit.pose[5] + 1.0).abs() < 1e-6 && fit.camera[1..] == [0.5, 0.5]);

        let (delta, gamma) = fit::light(&model, &fit, &avatar.portrait, Some(&avatar.matte));
        // The file may hold it.
        let next =
            AvatarFile { alpha: fit.alpha, beta: fit.beta, pose: fit.pose, camera: fit.camera, delta, gamma, ..avatar };
        AvatarFile::parse("fitted.avatar", next.to_bytes().unwrap()).unwrap();
    }
}
