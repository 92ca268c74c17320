// Channels of HEF's tensors on its crop; train/hef/README.md says what they hold, train/hef/model.py has the same numbers.

// `driven`
const DRIVEN_COMPOSITE = 0u;
const DRIVEN_RENDER = 3u;
const DRIVEN_RENDER_MASK = 6u;
const DRIVEN_PAINT = 7u;
const DRIVEN_MOUTH = 8u;
const DRIVEN_EYE = 9u;
const DRIVEN_PRIOR = 10u;
const DRIVEN_LIGHT = 12u;
const DRIVEN_NEED = 13u;
const DRIVEN_STRETCH = 14u;
const DRIVEN_UNDER = 15u;
const DRIVEN_CHANNELS = 16u;

// The last heads, before their sub-pixels
const HEAD_COLOUR = 0u;
const HEAD_FLOW = 3u;
const HEAD_MATTE = 5u;
const HEAD_SUB_PIXELS = 6u;

// `result`
const RESULT_DELTA = 0u;
const RESULT_MATTE = 3u;
const RESULT_FLOW = 4u;
const RESULT_CHANNELS = 6u;
