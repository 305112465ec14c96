# SPDX-License-Identifier: Apache-2.0
# ./dev carry: fetches the Debian packages that a GPU machine without internet lacks, into .carry/.
# ./dev gpu [STEP...]: builds with CUDA, tests and measures on this machine's GPU. Each step is logged and limited in
# time; a failed one does not stop the others. Results lie in ${OUT:-build/gpu}: log.txt, summary.json and what each
# step writes.

carried=(libdnnl-dev libdnnl2 libgomp1 ocl-icd-libopencl1 nlohmann-json3-dev libyaml-cpp-dev libyaml-cpp0.7 libfmt-dev
  libfmt9 libspdlog-dev libspdlog1.10 libcli11-dev libxxhash-dev libxxhash0 zlib1g-dev zlib1g libgtest-dev libgmock-dev
  googletest libbenchmark-dev libbenchmark1debian ninja-build)

carry_packages() {
  mkdir -p .carry
  (cd .carry && run apt-get download "${carried[@]}")
  run du -sh .carry
}

gpu_steps=(machine packages configure build kernels tests memcheck racecheck bench demo)
gpu_build=build/cuda

# Carried packages are used only where the machine lacks one; libraries of a newer system would not start on an older.
gpu_packages() {
  local prefix=$PWD/build/gpu-prefix deb
  if ! has_file .carry/*.deb; then
    echo "no .carry/: taking the machine's own libraries"
    return 0
  fi
  mkdir -p "$prefix"
  for deb in .carry/*.deb; do dpkg -x "$deb" "$prefix"; done
}

use_packages() {
  local usr=$PWD/build/gpu-prefix/usr arch
  [ -d "$usr" ] || return 0
  arch=$usr/lib/$(uname -m)-linux-gnu
  export CMAKE_PREFIX_PATH=$usr CPATH=$usr/include LIBRARY_PATH=$arch
  export LD_LIBRARY_PATH=$arch${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  # Some packages keep their library in /lib, where the machine has its own.
  command -v ninja >/dev/null || export PATH=$PATH:$usr/bin
}

has_file() { [ -e "$1" ]; }

gpu_machine() {
  nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit --format=csv
  nvcc --version 2>/dev/null || /usr/local/cuda/bin/nvcc --version
  cmake --version
  c++ --version
  ldd --version | head -n 1
  python3 -c 'import torch; print("torch", torch.__version__)' || true
}

gpu_configure() {
  local common=(--preset cuda -DCMAKE_LIBRARY_ARCHITECTURE="$(uname -m)-linux-gnu" -DWEFT_BUILD_TESTS=ON
    -DWEFT_BUILD_BENCH=ON -DWEFT_BUILD_EXAMPLES=OFF)
  # Without its own libraries the program is left out: the rows and benches need libweft alone.
  run cmake "${common[@]}" ||
    { rm -rf $gpu_build && run cmake "${common[@]}" -DWEFT_ONEDNN=OFF -DWEFT_BUILD_PROGRAM=OFF; }
}

gpu_build() { run cmake --build $gpu_build -j "$(jobs_for_build)" --target weft_test_plugin weft_bench_cuda; }

gpu_kernels() { run python3 tools/ci/kernels.py $gpu_build; }

gpu_tests() {
  run $gpu_build/tests/weft_test_plugin --gtest_filter='*Cuda*:Plugin*' --gtest_output="json:$out/tests.json" |
    tee "$out/tests.txt" || return 1
  ran_on_device "$out/tests.txt"
}

ran_on_device() {
  ! grep 'no CUDA device' "$1" || { echo "nothing ran on a device"; return 1; }
}

sanitized() {   # sanitized TOOL FILTER
  local program
  program=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null) || {
    echo "compute-sanitizer is not installed"
    return 77
  }
  run "$program" --tool "$1" --error-exitcode 1 $gpu_build/tests/weft_test_plugin --gtest_filter="$2"
}
gpu_memcheck() { sanitized memcheck '*CudaRows.CudaMatchesCpu*:*CudaRows.Misaligned*'; }
gpu_racecheck() { sanitized racecheck '*CudaRows.CudaMatchesCpu/softmax*:*CudaRows.CudaMatchesCpu/layer_norm*:*CudaRows.CudaMatchesCpu/sum*:*CudaRows.CudaMatchesCpu/*step*'; }

gpu_bench() {
  run $gpu_build/bench/weft_bench_cuda --benchmark_out="$out/bench.json" --benchmark_out_format=json |
    tee "$out/bench.txt" || return 1
  ran_on_device "$out/bench.txt"
}

gpu_demo() {
  [ -x $gpu_build/weft ] || return 77
  run $gpu_build/weft devices
  run $gpu_build/weft doctor
}

gpu_limit() {   # seconds a step may take
  case $1 in
    build) echo 420 ;;
    tests | memcheck | bench) echo 150 ;;
    *) echo 90 ;;
  esac
}

run_gpu_step() {
  local step=$1 start=$SECONDS rc=0 result
  printf '\n==== %s\n' "$step"
  # A process group of its own, so that the limit also ends what the step started.
  timeout --kill-after=5 "$(gpu_limit "$step")" "$BASH" -c '
    set -uo pipefail
    source tools/common.sh
    source tools/gpu.sh
    out=$1
    use_packages
    "gpu_$2"' gpu "$out" "$step" || rc=$?
  case $rc in
    0) result=passed ;;
    77) result=skipped ;;
    124 | 137) result="out of time" ;;
    *) result="failed ($rc)" ;;
  esac
  gpu_results+=("$(printf '  {"step": "%s", "result": "%s", "seconds": %d}' "$step" "$result" $((SECONDS - start)))")
  gpu_table+=("$(printf '%5d s  %-10s %s' $((SECONDS - start)) "$step" "$result")")
  [ $rc = 0 ] || [ $rc = 77 ]
}

gpu_all() {   # gpu_all [STEP...]
  local step failed=0 steps=("${gpu_steps[@]}")
  [ $# = 0 ] || steps=("$@")
  gpu_results=()
  gpu_table=()
  for step in "${steps[@]}"; do run_gpu_step "$step" || failed=$((failed + 1)); done
  (IFS=$'\n'; printf '[\n%s\n]\n' "$(sed '$!s/$/,/' <<<"${gpu_results[*]}")") >"$out/summary.json"
  printf '\n==== summary\n'
  printf '%s\n' "${gpu_table[@]}"
  printf '%d of %d steps failed; results in %s\n' "$failed" "${#steps[@]}" "$out"
  [ $failed = 0 ]
}

gpu_verb() {
  command -v nvidia-smi >/dev/null || die "no NVIDIA driver on this machine (nvidia-smi not found)"
  out=${OUT:-$PWD/build/gpu}
  mkdir -p "$out"
  gpu_all "$@" 2>&1 | tee "$out/log.txt"
}
