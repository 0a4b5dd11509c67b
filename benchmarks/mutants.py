"""Which small changes of the core its tests notice: mutants by cosmic-ray's operators, a fork for each.

For each module of `TESTS` a sample of mutants is drawn (all of them with ``--sample 0``), and its tests run
on each in a fork of a process that has imported what is heavy already: a second or two instead of ten. mutmut
would leave out what stands outside functions, and much of what decides a ranking are constants. Left out here
are annotations, what stands in a ``raise`` (its text) or in an f-string (SQL), and decorators that declare a
dataclass or a cache. `equivalent_mutants.tsv` lists those that change nothing anybody could see, with the
reason.

    python benchmarks/mutants.py [module ...] [--sample 40] [--seed 0] [--jobs 2]
"""

from __future__ import annotations

import argparse
import difflib
import importlib.machinery
import importlib.util
import os
import random
import resource
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, repeat
from pathlib import Path

import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names
from hypothesis import HealthCheck, Phase, settings

import romaine.cli  # noqa: F401 - the heavy imports, once for all forks

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "romaine"
# tests beside the module's own that reach it, own ones first
TESTS = {
    "arrays": (),
    "memory/query": (),
    "memory/lexical": (),
    "memory/index": (),
    "memory/scope_index": (),
    "memory/ranking": (),
    "memory/abstention": (),
    "memory/options": ("recall",),
    "memory/hits": ("recall",),
    "memory/recall": ("scope_view",),
    "memory/views": ("turns", "edits"),
    "memory/scope_view": ("recall", "edits"),
    "memory/turn_order": ("turns", "recall"),
    "memory/forks": ("edits",),
    "memory/sequence": ("turns", "edits"),
}
SECONDS = 40  # of CPU for one mutant; an endless loop is noticed, too


def mutations_of(code: str) -> list[tuple[Operator, int]]:
    """Returns every mutation of a source text that counts: an operator, and which of its places."""
    nodes = list(ast_nodes(get_ast(code)))
    found: list[tuple[Operator, int]] = []
    for name in operator_names():
        operator_class = get_operator(name)
        if not operator_class.arguments():
            operator = operator_class()
            places = (node for node in nodes for _ in operator.mutation_positions(node))
            found += [(operator, number) for number, node in enumerate(places) if counts(node)]
    return found


def counts(node: object) -> bool:
    """Whether a node is more than an annotation, a text or how a dataclass is declared."""
    if is_left_out(node) or (node.type == "operator" and node.parent.type in ("parameters", "param")):
        return False
    while (parent := node.parent) is not None:
        if parent.type in ("raise_stmt", "fstring_expr"):
            return False
        if parent.type == "annassign" and parent.children[1] is node:
            return False
        if parent.type in ("param", "funcdef") and parent.annotation is node:
            return False
        if parent.type == "tfpdef" or is_left_out(parent):
            return False
        node = parent
    return True


def is_left_out(node: object) -> bool:
    """Whether a node is a decorator that only declares or only saves time."""
    return node.type == "decorator" and any(name in node.get_code() for name in ("dataclass", "cache"))


def compiles(mutant: str) -> bool:
    try:
        compile(mutant, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def change(code: str, mutant: str) -> tuple[str, str]:
    """The lines that differ, before and after, without their indentation."""
    lines = list(difflib.ndiff(code.splitlines(), mutant.splitlines()))
    return tuple(" ".join(line[2:].strip() for line in lines if line[0] == sign) for sign in "-+")


def tests_of(module: str) -> list[str]:
    folder, _, name = module.rpartition("/")
    files = [ROOT / "tests" / folder / f"test_{test}.py" for test in (name, *TESTS[module])]
    return [str(file) for file in files if file.exists()]


def is_noticed(module: str, mutant: str) -> bool:
    """Runs the tests of a module on a mutant of it, in a fork; whether they fail or do not end."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] != 0
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    signal.alarm(10 * SECONDS)  # for one that waits for ever
    for file in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), file)
    for name in [name for name in sys.modules if name.split(".")[0] == "romaine"]:
        del sys.modules[name]

    class Loader(importlib.machinery.SourceFileLoader):
        def get_code(self, fullname: str) -> object:
            return compile(mutant, self.path, "exec")

        @classmethod
        def find_spec(cls, fullname: str, path: object, target: object = None) -> object:
            file = str(SOURCE / f"{module}.py")
            here = fullname == "romaine." + module.replace("/", ".")
            return importlib.util.spec_from_loader(fullname, cls(fullname, file)) if here else None

    sys.meta_path.insert(0, Loader)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    plugins = ["-p", "no:cacheprovider", "-p", "pytest_socket", "-p", "_hypothesis_pytestplugin"]
    arguments = ["-x", "--assert=plain", *plugins, "--hypothesis-profile=mutants"]
    try:
        code = int(pytest.main([*arguments, *tests_of(module)]))
    except BaseException:
        code = 1
    os._exit(code)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", default=list(TESTS), metavar="module")
    parser.add_argument("--sample", type=int, default=40, help="mutants of each module, 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    os.chdir(ROOT)
    settings.register_profile(
        "mutants",
        max_examples=30,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    known = (ROOT / "benchmarks" / "equivalent_mutants.tsv").read_text("utf-8").splitlines()
    equivalent = {tuple(line.split("\t")[:3]) for line in known}
    for module in options.modules:
        code = (SOURCE / f"{module}.py").read_text("utf-8")
        mutations = mutations_of(code)
        random.Random(options.seed).shuffle(mutations)
        mutated = (mutate_code(code, operator, number) for operator, number in mutations)
        mutants = list(islice(filter(compiles, mutated), options.sample or None))
        if is_noticed(module, code):
            raise SystemExit(f"the tests of {module} fail as it stands: {tests_of(module)}")
        with ThreadPoolExecutor(options.jobs) as pool:
            noticed = list(pool.map(is_noticed, repeat(module), mutants))
        same = 0
        for mutant, killed in zip(mutants, noticed, strict=True):
            before, after = change(code, mutant)
            if not killed and (module, before, after) in equivalent:
                same += 1
            elif not killed:
                print(f"survived\t{module}\t{before}\t{after}")
        print(f"{module}: {sum(noticed)} of {len(mutants)} killed, {same} equivalent", flush=True)


if __name__ == "__main__":
    main()
