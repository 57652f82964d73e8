# SPDX-License-Identifier: Apache-2.0
"""Makes an unmodified pip use `_tls_bootstrap` instead of the standard library's `ssl`.

The finder that the .pth file starts asks `find_spec` (Python 3) or `find_module` (Python 2) about
the modules of pip's HTTP stack. While those are executed, `import ssl` means `_tls_bootstrap` for
them and for nobody else (`substitution`). What cannot be had falls to the next rung of the
`ladder`: pip must work, whatever state our files are in.
"""

from .interception import NAMES, find_module, find_spec

__all__ = ["NAMES", "find_module", "find_spec"]
