"""Sentences to speak: short dictionary glosses, and sentences of our own that are rich in m, b, p, f and v."""

import random
import re
from pathlib import Path

WORDNET = Path("/usr/share/wordnet")

_WHO = """my brother|Bob|Mum and Papa|the plumber|a baby|Pam|the whole family|her best friend|Mr Campbell|our boss|nobody|
somebody in the pub|Emma|the bishop|a member of Parliament|Philip|the company|every farmer|a young woman|the waiter|
Victor|the professor|William|Vivian|our neighbours|the shop assistant|Thomas|the old captain|we|they|I|you""".replace("\n", "")
_DID = """built|made|bought|broke|painted|borrowed|forgot|cleaned|stopped|wrapped up|moved|found|gave away|wiped|filmed|
described|photographed|pumped|brought home|threw out|opened|remembered|lifted|noticed|kept|covered|needed|improved|
mended|put away""".replace("\n", "")
_WHAT = """a big brown box|the apple pie|some lemon jam|the lamp beside the bed|a pair of pumps|every number|the map of Bombay|
the problem|a bumper crop of plums|the bathroom cabinet|five of the old films|a cup of camomile|the empty bottle|his umbrella|
a purple ribbon|the broken bumper|two hundred pounds|the first chapter|a very fine view|the white fence|the wooden shelf|
thirty thousand leaves|the morning paper|a bowl of soup|the thick yellow rope|seven silver coins|what nobody wanted|
the number above the map|a beautiful job|a simple promise""".replace("\n", "")
_WHEN = """before the meeting|by mistake|in the middle of the night|at about half past five|from time to time|
on the way to the beach|without a problem|because of the weather|in September|after a moment|this morning|
while the others were asleep|for a while|with both hands|under the bridge|for the umpteenth time|as quickly as possible|
at the bottom of the garden|when the phone rang|more or less by chance""".replace("\n", "")
_OPEN = """maybe|of course|um|well|please remember that|I believe|perhaps|to be honest|above all|believe me|in fact|
it seems that|you can imagine how|my point is that|by the way|and so|but|hello everybody|oh|yes""".replace("\n", "")
_ASK = """could you please|why would anybody|how much does it cost to|may I|who was about to|when did you|shall we""".replace("\n", "")
_DO = """bring me the bag|turn up the volume|ship it by Monday|help my mother|pay the bill|hop over the fence|
wash the big pan|jump into the pool|email me the photos|read that aloud|show them the video|put the cup on the table|
choose a better name|pick up the phone""".replace("\n", "")
_ALONE = """Pop, pop, pop, went the bubbles.|Mama and papa made a pumpkin pie.|Bim, bam, bum.|Ma, pa, ba, ma, va, fa.|
Five brave firemen fell off the roof.|No, no, never on a Sunday!|Eight, nine, ten, eleven, twelve.|One, two, three, four, five, six, seven.|
Who knew you knew Sue, too?|She sees cheese.|We were away a year ago.|How now, brown cow.|Oh, wow!|Aha, I see.|Thank you very much.|
Good morning, everybody.|The map, the mop, the cup, the cap.|Hop up, Bob.|I'm home, Mum.""".replace("\n", "")


def _pick(rng, table):
    return rng.choice(table.split("|")).strip()


def own_sentence(rng):
    kind = rng.random()
    if kind < 0.12:
        return _pick(rng, _ALONE)
    if kind < 0.30:
        text = f"{_pick(rng, _ASK)} {_pick(rng, _DO)} {_pick(rng, _WHEN)}?"
    else:
        text = f"{_pick(rng, _WHO)} {_pick(rng, _DID)} {_pick(rng, _WHAT)}"
        if rng.random() < 0.6:
            text += f" {_pick(rng, _WHEN)}"
        if rng.random() < 0.35:
            text = f"{_pick(rng, _OPEN)}, {text}"
        text += rng.choice([".", ".", ".", "!"])
    return text[0].upper() + text[1:]


def glosses(folder=WORDNET):
    """Definitions from the WordNet data files, or nothing where they are not installed."""
    found = set()
    for path in sorted(folder.glob("data.*")):
        for line in path.read_text("latin1").splitlines():
            if line.startswith("  ") or "|" not in line:
                continue
            for part in line.split("|", 1)[1].split(";"):
                text = re.sub(r"\s+", " ", re.sub(r"[^A-Za-z' ,.-]", " ", part)).strip(" -,'.")
                words = text.split()
                if 4 <= len(words) <= 16 and not any(w.isupper() and len(w) > 1 for w in words):
                    found.add(text[0].upper() + text[1:] + ".")
    return sorted(found)


class Sentences:
    """Endless seeded text. Held-out clips take their glosses from another share of the dictionary."""

    def __init__(self, seed, held=False):
        self.rng = random.Random(seed)
        self.glosses = [g for i, g in enumerate(glosses()) if (i % 10 == 0) == held]

    def next(self):
        count = self.rng.choice([1, 1, 1, 2])
        return " ".join(
            self.rng.choice(self.glosses) if self.glosses and self.rng.random() < 0.6 else own_sentence(self.rng)
            for _ in range(count)
        )
