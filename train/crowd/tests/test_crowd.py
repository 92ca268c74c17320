"""Random people are seeded, within bounds and never in both parts; folders read back as they were written. No Blender, anny or PyTorch."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from train.crowd import dataset, sample
from train.crowd.shot import shot
from train.crowd.targets import LIMIT, SHIFT, targets
from train.face.expressions import NAMES
from train.face.raster import rotation
from train.portrait import people

HAIRS = {"afro", "bald", "bob", "bun", "buzz", "crop", "pixie", "ringlets", "straight", "swept", "tousled", "waves"}


@pytest.fixture(scope="module")
def pool():
    """A stand-in for what train.crowd.speech makes."""
    rng = np.random.default_rng(1)
    now = (rng.random((300, 64)) * (rng.random((300, 64)) < 0.2)).astype(np.float16)
    later = np.clip(now + rng.normal(0, 0.05, now.shape), 0, 1).astype(np.float16)
    return {"now": now, "next": later, **{k: rng.random(300).astype(np.float16) for k in ("jaw", "teeth", "seal", "rest", "move")}}


CHIN = -0.11


def head():
    """A ball in the place of a head: chin 0.11 m below the eyes, crown 0.12 m above."""
    rng = np.random.default_rng(2)
    n = rng.normal(size=(4000, 3))
    return n / np.linalg.norm(n, axis=1, keepdims=True) * [0.075, 0.115, 0.09] + [0, 0.005, 0]


def test_a_person_is_always_the_same_and_nobody_is_like_another():
    crowd = [sample.person(part, i) for part in sample.PARTS for i in range(40)]
    again = [sample.person(part, i) for part in sample.PARTS for i in range(40)]
    assert crowd == again
    assert len({json.dumps(p.look) for p in crowd}) == len({p.name for p in crowd}) == 80


def test_held_out_people_have_seeds_of_their_own():
    last = sample.PEOPLE_A_PART - 1
    spans = sorted((sample.seed_of(part, 0), sample.seed_of(part, last)) for part in sample.PARTS)
    assert all(a[1] < b[0] for a, b in zip(spans, spans[1:]))
    for index in (-1, sample.PEOPLE_A_PART):
        with pytest.raises(ValueError, match="there are 100000 people"):
            sample.person("train", index)


def test_people_are_within_bounds_and_varied():
    crowd = [sample.person("train", i) for i in range(300)]
    for p in crowd:
        assert re.fullmatch(r"t\d{5}", p.name)
        phenotype, local = people.shape(p)
        assert all(0 <= v <= 1 for v in phenotype.values()) and all(-1 <= v <= 1 for v in local.values())
        assert all(abs(v) <= sample.BOUND for v in p.local.values())
        for key in ("skin", "lip", "cloth_colour"):
            assert all(0 <= c <= 255 and isinstance(c, int) for c in p.look[key])
        assert set(p.smile) <= set(NAMES) and all(0 <= v <= 1 for v in p.smile.values()) and p.smile.get("jawOpen", 0) < 0.15
        assert p.phenotype["age"] > 0.5, "no children"
        json.dumps(p.look)
    assert {p.look["hair"] for p in crowd} == HAIRS
    light = np.array([np.mean(p.look["skin"]) for p in crowd])
    assert light.min() < 90 and light.max() > 190
    assert 0.35 < np.mean([p.look["hairline"] == "f" for p in crowd]) < 0.65
    assert 0.05 < np.mean(["grey" in p.look for p in crowd]) < 0.4


def test_the_head_is_in_the_picture():
    skin = head()
    for i in range(100):
        s = shot("train", i, skin, CHIN, sample.person("train", i).look)
        assert s == shot("train", i, skin, CHIN, sample.person("train", i).look)
        f, cx, cy = s["camera"]
        seen = skin @ rotation(s["pose"][:3]).T + s["pose"][3:]
        u, v = cx + f * seen[:, 0] / -seen[:, 2], cy - f * seen[:, 1] / -seen[:, 2]
        assert u.min() > 0.05 and u.max() < 0.95 and v.min() > 0.05 and v.max() < 0.95
        assert 0.5 < np.ptp(v) < 0.85, "the head fills the picture"
        assert len(s["lamps"]) >= 2 and all(lamp["power"] > 0 for lamp in s["lamps"])


def test_targets_are_seeded_and_within_the_limits(pool):
    kinds, pairs = set(), 0
    for i in range(60):
        cases = targets("train", i, pool)
        assert cases == targets("train", i, pool) and cases != targets("held", i, pool)
        names = [c["name"] for c in cases]
        assert len(set(names)) == len(names) == 7
        for c in cases:
            kinds.add(c["kind"])
            assert set(c["beta"]) <= set(NAMES) and all(0 < v <= 1 for v in c["beta"].values())
            assert (abs(np.array(c["dpose"][:3])) <= LIMIT + 1e-6).all() and (abs(np.array(c["dpose"][3:])) <= SHIFT + 1e-6).all()
            if "after" in c:
                pairs += 1
                assert names.index(c["after"]) == names.index(c["name"]) - 1
                before = next(b for b in cases if b["name"] == c["after"])
                assert abs(np.subtract(c["dpose"], before["dpose"])).max() < 0.06
    strong = pool | {"sigma": np.linspace(1, 2, 300), "sigma_next": np.linspace(3, 4, 300)}
    for i in range(20):
        for plain, c in zip(targets("held", i, pool), targets("held", i, strong), strict=True):
            sigma = c.pop("sigma", None)
            assert c == plain and (sigma is None) == (c["kind"] == "action")
            assert sigma is None or (3 <= sigma <= 4 if "after" in c else 1 <= sigma <= 2)
    assert kinds == {"pair", "speech", "shut", "open", "teeth", "emotion", "eyes", "action"} and 20 < pairs < 50


def test_order_takes_everybody_once():
    made = list(dataset.order(35, 6))
    assert len(made) == len(set(made)) == 41
    assert made[10] == ("held", 0) and made[11] == ("train", 10) and made[-1] == ("held", 5)


def test_a_folder_reads_back_as_it_was_written(tmp_path, pool):
    person, cases = sample.person("held", 3), targets("held", 3, pool)
    place = dataset.folder_of(tmp_path, "held", 3)
    s = shot("held", 3, head(), CHIN, person.look)
    rng = np.random.default_rng(0)
    pixels, matte = rng.integers(0, 256, (16, 16, 3), np.uint8), rng.integers(0, 256, (16, 16), np.uint8)
    folder = dataset.Folder(place)
    for c in cases:
        folder.picture(c["name"], pixels, matte)
    assert not place.exists(), "half a person is no person"
    tensors = {"alpha": np.zeros(80, np.float32), "portrait.png": np.frombuffer(dataset.png(pixels), np.uint8).copy()}
    folder.finish(person.name, tensors, {"version": "1", "name": person.name, "title": person.title, "licence": "CC0-1.0"},
                  dataset.truth(person, s, 16, cases))
    assert sorted(p.name for p in tmp_path.glob("held/*")) == ["h00003"]
    record = json.loads((place / "truth.json").read_text())
    assert record["avatar"] == "h00003" and record["size"] == 16
    for case, wanted in zip(record["cases"], cases, strict=True):
        assert {k: case[k] for k in wanted} == wanted
        assert (np.asarray(Image.open(place / case["image"])) == pixels).all()
        assert (np.asarray(Image.open(place / case["matte"])) == matte).all()
    with safe_open(str(place / "h00003.avatar"), "numpy") as file:
        assert (np.asarray(Image.open(io.BytesIO(file.get_tensor("portrait.png").tobytes()))) == pixels).all()
    # a second, slower maker of the same person changes nothing, and one that gives up leaves nothing
    with dataset.Folder(place) as late:
        late.finish(person.name, tensors, {}, {})
    with pytest.raises(KeyError), dataset.Folder(place.with_name("h00004")) as folder:
        folder.picture("portrait", pixels, matte)
        raise KeyError
    (place.parent / ".h00005.999999999").mkdir()
    dataset.sweep(tmp_path)
    assert json.loads((place / "truth.json").read_text()) == record and sorted(p.name for p in place.parent.iterdir()) == ["h00003"]


def test_the_pool_of_speech(tmp_path):
    pytest.importorskip("torch")
    from train.crowd import speech
    from train.speech.visemes import TRACKS

    rng = np.random.default_rng(4)
    np.savez(tmp_path / "corpus.npz", tracks=rng.random((500, len(TRACKS))).astype(np.float16))
    made = speech.pool(tmp_path / "corpus", 50, None)
    assert made["now"].shape == made["next"].shape == (50, 64)
    assert 0 <= made["now"].min() and made["next"].max() <= 1 and (made["now"] != made["next"]).any()


def test_the_pool_has_the_sigma_of_each_moment(tmp_path):
    torch = pytest.importorskip("torch")
    from train.crowd import speech
    from train.eac.model import Eac
    from train.goldens.eac import SMALL
    from train.speech.visemes import TRACKS

    rng = np.random.default_rng(4)
    columns = rng.normal(0, 0.5, (1, 4 * 60, 80)).astype(np.float16)
    np.savez(tmp_path / "corpus.npz", tracks=rng.random((60, len(TRACKS))).astype(np.float16), columns=columns)
    torch.manual_seed(6)
    net = Eac(SMALL).eval()
    made = speech.pool(tmp_path / "corpus", 50, None, net=net)
    plain = speech.pool(tmp_path / "corpus", 50, None)
    assert all((made[k] == plain[k]).all() for k in plain)
    assert made["sigma"].shape == made["sigma_next"].shape == (50,) and (made["sigma"] != made["sigma_next"]).any()
    # Beyond both ends it is silent, and in between the window is what was heard.
    assert (speech.window(columns[0], 2, 40, -9.0)[:28] == -9.0).all() and (speech.window(columns[0], 61, 40, -9.0)[-8:] == -9.0).all()
    assert (speech.window(columns[0], 20, 40, -9.0) == columns[0][44:84]).all()
