//! HEF with seeded random weights: what a frame costs, layer by layer, on the CPU executor.

use std::time::{Duration, Instant};

use vultus::compute::{Element::F32, PlanBuilder};
use vultus::generator::hef::{self, DRIVEN, HefConfig, HefInputs, HefWeights, SOURCE, STYLE_WORDS};
use vultus_native::compute::{Backend, clock, open};

use crate::stats;

type Error = Box<dyn std::error::Error>;

/// `arguments`: `[--size NAME[/ABLATION]] [--frames N]`.
pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), Error> {
    let (mut size, mut frames) = ("nano".to_owned(), 100usize);
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or("every option takes a value")?;
        match option.as_str() {
            "--size" => size = if value == "paper" { "paper512".into() } else { value },
            "--frames" => frames = value.parse::<usize>()?.max(1),
            _ => return Err(format!("unknown option {option}").into()),
        }
    }
    let config = HefConfig::named(&size)?;
    let weights = HefWeights::random(config.clone(), 1);
    let compute = open(Backend::Auto)?;
    println!("{}, {}", compute.name(), compute.adapter());
    let plane = config.crop * config.crop;
    // Need everywhere, and a flow of a few pixels.
    let driven: Vec<f32> = (0..DRIVEN * plane)
        .map(|k| match k / plane {
            10 | 11 => 0.02 * ((k % plane) as f32 * 0.001).sin(),
            13 => 1.0,
            c => ((k * 31 + c) % 97) as f32 / 97.0,
        })
        .collect();
    let source: Vec<f32> = (0..SOURCE * plane).map(|k| (k * 17 % 89) as f32 / 89.0).collect();

    let mut plan = PlanBuilder::new("E_src");
    let side = config.crop;
    let portrait = plan.input("source", [1, SOURCE, side, side], F32);
    let pyramid = hef::record_source(&mut plan, &weights, portrait, 1);
    let mut once = compute.executor(plan.finish()?)?;
    once.write(portrait, &source)?;
    let start = Instant::now();
    once.run()?;
    println!("{size}: E_src, once a portrait: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    let mut plan = PlanBuilder::new("HEF");
    let inputs = HefInputs {
        driven: plan.input("driven", [1, DRIVEN, side, side], F32),
        portrait: plan.constant("portrait", [1, side, side, 4], &hef::portrait(&source, side)),
        style: plan.input("style", [1, STYLE_WORDS], F32),
        pyramid: (pyramid.iter())
            .map(|t| Ok(plan.constant("F^s", t.shape(), once.read::<f32>(*t)?)))
            .collect::<Result<_, Error>>()?,
    };
    let made = hef::record(&mut plan, &weights, &inputs, 1, false);
    let mut executor = compute.executor(plan.finish()?)?;
    executor.write(inputs.driven, &driven)?;
    executor.write(inputs.style, &[0.1f32; STYLE_WORDS])?;

    let warm = (frames / 10).min(10);
    let mut layers: Vec<Vec<Duration>> = vec![Vec::new(); made.steps.len()];
    for frame in 0..warm + frames {
        let times = executor.run_timed(clock())?;
        if frame >= warm && times.len() == layers.len() {
            for (all, (_, time)) in layers.iter_mut().zip(times) {
                all.push(time);
            }
        }
    }
    let mut whole = Vec::new();
    for _ in 0..frames {
        let start = Instant::now();
        executor.run()?;
        whole.push(start.elapsed());
    }
    if layers.iter().all(|l| !l.is_empty()) {
        println!("{:32} {:>9} {:>9} {:>9} {:>9}", "step", "p50 ms", "least ms", "MFLOP", "GFLOP/s");
        let mut sum = 0.0;
        for (step, times) in made.steps.iter().zip(&layers) {
            let p50 = stats::percentiles(times.clone())[0];
            // On a busy machine the least is what the step takes, the rest what others take.
            let ms = times.iter().min().expect("a frame at least").as_secs_f64() * 1e3;
            sum += ms;
            let mflop = step.flop as f64 * 1e-6;
            let rate = if step.flop == 0 { String::new() } else { format!("{:9.0}", mflop / ms) };
            println!("{:32} {p50:9.3} {ms:9.3} {mflop:9.1} {rate}", step.name);
        }
        println!("{:32} {:9} {sum:9.3}", "sum", "");
    }
    let gflop = made.steps.iter().map(|s| s.flop).sum::<u64>() as f64 * 1e-9;
    let least = whole.iter().min().expect("a frame at least").as_secs_f64() * 1e3;
    let [p50, p95, _] = stats::percentiles(whole);
    println!(
        "{size}: {gflop:.3} GFLOP a frame; ms: p50 {p50:.2}, p95 {p95:.2}, least {least:.2} ({:.0} GFLOP/s)",
        gflop * 1e3 / least
    );
    Ok(())
}
