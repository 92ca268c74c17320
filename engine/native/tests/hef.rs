//! HEF against the activations that PyTorch wrote (`train/goldens/hef.py`), layer by layer, on every executor.

mod common;

use common::{check, executors, sampled, take};
use vultus::avatar::AvatarFile;
use vultus::compute::{Bindings, Compute, Element::F32, PlanBuilder};
use vultus::face::FaceModel;
use vultus::generator::hef::{
    self, Crop, DRIVEN, FrameTensors, HefConfig, HefInputs, HefWeights, Observer, RESULT, SOURCE, STYLE, STYLE_WORDS,
};
use vultus::weights::{WeightError, WeightReader};
use vultus_native::assets::Assets;

const GOLDEN: &[u8] = include_bytes!("golden/hef.safetensors");

fn golden() -> WeightReader {
    WeightReader::new("hef golden", GOLDEN).unwrap()
}

fn style(words: &[f32]) -> Vec<f32> {
    words.chunks_exact(STYLE).flat_map(|row| row.iter().copied().chain([0.0; STYLE_WORDS - STYLE])).collect()
}

/// The golden inputs `name`: driven, source, style.
fn given(name: &str) -> [Vec<f32>; 3] {
    ["driven", "source", "style"].map(|key| take(&mut golden(), &format!("{name}.{key}")))
}

/// What a network makes of driven, source and style: (name, activation), the last of which is the result.
fn run(
    compute: &Compute,
    weights: &HefWeights,
    [driven, source, words]: &[Vec<f32>; 3],
    batch: usize,
) -> Vec<(String, Vec<f32>)> {
    let mut plan = PlanBuilder::new("E_src");
    let side = weights.config().crop;
    let portrait = plan.input("source", [batch, SOURCE, side, side], F32);
    let pyramid = hef::record_source(&mut plan, weights, portrait, batch);
    let mut executor = compute.executor(plan.finish().unwrap()).unwrap();
    executor.write(portrait, source).unwrap();
    executor.run().expect("the device is there");
    let levels: Vec<Vec<f32>> = pyramid.iter().map(|t| executor.read(*t).unwrap().to_vec()).collect();
    let mut out: Vec<_> = levels.iter().enumerate().map(|(i, level)| (format!("source.{i}"), level.clone())).collect();

    let mut plan = PlanBuilder::new("HEF");
    let inputs = HefInputs {
        driven: plan.input("driven", [batch, DRIVEN, side, side], F32),
        portrait: plan.constant("portrait", [batch, side, side, 4], &hef::portrait(source, side)),
        style: plan.input("style", [batch, STYLE_WORDS], F32),
        pyramid: pyramid.iter().zip(&levels).map(|(t, level)| plan.constant("F^s", t.shape(), level)).collect(),
    };
    let made = hef::record(&mut plan, weights, &inputs, batch, true);
    let mut executor = compute.executor(plan.finish().unwrap()).unwrap();
    executor.write(inputs.driven, driven).unwrap();
    executor.write(inputs.style, &style(words)).unwrap();
    // Twice: nothing may be left over from one frame to the next.
    executor.run().expect("the device is there");
    executor.run().expect("the device is there");
    out.extend(made.probes.iter().map(|(name, t)| (name.clone(), executor.read(*t).unwrap().to_vec())));
    out.push(("result".into(), executor.read(made.result).unwrap().to_vec()));
    out
}

#[test]
fn every_layer_equals_pytorch() {
    for (name, batch) in [("after", 2), ("before", 1)] {
        let mut golden = golden();
        let config: HefConfig = serde_json::from_str(golden.metadata(name).unwrap()).unwrap();
        let weights = HefWeights::take(&mut golden, &format!("{name}.weight."), config).unwrap();
        for compute in executors() {
            let made = run(&compute, &weights, &given(name), batch);
            assert!(made.len() > 15, "{name}: only {} activations", made.len());
            for (layer, got) in made {
                let expected = take(&mut golden, &format!("{name}.{layer}"));
                check(&expected, &got).unwrap_or_else(|e| panic!("{} {name} {layer}: {e}", compute.name()));
            }
        }
    }
}

#[test]
fn every_layer_of_the_shipped_network_equals_pytorch() {
    let weights = HefWeights::read(Assets::embedded().weights("hef_nano.safetensors").unwrap()).unwrap();
    // As train/goldens/hef.py makes them: noise in blocks of equal pixels.
    const BLOCK: usize = 8;
    let side = weights.config().crop;
    let planes = |seed, count: usize| {
        let few = common::noise(seed, count * (side / BLOCK).pow(2));
        let at = |k: usize| (k / (side * BLOCK)) * (side / BLOCK) + k % side / BLOCK;
        (0..count * side * side).map(|k| few[at(k)]).collect::<Vec<f32>>()
    };
    let unit = |seed, count| planes(seed, count).iter().map(|v| 0.5 + 0.5 * v).collect::<Vec<f32>>();
    let mut driven = unit(1, DRIVEN);
    for (first, seed, count, scale) in [(10, 2, 2, 0.05f32), (12, 3, 1, 0.3)] {
        let values = planes(seed, count);
        let place = &mut driven[first * side * side..][..values.len()];
        place.iter_mut().zip(values).for_each(|(to, v)| *to = scale * v);
    }
    let given = [driven, unit(4, SOURCE), common::noise(5, STYLE)];
    let mut golden = golden();
    for compute in executors() {
        let made = run(&compute, &weights, &given, 1);
        assert!(made.len() > 15, "only {} activations", made.len());
        for (layer, got) in made {
            check(&take(&mut golden, &format!("nano.{layer}")), &sampled(&got))
                .unwrap_or_else(|e| panic!("{} {layer}: {e}", compute.name()));
        }
    }
}

#[test]
fn every_ablation_equals_pytorch() {
    for ablation in ["no_residual", "no_hierarchy", "no_prior"] {
        let mut golden = golden();
        let name = format!("after/{ablation}");
        let config: HefConfig = serde_json::from_str(golden.metadata(&name).unwrap()).unwrap();
        let weights = HefWeights::take(&mut golden, "after.weight.", config).unwrap();
        let expected = take(&mut golden, &format!("{name}.result"));
        for compute in executors() {
            let (_, got) = run(&compute, &weights, &given("after"), 2).pop().unwrap();
            assert_eq!(got.len(), 2 * RESULT * 32 * 32);
            check(&expected, &got).unwrap_or_else(|e| panic!("{} {name}: {e}", compute.name()));
        }
    }
}

#[test]
fn the_comparer_fails_when_it_must() {
    let expected: Vec<f32> = common::noise(1, 1000);
    let mut got = expected.clone();
    check(&expected, &got).unwrap();
    got[7] += 3e-4;
    assert!(check(&expected, &got).is_err());
    got[7] = f32::NAN;
    assert!(check(&expected, &got).is_err());
    assert!(check(&expected, &got[1..]).is_err());
}

/// A weights file of the tiny network `after`, with `change` made to its tensors and its configuration.
fn file(change: impl Fn(&mut Vec<(String, Vec<usize>, Vec<f32>)>, &mut String)) -> Vec<u8> {
    let mut golden = golden();
    let names = safetensors::SafeTensors::deserialize(GOLDEN).unwrap();
    let mut tensors: Vec<_> = names
        .names()
        .iter()
        .filter_map(|full| Some((full.strip_prefix("after.weight.")?.to_owned(), full)))
        .map(|(name, full)| {
            let shape = golden.shape(full).unwrap().to_vec();
            (name, shape.clone(), golden.take_shaped(full, &shape).unwrap())
        })
        .collect();
    let mut network = golden.metadata("after").unwrap().to_owned();
    change(&mut tensors, &mut network);
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|(_, _, v)| bytemuck::cast_slice(v).to_vec()).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (name.clone(), safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize(views, Some([("network".to_owned(), network)].into())).unwrap()
}

fn read(bytes: Vec<u8>) -> Result<HefWeights, String> {
    HefWeights::read(WeightReader::new("hef_tiny.safetensors", bytes).unwrap()).map_err(|e: WeightError| e.to_string())
}

#[test]
fn a_whole_file_is_read() {
    assert_eq!(read(file(|_, _| {})).unwrap().config().levels, [4, 8, 16]);
}

#[test]
fn errors_name_the_tensor_or_what_is_wrong_with_the_configuration() {
    type Change = fn(&mut Vec<(String, Vec<usize>, Vec<f32>)>, &mut String);
    let changes: [(&[&str], Change); 6] = [
        (&["no tensor `levels.1.flow.weight`"], |v, _| v.retain(|t| t.0 != "levels.1.flow.weight")),
        (&["`start`", "[7, 4, 4]", "[7, 16]"], |v, _| {
            v.iter_mut().find(|t| t.0 == "start").unwrap().1 = vec![7, 16];
        }),
        (&["does not use", "more.weight"], |v, _| v.push(("more.weight".into(), vec![1], vec![1.0]))),
        (&["`network`", "flow_limit"], |_, n| *n = n.replace("\"flow_limit\": 0", "\"flow_limit\": 3")),
        (&["`network`", "depth"], |_, n| *n = n.replace("\"code\"", "\"depth\"")),
        // A checkpoint for another configuration.
        (&["levels.2.mix.weight", "[6, 13, 3, 3]", "[5, 13, 3, 3]"], |_, n| {
            *n = n.replace("\"mix\": [0, 0, 6]", "\"mix\": [0, 0, 5]");
        }),
    ];
    for (words, change) in changes {
        let why = read(file(change)).expect_err("must fail");
        assert!(why.contains("hef_tiny") && words.iter().all(|w| why.contains(w)), "{words:?}: {why}");
    }
}

/// What becomes of a random frame of 48 × 48 pixels whose right half stays where it is: before, and after the network.
fn frame(compute: &Compute, weights: &HefWeights) -> (Vec<f32>, Vec<f32>) {
    let size = 48;
    let pixels = size * size;
    let unit = |seed, len| common::noise(seed, len).iter().map(|v| 0.5 + 0.5 * v).collect::<Vec<f32>>();
    let off = common::noise(3, 2 * pixels);
    let still = |k: usize| k % size >= size / 2;
    let at = |k: usize| [(k % size) as f32 + 0.5, (k / size) as f32 + 0.5];
    let warp: Vec<f32> = (0..pixels)
        .flat_map(|k| {
            let [x, y] = at(k);
            let by = if still(k) { 0.0 } else { 1.0 };
            [x + by * off[2 * k], y + by * off[2 * k + 1], 1.0, 1.0]
        })
        .collect();
    let before = unit(1, 4 * pixels);
    let config = weights.config();
    let crop = Crop { left: 4.2, top: -1.5, side: 41.0 };
    let mut plan = PlanBuilder::new("frame");
    let frame = FrameTensors {
        linear: plan.state("linear", [size, size, 4], F32),
        rendered: plan.constant("rendered", [size, size, 4], &unit(2, 4 * pixels)),
        warp: plan.constant("warp", [size, size, 4], &warp),
        paint: plan.constant("paint", [size, size, 4], &vec![0.0f32; 4 * pixels]),
        mask: plan.constant("mask", [size / 2, size / 2, 2], &unit(4, pixels / 2)),
    };
    let side = config.crop;
    let driven = hef::record_inputs(&mut plan, side, &frame);
    let inputs = HefInputs {
        driven: driven.tensor,
        portrait: plan.constant("portrait", [1, side, side, 4], &unit(5, 4 * side * side)),
        style: plan.constant("style", [1, STYLE_WORDS], &unit(6, STYLE_WORDS)),
        pyramid: (config.levels.iter().zip(&config.source))
            .map(|(side, width)| plan.constant("F^s", [1, *width, *side, *side], &unit(7, side * side * width)))
            .collect(),
    };
    let made = hef::record(&mut plan, weights, &inputs, 1, false);
    let range = hef::record_range(&mut plan, inputs.driven);
    let blend = hef::record_blend(&mut plan, [made.result, range], frame.linear);
    plan.output(frame.linear);
    let mut bindings = Bindings::default();
    driven.bind(&mut bindings, crop);
    blend.bind(&mut bindings, crop, 1.0, 0.0);
    let mut executor = compute.program(plan.finish().unwrap()).executor(&bindings).unwrap();
    executor.write(frame.linear, &before).unwrap();
    executor.run().expect("the device is there");
    let after = executor.read(frame.linear).unwrap().to_vec();
    (before, after)
}

#[test]
fn an_untrained_network_leaves_the_picture_as_it_is_to_the_bit() {
    let weights = read(file(|tensors, _| {
        for (name, _, values) in tensors {
            if [".flow.", ".rgb.", ".matte.", ".detail."].iter().any(|head| name.contains(head)) {
                values.fill(0.0);
            }
        }
    }));
    for compute in executors() {
        let (before, after) = frame(&compute, weights.as_ref().unwrap());
        assert!(before == after, "{}", compute.name());
    }
}

#[test]
fn what_does_not_move_stays_as_it_is_to_the_bit() {
    let weights = read(file(|_, _| {})).unwrap();
    let size = 48;
    for compute in executors() {
        let (before, after) = frame(&compute, &weights);
        // Need reaches two pixels of the crop beyond the motion, and a look-up one more: a pixel of it is 1.3 of the picture.
        let mut changed = 0;
        for (k, (b, a)) in before.as_chunks::<4>().0.iter().zip(after.as_chunks::<4>().0).enumerate() {
            assert!(b == a || k % size < size / 2 + 6, "{}: pixel {k}", compute.name());
            changed += usize::from(b != a);
        }
        assert!(changed > size * size / 4, "{}: only {changed} pixels changed", compute.name());
    }
}

/// Channels of `driven` of a shipped avatar: as it is, and talking; and its `source`.
fn observed(compute: &Compute, crop: impl Fn(&FaceModel, &AvatarFile) -> Crop) -> [Vec<f32>; 3] {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights");
    let assets = Assets::locate(Some(&folder)).expect("the weights folder");
    let model = FaceModel::read(assets.weights("face.safetensors").expect("weights")).expect("face model");
    let name = assets.avatars().expect("avatars").into_iter().next().expect("an avatar");
    let avatar = assets.avatar(&name).expect("avatar");
    let crop = crop(&model, &avatar);
    let mut observer = Observer::new(compute, &model, &avatar, 256, crop, 64).expect("a good size");
    let mut talking = avatar.beta;
    talking[model.expression_index("jawOpen").expect("an ARKit name")] = 0.4;
    let still = observer.observe(&avatar.beta, &[0.0; 6]).expect("the device is there").driven.to_vec();
    let moved =
        observer.observe(&talking, &[0.03, 0.1, 0.0, 0.0, 0.0, 0.0]).expect("the device is there").driven.to_vec();
    [still, moved, observer.source().expect("the device is there")]
}

#[test]
fn what_the_network_is_fed_is_the_portrait_at_rest_and_the_same_every_time() {
    let plane = 64 * 64;
    for compute in executors() {
        let whole = |_: &FaceModel, _: &AvatarFile| Crop::whole(256);
        let [still, moved, source] = observed(&compute, whole);
        assert_eq!((still.len(), source.len()), (DRIVEN * plane, SOURCE * plane));
        assert!(still.iter().chain(&moved).all(|v| v.is_finite()));
        assert!(still[13 * plane..14 * plane].iter().all(|v| *v == 0.0), "{}: need at rest", compute.name());
        assert_eq!(source[..3 * plane], still[..3 * plane]);
        assert_eq!(source[4 * plane..], still[3 * plane..7 * plane]);
        assert!(source[3 * plane..4 * plane].iter().all(|v| (0.0..=1.0).contains(v)));
        let needed = moved[13 * plane..14 * plane].iter().filter(|v| **v > 0.5).count();
        assert!((20..plane).contains(&needed), "{}: {needed}", compute.name());
        let [again, moved_again, source_again] = observed(&compute, whole);
        assert!(again == still && moved_again == moved && source_again == source, "{}", compute.name());
        // Around the head, the face takes more of the crop.
        let [closer, ..] = observed(&compute, |model, avatar| Crop::of(model, avatar, 256));
        let face = |d: &[f32]| d[6 * plane..7 * plane].iter().sum::<f32>();
        assert!(face(&closer) > face(&still), "{} {}", face(&closer), face(&still));
    }
}
