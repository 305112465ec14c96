# SPDX-License-Identifier: Apache-2.0
# Writes OUTPUT with the version and commit of SOURCE; leaves the file alone when nothing changed.
find_program(git git)
set(commit "")
if(git AND EXISTS ${SOURCE}/.git)
  execute_process(COMMAND ${git} -C ${SOURCE} describe --always --dirty --abbrev=12 --exclude=*
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(commit)
  set(commit "+${commit}")
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[
#include "weft/base/version.h"

namespace weft {
const char* version() noexcept { return WEFT_VERSION; }
const char* build_id() noexcept { return "@VERSION@@commit@"; }
}  // namespace weft
]])
