"""What a face tracker's points mean on our face model.

    cargo run --release -p vultus-native --example known_faces -- DRAWN amara george ingrid jonas kenji lea pip priya
    cargo run --release -p vultus-native --example track_points -- POINTS.json weights/avatars benches/data/truth DRAWN …
    python -m train.track.correspond POINTS.json
"""
