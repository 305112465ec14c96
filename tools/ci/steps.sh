# SPDX-License-Identifier: Apache-2.0
# Steps of .ci/run: each runs to its end, is timed and counted; a failed one does not stop the others.

passed=0
failed=0
step_times=()

has_files() { compgen -G "$1" >/dev/null; }

step() {   # step TITLE KIND COMMAND...
  local title=$1 kind=$2 start=$SECONDS
  printf '\n==== %s\n' "$title"
  "$kind" "$title" "${@:3}"
  step_times+=("$(printf '%5d s  %s' $((SECONDS - start)) "$title")")
}

# A step of many tests: counts what ctest reports; a build that fails counts as one failed test.
tests() {
  local log rc=0 bad total
  log=$(mktemp)
  "${@:2}" 2>&1 | tee "$log" || rc=$?
  bad=$(sed -nE 's/^[0-9]+% tests passed, ([0-9]+) tests? failed out of ([0-9]+).*/\1/p' "$log" | tail -n 1)
  total=$(sed -nE 's/^[0-9]+% tests passed, ([0-9]+) tests? failed out of ([0-9]+).*/\2/p' "$log" | tail -n 1)
  rm -f "$log"
  if [ -z "$total" ]; then
    bad=1
    total=1
  elif [ $rc != 0 ] && [ "$bad" = 0 ]; then
    bad=1
    total=$((total + 1))
  fi
  failed=$((failed + bad))
  passed=$((passed + total - bad))
}

# A step that is one test.
check() {
  if "${@:2}"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED: %s\n' "$1"
  fi
}

nvcc_found() { command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ]; }

compile_cuda() {
  run cmake --preset cuda -DWEFT_BUILD_TESTS=OFF -DWEFT_BUILD_BENCH=OFF -DWEFT_BUILD_EXAMPLES=OFF &&
    run cmake --build build/cuda -j "$(jobs_for_build)" --target weft_cuda &&
    run python3 tools/ci/kernels.py build/cuda
}

summary() {
  printf '\n==== times\n'
  printf '%s\n' "${step_times[@]}"
  printf '%5d s  all\n\n' "$SECONDS"
  printf '%d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" = 0 ]
}
