"""Holds the crates to ARCHITECTURE.md's "Rooms": which crate may know which, what the core must not do, no circle of files inside a crate.

Run by ./test. Reads Cargo's metadata and the sources as text: `use` lines and paths that begin with crate, super or self. What only tests see is left out.
`python3 .ci/structure.py --try` breaks each rule in a made-up crate and fails unless the break is found.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

# Who may know whom, of our own crates. Build and test dependencies count too.
MAY = {
    "vultus-shaders": set(),
    "vultus": {"vultus-shaders"},
    "vultus-quiet": set(),
    "vultus-native": {"vultus", "vultus-quiet", "vultus-shaders"},
    "vultus-truth": {"vultus", "vultus-native"},
    "vultus-server": {"vultus", "vultus-native"},
    "vultus-demo": {"vultus", "vultus-native", "vultus-server", "vultus-truth"},
    "vultus-benches": {"vultus", "vultus-native", "vultus-shaders", "vultus-truth"},
    "vultus-shards": {"vultus", "vultus-native", "vultus-truth"},
    "vultus-fuzz": {"vultus", "vultus-native", "vultus-server", "vultus-demo"},
}
# What the core leaves to those above it, and how it would look.
CORE = "vultus"
MUST_NOT = {
    "reads a clock": r"Instant::now|SystemTime",
    "starts a thread": r"thread::(spawn|scope|Builder|sleep)",
    "opens files or sockets": r"std::(fs|net)\b|\bFile::open",
    "asks the system": r"std::(env|process)::",
    "waits": r"pollster|block_on|PollType::Wait|\.recv\(\)|Condvar",
    "prints": r"\be?println!|\bdbg!",
}
CORE_CRATES_NOT = {"cpal", "openh264", "opus", "tokio", "pollster", "symphonia", "tempfile", "ctrlc", "axum", "webrtc"}


def without_tests(text):
    """Comments, and what stands under #[cfg(test)] at the end of a file, removed."""
    text = re.sub(r"//.*", "", text)
    return re.split(r"#\[cfg\(test\)\]\s*(?:mod \w+ \{|use )", text)[0]


def expand(tree):
    """`a::{b, c::{d, self}}` to its paths."""
    tree = tree.strip()
    if "{" not in tree:
        return [re.split(r"\s+as\s+", tree)[0].strip()]
    head, rest = tree.split("{", 1)
    inner, depth, part, parts = rest[: rest.rindex("}")], 0, "", []
    for c in inner:
        depth += (c == "{") - (c == "}")
        if c == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += c
    parts.append(part)
    return [head.strip() + path for p in parts if p.strip() for path in expand(p)]


class Crate:
    """The modules of a crate, and which file takes names from which."""

    def __init__(self, root):
        self.src = Path(root)
        self.files, self.texts = {}, {}
        for file in sorted(self.src.rglob("*.rs")):
            parts = list(file.relative_to(self.src).with_suffix("").parts)
            if parts[-1] in ("mod", "lib", "main"):
                parts.pop()
            self.files[tuple(parts)] = file
            self.texts[tuple(parts)] = without_tests(file.read_text())
        for module in [m for m in self.files if m and self.only_for_tests(m)]:
            del self.files[module], self.texts[module]

    def only_for_tests(self, module):
        parent = self.files.get(module[:-1])
        declared = re.search(rf"#\[cfg\(test\)\]\s*(?:pub\S* )?mod {module[-1]};", parent.read_text()) if parent else None
        return bool(declared) or (len(module) > 1 and self.only_for_tests(module[:-1]))

    def resolve(self, module, path):
        """The module that a path leads to, and the name that is taken from it."""
        at, names = module, path.split("::")
        if names[0] == "crate":
            at, names = (), names[1:]
        while names and names[0] in ("super", "self"):
            at, names = (at[:-1] if names[0] == "super" else at), names[1:]
        while names and at + (names[0],) in self.files:
            at, names = at + (names[0],), names[1:]
        return self.follow(at, names[0] if names else None)

    def follow(self, at, name, depth=0):
        """Where a name really stands that a module only passes on."""
        if name is None or name == "*" or depth > 8:
            return at
        for tree in re.findall(r"(?:^|[;\s])pub(?:\([^)]*\))? use ([\w:{}*,\s]+);", self.texts.get(at, "")):
            for path in expand(tree):
                if path.split("::")[-1] == name:
                    first = path.split("::")[0]
                    local = path if first in ("crate", "super", "self") else "self::" + path
                    target = at if first in ("crate", "super", "self") or at + (first,) in self.files else None
                    if target is not None:
                        found = self.resolve(at, local)
                        return found if found != at else at
        return at

    def imports(self):
        arrows = {}
        for module, text in self.texts.items():
            paths = []
            for public, tree in re.findall(r"(?m)^\s*(pub(?:\([^)]*\))? )?use ([\w:{}*,\s]+);", text):
                # Passing a child's names on is not taking them.
                if not public:
                    paths += expand(tree)
            body = re.sub(r"(?m)^\s*(?:pub(?:\([^)]*\))? )?use [\w:{}*,\s]+;", "", text)
            paths += re.findall(r"\b((?:crate|super|self)(?:::\w+)+)", body)
            children = {m[-1] for m in self.files if m[:-1] == module and m}
            paths += [p for p in re.findall(r"\b(\w+(?:::\w+)+)", body) if p.split("::")[0] in children]
            for path in paths:
                first = path.split("::")[0]
                if first in children:
                    path = "self::" + path
                elif first not in ("crate", "super", "self"):
                    continue
                target = self.resolve(module, path)
                # A folder's front uses its own files and lends them what they share: that is no circle.
                if target[: len(module)] != module and target in self.files:
                    arrows.setdefault(module, set()).add(target)
        return arrows

    def circles(self):
        """Files that can be reached from themselves: Tarjan's strongly connected components."""
        arrows, index, low, stack, found = self.imports(), {}, {}, [], []

        def visit(v):
            index[v] = low[v] = len(index)
            stack.append(v)
            for w in arrows.get(v, ()):
                if w not in index:
                    visit(w)
                    low[v] = min(low[v], low[w])
                elif w in stack:
                    low[v] = min(low[v], index[w])
            if low[v] == index[v]:
                group = []
                while not group or group[-1] != v:
                    group.append(stack.pop())
                if len(group) > 1:
                    found.append(sorted(group))

        sys.setrecursionlimit(10_000)
        for module in self.files:
            if module not in index:
                visit(module)
        return [[(m, sorted(w for w in arrows.get(m, ()) if w in group)) for m in group] for group in found]


def name(module):
    return "::".join(("crate", *module))


def look(metadata):
    wrong = []
    for package in metadata["packages"]:
        crate, root = package["name"], Path(package["manifest_path"]).parent
        known = {d["name"] for d in package["dependencies"]}
        ours = known & {p["name"] for p in metadata["packages"]}
        if crate not in MAY:
            wrong.append(f"{crate} is not in .ci/structure.py: say there what it may know")
            continue
        for other in sorted(ours - MAY[crate]):
            wrong.append(f"{crate} must not know {other} (Cargo.toml)")
        tree = Crate(root / "src")
        for circle in tree.circles():
            wrong.append(f"{crate}: files import each other in a circle:")
            wrong += [f"    {name(m)} takes from {', '.join(map(name, to))}" for m, to in circle]
        if crate == CORE:
            for other in sorted(known & CORE_CRATES_NOT):
                wrong.append(f"{crate} must not depend on {other}")
            for module, text in tree.texts.items():
                for what, pattern in MUST_NOT.items():
                    if hit := re.search(pattern, text):
                        wrong.append(f"{crate}: {tree.files[module].relative_to(root)} {what}: {hit.group(0)}")
    return wrong


def attempt():
    """Each rule, broken."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)

        def crate(crate_name, files, dependencies=()):
            for file, text in files.items():
                path = root / crate_name / "src" / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return {"name": crate_name, "manifest_path": str(root / crate_name / "Cargo.toml"), "dependencies": [{"name": d} for d in dependencies]}

        def found(*crates):
            return "\n".join(look({"packages": list(crates)}))

        shaders = crate("vultus-shaders", {"lib.rs": "mod a; mod b;", "a.rs": "use super::b::B;", "b.rs": "#[cfg(test)]\nmod tests { use crate::a::A; }"})
        assert found(shaders) == "", found(shaders)
        native = crate("vultus-native", {"lib.rs": ""}, ["vultus"])
        core = crate("vultus", {"lib.rs": "mod x;", "x.rs": "fn f() { std::thread::sleep(x) }"}, ["vultus-native", "tokio"])
        text = found(core, native)
        for part in ("vultus must not know vultus-native", "must not depend on tokio", "x.rs starts a thread"):
            assert part in text, f"not found: {part}\n{text}"
        circle = {"lib.rs": "mod p;", "p/mod.rs": "mod a; mod b; pub use a::A; pub use b::B;", "p/a.rs": "use crate::p::B;", "p/b.rs": "use super::{A, C};"}
        text = found(crate("vultus-quiet", circle))
        assert "crate::p::a takes from crate::p::b" in text and "crate::p::b takes from crate::p::a" in text, text
        nested = {"lib.rs": "mod a; mod b;", "a.rs": "use crate::{b::{c, D}, x};", "b.rs": "fn f() { crate::a::g() }"}
        assert "circle" in found(crate("vultus-truth", nested)), "a path in the code is an import too"
        assert "is not in" in found(crate("vultus-new", {"lib.rs": ""}))


if __name__ == "__main__":
    if sys.argv[1:] == ["--try"]:
        attempt()
        sys.exit()
    read = subprocess.run(["cargo", "metadata", "--no-deps", "--format-version", "1"], capture_output=True, text=True, check=True)
    problems = look(json.loads(read.stdout))
    print("\n".join(problems), end="\n" if problems else "")
    sys.exit(bool(problems))
