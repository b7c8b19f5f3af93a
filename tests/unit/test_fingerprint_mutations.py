"""Every module of the package, changed in many ways: words make nothing stale, code exactly the steps that reach it.

The mutations are made from each module's own syntax tree, so that a new module is tested as soon as it is there. Which steps
reach a module is computed a second time here, from Python's bytecode.
"""

import ast
import functools
import modulefinder
from collections.abc import Callable, Collection, Iterator

import pytest

from workflow_lib.base.files import sha256_text
from workflow_lib.losses import registry
from workflow_lib.provenance import fingerprints, layout
from workflow_lib.provenance.known import MEMBERS as KINDS
from workflow_lib.provenance.known import OUR_ERRORS, TEXTS
from workflow_lib.provenance.source import effective_source, effective_tree

PACKAGE = fingerprints.PACKAGE_FOLDER

PATHS = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
SOURCES = {name: path.read_text(encoding="utf-8") for name, path in PATHS.items()}

WITHOUT_MEANING = OUR_ERRORS | {"ValueError", "TypeError", "ModuleNotFoundError", "EOFError"}
"""Exceptions whose texts are for people."""

FAULTS = {"faults", "name_fault", "_fault", "_grid_faults", "_label_faults", "_factory_faults", "option_faults", "digest_fault"}
"""Functions that return sentences for people."""

PRINTING = {"say", "print", "note", "warn"}

SOME = [name for name in SOURCES if name.startswith("workflow_lib.statistics.") or name == "workflow_lib.study.sections.training"]
"""Enough modules to show that a test can fail."""

Text = Callable[[ast.Module, str], str]

Change = tuple[ast.AST, str, object]
"""A node, the name of a field, and its other value."""


@functools.cache
def tree_of(name: str) -> ast.Module:
    """Return the tree of a module; who changes it puts it right again."""
    return ast.parse(SOURCES[name])


@functools.cache
def unchanged(name: str, text: Text) -> str:
    """Return the text of a module as it is."""
    return text(tree_of(name), SOURCES[name])


# Changes that are none.


def texts_for_people(node: ast.expr) -> Iterator[ast.Constant]:
    """Yield the words of a message: not those handed on to a function, which may mean something there."""
    match node:
        case ast.Constant(value=str()):
            yield node
        case ast.JoinedStr(values=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
            for part in parts:
                yield from texts_for_people(part)
        case ast.FormattedValue(value=part) | ast.ListComp(elt=part) | ast.GeneratorExp(elt=part):
            yield from texts_for_people(part)
        case ast.IfExp(body=one, orelse=other) | ast.BinOp(left=one, op=ast.Add(), right=other):
            yield from texts_for_people(one)
            yield from texts_for_people(other)


def called(node: ast.AST | None) -> str:
    """Return the last name of the function that is called."""
    function = node.func if isinstance(node, ast.Call) else None
    return function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""


def messages(tree: ast.Module) -> list[ast.Constant]:
    """Return all words in the arguments of errors that are raised, and of calls that print."""
    raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and called(node.exc) in WITHOUT_MEANING]
    printed = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and called(node.value) in PRINTING]
    calls = [call for call in (*raised, *printed) if isinstance(call, ast.Call)]
    faults = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in FAULTS]
    returned = [node.value for fault in faults for node in ast.walk(fault) if isinstance(node, ast.Return) and node.value]
    arguments = [argument for call in calls for argument in call.args]
    return [text for part in (*arguments, *returned) for text in texts_for_people(part) if text.value]


def reword(tree: ast.Module) -> int:
    """Change every message of a module; return how many words were changed."""
    found = messages(tree)
    for number, text in enumerate(found):
        text.value = f"Said otherwise, {number}."
    return len(found)


def redocument(tree: ast.Module) -> int:
    """Change every docstring of a module, and give one to each function that has none."""
    changed = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = f"Documented otherwise, {changed}."
            changed += 1
        elif isinstance(node, ast.FunctionDef):
            node.body.insert(0, ast.Expr(ast.Constant("More.")))
            changed += 1
    return changed


def annotations(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Yield the places of annotations that nothing reads: not those of classes, where pydantic and dataclasses find fields."""
    in_classes = {id(statement) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for statement in node.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield node, "returns"
            yield from ((own, "annotation") for own in ast.iter_child_nodes(node.args) if isinstance(own, ast.arg))
        elif isinstance(node, ast.AnnAssign) and id(node) not in in_classes:
            yield node, "annotation"


def annotate(tree: ast.Module) -> int:
    """Change every annotation that nothing reads, and write some where there are none."""
    places = list(annotations(tree))
    for number, (node, field) in enumerate(places):
        setattr(node, field, ast.Name(f"Annotation{number}", ast.Load()))
    return len(places)


def describe(tree: ast.Module) -> int:
    """Change the descriptions of a module's settings."""
    changed = 0
    for node in ast.walk(tree):
        for keyword in node.keywords if isinstance(node, ast.Call) and called(node) == "Field" else []:
            if keyword.arg == "description" and isinstance(keyword.value, ast.Constant):
                keyword.value.value = f"Described otherwise, {changed}."
                changed += 1
    return changed


NOTHING = {reword: 500, redocument: 3000, annotate: 4000, describe: 60}
"""What changes nothing, and how much of it there is at least in the package."""


def seen_though_nothing_changed(
    mutate: Callable[[ast.Module], int], text: Text, modules: Collection[str] = tuple(SOURCES)
) -> tuple[list[str], int]:
    """Return the modules in which a change of words counts, and how many words were changed in all."""
    wrong, changes = [], 0
    for name in modules:
        tree = ast.parse(SOURCES[name])
        changes += mutate(tree)
        if text(tree, SOURCES[name]) != unchanged(name, text):
            wrong.append(name)
    return wrong, changes


@pytest.mark.parametrize("mutate", NOTHING, ids=lambda mutate: mutate.__name__)
def test_words_change_nothing(mutate):
    wrong, changes = seen_though_nothing_changed(mutate, effective_tree)
    # The modules that print, and the one that lists what reads annotations, are in no fingerprint. Pydantic reads those of
    # serializers.
    assert [name for name in wrong if name not in {*fingerprints.NEUTRAL, "workflow_lib.study.sections.ordered"}] == []
    assert changes >= NOTHING[mutate]


def test_comments_and_formatting_change_nothing():
    for name, source in SOURCES.items():
        written_otherwise = f"# New.\n\n{ast.unparse(tree_of(name))}\n# New.\n"
        assert written_otherwise != source
        assert effective_source(written_otherwise) == unchanged(name, effective_tree), name


# Changes that are some.


def without_words(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield all nodes that compute something: not those of messages, annotations, or what a member says of itself."""
    hidden = {id(getattr(node, field)) for node, field in annotations(tree)}
    names = {name.id for node in tree.body for name in getattr(node, "targets", []) if isinstance(name, ast.Name)}
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.Raise | ast.Assert) or called(node) in PRINTING | WITHOUT_MEANING:
            continue
        if isinstance(node, ast.Assign | ast.AnnAssign) and any(needed <= names for needed in KINDS):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id in TEXTS:
                continue
        waiting += [child for child in ast.iter_child_nodes(node) if id(child) not in hidden]


def numbers(tree: ast.Module) -> Iterator[Change]:
    """Yield changes of one number each."""
    for node in without_words(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
            yield node, "value", node.value + 1


def operators(tree: ast.Module) -> Iterator[Change]:
    """Yield changes of one operator each."""
    for node in without_words(tree):
        if isinstance(node, ast.BinOp):
            yield node, "op", ast.Mult() if isinstance(node.op, ast.Sub) else ast.Sub()
        elif isinstance(node, ast.BoolOp):
            yield node, "op", ast.And() if isinstance(node.op, ast.Or) else ast.Or()


def comparisons(tree: ast.Module) -> Iterator[Change]:
    """Yield changes of one comparison each."""
    for node in without_words(tree):
        if isinstance(node, ast.Compare):
            yield node, "ops", [ast.NotEq() if isinstance(node.ops[0], ast.Lt) else ast.Lt(), *node.ops[1:]]


def defaults(tree: ast.Module) -> Iterator[Change]:
    """Yield changes of the default of one field or argument each."""
    another = ast.Constant("another")
    for node in without_words(tree):
        if isinstance(node, ast.arguments) and node.defaults:
            yield node, "defaults", [*node.defaults[:-1], another]
        for field in node.body if isinstance(node, ast.ClassDef) else []:
            match field:
                case ast.AnnAssign(value=ast.Call(func=ast.Name(id="Field"), args=[_, *_]) as call):
                    yield call, "args", [another]
                case ast.AnnAssign(value=ast.Constant()):
                    yield field, "value", another


def statements(tree: ast.Module) -> Iterator[Change]:
    """Yield one statement more, for modules that compute nothing."""
    yield tree, "body", [*tree.body, ast.Assign([ast.Name("_EDITED", ast.Store())], ast.Constant(1))]


SOMETHING = {numbers: 150, operators: 150, comparisons: 150, defaults: 80}
"""What changes something, and in how many modules at least there is something of the kind."""


def changed(name: str, kind: Callable[[ast.Module], Iterator[Change]], text: Text, attempts: int = 2) -> list[str]:
    """Return what the text of a module is after some changes of a kind, each by itself."""
    changes = list(kind(tree_of(name)))
    found = []
    for node, field, value in changes[:: max(1, len(changes) // attempts)][:attempts]:
        before = getattr(node, field)
        setattr(node, field, value)
        found.append(text(tree_of(name), SOURCES[name]))
        setattr(node, field, before)
    return found


def unseen_though_something_changed(
    kind: Callable[[ast.Module], Iterator[Change]], text: Text, modules: Collection[str] = tuple(SOURCES)
) -> tuple[list[str], int]:
    """Return the modules in which a change of a kind does not count, and the number of modules that have something of it."""
    texts = {name: changed(name, kind, text) for name in modules}
    wrong = [name for name in modules if unchanged(name, text) in texts[name]]
    return wrong, sum(map(bool, texts.values()))


@pytest.mark.parametrize("kind", SOMETHING, ids=lambda kind: kind.__name__)
def test_what_a_module_computes_counts(kind):
    wrong, modules = unseen_though_something_changed(kind, effective_tree)
    assert wrong == []
    assert modules >= SOMETHING[kind]


def test_these_tests_can_fail():
    """Where everything counts words are seen; where nothing counts a change is not."""
    for mutate in NOTHING:
        assert seen_though_nothing_changed(mutate, lambda tree, source: ast.dump(tree), SOME)[0]
    for kind in SOMETHING:
        wrong, modules = unseen_though_something_changed(kind, lambda tree, source: "", SOME)
        assert wrong
        assert len(wrong) >= modules


# Which steps become stale.


class Imports(modulefinder.ModuleFinder):
    """Follows the imports in the bytecode of the package's modules, and keeps who imports what."""

    def __init__(self) -> None:
        super().__init__(path=[str(PACKAGE.parent)])
        self.asked: list[tuple[str, str, list[str]]] = []

    def import_hook(self, name, caller=None, fromlist=None, level=-1):
        """Note what a module asks for, then go on as ever."""
        if caller is not None:
            package = caller.__name__ if caller.__path__ else caller.__name__.rpartition(".")[0]
            above = package.split(".")[: len(package.split(".")) - max(level, 1) + 1]
            base = ".".join([*above, *([name] if name else [])]) if level > 0 else name
            self.asked.append((caller.__name__, base, list(fromlist or ())))
        return super().import_hook(name, caller, fromlist, level)


def parents(name: str) -> set[str]:
    """Return a module and the packages that it lies in, whose code an import runs too."""
    return {name[:place] for place, letter in enumerate(name) if letter == "."} | {name}


@functools.cache
def importers() -> dict[str, set[str]]:
    """Return what each module of the package imports directly."""
    finder = Imports()
    for name in PATHS:
        finder.import_hook(name)
    found: dict[str, set[str]] = {name: set() for name in PATHS}
    for caller, base, names in finder.asked:
        for asked in (base, *(f"{base}.{name}" for name in names)):
            if asked in PATHS:
                found[caller] |= parents(asked)
    return found


def reached(root: str) -> set[str]:
    """Return the modules that a module runs, without those that only steer a run or tell about it."""
    found: set[str] = set()
    waiting = parents(root)
    while waiting:
        name = waiting.pop()
        if name not in found and name not in fingerprints.NEUTRAL and name.split(".")[1:2] != ["host"]:
            found.add(name)
            waiting |= importers()[name]
    return found


STEPS = sorted(layout.STEPS)
MEMBERS = [
    *map(registry.module, registry.names()),
    *(name for name in PATHS if name.startswith("workflow_lib.datasets.formats.")),
]


def stale(name: str, text: str, before: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the steps whose code is another than before when a module's text is this one."""
    real = fingerprints._module

    def edited(module: str) -> tuple[frozenset[str], str]:
        imports, digest = real(module)
        return imports, sha256_text(text) if module == name else digest

    with monkeypatch.context() as patch:
        patch.setattr(fingerprints, "_module", edited)
        after = digests()
    return {step for step in before if after[step] != before[step]}


def digests() -> dict[str, str]:
    """Return the digest of every step's code."""
    fingerprints._table_of_modules.cache_clear()
    found = {step: fingerprints.code_digest([f"workflow_lib.steps.{step}"]) for step in STEPS}
    fingerprints._table_of_modules.cache_clear()
    return found


@pytest.mark.parametrize("root", [*(f"workflow_lib.steps.{step}" for step in STEPS), *MEMBERS])
def test_a_step_and_a_member_reach_what_their_bytecode_imports(root):
    assert fingerprints.import_closure([root]) == reached(root)


def test_a_change_makes_exactly_the_steps_stale_that_reach_it(monkeypatch):
    before = digests()
    expected = {step: reached(f"workflow_lib.steps.{step}") for step in STEPS}
    untouched = set()
    for name in SOURCES:
        kinds = (operators, comparisons, numbers, statements)
        text = next(texts[0] for kind in kinds if (texts := changed(name, kind, effective_tree, 1)))
        found = stale(name, text, before, monkeypatch)
        assert found == {step for step in STEPS if name in expected[step]}, name
        if not found:
            untouched.add(name)
    # What only steers a run, plans it, or is started by people, is in no step's fingerprint.
    rooms = ("host", "plan", "commands")
    outside = {name for name in SOURCES if name.split(".")[1:2] and name.split(".")[1] in rooms}
    assert outside | fingerprints.NEUTRAL | {"workflow_lib.networks.costs"} <= untouched
    assert len(untouched) < len(SOURCES) / 2


def test_words_make_no_step_stale(monkeypatch):
    """The measured faults: each of these made every training stale, or fourteen steps."""
    before = digests()
    for name, old, new in MEASURED:
        source = SOURCES[f"workflow_lib.{name}"]
        assert source.count(old) == 1
        assert stale(f"workflow_lib.{name}", effective_source(source.replace(old, new)), before, monkeypatch) == set()


MEASURED = [
    ("training.device", "no GPU was found; training on the CPU", "there is no GPU"),
    ("losses._files", "is no Python{f', line {line}'", "cannot be parsed{f', in line {line}'"),
    ("networks.costs", "BACKWARD_TENSORS = 13", "BACKWARD_TENSORS = 14"),
    ("images.cases", "its name is longer than", "its name has more than"),
    ("losses.registry", "must return the loss (loss_function(...))", "has to return the loss"),
    ("training.divergence", "The training has diverged:", "This training diverged:"),
    ("images.cases", "label values outside the declared set: {unknown}", "unknown label values: {unknown}"),
]


def test_a_member_reaches_no_other_member():
    losses = set(map(registry.module, registry.names()))
    for loss in losses:
        bases = {registry.module(base) for base in registry.with_components([loss.rpartition(".")[2]])}
        assert fingerprints.import_closure([loss]) & losses <= bases | {loss}


def test_an_import_that_is_overlooked_is_noticed(monkeypatch):
    real, hidden = fingerprints._module, "workflow_lib.training.schedule"
    monkeypatch.setattr(fingerprints, "_module", lambda name: (real(name)[0] - {hidden}, real(name)[1]))
    root = "workflow_lib.steps.train"
    assert reached(root) - fingerprints.import_closure([root]) == {hidden}
