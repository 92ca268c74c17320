//! Fits and motion of a shipped avatar.

use std::path::Path;

use vultus::align::{AlignWeights, Aligner};
use vultus::avatar::AvatarFile;
use vultus::compute::Compute;
use vultus::face::{FaceModel, Placement, Points};
use vultus::generator::hef::{Crop, Observer};
use vultus_native::assets::Assets;
use vultus_truth::{MARKS, Moment, NOISE, Part, bounds, disturbed, folders, landmarks, motion, noise, project};

const SIDE: usize = 256;

fn model_and_avatar() -> (FaceModel, AvatarFile) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights");
    let assets = Assets::locate(Some(&folder)).expect("the weights folder");
    let model = FaceModel::read(assets.weights("face.safetensors").expect("weights")).expect("face model");
    let name = assets.avatars().expect("avatars").into_iter().next().expect("an avatar");
    let avatar = assets.avatar(&name).expect("avatar");
    (model, avatar)
}

#[test]
fn landmarks_and_boxes_are_where_the_mesh_is() {
    let (model, avatar) = model_and_avatar();
    let screen = project(&model, &avatar, &avatar.beta, &[0.0; 6], SIDE);
    let at = landmarks(&model, &screen);
    let exact = Points::landmarks(&model).project(&Placement::of(&avatar));
    assert_eq!(at.len(), MARKS);
    for (k, (a, b)) in at.iter().zip(&exact).enumerate() {
        let a = a.expect("all are in sight");
        let off = (0..2).map(|i| (f64::from(a[i]) - 256.0 * b[i]).abs()).fold(0.0, f64::max);
        assert!(off < 0.05, "{k}: {a:?} {b:?}");
    }
    for part in Part::ALL {
        let [x, y, w, h] = bounds(model.mask(part.mask()), &[&screen], part.pad(SIDE), SIDE);
        assert!(w > h / 2 && x + w <= SIDE && y + h <= SIDE, "{part:?}");
        let ours = if part == Part::Face { Part::Mouth.landmarks() } else { part.landmarks() };
        for [u, v] in at[ours].iter().flatten() {
            assert!((x as f32..(x + w) as f32).contains(u) && (y as f32..(y + h) as f32).contains(v), "{part:?}");
        }
    }
}

#[test]
fn disturbed_fits_are_as_far_off_as_they_say_and_explain_the_same_portrait() {
    let (model, avatar) = model_and_avatar();
    let landmarks = Points::landmarks(&model);
    let at = landmarks.project(&Placement::of(&avatar));
    let mut seen = Vec::new();
    for seed in 0..8u64 {
        let fit = disturbed(&avatar, &landmarks, &mut noise("somebody", 1, seed));
        let moved = landmarks.project(&Placement::of(&fit));
        let square: f64 = moved.iter().zip(&at).map(|(p, q)| (p[0] - q[0]).powi(2) + (p[1] - q[1]).powi(2)).sum();
        let off = 256.0 * (square / 68.0).sqrt();
        assert!((NOISE.start - 0.05..NOISE.end + 0.05).contains(&off), "{seed}: {off}");
        let most = |a: &[f32], b: &[f32]| a.iter().zip(b).fold(0.0f32, |m, (x, y)| m.max((x - y).abs()));
        assert!(most(&fit.alpha, &avatar.alpha) < 4.0 && most(&fit.pose[..3], &avatar.pose[..3]) < 0.3, "{seed}");
        assert!(fit.beta.iter().all(|b| (-0.5..=1.5).contains(b)), "{seed}");
        assert!(fit.portrait == avatar.portrait && fit.gamma == avatar.gamma);
        seen.push(fit.pose);
    }
    seen.dedup();
    assert_eq!(seen.len(), 8);
}

#[test]
fn motion_says_where_each_vertex_was() {
    let (model, avatar) = model_and_avatar();
    let mut observer =
        Observer::new(&Compute::Cpu, &model, &avatar, SIDE, Crop::whole(SIDE), SIDE).expect("a good size");
    let mut moments = [[0.0; 6], [0.01, 0.04, 0.0, 0.001, 0.0, 0.0]]
        .map(|m| Moment::of(&observer.observe(&avatar.beta, &m).expect("the CPU is there")));
    let all = vec![255; SIDE * SIDE];
    let still = motion(&moments[0], &moments[0].clone(), &all, &model.triangles, SIDE);
    assert!(still.iter().flatten().all(|v| v.abs() < 2e-3), "nothing moves");
    let moved = motion(&moments[0], &moments[1], &all, &model.triangles, SIDE);
    let (then, now) = (&moments[0].screen, &moments[1].screen);
    let mut found = 0;
    for k in 0..SIDE * SIDE {
        let id = moments[1].triangle_id[k];
        let [a, b] = moments[1].barycentric[k];
        // Pixels near a triangle's first corner.
        if id == vultus::face::NONE || a < 0.9 || b > 0.1 {
            continue;
        }
        let v = model.triangles[id as usize][0] as usize;
        let off = (0..2).map(|i| (moved[k][i] - (then[v][i] - now[v][i])).abs()).fold(0.0, f32::max);
        assert!(off < 0.3, "{k}: {:?}", moved[k]);
        found += 1;
    }
    assert!(found > 20, "{found}");
    // Beside the mesh, hair goes with the head: what a pixel shows now is what it pointed at then.
    moments[1].triangle_id.fill(vultus::face::NONE);
    let by_portrait = motion(&moments[0], &moments[1], &all, &model.triangles, SIDE);
    let nobody = motion(&moments[0], &moments[1], &vec![0; SIDE * SIDE], &model.triangles, SIDE);
    assert!(nobody.iter().flatten().all(|v| *v == 0.0), "the background stands still");
    let middle = SIDE / 2 * SIDE + SIDE / 2;
    assert!((by_portrait[middle][0] - moved[middle][0]).abs() < 0.3, "{:?} {:?}", by_portrait[middle], moved[middle]);
}

#[test]
fn the_shipped_network_brings_wrong_fits_nearer_and_leaves_right_ones_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let assets = Assets::locate(Some(&root.join("weights"))).expect("the weights folder");
    let (model, shipped) = model_and_avatar();
    let weights = AlignWeights::read(assets.weights("align.safetensors").expect("weights"), model.vertices());
    let aligner = Aligner::new(weights.expect("weights of this face model"));
    let correct = |avatar: &AvatarFile| aligner.correct(&Compute::Cpu, &model, avatar).expect("the CPU does not fail");
    assert_eq!(correct(&shipped), shipped);

    let landmarks = Points::landmarks(&model);
    let (mut before, mut after) = (0.0, 0.0);
    for folder in folders(&root.join("benches/data/held")).expect("held-out people") {
        let exact = folder.avatar().expect("an avatar");
        assert_eq!(correct(&exact), exact, "{}", folder.name());
        let truth = landmarks.project(&Placement::of(&exact));
        let off = |avatar: &AvatarFile| {
            let at = landmarks.project(&Placement::of(avatar));
            at.iter().zip(&truth).map(|(p, q)| (p[0] - q[0]).powi(2) + (p[1] - q[1]).powi(2)).sum::<f64>().sqrt()
        };
        let fit = disturbed(&exact, &landmarks, &mut noise(&folder.name(), 1, 9));
        before += off(&fit);
        after += off(&correct(&fit));
    }
    assert!(after < 0.6 * before, "{before} → {after}");
}
