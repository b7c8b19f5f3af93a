"""What pyproject.toml cannot say: the templates and the published numbers of reports/ are part of the package in a wheel.

Setuptools builds in a folder of its own, so that no file of an earlier build reaches a wheel and nothing is left in the checkout.
"""

import tempfile

from setuptools import find_packages, setup

with tempfile.TemporaryDirectory(prefix="whichloss-build-") as scratch:
    setup(
        packages=[*find_packages(include=["workflow_lib", "workflow_lib.*"]), "workflow_lib._reports"],
        package_dir={"workflow_lib._reports": "reports"},
        package_data={"workflow_lib": ["py.typed"], "workflow_lib._reports": ["templates/*", "published/*/*"]},
        include_package_data=False,
        options={"build": {"build_base": scratch}, "egg_info": {"egg_base": scratch}},
    )
