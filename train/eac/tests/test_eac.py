"""Targets, network and training of EAC. Needs PyTorch; weights only where the test says so."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from safetensors.torch import load_file  # noqa: E402

from train.eac.card import findings, write  # noqa: E402
from train.eac.compose import ACTIONS, action_table, compose  # noqa: E402
from train.eac.config import load_config  # noqa: E402
from train.eac.data import UNKNOWN, Corpus, labels  # noqa: E402
from train.eac.evaluate import interval, mistakes  # noqa: E402
from train.eac.export import export  # noqa: E402
from train.eac.face import EMOTIONS, INDEX, NAMES, load_face, stand_in  # noqa: E402
from train.eac.model import Eac, tokens_from_columns  # noqa: E402
from train.eac.preview import expressions  # noqa: E402
from train.eac.stream import load_net, stream  # noqa: E402
from train.eac.train import Trainer  # noqa: E402
from train.goldens.eac import randomise  # noqa: E402
from train.speech.mel import log_mel  # noqa: E402
from train.speech.synth import Corpus as Builder  # noqa: E402
from train.speech.visemes import PHONES, TRACKS  # noqa: E402

ROOT = Path(__file__).parents[3]
torch.set_num_threads(1)


def small_config():
    config = copy.deepcopy(load_config())
    config["model"] |= dict(width=32, blocks=2, heads=4, feed_forward=64)
    config["train"] |= dict(batch=4, rate=2e-3, warmup_steps=1)
    return config


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A few seconds of tones under made-up phonemes: enough to train on, and no engine is needed."""
    path = tmp_path_factory.mktemp("speech") / "train"
    builder = Builder(2, 5, keep_pcm=False)
    rng = np.random.default_rng(5)
    for _ in range(3):
        segments, pcm = [(0.0, 0.4, "SIL")], [np.zeros(6400)]
        for phone, tone in zip("M AA S IY B UW".split() * 2, [120, 700, 4000, 300, 90, 250] * 2):
            start = segments[-1][1]
            segments.append((start, start + 0.12, phone))
            pcm.append(0.1 * np.sin(2 * np.pi * tone * np.arange(1920) / 16000 + rng.uniform(0, 6)))
        end = segments[-1][1]
        segments.append((end, end + 0.16, "SIL"))
        pcm = np.concatenate([*pcm, np.zeros(2560)]).astype(np.float32)
        builder.add(pcm, segments, "espeak", "tones")
    builder.add(0.05 * rng.standard_normal(640 * 60).astype(np.float32), [(0.0, 2.4, "SIL")], "quiet", "noise")
    builder.save(path)
    return Corpus(path)


def all_tracks():
    """Random speech (1, 400, 11), with seals, bites and rests at known frames."""
    rng = np.random.default_rng(6)
    tracks = torch.from_numpy(rng.uniform(0, 1, (1, 400, len(TRACKS))).astype(np.float32))
    for name in ("seal", "bite", "rest"):
        tracks[..., TRACKS.index(name)] = 0.0
    tracks[:, 100:120, TRACKS.index("seal")] = 1.0
    tracks[:, 200:240, TRACKS.index("rest")] = 1.0
    return tracks


@pytest.mark.parametrize("emotion", range(8))
@pytest.mark.parametrize("mu", [1.0, 3.0])
def test_targets_shut_and_open_under_every_emotion(emotion, mu):
    row = torch.from_numpy(stand_in().gap)
    beta = compose(all_tracks(), torch.eye(8)[emotion][None], torch.tensor([mu]), row)[0]
    gap = beta @ row
    assert gap[100:120].max() <= 0.0 and gap[200:240].max() <= 0.0
    spoken = torch.ones(400, dtype=torch.bool)
    spoken[100:120] = spoken[200:240] = False
    assert gap[spoken].min() > 0.1
    assert beta.min() >= 0.0 and beta.max() <= 1.0


def test_emotions_move_their_units_with_intensity_and_never_the_gaze():
    table = action_table()
    assert list(ACTIONS) == EMOTIONS and table[0].abs().sum() == 0
    eyes = [i for n, i in INDEX.items() if n.startswith(("eyeBlink", "eyeLook"))]
    row = torch.from_numpy(stand_in().gap)
    for e in range(1, 8):
        low, high = (compose(all_tracks(), torch.eye(8)[e][None], torch.tensor([m]), row)[0] for m in (1.0, 3.0))
        brows = [i for i in torch.where(table[e] > 0.2)[0].tolist() if NAMES[i].startswith(("brow", "eye", "nose", "cheek"))]
        assert brows or EMOTIONS[e] == "contempt"
        assert all((high[:, i] > low[:, i]).all() for i in brows)
        assert high[:, eyes].abs().max() == 0


def test_shipped_face_opens_and_shuts_the_way_targets_assume():
    gap = load_face(ROOT / "weights/face.safetensors").gap
    assert abs(gap[INDEX["jawOpen"]] - 1) < 0.02 and abs(gap[INDEX["mouthClose"]] + 1) < 0.05
    assert gap[INDEX["lipSeal"]] < -0.02 and gap[INDEX["lipsPart"]] > 0.05


def test_stills_of_the_benches_are_what_compose_asks_for():
    gap = torch.from_numpy(load_face(ROOT / "weights/face.safetensors").gap)
    want, have = json.loads(expressions(gap)), json.loads((ROOT / "benches/data/expressions.json").read_text())
    assert [c["name"] for c in want["cells"]] == [c["name"] for c in have["cells"]]
    for a, b in zip(want["cells"], have["cells"]):
        assert all(abs(a["beta"].get(n, 0.0) - b["beta"].get(n, 0.0)) < 1e-3 for n in NAMES), a["name"]


def test_tokens_hold_their_columns_oldest_first():
    columns = torch.arange(40 * 80, dtype=torch.float32).view(1, 40, 80)
    tokens = tokens_from_columns(columns, 8, 12)
    assert tokens.shape == (1, 8, 960)
    assert torch.equal(tokens[0, 3].view(12, 80), columns[0, 12:24])


def test_streaming_shows_position_31_minus_lookahead():
    net = randomise(Eac(small_config()["model"]), 3)
    pcm = (0.1 * np.random.default_rng(8).standard_normal(640 * 45)).astype(np.float32)
    out = stream(net, pcm, 5, 2.0)
    columns = torch.from_numpy(log_mel(pcm))
    # Frame 36 at L = 2 is position 29 of the window of frames 7 … 38.
    window = columns[4 * 7 - 8 : 4 * 39][None]
    with torch.no_grad():
        beta, _ = net(tokens_from_columns(window), torch.tensor([5]), torch.tensor([2.0]))
    np.testing.assert_allclose(out[2, 36], beta[0, 29].clamp(0, 1).numpy(), atol=1e-5)


def test_steps_on_one_batch_lower_its_loss(corpus):
    # One step is only sure to go down where it is small: Adam's first is as long as its rate, whatever the gradient.
    careful = small_config()
    careful["train"]["rate"] = 1e-5
    trainer = Trainer(careful, corpus, stand_in())
    batch = trainer.batch()
    assert trainer.advance(0.0, batch)["total"] > trainer.advance(0.0, batch)["total"]

    trainer = Trainer(small_config(), corpus, stand_in())
    first = trainer.advance(0.0, batch)["total"]
    for _ in range(30):
        last = trainer.advance(0.0, batch)["total"]
    assert last < 0.6 * first


def test_resuming_repeats_the_curve(corpus, tmp_path):
    config = small_config()
    whole = Trainer(config, corpus, stand_in())
    losses = [whole.advance(i / 12)["total"] for i in range(12)]
    first = Trainer(config, corpus, stand_in())
    again = [first.advance(i / 12)["total"] for i in range(6)]
    first.save(tmp_path / "last.pt")
    second = Trainer(config, corpus, stand_in())
    second.load(tmp_path / "last.pt")
    again += [second.advance(i / 12)["total"] for i in range(6, 12)]
    assert again == losses
    other = Trainer(config, corpus, stand_in(), rank=1)
    other.load(tmp_path / "last.pt")
    assert other.advance(0.5)["total"] != losses[6], "another process draws other windows, also after a resume"


def test_export_keeps_the_average_in_f16(corpus, tmp_path):
    config = load_config()
    trainer = Trainer(config, corpus, stand_in())
    trainer.save(tmp_path / "last.pt")
    export(tmp_path / "last.pt", tmp_path / "eac.safetensors")
    net = load_net(tmp_path / "eac.safetensors")
    wanted = {k: v.clone() for k, v in trainer.average.eac.state_dict().items()}
    wanted["head.2.bias"][INDEX["mouthClose"]] -= config["export"]["close_bias"]
    for name, value in net.state_dict().items():
        assert torch.equal(value, wanted[name].half().float()), name


def test_training_begins_where_exported_weights_end(corpus, tmp_path):
    config = load_config()
    first = Trainer(config, corpus, stand_in())
    first.save(tmp_path / "last.pt")
    export(tmp_path / "last.pt", tmp_path / "eac.safetensors")
    again = Trainer(config, corpus, stand_in(), begin=tmp_path / "eac.safetensors").net.eac.state_dict()
    for name, value in first.average.eac.state_dict().items():
        assert torch.allclose(again[name], value, atol=2e-3), name


def test_strength_stays_what_it_was_where_training_goes_on(corpus, tmp_path):
    config = load_config()
    config["train"] |= dict(batch=4)
    first = Trainer(config, corpus, stand_in())
    first.save(tmp_path / "last.pt")
    export(tmp_path / "last.pt", tmp_path / "eac.safetensors")
    again = Trainer(config, corpus, stand_in(), begin=tmp_path / "eac.safetensors")
    batch = again.batch()
    _, parts = again.losses(batch)
    assert parts["strength"] < 1e-4 and "strength" not in first.losses(batch)[1]
    with torch.no_grad():
        again.net.eac.sigma_base.mul_(-1.0)
    assert again.losses(batch)[1]["strength"] > 10 * parts["strength"]


def test_recordings_join_by_share_and_are_drawn_by_weight(corpus):
    people = copy.copy(corpus)
    people.mass = np.cumsum(np.where(np.arange(corpus.frames) < 100, 0.0, 1.0))
    config = small_config()
    config["data"]["people"] = 1.0
    rng = np.random.default_rng(3)
    assert all(people.draw(rng, 2, 32) >= 100 - 16 for _ in range(50))
    assert all(2 <= corpus.draw(rng, 2, 32) < corpus.frames - 32 for _ in range(50))
    mel, _, _, target, phones = Trainer(config, corpus, stand_in(), people=people).batch()
    assert mel.shape == (4, 32, 960) and target.shape == (4, 32, 64) and phones.shape == (4, 32, 4)
    assert torch.isfinite(mel).all() and phones.max() < len(PHONES)


def test_labels_stand_where_the_phones_are():
    said = labels([(0.0, 0.2, "SIL"), (0.2, 0.3, "M"), (0.3, 0.5, "AY"), (0.5, 0.55, "SIL"), (0.55, 0.6, "GLOT")], 60)
    names = [PHONES[k] if k != UNKNOWN else None for k in said.tolist()]
    assert names == ["SIL"] * 20 + ["M"] * 10 + ["AA"] * 12 + ["IH"] * 8 + [None] * 10


def test_the_interval_holds_the_figure_and_widens_with_fewer_speakers():
    rng = np.random.default_rng(1)
    rows = np.array([[f, 20, f, 20] for f in rng.integers(8, 18, 40)])
    narrow, wide = interval(rows), interval(rows[:5])
    assert narrow[0] < rows[:, 0].sum() / 800 < narrow[1] and wide[1] - wide[0] > narrow[1] - narrow[0]


def made_up_figures(missed, f1):
    row = lambda k: dict(L=k, precision=0.5, recall=0.6, f1=f1, offset_ms=4.0 + k, r=0.8)  # noqa: E731
    speech = lambda closures: dict(closures=closures, silence=0.01, by_lookahead=[row(k) for k in range(6)], missed=missed, false_on={"V": 3, "N": 5})  # noqa: E731
    people = speech(60) | {"speakers": 12}
    people["by_lookahead"] = [row | {"interval": [0.4, 0.61]} for row in people["by_lookahead"]]
    moved = {f"mu={k}": dict(moved=0.2 * k, wanted=0.25 * k, right_sign=0.9) for k in (1, 2, 3)}
    return {
        "speech": {"espeak": speech(40), "flite": speech(20)}, "mean_f1": [f1] * 6, "noisy": speech(9), "people": {"cv": people, "native": people}, "real": speech(24) | {"seconds": 30.0},
        "emotional": {"neutral": speech(9), "sad": speech(9)}, "emotion": {"sad": moved},
        "quiet": {"silence": {"digital": 0.0}, "silence_by_emotion": {"sad": 0.03}, "noise": {"hum": 0.001}, "noise_mean": 0.001},
    }


def test_the_cards_findings_come_from_the_figures(tmp_path):
    figures = made_up_figures({"M": 4, "P+B": 1}, 0.5)
    said = " ".join(findings(figures))
    for words in ("Of 60 closures 10 are missed at L = 2 (M 8, P+B 2); 16 times", "most often on N 10, V 6", "+6 to +6 ms", "F1 0.50, without it 0.50", "80 to 80 %", "at least 90 %", "± 0.20"):
        assert words in said, words
    assert "are missed at L = 2 (B 2)" in " ".join(findings(made_up_figures({"B": 1}, 0.7)))
    write(figures, ROOT / "weights", 12.0, "It was cut twice.", tmp_path / "eac.md")
    text = (tmp_path / "eac.md").read_text()
    for words in ("4.7 M parameters", "5.3 hours", "12 minutes. Loss curve: `cards/eac_curve.png`.\nIt was cut twice.", "slt, rms, kal16", "under 8 %", "Common Voice, telephones and rooms as they are, CC0", "| 12 | 60 | 2 | 0.50 / 0.60 / **0.50** | 0.40 … 0.61 |", "native English: LibriSpeech, ", "| hum at -30 dBFS | 0.1 % |"):
        assert words in text, words


def test_mistakes_are_counted_by_what_was_spoken():
    gap = np.full(50, 0.3)
    gap[[10, 20]] = 0.0
    said = [(0.0, 0.38, "SIL"), (0.38, 0.45, "M"), (0.45, 0.78, "AA"), (0.78, 0.86, "V"), (0.86, 1.2, "IY"), (1.2, 1.25, "P"), (1.26, 1.3, "B"), (1.3, 2.0, "SIL")]
    about = {"segments": said, "closures": [s for s in said if s[2] in "MPB"], "pauses": [(1.3, 2.0)]}
    assert mistakes(gap, about) == ({"P+B": 1}, {"V": 1})
