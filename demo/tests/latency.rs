//! A call in a real browser, by the program itself. Needs Chromium; `./test` installs it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// No measure of anything: a run that takes longer is not going to end.
const GUARD: Duration = Duration::from_secs(180);

fn vultus(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vultus"));
    command.env_remove("VULTUS_WEIGHTS").env("VULTUS_BACKEND", "cpu").arg("latency").args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits for the end, and gives the exit code and what was written to stdout and stderr.
fn finish(mut child: Child) -> (Option<i32>, String, String) {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > GUARD {
            // Politely, so that it takes its browser with it.
            end(&child);
            let output = child.wait_with_output().unwrap();
            panic!("still running after {GUARD:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// As ctrl-C does.
fn end(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

fn number(json: &Value, path: &str) -> f64 {
    json.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} is no number in {json:#}"))
}

fn list(json: &Value, path: &str) -> Vec<f64> {
    let rows = json.pointer(path).and_then(Value::as_array).unwrap_or_else(|| panic!("{path} is no list in {json:#}"));
    rows.iter().map(|v| v.as_f64().unwrap_or_else(|| panic!("{path} has {v}"))).collect()
}

/// What the report must say of a list of the page's: the smallest of its values that is not exceeded by so many of them.
fn assert_percentiles(report: &Value, path: &str, mut values: Vec<f64>) {
    assert!(!values.is_empty(), "{path}: the page's list is empty");
    values.sort_by(f64::total_cmp);
    for (name, hundredths) in [("p50", 50), ("p95", 95), ("p99", 99)] {
        let rank = (hundredths * values.len()).div_ceil(100);
        assert_eq!(number(report, &format!("{path}/{name}")), values[rank - 1], "{path}/{name} of {values:?}");
    }
    assert_eq!(number(report, &format!("{path}/count")) as usize, values.len(), "{path}");
}

/// Middle of a list, the upper one of two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The numbers that the table shows in the line with these words.
fn shown(table: &str, words: &str) -> String {
    let line = table.lines().find(|line| line.contains(words));
    line.unwrap_or_else(|| panic!("no line with {words:?} in\n{table}")).to_owned()
}

#[test]
fn a_browser_sees_the_mouth_answer_the_microphone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("latency.json");
    let path = file.to_str().unwrap();
    let run = ["--seconds", "8", "--size", "256", "--interrupts", "2", "--json", path];
    let (code, table, errors) = finish(vultus(&run).spawn().unwrap());
    assert_eq!(code, Some(0), "{errors}");
    let report: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!((report["size"].as_u64(), report["lookahead"].as_u64()), (Some(256), Some(2)));

    // Onsets come 1.1 s apart and more, and those of the last moments do not count.
    let (glass, voice) = (list(&report, "/page/mic_to_glass_ms"), list(&report, "/page/mic_to_voice_ms"));
    let missed = list(&report, "/page/missed");
    let onsets = glass.len() + missed.len();
    let heard = number(&report, "/page/microphone/onsets") as usize;
    let seconds = number(&report, "/seconds");
    let most = (seconds / 1.1) as usize + 2;
    assert!(
        seconds >= 8.0 && 2 <= onsets && onsets <= heard && heard <= most,
        "{onsets} of {heard} onsets; {report:#}"
    );
    assert_eq!((number(&report, "/onsets"), number(&report, "/missed")), (onsets as f64, missed.len() as f64));
    assert!(missed.len() * 2 < onsets, "{} of {onsets} onsets without an answer; {report:#}", missed.len());
    assert!(voice.len() <= onsets);

    // What answers is what the page saw, one by one, and the report's percentiles are of these lists.
    let events = report.pointer("/page/events").and_then(Value::as_array).expect("events");
    assert_eq!(events.len(), glass.len());
    for (event, ms) in events.iter().zip(&glass) {
        let at = |what: &str| event[what].as_f64().unwrap_or_else(|| panic!("{what} in {event}"));
        // Each time is rounded to a tenth.
        assert!((at("shown") - at("onset") - ms).abs() < 0.16, "{event}: {ms} ms");
        // Later than so the page does not take it for an answer.
        assert!(*ms > 0.0 && *ms <= 700.0, "{ms}");
    }
    assert_percentiles(&report, "/mic_to_glass_ms", glass);
    assert_percentiles(&report, "/mic_to_voice_ms", voice);

    // The offset between voice and picture is told by RTP times, once a second; from the loudspeaker and the mouth's pixels, which know nothing of
    // those, it must come out as about the same. (The mouth moves up to two frames before its sound, and is seen a refresh late.)
    let offsets = list(&report, "/page/av_offset_ms");
    assert!(!offsets.is_empty() && offsets.len() as f64 <= seconds + 2.0, "{offsets:?}");
    let offset = number(&report, "/av_offset_ms");
    assert_eq!(offset, median(offsets.clone()), "{offsets:?}");
    let [low, high] = ["/av_offset_range_ms/0", "/av_offset_range_ms/1"].map(|path| number(&report, path));
    assert!(
        low <= offset && offset <= high && offsets.contains(&low) && offsets.contains(&high),
        "{low} {offset} {high}"
    );
    let apart: Vec<f64> =
        events.iter().filter_map(|event| Some(event["voice"].as_f64()? - event["shown"].as_f64()?)).collect();
    if !apart.is_empty() {
        let seen = median(apart.clone());
        assert!((seen - offset).abs() < 500.0, "{offset} ms by RTP times, {seen} ms by what was heard: {apart:?}");
    }

    // Frames: the counter over the time that it was counted in, gaps between those that were shown.
    let decoded = number(&report, "/page/video/frames_decoded");
    let fps = number(&report, "/fps");
    assert!(decoded > 30.0, "{report:#}");
    assert!((fps - decoded / number(&report, "/page/video/counted_seconds")).abs() < 1e-6);
    assert!(fps < 30.0, "25 a second are made: {fps}");
    let gaps = list(&report, "/page/video/intervals_ms");
    assert_eq!(gaps.len() + 1, number(&report, "/page/video/shown") as usize);
    assert!(gaps.iter().sum::<f64>() <= 1000.0 * seconds + 1.0);
    assert_eq!(number(&report, "/longest_gap_ms"), gaps.iter().copied().fold(0.0, f64::max));
    assert_eq!(number(&report, "/freezes") as usize, gaps.iter().filter(|ms| **ms > 200.0).count());
    assert!(number(&report, "/browser_ms/decoding") <= number(&report, "/browser_ms/total"));

    // The server's stages: every frame has been through each of them, and all of it takes at least as long as a part. (Bins are 2 % wide.)
    let whole = ["p50", "p95", "p99"].map(|share| number(&report, &format!("/stages_ms/server/{share}")));
    for stage in ["capture", "mel", "motion", "face", "generator", "encode", "send", "server"] {
        let times = ["p50", "p95", "p99"].map(|share| number(&report, &format!("/stages_ms/{stage}/{share}")));
        assert!(times.is_sorted(), "{stage}: {times:?}");
        assert!(number(&report, &format!("/stages_ms/{stage}/count")) > 0.0, "{stage}");
        if ["motion", "face", "generator", "encode"].contains(&stage) {
            assert!(0.0 < times[0] && times[0] <= 1.03 * whole[0], "{stage}: {times:?} of {whole:?}");
        }
    }

    // One of the interrupts may find no moment with an open mouth, on a machine that is very busy; then it says so.
    let interrupts = report.pointer("/page/interrupt").and_then(Value::as_array).expect("interrupts");
    assert_eq!((interrupts.len(), number(&report, "/interrupt_ms/tried")), (2, 2.0));
    let ended = |what: &str| interrupts.iter().filter_map(|one| one[what].as_f64()).collect::<Vec<_>>();
    assert!(
        interrupts.iter().all(|one| one["error"].is_string() || one["voice_silent_ms"].is_number()),
        "{interrupts:?}"
    );
    assert_percentiles(&report, "/interrupt_ms/voice", ended("voice_silent_ms"));
    let [tried, triggered] = ["tried", "triggered"].map(|what| number(&report, &format!("/sham/{what}")));
    assert!(triggered <= tried && tried == number(&report, "/page/sham/tried"), "{triggered} of {tried}");

    // The table says the same as the file.
    let line = shown(&table, "lips move on the screen");
    for share in ["p50", "p95", "p99"] {
        assert!(
            line.contains(&format!(" {:.1}", number(&report, &format!("/mic_to_glass_ms/{share}")))),
            "{share}: {line}"
        );
    }
    assert!(shown(&table, "voice after picture").contains(&format!("{offset:+.1} ms")));
    assert!(shown(&table, "frames a second").contains(&format!("{fps:.2} frames a second")));
    assert!(shown(&table, "server, all of it").contains(&format!(" {:.1}", whole[0])));
    let answered = format!("{} of {onsets}", onsets - missed.len());
    assert!(shown(&table, "answered by the mouth").ends_with(&answered), "{answered} in\n{table}");
}

/// What a page of ours says in the end, as JSON: `script` may import the page's modules and gives a value to `say`.
fn in_a_browser(script: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    fs::write(&page, format!("<body><script type=module>{script}</script>")).unwrap();
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let places: Vec<_> = std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect();
    let browser = names.iter().find_map(|name| places.iter().map(|place| place.join(name)).find(|file| file.is_file()));
    let output = Command::new(browser.expect("there is no Chromium; ./test installs it"))
        .args([
            "--headless=new",
            "--disable-gpu",
            "--no-sandbox",
            "--allow-file-access-from-files",
            "--virtual-time-budget=8000",
        ])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .args(["--dump-dom", &format!("file://{}", page.display())])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = dom.split_once("<body>").and_then(|(_, rest)| rest.split_once("</body>")).map(|(said, _)| said);
    serde_json::from_str(said.unwrap_or_default())
        .unwrap_or_else(|e| panic!("{e} in {dom}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Picture and voice of one media clock, the voice later by so many milliseconds: what the page makes of their RTP times.
#[test]
fn a_voice_that_is_delayed_moves_the_offset_by_so_much() {
    let module = concat!("file://", env!("CARGO_MANIFEST_DIR"), "/page/playout.js");
    let script = format!("import {{ Playout }} from '{module}';\n")
        + r#"
// The media clock began a quarter of an hour before the page.
const ticks = (ms, perMs) => Math.round((ms + 1e6) * perMs) % 2 ** 32;
const measured = ([late, card]) => new Promise((done) => {
  const video = {
    // A frame is shown 5 ms after its callback, and it belongs there.
    requestVideoFrameCallback: (seen) => setTimeout(() => {
      const shown = performance.now() + 5;
      seen(shown, { rtpTimestamp: ticks(shown, 90), expectedDisplayTime: shown });
    }, 40),
    cancelVideoFrameCallback: (id) => clearTimeout(id),
  };
  const receiver = { getSynchronizationSources: () => {
    const now = performance.now();
    return [{ rtpTimestamp: ticks(now - late, 48), timestamp: now }];
  } };
  const playout = new Playout(video, { receiver: () => receiver, latency: () => card / 1000, listener: ({ offset }) => {
    if (offset === null) return;
    playout.stop();
    done(offset);
  } });
  playout.start();
});
document.body.textContent = JSON.stringify(await Promise.all([[0, 0], [120, 0], [-80, 0], [450, 0], [0, 30]].map(measured)));
"#;
    let offsets = in_a_browser(&script);
    for (offset, late) in offsets.as_array().unwrap().iter().zip([0.0, 120.0, -80.0, 450.0, 30.0]) {
        // RTP times are whole numbers of 90 kHz and 48 kHz.
        assert!((offset.as_f64().unwrap() - late).abs() < 0.1, "{late} ms late: {offset}; {offsets}");
    }
    assert_eq!(offsets.as_array().unwrap().len(), 5);
}

#[test]
fn a_missing_browser_is_one_sentence() {
    let nowhere = tempfile::tempdir().unwrap();
    let (code, _, errors) = finish(vultus(&[]).env("PATH", nowhere.path()).spawn().unwrap());
    assert_eq!(code, Some(1));
    assert!(errors.contains("apt install chromium") && errors.lines().count() == 1, "{errors}");
}

#[test]
fn ctrl_c_ends_the_browser_too_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = vultus(&["--size", "256"]).env("TMPDIR", folder.path()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let step = lines.by_ref().find(|line| line.contains("calling"));
    assert!(step.is_some(), "the page never called");
    end(&child);
    let (code, _, _) = finish(child);
    assert_eq!(code, Some(130));
    // The profile was in there, and whoever still ran would write it anew.
    std::thread::sleep(Duration::from_millis(300));
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("vultus-latency")), "{left:?}");
}
