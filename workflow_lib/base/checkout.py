"""Find the files of the project that are not Python code, in the checkout or in the installed package.

In a checkout the folder `reports/` is next to the package. A wheel contains a copy of it inside the package (`_reports`, put
there by setup.py), and no other files of the repository.
"""

from pathlib import Path

from workflow_lib.base.errors import UserError

PACKAGE_FOLDER = Path(__file__).resolve().parents[1]


def checkout() -> Path | None:
    """Return the root of the repository that contains this package, or None if the package was installed from a wheel."""
    root = PACKAGE_FOLDER.parent
    return root if (root / "Snakefile").is_file() and (root / "reports").is_dir() else None


def reports() -> Path:
    """Return the folder with the report's templates (`templates/`) and the published numbers (`published/`)."""
    root = checkout()
    return PACKAGE_FOLDER / "_reports" if root is None else root / "reports"


def require_study_folder(command: str) -> None:
    """Raise UserError unless the working directory is a checkout whose Snakefile imports this package.

    Parameters
    ----------
    command : str
        Name of the command, for the message.
    """
    here = Path.cwd()
    if not Path("Snakefile").is_file() or not Path("config.yaml").is_file():
        raise UserError(
            f"{here} holds no Snakefile with a config.yaml. `whichloss {command}` reads a study as Snakemake does: start it "
            "where you start snakemake, in the root of a clone of the repository."
        )
    own = here / "workflow_lib"
    if own.is_dir() and not own.samefile(PACKAGE_FOLDER):
        raise UserError(
            f"This whichloss runs the code in {PACKAGE_FOLDER}, and the Snakefile here that in {own}: they could disagree. Start "
            f"`python -m workflow_lib {command}` here, or install this checkout (`make venv`)."
        )
