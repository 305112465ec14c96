#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiler launcher for nvcc: keeps what ptxas -v says about each kernel in <object>.ptxas, where the spill check
# reads it, and lets everything else through.
out=
prev=
for arg; do
  [ "$prev" = "-o" ] && out=$arg
  prev=$arg
done
log=${out:-/tmp/nvcc.$$}.ptxas
"$@" 2>"$log"
rc=$?
grep -vE '^ptxas info|bytes stack frame|^$' "$log" >&2
case $out in *.o) ;; *) rm -f "$log" ;; esac
exit $rc
