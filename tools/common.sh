# SPDX-License-Identifier: Apache-2.0
# Shared by ./dev and .ci/run: packages, printing, compiler cache.

# The one list of Debian 12 packages. A group holds what its verb needs beyond nothing but apt.
declare -A packages=(
  [program]="g++ cmake ninja-build git ccache libdnnl-dev nlohmann-json3-dev libyaml-cpp-dev libfmt-dev
             libcli11-dev libxxhash-dev zlib1g-dev"
  [test]="libgtest-dev libgmock-dev libbenchmark-dev python3 valgrind"
  [lint]="clang-format-19 clang-tidy-19"
  [fuzz]="clang-19 libclang-rt-19-dev"
  [coverage]="gcovr"
  [bare]="debootstrap"
)

# Tests that start threads, by name; the thread sanitizer runs these.
threaded_tests='Pool|Thread|Parallel|Loader|Prefetch|Observer|Context|Session|Vertical|Cache|Concurrent'

# Clones at different paths share cached objects.
export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$PWD}
export CCACHE_NOHASHDIR=1
export CCACHE_SLOPPINESS=time_macros,include_file_mtime,include_file_ctime

run() {
  printf '+ %s\n' "$*" >&2
  "$@"
}

run_quiet() {   # run_quiet TEXT COMMAND...: prints TEXT in place of a command line too long to read
  printf '+ %s\n' "$1" >&2
  "${@:2}"
}

die() {
  printf 'dev: %s\n' "$*" >&2
  exit 1
}

# One compile job per core, fewer where memory is short (1.5 GiB a job).
jobs_for_build() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/MemAvailable/ {print int($2 / 1572864)}' /proc/meminfo)
  [ "$memory" -ge 1 ] || memory=1
  echo $((cores < memory ? cores : memory))
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null)" = "ii " ]; }

# need GROUP...: installs the packages of these groups that are missing.
need() {
  local group package missing=()
  for group in "$@"; do
    [ -n "${packages[$group]:-}" ] || die "no package group \`$group\`; there are: ${!packages[*]}"
    for package in ${packages[$group]}; do
      installed "$package" || missing+=("$package")
    done
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "this needs the following Debian packages, or their like: ${missing[*]}"
  local sudo=()
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "Missing packages; as root, run:" >&2
      echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
      exit 1
    fi
    sudo=(sudo)
  fi
  run "${sudo[@]}" apt-get update -q
  run "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
}

sources() { git ls-files -co --exclude-standard -- '*.h' '*.cpp' '*.cu' '*.cuh'; }
format_sources() { sources | xargs -r clang-format-19 "$@"; }
