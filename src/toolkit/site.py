# SPDX-License-Identifier: Apache-2.0
"""index.html of the repositories: one file that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from toolkit import releases, repository
from toolkit.published import newest_version
from toolkit.releases import Release
from toolkit.releases_packages import KEYRING, RELEASE

_STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: 14px }
th, td { border: 1px solid #bbb; padding: .3em .6em; text-align: left; vertical-align: top } td:first-child { white-space: nowrap }
.size { text-align: right; white-space: nowrap } h2 { margin-top: 2em } summary { cursor: pointer } details { margin: 1em 0 }
pre { background: #f3f3f3; padding: .8em; white-space: pre-wrap } pre, code { font-size: 90%; overflow-wrap: anywhere }
"""


#: What a person who looks for packages asks; `make matrix` has the rest.
_COLUMNS = ("release", "Python 2", "Python 3", "more stacks", "packages for", "support ends", "proven here")

#: The gpg from which --show-keys is known.
_SHOW_KEYS = (2, 2, 8)


def _escape(text: str) -> str:
    return html.escape(text, quote=True)


def _showing(release: Release, path: str) -> str:
    """The command that shows the fingerprint of the key in a file."""
    known = tuple(int(part) for part in release.tools["gpg"].split(".")) >= _SHOW_KEYS
    return f"gpg --show-keys {path}" if known else f"gpg --with-fingerprint --with-colons {path}"


def _commands(release: Release, url: str, version: str) -> str:
    """What an administrator types as root, from nothing to the installed hook of a release whose newest packages are these."""
    if release.family == "rpm":
        manager = "yum" if "yum" in release.tools else "dnf"
        where = f"{url}/{repository.YUM}/{release.codename}/$(uname -m)/{RELEASE}-{version}-1{release.suffix}.noarch.rpm"
        return (
            f"curl -fo {repository.YUM_KEY_PATH} {url}/{repository.YUM}/{repository.YUM_KEY}\n"
            f"{_showing(release, repository.YUM_KEY_PATH)}\n"
            # Without these two what comes by an address is installed unverified.
            f"rpm --import {repository.YUM_KEY_PATH}\n"
            f"{manager} --setopt=localpkg_gpgcheck=1 install {where}\n"
            f"{manager} install tls-bootstrap-pip"
        )
    path, text = repository.apt_source(f"{url}/{repository.APT}", release)
    key = repository.apt_key_path(release)
    return (
        f"curl -fo {key} {url}/{repository.APT}/{repository.APT_KEY}\n{_showing(release, key)}\n"
        f"cat > {path} <<'END'\n{text}END\napt-get update\napt-get install {KEYRING} tls-bootstrap-pip"
    )


def _more_hooks(release: Release) -> str:
    """Which packages switch the hook on for the Pythons that tls-bootstrap-pip leaves alone; empty where it serves all."""
    names = [f"<code>{stack.id}-tls-bootstrap-pip</code>" for stack in release.stacks if not stack.system]
    return f" The release's other Pythons have a hook of their own, to be installed by name: {', '.join(names)}." if names else ""


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _machine(path: Path) -> str:
    """For which machines a package is, as its manager names them; source for what packages are built from."""
    if path.suffix == ".dsc":
        return repository.SOURCE
    machine = path.stem.rpartition("_" if path.suffix == ".deb" else ".")[2]
    return repository.SOURCE if machine == "src" else machine


def _files(release: Release, top: Path) -> Sequence[Path]:
    """The packages: by machine, those for all machines next, the source packages last."""
    where = f"{repository.APT}/{repository.pool(release)}" if release.family == "deb" else f"{repository.YUM}/{release.codename}"
    found = {}
    for path in sorted((top / where).rglob("*")):
        if path.suffix in (".deb", ".rpm", ".dsc"):
            # A noarch RPM lies with those of each machine; one of them is enough here.
            found.setdefault(path.name, path)
    order = [*release.architectures, "all", "noarch", repository.SOURCE]
    return sorted(found.values(), key=lambda path: (order.index(_machine(path)), path.name))


def _package(path: Path, top: Path) -> str:
    link = f'<a href="{_escape(str(path.relative_to(top)))}">{_escape(path.name)}</a>'
    bill = f'<a href="sbom/{_escape(path.name)}.spdx.json">SPDX</a>'
    return f'<tr><td>{link}</td><td>{_escape(_machine(path))}</td><td class="size">{_size(path)}</td><td>{bill}</td></tr>'


def page(top: Path, served: Sequence[Release], version: str, url: str) -> str:
    """The page for repositories in ``top`` whose address is ``url``."""
    header, *lines = releases.columns(_COLUMNS)
    known = {release.title: release for release in served}
    parts = [
        "<!DOCTYPE html>", '<html lang="en"><head><meta charset="utf-8"><title>tls-bootstrap packages</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>tls-bootstrap {_escape(version)}: packages</h1>",
        "<p>Modern TLS for the pip of a frozen system Python. Packages and indexes are signed; plain http is enough, since the "
        "signatures protect them, once the key is known to be the right one: its fingerprint is <code>@FINGERPRINT@</code>. "
        "Ask for it by another way than this page, and compare it with what <code>gpg</code> shows of the file.</p>",
        '<p><a href="SHA256SUMS">SHA256SUMS</a> (<a href="SHA256SUMS.asc">signature</a>) names every file. '
        "SPDX stands for a package's bill of materials.</p>",
        f'<h2>Releases</h2><p>{_escape(releases.LEGEND)}</p><div class="wide"><table><tr>',
        *(f"<th>{_escape(cell)}</th>" for cell in header), "</tr>",
    ]  # fmt: skip
    for line in lines:
        if line[0] in known:
            anchor = f'<a href="#{known[line[0]].name}">{_escape(line[0])}</a>'
            parts += ["<tr>", f"<td>{anchor}</td>", *(f"<td>{_escape(cell)}</td>" for cell in line[1:]), "</tr>"]
    parts.append("</table></div>")
    for release in served:
        files = _files(release, top)
        commands = _commands(release, url, newest_version(files))
        parts += [
            f'<h2 id="{release.name}">{_escape(release.title)}</h2>',
            f"<p>As root; compare the fingerprint before you go on:</p><pre>{_escape(commands)}</pre>",
            f"<p>Then, as any user, <code>tls-bootstrap check</code> proves that pip uses it.{_more_hooks(release)}</p>",
            f'<details><summary>{len(files)} packages</summary><div class="wide"><table>',
            "<tr><th>package</th><th>for</th><th>size</th><th>contents</th></tr>",
            *(_package(path, top) for path in files),
            "</table></div></details>",
        ]
    return "\n".join([*parts, "</body></html>"]) + "\n"
