//! Text messages of a speak socket. What is wrong with one is said with the field, what is allowed there, and what was sent.

use std::time::Duration;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};
use vultus::emotion::{self, Blend};

use vultus_native::names;

/// Longest name that a client may give an utterance, characters.
const ID: usize = 200;
/// Longest part of what was sent that is repeated in an error, characters.
const SHOWN: usize = 60;
const TYPES: &str = "audio, begin, end, interrupt, emotion, avatar, background or playout";

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// What a text message asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Control {
    /// Sound, as a binary message would carry it.
    Audio(Vec<u8>),
    /// An utterance begins, with this name.
    Begin(Option<String>),
    /// The utterance is complete; its name.
    End(Option<String>),
    Interrupt,
    Emotion(Change),
    Avatar(String),
    Background(String),
    Playout(f64),
}

/// How the face is to feel otherwise; what is not said stays.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Change {
    /// What is felt.
    pub emotion: Option<Blend>,
    /// Within [`emotion::INTENSITY`].
    pub intensity: Option<f32>,
    /// How long it takes.
    pub ease: Option<Duration>,
}

/// Why a message is not understood.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wrong {
    pub(super) sentence: String,
    /// The field that is wrong, if it is one.
    pub(super) field: Option<&'static str>,
    /// The byte that is wrong, if it is one: of the message, or of the field.
    pub(super) byte: Option<u64>,
}

impl Wrong {
    fn field(field: &'static str, sentence: String) -> Self {
        Self { sentence, field: Some(field), byte: None }
    }
}

impl Control {
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let value: Value = serde_json::from_str(text).map_err(|error| not_json(text, &error))?;
        let Value::Object(fields) = value else {
            let sentence = format!("a message is a JSON object like {{\"type\":\"end\"}}, not {}", kind(&value));
            return Err(Wrong { sentence, field: None, byte: None });
        };
        let fields = Fields(fields);
        let Some(name) = fields.text("type", TYPES)? else {
            return Err(Wrong::field("type", format!("the field \"type\" is missing; it says {TYPES}")));
        };
        Ok(match name {
            "audio" => Self::Audio(decode(fields.needed("data", "the sound in base64")?)?),
            "begin" => Self::Begin(fields.id()?),
            "end" => Self::End(fields.id()?),
            "interrupt" => Self::Interrupt,
            "emotion" => {
                let change = fields.change()?;
                if change.emotion.is_none() && change.intensity.is_none() {
                    let sentence = "the message says neither \"emotion\" nor \"intensity\"; give one or both";
                    return Err(Wrong::field("emotion", sentence.into()));
                }
                Self::Emotion(change)
            }
            "avatar" => Self::Avatar(fields.needed("avatar", "the name of an avatar")?.to_owned()),
            "background" => {
                let wants = "portrait, blur or a colour such as #00ff00";
                Self::Background(fields.needed("background", wants)?.to_owned())
            }
            "playout" => {
                let wants = "how many milliseconds later the voice is than its picture";
                let missing =
                    || Wrong::field("av_offset_ms", format!("the field \"av_offset_ms\" is missing: {wants}"));
                Self::Playout(fields.number("av_offset_ms", wants)?.ok_or_else(missing)?)
            }
            other => {
                let sentence = format!("there is no message of type {}; use {TYPES}", shown(other));
                return Err(Wrong::field("type", sentence));
            }
        })
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    /// `null` counts as nothing, as many programs send it.
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &'static str, wants: &str) -> Result<Option<&str>, Wrong> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => {
                Err(Wrong::field(name, format!("the field \"{name}\" is a text ({wants}), not {}", kind(other))))
            }
        }
    }

    fn needed(&self, name: &'static str, wants: &str) -> Result<&str, Wrong> {
        let missing = || Wrong::field(name, format!("the field \"{name}\" is missing: {wants}"));
        self.text(name, wants)?.ok_or_else(missing)
    }

    fn number(&self, name: &'static str, wants: &str) -> Result<Option<f64>, Wrong> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) => Ok(Some(number)),
                None => Err(Wrong::field(name, format!("the field \"{name}\" is {wants}, not {}", kind(value)))),
            },
        }
    }

    fn change(&self) -> Result<Change, Wrong> {
        let emotion = self.get("emotion").map(Blend::from_json).transpose();
        let emotion = emotion.map_err(|error| Wrong::field("emotion", names::no_emotion(error)))?;
        let intensity = self.number("intensity", "a number from 1 to 3")?.map(|it| emotion::intensity(it as f32));
        let intensity = intensity.transpose().map_err(|error| Wrong::field("intensity", error.to_string()))?;
        let ease = self.number("ease_ms", "a number from 0 to 5000")?.map(emotion::ease);
        let ease = ease.transpose().map_err(|error| Wrong::field("ease_ms", error.to_string()))?;
        Ok(Change { emotion, intensity, ease })
    }

    fn id(&self) -> Result<Option<String>, Wrong> {
        let id = self.text("id", "a name for the utterance")?;
        if id.is_some_and(|id| id.chars().count() > ID) {
            return Err(Wrong::field("id", format!("the field \"id\" is longer than {ID} characters")));
        }
        Ok(id.map(str::to_owned))
    }
}

fn decode(data: &str) -> Result<Vec<u8>, Wrong> {
    let engine = if data.bytes().any(|byte| matches!(byte, b'-' | b'_')) { &URL_SAFE } else { &STANDARD };
    engine.decode(data).map_err(|error| {
        use base64::DecodeError::{InvalidByte, InvalidLastSymbol, InvalidLength, InvalidPadding};
        let byte = match error {
            InvalidByte(at, _) | InvalidLastSymbol(at, _) => at,
            InvalidLength(_) | InvalidPadding => data.len(),
        };
        let sentence = format!("the field \"data\" is no base64 at its byte {byte}");
        Wrong { sentence, field: Some("data"), byte: Some(byte as u64) }
    })
}

fn not_json(text: &str, error: &serde_json::Error) -> Wrong {
    // The library counts lines and columns from 1.
    let before = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
    // Where the text ends too early, they count the last character that is there.
    let byte = if error.is_eof() { text.len() } else { (before + error.column().saturating_sub(1)).min(text.len()) };
    let what = error.to_string();
    let what = what.split(" at line ").next().unwrap_or_default();
    Wrong {
        sentence: format!("this text message is no JSON from byte {byte} on: {what}"),
        field: None,
        byte: Some(byte as u64),
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(it) => it.to_string(),
        Value::Number(it) => it.to_string(),
        Value::String(text) => shown(text),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// What was sent, quoted and cut short.
pub(super) fn shown(text: &str) -> String {
    let short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() { format!("{short:?}…") } else { format!("{short:?}") }
}

#[cfg(test)]
mod tests {
    use vultus::emotion::Emotion;

    use super::*;

    #[test]
    fn messages_are_understood() {
        let sad = Some(Emotion::Sad.into());
        let mixed = Blend::new([(Emotion::Happy, 0.7), (Emotion::Surprised, 0.3)]).ok();
        let soon = Some(Duration::from_millis(80));
        for (text, want) in [
            (r#"{"type":"end"}"#, Control::End(None)),
            (r#"{"type":"end","id":"a","later":1}"#, Control::End(Some("a".into()))),
            (r#"{"type":"begin","id":"ü"}"#, Control::Begin(Some("ü".into()))),
            (r#"{"type":"interrupt"}"#, Control::Interrupt),
            (
                r#"{"type":"emotion","emotion":"sad","intensity":null}"#,
                Control::Emotion(Change { emotion: sad, ..Change::default() }),
            ),
            (
                r#"{"type":"emotion","intensity":2}"#,
                Control::Emotion(Change { intensity: Some(2.0), ..Change::default() }),
            ),
            (
                r#"{"type":"emotion","emotion":{"happy":0.7,"surprised":0.3},"ease_ms":80}"#,
                Control::Emotion(Change { emotion: mixed, intensity: None, ease: soon }),
            ),
            (r#"{"type":"avatar","avatar":"lea"}"#, Control::Avatar("lea".into())),
            (r##"{"type":"background","background":"#00ff00"}"##, Control::Background("#00ff00".into())),
            (r#"{"type":"playout","av_offset_ms":-1.5}"#, Control::Playout(-1.5)),
            (r#"{"type":"audio","data":"AAEC/w=="}"#, Control::Audio(vec![0, 1, 2, 255])),
            (r#"{"type":"audio","data":"AAEC_w"}"#, Control::Audio(vec![0, 1, 2, 255])),
            (r#"{"type":"audio","data":""}"#, Control::Audio(vec![])),
        ] {
            assert_eq!(Control::parse(text), Ok(want), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, field, byte, words) in [
            ("", None, Some(0), "JSON"),
            (r#"{"type":"end""#, None, Some(13), "JSON"),
            ("{\n\"type\" \"end\"}", None, Some(9), "expected `:`"),
            ("[1,2]", None, None, "not a list"),
            ("{}", Some("type"), None, "missing"),
            (r#"{"type":5}"#, Some("type"), None, "is a text (audio, begin"),
            (r#"{"type":"dance"}"#, Some("type"), None, "\"dance\"; use audio, begin, end"),
            (r#"{"type":"emotion"}"#, Some("emotion"), None, "neither"),
            (r#"{"type":"emotion","emotion":7}"#, Some("emotion"), None, "is 7"),
            (r#"{"type":"emotion","emotion":"suprised"}"#, Some("emotion"), None, "did you mean surprised?"),
            (r#"{"type":"emotion","emotion":{"suprised":1}}"#, Some("emotion"), None, "did you mean surprised?"),
            (r#"{"type":"emotion","emotion":{"sad":0.6,"fear":0.6}}"#, Some("emotion"), None, "add up to 1.2"),
            (r#"{"type":"emotion","emotion":{"sad":-1}}"#, Some("emotion"), None, "share of sad in the emotion is -1"),
            (r#"{"type":"emotion","emotion":{}}"#, Some("emotion"), None, "add up to 0"),
            (r#"{"type":"emotion","intensity":9}"#, Some("intensity"), None, "intensity of 9"),
            (r#"{"type":"emotion","ease_ms":80}"#, Some("emotion"), None, "neither"),
            (r#"{"type":"emotion","intensity":2,"ease_ms":-1}"#, Some("ease_ms"), None, "ease of -1 ms"),
            (r#"{"type":"emotion","intensity":2,"ease_ms":"soon"}"#, Some("ease_ms"), None, "0 to 5000, not \"soon\""),
            (r#"{"type":"emotion","intensity":"loud"}"#, Some("intensity"), None, "a number from 1 to 3, not \"loud\""),
            (r#"{"type":"avatar"}"#, Some("avatar"), None, "missing"),
            (r#"{"type":"background"}"#, Some("background"), None, "missing: portrait, blur or a colour"),
            (r#"{"type":"background","background":[0,255,0]}"#, Some("background"), None, "not a list"),
            (r#"{"type":"playout"}"#, Some("av_offset_ms"), None, "missing"),
            (r#"{"type":"end","id":[]}"#, Some("id"), None, "not a list"),
            (r#"{"type":"audio"}"#, Some("data"), None, "missing"),
            (r#"{"type":"audio","data":"AA*A"}"#, Some("data"), Some(2), "byte 2"),
        ] {
            let wrong = Control::parse(text).unwrap_err();
            assert_eq!((wrong.field, wrong.byte), (field, byte), "{text}: {}", wrong.sentence);
            assert!(wrong.sentence.contains(words), "{text}: {}", wrong.sentence);
        }
        let long = format!(r#"{{"type":"{}"}}"#, "x".repeat(500_000));
        assert!(Control::parse(&long).unwrap_err().sentence.len() < 300, "nothing long is sent back");
        let long = format!(r#"{{"type":"end","id":"{}"}}"#, "x".repeat(201));
        assert_eq!(Control::parse(&long).unwrap_err().field, Some("id"));
    }
}
