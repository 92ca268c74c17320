//! The figures, for people.

use std::fmt;

use super::figures::{Figures, ROWS, Report};
use super::ways::BASELINE;

/// What the rows are, in the order of [`ROWS`].
const WORDS: [&str; 4] = ["face", "mouth", "eyes", "face, head turned by 10° or more"];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = &self.about;
        writeln!(
            f,
            "{} people in {} pictures of {size} × {size}, {} of them with a turned head, {} pairs 40 ms apart; {} {} of each portrait",
            about.people,
            about.cases,
            about.turned,
            about.pairs,
            about.fits,
            if about.fits == 1 { format!("{} fit", about.fitted) } else { format!("{} fits", about.fitted) },
            size = about.size,
        )?;
        if let Some(given) = about.off.given {
            write!(f, "landmarks of the fits are {given:.2} pixels off")?;
            writeln!(
                f,
                "{}",
                about.off.corrected.map_or(String::new(), |v| format!(", of the corrected ones {v:.2}"))
            )?;
        }
        writeln!(f, "in brackets: against {BASELINE}, the geometric generator; of flicker, against the truth's own")?;
        for (row, (name, words)) in ROWS.iter().zip(WORDS).enumerate() {
            let truth = self.truth.0[row].flicker.value();
            let baseline = self.ways.iter().find(|(way, _)| *way == BASELINE).map(|(_, rows)| rows.0[row]);
            if baseline.is_some_and(|b| b.psnr.value().is_none()) {
                writeln!(f, "\n{name}: no such pictures")?;
                continue;
            }
            writeln!(f, "\n{words:34}{:>5}{:>19}{:>19}{:>19}", "PSNR dB", "SSIM", "LMD px", "flicker")?;
            for (way, rows) in &self.ways {
                line(f, way, &rows.0[row], baseline.as_ref().filter(|_| *way != BASELINE), truth)?;
            }
            if let Some(truth) = truth {
                writeln!(f, "  {:75}{truth:8.2}", "truth")?;
            }
        }
        Ok(())
    }
}

fn line(
    f: &mut fmt::Formatter<'_>,
    way: &str,
    of: &Figures,
    against: Option<&Figures>,
    truth: Option<f64>,
) -> fmt::Result {
    let bracket = |text: Option<String>| text.map_or(String::new(), |text| format!("({text})"));
    let both = |a: Option<f64>, b: Option<f64>| Some((a?, b?));
    let psnr = both(of.psnr.value(), against.and_then(|a| a.psnr.value())).map(|(a, b)| format!("{:+.2}", a - b));
    let ssim = both(of.ssim.value(), against.and_then(|a| a.ssim.value())).map(|(a, b)| format!("{:+.4}", a - b));
    let lmd = both(of.lmd.value(), against.and_then(|a| a.lmd.value()))
        .map(|(a, b)| format!("{:+.1} %", 100.0 * (a / b.max(1e-9) - 1.0)));
    let flicker = both(of.flicker.value(), truth).map(|(a, b)| format!("× {:.2}", a / b.max(1e-9)));
    let number = |value: Option<f64>, digits: usize| value.map_or("–".into(), |value| format!("{value:.digits$}"));
    writeln!(
        f,
        "  {way:31}{:>8} {:10}{:>8} {:10}{:>8} {:10}{:>8} {}",
        number(of.psnr.value(), 2),
        bracket(psnr),
        number(of.ssim.value(), 4),
        bracket(ssim),
        number(of.lmd.value(), 3),
        bracket(lmd),
        number(of.flicker.value(), 2),
        bracket(flicker),
    )
}
