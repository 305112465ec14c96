#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""layering.py SOURCE: reads every #include of the library and fails on an edge that docs/architecture.md does not
draw, on a cycle of headers, on a third-party header where none may be, and on a header missing from weft/weft.h."""
import pathlib
import re
import sys

# What each layer may include besides itself; indirect edges follow.
DIRECT = {
    "base": [],
    "math": ["base"],
    "core": ["base"],
    "op": ["core"],
    "cpu": ["op", "math"],
    "cuda": ["op", "math"],
    "ops": ["op"],
    "autograd": ["op"],
    "amp": ["op"],
    "observe": ["op"],
    "nn": ["ops", "autograd", "amp"],
    "loss": ["nn"],
    "optim": ["nn"],
    "metric": ["nn"],
    "io": ["core"],
    "data": ["io"],
    "graph": ["op", "io"],
    "runtime": ["graph"],
    "train": ["loss", "optim", "metric", "observe", "data", "runtime"],
    "run": ["train"],
    "cli": ["run"],
}
UMBRELLA = pathlib.PurePosixPath("include/weft/weft.h")
NOT_IN_UMBRELLA = ("include/weft/run/", "include/weft/math/", "include/weft/op/attrs/")
PROGRAM_ONLY = ("fmt/", "spdlog/", "CLI/", "yaml-cpp/")
THIRD_PARTY = PROGRAM_ONLY + ("nlohmann/", "oneapi/", "xxhash", "zlib", "cuda", "cublas", "cudnn", "thrust/", "cub/")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.M)


def allowed(layer, seen=None):
    seen = set() if seen is None else seen
    for below in DIRECT[layer]:
        if below not in seen:
            seen.add(below)
            allowed(below, seen)
    return seen


def layer_of(path):
    parts = path.parts
    if parts[0] in ("cpu", "cuda"):
        return parts[0]
    if parts[0] == "src":
        return parts[1]
    return parts[2] if len(parts) > 3 else None


def target_of(name, files):
    """The file of ours that an #include names, or None for one of the system's."""
    for folder in ("include", "src", "."):
        candidate = pathlib.PurePosixPath(folder, name)
        if candidate in files:
            return candidate
    return None


def find_cycle(graph):
    state, path = {}, []

    def visit(node):
        state[node] = "open"
        path.append(node)
        for following in graph.get(node, ()):
            if state.get(following) == "open":
                return path[path.index(following):] + [following]
            if following not in state and (cycle := visit(following)):
                return cycle
        path.pop()
        state[node] = "done"
        return None

    for node in sorted(graph):
        if node not in state and (cycle := visit(node)):
            return cycle
    return None


def main():
    source = pathlib.Path(sys.argv[1])
    files = {
        pathlib.PurePosixPath(path.relative_to(source).as_posix()): path.read_text()
        for folder in ("include", "src", "cpu", "cuda")
        for path in sorted((source / folder).rglob("*"))
        if path.suffix in (".h", ".cuh", ".cpp", ".cu")
    }
    errors, graph, edges = [], {}, 0
    for path, text in files.items():
        layer = layer_of(path)
        if layer is None and path != UMBRELLA:
            errors.append(f"{path}: belongs to no layer")
            continue
        if layer is not None and layer not in DIRECT:
            errors.append(f"{path}: no layer is called {layer}")
            continue
        for bracket, name in INCLUDE.findall(text):
            target = target_of(name, files)
            if target is None:
                if str(path).startswith("include/") and name.startswith(THIRD_PARTY):
                    errors.append(f"{path}: public headers include no third-party header, found {name}")
                elif layer not in ("run", "cli") and name.startswith(PROGRAM_ONLY):
                    errors.append(f"{path}: {name} is for src/run and src/cli only")
                elif bracket == '"' and name != "weft/base/version.h":
                    errors.append(f"{path}: includes {name}, which is no file of ours; use <> for the system's")
                continue
            edges += 1
            graph.setdefault(path, []).append(target)
            if layer is None:
                continue
            below = layer_of(target)
            if below != layer and below not in allowed(layer):
                errors.append(f"{path}: {layer} may not include {below} ({name}); it may include "
                              f"{', '.join(sorted(allowed(layer))) or 'nothing of ours'}")
    for path in files:
        if str(path).startswith("include/") and not str(path).startswith(NOT_IN_UMBRELLA):
            if path not in graph.get(UMBRELLA, []) and path != UMBRELLA:
                errors.append(f"{path}: missing from {UMBRELLA}")
    if cycle := find_cycle(graph):
        errors.append("cycle: " + " -> ".join(map(str, cycle)))
    print(f"{len(files)} files, {edges} includes of ours, {len(errors)} wrong")
    print("\n".join(errors))
    return 1 if errors or not files else 0


sys.exit(main())
