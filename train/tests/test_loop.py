"""The loop that every training shares, by a toy that learns a line: resumed runs, whole checkpoints, the schedule, the average, and what ends a run."""

import json
import os
import signal
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from train import loop  # noqa: E402

quiet = lambda *a, **k: None  # noqa: E731


class Toy(loop.Trainer):
    curve_steps, look_steps = 5, 10

    def __init__(self, slope=3.0, rank=0, warmup=4):
        torch.manual_seed(2)
        net = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
        groups = [{"params": net[0].parameters(), "share": 0.5}, {"params": net[2].parameters()}]
        super().__init__(net, torch.optim.Adam(groups, 0.02), seed=4, rate=0.02, warmup=warmup, average=0.9, clip=1.0, rank=rank)
        self.slope, self.looks, self.seen = slope, [], []

    def about(self):
        return {"network": {"slope": self.slope, "width": 8}}

    def batch(self):
        x = torch.from_numpy(self.rng.uniform(-1, 1, (16, 1))).float()
        self.seen.append(float(x[0, 0]))
        return x, self.slope * x

    def losses(self, batch):
        x, y = batch
        loss = (self.forward(x) - y).square().mean()
        return loss, {"loss": loss}

    def evaluate(self, folder):
        self.looks.append(self.step)
        (folder / "look.txt").write_text(str(self.step))
        return {"held": 1.0}


def numbers(curve):
    return [{k: v for k, v in row.items() if k != "minutes"} for row in curve]


def test_a_run_that_was_cut_gives_the_same_numbers(tmp_path):
    whole = Toy()
    loop.run(whole, tmp_path / "a", 40, log=quiet)
    for stop in (17, 25, 40):
        cut = Toy()
        if stop > 17:
            cut.load(tmp_path / "b" / "last.pt")
        advance = cut.advance

        def counted(progress, stop=stop, cut=cut, advance=advance):
            made = advance(progress)
            cut.stopped = cut.step == stop
            return made

        cut.advance = counted
        loop.run(cut, tmp_path / "b", 40, log=quiet)
        assert cut.step == stop
    assert all(torch.equal(a, b) for a, b in zip(whole.net.parameters(), cut.net.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(whole.average.parameters(), cut.average.parameters()))
    # A cut at 17 takes two steps out of one point of the curve: the others are the same to the bit.
    rows = [numbers(t.curve) for t in (whole, cut)]
    assert [r["step"] for r in rows[0]] == [r["step"] for r in rows[1]] == list(range(5, 45, 5))
    assert [a == b for a, b in zip(*rows)] == [row["step"] != 20 for row in rows[0]]
    assert whole.curve[-1]["loss"] < 0.7 * whole.curve[0]["loss"]
    assert json.loads((tmp_path / "a" / "curve.json").read_text()) == whole.curve
    assert whole.looks == [10, 20, 30, 40] and [r["step"] for r in whole.curve if "held" in r] == whole.looks


def test_each_process_draws_batches_of_its_own_and_only_the_first_writes(tmp_path):
    first, second = Toy(), Toy(rank=1)
    loop.run(first, tmp_path / "a", 5, log=quiet)
    loop.run(second, tmp_path / "b", 5, log=quiet)
    assert not set(first.seen) & set(second.seen)
    assert {p.name for p in (tmp_path / "a").iterdir()} == {"last.pt", "curve.json", "look.txt"} and not list((tmp_path / "b").iterdir())


def test_the_rate_rises_then_falls_along_half_a_cosine_and_groups_take_their_share():
    toy = Toy()
    assert toy.rate(0.0) == pytest.approx(0.02 / 4)
    toy.step = 3
    assert toy.rate(0.0) == pytest.approx(0.02) and toy.rate(0.5) == pytest.approx(0.02 * 0.515)
    assert toy.rate(1.0) == toy.rate(1.7) == pytest.approx(0.02 * 0.03)
    toy.advance(0.0)
    assert [g["lr"] for g in toy.optimizer.param_groups] == pytest.approx([0.01, 0.02])


def test_the_average_follows_soon_and_then_keeps_what_it_is_told():
    toy = Toy()
    for keep in [2 / 11, 3 / 12]:
        before = [p.clone() for p in toy.average.parameters()]
        toy.advance(0.0)
        for old, mean, now in zip(before, toy.average.parameters(), toy.net.parameters()):
            torch.testing.assert_close(mean, keep * old + (1 - keep) * now)
    toy.step = 1000
    before = [p.clone() for p in toy.average.parameters()]
    toy.advance(0.0)
    for old, mean, now in zip(before, toy.average.parameters(), toy.net.parameters()):
        torch.testing.assert_close(mean, 0.9 * old + 0.1 * now)


def test_minutes_are_counted_over_all_runs(tmp_path):
    toy = Toy()
    toy.seconds = 59.9999
    loop.run(toy, tmp_path, minutes=1, log=quiet)
    assert 1 <= toy.step and toy.seconds >= 60
    again = Toy()
    again.load(tmp_path / "last.pt")
    loop.run(again, tmp_path, minutes=1, log=quiet)
    assert again.step == toy.step


def test_sigterm_ends_a_run_with_a_checkpoint(tmp_path):
    class Args:
        threads, steps = 1, 10**9

    class Ends(Toy):
        def after(self, parts):
            if self.step == 6:
                os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    try:
        loop.train(lambda rank, device: Ends(), Args, tmp_path)
    finally:
        signal.signal(signal.SIGTERM, before)
    toy = Toy()
    toy.load(tmp_path / "last.pt")
    assert toy.step == 7


def test_a_checkpoint_is_whole_or_not_there(tmp_path, monkeypatch):
    toy = Toy()
    toy.save(tmp_path / "last.pt")
    kept = (tmp_path / "last.pt").read_bytes()

    def full(state, path):
        Path(path).write_bytes(b"half of it")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError):
        toy.save(tmp_path / "last.pt")
    assert (tmp_path / "last.pt").read_bytes() == kept


def test_a_checkpoint_of_something_else_is_refused_with_what_differs(tmp_path):
    Toy().save(tmp_path / "last.pt")
    with pytest.raises(ValueError, match=r"another configuration \(slope differ\); use another --run"):
        Toy(slope=2.0).load(tmp_path / "last.pt")
    state = torch.load(tmp_path / "last.pt", weights_only=False)
    for change, words in (({"net": {}}, "its net is another version's"), ({"network": None}, r"\(network differ\)")):
        torch.save(state | change, tmp_path / "last.pt")
        with pytest.raises(ValueError, match=words):
            Toy().load(tmp_path / "last.pt")


def test_what_is_not_finite_stops_before_the_weights_change():
    toy = Toy()
    toy.advance(0.0)
    before = [p.clone() for p in toy.net.parameters()]
    x, y = toy.batch()
    with pytest.raises(loop.NotFinite, match="step 1: loss is not finite"):
        toy.advance(0.0, (x, y * float("nan")))
    # A finite loss with an infinite slope.
    toy.losses = lambda batch: (toy.net[2].bias.sum().abs().mul(0).sqrt(), {})
    with pytest.raises(loop.NotFinite, match="gradient of 2.bias"):
        toy.advance(0.0)
    assert all(torch.equal(a, b) for a, b in zip(before, toy.net.parameters()))


def test_a_curve_is_drawn(tmp_path):
    loop.draw_curve([{"step": 1, "minutes": 0.1, "loss": 0.5}, {"step": 2, "minutes": 0.2, "loss": 0.4, "held": 2.0}], tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes()[:4] == b"\x89PNG"
