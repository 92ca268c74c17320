//! Shards of a shipped avatar that is made a person of its own.

use std::path::{Path, PathBuf};

use half::f16;
use safetensors::SafeTensors;
use vultus::avatar::{AvatarFile, Matte, Portrait};
use vultus::face::FaceModel;
use vultus_native::assets::Assets;
use vultus_shards::{Done, Task, View};
use vultus_truth::Folder;

const SIDE: usize = 256;

/// The model, and an avatar whose portrait has 256 pixels as those of train/crowd.
fn model_and_avatar() -> (FaceModel, AvatarFile) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights");
    let assets = Assets::locate(Some(&folder)).expect("the weights folder");
    let model = FaceModel::read(assets.weights("face.safetensors").expect("weights")).expect("face model");
    let name = assets.avatars().expect("avatars").into_iter().next().expect("an avatar");
    let mut avatar = assets.avatar(&name).expect("avatar");
    let side = avatar.portrait.side as u32;
    let small = |picture: image::DynamicImage| {
        picture.resize_exact(SIDE as u32, SIDE as u32, image::imageops::FilterType::Triangle)
    };
    let rgb = image::RgbImage::from_raw(side, side, avatar.portrait.rgb.clone()).expect("square");
    let grey = image::GrayImage::from_raw(side, side, avatar.matte.alpha.clone()).expect("square");
    avatar.portrait = Portrait { side: SIDE, rgb: small(rgb.into()).into_rgb8().into_raw() };
    avatar.matte = Matte { side: SIDE, alpha: small(grey.into()).into_luma8().into_raw() };
    (model, avatar)
}

/// A folder with the avatar at rest, and 40 ms later with its head turned and its mouth opening.
fn person(model: &FaceModel, avatar: &AvatarFile, root: &Path) -> Folder {
    let place = root.join("somebody");
    std::fs::create_dir_all(&place).expect("a folder");
    std::fs::write(place.join("somebody.avatar"), avatar.to_bytes().expect("bytes")).expect("written");
    let rgb = image::RgbImage::from_raw(SIDE as u32, SIDE as u32, avatar.portrait.rgb.clone()).expect("square");
    let grey = image::GrayImage::from_raw(SIDE as u32, SIDE as u32, avatar.matte.alpha.clone()).expect("square");
    rgb.save(place.join("picture.png")).expect("written");
    grey.save(place.join("matte.png")).expect("written");
    let named = |beta: &[f32]| -> serde_json::Value {
        model.expression_names.iter().zip(beta).map(|(n, v)| (n.clone(), serde_json::json!(v))).collect()
    };
    let mut open = avatar.beta;
    open[model.expression_index("jawOpen").expect("ARKit")] += 0.2;
    let truth = serde_json::json!({"avatar": "somebody", "size": SIDE, "cases": [
        {"name": "rest", "beta": named(&avatar.beta), "dpose": [0, 0, 0, 0, 0, 0], "image": "picture.png", "matte": "matte.png"},
        {"name": "later", "beta": named(&open), "dpose": [0, 0.02, 0, 0, 0, 0], "image": "picture.png", "matte": "matte.png", "after": "rest", "sigma": 2.5},
    ]});
    std::fs::write(place.join("truth.json"), truth.to_string()).expect("written");
    Folder::new(place)
}

fn halves(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let bytes = file.tensor(name).expect("a tensor").data();
    bytes.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect()
}

fn numbers(file: &SafeTensors<'_>, name: &str) -> Vec<i32> {
    let bytes = file.tensor(name).expect("a tensor").data();
    bytes.as_chunks::<4>().0.iter().map(|b| i32::from_le_bytes(*b)).collect()
}

fn task(model: &FaceModel, fits: usize) -> Task<'_> {
    Task { model, fits, view: View::Whole, side: SIDE, seed: 5, rest: 0.75, aligner: None }
}

#[test]
fn a_face_at_rest_needs_nothing_and_is_its_portrait() {
    let (model, avatar) = model_and_avatar();
    let root = tempfile::tempdir().expect("a folder");
    let folder = person(&model, &avatar, root.path());
    let done = task(&model, 2).person(&folder, root.path()).expect("a good person");
    let Done::Written { rows: 4, bytes, .. } = done else { panic!("{done:?}") };
    let content = std::fs::read(root.path().join("somebody.safetensors")).expect("written");
    assert_eq!(content.len(), bytes);
    let file = SafeTensors::deserialize(&content).expect("a safetensors file");
    let plane = SIDE * SIDE;
    let (driven, source) = (halves(&file, "driven"), halves(&file, "source"));
    assert_eq!((driven.len(), source.len()), (4 * 16 * plane, 2 * 8 * plane));
    assert!(driven[13 * plane..14 * plane].iter().all(|v| *v == 0.0), "need");
    assert!(driven[10 * plane..12 * plane].iter().all(|v| v.abs() < 1e-4), "flow");
    assert!(driven[..3 * plane] == source[..3 * plane], "the composite at rest is the source");
    let worst = (0..3 * plane)
        .map(|i| {
            let byte = f32::from(avatar.portrait.rgb[i % plane * 3 + i / plane]) / 255.0;
            let linear = if byte <= 0.04045 { byte / 12.92 } else { ((byte + 0.055) / 1.055).powf(2.4) };
            (linear.sqrt() - source[i]).abs()
        })
        .fold(0.0, f32::max);
    assert!(worst < 2e-3, "{worst}");
    let matte = |k: usize| f32::from(avatar.matte.alpha[k]) / 255.0;
    assert!((0..plane).all(|k| (source[3 * plane + k] - matte(k)).abs() < 1e-3), "matte");
    // The later picture, of either fit, needs the mouth.
    assert_eq!(numbers(&file, "fit"), [0, 0, 1, 1]);
    assert_eq!(numbers(&file, "then"), [-1, 0, -1, 2]);
    let boxes = numbers(&file, "boxes");
    for row in [1, 3] {
        let [x, y, w, h] = [0, 1, 2, 3].map(|i| boxes[8 * row + i] as usize);
        assert!(w > 20 && h > 10 && x + w <= SIDE && y + h <= SIDE, "{boxes:?}");
        let need = &driven[(16 * row + 13) * plane..][..plane];
        let most = (y..y + h).flat_map(|y| &need[y * SIDE + x..][..w]).fold(0.0f32, |a, b| a.max(*b));
        assert!(most > 0.9, "{row}: {most}");
    }
    assert_eq!(file.tensor("motion").expect("a tensor").shape(), [2, 2, SIDE, SIDE]);
    assert_eq!(file.tensor("truth").expect("a tensor").shape(), [4, 3, SIDE, SIDE]);
    assert_eq!(file.tensor("truth_matte").expect("a tensor").data()[..plane], avatar.matte.alpha);
    assert_eq!(file.tensor("style").expect("a tensor").shape(), [4, 258]);
    let words = file.tensor("style").expect("a tensor").data().as_chunks::<4>().0;
    let sigma: Vec<f32> = words.chunks_exact(258).map(|row| f32::from_le_bytes(row[257])).collect();
    assert_eq!(sigma, [0.75, 2.5, 0.75, 2.5], "where the truth does not say it, the face is at rest");
    // Once more it is there; another folder gets the same bytes.
    assert_eq!(task(&model, 2).person(&folder, root.path()).expect("skipped"), Done::There);
    let other = root.path().join("other");
    std::fs::create_dir(&other).expect("a folder");
    task(&model, 2).person(&folder, &other).expect("a good person");
    assert!(std::fs::read(other.join("somebody.safetensors")).expect("written") == content, "deterministic");
    let left: Vec<PathBuf> =
        std::fs::read_dir(&other).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    assert_eq!(left, [other.join("somebody.safetensors")]);
}

#[test]
fn bad_input_is_told_in_a_sentence_and_nothing_is_written() {
    type Change = fn(&Path);
    fn edit(place: &Path, from: &str, to: &str) {
        let file = place.join("truth.json");
        let text = std::fs::read_to_string(&file).expect("read");
        assert!(text.contains(from), "{from}");
        std::fs::write(file, text.replacen(from, to, 1)).expect("written");
    }
    let (model, avatar) = model_and_avatar();
    let changes: [(&[&str], Change); 6] = [
        (&["picture.png", "there is no such file"], |p| std::fs::remove_file(p.join("picture.png")).expect("removed")),
        (&["picture.png is 100×90", "expected a square"], |p| {
            image::RgbImage::new(100, 90).save(p.join("picture.png")).expect("written");
        }),
        (&["truth.json", "later", "beyond ±4"], |p| edit(p, "0.02", "1e30")),
        (&["truth.json", "jawWide"], |p| edit(p, "\"jawOpen\"", "\"jawWide\"")),
        (&["later is after before"], |p| edit(p, "\"after\":\"rest\"", "\"after\":\"before\"")),
        (&["somebody.avatar", "there is no such file"], |p| {
            std::fs::remove_file(p.join("somebody.avatar")).expect("removed");
        }),
    ];
    for (words, change) in changes {
        let root = tempfile::tempdir().expect("a folder");
        let folder = person(&model, &avatar, root.path());
        change(&root.path().join("somebody"));
        let why = format!("{:#}", task(&model, 1).person(&folder, root.path()).expect_err("must fail"));
        assert!(words.iter().all(|w| why.contains(w)) && !why.contains('\n'), "{words:?}: {why}");
        assert!(!root.path().join("somebody.safetensors").exists());
    }
}
