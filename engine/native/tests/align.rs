//! Corrected fits: the network against the activations that PyTorch wrote (`train/goldens/align.py`), and what the answer makes of known offsets.

mod common;

use common::{check, executors, sampled, take};
use vultus::align::{AlignWeights, Aligner, Change, PARAMETERS, Target, changed, deviations, held, record, solve};
use vultus::avatar::{AvatarFile, EXPRESSION, IDENTITY};
use vultus::compute::{Compute, Element::F32, PlanBuilder};
use vultus::face::{FaceModel, Placement, Points};
use vultus::weights::WeightReader;
use vultus_native::assets::Assets;

const GOLDEN: &[u8] = include_bytes!("golden/align.safetensors");
/// Of a face that the golden's points are on.
const VERTICES: usize = 100;

fn golden() -> WeightReader {
    WeightReader::new("align golden", GOLDEN).unwrap()
}

#[test]
fn every_layer_equals_pytorch() {
    let mut golden = golden();
    let config = serde_json::from_str(golden.metadata("network").unwrap()).unwrap();
    let weights = AlignWeights::take(&mut golden, "network", "weight.", config, VERTICES).unwrap();
    let given = take(&mut golden, "picture");
    for compute in executors() {
        let made = activations(&compute, &weights, &given);
        let layers: Vec<&str> = made.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(layers, ["stem", "down.0", "down.1", "down.2", "bottom", "up.1", "up.0", "head"]);
        for (name, got) in made {
            check(&take(&mut golden, &name), &got).unwrap_or_else(|e| panic!("{} {name}: {e}", compute.name()));
        }
    }
}

/// What becomes of a picture (3, C, C), layer by layer; the last is the result.
fn activations(compute: &Compute, weights: &AlignWeights, picture: &[f32]) -> Vec<(String, Vec<f32>)> {
    let crop = weights.config().crop;
    let mut plan = PlanBuilder::new("align");
    let input = plan.input("picture", [1, 3, crop, crop], F32);
    let (result, probes) = record(&mut plan, weights, input, true);
    let mut executor = compute.executor(plan.finish().unwrap()).unwrap();
    executor.write(input, picture).unwrap();
    // Twice: nothing may be left over from one portrait to the next.
    executor.run().expect("the device is there");
    executor.run().expect("the device is there");
    let out: Vec<(String, Vec<f32>)> =
        probes.into_iter().map(|(name, tensor)| (name, executor.read(tensor).unwrap().to_vec())).collect();
    let (name, head) = out.last().expect("it has layers");
    assert!(name == "head" && head == executor.read::<f32>(result).unwrap(), "the result is what the last layer gives");
    out
}

#[test]
fn every_layer_of_the_shipped_network_equals_pytorch() {
    let (model, avatar) = model_and_avatar();
    let weights = Assets::embedded().weights("align.safetensors").unwrap();
    let weights = AlignWeights::read(weights, model.vertices()).unwrap();
    let (crop, side) = (weights.config().crop, avatar.portrait.side);
    // The middle of the portrait, its bytes over 255, as the golden file's picture is.
    let first = (side - crop) / 2;
    let at = |c: usize, y: usize, x: usize| avatar.portrait.rgb[((first + y) * side + first + x) * 3 + c];
    let picture: Vec<f32> =
        (0..3 * crop * crop).map(|k| f32::from(at(k / (crop * crop), k / crop % crop, k % crop)) / 255.0).collect();
    let mut golden = golden();
    for compute in executors() {
        let made = activations(&compute, &weights, &picture);
        assert_eq!(made.len(), 10, "stem, four down, bottom, three up, head");
        for (name, got) in made {
            check(&take(&mut golden, &format!("shipped.{name}")), &sampled(&got))
                .unwrap_or_else(|e| panic!("{} {name}: {e}", compute.name()));
        }
    }
}

type Tensors = Vec<(String, Vec<usize>, Vec<f32>)>;

/// A weights file of the golden's tiny network, with `change` made to its tensors and its configuration.
fn file(change: impl Fn(&mut Tensors, &mut String)) -> Vec<u8> {
    let mut golden = golden();
    let names = safetensors::SafeTensors::deserialize(GOLDEN).unwrap();
    let mut tensors: Tensors = (names.names().iter())
        .filter_map(|full| Some((full.strip_prefix("weight.")?.to_owned(), full)))
        .map(|(name, full)| (name, golden.shape(full).unwrap().to_vec(), take(&mut golden, full)))
        .collect();
    let mut network = golden.metadata("network").unwrap().to_owned();
    change(&mut tensors, &mut network);
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|(_, _, v)| bytemuck::cast_slice(v).to_vec()).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (name.clone(), safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize(views, Some([("network".to_owned(), network)].into())).unwrap()
}

fn read(bytes: Vec<u8>) -> Result<AlignWeights, String> {
    AlignWeights::read(WeightReader::new("align_tiny.safetensors", bytes).unwrap(), VERTICES).map_err(|e| e.to_string())
}

#[test]
fn a_whole_file_is_read() {
    assert_eq!(read(file(|_, _| {})).unwrap().config().crop, 32);
}

#[test]
fn errors_name_the_tensor_or_what_is_wrong_with_the_configuration() {
    type Case = (&'static [&'static str], fn(&mut Tensors, &mut String));
    let cases: [Case; 11] = [
        (&["no tensor `up.1.bias`"], |v, _| v.retain(|t| t.0 != "up.1.bias")),
        (&["`head.weight`", "[18, 6, 1, 1]", "[18, 6]"], |v, _| {
            v.iter_mut().find(|t| t.0 == "head.weight").unwrap().1 = vec![18, 6];
        }),
        (&["does not use", "more.weight"], |v, _| v.push(("more.weight".into(), vec![1], vec![1.0]))),
        (&["`stem.bias`"], |v, _| v.iter_mut().find(|t| t.0 == "stem.bias").unwrap().2[0] = f32::NAN),
        (&["`up.0.weight`"], |_, n| *n = n.replace("\"up\": [6, 5]", "\"up\": [6, 4]")),
        (&["`network`", "two fewer"], |_, n| *n = n.replace("\"up\": [6, 5]", "\"up\": [6]")),
        (&["`network`", "halvings"], |_, n| *n = n.replace("32", "40")),
        (&["`network`", "channels"], |_, n| *n = n.replace("[6, 5]", "[6, 0]")),
        (&["`network`", "vertex 90071", "100"], |_, n| *n = n.replace("71", "90071")),
        (&["`network`", "vertex 71 twice"], |_, n| *n = n.replace("89", "71")),
        (&["`network`", "looks for 0 points"], |_, n| *n = n.replace("[3, 5, 8, 13, 21, 34, 55, 71, 89]", "[]")),
    ];
    for (words, change) in cases {
        let why = read(file(change)).expect_err("must fail");
        assert!(why.contains("align_tiny") && words.iter().all(|w| why.contains(w)), "{words:?}: {why}");
    }
}

fn model_and_avatar() -> (FaceModel, AvatarFile) {
    let assets = Assets::embedded();
    let model = FaceModel::read(assets.weights("face.safetensors").unwrap()).unwrap();
    (model, assets.avatar("amara").unwrap())
}

/// Root mean square distance of the landmarks, pixels of 256².
fn apart(landmarks: &Points, a: &Placement, b: &Placement) -> f64 {
    let square: f64 = (landmarks.project(a).iter().zip(landmarks.project(b)))
        .map(|(p, q)| (p[0] - q[0]).powi(2) + (p[1] - q[1]).powi(2))
        .sum();
    256.0 * (square / 68.0).sqrt()
}

/// A fit that is wrong in everything that may be wrong.
fn disturbed(exact: &Placement) -> Placement {
    let noise = common::noise(7, PARAMETERS);
    held(exact, &std::array::from_fn(|k| if k < IDENTITY + EXPRESSION { 0.5 * noise[k] } else { 0.25 * noise[k] }))
}

/// Every vertex of the front of the face that the step hits, where `truth` has it, known to `error` pixels of 256².
fn targets(model: &FaceModel, truth: &Placement, error: f64) -> Vec<Target> {
    let front: Vec<usize> = (0..model.vertices()).filter(|v| model.mean[*v][2] > 0.0).step_by(7).collect();
    let places = Points::vertices(model, &front).project(truth);
    front.into_iter().zip(places).map(|(vertex, at)| Target { vertex, at, weight: 256.0 / error }).collect()
}

#[test]
fn known_offsets_bring_the_landmarks_back() {
    let (model, avatar) = model_and_avatar();
    let landmarks = Points::landmarks(&model);
    let exact = Placement::of(&avatar);
    let fit = disturbed(&exact);
    let before = apart(&landmarks, &fit, &exact);
    assert!(before > 2.0, "{before}");
    let change = solve(&model, &fit, &targets(&model, &exact, 3.0)).unwrap();
    let after = apart(&landmarks, &held(&fit, &change), &exact);
    assert!(after < 1.0, "{before} → {after}");
}

#[test]
fn no_offsets_and_unsure_ones_change_nothing() {
    let (model, avatar) = model_and_avatar();
    let landmarks = Points::landmarks(&model);
    let exact = Placement::of(&avatar);
    let still = solve(&model, &exact, &targets(&model, &exact, 1.0)).unwrap();
    assert!(still.iter().all(|c| c.abs() < 1e-3), "{still:?}");
    let fit = disturbed(&exact);
    let change = solve(&model, &fit, &targets(&model, &exact, 1e5)).unwrap();
    let moved = apart(&landmarks, &held(&fit, &change), &fit);
    assert!(moved < 0.05, "{moved}");
    assert!(solve(&model, &fit, &targets(&model, &exact, f64::NAN)).is_none());
}

#[test]
fn changes_are_in_standard_deviations_and_expressions_are_held() {
    let (_, avatar) = model_and_avatar();
    let mut fit = Placement::of(&avatar);
    fit.beta[0] = -0.2;
    let mut by: Change = [0.0; PARAMETERS];
    (by[3], by[IDENTITY], by[IDENTITY + 1]) = (2.0, -4.0, 40.0);
    let (free, kept) = (changed(&fit, &by), held(&fit, &by));
    assert_eq!(free.alpha[3], fit.alpha[3] + 2.0 * deviations()[3]);
    assert!(free.beta[0] < -1.0 && free.beta[1] > 9.0);
    assert_eq!(kept.beta[..2], [-0.2, 1.0]);
}

/// A network of the tiny one's shape that says so of every point: nowhere in particular, and the logarithm of an error.
fn saying(error: f32) -> Aligner {
    let bytes = file(|tensors, _| {
        for (name, _, values) in tensors {
            match name.as_str() {
                "head.weight" => values.fill(0.0),
                "head.bias" => {
                    let points = values.len() / 2;
                    values[points..].fill(error);
                }
                _ => {}
            }
        }
    });
    Aligner::new(read(bytes).unwrap())
}

#[test]
fn what_is_unsure_or_absurd_leaves_the_fit_as_it_was() {
    let (model, avatar) = model_and_avatar();
    for error in [20.0, -2.0, f32::MAX] {
        for compute in executors() {
            assert_eq!(saying(error).correct(&compute, &model, &avatar).unwrap(), avatar, "{error}");
        }
    }
}
