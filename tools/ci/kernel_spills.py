#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kernel_spills.py BUILD: fails when a kernel in BUILD spills registers, by the ptxas reports beside the objects."""
import pathlib
import re
import sys

ENTRY = re.compile(r"Compiling entry function '(\S+)' for '(\S+)'")
SPILL = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")


def main():
    reports = sorted(pathlib.Path(sys.argv[1]).rglob("*.ptxas"))
    kernels, spilling = 0, []
    for report in reports:
        entry = None
        for line in report.read_text().splitlines():
            if match := ENTRY.search(line):
                entry = match.groups()
                kernels += 1
            elif (match := SPILL.search(line)) and entry:
                if match.groups() != ("0", "0"):
                    spilling.append(f"{report.stem}: {entry[0]} ({entry[1]}): {match.group(0)}")
                entry = None
    print(f"{kernels} kernels in {len(reports)} objects, {len(spilling)} spill")
    print("\n".join(spilling))
    if not kernels:
        print("no ptxas report found; was the CUDA backend built?")
    return 1 if spilling or not kernels else 0


sys.exit(main())
