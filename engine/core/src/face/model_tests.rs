//! Bad model files: every one an error that says what is wrong, none a panic.

use std::collections::HashMap;

use proptest::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::{ARKIT, FaceModel, Mask};
use crate::weights::WeightReader;

type Tensors = HashMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// An octahedron that passes for a face: six vertices, eight triangles.
fn octahedron() -> Tensors {
    const V: usize = 6;
    let mut tensors = Tensors::new();
    let mut floats = |name: &str, shape: &[usize], values: &dyn Fn(usize) -> f32| {
        let count = shape.iter().product();
        let bytes = (0..count).flat_map(|i| values(i).to_le_bytes()).collect();
        tensors.insert(name.to_owned(), (Dtype::F32, shape.to_vec(), bytes));
    };
    let corners = [0.1, 0., 0., 0., 0.1, 0., 0., 0., 0.1, -0.1, 0., 0., 0., -0.1, 0., 0., 0., -0.1];
    floats("mean.position", &[V, 3], &|i| corners[i]);
    floats("identity.basis", &[80, V, 3], &|i| (i % 7) as f32 * 1e-4);
    // Expression 17 lifts vertex 1, the upper lip, by one centimetre.
    floats("expression.basis", &[64, V, 3], &|i| if i == 17 * V * 3 + 4 { 0.01 } else { 0.0 });
    floats("albedo.mean", &[V, 3], &|_| 0.5);
    floats("albedo.basis", &[80, V, 3], &|_| 0.01);
    floats("uv", &[V, 2], &|_| 0.5);
    floats("head_weight", &[V], &|_| 1.0);
    floats("pivot", &[3], &|_| 0.0);
    floats("eye.center", &[2, 3], &|_| 0.0);
    floats("eye.radius", &[1], &|_| 0.012);
    floats("eye.angle", &[V], &|_| -1.0);
    floats("landmarks.barycentric", &[68, 3], &|i| if i % 3 == 0 { 1.0 } else { 0.0 });
    floats("lip_gap.closed", &[1], &|_| 0.2);
    floats("lip_gap.open", &[1], &|_| 0.22);
    for (_, name) in Mask::ALL {
        floats(name, &[V], &|_| 1.0);
    }
    let mut integers = |name: &str, shape: &[usize], values: &[i32]| {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        tensors.insert(name.to_owned(), (Dtype::I32, shape.to_vec(), bytes));
    };
    let faces = [0, 1, 2, 1, 3, 2, 3, 4, 2, 4, 0, 2, 1, 0, 5, 3, 1, 5, 4, 3, 5, 0, 4, 5];
    integers("triangles", &[8, 3], &faces);
    integers("landmarks.triangle", &[68], &[3; 68]);
    integers("inner_lip.upper", &[1], &[1]);
    integers("inner_lip.lower", &[1], &[4]);
    tensors.insert("triangle.region".into(), (Dtype::U8, vec![8], vec![0, 1, 2, 3, 4, 5, 6, 7]));
    tensors
}

fn names() -> Vec<String> {
    ARKIT.iter().map(|n| (*n).to_owned()).chain((52..64).map(|i| format!("extra{i}"))).collect()
}

fn file(tensors: &Tensors, names: &[String]) -> Vec<u8> {
    let views = tensors.iter().map(|(n, (d, s, b))| (n, TensorView::new(*d, s.clone(), b).unwrap()));
    let metadata = HashMap::from([("expression_names".to_owned(), serde_json::to_string(names).unwrap())]);
    safetensors::serialize(views, Some(metadata)).unwrap()
}

fn read(bytes: Vec<u8>) -> Result<FaceModel, crate::weights::WeightError> {
    WeightReader::new("odd.safetensors", bytes).and_then(FaceModel::read)
}

#[test]
fn a_small_model_is_read() {
    let model = read(file(&octahedron(), &names())).unwrap();
    assert_eq!((model.vertices(), model.triangles[2]), (6, [3, 4, 2, 2]));
    assert_eq!(model.expression_index("jawOpen"), Some(17));
    let mut beta = [0.0; 64];
    beta[17] = 1.0;
    assert_eq!(model.shape(&[], &beta)[1], [0.0, 0.11, 0.0]);
    assert!((model.lip_gap(&beta) - 0.5).abs() < 1e-5, "one of two centimetres");
    assert_eq!(model.landmarks(&[], &beta)[0], [0.0, -0.1, 0.0], "the first corner of triangle 3");
    assert_eq!(model.albedo_of(&[100.0])[0], [1.0; 3], "held to 0 … 1");
}

#[test]
fn errors_name_the_file_and_what_is_wrong() {
    let fails = |change: &dyn Fn(&mut Tensors, &mut Vec<String>), words: &str| {
        let (mut tensors, mut names) = (octahedron(), names());
        change(&mut tensors, &mut names);
        let text = read(file(&tensors, &names)).unwrap_err().to_string();
        assert!(text.contains("odd.safetensors") && text.contains(words), "{text}");
    };
    let set = |t: &mut Tensors, name: &str, at: usize, value: [u8; 4]| {
        t.get_mut(name).unwrap().2[at * 4..at * 4 + 4].copy_from_slice(&value);
    };
    fails(&|t, _| drop(t.remove("uv")), "`uv`");
    fails(&|t, _| drop(t.insert("extra".into(), (Dtype::U8, vec![1], vec![0]))), "extra");
    fails(&|t, _| set(t, "triangles", 5, 6i32.to_le_bytes()), "outside 0 … 5");
    fails(&|t, _| set(t, "inner_lip.lower", 0, (-1i32).to_le_bytes()), "outside");
    fails(&|t, _| set(t, "landmarks.triangle", 67, 8i32.to_le_bytes()), "outside 0 … 7");
    fails(&|t, _| set(t, "mean.position", 3, f32::NAN.to_le_bytes()), "not finite");
    fails(&|t, _| set(t, "lip_gap.open", 0, 0.1f32.to_le_bytes()), "lip_gap.open");
    fails(&|t, _| t.get_mut("triangle.region").unwrap().2[1] = 8, "regions are 0 … 7");
    fails(&|_, n| n.swap(0, 1), "ARKit");
    fails(&|_, n| n.truncate(63), "64 names");
    fails(&|t, _| t.get_mut("identity.basis").unwrap().1 = vec![40, 12, 3], "[80, 6, 3]");
}

proptest! {
    #[test]
    fn damaged_files_never_panic(at in 0usize..20_000, value: u8) {
        let mut bytes = file(&octahedron(), &names());
        let at = at % bytes.len();
        bytes[at] = value;
        let _ = read(bytes);
    }
}
