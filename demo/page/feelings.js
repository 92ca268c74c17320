// What people type, as one of the server's emotions and an intensity: "very happy", "a bit annoyed", "unhappy", "suprised".

const SYNONYMS = {
  neutral: 'calm normal none plain relaxed serious blank nothing ok okay 😐',
  angry: 'anger mad furious cross annoyed irritated rage raging outraged upset grumpy 😠 😡',
  contempt: 'contemptuous scorn scornful smug disdain disdainful sneer sneering sceptical skeptical bored 😏 🙄',
  disgusted: 'disgust disgusting gross yuck yucky revolted repelled sick 🤢',
  fear: 'afraid fearful scared frightened terrified anxious nervous worried panic horror 😨 😱',
  happy: 'happiness joy joyful glad cheerful delighted pleased smile smiling laugh laughing excited friendly 🙂 😀 😊 😄',
  sad: 'sadness unhappy sorrow sorry down blue miserable gloomy depressed crying hurt lonely 😢 🙁',
  surprised: 'surprise amazed astonished shocked startled stunned wow baffled 😮 😲',
};

// Words that are strong by themselves.
const STRONG = 'furious rage raging outraged terrified horror panic delighted excited miserable crying depressed shocked stunned astonished revolted 😡 😱 😄 😢'.split(' ');

const DEGREES = [
  [3, /\b(very|extremely|really|so|super|deeply|totally|utterly)\b/],
  [1, /\b(a bit|a little|slightly|mildly|somewhat|kind of)\b/],
  [2, /\b(quite|rather|pretty|fairly)\b/],
];

/** Edit distance in which two swapped neighbours count as one mistake. */
function distance(a, b) {
  const rows = [[...Array(b.length + 1).keys()]];
  for (let i = 1; i <= a.length; i++) {
    rows[i] = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      rows[i][j] = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) rows[i][j] = Math.min(rows[i][j], rows[i - 2][j - 2] + 1);
    }
  }
  return rows[a.length][b.length];
}

function find(word, emotions) {
  if (emotions.includes(word)) return word;
  for (const emotion of emotions) if ((SYNONYMS[emotion] ?? '').split(' ').includes(word)) return emotion;
  if (word.length < 3) return null;
  const begins = emotions.filter((emotion) => emotion.startsWith(word));
  if (begins.length === 1) return begins[0];
  // One mistake in short words, two in longer ones.
  const allowed = word.length < 6 ? 1 : 2;
  let best = null;
  for (const emotion of emotions) {
    for (const known of [emotion, ...(SYNONYMS[emotion] ?? '').split(' ')]) {
      const off = distance(word, known);
      if (off <= Math.min(allowed, known.length - 3) && (!best || off < best.off)) best = { emotion, off };
    }
  }
  return best?.emotion ?? null;
}

/** `{emotion, intensity}` (intensity null when none was named), or null when nothing known was typed. */
export function understand(text, emotions) {
  const words = text.toLowerCase().trim();
  if (/\b(not|no|never|isn.t)\b/.test(words)) return null; // what one is not says little about what one is
  const degree = DEGREES.find(([, pattern]) => pattern.test(words));
  const rest = degree ? words.replace(degree[1], ' ') : words;
  for (const word of rest.split(/[\s,.;:!?]+/).filter(Boolean).reverse()) {
    const emotion = find(word, emotions);
    if (emotion) return { emotion, intensity: degree?.[0] ?? (STRONG.includes(word) ? 3 : null) };
  }
  return null;
}
