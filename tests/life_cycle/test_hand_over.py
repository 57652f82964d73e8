# SPDX-License-Identifier: Apache-2.0
"""The vendor's own package comes: it takes over without a conflict, and the check says whose module is in use."""

import pytest
import vendor
from toolkit import roots
from versions import PYTHONS

#: The other root for apt has no pip for its Python 3.
APT_ROOT = roots.BULLSEYE


@pytest.fixture
def fresh(system):
    """Ours installed for Python 3, nothing of the vendor's; restored afterwards."""
    ours = ["python3-tls-bootstrap", "python3-tls-bootstrap-pip", "tls-bootstrap"]
    system.root.run([*words(system), "install", *(system.version(name, system.old) for name in ours)])
    yield system
    names = [name for name in installed(system) if "tls-bootstrap" in name or "vendor" in name]
    system.root.run([*words(system), "remove", *names])
    for path in (system.root.path / "var" / "tmp").glob("vendor-*"):
        system.root.run(["rm", "-r", str(path)[len(str(system.root.path)) :]])


def words(system):
    return ["apt-get", "--yes"] if system.kind == "apt" else ["dnf", "--assumeyes", "--releasever=9"]


def installed(system):
    if system.kind == "apt":
        text = system.root.run(["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\\n"]).output
        return [line.split()[0] for line in text.splitlines() if line.endswith(" installed")]
    return system.root.run(["rpm", "-qa", "--queryformat", "%{NAME}\\n"]).output.split()


def install(system, path, **options):
    lower = ["dpkg", "--install"] if system.kind == "apt" else ["rpm", "--upgrade"]
    return system.root.run([*lower, path], **options)


def loaded_from(system):
    return system.root.run([PYTHONS[1], "-B", "-c", "import _tls_bootstrap as t; print(t.__file__)"]).output.strip()


def owner(system, path):
    query = ["dpkg-query", "--search"] if system.kind == "apt" else ["rpm", "-qf", "--queryformat", "%{NAME}: "]
    return system.root.run([*query, path]).output.split(":")[0]


def assert_used_and_said_to_belong_to(system, package):
    """pip goes on with the module that is there now, and the check says whose that is."""
    done = system.root.run(["tls-bootstrap", "check", "--pip", "/usr/bin/pip3"], check=False)
    assert done.status == 0, done.output
    (line,) = [line for line in done.output.splitlines() if "mapped in pip's process" in line]
    assert line.startswith("ok ")
    assert f"package {package})" in line, line


def test_a_newer_package_of_the_same_name_takes_over(fresh):
    install(fresh, vendor.package(fresh, "python3-tls-bootstrap", "same name"))
    assert owner(fresh, loaded_from(fresh)) == "python3-tls-bootstrap"
    assert "python3-tls-bootstrap-pip" in installed(fresh)
    assert_used_and_said_to_belong_to(fresh, "python3-tls-bootstrap")
    # The next run of the manager leaves it: ours is older.
    fresh.root.run([*words(fresh), "upgrade"])
    version = fresh.root.run(["dpkg-query", "-W", "-f", "${Version}", "python3-tls-bootstrap"] if fresh.kind == "apt"
                             else ["rpm", "-q", "--queryformat", "%{VERSION}", "python3-tls-bootstrap"]).output  # fmt: skip
    assert version == "9"


def test_a_package_of_another_name_that_says_so_takes_over(fresh):
    path = vendor.package(fresh, "python3-vendor-tls", "policy")
    # By the upper tool: it removes what conflicts.
    fresh.root.run([*words(fresh), "install", path])
    assert "python3-vendor-tls" in installed(fresh)
    assert "python3-tls-bootstrap" not in installed(fresh)
    assert "python3-tls-bootstrap-pip" in installed(fresh), "the hook goes on with the vendor's module"
    assert owner(fresh, loaded_from(fresh)) == "python3-vendor-tls"
    assert_used_and_said_to_belong_to(fresh, "python3-vendor-tls")


def test_a_careless_package_is_refused_before_unpacking_and_ours_works(fresh):
    path = vendor.package(fresh, "python3-vendor-tls", "careless")
    before = fresh.verify_only("python3-tls-bootstrap")
    refused = install(fresh, path, check=False)
    assert refused.status != 0
    assert "trying to overwrite" in refused.output or "conflicts with file from package" in refused.output, refused.output
    assert "python3-vendor-tls" not in installed(fresh)
    assert fresh.verify_only("python3-tls-bootstrap") == before == ""
    assert owner(fresh, loaded_from(fresh)) == "python3-tls-bootstrap"
    assert_used_and_said_to_belong_to(fresh, "python3-tls-bootstrap")


def test_a_python_that_ships_the_module_itself_takes_precedence(fresh):
    """In the standard library it comes first on sys.path; the packages' own stays whole beside it."""
    place = "/usr/lib/python3.9/_tls_bootstrap"
    install(fresh, vendor.package(fresh, "python3-vendor-tls", "careless", place=place))
    assert loaded_from(fresh).startswith(place)
    assert owner(fresh, loaded_from(fresh)) == "python3-vendor-tls"
    assert fresh.verify_only("python3-tls-bootstrap") == ""
    # The hook takes the module beside itself and no other.
    assert_used_and_said_to_belong_to(fresh, "python3-tls-bootstrap")
