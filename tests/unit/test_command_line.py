"""The command `whichloss`: help, examples, messages for mistakes, exit after an interrupt, and completion in bash."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest

from workflow_lib import __main__ as program
from workflow_lib.__main__ import main
from workflow_lib.base.errors import UserError
from workflow_lib.base.version import VERSION
from workflow_lib.commands import completion, generated, registry
from workflow_lib.commands.audit import bounded

LINES, COLUMNS = 24, 100
OLD_FORM = re.compile(r"-m workflow_lib\.(?!steps|commands\.generated)\w+")
MENTION = re.compile(r"(?:^|`|<code>)whichloss ([a-z][a-z-]*)", re.MULTILINE)


def documents(root):
    """Return the texts for users by name, without the list of changes, which mentions removed features."""
    paths = [root / "README.md", root / "CONTRIBUTING.md", root / "Makefile", root / ".ci/run", root / "config.yaml"]
    paths += [*root.glob("docs/*.md"), *root.glob("reports/templates/*.j2"), *root.glob("rules/*.smk"), *root.glob("envs/*.def")]
    paths += (root / "workflow_lib").rglob("*.py")
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def test_the_help_fits_on_one_screen_and_has_an_example_of_every_command(capsys):
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= COLUMNS
    for name in registry.names():
        assert sum(line.startswith(f"  whichloss {name} ") for line in lines) == 1, name


@pytest.mark.parametrize("name", registry.names())
def test_every_example_is_a_command_line_that_works(name, root, capsys):
    about = registry.about(name)
    command, subcommand, *arguments = shlex.split(about.example)
    assert (command, subcommand) == ("whichloss", name)
    registry.parser(name).parse_args(arguments)
    assert about.summary == registry.load(name).SUMMARY
    assert f"`{about.example}`" in (root / "README.md").read_text(encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: whichloss {name} ")


def test_every_command_that_a_text_names_is_there_and_no_old_form(root):
    texts = documents(root)
    assert len(texts) > 100
    mentioned = {(file, name) for file, text in texts.items() for name in MENTION.findall(text)}
    assert {name for _, name in mentioned} >= set(registry.names())
    assert [entry for entry in sorted(mentioned) if entry[1] not in registry.names()] == []
    assert [(file, found) for file, text in texts.items() for found in OLD_FORM.findall(text)] == []


def test_the_version_is_that_of_the_code(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"whichloss {VERSION}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["audti"], "There is no command 'audti'. Did you mean 'audit'?"),
        (["train"], "Did you mean 'trainings'?"),
        (["zzz"], "There is no command 'zzz'. There are: audit, bundle, check-loss,"),
        (["check_loss"], "Did you mean 'check-loss'?"),
        (["--verbose"], "There is no option '--verbose'"),
        ([], "usage: whichloss COMMAND"),
        (["crate", "no\x1b[31m/folder"], "no\\u001b[31m/folder holds no finished study"),
        (["compare", "/", "/"], "/ holds no finished study: manifest.json is missing"),
    ],
)
def test_a_mistake_is_told_without_a_traceback(capsys, arguments, said):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


def test_arguments_that_cannot_be_are_refused_by_the_command(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["check-loss", "dice", "--parameters", "[1]"])
    assert caught.value.code == 2
    assert 'must be a JSON object like {"gamma": 3}, not [1]' in capsys.readouterr().err


@pytest.mark.parametrize("command", ["preview", "trainings"])
def test_a_command_of_the_checkout_says_so_elsewhere(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([command]) == 2
    assert f"{tmp_path} holds no Snakefile with a config.yaml. `whichloss {command}`" in capsys.readouterr().err
    for name in ("Snakefile", "config.yaml"):
        (tmp_path / name).touch()
    (tmp_path / "workflow_lib").mkdir()
    assert main([command]) == 2
    said = capsys.readouterr().err
    assert f"the Snakefile here that in {tmp_path / 'workflow_lib'}" in said
    assert f"`python -m workflow_lib {command}` here" in said


@pytest.mark.parametrize(
    ("content", "said"), [(b"- a\n", "contains a list"), (b"\xff\xfe", "is in UTF-16"), (b"a: {", "not valid YAML")]
)
def test_a_study_file_that_is_none_is_named(root, tmp_path, monkeypatch, capsys, content, said):
    monkeypatch.chdir(root)
    (tmp_path / "study.yaml").write_bytes(content)
    assert main(["trainings", "--configfile", str(tmp_path / "study.yaml")]) == 2
    answer = capsys.readouterr().err
    assert "study.yaml" in answer
    assert said in answer


class Raises:
    """A command that raises an error."""

    __doc__ = SUMMARY = EXAMPLE = "x"

    def __init__(self, error):
        self.error = error

    def add_arguments(self, parser):
        pass

    def run(self, arguments):
        raise self.error


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, ""),
        (UserError("mend this"), 2, "\nmend this\n\n"),
        (PermissionError(13, "Permission denied", "a/file"), 2, "\na/file: Permission denied\n\n"),
    ],
)
def test_how_a_command_ends(monkeypatch, capsys, error, code, said):
    monkeypatch.setattr(registry, "load", lambda name: Raises(error))
    monkeypatch.setattr("sys.argv", ["whichloss", "pdf"])
    assert program.start() == code
    assert capsys.readouterr().err == said


def test_a_fault_of_the_program_is_not_hidden(monkeypatch):
    monkeypatch.setattr(registry, "load", lambda name: Raises(ValueError("a bug")))
    with pytest.raises(ValueError, match="a bug"):
        main(["pdf"])


def test_the_help_loads_no_command(root):
    code = (
        "import sys; from workflow_lib.__main__ import main; main(['--help']);"
        "print([n for n in sys.modules if n.partition('.')[0] in {'numpy', 'pydantic', 'yaml', 'pandas', 'tensorflow'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_help_of_the_generator_writes_nothing(monkeypatch):
    monkeypatch.setattr("sys.argv", ["generated", "--help"])
    monkeypatch.setattr(generated, "write_text", lambda *_: pytest.fail("it wrote"))
    with pytest.raises(SystemExit) as caught:
        generated.main()
    assert caught.value.code == 0


@pytest.mark.parametrize("arguments", [["--help"], ["completion", "bash"]])
def test_a_reader_that_has_gone_is_no_error(root, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "workflow_lib", *arguments]
    done = subprocess.run(command, cwd=root, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_ctrl_c_reaches_no_process_that_would_print_a_traceback_of_its_own(root):
    """A terminal sends it to all processes; this process ends the others."""
    code = (
        # A shell starts what runs in the background with the signal ignored, and tests may run there.
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from workflow_lib.commands.audit import bounded\n"
        "try:\n"
        "    for part in bounded.findings('tests.unit.audit_work', ['hang']):\n"
        "        print(part, flush=True)\n"
        "except KeyboardInterrupt:\n"
        "    pass\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.stdout.readline()
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
    with bounded._interrupts_blocked():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set())
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, set())


@pytest.fixture(scope="module")
def completed(tmp_path_factory):
    """Complete words like bash, in a folder with two files."""
    folder = tmp_path_factory.mktemp("completion")
    (folder / "a report.html").touch()
    (folder / "results").mkdir()
    script = "\n".join(completion.SHELLS["bash"]())

    def complete(*words):
        ask = f'COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; _whichloss; printf "%s\\n" "${{COMPREPLY[@]}}"'
        done = subprocess.run(
            ["bash", "--norc", "-c", f"{script}\n{ask}"], cwd=folder, capture_output=True, text=True, check=True, timeout=30
        )
        assert done.stderr == ""
        return set(done.stdout.splitlines()) - {""}

    return complete


def test_bash_completes_commands_options_choices_and_files(completed):
    assert completed("whichloss", "") == {*registry.names(), "--help", "--version"}
    assert completed("whichloss", "c") == {"check-loss", "compare", "completion", "crate"}
    assert completed("whichloss", "audit", "--re") == {"--rescore", "--retrain"}
    assert completed("whichloss", "audit", "res") == {"results"}
    assert completed("whichloss", "audit", "--digest", "") == set()
    assert completed("whichloss", "completion", "") >= {"bash", "fish", "zsh"}
    assert completed("whichloss", "pdf", "") >= {"a report.html", "results", "--browser"}
    assert completed("whichloss", "pdf", "x.html", "--pdf", "") == {"a report.html", "results"}
    assert completed("whichloss", "pdf", "x.html", "--pdf", "=", "a") == {"a report.html"}
    assert completed("whichloss", "pdf", "x.html", "--pdf", "=") == {"a report.html", "results"}
    assert completed("whichloss", "audit", "--digest", "=", "r") == set()
    assert completed("whichloss", "nothing", "") == set()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_scripts_have_every_command_option_and_choice(shell):
    """They were run manually in both shells, which are not installed on the machines of the tests."""
    lines = list(completion.SHELLS[shell]())
    for name in registry.names():
        flags = [flag for argument in completion.arguments_of(name) for flag in argument.flags if flag.startswith("--")]
        if shell == "fish":
            own = [line for line in lines if f"'__fish_seen_subcommand_from {name}'" in line]
            assert [flag for flag in flags if not any(f" -l {flag[2:]} " in line for line in own)] == []
        else:
            begin = lines.index(f"    {name}) _arguments \\")
            own = lines[begin : lines.index("        ;;", begin)]
            assert [flag for flag in flags if not any(f"'*{flag}[" in line for line in own)] == []
    assert any("bash fish zsh" in line for line in lines)
