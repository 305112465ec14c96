#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""instructions.py PROGRAM: instructions of one small op through libweft.so, counted by callgrind; fails beyond the
budget. Counts do not depend on the machine's load, so this is a gate where a time could not be."""
import re
import subprocess
import sys
import tempfile

BUDGET = {"add": 600, "add_with_gradient": 1000}
FEW, MANY = 1000, 3000


def instructions(program, case, count):
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", program, case, str(count)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    match = re.search(r"Collected : (\d+)", result.stderr)
    if result.returncode or not match:
        sys.exit(f"{' '.join(command)}\n{result.stderr}")
    return int(match.group(1))


def main():
    over = 0
    for case, budget in BUDGET.items():
        each = (instructions(sys.argv[1], case, MANY) - instructions(sys.argv[1], case, FEW)) / (MANY - FEW)
        over += each > budget
        print(f"{case}: {each:.0f} instructions, budget {budget}{'  TOO MANY' if each > budget else ''}")
    return 1 if over else 0


sys.exit(main())
