# SPDX-License-Identifier: Apache-2.0
"""The tiny wheel that the loopback index serves (PEP 427)."""

import base64
import hashlib
import io
import zipfile

PROJECT = "tls-bootstrap-check"
VERSION = "1.0"
FILE_NAME = "tls_bootstrap_check-1.0-py2.py3-none-any.whl"


def make(marker):
    """The bytes of a wheel that contains the native string `marker`, so that no two are alike."""
    information = "tls_bootstrap_check-1.0.dist-info/"
    contents = [
        ("tls_bootstrap_check.py", "MARKER = %r\n" % marker),
        (
            information + "METADATA",
            "Metadata-Version: 2.1\nName: %s\nVersion: %s\nSummary: Made by tls-bootstrap check\n" % (PROJECT, VERSION),
        ),
        (
            information + "WHEEL",
            "Wheel-Version: 1.0\nGenerator: tls-bootstrap\nRoot-Is-Purelib: true\nTag: py2-none-any\nTag: py3-none-any\n",
        ),
    ]
    record = ""
    for name, text in contents:
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode("ascii")).digest())
        record += "%s,sha256=%s,%d\n" % (name, digest.rstrip(b"=").decode("ascii"), len(text))
    record += "%sRECORD,,\n" % information
    contents.append((information + "RECORD", record))
    stream = io.BytesIO()
    archive = zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED)
    for name, text in contents:
        archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text.encode("ascii"))
    archive.close()
    return stream.getvalue()


def index_page(wheel):
    """The project page of the simple index (PEP 503) for the wheel of these bytes."""
    digest = hashlib.sha256(wheel).hexdigest()
    page = '<!DOCTYPE html><html><body><a href="/files/%s#sha256=%s">%s</a></body></html>\n'
    return (page % (FILE_NAME, digest, FILE_NAME)).encode("ascii")
