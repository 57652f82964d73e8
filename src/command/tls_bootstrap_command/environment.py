# SPDX-License-Identifier: Apache-2.0
"""The environment of the children: made from nothing, so that no setting of the caller counts."""

import os

PASSED_ON = ("TLS_BOOTSTRAP_PIP", "TLS_BOOTSTRAP_CONF")  # they can only restrict


def for_children(home):
    """The environment of every child; `home` is the guest's own directory."""
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "HOME": home,
        "TMPDIR": home,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for name in PASSED_ON:
        if name in os.environ:
            environment[name] = os.environ[name]
    return environment


def for_pip(home, trace, switched_off=False):
    """The environment of a pip that reads no configuration and writes the evidence to `trace`.

    Settings go in as PIP_* variables where a pip that does not know them must not stumble.
    """
    environment = for_children(home)
    environment.update(
        PIP_CONFIG_FILE=os.devnull,
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        PIP_NO_INPUT="1",
        PIP_RETRIES="0",
        PIP_DEFAULT_TIMEOUT="20",
        PIP_TIMEOUT="20",
        PIP_CACHE_DIR=os.path.join(home, "cache"),
        NO_PROXY="*",
        no_proxy="*",
        TLS_BOOTSTRAP_TRACE=trace,
    )
    if switched_off:
        environment["TLS_BOOTSTRAP_PIP"] = "0"
    return environment
