# SPDX-License-Identifier: Apache-2.0
# ./dev docs [--check]: writes the pages that are made from the code; with --check only tells whether they are current.
need program test

made=$PWD/build/release/docs
rm -rf "$made"
mkdir -p "$made"
configure release
build release
WEFT_ERROR_GALLERY=$made/errors.txt run ctest --preset release -j "$(nproc)" --output-log "$made/ctest.log" --quiet ||
  die "the tests that give docs/errors.md fail; see $made/ctest.log"
run build/release/weft config schema --markdown >"$made/config.md"
run python3 tools/errors_page.py "$made/errors.txt" >"$made/errors.md"

for page in "$made"/*.md; do
  if [ "${1:-}" = --check ]; then
    run diff -u "docs/$(basename "$page")" "$page" || die "$page differs from docs/; ./dev docs writes it"
  else
    run cp "$page" docs/
  fi
done
