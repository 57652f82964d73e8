# SPDX-License-Identifier: Apache-2.0
"""The C half as programs that import `_ssl` expect it, for where this package stands in for `ssl`."""

from . import _core, _errors, _late

__all__ = ["_ssl"]


def _decode_certificate(path):
    """The getpeercert() dictionary of a certificate file; decode_certificate() is its public name."""
    return _late.load("_certificates").decode_certificate(path)


def _make():
    """A module with the C half's names, with its exceptions, and that takes str for paths."""
    module = type(_core)("_tls_bootstrap._ssl", _core.__doc__)
    vars(module).update((name, value) for name, value in vars(_core).items() if name[:2] != "__")
    for cls in _errors.FAMILY:
        setattr(module, cls.__name__, cls)
    module._test_decode_cert = _decode_certificate
    return module


_ssl = _make()
