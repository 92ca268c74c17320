//! Sizes of the network; `train/hef/config.py` says what each of them means.

use serde::Deserialize;

use crate::weights::{WeightError, WeightReader};

const FILE: &str = include_str!("../../../../../train/hef/config.toml");

/// Where StyleConv doubles the side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Up {
    /// Before its 3 × 3 convolution, as the paper says it.
    Before,
    /// After it: a quarter of the cost.
    After,
}

/// A resolved configuration. Lists go from the coarsest level to the finest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HefConfig {
    /// C: side of the crop in pixels.
    pub crop: usize,
    /// The finest level has `crop / patch` pixels a side; colours leave it through `patch`² sub-pixels.
    pub patch: usize,
    /// Width of the style code.
    pub code: usize,
    /// Sides of the levels.
    pub levels: Vec<usize>,
    /// E_src's channels at each level.
    pub encoder: Vec<usize>,
    /// Channels that E_src hands out.
    pub source: Vec<usize>,
    /// Channels that StyleConv makes.
    pub style: Vec<usize>,
    /// Channels that E_rd makes.
    pub render: Vec<usize>,
    /// Channels of a second StyleConv over all three; 0: none.
    pub mix: Vec<usize>,
    /// Where StyleConv upsamples.
    pub up: Up,
    /// Whether a level's flow adds to the one before (eq. 9).
    #[serde(default = "yes")]
    pub residual: bool,
    /// The finest level that still changes the flow; 0: all do.
    #[serde(default)]
    pub flow_limit: usize,
    /// Whether the geometric generator's flow is part of φ, and its composite what is corrected.
    #[serde(default = "yes")]
    pub prior: bool,
}

fn yes() -> bool {
    true
}

/// A head of a level; in the level's tensor they lie one after the other from these channels on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Rgb,
    Flow,
    Matte,
    Detail,
}

impl Head {
    pub(super) const ALL: [Self; 4] = [Self::Rgb, Self::Flow, Self::Matte, Self::Detail];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rgb => "rgb",
            Self::Flow => "flow",
            Self::Matte => "matte",
            Self::Detail => "detail",
        }
    }

    /// First channel.
    pub(super) fn first(self) -> usize {
        [0, 3, 5, 6][self as usize]
    }
}

impl HefConfig {
    /// A size of `train/hef/config.toml` (`nano`, `base`, `paper512`, `paper256`), or an ablation of one: `SIZE/ABLATION`.
    ///
    /// # Errors
    /// There is no such size or ablation; the message lists those that are.
    pub fn named(name: &str) -> Result<Self, String> {
        let file: toml::Table = FILE.parse().map_err(|e| format!("train/hef/config.toml: {e}"))?;
        let (size, ablation) = name.split_once('/').map_or((name, None), |(s, a)| (s, Some(a)));
        let find = |kind: &str, key: &str| {
            let all = file[kind].as_table().ok_or("train/hef/config.toml: not a table")?;
            let known = || all.keys().cloned().collect::<Vec<_>>().join(", ");
            let found = all.get(key).and_then(toml::Value::as_table).cloned();
            found.ok_or_else(|| format!("unknown {kind} `{key}`: use one of {}", known()))
        };
        let mut table = find("size", size)?;
        if let Some(ablation) = ablation {
            table.extend(find("ablation", ablation)?);
        }
        let config: Self = table.try_into().map_err(|e| format!("train/hef/config.toml: {e}"))?;
        config.check()?;
        Ok(config)
    }

    /// The configuration in a weights file's metadata, under `network`.
    ///
    /// # Errors
    /// It is missing, unreadable, or its parts do not fit together.
    pub fn of(reader: &WeightReader) -> Result<Self, WeightError> {
        let text = reader.metadata("network")?;
        let config: Self = serde_json::from_str(text).map_err(|e| reader.metadata_error("network", e.to_string()))?;
        config.check().map_err(|why| reader.metadata_error("network", why))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let levels = &self.levels;
        let most = 4096;
        if levels.len() < 2 || levels[0] < 2 || levels.windows(2).any(|w| w[1] != w[0].saturating_mul(2)) {
            return Err(format!("levels: {levels:?}; at least two from 2 on, each twice the one before"));
        }
        let finest = levels[levels.len() - 1];
        if !matches!(self.patch, 1 | 2) || self.crop > most || finest.saturating_mul(self.patch) != self.crop {
            return Err(format!(
                "the finest level {finest} times patch {} must be the crop {}, {most} at most; patch is 1 or 2",
                self.patch, self.crop
            ));
        }
        // hef_range looks at cells of four pixels, two at least.
        if self.crop < 8 || !self.crop.is_multiple_of(4) {
            return Err(format!("crop: {}; a multiple of 4 from 8 on", self.crop));
        }
        if self.patch > 1 && levels.len() < 3 {
            return Err("levels: patch 2 needs three at least".into());
        }
        for (key, list, least) in [
            ("encoder", &self.encoder, 1),
            ("source", &self.source, 1),
            ("style", &self.style, 1),
            ("render", &self.render, 1),
            ("mix", &self.mix, 0),
        ] {
            if list.len() != levels.len() {
                return Err(format!("{key}: {} widths for {} levels", list.len(), levels.len()));
            }
            if list.iter().any(|v| !(least..=most).contains(v)) {
                return Err(format!("{key}: {list:?}; widths are {least} to {most}"));
            }
        }
        if self.flow_limit != 0 && !levels[1..].contains(&self.flow_limit) {
            return Err(format!("flow_limit: {} is no level", self.flow_limit));
        }
        if self.code == 0 || !self.code.is_multiple_of(4) || self.code > most {
            return Err(format!("code: {}; a multiple of 4 up to {most}", self.code));
        }
        Ok(())
    }

    /// Number of the finest level.
    pub(super) fn last(&self) -> usize {
        self.levels.len() - 1
    }

    /// Channels of [T(φ, F^s), StyleConv(F), F^rd].
    pub(super) fn joined(&self, level: usize) -> usize {
        self.source[level] + self.style[level] + self.render[level]
    }

    /// Channels of F as the heads and the next level see it.
    pub(super) fn width(&self, level: usize) -> usize {
        if self.mix[level] == 0 { self.joined(level) } else { self.mix[level] }
    }

    /// Channels of a level's head; 0 where it has none.
    pub(super) fn head(&self, level: usize, head: Head) -> usize {
        let last = level == self.last();
        let there = match head {
            Head::Rgb => level > 0 && !(last && self.patch > 1),
            Head::Flow => level > 0 && (self.flow_limit == 0 || self.levels[level] <= self.flow_limit),
            Head::Matte => last,
            Head::Detail => last && self.patch > 1,
        };
        match (there, head) {
            (false, _) => 0,
            (true, Head::Rgb) => 3,
            (true, Head::Flow) => 2,
            (true, Head::Matte) => 1,
            (true, Head::Detail) => 3 * self.patch * self.patch,
        }
    }

    /// Channels of a level's tensor of heads: colour 3, flow 2, at the finest matte 1 and sub-pixels.
    pub(super) fn head_channels(&self, level: usize) -> usize {
        match (level == self.last(), self.patch) {
            (false, _) => 5,
            (true, 1) => 6,
            (true, patch) => 6 + 3 * patch * patch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HefConfig;

    #[test]
    fn every_size_and_ablation_of_the_file_is_read() {
        for size in ["nano", "base", "paper512", "paper256"] {
            let whole = HefConfig::named(size).unwrap();
            for ablation in ["no_residual", "no_hierarchy", "no_prior"] {
                assert_ne!(HefConfig::named(&format!("{size}/{ablation}")).unwrap(), whole);
            }
        }
        assert!(HefConfig::named("pico").unwrap_err().contains("nano"));
        assert!(HefConfig::named("nano/none").unwrap_err().contains("no_prior"));
    }

    #[test]
    fn what_does_not_fit_together_says_so() {
        type Change = fn(&mut HefConfig);
        let changes: [(&str, Change); 9] = [
            ("levels", |c| c.levels[1] += 1),
            ("crop", |c| c.crop = 512),
            ("multiple of 4", |c| (c.levels, c.patch, c.crop) = (vec![3, 6], 1, 6)),
            ("patch", |c| c.patch = 0),
            ("mix", |c| c.mix.truncate(1)),
            ("source", |c| c.source[0] = 0),
            ("style", |c| c.style[0] = usize::MAX),
            ("flow_limit", |c| c.flow_limit = c.levels[0]),
            ("code", |c| c.code = 6),
        ];
        for (word, change) in changes {
            let mut config = HefConfig::named("nano").unwrap();
            change(&mut config);
            let why = config.check().unwrap_err();
            assert!(why.contains(word), "{word}: {why}");
        }
    }
}
