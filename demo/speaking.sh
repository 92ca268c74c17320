#!/usr/bin/env bash
# Makes demo/speaking.webp, the picture that moves in README.md: three of the built-in avatars say the end of the sample speech, each in a mood of their own.
#   demo/speaking.sh [PROGRAM]        (needs ffmpeg; PROGRAM is target/release/vultus where nothing is said)
set -euo pipefail
cd "$(dirname "$0")/.."
vultus=$(realpath "${1-target/release/vultus}")
films=$(mktemp -d)
trap 'rm -r "$films"' EXIT
ffmpeg -v error -ss 1.2 -t 4.8 -i weights/sample.wav "$films/voice.wav"
moods=(neutral happy surprised)
who=(amara jonas lea)
for n in 0 1 2; do
    "$vultus" render "$films/voice.wav" -o "$films/$n.mp4" --avatar "${who[n]}" --emotion "${moods[n]}" --intensity 2 --size 512 --generator nano --seed "$n"
done
ffmpeg -v error -y -i "$films/0.mp4" -i "$films/1.mp4" -i "$films/2.mp4" -filter_complex \
    "[0:v][1:v][2:v]hstack=3,fps=12.5,scale=900:-1:flags=lanczos" -c:v libwebp_anim -lossless 0 -q:v 80 -loop 0 demo/speaking.webp
ls -l demo/speaking.webp
