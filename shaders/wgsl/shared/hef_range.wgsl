// Cells of nearby colours: see the kernel hef_range.

// Pixels of a cell along one axis.
const CELL = 4u;
// What is as dark as this has half its chroma's share: in the dark every colour is grey.
const DARK: f32 = 0.15;
