# SPDX-License-Identifier: Apache-2.0
# ./dev fuzz [TARGET] [--seconds N]: libFuzzer under ASan and UBSan, from the seeds in fuzz/corpus/<target>.
need program fuzz

target=
seconds=60
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=${2:?--seconds takes a number}; shift 2 ;;
    *) target=$1; shift ;;
  esac
done
configure fuzz
build fuzz --target "weft_fuzz${target:+_$target}"

for source in fuzz/${target:-*}.cpp; do
  name=$(basename "$source" .cpp)
  corpus=build/fuzz/corpus/$name   # what the fuzzer finds stays out of the repository
  mkdir -p "$corpus" "build/fuzz/crashes/$name"
  run "build/fuzz/fuzz/weft_fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/crashes/$name/" "$corpus" "fuzz/corpus/$name"
done
