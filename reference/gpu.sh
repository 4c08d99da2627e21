#!/usr/bin/env bash
# A first check of a GPU in one run of at most 8 minutes: training steps of each preset timed against PyTorch on the
# same card, their memory, the tests on the GPU, and the kernels that take most of the time. Everything is written to
# OUT/report.md, with raw figures and logs next to it. What a machine lacks, or what there is no time for, is skipped
# and named.
#
#     reference/gpu.sh OUT                    on a machine with a GPU and Rust
#     reference/gpu.sh --pack FOLDER          builds, without a GPU, what the next line needs
#     GAITGL=FOLDER/gaitgl TESTS=FOLDER/tests reference/gpu.sh OUT     on a machine without Rust
#     reference/gpu.sh --rehearse OUT         the same steps on the CPU with small cases, to try the script
#
# FOLDER.tar.zst holds the folder in less than 64 MiB: the program and its tests, stripped, and the Vulkan loader if
# this machine has one. PyTorch's side needs torch (PYTHON=...). CUDA needs the internet once, because its build
# downloads LLVM; without it, only Vulkan is built. Environment: STEPS (bench test kernels quickstart), CASES,
# PRECISIONS, REPEATS, BUDGET (seconds in all), LIMIT (seconds that one command may take, so that a driver that hangs
# costs only its own line).
set -euo pipefail

usage() {
    sed -n '2,18s/^# \{0,1\}//p' "$0" >&2
    exit 2
}
mode=run
case "${1:-}" in --rehearse | --pack) mode=${1#--} && shift ;; esac
[ $# = 1 ] || usage
mkdir -p "$1"
out=$(cd "$1" && pwd)
gaitgl=${GAITGL:+$(realpath "$GAITGL")}
built_tests=${TESTS:+$(realpath "$TESTS")}
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
steps=${STEPS:-bench test kernels}
budget=${BUDGET:-480}
if [ "$mode" = rehearse ]; then
    cases=${CASES:-parts-small/test/1x30 parts-small/train/8x30}
    repeats=${REPEATS:-1}
    precisions=${PRECISIONS:-f32 bf16}
    target=target
else
    cases=${CASES:-parts-small/train/64x30 paper-small/train/64x30 parts-large/train/8x30 paper-large/train/8x30}
    repeats=${REPEATS:-5}
    precisions=${PRECISIONS:-f32 bf16}
    # A separate folder, so that the ordinary build stays unchanged.
    target=target/gpu
fi
report=$out/report.md
features=()

say() { printf '%s\n' "$*" >&2; }
tell() { printf '%s\n' "$@" >> "$report"; }
section() { say "== $1 (${SECONDS}s)" && tell "" "## $1" ""; }
skip() { say "skipped: $*" && tell "- skipped: $*"; }
wants() { case " $steps " in *" $1 "*) ;; *) return 1 ;; esac; }

# Runs a command for as long as the budget and LIMIT allow.
limited() {
    local left=$((budget - SECONDS))
    if [ "$left" -le 5 ]; then
        echo "no time left"
        return 124
    fi
    timeout -k 5 $((left < ${LIMIT:-180} ? left : ${LIMIT:-180})) "$@"
}

# The program and its tests are built from the same two packages, so that Burn is built only once.
packages=(-p gaitgl -p gaitgl-cli --release --locked --target-dir "$target")
tests=(--lib --test golden --test exchange)
build() {
    features=("$@")
    cargo build "${packages[@]}" "$@" > "$out/build.log" 2>&1
}

# ------------------------------------------------------------------------------ packing

if [ "$mode" = pack ]; then
    build --features gaitgl-cli/vulkan,gaitgl-cli/cuda || build --features gaitgl-cli/vulkan
    say "built with ${features[*]}"
    mkdir -p "$out/tests" "$out/lib"
    strip -o "$out/gaitgl" "$target/release/gaitgl"
    cargo test "${packages[@]}" "${features[@]}" "${tests[@]}" --no-run 2>&1 |
        sed -nE 's/^ *Executable (unittests src\/lib|tests\/[a-z]+\/main)\.rs \((.*)\)$/\2/p' |
        while read -r test; do strip -o "$out/tests/$(basename "$test")" "$test"; done
    # The tests look for their files where they were built.
    pwd > "$out/tests/root"
    for loader in $(ldconfig -p | sed -n 's/.*libvulkan\.so\.1.*=> //p' | head -1); do
        cp -L "$loader" "$out/lib/"
    done
    rm -f "$out/build.log"
    tar -C "$(dirname "$out")" -c "$(basename "$out")" | zstd -q -19 -T0 -f -o "$out.tar.zst"
    size=$(stat -c %s "$out.tar.zst")
    say "$out.tar.zst: $size bytes, $(ls "$out/tests" | wc -l) files of tests, loaders: $(ls "$out/lib")"
    [ "$size" -lt $((64 << 20)) ] || { say "that is 64 MiB or more"; exit 1; }
    exit 0
fi
: > "$report"

# ---------------------------------------------------------------------------- the machine

tell "# A look at a GPU, $(date -u +%Y-%m-%d)"
section "the machine"
{
    git log -1 --format='- gaitgl: commit %h, %cd' --date=short || true
    printf -- '- %s, %s cores\n' "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)" "$(nproc)"
    rustc --version 2> /dev/null | sed 's/^/- /' || true
} >> "$report"
nvidia=
if command -v nvidia-smi > /dev/null && nvidia-smi > "$out/nvidia-smi.txt" 2>&1; then
    nvidia=yes
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | sed 's/^/- /' >> "$report"
else
    skip "nvidia-smi is not here, so memory is what each program says of itself"
fi
if command -v vulkaninfo > /dev/null; then
    vulkaninfo --summary > "$out/vulkaninfo.txt" 2>&1 || skip "vulkaninfo found nothing"
fi
torch=
if "$python" -c 'import torch' 2> /dev/null; then
    torch=yes
    "$python" -c 'import torch; print("- PyTorch", torch.__version__, "cuDNN", torch.backends.cudnn.version())' >> "$report"
else
    skip "$python has no torch, so there is nothing to compare with"
fi

# ------------------------------------------------------------------------------ the build

section "build"
if [ "$gaitgl" ]; then
    # Loaders that travelled with the program come last: those of the machine know its drivers.
    export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$(dirname "$gaitgl")/lib"
    tell "- built elsewhere: $("$gaitgl" --version)"
elif [ "$mode" = rehearse ]; then
    build
    tell "- without features"
elif [ "$nvidia" ] && build --features gaitgl-cli/vulkan,gaitgl-cli/cuda; then
    tell "- with the features vulkan and cuda"
else
    if [ "$nvidia" ]; then
        cp "$out/build.log" "$out/build-cuda.log"
        skip "cuda does not build here: $(grep -m1 -E '^error|panicked' "$out/build-cuda.log" || true)"
    fi
    build --features gaitgl-cli/vulkan
    tell "- with the feature vulkan"
fi
gaitgl=${gaitgl:-$PWD/$target/release/gaitgl}
# A build takes as long as it takes.
SECONDS=0

# The smallest case shows whether a device is present and works.
devices=
candidates="vulkan cuda"
if [ "$mode" = rehearse ]; then candidates="cpu"; fi
for device in $candidates; do
    if told=$(limited "$gaitgl" bench --device "$device" --case parts-small/test/1x30 --repeats 1 2>&1); then
        devices="$devices $device"
        tell "- $device: $(printf '%s\n' "$told" | grep -m1 '^on ' || echo "$device")"
    else
        told=$(printf '%s\n' "$told" | tail -1)
        skip "$device: ${told#gaitgl: }"
    fi
done
[ "$devices" ] || { say "no device to look at; see $report"; exit 2; }

# ----------------------------------------------------------------------- times and memory

# Writes the peak memory of the first card while a command runs to a file, in MiB.
watched() {
    local file=$1 watcher=
    shift
    if [ "$nvidia" ]; then
        (
            most=0
            while used=$(nvidia-smi -i 0 --query-gpu=memory.used --format=csv,noheader,nounits); do
                if [ "$used" -gt "$most" ]; then most=$used && echo "$most" > "$file"; fi
                sleep 0.2
            done
        ) &
        watcher=$!
    fi
    local code=0
    "$@" || code=$?
    if [ "$watcher" ]; then
        kill "$watcher" 2> /dev/null || true
        wait "$watcher" 2> /dev/null || true
    fi
    return $code
}

# bench WHO DEVICE PRECISION CASE: one case in its own process, so that its memory is measured alone.
bench() {
    local who=$1 device=$2 precision=$3 case=$4
    local name=$who-$device-$precision-${case//\//-}
    local command=()
    if [ "$who" = gaitgl ]; then
        command=(limited "$gaitgl" bench --device "$device" --precision "$precision")
    else
        command=(limited "$python" reference/bench_torch.py --device "$device" --precision "$precision")
    fi
    command+=(--case "$case" --repeats "$repeats" --json "$out/bench-$name.json")
    say "$who $device $precision $case"
    rm -f "$out/bench-$name.json"
    watched "$out/bench-$name.mib" "${command[@]}" > "$out/bench-$name.log" 2>&1 ||
        skip "$who $device $precision $case: $(tail -1 "$out/bench-$name.log")"
}

torch_device=
if [ "$torch" ]; then
    if [ "$mode" = rehearse ]; then
        torch_device=cpu
    elif "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
        torch_device=cuda
    else
        skip "PyTorch finds no CUDA device"
    fi
fi

if wants bench; then
    section "times"
    if [ "$nvidia" ]; then
        tell "- in use on the card before: $(nvidia-smi -i 0 --query-gpu=memory.used --format=csv,noheader)"
    fi
    for case in $cases; do
        for precision in $precisions; do
            if [ "$torch_device" ]; then bench pytorch "$torch_device" "$precision" "$case"; fi
            for device in $devices; do bench gaitgl "$device" "$precision" "$case"; done
        done
    done
    tell ""
    "$python" reference/gpu_report.py times "$out"/bench-*.json >> "$report" ||
        skip "the table; the figures are in $out/bench-*.json"
fi

# ------------------------------------------------------------------------------- tests

# The tests on one device. Tests that were built elsewhere find their files by a link.
run_tests() {
    if [ -z "$built_tests" ]; then
        limited cargo test "${packages[@]}" "${features[@]}" --no-fail-fast "${tests[@]}"
        return
    fi
    local root code=0 test
    root=$(cat "$built_tests/root")
    if [ ! -e "$root" ]; then mkdir -p "$(dirname "$root")" && ln -s "$PWD" "$root"; fi
    for test in "$built_tests"/*-*; do (cd crates/gaitgl && limited "$test") || code=$?; done
    return $code
}

if wants test; then
    section "tests of the crate gaitgl"
    for device in $devices; do
        log=$out/test-$device.log
        outcome=passed
        GAITGL_TEST_DEVICE=$device run_tests > "$log" 2>&1 || outcome=failed
        passed=$(awk '/^test result/ { n += $4 } END { print n + 0 }' "$log")
        failed=$(awk '/^test result/ { n += $6 } END { print n + 0 }' "$log")
        tell "- $device: $outcome; $passed tests pass, $failed fail ($(basename "$log"))"
        sed -n 's/^test \(.*\) \.\.\. FAILED$/    - \1/p' "$log" >> "$report"
    done
fi

# ------------------------------------------------------------------------------- kernels

if wants kernels; then
    section "kernels that dominate, one training step in f32"
    for case in $cases; do
        name=${case//\//-}
        if [ "$torch_device" ]; then
            kernels=$out/kernels-pytorch-$name.md
            if limited "$python" reference/bench_torch.py --device "$torch_device" --case "$case" --repeats 1 \
                --kernels "$kernels" > "$out/kernels-pytorch-$name.log" 2>&1; then
                tell "PyTorch, $torch_device" && cat "$kernels" >> "$report"
            else
                skip "PyTorch's profiler: $(tail -1 "$out/kernels-pytorch-$name.log")"
            fi
        fi
        for device in $devices; do
            if [ "$device" = cpu ]; then
                skip "gaitgl on the CPU has no kernels of a GPU to list"
                continue
            fi
            # CubeCL runs Burn's kernels and logs the time of each if this file says so.
            folder=$out/kernels-$device-$name
            rm -rf "$folder" && mkdir -p "$folder"
            printf '[profiling]\nlogger = { level = "basic", file = "kernels.log" }\n' > "$folder/cubecl.toml"
            if (cd "$folder" && limited "$gaitgl" bench --device "$device" --case "$case" --repeats 5) > "$folder/log" 2>&1; then
                tell "gaitgl, $device, $case: warm-up and tuning included" ""
                "$python" reference/gpu_report.py kernels "$folder/kernels.log" >> "$report" ||
                    skip "the list; the log is $folder/kernels.log"
                tell ""
            else
                skip "kernels of $device: $(tail -1 "$folder/log")"
            fi
        done
    done
    command -v nsys > /dev/null || skip "nsys is not here; it would show the same with gaps between kernels"
fi

# --------------------------------------------------------------------------- quickstart

if wants quickstart; then
    section "quickstart"
    for device in $devices; do
        rm -rf "$out/quickstart-$device"
        log=$out/quickstart-$device.log
        began=$SECONDS
        if limited "$gaitgl" quickstart --device "$device" --run "$out/quickstart-$device" > "$log" 2>&1; then
            tell "- $device: $((SECONDS - began)) s"
            sed 's/^/    /' "$out/quickstart-$device/table.txt" >> "$report"
        else
            tell "- $device: failed after $((SECONDS - began)) s: $(tail -1 "$log")"
        fi
    done
fi

section "done"
say "$report"
