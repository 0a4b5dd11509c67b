"""Which small changes of the core its tests notice: mutants by cosmic-ray's operators, a fork for each.

For each module of `TESTS` a sample of mutants is drawn (all with ``--sample 0``), and its tests run on each
in a fork of a process that has imported what is heavy already: a second or two instead of ten. mutmut would
leave out what stands outside functions, and much of what decides a ranking are constants. Left out here are
annotations, what stands in a ``raise`` (its text) or an f-string (SQL), and decorators that declare a
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
from cosmic_ray.plugins import get_operator, operator_names
from hypothesis import HealthCheck, Phase, settings

import romaine.cli  # noqa: F401 - the heavy imports, once for all forks

ROOT = Path(__file__).parent.parent
# modules, and tests of others that reach them; their own come first
TESTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("arrays", "memory/query", "memory/lexical", "memory/index", "memory/scope_index"), ()),
    **dict.fromkeys(("memory/ranking", "memory/abstention"), ()),
    **dict.fromkeys(("memory/options", "memory/hits"), ("recall",)),
    "memory/recall": ("scope_view", "reembedding"),
    "memory/search": ("recall", "hits"),
    "memory/views": ("turns", "edits"),
    "memory/scope_view": ("recall", "edits"),
    "memory/turn_order": ("turns", "recall"),
    "memory/forks": ("edits",),
    "memory/sequence": ("turns", "edits"),
}
SECONDS = 40  # of CPU for one mutant; an endless loop is noticed, too
PLUGINS = ("-p", "no:cacheprovider", "-p", "pytest_socket", "-p", "_hypothesis_pytestplugin")


def mutations_of(code: str) -> list[tuple[object, int]]:
    """Returns every mutation of a source text that counts: an operator, and which of its places."""
    nodes = list(ast_nodes(get_ast(code)))
    classes = [get_operator(name) for name in operator_names()]
    operators = [operator() for operator in classes if not operator.arguments()]
    return [
        (operator, number)
        for operator in operators
        for number, node in enumerate(node for node in nodes for _ in operator.mutation_positions(node))
        if counts(node)
    ]


def counts(node: object) -> bool:
    """Whether a node is more than an annotation, a text or a declaration."""
    if node.type == "operator" and node.parent.type in ("parameters", "param"):
        return False
    while node.parent is not None:
        kind, parent = node.parent.type, node.parent
        if node.type == "decorator" and any(name in node.get_code() for name in ("dataclass", "cache")):
            return False
        if kind in ("raise_stmt", "fstring_expr", "tfpdef"):
            return False
        if kind in ("param", "funcdef", "annassign") and node is getattr(
            parent, "annotation", parent.children[1]
        ):
            return False
        node = parent
    return True


def is_python(code: str) -> bool:
    try:
        compile(code, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def tests_of(module: str) -> list[str]:
    folder, _, name = module.rpartition("/")
    tests = (ROOT / "tests" / folder / f"test_{test}.py" for test in (name, *TESTS[module]))
    return [str(test) for test in tests if test.exists()]


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
            if fullname != "romaine." + module.replace("/", "."):
                return None
            file = str(ROOT / "src" / "romaine" / f"{module}.py")
            return importlib.util.spec_from_loader(fullname, cls(fullname, file))

    sys.meta_path.insert(0, Loader)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        arguments = ["-x", "--assert=plain", *PLUGINS, "--hypothesis-profile=mutants"]
        os._exit(int(pytest.main([*arguments, *tests_of(module)])))
    finally:
        os._exit(1)


def examine(module: str, sample: int | None, seed: int, jobs: int, equivalent: set[tuple[str, ...]]) -> None:
    """Prints the mutants of a module that nothing noticed, and how many something did."""
    code = (ROOT / "src" / "romaine" / f"{module}.py").read_text("utf-8")
    if is_noticed(module, code):
        raise SystemExit(f"the tests of {module} fail as it stands: {tests_of(module)}")
    mutations = mutations_of(code)
    random.Random(seed).shuffle(mutations)
    mutants = list(
        islice(filter(is_python, (mutate_code(code, *mutation) for mutation in mutations)), sample)
    )
    with ThreadPoolExecutor(jobs) as pool:
        noticed = list(pool.map(is_noticed, repeat(module), mutants))
    survivors = [mutant for mutant, was in zip(mutants, noticed, strict=True) if not was]
    same = 0
    for mutant in survivors:
        lines = list(difflib.ndiff(code.splitlines(), mutant.splitlines()))
        change = [" ".join(line[2:].strip() for line in lines if line[0] == sign) for sign in "-+"]
        if (module, *change) in equivalent:
            same += 1
        else:
            print("survived", module, *change, sep="\t")
    killed, all_ = len(mutants) - len(survivors), len(mutants)
    share = killed / max(all_ - same, 1)
    print(f"{module}: {killed} of {all_} killed, {same} equivalent: {share:.0%}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", default=list(TESTS), metavar="module")
    parser.add_argument("--sample", type=int, default=40, help="mutants of each module, 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    os.chdir(ROOT)
    checks = list(HealthCheck)
    phases = [Phase.explicit, Phase.generate]  # a failure need not be made small
    settings.register_profile(
        "mutants",
        max_examples=30,
        deadline=None,
        derandomize=True,
        database=None,
        phases=phases,
        suppress_health_check=checks,
    )
    known = (ROOT / "benchmarks" / "equivalent_mutants.tsv").read_text("utf-8").splitlines()
    equivalent = {tuple(line.split("\t")[:3]) for line in known}
    for module in options.modules:
        examine(module, options.sample or None, options.seed, options.jobs, equivalent)


if __name__ == "__main__":
    main()
