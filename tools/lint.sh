# SPDX-License-Identifier: Apache-2.0
# ./dev lint [--all]: format, file length, clang-tidy. Without --all clang-tidy reads only what differs from main.
need program test lint

failed=0
run_quiet "clang-format-19 --dry-run -Werror <all sources>" format_sources --dry-run -Werror || failed=1

long=$(git ls-files -co --exclude-standard -- '*.h' '*.cpp' '*.cu' '*.cuh' '*.py' '*.sh' '*.cmake' dev .ci/run |
  xargs wc -l | awk '$2 != "total" && $1 >= 600 {print $2 ": " $1 " lines; split it"}')
if [ -n "$long" ]; then
  printf '%s\n' "$long" >&2
  failed=1
fi

configure release
if [ "${1:-}" = --all ]; then
  files=$(git ls-files -- 'src/*.cpp' 'cpu/*.cpp')
else
  base=$(git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main 2>/dev/null || echo HEAD)
  files=$(git diff --name-only --diff-filter=d "$base" -- 'src/*.cpp' 'cpu/*.cpp')
fi
if [ -n "$files" ]; then
  build release --target weft_build_id
  run_quiet "clang-tidy-19 -p build/release <$(wc -w <<<"$files") files>" \
    xargs -P "$(nproc)" -n 2 clang-tidy-19 -p build/release --quiet --warnings-as-errors='*' \
    --extra-arg=-Wno-deprecated-declarations --extra-arg=-Wno-unknown-pragmas <<<"$files" \
    2> >(grep -v 'warnings generated' >&2) || failed=1
fi
[ $failed = 0 ] || die "lint found something; ./dev format mends the layout"
echo "lint: clean"
