#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""errors_page.py GALLERY: docs/errors.md on stdout, from the lines `area/case | message` that the tests wrote to the
file WEFT_ERROR_GALLERY. Every message shown is one that a test has seen."""
import pathlib
import re
import sys

HEAD = """# Errors

The message for each kind of bad input, as the tests see them (`./dev docs` writes this page). A message says what was
given, what is needed, where, and what to do."""


# The order of the page: from what a user types to what a program calls.
AREAS = {
    "config": "Config files, flags and environment",
    "csv": "CSV files",
    "data": "Datasets, splits and loaders",
    "model_file": "Model files",
    "io": "Files",
    "runs": "Runs",
    "op": "Ops, kernels and dispatch",
    "autograd": "Gradients",
}


def code(message):
    fence = "``" if "`" in message else "`"
    pad = " " if fence == "``" else ""
    return f"{fence}{pad}{message}{pad}{fence}".replace("|", "\\|")


def words(case):
    """no-number, bits_overflow and RejectsNaN as words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", re.sub(r"[-_]", " ", case)).lower()


def main():
    cases = {}
    for line in sorted(set(pathlib.Path(sys.argv[1]).read_text().splitlines())):
        name, message = line.split(" | ", 1)
        area, case = name.split("/", 1)
        if "/tmp/" not in message:   # a path of one run
            cases.setdefault(area, {}).setdefault(case, message)
    print(HEAD)
    order = list(AREAS)
    for area in sorted(cases, key=lambda name: (order.index(name) if name in order else len(order), name.lower())):
        print(f"\n## {AREAS.get(area, area)}\n\n| case | message |\n|---|---|")
        for case, message in sorted(cases[area].items()):
            print(f"| {words(case)} | {'<br>'.join(map(code, message.split(chr(92) + 'n')))} |")


main()
