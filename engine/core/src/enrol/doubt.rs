//! What an enrolment is unsure of, in words for whoever gave the photograph.

use std::fmt;

/// An edge of a photograph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Its upper edge.
    Top,
    /// Its right edge.
    Right,
    /// Its lower edge.
    Bottom,
    /// Its left edge.
    Left,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Top => "upper",
            Self::Right => "right",
            Self::Bottom => "lower",
            Self::Left => "left",
        })
    }
}

/// A part of a face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Its mouth.
    Mouth,
    /// The eye that is left in the picture.
    LeftEye,
    /// The eye that is right in the picture.
    RightEye,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mouth => "the mouth",
            Self::LeftEye => "the left eye of the picture",
            Self::RightEye => "the right eye of the picture",
        })
    }
}

/// Something that the user should look at. [`fmt::Display`] gives the sentence.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Doubt {
    /// The photograph shows several faces.
    Several {
        /// How many.
        faces: usize,
        /// Which was taken, from the left, counted from 1.
        taken: usize,
    },
    /// The photograph was turned.
    Upright {
        /// Clockwise, degrees.
        degrees: u32,
    },
    /// The points differ from look to look: no human face, or one that is covered.
    Scattered,
    /// The points of a part differ far more than those of the rest.
    Covered(Part),
    /// The model does not come near the points.
    Misfit,
    /// The head looks aside.
    Turned {
        /// Degrees.
        degrees: u32,
    },
    /// The head looks up or down.
    Nodded {
        /// Degrees; positive is up.
        degrees: i32,
    },
    /// The face is small.
    Small {
        /// Pixels of the photograph between the eyes.
        eyes: u32,
    },
    /// The photograph ends within the face or the head.
    Cut(Side),
    /// The face fills the photograph.
    Close,
    /// The mouth is open.
    OpenMouth,
    /// Person and background are hard to tell apart.
    Outline,
}

impl Doubt {
    /// One word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Several { .. } => "several",
            Self::Upright { .. } => "upright",
            Self::Scattered => "scattered",
            Self::Covered(_) => "covered",
            Self::Misfit => "misfit",
            Self::Turned { .. } => "turned",
            Self::Nodded { .. } => "nodded",
            Self::Small { .. } => "small",
            Self::Cut(_) => "cut",
            Self::Close => "close",
            Self::OpenMouth => "open_mouth",
            Self::Outline => "outline",
        }
    }

    /// Whether this may be no face at all.
    pub fn is_grave(&self) -> bool {
        matches!(self, Self::Scattered | Self::Misfit)
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Several { faces, taken } => {
                write!(f, "the photo shows {faces} faces; number {taken} from the left was taken, as the largest")
            }
            Self::Upright { degrees } => write!(f, "the face does not stand upright; it was turned by {degrees} degrees, clockwise"),
            Self::Scattered => f.write_str(
                "the points are not sure: this may be no human face, or one that is covered, blurred, drawn or turned far; look at the preview before you use it",
            ),
            Self::Covered(part) => write!(f, "{part} may be covered, or hard to see; what moves there may look wrong"),
            Self::Misfit => f.write_str(
                "no face has quite this shape: the points may be wrong, or it is drawn; look at the outline in the preview",
            ),
            Self::Turned { degrees } => {
                write!(f, "the head is turned by {degrees} degrees; the far side of the face will look thin, a photo from the front is better")
            }
            Self::Nodded { degrees } => {
                let way = if *degrees > 0 { "back" } else { "down" };
                write!(f, "the head is tilted {way} by {} degrees; a photo at the height of the eyes is better", degrees.abs())
            }
            Self::Small { eyes } => {
                write!(f, "the face is small, {eyes} pixels from eye to eye; it will look blurred, a larger photo is better")
            }
            Self::Cut(side) => write!(f, "the head is cut at the photo's {side} edge"),
            Self::Close => f.write_str("the face fills the photo; one with hair and shoulders looks better when the head moves"),
            Self::OpenMouth => f.write_str("the mouth is open in the photo; one with closed lips looks better when it speaks"),
            Self::Outline => {
                f.write_str("person and background look alike in places; the outline of hair or clothes may be rough")
            }
        }
    }
}
