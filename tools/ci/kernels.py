#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kernels.py BUILD: checks the compiled CUDA kernels of BUILD without a GPU.

By the ptxas reports beside the objects: no kernel spills, none uses more registers than its budget. By the PTX of
cuda/pointwise.cu: every kernel called packed loads and stores 16 bytes at a time.
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ENTRY = re.compile(r"Compiling entry function '(\S+)' for '(\S+)'")
SPILL = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")
REGISTERS = re.compile(r"Used (\d+) registers")
# 64 let a block of 1024 threads, or four of 256, stay on a multiprocessor.
BUDGET = 64
LOAD = re.compile(r"\bld\.global\S*\.(v4\.\w32|v2\.\w64)\b")
STORE = re.compile(r"\bst\.global\S*\.(v4\.\w32|v2\.\w64)\b")


def check_reports(build):
    reports = sorted(build.rglob("*.ptxas"))
    kernels, most, problems = 0, 0, []
    for report in reports:
        entry = None
        for line in report.read_text().splitlines():
            if match := ENTRY.search(line):
                entry = f"{report.stem}: {match[1]} ({match[2]})"
                kernels += 1
            elif (match := SPILL.search(line)) and entry and match.groups() != ("0", "0"):
                problems.append(f"{entry}: {match[0]}")
            elif (match := REGISTERS.search(line)) and entry:
                most = max(most, int(match[1]))
                if int(match[1]) > BUDGET:
                    problems.append(f"{entry}: {match[1]} registers, more than {BUDGET}")
                entry = None
    print(f"{kernels} kernels in {len(reports)} objects, at most {most} registers")
    if not kernels:
        problems.append("no ptxas report found; was the CUDA backend built?")
    return problems


def ptx_of(build, source):
    """The PTX of a source, compiled as the build compiles it but for no real architecture."""
    commands = json.loads((build / "compile_commands.json").read_text())
    command = next(c for c in commands if c["file"].endswith("/" + source))
    words = shlex.split(command["command"])
    words = words[next(i for i, word in enumerate(words) if word.endswith("nvcc")):]
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("-o", "-MF", "-MT"):
            skip = True
        elif word not in ("-c", "-MD", "-dc", "-Xptxas=-v") and not word.startswith(("--generate-code", "-arch")):
            kept.append(word)
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "kernels.ptx"
        subprocess.run(kept + ["-arch=compute_90", "-ptx", "-o", str(out)], check=True, cwd=command["directory"])
        return out.read_text()


def check_vectors(build, source, name):
    problems, found = [], 0
    for body in re.split(r"^(?:\.\w+ )*\.entry ", ptx_of(build, source), flags=re.M)[1:]:
        kernel = body[:body.index("(")]
        if name not in kernel:
            continue
        found += 1
        for what, pattern in (("load", LOAD), ("store", STORE)):
            if not pattern.search(body):
                problems.append(f"{source}: {kernel}: no {what} of 16 bytes")
    print(f"{found} kernels called {name} in {source}")
    return problems if found else [f"{source} has no kernel called {name}"]


def main():
    build = pathlib.Path(sys.argv[1])
    problems = check_reports(build) + check_vectors(build, "cuda/pointwise.cu", "packed_kernel")
    print("\n".join(problems))
    return 1 if problems else 0


sys.exit(main())
