# SPDX-License-Identifier: Apache-2.0
"""The environment of the children: made from nothing, so that no setting of the caller counts."""

import os

PASSED_ON = ("TLS_BOOTSTRAP_PIP", "TLS_BOOTSTRAP_CONF")  # they can only restrict


# By which a user tells pip, or the library below it, where to connect and whom to trust.
OF_PIP = (
    "PIP_CERT PIP_CLIENT_CERT PIP_TRUSTED_HOST PIP_PROXY HTTPS_PROXY https_proxy ALL_PROXY all_proxy NO_PROXY no_proxy"
    " REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR"
).split()
FILES = (  # of these a path counts from the caller's directory; the children work in another one
    "PIP_CERT PIP_CLIENT_CERT REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR PIP_CONFIG_FILE XDG_CONFIG_HOME"
    " TLS_BOOTSTRAP_CONF"
).split()
WHERE_TO = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE", "XDG_CONFIG_HOME")


def of_the_caller(keep_index):
    """What the caller's environment says about connections; with `keep_index` also about the index."""
    names = OF_PIP + (list(WHERE_TO) if keep_index else [])
    return dict((name, _of_the_caller(name)) for name in names if name in os.environ)


def _of_the_caller(name):
    value = os.environ[name]
    if name not in FILES or not value:
        return value
    return os.path.abspath(os.path.expanduser(value) if name.startswith("PIP_") else value)  # pip alone knows of ~


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
            environment[name] = _of_the_caller(name)
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
        TLS_BOOTSTRAP_TRACE=trace,
    )
    if switched_off:
        environment["TLS_BOOTSTRAP_PIP"] = "0"
    return environment


def for_loopback(home, trace, switched_off=False):
    """As `for_pip`, and no proxy may be asked for it."""
    return dict(for_pip(home, trace, switched_off), NO_PROXY="*", no_proxy="*")
