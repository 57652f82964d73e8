# SPDX-License-Identifier: Apache-2.0
"""The distributions that loopback indexes serve to real pips, and the pages that lead to them (PEP 427, PEP 503)."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping

_WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py2-none-any\nTag: py3-none-any\n"

_BACKEND = """\
import base64, zipfile
import {requirement}

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "{module}-1.0-py2.py3-none-any.whl"
    information = "{module}-1.0.dist-info/"
    archive = zipfile.ZipFile(directory + "/" + name, "w")
    archive.writestr("{module}.py", "ANSWER = %d\\n" % {requirement}.ANSWER)
    archive.writestr(information + "METADATA", "Metadata-Version: 2.1\\nName: {project}\\nVersion: 1.0\\n")
    archive.writestr(
        information + "WHEEL",
        "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py2-none-any\\nTag: py3-none-any\\n",
    )
    archive.writestr(information + "RECORD", "")
    archive.close()
    return name

def build_sdist(directory, config_settings=None):
    raise NotImplementedError  # PEP 517 wants the hook; pip makes wheels only
"""

_SETUP = """\
import {requirement}
from setuptools import setup

with open("{module}.py", "w") as stream:
    stream.write("ANSWER = %d\\n" % {requirement}.ANSWER)
setup(name="{project}", version="1.0", py_modules=["{module}"])
"""


def make_wheel(project: str, version: str = "1.0", padding: int = 0) -> tuple[str, bytes]:
    """(file name, bytes) of a wheel with one module, and with ``padding`` bytes of data if that is not 0."""
    module = project.replace("-", "_")
    information = f"{module}-{version}.dist-info"
    contents = {
        f"{module}.py": b"ANSWER = 42\n",
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode(),
        f"{information}/WHEEL": _WHEEL.encode(),
    }
    if padding:
        contents[f"{module}.bin"] = bytes(padding)
    record = ""
    for name, data in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(data)}\n"
    contents[f"{information}/RECORD"] = (record + f"{information}/RECORD,,\n").encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in contents.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data)  # the same bytes at any time
    return f"{module}-{version}-py2.py3-none-any.whl", stream.getvalue()


@functools.cache
def big_wheel(project: str) -> tuple[str, bytes]:
    """A wheel of 200 MB."""
    return make_wheel(project, padding=200 * 1000 * 1000)


def make_sdist(project: str, requirement: str, by_setuptools: bool = False) -> tuple[str, bytes]:
    """(file name, bytes) of a source distribution whose isolated build imports ``requirement``.

    It brings its own build backend (PEP 517) or, for older pips, a setup.py for setuptools.
    """
    module = project.replace("-", "_")
    names = {"project": project, "module": module, "requirement": requirement.replace("-", "_")}
    backend = 'build-backend = "backend"\nbackend-path = ["."]\n'
    needs = ["setuptools", "wheel", requirement] if by_setuptools else [requirement]
    contents = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.0\n",
        "pyproject.toml": f"[build-system]\nrequires = {needs}\n" + ("" if by_setuptools else backend),
        "setup.py": _SETUP.format(**names) if by_setuptools else "",
        **({} if by_setuptools else {"backend.py": _BACKEND.format(**names)}),
    }
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in contents.items():
            entry = tarfile.TarInfo(f"{project}-1.0/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return f"{project}-1.0.tar.gz", stream.getvalue()


def pages(files: Mapping[str, bytes], origin: str = "") -> dict[str, bytes]:
    """Path -> body of a simple index with these files; its links lead to ``origin`` (default: the index itself)."""
    found = {}
    for name, data in files.items():
        project = name.split("-")[0].replace("_", "-") if name.endswith(".whl") else name.rsplit("-", 1)[0]
        link = f'<a href="{origin}/files/{name}#sha256={hashlib.sha256(data).hexdigest()}">{name}</a>'
        found[f"/simple/{project}/"] = f"<!DOCTYPE html><html><body>{link}</body></html>".encode()
        found[f"/files/{name}"] = data
    return found
