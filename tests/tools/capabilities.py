#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""capabilities.py SOURCE BUILD CTEST: checks docs/capabilities.md. Every id of capability_ids.txt has one row; the
last cell is `open` or names tests that ctest knows, separated by commas (`Suite.*` means all of a suite)."""
import fnmatch
import pathlib
import re
import subprocess
import sys

ID = re.compile(r"\d+(\.\d+)+$")


def rows(table):
    for number, line in enumerate(table.read_text().splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and ID.match(cells[0]):
            yield number, cells


def known_tests(ctest, build):
    listing = subprocess.run([ctest, "--test-dir", build, "-N"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^ *Test +#\d+: (.+?) *$", listing, re.M)


def main():
    source, build, ctest = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    wanted = (source / "tests/tools/capability_ids.txt").read_text().split()
    tests = known_tests(ctest, build)
    errors, seen, still_open = [], set(), 0
    for number, cells in rows(source / "docs/capabilities.md"):
        where = f"docs/capabilities.md:{number}: {cells[0]}"
        if len(cells) != 4:
            errors.append(f"{where}: a row has 4 cells, this one {len(cells)}")
            continue
        if cells[0] in seen:
            errors.append(f"{where}: second row for this id")
        if cells[0] not in wanted:
            errors.append(f"{where}: no such id")
        seen.add(cells[0])
        if cells[3] == "open":
            still_open += 1
            continue
        for name in filter(None, (part.strip(" `") for part in cells[3].split(","))):
            if not fnmatch.filter(tests, name):
                errors.append(f"{where}: ctest knows no test {name}")
        if not cells[3]:
            errors.append(f"{where}: the last cell names tests, or says open")
    errors += [f"docs/capabilities.md: no row for {identifier}" for identifier in wanted if identifier not in seen]
    print(f"{len(wanted)} capabilities, {still_open} open, {len(tests)} tests known")
    print("\n".join(errors))
    return 1 if errors else 0


sys.exit(main())
