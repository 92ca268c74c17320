//! Graphics drivers that crash, hang, lie, refuse or go away while they are used.
//!
//! They are built here by the C compiler. Each goes through the system's own Vulkan loader.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A driver's manifest, as `VK_DRIVER_FILES` wants it, in a folder of its own.
struct Driver {
    folder: tempfile::TempDir,
}

impl Driver {
    /// One that behaves like this on top of the software driver of the tests.
    fn that(bad: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/graphics/driver.c");
        let library = folder.path().join("libdriver.so");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-fvisibility=hidden", &format!("-DBAD_{bad}")])
            .arg(format!("-DREAL=\"{}\"", software_driver().display()))
            .arg("-o")
            .args([&library, &source])
            .arg("-ldl")
            .output()
            .expect("a C compiler: apt install build-essential");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let manifest = format!(
            r#"{{"file_format_version":"1.0.1","ICD":{{"library_path":"{}","api_version":"1.4.0"}}}}"#,
            library.display()
        );
        fs::write(folder.path().join("driver.json"), manifest).unwrap();
        Self { folder }
    }

    fn run(&self, arguments: &[&str], lose_after: Option<u32>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vultus"));
        command.args(arguments).env("VK_DRIVER_FILES", self.folder.path().join("driver.json"));
        // What forces an executor for all tests would decide here as well.
        command.env_remove("VULTUS_BACKEND").env_remove("VULTUS_TIER").env_remove("LOSE_AFTER");
        if let Some(submissions) = lose_after {
            command.env("LOSE_AFTER", submissions.to_string());
        }
        command.output().unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The library of the software driver, as its manifest names it.
fn software_driver() -> PathBuf {
    let manifests = fs::read_dir("/usr/share/vulkan/icd.d").expect("a Vulkan driver: apt install mesa-vulkan-drivers");
    let manifest = manifests
        .map(|file| file.unwrap().path())
        .find(|file| file.file_name().unwrap().to_string_lossy().starts_with("lvp_icd"))
        .expect("lavapipe: apt install mesa-vulkan-drivers");
    let manifest: serde_json::Value = serde_json::from_str(&fs::read_to_string(manifest).unwrap()).unwrap();
    let library = PathBuf::from(manifest["ICD"]["library_path"].as_str().unwrap());
    if library.is_absolute() || library.components().count() > 1 {
        return Path::new("/usr/share/vulkan/icd.d").join(library);
    }
    library
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A command that is short and needs a backend, written to a file of the driver's folder.
fn coeffs<'a>(out: &'a str, backend: &'a str) -> Vec<&'a str> {
    vec!["coeffs", "-o", out, "--backend", backend]
}

#[test]
fn a_driver_that_breaks_is_named_and_the_cpu_used() {
    for (bad, sign) in [
        ("NULL", "crashed when it was tried"),
        ("ABORT", "crashed when it was tried"),
        ("EXIT", "ended the program that tried it"),
        ("DEVICE_CRASH", "crashed when it was tried"),
        ("DEVICE_REFUSED", "failed"),
    ] {
        let driver = Driver::that(bad);
        let out = driver.file("out.json");
        let done = driver.run(&coeffs(out.to_str().unwrap(), "auto"), None);
        assert!(done.status.success(), "{bad}: {}", words(&done));
        assert!(
            words(&done).contains(sign) && words(&done).contains("computing on the CPU"),
            "{bad}: {}",
            words(&done)
        );
        assert!(out.is_file());

        let forced = driver.run(&coeffs(driver.file("forced.json").to_str().unwrap(), "gpu"), None);
        assert_eq!(forced.status.code(), Some(1), "{bad}: {}", words(&forced));
        assert!(words(&forced).contains(sign) && words(&forced).contains("--backend cpu"), "{bad}: {}", words(&forced));
        assert!(!driver.file("forced.json").exists());

        let doctor = driver.run(&["doctor"], None);
        let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert!(said.contains(sign) && said.contains("--backend auto chooses cpu"), "{bad}: {said}");
        assert!(!doctor.status.success() && !said.contains("All is well"), "{bad}: {said}");
    }
}

#[test]
fn a_driver_that_never_answers_is_not_waited_for() {
    let driver = Driver::that("HANG");
    let out = driver.file("out.json");
    let done = driver.run(&coeffs(out.to_str().unwrap(), "auto"), None);
    assert!(done.status.success() && out.is_file(), "{}", words(&done));
    assert!(words(&done).contains("did not answer within"), "{}", words(&done));
}

#[test]
fn a_driver_that_chatters_is_heard_out() {
    let driver = Driver::that("NOISE");
    let out = driver.file("out.json");
    let done = driver.run(&coeffs(out.to_str().unwrap(), "auto"), None);
    // Whether what it says drowns the trial's own words or not: no crash, and coefficients.
    assert!(done.status.success() && out.is_file(), "{}", words(&done));
}

#[test]
fn a_film_whose_gpu_is_lost_is_drawn_to_its_end() {
    let driver = Driver::that("NOTHING");
    let sound = driver.file("second.wav");
    let cut = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../weights/sample.wav"))
        .args(["-t", "1"])
        .arg(&sound)
        .status()
        .expect("ffmpeg");
    assert!(cut.success());
    let render = |name: &str, backend: &str, lose_after| {
        let (film, report) = (driver.file(&format!("{name}.mp4")), driver.file(&format!("{name}.json")));
        let arguments = [
            "render",
            sound.to_str().unwrap(),
            "-o",
            film.to_str().unwrap(),
            "--size",
            "256",
            "--generator",
            "warp",
            "--backend",
            backend,
            "--report",
            report.to_str().unwrap(),
        ];
        let done = driver.run(&arguments, lose_after);
        assert!(done.status.success(), "{name}: {}", words(&done));
        let report: serde_json::Value = serde_json::from_str(&fs::read_to_string(report).unwrap()).unwrap();
        (report["frames"].as_u64().unwrap(), report["backend"].as_str().unwrap().to_owned(), words(&done), film)
    };
    // `auto` takes it, since it says that it is a card.
    let (frames, backend, said, whole) = render("whole", "auto", None);
    assert!(backend.starts_with("gpu") && !said.contains("lost"), "{backend}: {said}");
    let (left, backend, said, broken) = render("broken", "auto", Some(20));
    assert!(said.contains("was lost") && backend == "cpu", "{backend}: {said}");
    assert_eq!(left, frames);
    // Both films show the same, up to what the encoder makes of rounding.
    let psnr = Command::new("ffmpeg")
        .args(["-v", "info", "-i"])
        .arg(&whole)
        .arg("-i")
        .arg(&broken)
        .args(["-lavfi", "psnr", "-f", "null", "-"])
        .output()
        .unwrap();
    let text = words(&psnr);
    let least = text.rsplit_once("min:").unwrap_or_else(|| panic!("{text}")).1.split_whitespace().next().unwrap();
    assert!(least == "inf" || least.parse::<f64>().unwrap() > 40.0, "{text}");
}
