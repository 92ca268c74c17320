# Set-up shared by ./run and ./test: system packages, Rust, Python. Sourced, not run.
# Every step looks first and acts only where something is missing, so a second run costs nothing.

# Without a desktop session Mesa's device chooser only complains, on every start.
[ -n "${XDG_RUNTIME_DIR-}" ] || export NODEVICE_SELECT=1

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }
fail() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# Packages that building needs: a C++ compiler and assembler for the H.264 encoder, CMake for Opus, ALSA's headers for sound.
BUILD_PACKAGES=(build-essential pkg-config cmake nasm libasound2-dev)
# Packages that only the tests need: ffmpeg decodes what was encoded, lavapipe runs the WGSL where there is no GPU.
TEST_PACKAGES=(curl ffmpeg mesa-vulkan-drivers libvulkan1 python3-venv)
# GStreamer's WebRTC, by Python: a client that the live server is tried with.
CLIENT_PACKAGES=(python3-gi gir1.2-gst-plugins-base-1.0 gir1.2-gst-plugins-bad-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good
    gstreamer1.0-plugins-bad gstreamer1.0-nice gstreamer1.0-libav)
# Voices: what train/speech is tested with.
VOICE_PACKAGES=(espeak-ng libespeak-ng1 flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts wordnet-base)

need_packages() {
    if ! command -v dpkg-query >/dev/null; then
        say "this is not Debian or Ubuntu: assuming that the equivalents of these are installed: $*"
        return
    fi
    local package missing=()
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "these packages are missing; install them as root: apt-get install ${missing[*]}"
        root=(sudo)
    fi
    say "installing ${missing[*]}"
    "${root[@]}" apt-get update -qq || fail "apt-get update failed; check the network, or install these yourself: ${missing[*]}"
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
        fail "apt-get could not install these; install them yourself: ${missing[*]}"
}

# Chromium, or Chrome, for the test that makes calls.
need_browser() {
    local name
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$name" >/dev/null && return
    done
    # As a snap, which is all that Ubuntu has, it could not see the file that plays the microphone.
    if command -v apt-cache >/dev/null && grep -qs '^ID=ubuntu' /etc/os-release; then
        fail "the tests need a browser that is no snap; install Google Chrome's .deb package and run this again"
    fi
    need_packages chromium
}

need_rust() {
    # Where rustup puts it, in a shell that has not read its profile.
    command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:$PATH"
    command -v cargo >/dev/null || fail "there is no Rust toolchain; install one with rustup and run this again"
}

# The target of a page's engine. Where it cannot be had, VULTUS_TEST_SKIP=wasm asks for the skip by name; false then.
need_wasm() {
    [ -d "$(rustc --print target-libdir --target wasm32-unknown-unknown)" ] && return
    say "Rust's wasm32-unknown-unknown"
    command -v rustup >/dev/null && rustup target add wasm32-unknown-unknown && return
    case ",${VULTUS_TEST_SKIP-}," in
    *,wasm,*) say "VULTUS_TEST_SKIP=wasm: the core is not built for the web"; return 1 ;;
    esac
    fail "Rust's target wasm32-unknown-unknown cannot be had; install it, or set VULTUS_TEST_SKIP=wasm to skip the core's build for the web"
}

# need_python DIR PACKAGE...: a virtual environment in DIR with these packages, at the versions that train/requirements.txt pins.
need_python() {
    local env=$1 stamp
    shift
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or newer is needed, this is $(python3 --version)"
    stamp=$(printf '%s\n' "$@" | cat - train/requirements.txt | sha256sum)
    [ "$(cat "$env/.stamp" 2>/dev/null)" = "$stamp" ] && return
    say "Python packages in $env: $*"
    python3 -m venv "$env"
    "$env/bin/pip" install --quiet --disable-pip-version-check -c train/requirements.txt "$@"
    printf '%s\n' "$stamp" >"$env/.stamp"
}
