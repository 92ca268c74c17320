"""Training: shards are read as they are written, a killed run goes on along the same curve, NaN stops it by name."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from safetensors import safe_open  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from train.hef import losses  # noqa: E402
from train.hef.data import People, square_root  # noqa: E402
from train.hef.export import export  # noqa: E402
from train.hef.sheet import draw_sheet, srgb  # noqa: E402
from train.hef.train import Trainer  # noqa: E402
from train.loop import NotFinite, draw_curve, run  # noqa: E402

TINY = """
[size.tiny]
crop = 16
patch = 2
code = 8
levels = [2, 4, 8]
encoder = [8, 8, 6]
source = [4, 4, 4]
style = [8, 8, 6]
render = [6, 6, 4]
mix = [0, 0, 8]
up = "after"
[ablation.no_residual]
residual = false
[train]
seed = 3
batch = 4
rate = 3e-3
rate_heads = 0.3
rate_flow = 0.1
rate_critic = 1e-3
betas = [0.0, 0.99]
warmup_steps = 2
average = 0.9
clip = 1.0
checkpoint_minutes = 60
sheet_steps = 1000
[loss]
pixel = 5.0
perceptual = 1.0
lpips = 2.0
adversarial = 0.1
features = 1.0
adversarial_after = 4
r1 = 1.0
r1_every = 2
smooth = 0.1
small = 0.05
matte = 1.0
temporal = 1.0
boxes = 3.0
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(TINY)
    return path


def shard(path, seed=0, rows=3):
    rng = np.random.default_rng(seed)
    f16 = lambda *shape: torch.from_numpy(rng.uniform(0, 1, shape).astype(np.float16))  # noqa: E731
    driven = f16(rows, 16, 16, 16)
    driven[:, 10:12] = 0
    driven[:, 12] = 0
    driven[:, 7] = 0
    truth = (driven[:, :3].float() ** 2 * 200).to(torch.uint8)
    save_file(
        {
            "source": f16(2, 8, 16, 16), "driven": driven, "style": torch.zeros(rows, 258), "fit": torch.arange(rows, dtype=torch.int32) % 2,
            "truth": truth, "truth_matte": torch.from_numpy(rng.integers(0, 256, (rows, 1, 16, 16), np.uint8)), "boxes": torch.tensor([[[2, 3, 4, 5], [0, 0, 0, 0]]] * rows, dtype=torch.int32),
            "then": torch.tensor([-1, 0] + [-1] * (rows - 2), dtype=torch.int32), "motion": torch.zeros(1, 2, 16, 16, dtype=torch.float16),
        },
        path,
    )


@pytest.fixture
def people(tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    for i in range(2):
        shard(folder / f"p{i}.safetensors", i)
    return People(folder, 16)


def test_a_batch_ends_in_two_consecutive_pictures(people):
    batch = people.batch(np.random.default_rng(0), 4)
    assert batch["driven"].shape == (4, 16, 16, 16) and batch["motion"].shape == (1, 2, 16, 16)
    assert batch["features"][0, 0, 3, 2] == 1 and batch["features"][0, 0, 0, 0] == 0
    assert batch["truth"].max() <= 1
    assert batch["truth_matte"].shape == (4, 1, 16, 16) and 0.9 < batch["truth_matte"].max() <= 1


def test_shards_of_another_crop_are_refused(tmp_path, people):
    with pytest.raises(ValueError, match="crop"):
        People(people.people[0].path.parent, 32)
    with pytest.raises(ValueError, match="no shards"):
        People(tmp_path, 16)


def test_colours_go_there_and_back():
    every = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16).repeat(3, 1, 1)
    assert (srgb(square_root(every)) == every.numpy().transpose(1, 2, 0)).all()


def test_training_learns_and_a_killed_run_follows_the_same_curve(config, people, tmp_path):
    def trained(folder, *stops):
        for stop in stops:
            trainer = Trainer("tiny", path=config)
            if (folder / "last.pt").exists():
                trainer.load(folder / "last.pt")
            # The schedule belongs to the whole run, wherever it is cut.
            while trainer.step < stop:
                trainer.last = trainer.advance(trainer.step / 12, people.batch(trainer.rng, 4))
            folder.mkdir(exist_ok=True)
            trainer.save(folder / "last.pt")
        return trainer

    whole, cut = trained(tmp_path / "a", 12), trained(tmp_path / "b", 5, 12)
    assert whole.last == cut.last and {"critic", "matte"} <= set(whole.last)
    first = Trainer("tiny", path=config).advance(0.0, people.batch(np.random.default_rng(1), 4))
    assert whole.last["pixel"] < first["pixel"]
    for a, b in zip(whole.average.parameters(), cut.average.parameters()):
        assert torch.equal(a, b)


def test_mouth_and_eyes_count_as_the_configuration_says(config, people):
    trainer = Trainer("tiny", path=config)
    batch = people.batch(trainer.rng, 4) | {"motion": None}
    out = trainer.net(batch["driven"], batch["source"], batch["style"])
    inside, outside = (trainer.parts(batch, out | {"picture": batch["truth"] + 0.1 * part})["pixel"] for part in (batch["features"], 1 - batch["features"]))
    need = batch["driven"][:, 13, None] > 0
    pixels = [(part * need).sum() for part in (batch["features"], 1 - batch["features"])]
    assert torch.isclose(inside / pixels[0], 3 * outside / pixels[1], rtol=1e-4)


def test_processes_draw_batches_of_their_own_also_after_a_resume(config, people, tmp_path):
    first, second = (Trainer("tiny", rank=rank, path=config) for rank in (0, 1))
    drawn = lambda trainer: people.batch(trainer.rng, 4)["driven"]  # noqa: E731
    assert not torch.equal(drawn(first), drawn(second))
    first.advance(0.0, people.batch(first.rng, 4))
    first.save(tmp_path / "last.pt")
    again = [Trainer("tiny", rank=rank, path=config) for rank in (0, 1)]
    for trainer in again:
        trainer.load(tmp_path / "last.pt")
    assert torch.equal(drawn(again[0]), drawn(first)) and not torch.equal(drawn(again[0]), drawn(again[1]))


def test_a_checkpoint_of_another_configuration_is_refused(config, tmp_path):
    Trainer("tiny", path=config).save(tmp_path / "last.pt")
    with pytest.raises(ValueError, match="residual"):
        Trainer("tiny/no_residual", path=config).load(tmp_path / "last.pt")


def test_nan_stops_with_the_step_and_the_culprit(config, people):
    trainer = Trainer("tiny", path=config)
    batch = people.batch(trainer.rng, 4)
    trainer.advance(0.0, batch)
    before = {k: v.clone() for k, v in trainer.net.state_dict().items()}
    batch["style"][1, 5] = float("nan")
    with pytest.raises(NotFinite, match="step 1: style"):
        trainer.advance(0.0, batch)
    assert all(torch.equal(v, before[k]) for k, v in trainer.net.state_dict().items())


def test_a_run_writes_its_checkpoint_curve_and_sheet(config, people, tmp_path):
    trainer = Trainer("tiny", people, people, path=config)
    run(trainer, tmp_path / "run", 2, log=lambda *a, **k: None)
    assert [row["step"] for row in json.loads((tmp_path / "run" / "curve.json").read_text())] == [2]
    assert {"last.pt", "curve.json", "sheet_000002.png"} <= {p.name for p in (tmp_path / "run").iterdir()}
    draw_curve([{"step": 1, "minutes": 0.1, "pixel": 0.5}, {"step": 2, "minutes": 0.2, "pixel": 0.4}], tmp_path / "c.png")
    draw_sheet(trainer.average, people, tmp_path / "s.png")
    assert (tmp_path / "c.png").stat().st_size > 1000


def test_losses_are_zero_for_the_truth_and_see_what_they_name():
    torch.manual_seed(0)
    truth, weight = torch.rand(2, 3, 32, 32), torch.ones(2, 1, 32, 32)
    for loss in (losses.pixel, losses.gradients, losses.structure):
        assert loss(truth, truth, weight) < 1e-5 < loss(truth.roll(1, 3), truth, weight)
    pooled = torch.nn.functional.avg_pool2d(truth, 7, 1, 3, count_include_pad=False)
    assert torch.allclose(losses.box_mean(truth, 7), pooled, atol=1e-6)
    # Beyond 0 … 1 a matte is as good as at it, and can come back from there.
    ones = torch.ones(1, 1, 4, 4)
    assert losses.matte(1.5 * ones, ones, ones) == 0 and abs(losses.matte(1.5 * ones, 0.25 * ones, ones) - 0.75) < 1e-6
    made = (1.5 * ones).requires_grad_(True)
    losses.matte(made, 0 * ones, ones).backward()
    assert (made.grad > 0).all()
    # A steady error does not flicker; one that comes and goes does.
    still = torch.zeros(2, 2, 32, 32)
    assert losses.temporal(truth + 0.1, truth + 0.1, truth, truth, still, weight) < 1e-6
    assert losses.temporal(truth + 0.1, truth, truth, truth, still, weight) > 0.09
    variation, size = losses.smoothness([torch.full((1, 2, 8, 8), 0.01)])
    assert variation == 0 and size > 0


def test_a_distance_of_the_users_own_joins_the_losses(config, people, tmp_path):
    class Squares(torch.nn.Module):
        def forward(self, a, b):
            return ((a - b) ** 2).mean((1, 2, 3))

    torch.jit.script(Squares()).save(tmp_path / "squares.pt")
    trainer = Trainer("tiny", path=config, lpips=tmp_path / "squares.pt")
    parts = trainer.advance(0.0, people.batch(trainer.rng, 4))
    assert 0 < parts["lpips"] < 4
    plain = Trainer("tiny", path=config).advance(0.0, people.batch(trainer.rng, 4))
    assert "lpips" not in plain
    (tmp_path / "junk.pt").write_bytes(b"junk")
    with pytest.raises(ValueError, match="junk.pt is no TorchScript"):
        Trainer("tiny", path=config, lpips=tmp_path / "junk.pt")


def test_an_export_holds_the_average_and_its_configuration(config, people, tmp_path):
    trainer = Trainer("tiny/no_residual", path=config)
    trainer.advance(0.0, people.batch(trainer.rng, 4))
    trainer.save(tmp_path / "last.pt")
    file, _ = export(tmp_path / "last.pt", tmp_path, config)
    assert file.name == "hef_tiny_no_residual.safetensors"
    with safe_open(file, "pt") as made:
        assert json.loads(made.metadata()["network"]) == trainer.network
        assert set(made.keys()) == set(trainer.net.state_dict())
        assert torch.equal(made.get_tensor("start"), trainer.average.start.half())
        assert "style_sigma" not in made.metadata()
    held, _ = export(tmp_path / "last.pt", tmp_path, config, shards=people.people[0].path.parent)
    with safe_open(held, "pt") as made:
        assert json.loads(made.metadata()["style_sigma"]) == 0.0
    trainer.network = trainer.network | {"code": 12}
    trainer.save(tmp_path / "last.pt")
    with pytest.raises(ValueError, match="no configuration"):
        export(tmp_path / "last.pt", tmp_path, config)
